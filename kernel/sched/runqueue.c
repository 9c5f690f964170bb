/*
 * The run queue: which runnable thread goes next. Theory statement.
 *
 * Problem. Share a processor among threads in proportion to their weights, give a thread that
 * slept its turn soon, and bound how long any of them waits.
 *
 * Idea (EEVDF: Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First", 1995). Each
 * thread has a virtual time that advances by real time * NICE_0_WEIGHT / weight while it runs. The
 * queue's virtual time V is the weighted mean of its threads' virtual times; lag = V - virtual_ns
 * is the service a thread is owed. A thread asks for one slice at a time: a request that starts at
 * virtual_ns and has its deadline one slice (in its own virtual time) later. Eligible are those
 * with lag >= 0; among them the earliest deadline runs. Lags sum to zero (weighted), so somebody is
 * always eligible; a thread's lag stays within one slice, so with total weight W a thread of weight
 * w waits at most about W/w slices.
 *
 * V is never stored: fair_base is a value near it, fair_sum the weighted sum of differences, and
 * "virtual_ns <= V" is a comparison of two products. A division is needed only where a thread is
 * placed by its lag, and not even there while the total weight is a power of two (one or two
 * threads of nice 0).
 *
 * The tree is ordered by deadline and keeps the least virtual time of each subtree: the earliest
 * eligible deadline is found in one descent. The running thread is not in the tree; it takes part
 * in V. SCHED_FIFO and SCHED_RR have a list per priority above all this, but for the share that
 * they leave (rt_limit.c).
 *
 * Leaving and joining. A thread that leaves keeps its lag (clamped to two requests), joins later
 * at V - lag, so sleeping neither earns nor loses service. Joining moves V itself; the lag is
 * stretched by (W + w)/W beforehand so that it is what was kept afterwards.
 *
 * Locking: the queue's lock in every function. Cost: O(log n), no allocation.
 *
 * Alternatives rejected: a queue for the whole machine (one lock for all); virtual runtime without
 * deadlines (no say in latency); a multi-level feedback queue (its bounds depend on its tuning).
 */
#include "sched/sched_internal.h"

PERCPU(struct runqueue, runqueue);

/* Virtual times wrap; they are compared by their difference. */
static inline int64_t virtual_difference(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b);
}

static inline struct thread *fair_thread(struct rb_node *node)
{
	return rb_entry(node, struct thread, run_node);
}

static void fair_update(struct rb_node *node)
{
	struct thread *t = fair_thread(node);
	uint64_t least = t->virtual_ns;

	if (node->left != NULL &&
	    virtual_difference(fair_thread(node->left)->subtree_virtual_ns, least) < 0)
		least = fair_thread(node->left)->subtree_virtual_ns;
	if (node->right != NULL &&
	    virtual_difference(fair_thread(node->right)->subtree_virtual_ns, least) < 0)
		least = fair_thread(node->right)->subtree_virtual_ns;
	t->subtree_virtual_ns = least;
}

void runqueue_init(struct runqueue *rq, uint32_t cpu, struct thread *idle)
{
	spin_init(&rq->lock, RANK_RUNQUEUE);
	rq->cpu = cpu;
	rq->idle = idle;
	rq->current = idle;
	rq->fair = (struct rb_root)RB_ROOT_AUGMENTED_INIT(fair_update);
	rq->slice_armed_ns = TIME_NEVER;
	for (unsigned int i = 0; i < RT_LEVELS; i++)
		list_init(&rq->rt[i]);
}

/* --- virtual time ---------------------------------------------------------------------------- */

/* The sums behind V: over the waiting threads and, when it takes part, the running one. */
struct average {
	__int128 sum;
	uint64_t load;
};

static inline bool current_is_fair(const struct runqueue *rq)
{
	return !rq->current->is_idle && !thread_is_rt(rq->current);
}

static inline struct average fair_average(const struct runqueue *rq, bool with_current)
{
	struct average a = { rq->fair_sum, rq->fair_load };

	if (with_current && current_is_fair(rq)) {
		const struct thread *t = rq->current;

		a.sum += (__int128)virtual_difference(t->virtual_ns, rq->fair_base) * t->weight;
		a.load += t->weight;
	}
	return a;
}

