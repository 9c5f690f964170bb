/*
 * The system call: from the registers to a handler and its result back into them.
 *
 * The dispatch is a switch made by tools/gen-syscalls from table.tbl: the compiler turns it into a
 * jump table, and each case loads just the arguments that its handler takes.
 *
 * Path: doc/paths/syscall.md.
 */
#include "abi/errno.h"
#include "arch/arch_up.h"
#include "core/klog.h"
#include "core/trace.h"
#include "lib/bitmap.h"
#include "lib/bits.h"
#include "proc/task.h"
#include "syscall/names.h"
#include "syscall/syscalls.h"

static const char *const names[] = {
#include "syscall_names.inc"
};

/* Names of calls that Linux has and we have not, for the log. */
static const struct { uint16_t number; const char *name; } absent[] = {
#include "syscall_absent.inc"
};

static uint64_t logged[BITMAP_WORDS(SYSCALL_NUMBER_MAX)];

const char *syscall_name(uint64_t number)
{
	if (number < sizeof(names) / sizeof(names[0]) && names[number] != NULL)
		return names[number];
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		if (absent[i].number == number)
			return absent[i].name;
	}
	return NULL;
}

/* Said once a number; two processors may say it twice. */
static long not_implemented(uint64_t number, const char *table)
{
	const char *name = table[0] == '\0' ? syscall_name(number) : NULL;

	/* All numbers that no kernel has count as one. */
	size_t bit = MIN(number, (uint64_t)SYSCALL_NUMBER_MAX - 1);

	if (bitmap_test(logged, bit))
		return -ENOSYS;
	bitmap_set(logged, bit);
	log_info("%s: system call %s%lu (%s) is not implemented", thread_current()->name, table,
		 number, name != NULL ? name : "unknown");
	return -ENOSYS;
}

#define ARG(i) frame_syscall_arg(frame, (i))
#define ARG_32(i) ((uint64_t)(uint32_t)frame_syscall_arg(frame, (i)))

static long dispatch(const struct trap_frame *frame, uint64_t number)
{
	switch (number) {
#include "syscall_table.inc"
	default:
		return not_implemented(number, "");
	}
}

/* i386 arguments: 32 bits, zero-extended unless they are signed and wider in 64-bit calls. */
#undef ARG
#define ARG(i) ((uint64_t)(uint32_t)frame_syscall_arg_i386(frame, (i)))
#define ARG_SIGNED(i) ((uint64_t)(int64_t)(int32_t)frame_syscall_arg_i386(frame, (i)))

static long dispatch_i386(const struct trap_frame *frame, uint64_t number)
{
	switch (number) {
#include "syscall_i386.inc"
	default:
		return not_implemented(number, "i386 ");
	}
}

typedef long (*dispatch_t)(const struct trap_frame *frame, uint64_t number);

/* A sample (sched/stats.c). For who counts the calls between two faults none was skipped. */
static long dispatch_measured(dispatch_t run, const struct trap_frame *frame, uint64_t number)
{
	struct task *task = task_current();
	uint32_t skip = trace_rare_skip(task->sample_count);
	long result;

	task->sample_count += skip;
	task->fault_calls += skip;
	kernel_sample_begin();
	result = run(frame, number);
	kernel_sample_end();
	return result;
}

static void trace_enter(const struct trap_frame *frame, uint64_t number, bool i386)
{
	uint64_t a[5];

	for (unsigned int i = 0; i < 5; i++)
		a[i] = i386 ? frame_syscall_arg_i386(frame, i) : frame_syscall_arg(frame, i);
	trace_syscall_enter(number, a[0], a[1], a[2], a[3], a[4]);
}

/* A call that is measured, or while the flight recorder is on any. */
static never_inline long dispatch_rare(dispatch_t run, const struct trap_frame *frame,
				      uint64_t number)
{
	bool i386 = run == dispatch_i386;
	uint64_t traced = number | (i386 ? TRACE_I386 : 0);
	long result;

	if (trace_is_on())
		trace_enter(frame, traced, i386);
	result = task_current()->sample_count % TRACE_RARE != 0 ?
			run(frame, number) : dispatch_measured(run, frame, number);
	trace_syscall_exit(traced, (uint64_t)result);
	return result;
}

static inline void enter(struct trap_frame *frame, uint64_t number, dispatch_t run)
{
	struct task *task = task_current();
	long result;

	task->syscall_nr = number;
	if (likely((++task->sample_count & trace_rare_mask) != 0))
		result = run(frame, number);
	else
		result = dispatch_rare(run, frame, number);
	frame_set_result(frame, (uint64_t)result);
	/* A call to be made anew keeps its number for signal delivery. */
	if (likely((uint64_t)result < (uint64_t)-ERESTART_RESTARTBLOCK))
		task->syscall_nr = (uint64_t)-1;
}

void syscall_enter(struct trap_frame *frame, uint64_t number)
{
	enter(frame, (uint32_t)number, dispatch);	/* Linux looks at the lower half only */
}

void syscall_enter_i386(struct trap_frame *frame, uint64_t number)
{
	enter(frame, (uint32_t)number, dispatch_i386);
}
