/*
 * Epolls watched by epolls.
 *
 * Every epoll has a level above those of the epolls it watches; at most EPOLL_LEVEL_MAX. So there
 * is no circle, chains of wake-ups are short, and the wait queues along one have rising lock ranks.
 *
 * Watching an epoll raises the watcher's level where it must, and those of its own watchers in
 * turn. When a level would go over the top, or the raise comes round to the epoll to be watched,
 * all raised levels are put back: -ELOOP. Levels do not sink when a watch ends, except to 0 with
 * the last one.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "fs/epoll/epoll_internal.h"

struct mutex epoll_nest_mutex;

struct raise {
	struct list_head changed;	/* epolls with saved_level, in the order raised */
	struct epoll *inner;
	uint32_t above;			/* what watchers must be above */
	bool failed;
};

static void set_level(struct epoll *ep, uint32_t level)
{
	ep->level = level;
	ep->wait.lock.rank = (uint16_t)(RANK_WAIT_QUEUE_NESTED + level);
}

static void raise_one(void *arg, struct epoll *ep)
{
	struct raise *r = arg;

	if (r->failed || ep->level > r->above)
		return;
	if (ep == r->inner || r->above >= EPOLL_LEVEL_MAX) {
		r->failed = true;
		return;
	}
	if (list_is_empty(&ep->changed_node))
		ep->saved_level = ep->level;
	/* Again at the end: its own watchers are to be looked at with the new level. */
	list_remove(&ep->changed_node);
	list_push_back(&r->changed, &ep->changed_node);
	set_level(ep, r->above + 1);
}

static void raise_end(struct raise *r)
{
	struct list_head *node;

	while ((node = list_pop_front(&r->changed)) != NULL) {
		struct epoll *ep = list_entry(node, struct epoll, changed_node);

		if (r->failed)
			set_level(ep, ep->saved_level);
	}
}

int epoll_nest(struct epoll *outer, struct epoll *inner)
{
	struct raise r = { .inner = inner, .above = inner->level };
	struct list_head *at;

	ASSERT(mutex_is_held(&epoll_nest_mutex));
	if (list_is_empty(&outer->nested))
		set_level(outer, 0);
	list_init(&r.changed);
	raise_one(&r, outer);
	/*
	 * The list grows at its end while it is walked; an epoll is moved there at most four times.
	 */
	for (at = r.changed.next; at != &r.changed && !r.failed; at = at->next) {
		struct epoll *ep = list_entry(at, struct epoll, changed_node);

		r.above = ep->level;
		epoll_for_each_watcher(ep->file, raise_one, &r);
	}
	raise_end(&r);
	return r.failed ? -ELOOP : 0;
}
