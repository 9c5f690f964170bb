/*
 * Signals the processor causes (division, illegal instruction, breakpoint, bad addresses),
 * alternate stacks, and what happens when delivering a signal is itself impossible.
 */
#include "guest.h"

#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t fault;
static volatile long fault_rip, fault_trapno, fault_error;
static void *volatile stack_in_handler;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	(void)signal;
	fault = *info;
	fault_rip = user->uc_mcontext.gregs[REG_RIP];
	fault_trapno = user->uc_mcontext.gregs[REG_TRAPNO];
	fault_error = user->uc_mcontext.gregs[REG_ERR];
	stack_in_handler = __builtin_frame_address(0);
	siglongjmp(back, 1);
}

static void catch_fault(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(signal, &action, NULL));
}

#define FAULTS(statement, signal_, code_) do {							\
	memset(&fault, 0, sizeof fault);							\
	if (sigsetjmp(back, 1) == 0)								\
		statement;									\
	asm volatile("" :: "r"(&fault) : "memory");	/* raise() is a leaf to the compiler */	\
	CHECK_EQ(fault.si_signo, signal_);							\
	CHECK_EQ(fault.si_code, code_);								\
} while (0)

extern const char divides[], undefined[], halts[], breaks[], far_reads[];

__attribute__((noinline)) static void divide(void)
{
	asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx\n"
		     ".global divides\ndivides: div %%ecx" ::: "eax", "ecx", "edx");
}

TEST("is a division by zero SIGFPE FPE_INTDIV at the instruction's address?")
{
	catch_fault(SIGFPE, 0);
	FAULTS(divide(), SIGFPE, FPE_INTDIV);
	CHECK_EQ((uintptr_t)fault.si_addr, (uintptr_t)divides);
	CHECK_EQ(fault_rip, (uintptr_t)divides);
	CHECK_EQ(fault_trapno, 0);
}

TEST("is INT_MIN / -1 SIGFPE as well?")
{
	catch_fault(SIGFPE, 0);
	FAULTS(asm volatile("mov $0x80000000, %%eax; cdq; mov $-1, %%ecx; idiv %%ecx"
			    ::: "eax", "ecx", "edx"), SIGFPE, FPE_INTDIV);
}

TEST("is ud2 SIGILL ILL_ILLOPN at its address?")
{
	catch_fault(SIGILL, 0);
	FAULTS(asm volatile(".global undefined\nundefined: ud2"), SIGILL, ILL_ILLOPN);
	CHECK_EQ((uintptr_t)fault.si_addr, (uintptr_t)undefined);
	CHECK_EQ(fault_trapno, 6);
}

