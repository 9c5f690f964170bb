/*
 * Scenarios of threads: a new one's first return, the vector registers, slices that end always.
 */
#include "explore.h"

#include <linux/futex.h>
#include <linux/sched.h>

/* --- a new thread ---------------------------------------------------------------------- */

static char thread_stack[8192] __attribute__((aligned(64)));
static unsigned long thread_tls[32] __attribute__((aligned(64)));
static int thread_tid;
static volatile long thread_saw;

/*
 * The new thread reads its TLS base through fs, writes what it saw and ends; the kernel then clears
 * thread_tid and wakes whoever waits at it.
 */
static long start_thread(void)
{
	register int *r10 __asm__("r10") = &thread_tid;
	register void *r8 __asm__("r8") = thread_tls;
	long result = SYS_clone;

	__asm__ volatile(
		"syscall\n\ttestq %%rax, %%rax\n\tjnz 1f\n\t"
		"movq %%fs:0, %%rax\n\tmovq %%rax, (%%rbx)\n\t"
		"xorl %%edi, %%edi\n\tmovl $60, %%eax\n\tsyscall\n\thlt\n"
		"1:"
		: "+a"(result)
		: "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		      CLONE_SYSVSEM | CLONE_SETTLS | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID),
		  "S"(thread_stack + sizeof(thread_stack)), "d"(&thread_tid), "r"(r10), "r"(r8),
		  "b"(&thread_saw)
		: "rcx", "r11", "memory", "cc");
	return result;
}

static void prepare_thread(void)
{
	thread_tls[0] = 0x7715;
	thread_saw = 0;
	thread_tid = 1;
}

static const char *run_thread(void)
{
	unsigned long own;
	int tid;

	if (start_thread() < 0)
		return "clone failed";
	while ((tid = __atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST)) != 0)
		futex(&thread_tid, FUTEX_WAIT, tid);
	__asm__ volatile("movq %%fs:0, %0" : "=r"(own));
	if (own == 0x7715)
		return "the thread's TLS base stayed";
	return thread_saw == 0x7715 ? "ended" : "the thread saw another TLS base";
}

static const char *const ended_only[] = { "ended", NULL };

/* --- vector registers ------------------------------------------------------------------ */

/* A loop of some 300 instructions in which sixteen registers must stay what they were. */
static bool keeps_vectors(unsigned long pattern)
{
	unsigned long sum = 0;

	__asm__ volatile(
		"movq %1, %%xmm0\n\tmovq %1, %%xmm7\n\tmovq %1, %%xmm15\n\t"
		"vpbroadcastq %%xmm0, %%ymm9\n\tmovl $30, %%ecx\n"
		"1: movq %%xmm0, %%rax\n\txorq %1, %%rax\n\torq %%rax, %0\n\t"
		"movq %%xmm15, %%rax\n\txorq %1, %%rax\n\torq %%rax, %0\n\t"
		"vextracti128 $1, %%ymm9, %%xmm8\n\tmovq %%xmm8, %%rax\n\txorq %1, %%rax\n\t"
		"orq %%rax, %0\n\tdecl %%ecx\n\tjnz 1b"
		: "+r"(sum) : "r"(pattern)
		: "rax", "rcx", "xmm0", "xmm7", "xmm8", "xmm9", "xmm15", "cc");
	return sum == 0;
}

static bool other_kept;

static void other_vectors(void)
{
	other_kept = keeps_vectors(0x2222222222222222UL);
}

static const char *run_vectors(void)
{
	return keeps_vectors(0x1111111111111111UL) ? "kept" : "vector registers changed";
}

static const char *judge_vectors(void)
{
	return other_kept ? NULL : "the other thread's vector registers changed";
}

static const char *const kept_only[] = { "kept", NULL };

/* --- control: what an instrument must find --------------------------------------------- */

static volatile long counter;

static void prepare_control(void)
{
	counter = 0;
}

static void other_increments(void)
{
	long seen = counter;

	counter = seen + 1;
}

static const char *run_control(void)
{
	other_increments();
	return "passed";
}

static const char *judge_control(void)
{
	return counter == 2 ? "both counted" : "one lost";
}

static const char *const control_outcomes[] = { "both counted", "one lost", NULL };

/* --- restartable sequences --------------------------------------------------------------- */

struct rseq_area {
	unsigned int cpu_id_start, cpu_id;
	unsigned long section;
	unsigned int flags, unused[3];
} __attribute__((aligned(32)));

#define RSEQ_SIGNATURE 0x53053053
#define RSEQ_SIGNATURE_TEXT "0x53053053"

static __thread struct rseq_area rseq_area;
static __thread bool rseq_registered;
static volatile long rseq_counter;

static void prepare_rseq(void)
{
	rseq_counter = 0;
}

/* A load, an addition and a store, which begin anew when the thread is switched out between. */
static void add_restartably(void)
{
	if (!rseq_registered && syscall(SYS_rseq, &rseq_area, sizeof(rseq_area), 0,
					RSEQ_SIGNATURE) != 0)
		fatal("rseq");
	rseq_registered = true;
	__asm__ volatile(
		".pushsection .data\n\t.balign 32\n"
		"1:\t.long 0, 0\n\t.quad 3f, 4f - 3f, 2f\n\t.popsection\n\t"
		"jmp 2f\n\t.long " RSEQ_SIGNATURE_TEXT "\n"
		"2:\tleaq 1b(%%rip), %%rax\n\tmovq %%rax, %0\n"
		"3:\tmovq %1, %%rax\n\tincq %%rax\n\tnop\n\tmovq %%rax, %1\n"
		"4:\tmovq $0, %0"
		: "=m"(rseq_area.section), "+m"(rseq_counter) : : "rax", "memory", "cc");
}

static const char *run_rseq(void)
{
	add_restartably();
	return "both counted";
}

static const char *judge_rseq(void)
{
	return rseq_counter == 2 ? NULL : "a restartable sequence was not restarted";
}

static const char *const both_only[] = { "both counted", NULL };

/* --- slices that end every n instructions ---------------------------------------------- */

static volatile long work_done;

static void other_works(void)
{
	for (int i = 0; i < 30; i++)
		work_done++;
}

static const char *run_ticks(void)
{
	for (int i = 0; i < 30; i++)
		work_done++;
	return "ended";
}

const struct scenario thread_scenarios[] = {
	{ .name = "thread", .about = "clone of a thread: its first return, TLS, end",
	  .allowed = ended_only, .prepare = prepare_thread, .run = run_thread, .processors = 1 },
	{ .name = "fpu", .about = "two threads that keep vector registers",
	  .allowed = kept_only, .run = run_vectors, .other = other_vectors,
	  .judge = judge_vectors, .processors = 1 },
	{ .name = "rseq", .about = "two threads' increments by restartable sequences",
	  .allowed = both_only, .prepare = prepare_rseq, .run = run_rseq,
	  .other = add_restartably, .judge = judge_rseq, .processors = 1 },
	{ .name = "control", .about = "an increment without a lock: must be seen to fail",
	  .allowed = control_outcomes, .prepare = prepare_control, .run = run_control,
	  .other = other_increments, .judge = judge_control,
	  .processors = 1, .all_required = true },
	{ .name = "control-2", .about = "the same on two processors",
	  .allowed = control_outcomes, .prepare = prepare_control, .run = run_control,
	  .other = other_increments, .judge = judge_control,
	  .processors = 2, .all_required = true },
	{ .name = "tick", .about = "two threads whose slices end every n instructions, always",
	  .allowed = ended_only, .run = run_ticks, .other = other_works, .processors = 1,
	  .ticks = true },
	{ .name = NULL },
};
