/*
 * Locks whose owner stands in the word: FUTEX_LOCK_PI and its family, and robust lists.
 *
 * The word holds the owner's thread id and the bit FUTEX_WAITERS. lock_pi takes a free word or sets
 * the bit and waits; unlock_pi hands the word to a waiter by name, the one of the highest real-time
 * priority, of those the first. The owner's priority is not raised (virtual deadlines and the limit
 * of real-time threads bound how long a runnable owner waits); the protocol on the word is the full
 * one.
 *
 * An owner that ends wakes all who wait for its locks; the first of them takes the word, with
 * FUTEX_OWNER_DIED, and the others wait for that one. Nobody is missed: a waiter notes the owner's
 * count of exits, says that somebody waits, queues itself and looks at the count again; the owner
 * counts, then looks whether somebody waited. While the count is odd, waiters stay away.
 *
 * Robust lists (set_robust_list(2)): at exit the kernel walks the list of held locks in user memory
 * and marks each word that still names the task with FUTEX_OWNER_DIED. The walk is bounded.
 */
#include "abi/errno.h"
#include "core/user_copy.h"
#include "proc/futex.h"
#include "proc/futex_internal.h"

static bool waits_for(const struct futex_waiter *w, const struct futex_key *key)
{
	return w->is_pi && w->key.base == key->base && w->key.offset == key->offset;
}

/* Who is to have the word next; *more: there are others. */
static struct futex_waiter *best_pi_waiter(struct futex_bucket *bucket,
					   const struct futex_key *key, bool *more)
{
	struct futex_waiter *w, *best = NULL;

	*more = false;
	list_for_each(w, &bucket->waiters, node) {
		if (!waits_for(w, key))
			continue;
		*more = best != NULL;
		if (best == NULL || w->task->thread.rt_priority > best->task->thread.rt_priority)
			best = w;
	}
	return best;
}

/* --- locking ---------------------------------------------------------------------------------- */

/*
 * Takes the word when it is free or its owner `dead`: 0; -EAGAIN when owned, with FUTEX_WAITERS set
 * if `mark`.
 */
static int try_own(user_addr_t address, uint32_t tid, uint32_t dead, bool mark, uint32_t *word)
{
	uint32_t old, wanted, seen;
	int error = user_load32(address, &old);

	while (error == 0) {
		uint32_t owner = old & FUTEX_TID_MASK;
		bool left = owner != 0 && owner == dead;

		if (owner == tid)
			return -EDEADLK;
		if (left)
			wanted = tid | FUTEX_OWNER_DIED | FUTEX_WAITERS;
		else if (owner == 0)
			wanted = tid | (old & (FUTEX_OWNER_DIED | FUTEX_WAITERS));
		else if (mark)
			wanted = old | FUTEX_WAITERS;
		else
			return -EAGAIN;
		error = user_compare_exchange32(address, old, wanted, &seen);
		if (error == 0 && seen == old) {
			*word = wanted;
			return owner == 0 || left ? 0 : -EAGAIN;
		}
		old = seen;
	}
	return error;
}

/* Queued only while the word still is what was seen: false asks for another round. */
static bool queue_pi(struct futex_waiter *w, user_addr_t address, uint32_t word)
{
	struct futex_bucket *bucket = w->bucket;
	uint32_t seen;
	int error;

	spin_lock(&bucket->lock);
	error = user_load32_nofault(address, &seen);
	if (error == 0 && seen == word)
		list_push_back(&bucket->waiters, &w->node);
	spin_unlock(&bucket->lock);
	return error == 0 && seen == word;
}

/* There is no such owner: unless the word has changed meanwhile, the lock is nobody's. */
static int owner_missing(user_addr_t address, uint32_t word)
{
	uint32_t seen;
	int error = user_load32(address, &seen);

	return error != 0 ? error : seen == word ? -ESRCH : -EAGAIN;
}

/*
 * Queues w behind the word's owner: 0, or -EAGAIN: look at the word again; -ESRCH, -EFAULT, -EINTR.
 */
static int queue_behind_owner(struct futex_waiter *w, user_addr_t address, uint32_t word)
{
	struct task *owner = task_lookup(word & FUTEX_TID_MASK);
	uint32_t exits;
	int error = -EAGAIN;

	if (owner == NULL)
		return owner_missing(address, word);
	exits = __atomic_load_n(&owner->futex_exits, __ATOMIC_SEQ_CST);
	if (load_acquire(&owner->futex_dead)) {
		error = owner_missing(address, word);
	} else if ((exits & 1) != 0) {
		/* It is about to say what becomes of its locks. */
		error = sched_sleep_until(clock_ns() + NSEC_PER_MSEC, true);
		error = error == 0 ? -EAGAIN : error;
	} else {
		write_once(owner->futex_waited, true);
		w->owner = word & FUTEX_TID_MASK;
		if (queue_pi(w, address, word)) {
			full_barrier();
			error = 0;
			/* The owner may have handed the word over before it went. */
			if (read_once(owner->futex_exits) != exits &&
			    !futex_waiter_leave(w))
				error = -EAGAIN;
		}
	}
	task_put(owner);
	return error;
}

/* One wait: 0: the word is ours; -EAGAIN: look at the word again, *dead owned it. */
static int wait_for_owner(user_addr_t address, const struct futex_key *key, uint32_t word,
			  uint64_t deadline_ns, uint32_t *dead)
{
	struct wait_queue queue = WAIT_QUEUE_INIT(queue);
	struct futex_waiter w;
	int error;

	futex_waiter_init(&w, key, FUTEX_BITSET_MATCH_ANY);
	w.wait = &queue;
	w.is_pi = true;
	error = queue_behind_owner(&w, address, word);
	if (error != 0)
		return error;
	error = wait_event_until(&queue, read_once(w.woken), WAIT_INTERRUPTIBLE, deadline_ns);
	if (!futex_waiter_leave(&w))
		return error;
	if (!w.owner_died)
		return 0;
	*dead = w.owner;
	return -EAGAIN;
}