static inline bool is_eligible(const struct runqueue *rq, const struct average *a,
			       uint64_t virtual_ns)
{
	return (__int128)virtual_difference(virtual_ns, rq->fair_base) * (int64_t)a->load <= a->sum;
}

/* sum / load, rounded down or toward zero; load > 0. The quotient is a spread of virtual times and
 * fits in 64 bits; a sum that does not is made to, at the price of its lowest bits. */
static int64_t divide_by_load(__int128 sum, uint64_t load)
{
	if ((load & (load - 1)) == 0)
		return (int64_t)(sum >> __builtin_ctzll(load));
	while (sum != (int64_t)sum) {
		sum >>= 8;
		load = (load >> 8) | 1;
	}
	return (int64_t)sum / (int64_t)load;
}

/* V. Moves fair_base there, which keeps the differences small. Load > 0. */
static uint64_t virtual_now(struct runqueue *rq, const struct average *a)
{
	int64_t step = divide_by_load(a->sum, a->load);

	rq->fair_sum -= (__int128)step * (int64_t)rq->fair_load;
	rq->fair_base += (uint64_t)step;
	return rq->fair_base;
}

static int64_t clamp_lag(const struct thread *t, int64_t lag)
{
	int64_t limit = 2 * (int64_t)t->request_virtual_ns;

	if (lag > limit)
		return limit;
	return lag < -limit ? -limit : lag;
}

/* t has left the sums of the queue, so that moving fair_base keeps them true. */
static void keep_lag(struct runqueue *rq, struct thread *t, const struct average *with_t)
{
	t->lag_ns = 0;
	if (with_t->load != t->weight)
		t->lag_ns = clamp_lag(t, virtual_difference(virtual_now(rq, with_t),
							    t->virtual_ns));
	else
		/* Alone: V is its own time; whoever comes next starts there. */
		rq->fair_base = t->virtual_ns;
}

/* Gives a joining thread its virtual time, from V and its lag, and a new request. */
static void fair_place(struct runqueue *rq, struct thread *t)
{
	struct average a = fair_average(rq, t != rq->current);

	if (a.load == 0) {
		t->virtual_ns = rq->fair_base;
	} else {
		int64_t lag = t->lag_ns;

		if (lag != 0)
			lag = divide_by_load((__int128)lag * (int64_t)(a.load + t->weight), a.load);
		t->virtual_ns = virtual_now(rq, &a) - (uint64_t)lag;
	}
	t->lag_ns = 0;
	t->deadline_virtual_ns = t->virtual_ns + t->request_virtual_ns;
}

void runqueue_charge(struct runqueue *rq, uint64_t now)
{
	struct thread *t = rq->current;
	uint64_t delta;

	if (t->is_idle || now <= t->exec_start_ns)
		return;
	delta = now - t->exec_start_ns;
	t->exec_start_ns = now;
	t->run_ns += delta;
	if (thread_is_rt(t)) {
		rt_limit_charge(rq, delta, now);
		return;
	}
	if (likely(t->weight == NICE_0_WEIGHT)) {
		t->virtual_ns += delta;
	} else {
		t->virtual_ns += (uint64_t)(((unsigned __int128)delta * t->inverse_weight) >> 32);
		if (t->nice > 0)
			rq->nice_ns += delta;
	}
	if (virtual_difference(t->virtual_ns, t->deadline_virtual_ns) >= 0)
		t->deadline_virtual_ns = t->virtual_ns + t->request_virtual_ns;
}

void runqueue_end_request(struct runqueue *rq, bool give_away)
{
	struct thread *t = rq->current;
	struct average a;

	if (t->is_idle || thread_is_rt(t))
		return;
	a = fair_average(rq, true);
	/* A yield gives away what is left of the request, else an eligible thread is chosen again.
	 * Only when it is owed nothing more than that: lag stays bounded. */
	if (give_away && is_eligible(rq, &a, t->virtual_ns))
		t->virtual_ns = t->deadline_virtual_ns;
	t->deadline_virtual_ns = t->virtual_ns + t->request_virtual_ns;
}

/* --- the queues ------------------------------------------------------------------------------ */

