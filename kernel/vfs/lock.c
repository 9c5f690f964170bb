/*
 * Advisory locks.
 *
 * All lists, and who waits for whom, are under one spin lock: locks are few, and the search for a
 * deadlock goes from file to file. What a change may need is allocated before it.
 *
 * A record lock is a range [start, end] of one owner; an owner's ranges in a file are disjoint, and
 * touching ones of one type are merged. Setting a range therefore needs at most two new entries:
 * the range itself, and the other half of one that it splits.
 *
 * Waiters sleep on the inode's queue and try again whenever something there was released. A process
 * that would wait looks first whether the chain "waits for a lock of" leads back to itself:
 * EDEADLK.
 */
#include "vfs/lock.h"

#include "abi/errno.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "lib/bits.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "sched/wait.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/vfs_internal.h"

#define OFFSET_MAX INT64_MAX
#define CHAIN_MAX 1000

enum lock_kind { KIND_POSIX, KIND_OFD, KIND_FLOCK };

struct file_lock {
	struct list_head node;
	const void *owner;
	uint64_t start, end;		/* inclusive; flock: everything */
	int32_t pid;
	uint8_t kind;			/* enum lock_kind */
	uint8_t type;			/* F_RDLCK, F_WRLCK */
};

/* A process asleep for a record lock, for deadlocks and /proc/locks. */
struct lock_waiter {
	struct list_head node;
	const void *owner;
	const void *blocked_by;		/* the owner of the lock in the way */
};

struct file_lock_list {
	struct list_head records, flocks;	/* locks_lock */
	struct list_head all_node;
	const struct inode *inode;
	struct wait_queue wait;
};

static struct spinlock locks_lock = SPINLOCK_INIT(RANK_FILE);
static struct list_head all_lists = LIST_HEAD_INIT(all_lists);	/* locks_lock */
static struct list_head waiters = LIST_HEAD_INIT(waiters);	/* locks_lock */
static struct slab_cache *lock_cache;

void lock_init(void)
{
	lock_cache = slab_cache_create("file_lock", sizeof(struct file_lock), 8);
}

/* The inode's lists, made at the first lock. -ENOMEM. */
static int get_list(struct inode *inode, struct file_lock_list **out)
{
	struct file_lock_list *list = load_acquire(&inode->locks), *fresh;

	if (list != NULL) {
		*out = list;
		return 0;
	}
	fresh = kmalloc(sizeof(*fresh));
	if (fresh == NULL)
		return -ENOMEM;
	list_init(&fresh->records);
	list_init(&fresh->flocks);
	wait_queue_init(&fresh->wait);
	fresh->inode = inode;
	spin_lock(&locks_lock);
	list = inode->locks;
	if (list == NULL) {
		list = fresh;
		list_push_back(&all_lists, &fresh->all_node);
		store_release(&inode->locks, fresh);
	}
	spin_unlock(&locks_lock);
	if (list != fresh)
		kfree(fresh);
	*out = list;
	return 0;
}

void inode_free_locks(struct inode *inode)
{
	struct file_lock_list *list = inode->locks;

	if (list == NULL)
		return;
	ASSERT(list_is_empty(&list->records) && list_is_empty(&list->flocks));
	spin_lock(&locks_lock);
	list_remove(&list->all_node);
	spin_unlock(&locks_lock);
	inode->locks = NULL;
	kfree(list);
}

static struct file_lock *lock_allocate(void)
{
	return fail_point("file_lock") ? NULL : slab_allocate(lock_cache);
}

static void free_locks(struct list_head *dead)
{
	struct list_head *node;

	while ((node = list_pop_front(dead)) != NULL)
		slab_free(lock_cache, list_entry(node, struct file_lock, node));
}

/* ---- flock ----------------------------------------------------------------------------------- */

static struct file_lock *find_flock(struct file_lock_list *list, const struct file *file)
{
	struct file_lock *l;

	list_for_each(l, &list->flocks, node) {
		if (l->owner == file)
			return l;
	}
	return NULL;
}

/* Sets the file's lock to `type` if no other file is in the way; *fresh is consumed when used. */
static bool try_flock(struct file_lock_list *list, struct file *file, uint8_t type,
		      struct file_lock **fresh)
{
	struct file_lock *l, *mine;
	bool free_way = true;

