/*
 * Work moves between processors: an idle one pulls, and at a slice's end now and then a busy one
 * pushes to one with less to do. Nothing runs periodically on a processor with one thread.
 *
 * Queue lengths and loads are read without locks as hints; what moves is chosen under both locks.
 */
#include "sched/sched_internal.h"

#define BALANCE_INTERVAL_NS (50 * NSEC_PER_MSEC)

/* Moves t, which waits on `from`, to `to`. Its lag goes with it. */
static void move(struct runqueue *from, struct runqueue *to, struct thread *t, uint64_t now)
	REQUIRES(&from->lock, &to->lock)
{
	uint64_t since = t->runnable_since_ns;

	runqueue_remove(from, t);
	runqueue_add(to, t, now);
	t->runnable_since_ns = since;
}

/* The processor with most threads waiting; NULL when none has any. */
static struct runqueue *longest_other(const struct runqueue *rq)
{
	cpu_mask_t mask = atomic32_load(&sched_online_mask) & ~cpu_bit(rq->cpu);
	struct runqueue *longest = NULL;
	uint32_t most = 0;

	for (; mask != 0; mask &= mask - 1) {
		struct runqueue *other = runqueue_of((uint32_t)__builtin_ctz(mask));
		uint32_t queued = read_once(other->queued);

		if (queued > most) {
			most = queued;
			longest = other;
		}
	}
	return longest;
}

static bool pull_from(struct runqueue *rq, struct runqueue *from)
{
	struct thread *t;

	spin_lock_pair(&rq->lock, &from->lock);
	t = runqueue_find_movable(from, cpu_bit(rq->cpu));
	if (t != NULL)
		move(from, rq, t, clock_ns());
	spin_unlock_pair(&rq->lock, &from->lock);
	return t != NULL;
}

bool balance_pull(struct runqueue *rq)
{
	cpu_mask_t mask = atomic32_load(&sched_online_mask) & ~cpu_bit(rq->cpu);
	struct runqueue *longest = longest_other(rq);

	if (longest == NULL)
		return false;
	if (pull_from(rq, longest))
		return true;
	/* The longest queue's threads may not come here; another's may. */
	for (; mask != 0; mask &= mask - 1) {
		struct runqueue *other = runqueue_of((uint32_t)__builtin_ctz(mask));

		if (other != longest && read_once(other->queued) != 0 && pull_from(rq, other))
			return true;
	}
	return false;
}

/* Of the processors of the mask without this one, the one with the least load below its own. */
static struct runqueue *less_loaded(const struct runqueue *rq, cpu_mask_t mask)
{
	struct runqueue *best = NULL;
	uint64_t least = read_once(rq->load);

	mask &= atomic32_load(&sched_online_mask) & ~cpu_bit(rq->cpu);

	for (; mask != 0; mask &= mask - 1) {
		struct runqueue *other = runqueue_of((uint32_t)__builtin_ctz(mask));
		uint64_t load = read_once(other->load);

		if (load < least) {
			least = load;
			best = other;
		}
	}
	return best;
}

/* Two share the processor, and it is the waiting one's turn to have it for itself. */
static bool is_turn_to_stay(const struct runqueue *rq, const struct thread *t)
{
	return rq->queued == 1 && t->left_alone_ns < rq->current->left_alone_ns;
}

/*
 * A move must not leave the other with more than this one had. When it makes them change places
 * (three equal threads on two processors), moving still shares the shortage among all.
 */
void balance_push(struct runqueue *rq, uint64_t now)
{
	enum kick kick = KICK_NONE;
	struct runqueue *to;
	struct thread *t;

	rq->next_balance_ns = now + BALANCE_INTERVAL_NS;
	to = less_loaded(rq, UINT32_MAX);
	if (to == NULL)
		return;
	spin_lock(&rq->lock);
	t = runqueue_find_movable(rq, ~cpu_bit(rq->cpu));
	if (t != NULL && is_turn_to_stay(rq, t)) {
		t = NULL;
		/* At the next slice's end the two have changed places. */
		rq->next_balance_ns = now;
	}
	to = t == NULL ? NULL : less_loaded(rq, t->affinity);
	spin_unlock(&rq->lock);
	if (to == NULL)
		return;
	spin_lock_pair(&rq->lock, &to->lock);
	t = runqueue_find_movable(rq, cpu_bit(to->cpu));
	if (t != NULL && to->load + t->weight <= rq->load) {
		/* Time to run there before it is passed on. */
		to->next_balance_ns = rq->next_balance_ns;
		move(rq, to, t, now);
		if (rq->queued == 0)
			rq->current->left_alone_ns = now;
		kick = runqueue_announce(to, t, now);
	}
	spin_unlock_pair(&rq->lock, &to->lock);
	if (kick == KICK_IPI)
		ipi_reschedule(to->cpu);
}