TEST("are privileged instructions SIGSEGV SI_KERNEL: hlt, cli, in, mov cr3, wrmsr, lgdt?")
{
	catch_fault(SIGSEGV, 0);
	FAULTS(asm volatile(".global halts\nhalts: hlt"), SIGSEGV, SI_KERNEL);
	CHECK_EQ(fault_rip, (uintptr_t)halts);
	CHECK_EQ(fault_trapno, 13);
	FAULTS(asm volatile("cli"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("in $0x60, %%al" ::: "eax"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("mov %%cr3, %%rax" ::: "rax"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("mov %%rax, %%cr0" ::: "rax"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("wrmsr"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("swapgs"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("lgdt (%%rsp)" ::: "memory"), SIGSEGV, SI_KERNEL);
}

TEST("is int3 SIGTRAP SI_KERNEL with rip after it, and int $3 the same?")
{
	catch_fault(SIGTRAP, 0);
	FAULTS(asm volatile(".global breaks\nbreaks: int3"), SIGTRAP, SI_KERNEL);
	CHECK_EQ(fault_rip, (uintptr_t)breaks + 1);
	CHECK_EQ(fault_trapno, 3);
}

TEST("is the trap flag SIGTRAP TRAP_TRACE after one instruction?")
{
	catch_fault(SIGTRAP, 0);
	FAULTS(asm volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc"),
	       SIGTRAP, TRAP_TRACE);
}

TEST("does single-stepping over a system call and over a fork survive?")
{
	static volatile sig_atomic_t steps;
	struct sigaction action = { 0 };
	pid_t pid;

	void step(int signal)
	{
		(void)signal;
		steps++;
	}

	action.sa_handler = step;
	CHECK_OK(sigaction(SIGTRAP, &action, NULL));
	asm volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
		     "mov $39, %%eax; syscall; nop\n"
		     "pushfq; andl $~0x100, (%%rsp); popfq" ::
			     : "memory", "cc", "rax", "rcx", "r11");
	CHECK_RANGE(steps, 4, 9);
	asm volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
		     "mov $57, %%eax; syscall; nop\n"
		     "pushfq; andl $~0x100, (%%rsp); popfq"
		     : "=a"(pid)::"memory", "cc", "rcx", "r11");
	if (pid == 0)
		_exit(steps > 4 ? 0 : 1);
	CHECK_EXIT(pid, 0);
}

TEST("are software interrupts a program may not use SIGSEGV: int $0, $0x20, $0x81, $0xff?")
{
	catch_fault(SIGSEGV, 0);
	FAULTS(asm volatile("int $0"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("int $0xd"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("int $0x20"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("int $0x81"), SIGSEGV, SI_KERNEL);
	FAULTS(asm volatile("int $0xff"), SIGSEGV, SI_KERNEL);
}

/* Far returns to `segment`: 0x2b may not be run, 0x33 is right. */
static int signal_of_far_return(unsigned long segment)
{
	pid_t pid;
	int status;

	CHILD(pid)
		asm volatile("lea 1f(%%rip), %%rax; push %0; push %%rax; lretq; 1:"
			     :: "r"(segment) : "rax", "memory");
	status = guest_wait(pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* QEMU reads the frame as the kernel: a fault that nothing repairs; Linux sends SIGKILL for it. */
TEST("does a far return in a program return, or end it by a signal, instead of faulting for ever?")
{
	int wrong = signal_of_far_return(0x2b), right = signal_of_far_return(0x33);

	CHECK(wrong == SIGSEGV || wrong == SIGKILL);
	CHECK(right == 0 || right == SIGSEGV || right == SIGKILL);
}

TEST("is a bad page SIGSEGV with trap 14 and the error code for write, user and fetch?")
{
	char *memory = guest_private(PAGE);

	catch_fault(SIGSEGV, 0);
	FAULTS(*(volatile char *)16 = 1, SIGSEGV, SEGV_MAPERR);
	CHECK_EQ(fault_trapno, 14);
	CHECK_EQ(fault_error & 7, 6);
	memory[0] = 1;
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	FAULTS(*(volatile char *)memory = 1, SIGSEGV, SEGV_ACCERR);
	CHECK_EQ(fault_error & 7, 7);
}

TEST("is an unaligned access with the alignment flag set SIGBUS BUS_ADRALN?")
{
	static char buffer[16] __attribute__((aligned(16)));

	catch_fault(SIGBUS, 0);
	FAULTS(asm volatile("pushfq; orl $0x40000, (%%rsp); popfq\n"
			    "movl 1(%0), %%eax\n"
			    "pushfq; andl $~0x40000, (%%rsp); popfq" ::"r"(buffer)
			    : "eax", "memory", "cc"),
	       SIGBUS, BUS_ADRALN);
}

TEST("does a fault with the signal blocked or ignored end the process?")
{
	pid_t pid;
	sigset_t set;

	CHILD(pid) {
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		catch_fault(SIGSEGV, 0);
		*(volatile char *)16 = 1;
	}
	CHECK_SIGNALED(pid, SIGSEGV);
	CHILD(pid) {
		guest_catch(SIGFPE, SIG_IGN, 0);
		divide();
	}
	CHECK_SIGNALED(pid, SIGFPE);
}

TEST("does a handler run on the alternate stack with SA_ONSTACK, and on the ordinary one without?")
{
	size_t bytes = 16 * PAGE;
	char *memory = guest_private(bytes);
	stack_t stack = { .ss_sp = memory, .ss_size = bytes }, got;

	CHECK_OK(sigaltstack(&stack, NULL));
	catch_fault(SIGUSR1, SA_ONSTACK);
	FAULTS(raise(SIGUSR1), SIGUSR1, SI_TKILL);
	CHECK((char *)stack_in_handler >= memory && (char *)stack_in_handler < memory + bytes);
	catch_fault(SIGUSR1, 0);
	FAULTS(raise(SIGUSR1), SIGUSR1, SI_TKILL);
	CHECK(!((char *)stack_in_handler >= memory && (char *)stack_in_handler < memory + bytes));
	CHECK_OK(sigaltstack(NULL, &got));
	CHECK(got.ss_sp == memory);
	CHECK_EQ(got.ss_size, bytes);
	CHECK_EQ(got.ss_flags, 0);
}

static volatile int flags_inside = -1, error_inside;

static void look_at_stack(int signal)
{
	stack_t stack, none = { .ss_flags = SS_DISABLE };

	(void)signal;
	sigaltstack(NULL, &stack);
	flags_inside = stack.ss_flags;
	error_inside = sigaltstack(&none, NULL) < 0 ? errno : 0;
}

TEST("is the alternate stack SS_ONSTACK while used, and EPERM to change then?")
{
	stack_t stack = { .ss_sp = guest_private(16 * PAGE), .ss_size = 16 * PAGE };

	CHECK_OK(sigaltstack(&stack, NULL));
	guest_catch(SIGUSR1, look_at_stack, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(flags_inside, SS_ONSTACK);
	CHECK_EQ(error_inside, EPERM);
}

TEST("is a stack too small ENOMEM, with wrong flags EINVAL, at a bad pointer EFAULT?")
{
	stack_t stack = { .ss_sp = guest_private(PAGE), .ss_size = 100 };

	CHECK_ERRNO(syscall(SYS_sigaltstack, &stack, NULL), ENOMEM);
	stack.ss_size = PAGE;
	stack.ss_flags = 0x99;
	CHECK_ERRNO(syscall(SYS_sigaltstack, &stack, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_sigaltstack, 8, NULL), EFAULT);
	CHECK_ERRNO(syscall(SYS_sigaltstack, NULL, 8), EFAULT);
}

TEST("does a signal that cannot be delivered, for want of a stack, end the process with SIGSEGV?")
{
	static void *const bad[] = { (void *)16, (void *)0xffff888000000000,
				     (void *)0x1234567800000000 };

	for (unsigned i = 0; i < 3; i++) {
		pid_t pid;

		CHILD(pid) {
			struct sigaction action = { .sa_handler = SIG_DFL };

			action.sa_sigaction = on_fault;
			sigaction(SIGUSR1, &action, NULL);
			asm volatile("mov %0, %%rsp; mov $39, %%eax; syscall\n"
				     "mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; syscall\n"
				     "ud2" :: "r"(bad[i]) : "rax", "rcx", "r11", "memory");
			__builtin_unreachable();
		}
		CHECK_SIGNALED(pid, SIGSEGV);
	}
}

TEST("does a handler address nobody can run end the process with SIGSEGV?")
{
	static const uintptr_t bad[] = { 8, 0xffff888000000000, 0x1234567800000000 };

	for (unsigned i = 0; i < 3; i++) {
		pid_t pid;

		CHILD(pid) {
			guest_catch(SIGUSR1, (void (*)(int))bad[i], 0);
			raise(SIGUSR1);
		}
		CHECK_SIGNALED(pid, SIGSEGV);
	}
}

TEST("do registers, flags and the red zone survive a handler?")
{
	unsigned long rbx, r12, rdx, r8, flags, zone;

	guest_catch(SIGUSR1, look_at_stack, 0);
	asm volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x8888, %%r8\n"
		     "movq $0x7777, -120(%%rsp)\n"
		     "stc; std\n"
		     "syscall\n"
		     "pushfq; pop %%rcx; cld\n"
		     "mov -120(%%rsp), %%r9\n"
		     : "=b"(rbx), "=d"(rdx), "=c"(flags)
		     : "a"(SYS_tkill), "D"(syscall(SYS_gettid)), "S"(SIGUSR1), "d"(0x4444)
		     : "r8", "r9", "r11", "r12", "memory", "cc");
	asm volatile("mov %%r12, %0; mov %%r8, %1; mov %%r9, %2" : "=r"(r12), "=r"(r8), "=r"(zone));
	CHECK_EQ(rbx, 0x1111);
	CHECK_EQ(rdx, 0x4444);
	CHECK_EQ(flags & 0x401, 0x401);
	CHECK_EQ(flags_inside, SS_DISABLE);
}
