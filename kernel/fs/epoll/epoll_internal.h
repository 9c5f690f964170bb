/*
 * What epoll.c (the calls), item.c (watched files) and nest.c (epoll watched by epoll) share.
 */
#pragma once

#include "core/spinlock.h"
#include "fs/epoll/epoll.h"
#include "lib/list.h"
#include "lib/rbtree.h"
#include "sched/mutex.h"
#include "vfs/file.h"
#include "vfs/poll.h"

#define EPOLL_LEVEL_MAX 4		/* an epoll on an epoll on ...: five in all */
#define ITEM_HOOKS 2

struct epoll {
	struct mutex mutex;		/* items; harvesting */
	struct rb_root items;		/* by (file, fd) */
	struct spinlock ready_lock;	/* irqsave: filled from wait queue callbacks */
	struct list_head ready;		/* ready_lock */
	uint32_t ready_count;		/* ready_lock */
	struct wait_queue wait;		/* epoll_wait, and who polls the epoll itself */
	/* epoll_nest_mutex: */
	uint32_t level;			/* above that of every epoll it watches */
	uint32_t saved_level;
	struct list_head changed_node;	/* while levels are raised */
	struct list_head nested;	/* items whose target is an epoll */
	struct file *file;		/* not counted: its own */
};

struct epoll_item;

struct epoll_hook {			/* a place on one of the target's wait queues */
	struct wait_entry wait;
	struct epoll_item *item;
	struct wait_queue *queue;
	struct poll_holder hold;	/* what the queue lives in */
	struct epoll_hook *next;	/* beyond the inline ones */
};

struct epoll_item {
	struct rb_node node;		/* epoll->mutex */
	struct epoll *epoll;		/* [I] */
	struct file *target;		/* [I] not counted: its release removes the item */
	int fd;				/* [I] */
	uint32_t events;		/* ready_lock; EPOLL*, the flags too */
	uint64_t data;			/* epoll->mutex */
	struct list_head ready_node;	/* ready_lock */
	struct list_head target_node;	/* links_lock: the target's watchers */
	struct list_head nested_node;	/* epoll_nest_mutex */
	struct epoll_hook hooks[ITEM_HOOKS];	/* set when the item is made */
	struct epoll_hook *more_hooks;
	uint32_t hook_count;
	bool no_memory;			/* a hook could not be made */
};

#define EPOLL_FLAGS (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)

extern const struct file_ops epoll_ops;
extern struct mutex epoll_nest_mutex;	/* nesting; files and epolls that go */

static inline bool file_is_epoll(const struct file *file) { return file->ops == &epoll_ops; }

/* item.c */
struct epoll_item *epoll_find_item(struct epoll *ep, const struct file *target, int fd);
must_check int epoll_add_item(struct epoll *ep, struct file *target, int fd,
			      const struct abi_epoll_event *event, struct list_head *dead);
void epoll_modify_item(struct epoll_item *item, const struct abi_epoll_event *event);
/*
 * Takes the item out; it goes to `dead`, for epoll_free_items() when no mutex is held any more:
 * what its queues lived in may go with it, and files with that.
 */
void epoll_remove_item(struct epoll_item *item, struct list_head *dead);
void epoll_free_items(struct list_head *dead);
/* Puts the item on the ready list; true when it was not there. */
bool epoll_mark_ready(struct epoll_item *item);
void epoll_target_release(struct file *file);
void epoll_items_init(void);

/* nest.c: -ELOOP when `inner` cannot be watched by `outer`. */
must_check int epoll_nest(struct epoll *outer, struct epoll *inner);
/* Every epoll that watches `file`, one call each; links_lock is held: fn must not sleep. */
void epoll_for_each_watcher(struct file *file, void (*fn)(void *arg, struct epoll *watcher),
			    void *arg);
