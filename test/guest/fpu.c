/*
 * Floating-point and vector state: kept over switches, system calls, faults, fork and signals,
 * apart between threads, initial after execve. What the processor lacks (AVX) is skipped.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <ucontext.h>

enum { REGISTERS = 16, ROUNDS = 300 };

struct vectors {
	uint8_t bytes[REGISTERS][32];
} __attribute__((aligned(64)));

static bool has_avx;

__attribute__((constructor)) static void find_features(void)
{
	has_avx = __builtin_cpu_supports("avx");
}

#define EACH(F) \
	F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)
#define LOAD_SSE(n) "movdqu " #n "*32(%0), %%xmm" #n "\n"
#define STORE_SSE(n) "movdqu %%xmm" #n ", " #n "*32(%1)\n"
#define LOAD_AVX(n) "vmovdqu " #n "*32(%0), %%ymm" #n "\n"
#define STORE_AVX(n) "vmovdqu %%ymm" #n ", " #n "*32(%1)\n"
#define CLOBBERS                                                                                 \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
		"xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "rax", "rcx", "r11", "memory"

/* Loads all registers, makes one system call with the registers live, and stores them. */
static long through_call(const struct vectors *in, struct vectors *out, long number, long a, long b)
{
	long result = number;

	if (has_avx)
		asm volatile(EACH(LOAD_AVX) "mov %4, %%rax; syscall; mov %%rax, %%r8\n"
			     EACH(STORE_AVX) "vzeroupper; mov %%r8, %2"
			     : : "r"(in), "r"(out), "m"(result), "D"(a), "r"(number), "S"(b)
			     : CLOBBERS, "r8");
	else
		asm volatile(EACH(LOAD_SSE) "mov %4, %%rax; syscall; mov %%rax, %%r8\n"
			     EACH(STORE_SSE) "mov %%r8, %2"
			     : : "r"(in), "r"(out), "m"(result), "D"(a), "r"(number), "S"(b)
			     : CLOBBERS, "r8");
	return result;
}

static void fill(struct vectors *vectors, unsigned seed)
{
	for (int i = 0; i < REGISTERS; i++) {
		for (int j = 0; j < 32; j++)
			vectors->bytes[i][j] = seed * 31 + i * 17 + j * 3 + 1;
	}
}

static bool is_same(const struct vectors *a, const struct vectors *b)
{
	for (int i = 0; i < REGISTERS; i++) {
		if (memcmp(a->bytes[i], b->bytes[i], has_avx ? 32 : 16) != 0)
			return false;
	}
	return true;
}

TEST("are vector registers kept over system calls that sleep, yield or fault?")
{
	struct vectors in, out;

	fill(&in, 1);
	through_call(&in, &out, SYS_getppid, 0, 0);
	CHECK(is_same(&in, &out));
	for (int i = 0; i < 50; i++) {
		fill(&in, i);
		through_call(&in, &out, SYS_sched_yield, 0, 0);
		CHECK(is_same(&in, &out));
	}
	through_call(&in, &out, SYS_nanosleep, (long)&(struct timespec){ 0, 2000000 }, 0);
	CHECK(is_same(&in, &out));
}

static void *keep_state(void *arg)
{
	struct vectors in, out;
	unsigned seed = (long)arg * 1000;

	for (int i = 0; i < ROUNDS; i++) {
		fill(&in, seed + i);
		through_call(&in, &out, i % 10 ? SYS_sched_yield : SYS_gettid, 0, 0);
		if (!is_same(&in, &out))
			return (void *)1;
	}
	return NULL;
}

static void run_threads(void *(*run)(void *))
{
	pthread_t threads[4];
	void *result;

	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run, (void *)i), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, 0);
	}
}

TEST("have four threads their own vector registers over voluntary switches?")
{
	run_threads(keep_state);
}

/* Holds values in registers over a long loop without any call: only the clock can switch threads.
 */
