/*
 * rt_sigreturn with frames a program has changed: what a debugger or garbage collector may do to
 * its own registers works, and what would harm the kernel ends the process with SIGSEGV, nothing
 * more.
 */
#include "guest.h"

#include <setjmp.h>
#include <ucontext.h>

static void (*change)(ucontext_t *user);
static volatile int after;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	change(context);
}

/* Raises a signal whose handler changes its frame; how the child that did so ended. */
static int status_with(void (*how)(ucontext_t *))
{
	pid_t pid;

	CHILD(pid) {
		struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

		change = how;
		CHECK_OK(sigaction(SIGUSR1, &action, NULL));
		raise(SIGUSR1);
		_exit(after ? 3 : 0);
	}
	return guest_wait(pid);
}

#define CHECK_ENDS(how, signal) do {								\
	int status_ = status_with(how);								\
	if (!WIFSIGNALED(status_) || WTERMSIG(status_) != (signal))				\
		FAIL("%s ended with 0x%x, expected signal %d", #how, status_, signal);		\
} while (0)

static void elsewhere(void)
{
	_exit(77);
}

static void set_rip(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RIP] = (uintptr_t)elsewhere;
	user->uc_mcontext.gregs[REG_RSP] &= -16L;
	user->uc_mcontext.gregs[REG_RSP] -= 8;
}

TEST("does a changed rip take the program elsewhere?")
{
	CHECK_EQ(status_with(set_rip), 77 << 8);
}

static void rip_kernel(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RIP] = 0xffffffff81000000;
}

static void rip_non_canonical(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RIP] = 0x1234567800000000;
}

static void rip_at_edge(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RIP] = 0x800000000000;
}

static void rip_below_edge(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RIP] = 0x7fffffffffff;
}

TEST("is a rip in the kernel, non-canonical or at the edge SIGSEGV?")
{
	CHECK_ENDS(rip_kernel, SIGSEGV);
	CHECK_ENDS(rip_non_canonical, SIGSEGV);
	CHECK_ENDS(rip_at_edge, SIGSEGV);
	CHECK_ENDS(rip_below_edge, SIGSEGV);
}

static uint16_t *selectors(ucontext_t *user)
{
	/* cs, gs, fs, ss: 16 bits each in one word. */
	return (uint16_t *)&user->uc_mcontext.gregs[REG_CSGSFS];
}

static void cs_kernel(ucontext_t *user)
{
	selectors(user)[0] = 0x10;
}

static void cs_null(ucontext_t *user)
{
	selectors(user)[0] = 0;
}

static void cs_wild(ucontext_t *user)
{
	selectors(user)[0] = 0xfff8;
}

static void cs_data(ucontext_t *user)
{
	selectors(user)[0] = 0x2b;
}

static void ss_kernel(ucontext_t *user)
{
	selectors(user)[3] = 0x18;
}

static void ss_wild(ucontext_t *user)
{
	selectors(user)[3] = 0x7777;
}

TEST("do selectors of the kernel, null, data and nonsense in the frame give nobody privilege?")
{
	int status;

	/* Linux forces the user's privilege level on cs and ss, so that some of these fault and
	 * some do not. */
	CHECK_ENDS(cs_kernel, SIGSEGV);
	CHECK_ENDS(cs_null, SIGSEGV);
	CHECK_ENDS(cs_wild, SIGSEGV);
	CHECK_ENDS(cs_data, SIGSEGV);
	status = status_with(ss_kernel);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
	status = status_with(ss_wild);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

static void flags_all(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_EFL] = -1L & ~0x100L & ~0x40000L & ~0x400L;
}

static void flags_none(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_EFL] = 0;
}

TEST("can the frame's flags not turn interrupts off or the I/O privilege on?")
{
	CHECK_EQ(status_with(flags_all), 0);
	CHECK_EQ(status_with(flags_none), 0);
}