	spin_lock(&locks_lock);
	list_for_each(l, &list->flocks, node) {
		if (l->owner != file && (type == F_WRLCK || l->type == F_WRLCK))
			free_way = false;
	}
	mine = find_flock(list, file);
	if (free_way && mine != NULL) {
		mine->type = type;
	} else if (free_way) {
		**fresh = (struct file_lock){ .owner = file, .end = OFFSET_MAX, .pid = -1,
					      .kind = KIND_FLOCK, .type = type };
		list_push_back(&list->flocks, &(*fresh)->node);
		*fresh = NULL;
	}
	spin_unlock(&locks_lock);
	return free_way;
}

/* The file's own lock goes; true when there was one. */
static bool drop_flock(struct file_lock_list *list, const struct file *file)
{
	struct file_lock *mine;

	spin_lock(&locks_lock);
	mine = find_flock(list, file);
	if (mine != NULL)
		list_remove(&mine->node);
	spin_unlock(&locks_lock);
	if (mine == NULL)
		return false;
	slab_free(lock_cache, mine);
	wake_up_all(&list->wait);
	return true;
}

int file_flock(struct file *file, int operation)
{
	int kind = operation & ~LOCK_NB, error;
	struct file_lock_list *list;
	struct file_lock *fresh;
	uint8_t type = kind == LOCK_EX ? F_WRLCK : F_RDLCK;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	error = get_list(file->inode, &list);
	if (error != 0)
		return error;
	if (kind == LOCK_UN) {
		(void)drop_flock(list, file);
		return 0;
	}
	fresh = lock_allocate();
	if (fresh == NULL)
		return -ENOMEM;
	if (!try_flock(list, file, type, &fresh)) {
		/* A conversion gives up what it had first, as flock(2) says. */
		(void)drop_flock(list, file);
		if ((operation & LOCK_NB) != 0)
			error = -EWOULDBLOCK;
		else
			error = wait_event_interruptible(&list->wait,
							 try_flock(list, file, type, &fresh));
	} else {
		/* A downgrade lets others in. */
		wake_up_all(&list->wait);
	}
	slab_free(lock_cache, fresh);
	return error;
}

/* ---- record locks: ranges -------------------------------------------------------------------- */

static int range_of(const struct file *file, const struct abi_flock *lock, uint64_t *start,
		    uint64_t *end)
{
	int64_t base, first, last;

	switch (lock->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = file->pos;
		break;
	case SEEK_END:
		base = (int64_t)inode_size(file->inode);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, lock->l_start, &first))
		return -EOVERFLOW;
	if (first < 0)
		return -EINVAL;
	last = OFFSET_MAX;
	if (lock->l_len > 0) {
		if (__builtin_add_overflow(first, lock->l_len - 1, &last))
			return -EOVERFLOW;
	} else if (lock->l_len < 0) {
		last = first - 1;
		if (__builtin_add_overflow(first, lock->l_len, &first) || first < 0)
			return -EINVAL;
	}
	*start = (uint64_t)first;
	*end = (uint64_t)last;
	return 0;
}

static struct file_lock *find_conflict(struct file_lock_list *list, const struct file_lock *want)
	REQUIRES(&locks_lock)
{
	struct file_lock *l;

	assert_held(&locks_lock);
	list_for_each(l, &list->records, node) {
		if (l->owner != want->owner && l->start <= want->end && l->end >= want->start &&
		    (l->type == F_WRLCK || want->type == F_WRLCK))
			return l;
	}
	return NULL;
}

/*
 * Puts `want` over what its owner has in that range: same types that touch are merged, others are
 * trimmed or split. *set and *split are used up when needed; what is no longer needed goes to dead.
 */