static void *spin_state(void *arg)
{
	struct vectors in, out;

	for (int i = 0; i < 20; i++) {
		fill(&in, (long)arg * 77 + i);
		if (has_avx)
			asm volatile(
				EACH(LOAD_AVX) "mov $3000000, %%ecx; 1: dec %%ecx; jnz 1b\n" EACH(
					STORE_AVX) "vzeroupper" ::"r"(&in),
				"r"(&out)
				: CLOBBERS);
		else
			asm volatile(EACH(LOAD_SSE) "mov $3000000, %%ecx; 1: dec %%ecx; jnz 1b\n"
				     EACH(STORE_SSE) :: "r"(&in), "r"(&out) : CLOBBERS);
		if (!is_same(&in, &out))
			return (void *)1;
	}
	return NULL;
}

TEST_LIMIT("and over switches forced by the clock?", 120)
{
	run_threads(spin_state);
}

static uint16_t x87_control(void)
{
	uint16_t word;

	asm volatile("fnstcw %0" : "=m"(word));
	return word;
}

static uint32_t mxcsr(void)
{
	uint32_t word;

	asm volatile("stmxcsr %0" : "=m"(word));
	return word;
}

static void set_modes(uint16_t control, uint32_t csr)
{
	asm volatile("fldcw %0; ldmxcsr %1" :: "m"(control), "m"(csr));
}

static void *keep_modes(void *arg)
{
	uint16_t control = 0x37f & ~((long)arg << 10);
	uint32_t csr = 0x1f80 | (uint32_t)(long)arg << 13;

	set_modes(control, csr);
	for (int i = 0; i < ROUNDS; i++) {
		sched_yield();
		if (x87_control() != control || mxcsr() != csr)
			return (void *)1;
	}
	return NULL;
}

TEST("are the rounding modes of x87 and MXCSR kept per thread?")
{
	run_threads(keep_modes);
}

HELPER(initial)
{
	struct vectors out;

	asm volatile(EACH(STORE_SSE) :: "r"(&out), "r"(&out) : "memory");
	return x87_control() == 0x37f && (mxcsr() & ~0x3fu) == 0x1f80 ? 0 : 1;
}

TEST("do x87 and MXCSR start in their default state in a new program?")
{
	char **args = guest_exec_args("initial", NULL), *none[] = { NULL };
	pid_t pid;

	CHILD(pid) {
		set_modes(0x77f, 0x7f80);
		execve(args[0], args, none);
	}
	CHECK_EXIT(pid, 0);
}

TEST("are vector registers and modes the parent's in fork's child, and apart after?")
{
	struct vectors in, out;

	set_modes(0xb7f, 0x5f80);
	for (int i = 0; i < 30; i++) {
		long pid;

		fill(&in, i);
		if (has_avx)
			asm volatile(EACH(LOAD_AVX) "mov $57, %%eax; syscall; mov %%rax, %2\n"
				     EACH(STORE_AVX) "vzeroupper"
				     : : "r"(&in), "r"(&out), "m"(pid) : CLOBBERS);
		else
			asm volatile(EACH(LOAD_SSE) "mov $57, %%eax; syscall; mov %%rax, %2\n"
				     EACH(STORE_SSE) : : "r"(&in), "r"(&out), "m"(pid) : CLOBBERS);
		asm volatile("" ::: "memory");
		pid = *(volatile long *)&pid;
		if (pid == 0) {
			bool good =
				is_same(&in, &out) && x87_control() == 0xb7f && mxcsr() == 0x5f80;

			set_modes(0x37f, 0x1f80);
			fill(&in, 99);
			through_call(&in, &out, SYS_sched_yield, 0, 0);
			_exit(good && is_same(&in, &out) ? 0 : 1);
		}
		CHECK(pid > 0);
		CHECK(is_same(&in, &out));
		CHECK_EXIT(pid, 0);
		CHECK_EQ(mxcsr(), 0x5f80);
	}
}

static volatile uint32_t csr_in_handler;

