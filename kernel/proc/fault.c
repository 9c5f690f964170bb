/*
 * What the machine reports: page faults and other exceptions of user programs.
 *
 * A page fault at a user address is the address space's to repair. What it cannot repair is a
 * signal when the program touched the address itself, and -EFAULT (through the fixup of the copy
 * routine) when the kernel touched it for the program.
 */
#include "abi/errno.h"
#include "arch/arch_up.h"
#include "core/finding.h"
#include "core/klog.h"
#include "lib/string.h"
#include "proc/oom.h"
#include "proc/proc_internal.h"
#include "proc/step.h"

static void send_fault(const struct exception *e)
{
	struct task *task = task_current();
	struct abi_siginfo info = { .si_signo = e->signo, .si_code = e->code };

	info.fault.addr = e->address;
	task->trap_number = e->trap_number;
	task->trap_error = e->error_code;
	if (e->trap_number == 14)
		task->trap_address = e->address;
	log_debug("pid %u (%s): signal %d code %d at %lx, error %lx", task->process->pid,
		  task->thread.name, e->signo, e->code, e->address, e->error_code);
	signal_force(e->signo, &info);
}

void exception_enter(struct trap_frame *frame, const struct exception *e)
{
	if (!step_take(frame, e))
		send_fault(e);
}

/* May this context sleep to repair a fault? Not under spin locks, not in interrupt handlers, which
 * count as one. */
static bool may_repair(bool from_user)
{
	return from_user || preempt_count() == 0;
}

static void send_memory_signal(uint64_t address, int error, int si_code, uint64_t error_code)
{
	struct exception e = {
		.signo = error == -EFAULT ? SIGSEGV : SIGBUS,
		.code = error == -EFAULT ? si_code : BUS_ADRERR,
		.address = address,
		.trap_number = 14,
		.error_code = error_code,
	};

	send_fault(&e);
}

#define LOOP_FAULTS 1000u

/*
 * The same address touched at the same place again is a loop when nothing came between: no call
 * when the fault was repaired (what a program throws away it may well touch again), at most one,
 * the return from its handler, when it was not.
 */
static void watch_for_loop(struct task *task, uint64_t pc, uint64_t address, bool repaired)
{
	uint32_t calls = task->sample_count - task->fault_calls;
	bool again = task->fault_address == address && task->fault_pc == pc &&
		     calls <= (repaired ? 0u : 1u);

	task->fault_address = address;
	task->fault_pc = pc;
	task->fault_calls = task->sample_count;
	task->fault_repeats = again ? task->fault_repeats + 1 : 0;
	if (unlikely(task->fault_repeats >= LOOP_FAULTS)) {
		finding_report(FINDING_FAULT_LOOP, task->thread.id, pc, repaired ?
			       "a fault is repaired and comes again" :
			       "a fault that the handler does not repair comes again", address,
			       task->fault_repeats);
		task->fault_repeats = 0;
	}
}

bool page_fault_enter(struct trap_frame *frame, uint64_t address, enum fault_access access,
		      bool from_user, uint64_t error_code)
{
	struct thread *thread = thread_current();
	int si_code = SEGV_MAPERR;
	int error = -EFAULT;

	if (thread->space == NULL || !may_repair(from_user))
		return false;
	if (address < USER_END)
		error = space_fault(thread->space, address, access, &si_code);
	if (from_user)
		watch_for_loop(task_of(thread), frame_pc(frame), address, error == 0);
	if (error == 0) {
		task_of(thread)->minor_faults++;
		return true;
	}
	if (error == -ENOMEM) {
		oom_relieve();
		/* The chosen one must die to free memory: it does not try again here. */
		return from_user || !read_once(thread->pending_kill);
	}
	/* A fatal signal ended the read of a page. */
	if (error == -EINTR || error == -ERESTARTSYS)
		return from_user;
	if (!from_user)
		return false;
	send_memory_signal(address, error, si_code, error_code);
	return true;
}