int futex_lock_pi(user_addr_t address, bool shared, uint64_t deadline_ns, bool try)
{
	uint32_t tid = task_current()->thread.id, word = 0, dead = 0;
	struct futex_key key;
	int error = futex_key_get(address, shared, &key);

	if (error != 0)
		return error;
	do {
		error = try_own(address, tid, dead, !try, &word);
		if (error != -EAGAIN || try)
			return error;
		dead = 0;
		error = wait_for_owner(address, &key, word, deadline_ns, &dead);
	} while (error == -EAGAIN);
	return error == -ERESTARTSYS || error == -EINTR ? -ERESTARTNOINTR : error;
}

/* --- unlocking -------------------------------------------------------------------------------- */

/* Those who still wait, wait for `next` now. */
static void set_owner_locked(struct futex_bucket *bucket, const struct futex_key *key,
			     struct task *next)
{
	struct futex_waiter *w;

	write_once(next->futex_waited, true);
	list_for_each(w, &bucket->waiters, node) {
		if (waits_for(w, key))
			w->owner = next->thread.id;
	}
}

/* Gives the word to the best waiter, or frees it. -EAGAIN: it changed or is not in memory. */
static int hand_over(user_addr_t address, const struct futex_key *key, uint32_t old)
{
	struct futex_bucket *bucket = futex_bucket_of(key);
	struct futex_waiter *next;
	uint32_t seen, wanted = 0;
	bool more;
	int error;

	spin_lock(&bucket->lock);
	next = best_pi_waiter(bucket, key, &more);
	if (next != NULL)
		wanted = next->task->thread.id | (more ? FUTEX_WAITERS : 0);
	error = user_compare_exchange32_nofault(address, old, wanted, &seen);
	if (error == 0 && seen == old && next != NULL) {
		set_owner_locked(bucket, key, next->task);
		futex_waiter_wake_locked(next);
	}
	spin_unlock(&bucket->lock);
	return error != 0 ? -EFAULT : seen != old ? -EAGAIN : 0;
}

int futex_unlock_pi(user_addr_t address, bool shared)
{
	uint32_t tid = task_current()->thread.id, old;
	struct futex_key key;
	int error = futex_key_get(address, shared, &key);

	if (error != 0)
		return error;
	for (;;) {
		uint32_t seen;

		if (user_load32(address, &old) != 0)
			return -EFAULT;
		if ((old & FUTEX_TID_MASK) != tid)
			return -EPERM;
		error = hand_over(address, &key, old);
		if (error == 0)
			return 0;
		/* Brings the page in for writing; a bad address ends it. */
		if (error == -EFAULT &&
		    user_compare_exchange32(address, old, old, &seen) != 0)
			return -EFAULT;
	}
}

/* --- robust lists ----------------------------------------------------------------------------- */

static void owner_died(struct task *task, user_addr_t address, bool is_pi)
{
	uint32_t old, seen, wanted;

	if ((address.value & 3) != 0 || user_load32(address, &old) != 0)
		return;
	for (;;) {
		if ((old & FUTEX_TID_MASK) != task->thread.id)
			return;
		wanted = (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (user_compare_exchange32(address, old, wanted, &seen) != 0)
			return;
		if (seen == old)
			break;
		old = seen;
	}
	/* Robust locks may be private or shared: the kernel cannot tell, so both are woken. */
	if (!is_pi && (old & FUTEX_WAITERS) != 0) {
		(void)futex_wake(address, true, 1, FUTEX_BITSET_MATCH_ANY);
		(void)futex_wake(address, false, 1, FUTEX_BITSET_MATCH_ANY);
	}
}

/* Bit 0 of a link says that the lock is a priority-inheriting one. */
static void exit_robust(struct task *task)
{
	struct abi_robust_list_head head;
	user_addr_t list = task->robust_list;
	uint64_t entry;

	task->robust_list = user_addr(0);
	if (list.value == 0 || task->thread.space == NULL ||
	    copy_from_user(&head, list, sizeof(head)) != 0)
		return;
	entry = head.list.next;
	for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1UL) != list.value; i++) {
		uint64_t next;
		bool last = copy_from_user(&next, user_addr(entry & ~1UL), sizeof(next)) != 0;

		/* The pending one is handled once, below. */
		if ((entry & ~1UL) != (head.list_op_pending & ~1UL))
			owner_died(task, user_addr((entry & ~1UL) + (uint64_t)head.futex_offset),
				   (entry & 1) != 0);
		if (last)
			break;
		entry = next;
	}
	entry = head.list_op_pending & ~1UL;
	if (entry != 0)
		owner_died(task, user_addr(entry + (uint64_t)head.futex_offset),
			   (head.list_op_pending & 1) != 0);
}

void futex_exit(struct task *task, bool dead)
{
	__atomic_add_fetch(&task->futex_exits, 1, __ATOMIC_SEQ_CST);
	full_barrier();
	exit_robust(task);
	if (unlikely(read_once(task->futex_waited))) {
		write_once(task->futex_waited, false);
		futex_wake_owned(task->thread.id);
	}
	if (dead)
		store_release(&task->futex_dead, true);
	else
		__atomic_add_fetch(&task->futex_exits, 1, __ATOMIC_SEQ_CST);
}