static void apply(struct file_lock_list *list, const struct file_lock *want,
		  struct file_lock **set, struct file_lock **split, struct list_head *dead)
	REQUIRES(&locks_lock)
{
	struct file_lock now = *want, *l, *next;

	assert_held(&locks_lock);
	list_for_each_safe(l, next, &list->records, node) {
		if (l->owner != now.owner)
			continue;
		if (l->type == now.type && l->start <= now.end + 1 && l->end + 1 >= now.start) {
			now.start = MIN(now.start, l->start);
			now.end = MAX(now.end, l->end);
		} else if (l->start > now.end || l->end < now.start) {
			continue;
		} else if (l->start < now.start && l->end > now.end) {
			**split = *l;
			(*split)->start = now.end + 1;
			l->end = now.start - 1;
			list_insert_after(&l->node, &(*split)->node);
			*split = NULL;
			continue;
		} else if (l->start < now.start) {
			l->end = now.start - 1;
			continue;
		} else if (l->end > now.end) {
			l->start = now.end + 1;
			continue;
		}
		list_remove(&l->node);
		list_push_back(dead, &l->node);
	}
	if (now.type == F_UNLCK)
		return;
	**set = now;
	list_push_back(&list->records, &(*set)->node);
	*set = NULL;
}

/* ---- deadlock -------------------------------------------------------------------------------- */

static const struct lock_waiter *waiter_of(const void *owner) REQUIRES(&locks_lock)
{
	const struct lock_waiter *w;

	assert_held(&locks_lock);
	list_for_each(w, &waiters, node) {
		if (w->owner == owner)
			return w;
	}
	return NULL;
}

/* Whether `owner`, waiting for one of blocker's locks, would close a circle. */
static bool would_deadlock(const void *owner, const void *blocker) REQUIRES(&locks_lock)
{
	assert_held(&locks_lock);
	for (int i = 0; i < CHAIN_MAX; i++) {
		const struct lock_waiter *w;

		if (blocker == owner)
			return true;
		w = waiter_of(blocker);
		if (w == NULL)
			return false;
		blocker = w->blocked_by;
	}
	return false;
}

/* ---- record locks: the calls ----------------------------------------------------------------- */

struct attempt {
	struct file_lock want;
	struct file_lock *set, *split;
	struct lock_waiter waiter;
	bool wait;
	int error;			/* of the last try, when it is over */
};

/* True when it is over: done, or an error other than "wait". */
static bool try_lock(struct file_lock_list *list, struct attempt *a)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	const struct file_lock *blocker = NULL;
	bool over = true;

	spin_lock(&locks_lock);
	a->error = 0;
	if (a->want.type != F_UNLCK)
		blocker = find_conflict(list, &a->want);
	if (blocker == NULL) {
		apply(list, &a->want, &a->set, &a->split, &dead);
		list_remove(&a->waiter.node);
	} else if (!a->wait) {
		a->error = -EAGAIN;
	} else if (a->want.kind == KIND_POSIX && blocker->kind == KIND_POSIX &&
		   would_deadlock(a->want.owner, blocker->owner)) {
		a->error = -EDEADLK;
	} else {
		over = false;
		a->waiter.blocked_by = blocker->owner;
		if (list_is_empty(&a->waiter.node))
			list_push_back(&waiters, &a->waiter.node);
	}
	spin_unlock(&locks_lock);
	free_locks(&dead);
	return over;
}

static void attempt_end(struct attempt *a)
{
	spin_lock(&locks_lock);
	list_remove(&a->waiter.node);
	spin_unlock(&locks_lock);
	slab_free(lock_cache, a->set);
	slab_free(lock_cache, a->split);
}

static int prepare(const struct file *file, const struct abi_flock *lock,
		   const struct lock_request *request, struct file_lock *want)
{
	if (lock->l_type != F_RDLCK && lock->l_type != F_WRLCK && lock->l_type != F_UNLCK)
		return -EINVAL;
	if (request->ofd && lock->l_pid != 0)
		return -EINVAL;
	*want = (struct file_lock){
		.owner = request->owner, .pid = request->ofd ? -1 : request->pid,
		.kind = request->ofd ? KIND_OFD : KIND_POSIX, .type = (uint8_t)lock->l_type,
	};
	return range_of(file, lock, &want->start, &want->end);
}

