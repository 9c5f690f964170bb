/*
 * inotify: watches on inodes, events in queues.
 *
 * A watch holds its inode and its file system's instance, so neither goes while it is watched. The
 * file layer calls inotify_event() for every inode that has watches; nothing is called while there
 * is no watch in the system (vfs/notify.h).
 *
 * Locking: watches_mutex guards all lists of watches, of inodes and of instances, and is held while
 * events are queued; an instance's queue has a spin lock of its own, for readers. Events that would
 * go beyond the limit are lost, and one IN_Q_OVERFLOW says so.
 */
#include "fs/inotify.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/notify.h"
#include "vfs/poll.h"

#define QUEUE_MAX 16384
#define WATCHES_MAX 65536
#define EVENT_BITS (IN_ALL_EVENTS)

struct event {
	struct list_head node;
	int32_t watch;
	uint32_t mask, cookie;
	uint32_t name_size;		/* with terminator and padding; 0: no name */
	char name[];
};

struct inotify {
	struct spinlock lock;
	struct list_head queue;		/* lock */
	uint32_t count;			/* lock */
	bool overflowed;		/* lock; the overflow event is in the queue */
	struct wait_queue wait;
	struct list_head watches;	/* watches_mutex */
	int32_t next_watch;		/* watches_mutex */
	uint32_t watch_count;		/* watches_mutex */
};

struct watch {
	struct list_head inode_node, owner_node;	/* watches_mutex */
	struct inotify *owner;
	struct inode *inode;		/* counted */
	struct super *super;		/* counted */
	int32_t id;
	uint32_t mask;			/* IN_* events and IN_ONESHOT, IN_EXCL_UNLINK */
};

struct inode_watches {
	struct list_head list;
};

static struct mutex watches_mutex;
static struct slab_cache *inotify_cache;
static const struct file_ops inotify_ops;

/* ---- events ---------------------------------------------------------------------------------- */

static size_t padded_name_size(const char *name)
{
	return name == NULL ? 0 : align_up(strlen(name) + 1, sizeof(struct abi_inotify_event));
}

static struct event *event_create(int32_t watch, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t name_size = padded_name_size(name);
	struct event *e;

	if (fail_point("inotify_event") || (e = kzalloc(sizeof(*e) + name_size)) == NULL)
		return NULL;
	e->watch = watch;
	e->mask = mask;
	e->cookie = cookie;
	e->name_size = (uint32_t)name_size;
	if (name != NULL)
		strlcpy(e->name, name, name_size);
	return e;
}

static bool is_same(const struct event *a, const struct event *b)
{
	return a->watch == b->watch && a->mask == b->mask && a->cookie == b->cookie &&
	       a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0;
}

/* Consumes the event. Two equal ones in a row are one; an overflow takes the event's place. */
static void queue_event(struct inotify *in, struct event *e)
{
	const struct event *last;

	spin_lock(&in->lock);
	last = list_last(&in->queue, struct event, node);
	if (last != NULL && is_same(last, e)) {
		spin_unlock(&in->lock);
		kfree(e);
		return;
	}
	if (in->count >= QUEUE_MAX) {
		if (in->overflowed) {
			spin_unlock(&in->lock);
			kfree(e);
			return;
		}
		in->overflowed = true;
		e->watch = -1;
		e->mask = IN_Q_OVERFLOW;
		e->cookie = 0;
		e->name_size = 0;
	}
	list_push_back(&in->queue, &e->node);
	in->count++;
	spin_unlock(&in->lock);
	wake_up_key(&in->wait, POLLIN | POLLRDNORM);
}

/* A lost event for want of memory is an overflow to the reader. */
static void send(struct inotify *in, int32_t watch, uint32_t mask, uint32_t cookie,
		 const char *name)
{
	struct event *e = event_create(watch, mask, cookie, name);

	if (e != NULL)
		queue_event(in, e);
}

static struct event *pop_event(struct inotify *in, size_t room, bool *too_small)
{
	struct event *e;

	spin_lock(&in->lock);
	e = list_first(&in->queue, struct event, node);
	if (e != NULL && sizeof(struct abi_inotify_event) + e->name_size > room) {
		*too_small = true;
		e = NULL;
	}
	if (e != NULL) {
		list_remove(&e->node);
		in->count--;
		if ((e->mask & IN_Q_OVERFLOW) != 0)
			in->overflowed = false;
	}
	spin_unlock(&in->lock);
	return e;
}

