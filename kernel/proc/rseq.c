/*
 * Restartable sequences (rseq(2)): a thread's registered area shows the processor it runs on, and a
 * critical section that is interrupted by a switch or a signal is aborted to its handler.
 *
 * On the way to user mode after a switch the area is written, if the processor is another, and the
 * abort is decided: the program counter in the frame against the section that the area points at.
 * That there was a switch is seen by the thread's count of dispatches, which differs from the one
 * last looked at.
 */
#include "abi/rseq.h"

#include "abi/errno.h"
#include "core/user_copy.h"
#include "proc/proc_internal.h"
#include "proc/rseq.h"

#define FIELD(task, name) user_add((task)->rseq, offsetof(struct abi_rseq, name))

static int write_cpu(struct task *task, uint32_t cpu_start, uint32_t cpu)
{
	if (user_store32(FIELD(task, cpu_id_start), cpu_start) != 0 ||
	    user_store32(FIELD(task, cpu_id), cpu) != 0 ||
	    user_store32(FIELD(task, node_id), 0) != 0)
		return -EFAULT;
	task->rseq_cpu = cpu;
	return 0;
}

static int clear_section(struct task *task)
{
	uint64_t none = 0;

	return copy_to_user(FIELD(task, rseq_cs), &none, sizeof(none));
}

/* The word before the abort address must be the program's signature: no jump to anywhere. */
static int check_section(struct task *task, const struct abi_rseq_cs *cs)
{
	uint32_t signature;

	if (cs->version != 0 || cs->start_ip >= USER_END || cs->abort_ip >= USER_END ||
	    cs->post_commit_offset > USER_END - cs->start_ip ||
	    cs->abort_ip - cs->start_ip < cs->post_commit_offset || cs->abort_ip < 4)
		return -EINVAL;
	if (user_load32(user_addr(cs->abort_ip - 4), &signature) != 0)
		return -EFAULT;
	return signature == task->rseq_signature ? 0 : -EINVAL;
}

static int abort_section(struct task *task, struct trap_frame *frame)
{
	struct abi_rseq_cs cs;
	uint64_t section;
	int error;

	if (copy_from_user(&section, FIELD(task, rseq_cs), sizeof(section)) != 0)
		return -EFAULT;
	if (section == 0)
		return 0;
	if (copy_from_user(&cs, user_addr(section), sizeof(cs)) != 0)
		return -EFAULT;
	error = check_section(task, &cs);
	if (error != 0)
		return error;
	if (frame_pc(frame) - cs.start_ip < cs.post_commit_offset)
		frame_set_pc(frame, cs.abort_ip);
	return clear_section(task);
}

void rseq_signal_delivered(struct task *task, struct trap_frame *frame)
{
	if (task->rseq.value != 0 && abort_section(task, frame) != 0)
		signal_force_default(SIGSEGV, false);
}

void rseq_return_after_switch(struct task *task, struct trap_frame *frame)
{
	uint32_t cpu = cpu_id();

	if (abort_section(task, frame) != 0 ||
	    (cpu != task->rseq_cpu && write_cpu(task, cpu, cpu) != 0))
		signal_force_default(SIGSEGV, false);
}

long rseq_register(user_addr_t area, uint32_t bytes, int flags, uint32_t signature)
{
	struct task *task = task_current();
	/* Before the processor's number: a switch between the two is seen on the way out. */
	uint64_t dispatches = read_once(task->thread.headway.dispatches);
	uint32_t cpu = cpu_id();

	if ((flags & RSEQ_FLAG_UNREGISTER) != 0) {
		if ((flags & ~RSEQ_FLAG_UNREGISTER) != 0 || task->rseq.value != area.value ||
		    area.value == 0 || bytes != task->rseq_bytes)
			return -EINVAL;
		if (signature != task->rseq_signature)
			return -EPERM;
		if (write_cpu(task, 0, (uint32_t)RSEQ_CPU_ID_UNINITIALIZED) != 0)
			return -EFAULT;
		task->rseq = user_addr(0);
		return 0;
	}
	if (flags != 0)
		return -EINVAL;
	if (task->rseq.value != 0) {
		if (task->rseq.value != area.value || bytes != task->rseq_bytes)
			return -EINVAL;
		return signature != task->rseq_signature ? -EPERM : -EBUSY;
	}
	if (bytes != RSEQ_ORIG_SIZE || (area.value & (RSEQ_ORIG_SIZE - 1)) != 0)
		return -EINVAL;
	if (!user_range_ok(area, bytes))
		return -EFAULT;
	task->rseq = area;
	task->rseq_bytes = bytes;
	task->rseq_signature = signature;
	task->rseq_dispatches = dispatches;
	if (clear_section(task) != 0 || write_cpu(task, cpu, cpu) != 0) {
		task->rseq = user_addr(0);
		return -EFAULT;
	}
	return 0;
}