static void fair_insert(struct runqueue *rq, struct thread *t)
{
	struct rb_node **link = &rq->fair.node;
	struct rb_node *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		if (virtual_difference(t->deadline_virtual_ns,
				       fair_thread(parent)->deadline_virtual_ns) < 0)
			link = &parent->left;
		else
			link = &parent->right;
	}
	t->subtree_virtual_ns = t->virtual_ns;
	rb_insert_at(&rq->fair, &t->run_node, parent, link);
	rq->fair_load += t->weight;
	rq->fair_sum += (__int128)virtual_difference(t->virtual_ns, rq->fair_base) * t->weight;
}

static void fair_erase(struct runqueue *rq, struct thread *t)
{
	rb_erase(&rq->fair, &t->run_node);
	rq->fair_load -= t->weight;
	rq->fair_sum -= (__int128)virtual_difference(t->virtual_ns, rq->fair_base) * t->weight;
	ASSERT(rq->fair_load != 0 || rq->fair_sum == 0);
}

static void rt_insert(struct runqueue *rq, struct thread *t, bool at_back)
{
	if (at_back)
		list_push_back(&rq->rt[t->rt_priority], &t->rt_node);
	else
		list_push_front(&rq->rt[t->rt_priority], &t->rt_node);
	rq->rt_levels[t->rt_priority / 64] |= 1ULL << (t->rt_priority % 64);
	rq->rt_queued++;
}

static void rt_erase(struct runqueue *rq, struct thread *t)
{
	list_remove(&t->rt_node);
	if (list_is_empty(&rq->rt[t->rt_priority]))
		rq->rt_levels[t->rt_priority / 64] &= ~(1ULL << (t->rt_priority % 64));
	rq->rt_queued--;
}

static struct thread *rt_first(struct runqueue *rq)
{
	unsigned int word = rq->rt_levels[1] != 0 ? 1 : 0;
	unsigned int level;

	if (rq->rt_queued == 0)
		return NULL;
	level = word * 64 + 63 - (unsigned int)__builtin_clzll(rq->rt_levels[word]);
	return list_entry(rq->rt[level].next, struct thread, rt_node);
}

static void enqueue(struct runqueue *rq, struct thread *t, bool at_back)
{
	ASSERT(!t->on_queue && !t->is_idle);
	if (thread_is_rt(t))
		rt_insert(rq, t, at_back);
	else
		fair_insert(rq, t);
	t->on_queue = true;
	write_once(rq->queued, rq->queued + 1);
}

static void dequeue(struct runqueue *rq, struct thread *t)
{
	ASSERT(t->on_queue && t->cpu == rq->cpu);
	if (thread_is_rt(t))
		rt_erase(rq, t);
	else
		fair_erase(rq, t);
	t->on_queue = false;
	write_once(rq->queued, rq->queued - 1);
}

void runqueue_add(struct runqueue *rq, struct thread *t, uint64_t now)
{
	assert_held(&rq->lock);
	runqueue_charge(rq, now);
	t->cpu = rq->cpu;
	if (!thread_is_rt(t))
		fair_place(rq, t);
	t->runnable_since_ns = now;
	enqueue(rq, t, true);
	write_once(rq->load, rq->load + t->weight);
}

void runqueue_remove(struct runqueue *rq, struct thread *t)
{
	assert_held(&rq->lock);
	if (!thread_is_rt(t)) {
		struct average with_t = fair_average(rq, true);

		dequeue(rq, t);
		keep_lag(rq, t, &with_t);
	} else {
		dequeue(rq, t);
	}
	write_once(rq->load, rq->load - t->weight);
}

void runqueue_leave_current(struct runqueue *rq)
{
	struct thread *t = rq->current;

	assert_held(&rq->lock);
	if (!thread_is_rt(t)) {
		struct average a = fair_average(rq, true);

		keep_lag(rq, t, &a);
	}
	write_once(rq->load, rq->load - t->weight);
}

void runqueue_rejoin_current(struct runqueue *rq)
{
	struct thread *t = rq->current;

	assert_held(&rq->lock);
	if (!thread_is_rt(t))
		fair_place(rq, t);
	write_once(rq->load, rq->load + t->weight);
}

void runqueue_put_current(struct runqueue *rq, bool to_back)
{
	enqueue(rq, rq->current, to_back);
}

void runqueue_take(struct runqueue *rq, struct thread *t)
{
	dequeue(rq, t);
}

/* --- the choice ------------------------------------------------------------------------------ */