static bool put_event(struct iobuf *to, const struct event *e)
{
	struct abi_inotify_event header = { .wd = e->watch, .mask = e->mask, .cookie = e->cookie,
					    .len = e->name_size };

	return iobuf_put(to, &header, sizeof(header)) == sizeof(header) &&
	       iobuf_put(to, e->name, e->name_size) == e->name_size;
}

static ssize_t read_events(struct inotify *in, struct iobuf *to)
{
	size_t begin = to->left;
	bool too_small = false;
	struct event *e;

	while ((e = pop_event(in, to->left, &too_small)) != NULL) {
		bool fits = put_event(to, e);

		kfree(e);
		if (!fits)
			return -EFAULT;
	}
	if (begin != to->left)
		return (ssize_t)(begin - to->left);
	return too_small ? -EINVAL : 0;
}

static ssize_t inotify_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct inotify *in = file->private;

	for (;;) {
		ssize_t n = read_events(in, to);
		int error;

		if (n != 0)
			return n;
		if (to->nonblocking || (read_once(file->flags) & O_NONBLOCK) != 0)
			return -EAGAIN;
		error = wait_event_interruptible(&in->wait, read_once(in->count) > 0);
		if (error != 0)
			return error;
	}
}

static uint32_t inotify_poll(struct file *file, struct poll_table *table)
{
	struct inotify *in = file->private;

	poll_wait(file, &in->wait, table);
	return read_once(in->count) > 0 ? POLLIN | POLLRDNORM : 0;
}

static long inotify_ioctl(struct file *file, unsigned int command, uint64_t arg)
{
	struct inotify *in = file->private;
	const struct event *e;
	uint64_t bytes = 0;
	int32_t result;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&in->lock);
	list_for_each(e, &in->queue, node)
		bytes += sizeof(struct abi_inotify_event) + e->name_size;
	spin_unlock(&in->lock);
	result = (int32_t)MIN(bytes, (uint64_t)INT32_MAX);
	return copy_to_user(user_addr(arg), &result, sizeof(result));
}

/* ---- watches: watches_mutex held ------------------------------------------------------------- */

/* Takes it off its lists; free_watch() follows without the mutex. */
static void unlink_watch(struct watch *w)
{
	struct inode_watches *watches = w->inode->watches;

	list_remove(&w->inode_node);
	list_remove(&w->owner_node);
	w->owner->watch_count--;
	(void)atomic32_sub_acq_rel(&notify_watch_count, 1);
	if (list_is_empty(&watches->list)) {
		write_once(w->inode->watches, NULL);
		kfree(watches);
	}
}

/* The references may be the last ones: what they hold sleeps when it goes. */
static void free_watch(struct watch *w)
{
	inode_put(w->inode);
	super_put(w->super);
	kfree(w);
}

static void free_watches(struct list_head *dead)
{
	struct list_head *node;

	while ((node = list_pop_front(dead)) != NULL)
		free_watch(list_entry(node, struct watch, owner_node));
}

static struct watch *find_by_inode(struct inotify *in, const struct inode *inode)
{
	struct watch *w;

	list_for_each(w, &in->watches, owner_node) {
		if (w->inode == inode)
			return w;
	}
	return NULL;
}

static struct watch *find_by_id(struct inotify *in, int32_t id)
{
	struct watch *w;

	list_for_each(w, &in->watches, owner_node) {
		if (w->id == id)
			return w;
	}
	return NULL;
}

/* The file layer's events. An inode without names left is watched no more. */
static void inotify_event(struct inode *inode, uint32_t mask, uint32_t cookie, const char *name)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct inode_watches *watches;
	bool gone = (mask & IN_DELETE_SELF) != 0;
	struct watch *w, *next;

	mutex_lock(&watches_mutex);
	watches = inode->watches;
	if (watches != NULL) {
		/* unlink_watch() frees the head with the last one: the end is found before that. */
		w = list_first(&watches->list, struct watch, inode_node);
		for (; w != NULL; w = next) {
			bool last = w->inode_node.next == &watches->list;
			bool wanted = (w->mask & mask & EVENT_BITS) != 0;

			next = last ? NULL
				    : list_entry(w->inode_node.next, struct watch, inode_node);
			if (wanted)
				send(w->owner, w->id, mask, cookie, name);
			if (gone || (wanted && (w->mask & IN_ONESHOT) != 0)) {
				send(w->owner, w->id, IN_IGNORED, 0, NULL);
				unlink_watch(w);
				list_push_back(&dead, &w->owner_node);
			}
		}
	}
	mutex_unlock(&watches_mutex);
	free_watches(&dead);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int update_watch(struct watch *w, uint32_t mask)
{
	if ((mask & IN_MASK_CREATE) != 0)
		return -EEXIST;
	if ((mask & IN_MASK_ADD) != 0)
		w->mask |= mask;
	else
		w->mask = mask;
	return w->id;
}