int file_set_lock(struct file *file, const struct abi_flock *lock,
		  const struct lock_request *request)
{
	struct file_lock_list *list;
	struct attempt a = { .wait = request->wait };
	int error = prepare(file, lock, request, &a.want);

	if (error != 0)
		return error;
	if ((a.want.type == F_RDLCK && !file->readable) ||
	    (a.want.type == F_WRLCK && !file->writable))
		return -EBADF;
	error = get_list(file->inode, &list);
	if (error != 0)
		return error;
	list_init(&a.waiter.node);
	a.waiter.owner = request->owner;
	a.set = lock_allocate();
	a.split = lock_allocate();
	if (a.set == NULL || a.split == NULL) {
		attempt_end(&a);
		return -ENOMEM;
	}
	if (!try_lock(list, &a))
		error = wait_event_interruptible(&list->wait, try_lock(list, &a));
	if (error == 0)
		error = a.error;
	attempt_end(&a);
	/* An unlock, a downgrade or a trimmed range may let others in. */
	if (error == 0 && a.want.type != F_WRLCK)
		wake_up_all(&list->wait);
	return error;
}

int file_get_lock(struct file *file, struct abi_flock *lock, const struct lock_request *request)
{
	struct file_lock_list *list = load_acquire(&file->inode->locks);
	struct file_lock want, *conflict = NULL;
	int error = prepare(file, lock, request, &want);

	if (error != 0)
		return error;
	if (want.type == F_UNLCK)
		return -EINVAL;
	lock->l_type = F_UNLCK;
	if (list == NULL)
		return 0;
	spin_lock(&locks_lock);
	conflict = find_conflict(list, &want);
	if (conflict != NULL) {
		lock->l_type = conflict->type;
		lock->l_whence = SEEK_SET;
		lock->l_start = (int64_t)conflict->start;
		lock->l_len = conflict->end == OFFSET_MAX
			      ? 0 : (int64_t)(conflict->end - conflict->start + 1);
		lock->l_pid = conflict->pid;
	}
	spin_unlock(&locks_lock);
	return 0;
}

/* ---- the end of owners ----------------------------------------------------------------------- */

static void drop_records(struct file_lock_list *list, const void *owner)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct file_lock *l, *next;

	spin_lock(&locks_lock);
	list_for_each_safe(l, next, &list->records, node) {
		if (l->owner != owner)
			continue;
		list_remove(&l->node);
		list_push_back(&dead, &l->node);
	}
	spin_unlock(&locks_lock);
	if (list_is_empty(&dead))
		return;
	free_locks(&dead);
	wake_up_all(&list->wait);
}

void file_drop_posix_locks(struct file *file, const void *owner)
{
	if (file->inode->locks != NULL && owner != NULL)
		drop_records(file->inode->locks, owner);
}

void file_drop_file_locks(struct file *file)
{
	drop_records(file->inode->locks, file);
	(void)drop_flock(file->inode->locks, file);
}

/* ---- /proc/locks ----------------------------------------------------------------------------- */

static void describe(const struct file_lock_list *list, const struct file_lock *l,
		     struct lock_description *out)
{
	static const char *const kinds[] = { "POSIX", "OFDLCK", "FLOCK" };

	out->kind = kinds[l->kind];
	out->write = l->type == F_WRLCK;
	out->waiting = false;
	out->pid = l->pid;
	out->device = list->inode->super->device;
	out->inode = list->inode->number;
	out->start = l->start;
	out->end = l->end == OFFSET_MAX ? UINT64_MAX : l->end;
}

/* The nth lock of all; false: there are not so many. */
static bool describe_nth(size_t n, struct lock_description *out)
{
	const struct file_lock_list *list;
	const struct file_lock *l;
	bool found = false;

	spin_lock(&locks_lock);
	list_for_each(list, &all_lists, all_node) {
		const struct list_head *const heads[] = { &list->records, &list->flocks };

		for (size_t i = 0; i < ARRAY_SIZE(heads) && !found; i++) {
			list_for_each(l, heads[i], node) {
				if (n-- > 0)
					continue;
				describe(list, l, out);
				found = true;
				break;
			}
		}
		if (found)
			break;
	}
	spin_unlock(&locks_lock);
	return found;
}

void lock_for_each(void (*fn)(void *arg, const struct lock_description *lock), void *arg)
{
	struct lock_description description;

	for (size_t n = 0; describe_nth(n, &description); n++)
		fn(arg, &description);
}