static void spoil(int signal)
{
	struct vectors in;

	(void)signal;
	csr_in_handler = mxcsr();
	fill(&in, 200);
	set_modes(0x37f, 0x1f80);
	asm volatile(EACH(LOAD_SSE) :: "r"(&in) : CLOBBERS);
}

TEST("does a handler start in the default modes and leave the interrupted state whole?")
{
	struct vectors in, out;

	guest_catch(SIGUSR1, spoil, 0);
	for (int i = 0; i < 50; i++) {
		fill(&in, i);
		set_modes(0x77f, 0x3f80);
		through_call(&in, &out, SYS_tkill, syscall(SYS_gettid), SIGUSR1);
		CHECK(is_same(&in, &out));
		CHECK_EQ(x87_control(), 0x77f);
		CHECK_EQ(mxcsr(), 0x3f80);
	}
	CHECK_EQ(csr_in_handler & ~0x3fu, 0x1f80);
}

static void change_frame(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	(void)info;
	memset((char *)user->uc_mcontext.fpregs + 160 + 5 * 16, 0xa5, 16);	/* xmm5 */
	((uint32_t *)user->uc_mcontext.fpregs)[6] = 0x1f80 | 0x6000;
}

TEST("does a handler change the interrupted state through its frame?")
{
	struct sigaction action = { .sa_sigaction = change_frame, .sa_flags = SA_SIGINFO };
	struct vectors in, out;

	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	fill(&in, 3);
	through_call(&in, &out, SYS_tkill, syscall(SYS_gettid), SIGUSR1);
	memset(in.bytes[5], 0xa5, 16);
	CHECK(is_same(&in, &out));
	CHECK_EQ(mxcsr(), 0x7f80);
}

static void *x87_stack(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		long double value = (long)arg * 1000 + i, got;

		asm volatile("fldt %1; fldpi; fldl2e\n"
			     "mov $24, %%eax; syscall\n"
			     "fstp %%st(0); fstp %%st(0); fstpt %0"
			     : "=m"(got) : "m"(value) : "rax", "rcx", "r11", "memory");
		if (got != value)
			return (void *)1;
	}
	return NULL;
}

TEST("is the x87 register stack kept over switches in four threads?")
{
	run_threads(x87_stack);
}

static volatile sig_atomic_t fpe_code;

static void on_fpe(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	fpe_code = info->si_code;
	((uint32_t *)user->uc_mcontext.fpregs)[6] |= 0x1f80;	/* mask all again */
}

TEST("is an unmasked SSE division by zero SIGFPE FPE_FLTDIV, an invalid one FPE_FLTINV?")
{
	struct sigaction action = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO };
	volatile double zero = 0, one = 1, result;

	CHECK_OK(sigaction(SIGFPE, &action, NULL));
	set_modes(0x37f, 0x1f80 & ~0x200);
	result = one / zero;
	CHECK_EQ(fpe_code, FPE_FLTDIV);
	set_modes(0x37f, 0x1f80 & ~0x80);
	result = zero / zero;
	CHECK_EQ(fpe_code, FPE_FLTINV);
	(void)result;
}

static void *mix(void *arg)
{
	double sum = 0;

	for (int i = 1; i <= 20000; i++) {
		sum += 1.0 / (i + (long)arg);
		if (i % 500 == 0)
			sched_yield();
	}
	return *(void **)&sum;
}

TEST("do four processes and four threads compute the same sums as one alone?")
{
	void *want[4], *got;
	pthread_t threads[4];
	pid_t pids[4];

	for (long i = 0; i < 4; i++)
		want[i] = mix((void *)i);
	for (long i = 0; i < 4; i++) {
		CHILD(pids[i])
			CHECK(mix((void *)i) == want[i]);
		CHECK_EQ(pthread_create(&threads[i], NULL, mix, (void *)i), 0);
	}
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &got), 0);
		CHECK(got == want[i]);
		CHECK_EXIT(pids[i], 0);
	}
}