static void flags_io(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_EFL] |= 0x3000;
	user->uc_mcontext.gregs[REG_RIP] = (uintptr_t)({
		void *label;
		asm("lea 1f(%%rip), %0; jmp 2f; 1: cli; ud2; 2:" : "=r"(label));
		label;
	});
}

TEST("is cli after a sigreturn with IOPL 3 still SIGSEGV?")
{
	CHECK_ENDS(flags_io, SIGSEGV);
}

static void rsp_zero(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RSP] = 0;
}

static void rsp_kernel(ucontext_t *user)
{
	user->uc_mcontext.gregs[REG_RSP] = 0xffff888000000000;
}

TEST("is a stack pointer of zero or in the kernel SIGSEGV when used?")
{
	CHECK_ENDS(rsp_zero, SIGSEGV);
	CHECK_ENDS(rsp_kernel, SIGSEGV);
}

/* The words of the xsave area: fxsave image, then at 464 what software knows, then at 512 the
 * header. */
static uint32_t *state_words(ucontext_t *user)
{
	return (uint32_t *)user->uc_mcontext.fpregs;
}

static void state_kernel(ucontext_t *user)
{
	user->uc_mcontext.fpregs = (void *)0xffff888000000000;
}

static void state_low(ucontext_t *user)
{
	user->uc_mcontext.fpregs = (void *)64;
}

static void state_unaligned(ucontext_t *user)
{
	user->uc_mcontext.fpregs = (void *)((char *)user->uc_mcontext.fpregs + 1);
}

static void state_none(ucontext_t *user)
{
	user->uc_mcontext.fpregs = NULL;
}

static void state_reserved_mxcsr(ucontext_t *user)
{
	state_words(user)[6] = 0xffffffff;
}

static void state_bad_header(ucontext_t *user)
{
	memset((char *)state_words(user) + 512, 0xff, 64);
}

static void state_bad_compaction(ucontext_t *user)
{
	((uint64_t *)((char *)state_words(user) + 512))[1] = 1UL << 63;
}

static void state_bad_sizes(ucontext_t *user)
{
	uint32_t *known = state_words(user) + 464 / 4;

	known[0] = 0x46505853;		/* the magic number stays: "there is more than fxsave" */
	known[1] = 0xffffffff;
	known[4] = 0xffffffff;
}

static void state_all_ones(ucontext_t *user)
{
	memset((char *)state_words(user) + 32, 0xff, 400);
}

static void state_at_edge(ucontext_t *user)
{
	char *memory = guest_private(2 * PAGE);

	munmap(memory + PAGE, PAGE);
	memcpy(memory + PAGE - 576, state_words(user), 576);
	user->uc_mcontext.fpregs = (void *)(memory + PAGE - 576);
}

/* Whatever the state is: the process goes on or dies of SIGSEGV; the kernel lives. */
#define CHECK_HARMLESS(how) do {								\
	int status_ = status_with(how);								\
	if (status_ != 0 && !(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGSEGV))		\
		FAIL("%s ended with 0x%x", #how, status_);					\
} while (0)

TEST("is floating-point state at a bad address SIGSEGV, and none at all the initial state?")
{
	CHECK_ENDS(state_kernel, SIGSEGV);
	CHECK_ENDS(state_low, SIGSEGV);
	CHECK_EQ(status_with(state_none), 0);
	CHECK_HARMLESS(state_unaligned);
}

TEST("does floating-point state with reserved bits, wild headers or sizes do no harm?")
{
	CHECK_HARMLESS(state_reserved_mxcsr);
	CHECK_HARMLESS(state_bad_header);
	CHECK_HARMLESS(state_bad_compaction);
	CHECK_HARMLESS(state_bad_sizes);
	CHECK_HARMLESS(state_all_ones);
	CHECK_HARMLESS(state_at_edge);
}

TEST("does random rubbish in the floating-point state, two hundred times, do no harm?")
{
	static unsigned seed;

	void scramble(ucontext_t *user)
	{
		unsigned char *bytes = (void *)state_words(user);

		srand(seed);
		for (int i = 0; i < 20; i++)
			bytes[rand() % 832] = rand();
	}

	for (seed = 1; seed <= 200; seed++)
		CHECK_HARMLESS(scramble);
}

