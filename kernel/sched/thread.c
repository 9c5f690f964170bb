/*
 * The life of a thread: NEW, counted references, stack, kernel threads.
 *
 * A thread that was started holds a reference of itself until it has left its stack for good
 * (switch_finish drops it). thread_init() leaves one reference, that one.
 */
#include "abi/errno.h"
#include "core/fail_point.h"
#include "core/trace.h"
#include "lib/string.h"
#include "mem/kstack.h"
#include "mem/slab.h"
#include "sched/sched_internal.h"

static void set_name(struct thread *t, const char *name)
{
	size_t n = 0;

	for (; n < sizeof(t->name) - 1 && name[n] != '\0'; n++)
		t->name[n] = name[n];
	memset(t->name + n, 0, sizeof(t->name) - n);
}

/* From the current thread; the idle thread, which starts the first ones, may use one CPU only. */
static void inherit_policy(struct thread *t)
{
	const struct thread *from = thread_current();

	t->affinity = from->is_idle ? UINT32_MAX : from->affinity;
	t->rt_priority = from->rt_priority;
	t->policy = from->policy;
	t->nice = from->nice;
	/* Not the parent's: another thread may be changing that just now. */
	t->is_listed = policy_is_rt(t->policy) || sched_is_round_robin;
	t->weight = from->weight;
	t->inverse_weight = from->inverse_weight;
	t->request_virtual_ns = from->request_virtual_ns;
	t->cpu = cpu_id();
}

_Static_assert(offsetof(struct thread, arch) == 0, "arch/ finds its part by the thread's address");

int thread_init(struct thread *t, const char *name)
{
	void *stack = kstack_allocate();

	if (stack == NULL)
		return -ENOMEM;
	t->stack = stack;
	set_name(t, name);
	refcount_init(&t->references);
	spin_init(&t->lock, RANK_THREAD);
	rb_node_init(&t->run_node);
	list_init(&t->rt_node);
	t->state = THREAD_NEW;
	inherit_policy(t);
	return 0;
}

void thread_fini(struct thread *t)
{
	ASSERT(!t->on_queue && !t->on_cpu);
	arch_thread_fini(&t->arch);
	kstack_free(t->stack);
	t->stack = NULL;
}

void thread_put(struct thread *t)
{
	if (refcount_put(&t->references))
		t->destroy(t);
}

static void destroy_kernel_thread(struct thread *t)
{
	thread_fini(t);
	kfree(t);
}

/* The first frame of a kernel thread: interrupts are on. */
static void kernel_thread_main(void *arg)
{
	struct thread *t = arg;

	t->entry(t->entry_arg);
	sched_exit();
}

struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
	struct thread *t;

	if (fail_point("thread"))
		return NULL;
	t = kzalloc(sizeof(*t));
	if (t == NULL)
		return NULL;
	if (thread_init(t, name) != 0) {
		kfree(t);
		return NULL;
	}
	/* A kernel thread is no child of the program that happened to need it. */
	t->affinity = UINT32_MAX;
	t->rt_priority = 0;
	thread_set_weight(t, SCHED_OTHER, 0);
	t->entry = entry;
	t->entry_arg = arg;
	t->destroy = destroy_kernel_thread;
	arch_thread_prepare_kernel(&t->arch, thread_stack_top(t), kernel_thread_main, t);
	trace_thread_name(thread_trace_id(t), 0, trace_chars(t->name, 0), trace_chars(t->name, 1));
	return t;
}
