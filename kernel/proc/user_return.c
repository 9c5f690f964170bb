/*
 * The one door out to user mode (design chapter 5).
 *
 * Every return to a program ends here: from a system call, an exception, an interrupt, and the
 * first return of a new thread. With interrupts off it looks whether a signal is to be delivered or
 * another thread to run; if so, it turns them on, does that, and looks again. When nothing is left
 * the slice is armed, last, so that nothing of the kernel's work is charged to it; then the entry
 * code restores the registers without enabling interrupts in between.
 *
 * Path: doc/paths/context-switch.md, doc/paths/syscall.md.
 */
#include "arch/arch_up.h"
#include "core/timer.h"
#include "core/trace.h"
#include "proc/proc_internal.h"
#include "proc/rseq.h"
#include "sched/headway.h"

/* Interrupts off; true when something was done and the state must be looked at anew. */
static bool do_one(struct trap_frame *frame, struct thread *thread)
{
	if (unlikely(sched_need_resched()) &&
	    headway_may_switch(thread, frame_pc(frame), frame_sum(frame), true)) {
		sched_switch();
		return true;
	}
	if (unlikely(read_once(thread->pending_signal))) {
		arch_irq_enable();
		signal_deliver(frame);
		arch_irq_disable();
		headway_registers_changed(thread);
		return true;
	}
	if (unlikely(!frame_may_return(frame))) {
		arch_irq_enable();
		frame_refuse(frame);
		arch_irq_disable();
		return true;
	}
	return false;
}

/*
 * A registered area must show this processor, and a critical section that was left is aborted:
 * wherever the thread was switched out, here or in the kernel (a fault or a call that slept).
 */
static bool rseq_is_due(const struct task *task)
{
	return unlikely(task->rseq.value != 0) &&
	       task->rseq_dispatches != task->thread.headway.dispatches;
}

/* A switch while interrupts are on makes it due again. */
static void update_rseq(struct trap_frame *frame, struct task *task)
{
	task->rseq_dispatches = task->thread.headway.dispatches;
	arch_irq_enable();
	rseq_return_after_switch(task, frame);
	arch_irq_disable();
}

/* While the flight recorder is on there always is: the record. */
static inline bool has_work(const struct trap_frame *frame, const struct task *task)
{
	return (cpu_self()->need_resched | trace_on) != 0 ||
	       read_once(task->thread.pending_signal) || !frame_may_return(frame) ||
	       rseq_is_due(task);
}

static never_inline void do_work(struct trap_frame *frame, struct thread *thread)
{
	struct task *task = task_of(thread);

	for (;;) {
		if (do_one(frame, thread))
			continue;
		if (likely(!rseq_is_due(task)))
			break;
		update_rseq(frame, task);
	}
	trace_user_return(frame_pc(frame));
}

bool user_return(struct trap_frame *frame)
{
	struct thread *thread = thread_current();

	ASSERT(frame_is_user(frame));
	arch_irq_disable();
	if (unlikely(has_work(frame, task_of(thread))))
		do_work(frame, thread);
	if (CONFIG_DEBUG)
		assert_no_spinlock_held("user_return");
	ASSERT(preempt_count() == 0);
	if (unlikely(!cpu_self()->user_is_live))
		arch_prepare_user();
	sched_slice_begin();
	ASSERT(sched_slice_is_own());
	headway_user_return(thread, frame_pc(frame));
	return frame_prepare_return(frame);
}

bool thread_first_return(struct trap_frame *frame)
{
	struct task *task;

	thread_first_switch_done();
	arch_irq_enable();
	task = task_current();
	if (unlikely(task->first_run != NULL))
		task->first_run();
	/* What a forked child is told, and a program begins with. */
	ASSERT(frame_result(frame) == 0);
	trace_thread_first_return(task->thread.id, frame_pc(frame));
	/*
	 * The child's memory, so the child writes it; a bad address is ignored, as clone(2) says.
	 */
	if (task->set_child_tid.value != 0)
		(void)!user_store32(task->set_child_tid, task->thread.id);
	return user_return(frame);
}