static void mask_all(ucontext_t *user)
{
	memset(&user->uc_sigmask, 0xff, 8);
	after = 0;
}

TEST("is the frame's mask taken over, without KILL and STOP?")
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	sigset_t got;

	change = mask_all;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	/* Not raise(), which would put back the mask it had. */
	CHECK_OK(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1));
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &got));
	CHECK_EQ(sigismember(&got, SIGUSR2), 1);
	CHECK_EQ(sigismember(&got, SIGKILL), 0);
	CHECK_EQ(sigismember(&got, SIGSTOP), 0);
}

static void call_sigreturn(uintptr_t stack)
{
	asm volatile("mov %0, %%rsp; mov $15, %%eax; syscall; ud2" :: "r"(stack) : "memory");
	__builtin_unreachable();
}

TEST("is rt_sigreturn without a frame SIGSEGV, wherever the stack points?")
{
	static const uintptr_t stacks[] = { 0, 8, 0x1000, 0x7ffffffff000, 0xffff888000000000,
					    0x1234567800000000, -8UL };
	char *memory = guest_private(2 * PAGE);
	pid_t pid;

	for (unsigned i = 0; i < sizeof stacks / sizeof *stacks; i++) {
		CHILD(pid)
			call_sigreturn(stacks[i]);
		CHECK_SIGNALED(pid, SIGSEGV);
	}
	CHILD(pid)
		call_sigreturn((uintptr_t)memory + 8);
	CHECK_SIGNALED(pid, SIGSEGV);
	memset(memory, 0xff, 2 * PAGE);
	CHILD(pid)
		call_sigreturn((uintptr_t)memory + 512);
	CHECK_SIGNALED(pid, SIGSEGV);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHILD(pid)
		call_sigreturn((uintptr_t)memory + PAGE - 128);
	CHECK_SIGNALED(pid, SIGSEGV);
}

TEST("does a frame of random words, two hundred times, end the process and no more?")
{
	uint64_t *memory = guest_private(2 * PAGE);

	for (unsigned seed = 0; seed < 200; seed++) {
		pid_t pid;
		int status;

		srand(seed);
		for (int i = 0; i < 1024; i++) {
			uint64_t word = (uint64_t)rand() << 33 ^ rand();

			memory[i] = i % 3 ? word : word & 0x7fffffffff;
		}
		CHILD(pid) {
			alarm(5);
			call_sigreturn((uintptr_t)memory + 1024);
		}
		status = guest_wait(pid);
		CHECK(WIFSIGNALED(status));
	}
}

static long registers_seen[16];

static void set_registers(ucontext_t *user)
{
	for (int i = 0; i < 8; i++)
		user->uc_mcontext.gregs[REG_R8 + i] = 0x1000 + i;
}

TEST("are all changed general registers taken over?")
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	change = set_registers;
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	asm volatile(
		"syscall\n"
		"mov %%r8, (%%rbx); mov %%r9, 8(%%rbx); mov %%r10, 16(%%rbx); mov %%r12, "
		"32(%%rbx)\n"
		"mov %%r13, 40(%%rbx); mov %%r14, 48(%%rbx); mov %%r15, 56(%%rbx)" ::"a"(SYS_tkill),
		"D"(syscall(SYS_gettid)), "S"(SIGUSR1), "b"(registers_seen)
		: "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
	for (int i = 0; i < 8; i++) {
		if (i != 3)
			CHECK_EQ(registers_seen[i], 0x1000 + i);
	}
}

TEST("are flags of an action that the kernel does not know cleared, and the known ones kept?")
{
	struct { uint64_t handler, flags, restorer, mask; } action = { .flags = ~0UL }, old;

	CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8), 0);
	CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8), 0);
	CHECK_EQ(old.flags, 0xdc000807UL);
}