/* Gives an inode its list of watches. */
static int prepare_inode(struct inode *inode)
{
	struct inode_watches *watches;

	if (inode->watches != NULL)
		return 0;
	watches = kmalloc(sizeof(*watches));
	if (watches == NULL)
		return -ENOMEM;
	list_init(&watches->list);
	write_once(inode->watches, watches);
	return 0;
}

static int add_watch(struct inotify *in, struct inode *inode, uint32_t mask)
{
	struct watch *w;

	if (in->watch_count >= WATCHES_MAX || in->next_watch == INT32_MAX)
		return -ENOSPC;
	if (fail_point("inotify_watch") || (w = kmalloc(sizeof(*w))) == NULL)
		return -ENOMEM;
	if (prepare_inode(inode) != 0) {
		kfree(w);
		return -ENOMEM;
	}
	w->owner = in;
	w->inode = inode;
	w->super = inode->super;
	w->mask = mask;
	w->id = ++in->next_watch;
	inode_get(inode);
	super_get(w->super);
	list_push_back(&((struct inode_watches *)inode->watches)->list, &w->inode_node);
	list_push_back(&in->watches, &w->owner_node);
	in->watch_count++;
	atomic32_add(&notify_watch_count, 1);
	return w->id;
}

int inotify_add(struct file *file, const struct path *path, uint32_t mask)
{
	struct inotify *in = file->private;
	struct inode *inode = path_inode(path);
	struct watch *w;
	int result;

	if (file->ops != &inotify_ops || (mask & EVENT_BITS) == 0 || inode->super == NULL ||
	    (mask & (IN_MASK_ADD | IN_MASK_CREATE)) == (IN_MASK_ADD | IN_MASK_CREATE))
		return -EINVAL;
	mutex_lock(&watches_mutex);
	w = find_by_inode(in, inode);
	if (w != NULL)
		result = update_watch(w, mask);
	else
		result = add_watch(in, inode, mask);
	mutex_unlock(&watches_mutex);
	return result;
}

int inotify_remove(struct file *file, int id)
{
	struct inotify *in = file->private;
	struct watch *w;

	if (file->ops != &inotify_ops)
		return -EINVAL;
	mutex_lock(&watches_mutex);
	w = find_by_id(in, id);
	if (w != NULL) {
		send(in, w->id, IN_IGNORED, 0, NULL);
		unlink_watch(w);
	}
	mutex_unlock(&watches_mutex);
	if (w == NULL)
		return -EINVAL;
	free_watch(w);
	return 0;
}

static void inotify_release(struct file *file)
{
	struct inotify *in = file->private;
	struct list_head dead = LIST_HEAD_INIT(dead), *node;
	struct watch *w;

	mutex_lock(&watches_mutex);
	while ((w = list_first(&in->watches, struct watch, owner_node)) != NULL) {
		unlink_watch(w);
		list_push_back(&dead, &w->owner_node);
	}
	mutex_unlock(&watches_mutex);
	free_watches(&dead);
	while ((node = list_pop_front(&in->queue)) != NULL)
		kfree(list_entry(node, struct event, node));
	slab_free(inotify_cache, in);
}

bool inotify_is_file(const struct file *file)
{
	return file->ops == &inotify_ops;
}

static const struct file_ops inotify_ops = {
	.name = "inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.stream = true,
};

int inotify_create_file(int flags, struct file **out)
{
	struct inotify *in;
	int error;

	if ((flags & ~(IN_NONBLOCK | IN_CLOEXEC)) != 0)
		return -EINVAL;
	if (fail_point("inotify") || (in = slab_allocate_zeroed(inotify_cache)) == NULL)
		return -ENOMEM;
	spin_init(&in->lock, RANK_PIPE);
	list_init(&in->queue);
	list_init(&in->watches);
	wait_queue_init(&in->wait);
	error = file_create_anonymous(&inotify_ops, in, O_RDONLY | (flags & IN_NONBLOCK), 0, out);
	if (error != 0)
		slab_free(inotify_cache, in);
	return error;
}

void inotify_init(void)
{
	static const struct notify_ops ops = { .event = inotify_event };

	mutex_init(&watches_mutex);
	inotify_cache = slab_cache_create("inotify", sizeof(struct inotify), 8);
	notify_register(&ops);
}
