/*
 * Locks whose owner stands in the word: FUTEX_LOCK_PI and its family, and robust lists.
 *
 * The word holds the owner's thread id and the bit FUTEX_WAITERS. lock_pi takes a free word or sets
 * the bit and waits; unlock_pi hands the word to the first waiter by name. The owner's priority is
 * not raised (the policy's virtual deadlines bound how long a runnable owner waits); the protocol
 * on the word is the full one.
 *
 * Robust lists (set_robust_list(2)): at exit the kernel walks the list of held locks in user memory
 * and marks each word that still names the task with FUTEX_OWNER_DIED. The walk is bounded.
 */
#include "abi/errno.h"
#include "core/user_copy.h"
#include "proc/futex.h"
#include "proc/futex_internal.h"

static struct futex_waiter *first_pi_waiter(struct futex_bucket *bucket,
					    const struct futex_key *key, bool *more)
{
	struct futex_waiter *w, *found = NULL;

	*more = false;
	list_for_each(w, &bucket->waiters, node) {
		if (w->key.base != key->base || w->key.offset != key->offset || !w->is_pi)
			continue;
		if (found != NULL) {
			*more = true;
			break;
		}
		found = w;
	}
	return found;
}

static bool owner_exists(uint32_t tid)
{
	struct task *owner = task_lookup(tid);
	bool alive = owner != NULL && !read_once(owner->exiting);

	if (owner != NULL)
		task_put(owner);
	return alive;
}

/* Takes the word when it is free: 0; -EAGAIN when owned, with FUTEX_WAITERS set if `mark`. */
static int try_own(user_addr_t address, uint32_t tid, bool mark, uint32_t *word)
{
	uint32_t old, wanted, seen;
	int error = user_load32(address, &old);

	while (error == 0) {
		uint32_t owner = old & FUTEX_TID_MASK;

		if (owner == tid)
			return -EDEADLK;
		if (owner == 0)
			wanted = tid | (old & (FUTEX_OWNER_DIED | FUTEX_WAITERS));
		else if (mark)
			wanted = old | FUTEX_WAITERS;
		else
			return -EAGAIN;
		error = user_compare_exchange32(address, old, wanted, &seen);
		if (error == 0 && seen == old) {
			*word = wanted;
			return owner == 0 ? 0 : -EAGAIN;
		}
		old = seen;
	}
	return error;
}

/* Queued only while the word still is what was seen: -EAGAIN asks for another round. */
static int queue_pi(struct futex_waiter *w, user_addr_t address, uint32_t word)
{
	struct futex_bucket *bucket = w->bucket;
	uint32_t seen;
	int error;

	spin_lock(&bucket->lock);
	error = user_load32_nofault(address, &seen);
	if (error == 0 && seen == word)
		list_push_back(&bucket->waiters, &w->node);
	spin_unlock(&bucket->lock);
	return error != 0 || seen != word ? -EAGAIN : 0;
}

int futex_lock_pi(user_addr_t address, bool shared, uint64_t deadline_ns, bool try)
{
	uint32_t tid = task_current()->thread.id, word = 0;
	struct futex_key key;
	int error = futex_key_get(address, shared, &key);

	while (error == 0) {
		struct wait_queue queue = WAIT_QUEUE_INIT(queue);
		struct futex_waiter w;

		error = try_own(address, tid, !try, &word);
		if (error != -EAGAIN || try)
			return try && error == -EAGAIN ? -EAGAIN : error;
		if (!owner_exists(word & FUTEX_TID_MASK))
			return -ESRCH;
		futex_waiter_init(&w, &key, FUTEX_BITSET_MATCH_ANY);
		w.wait = &queue;
		w.is_pi = true;
		error = queue_pi(&w, address, word);
		if (error != 0) {
			error = 0;
			continue;
		}
		error = wait_event_until(&queue, read_once(w.woken), WAIT_INTERRUPTIBLE,
					 deadline_ns);
		if (futex_waiter_leave(&w))
			return 0;		/* the word names this task now */
	}
	return error == -ERESTARTSYS ? -ERESTARTNOINTR : error;
}

/* Gives the word to the first waiter, or frees it. -EAGAIN: it changed or is not in memory. */
static int hand_over(user_addr_t address, const struct futex_key *key, uint32_t old)
{
	struct futex_bucket *bucket = futex_bucket_of(key);
	struct futex_waiter *next;
	uint32_t seen, wanted = 0;
	bool more;
	int error;

	spin_lock(&bucket->lock);
	next = first_pi_waiter(bucket, key, &more);
	if (next != NULL)
		wanted = next->task->thread.id | (more ? FUTEX_WAITERS : 0);
	error = user_compare_exchange32_nofault(address, old, wanted, &seen);
	if (error == 0 && seen == old && next != NULL)
		futex_waiter_wake_locked(next);
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
void futex_exit_robust(struct task *task)
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