static struct thread *fair_pick(struct runqueue *rq, const struct average *a)
{
	struct rb_node *node = rq->fair.node;

	while (node != NULL) {
		struct thread *t = fair_thread(node);

		if (node->left != NULL &&
		    is_eligible(rq, a, fair_thread(node->left)->subtree_virtual_ns))
			node = node->left;
		else if (is_eligible(rq, a, t->virtual_ns))
			return t;
		else
			node = node->right;
	}
	return NULL;
}

static struct thread *pick_rt(struct runqueue *rq, struct thread *current, bool to_back)
{
	struct thread *first = rt_first(rq);

	if (current == NULL || !thread_is_rt(current))
		return first;
	if (first == NULL || current->rt_priority > first->rt_priority)
		return current;
	return current->rt_priority == first->rt_priority && !to_back ? current : first;
}

/* A real-time thread could run, but the others' time of the period has come. */
static bool rt_gives_way(struct runqueue *rq, const struct thread *current, uint64_t now)
	REQUIRES(&rq->lock)
{
	bool others = rq->fair_load != 0 || (current != NULL && !thread_is_rt(current));

	return others && rt_limit_reached(rq, now);
}

struct thread *runqueue_pick(struct runqueue *rq, bool current_runs, bool current_to_back,
			     uint64_t now)
{
	struct thread *current = current_runs ? rq->current : NULL;
	struct thread *best = pick_rt(rq, current, current_to_back);
	struct average a;

	assert_held(&rq->lock);
	if (best != NULL && !rt_gives_way(rq, current, now))
		return best;
	if (rq->fair_load == 0)
		return current;
	a = fair_average(rq, current_runs);
	best = fair_pick(rq, &a);
	if (current == NULL || thread_is_rt(current)) {
		VERIFY(best != NULL);
		return best;
	}
	if (best == NULL)
		return current;
	if (is_eligible(rq, &a, current->virtual_ns) &&
	    virtual_difference(current->deadline_virtual_ns, best->deadline_virtual_ns) < 0)
		return current;
	return best;
}

/*
 * A fair thread is left in peace this long for its caches' sake, unless the other's claim is older
 * by as much: among threads that wake each other in turn, each wake-up would else be a switch there
 * and back, as the waker is about to sleep.
 */
#define PREEMPT_AFTER_NS (700 * NSEC_PER_USEC)

static bool fair_preempts(struct runqueue *rq, struct thread *t, uint64_t now)
{
	struct thread *current = rq->current;
	struct average a;
	int64_t earlier;

	if (t->policy == SCHED_IDLE || t->policy == SCHED_BATCH)
		return false;
	if (current->policy == SCHED_IDLE)
		return true;
	a = fair_average(rq, true);
	if (!is_eligible(rq, &a, t->virtual_ns))
		return false;
	earlier = virtual_difference(current->deadline_virtual_ns, t->deadline_virtual_ns);
	if (now - current->dispatched_ns < PREEMPT_AFTER_NS)
		return earlier > (int64_t)PREEMPT_AFTER_NS;
	return earlier > 0 || !is_eligible(rq, &a, current->virtual_ns);
}

bool runqueue_preempts(struct runqueue *rq, struct thread *t, uint64_t now)
{
	struct thread *current = rq->current;

	assert_held(&rq->lock);
	if (current->is_idle)
		return true;
	if (thread_is_rt(t) && thread_is_rt(current))
		return t->rt_priority > current->rt_priority;
	if (thread_is_rt(t))
		return !rt_limit_reached(rq, now);
	if (thread_is_rt(current))
		return rt_limit_reached(rq, now);
	return fair_preempts(rq, t, now);
}

/* Enough to find one in practice, few enough to hold the lock for. */
#define MOVABLE_LOOKS 16

struct thread *runqueue_find_movable(struct runqueue *rq, cpu_mask_t mask)
{
	struct thread *t = rt_first(rq);
	unsigned int looks = 0;

	assert_held(&rq->lock);
	if (t != NULL && (t->affinity & mask) != 0)
		return t;
	for (struct rb_node *n = rb_first(&rq->fair); n != NULL && looks < MOVABLE_LOOKS;
	     n = rb_next(n), looks++) {
		if ((fair_thread(n)->affinity & mask) != 0)
			return fair_thread(n);
	}
	return NULL;
}
