/*
 * Futexes (futex(2); Franke, Russell and Kirkwood, 2002).
 *
 * Problem. A thread must look at a word of user memory and go to sleep as one step, against a
 * waker that changes the word and then looks for sleepers.
 *
 * Idea. Words hash to buckets. A waiter takes the bucket's lock, reads the word without faulting,
 * queues itself and only then lets go; a waker takes the same lock after the word was changed. When
 * the read would fault, the lock is dropped, the page brought in, and all begins again.
 *
 * Keys. Private words: (space, address). Shared ones: (object, offset), so that different mappings
 * of one page meet; the key holds no reference: if the object goes and its address is used again,
 * a waiter may be woken for nothing, which futexes allow.
 *
 * Lifetime. A waiter lives on its thread's stack. It is woken under the bucket's lock, and leaves
 * only after it has taken that lock once: so a waker never touches a dead waiter. Requeueing moves
 * a waiter between buckets under both locks, in address order.
 */
#include "proc/futex.h"

#include "abi/errno.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "lib/hash.h"
#include "proc/futex_internal.h"

#define BUCKET_BITS 8

static struct futex_bucket buckets[1 << BUCKET_BITS];

void futex_init(void)
{
	for (size_t i = 0; i < 1 << BUCKET_BITS; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* --- keys ------------------------------------------------------------------------------------- */

int futex_key_get(user_addr_t address, bool shared, struct futex_key *key)
{
	struct space *space = space_current();
	void *object = NULL;
	int error;

	if ((address.value & 3) != 0)
		return -EINVAL;
	if (!user_range_ok(address, 4))
		return -EFAULT;
	key->base = space;
	key->offset = address.value;
	if (!shared)
		return 0;
	error = space_futex_key(space, address.value, &object, &key->offset);
	if (error != 0)
		return error;
	if (object != NULL)
		key->base = object;
	else
		key->offset = address.value;
	return 0;
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->base == b->base && a->offset == b->offset;
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	return &buckets[hash_bucket(hash_pair((uint64_t)key->base, key->offset), BUCKET_BITS)];
}

/* --- waiters ---------------------------------------------------------------------------------- */

void futex_waiter_init(struct futex_waiter *w, const struct futex_key *key, uint32_t bitset)
{
	w->key = *key;
	w->bitset = bitset;
	w->task = task_current();
	w->woken = false;
	w->is_pi = w->owner_died = false;
	w->owner = 0;
	w->bucket = futex_bucket_of(key);
	w->wait = NULL;
	list_init(&w->node);
}

/* The bucket that a waiter is in now, locked: it may have been requeued. */
struct futex_bucket *futex_waiter_lock(struct futex_waiter *w) NO_LOCK_ANALYSIS
{
	for (;;) {
		struct futex_bucket *bucket = read_once(w->bucket);

		spin_lock(&bucket->lock);
		if (bucket == read_once(w->bucket))
			return bucket;
		spin_unlock(&bucket->lock);
	}
}

/* Leaves the queue; true when it had been woken. */
bool futex_waiter_leave(struct futex_waiter *w) NO_LOCK_ANALYSIS
{
	struct futex_bucket *bucket = futex_waiter_lock(w);
	bool woken = w->woken;

	list_remove(&w->node);
	spin_unlock(&bucket->lock);
	return woken;
}

void futex_waiter_wake_locked(struct futex_waiter *w)
{
	list_remove(&w->node);
	write_once(w->woken, true);
	wake_up_all(w->wait);
}

void futex_wake_owned(uint32_t owner)
{
	for (size_t i = 0; i < 1 << BUCKET_BITS; i++) {
		struct futex_waiter *w, *next;

		spin_lock(&buckets[i].lock);
		list_for_each_safe(w, next, &buckets[i].waiters, node) {
			if (!w->is_pi || w->owner != owner)
				continue;
			w->owner_died = true;
			futex_waiter_wake_locked(w);
		}
		spin_unlock(&buckets[i].lock);
	}
}

/*
 * Queues w if the word holds `value`: 0, -EAGAIN when it does not, -EFAULT.
 */
static int queue_if_equal(struct futex_waiter *w, user_addr_t address, uint32_t value)
{
	uint32_t seen;

	for (;;) {
		struct futex_bucket *bucket = w->bucket;
		int error;

		spin_lock(&bucket->lock);
		error = user_load32_nofault(address, &seen);
		if (error == 0 && seen == value)
			list_push_back(&bucket->waiters, &w->node);
		spin_unlock(&bucket->lock);
		if (error == 0)
			return seen == value ? 0 : -EAGAIN;
		if (user_load32(address, &seen) != 0)
			return -EFAULT;
	}
}

int futex_wait(user_addr_t address, bool shared, uint32_t value, uint32_t bitset,
	       uint64_t deadline_ns)
{
	struct wait_queue queue = WAIT_QUEUE_INIT(queue);
	struct futex_waiter w;
	struct futex_key key;
	int error;

	if (bitset == 0)
		return -EINVAL;
	error = futex_key_get(address, shared, &key);
	if (error != 0)
		return error;
	futex_waiter_init(&w, &key, bitset);
	w.wait = &queue;
	error = queue_if_equal(&w, address, value);
	if (error != 0)
		return error;
	error = wait_event_until(&queue, read_once(w.woken), WAIT_INTERRUPTIBLE, deadline_ns);
	return futex_waiter_leave(&w) ? 0 : error;
}

long futex_wake(user_addr_t address, bool shared, uint32_t count, uint32_t bitset)
{
	struct futex_bucket *bucket;
	struct futex_waiter *w, *next;
	struct futex_key key;
	long woken = 0;
	int error;

	if (bitset == 0)
		return -EINVAL;
	error = futex_key_get(address, shared, &key);
	if (error != 0)
		return error;
	bucket = futex_bucket_of(&key);
	spin_lock(&bucket->lock);
	list_for_each_safe(w, next, &bucket->waiters, node) {
		if (woken >= (long)count)
			break;
		if (!key_equal(&w->key, &key) || (w->bitset & bitset) == 0)
			continue;
		if (w->is_pi) {
			woken = -EINVAL;
			break;
		}
		futex_waiter_wake_locked(w);
		woken++;
	}
	spin_unlock(&bucket->lock);
	return woken;
}

/* --- two words -------------------------------------------------------------------------------- */

static uint32_t wake_in_locked(struct futex_bucket *bucket, const struct futex_key *key,
			       uint32_t count)
{
	struct futex_waiter *w, *next;
	uint32_t woken = 0;

	list_for_each_safe(w, next, &bucket->waiters, node) {
		if (woken == count)
			break;
		if (key_equal(&w->key, key) && !w->is_pi) {
			futex_waiter_wake_locked(w);
			woken++;
		}
	}
	return woken;
}

static uint32_t move_locked(struct futex_bucket *from, const struct futex_key *from_key,
			    struct futex_bucket *to, const struct futex_key *to_key, uint32_t count)
{
	struct futex_waiter *w, *next;
	struct list_head moved = LIST_HEAD_INIT(moved);
	uint32_t n = 0;

	list_for_each_safe(w, next, &from->waiters, node) {
		if (n == count)
			break;
		if (!key_equal(&w->key, from_key) || w->is_pi)
			continue;
		list_remove(&w->node);
		list_push_back(&moved, &w->node);
		w->key = *to_key;
		write_once(w->bucket, to);
		n++;
	}
	list_splice_back(&to->waiters, &moved);
	return n;
}

long futex_requeue(user_addr_t from, user_addr_t to, bool shared, uint32_t wake, uint32_t move,
		   const uint32_t *compare)
{
	struct futex_bucket *a, *b;
	struct futex_key from_key, to_key;
	uint32_t seen = 0, done;
	int error;

	error = futex_key_get(from, shared, &from_key);
	if (error == 0)
		error = futex_key_get(to, shared, &to_key);
	if (error != 0)
		return error;
	a = futex_bucket_of(&from_key);
	b = futex_bucket_of(&to_key);
	for (;;) {
		spin_lock_pair(&a->lock, &b->lock);
		error = compare != NULL ? user_load32_nofault(from, &seen) : 0;
		if (error == 0)
			break;
		spin_unlock_pair(&a->lock, &b->lock);
		if (user_load32(from, &seen) != 0)
			return -EFAULT;
	}
	if (compare != NULL && seen != *compare) {
		spin_unlock_pair(&a->lock, &b->lock);
		return -EAGAIN;
	}
	done = wake_in_locked(a, &from_key, wake);
	if (!key_equal(&from_key, &to_key))
		done += move_locked(a, &from_key, b, &to_key, move);
	spin_unlock_pair(&a->lock, &b->lock);
	return done;
}

struct wake_op { int op, compare; uint32_t operand, compare_operand; };

static int decode_operation(uint32_t code, struct wake_op *out)
{
	out->op = (int)(code >> 28 & 7);
	out->compare = (int)(code >> 24 & 15);
	out->operand = (uint32_t)((int32_t)(code << 8) >> 20);
	out->compare_operand = (uint32_t)((int32_t)(code << 20) >> 20);
	if ((code >> 28 & FUTEX_OP_OPARG_SHIFT) != 0)
		out->operand = 1u << (out->operand & 31);
	return out->op > FUTEX_OP_XOR || out->compare > FUTEX_OP_CMP_GE ? -ENOSYS : 0;
}

static uint32_t apply_operation(const struct wake_op *o, uint32_t old)
{
	switch (o->op) {
	case FUTEX_OP_SET:
		return o->operand;
	case FUTEX_OP_ADD:
		return old + o->operand;
	case FUTEX_OP_OR:
		return old | o->operand;
	case FUTEX_OP_ANDN:
		return old & ~o->operand;
	default:
		return old ^ o->operand;
	}
}

static bool compare_holds(const struct wake_op *o, uint32_t old)
{
	int32_t a = (int32_t)old, b = (int32_t)o->compare_operand;

	switch (o->compare) {
	case FUTEX_OP_CMP_EQ:
		return a == b;
	case FUTEX_OP_CMP_NE:
		return a != b;
	case FUTEX_OP_CMP_LT:
		return a < b;
	case FUTEX_OP_CMP_LE:
		return a <= b;
	case FUTEX_OP_CMP_GT:
		return a > b;
	default:
		return a >= b;
	}
}

/*
 * The word is changed before the locks are taken: whoever waits on it afterwards sees the new value
 * and does not sleep; whoever waited before is found in the bucket.
 */
long futex_wake_op(user_addr_t address, user_addr_t other, bool shared, uint32_t wake,
		   uint32_t wake_other, uint32_t operation)
{
	struct futex_bucket *a, *b;
	struct futex_key key, other_key;
	struct wake_op op;
	uint32_t old, seen;
	long woken;
	int error;

	error = futex_key_get(address, shared, &key);
	if (error == 0)
		error = futex_key_get(other, shared, &other_key);
	if (error == 0)
		error = decode_operation(operation, &op);
	if (error == 0)
		error = user_load32(other, &old);
	while (error == 0) {
		error = user_compare_exchange32(other, old, apply_operation(&op, old), &seen);
		if (error == 0 && seen == old)
			break;
		old = seen;
	}
	if (error != 0)
		return error;
	a = futex_bucket_of(&key);
	b = futex_bucket_of(&other_key);
	spin_lock_pair(&a->lock, &b->lock);
	woken = wake_in_locked(a, &key, wake);
	if (compare_holds(&op, old))
		woken += wake_in_locked(b, &other_key, wake_other);
	spin_unlock_pair(&a->lock, &b->lock);
	return woken;
}

/* --- several words ---------------------------------------------------------------------------- */

static bool any_woken(const struct futex_waiter *waiters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (read_once(waiters[i].woken))
			return true;
	}
	return false;
}

/* Leaves all queues: the index of one that was woken, or -1. */
static long leave_all(struct futex_waiter *waiters, size_t count)
{
	long index = -1;

	for (size_t i = 0; i < count; i++) {
		if (futex_waiter_leave(&waiters[i]))
			index = (long)i;
	}
	return index;
}

static int queue_all(struct futex_waiter *waiters, const struct futex_wait_one *words, size_t count,
		     struct wait_queue *queue, size_t *queued)
{
	for (*queued = 0; *queued < count; (*queued)++) {
		const struct futex_wait_one *word = &words[*queued];
		struct futex_key key;
		int error = futex_key_get(word->address, word->shared, &key);

		if (error != 0)
			return error;
		futex_waiter_init(&waiters[*queued], &key, FUTEX_BITSET_MATCH_ANY);
		waiters[*queued].wait = queue;
		error = queue_if_equal(&waiters[*queued], word->address, word->value);
		if (error != 0)
			return error;
	}
	return 0;
}

long futex_wait_many(const struct futex_wait_one *words, size_t count, uint64_t deadline_ns)
{
	struct wait_queue queue = WAIT_QUEUE_INIT(queue);
	struct futex_waiter *waiters = kcalloc(count, sizeof(*waiters));
	size_t queued;
	long index;
	int error;

	if (waiters == NULL)
		return -ENOMEM;
	error = queue_all(waiters, words, count, &queue, &queued);
	if (error == 0)
		error = wait_event_until(&queue, any_woken(waiters, count), WAIT_INTERRUPTIBLE,
					 deadline_ns);
	index = leave_all(waiters, queued);
	kfree(waiters);
	return index >= 0 ? index : error;
}
