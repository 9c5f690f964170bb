/*
 * Signals: numbers, sets, actions, siginfo, alternate stacks, and the frame that a handler gets.
 *
 * A signal set is one 64-bit word, bit n-1 for signal n. The kernel's sigaction differs from the C
 * library's: the flags come before the restorer, the mask last. The frame on the user stack is
 * abi_rt_sigframe with the FPU state at the address uc_mcontext.fpstate, aligned to 64.
 */
#pragma once

#include "abi/types.h"

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX 64
#define SIGIOT SIGABRT
#define SIGPOLL SIGIO
#define NSIG 65 /* signals are 1 to 64 */

typedef uint64_t abi_sigset_t;
#define SIGNAL_BIT(signal) (1ULL << ((signal) - 1))
#define SIGSET_SIZE 8

/* rt_sigprocmask */
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* sa_handler */
#define SIG_DFL 0
#define SIG_IGN 1

/* sa_flags */
#define SA_NOCLDSTOP 0x1
#define SA_NOCLDWAIT 0x2
#define SA_SIGINFO 0x4
#define SA_EXPOSE_TAGBITS 0x800
#define SA_RESTORER 0x4000000
#define SA_ONSTACK 0x8000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000U
/* All that are known; others are cleared, by which programs find out which are. */
#define SA_KNOWN                                                                              \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER |         \
	 SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND)

struct abi_sigaction {
	uint64_t sa_handler;
	uint64_t sa_flags;
	uint64_t sa_restorer;
	abi_sigset_t sa_mask;
};
ABI_SIZE(abi_sigaction, 32);

struct abi_stack {
	uint64_t ss_sp;
	int32_t ss_flags;
	uint32_t pad;
	uint64_t ss_size;
};
ABI_SIZE(abi_stack, 24);
#define SS_ONSTACK 0x1
#define SS_DISABLE 0x2
#define SS_AUTODISARM 0x80000000U
#define MINSIGSTKSZ 2048
#define SIGSTKSZ 8192

union abi_sigval {
	int32_t sival_int;
	uint64_t sival_ptr;
};

/*
 * Which part of the union is meant follows from si_signo and si_code. The rest of the 128 bytes is
 * zero.
 */
struct abi_siginfo {
	int32_t si_signo;
	int32_t si_errno;
	int32_t si_code;
	int32_t pad;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
		} kill;
		struct {
			int32_t tid;
			int32_t overrun;
			union abi_sigval value;
			int32_t sys_private;
		} timer;
		struct {
			int32_t pid;
			uint32_t uid;
			union abi_sigval value;
		} queue;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status;
			int64_t utime; /* USER_HZ ticks */
			int64_t stime;
		} child;
		struct {
			uint64_t addr;
			int16_t addr_lsb;
			uint16_t pad[3];
			uint64_t lower; /* SEGV_BNDERR; SEGV_PKUERR keeps the key here */
			uint64_t upper;
		} fault;
		struct {
			int64_t band;
			int32_t fd;
		} poll;
		struct {
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		} sys;
		uint8_t bytes[112];
	};
};
ABI_SIZE(abi_siginfo, 128);
ABI_OFFSET(abi_siginfo, si_code, 8);
ABI_OFFSET(abi_siginfo, kill, 16);
ABI_OFFSET(abi_siginfo, timer.value, 24);
ABI_OFFSET(abi_siginfo, queue.value, 24);
ABI_OFFSET(abi_siginfo, child.status, 24);
ABI_OFFSET(abi_siginfo, child.utime, 32);
ABI_OFFSET(abi_siginfo, fault.addr_lsb, 24);
ABI_OFFSET(abi_siginfo, fault.lower, 32);
ABI_OFFSET(abi_siginfo, sys.syscall, 24);

/* si_code */
#define SI_USER 0
#define SI_KERNEL 128
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)
#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define ILL_ILLADR 3
#define ILL_ILLTRP 4
#define ILL_PRVOPC 5
#define ILL_PRVREG 6
#define ILL_COPROC 7
#define ILL_BADSTK 8
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define FPE_FLTSUB 8
#define FPE_FLTUNK 14
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_BNDERR 3
#define SEGV_PKUERR 4
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_OBJERR 3
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define TRAP_BRANCH 3
#define TRAP_HWBKPT 4
#define TRAP_UNK 5
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define POLL_IN 1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_ERR 4
#define POLL_PRI 5
#define POLL_HUP 6
#define SYS_SECCOMP 1

struct abi_sigevent {
	union abi_sigval sigev_value;
	int32_t sigev_signo;
	int32_t sigev_notify;
	union {
		int32_t tid;
		struct {
			uint64_t function;
			uint64_t attribute;
		} thread;
		int32_t pad[12];
	} sigev_un;
};
ABI_SIZE(abi_sigevent, 64);
ABI_OFFSET(abi_sigevent, sigev_un, 16);
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4

#define SFD_CLOEXEC 02000000
#define SFD_NONBLOCK 04000

struct abi_signalfd_siginfo {
	uint32_t ssi_signo;
	int32_t ssi_errno;
	int32_t ssi_code;
	uint32_t ssi_pid;
	uint32_t ssi_uid;
	int32_t ssi_fd;
	uint32_t ssi_tid;
	uint32_t ssi_band;
	uint32_t ssi_overrun;
	uint32_t ssi_trapno;
	int32_t ssi_status;
	int32_t ssi_int;
	uint64_t ssi_ptr;
	uint64_t ssi_utime;
	uint64_t ssi_stime;
	uint64_t ssi_addr;
	uint16_t ssi_addr_lsb;
	uint16_t pad2;
	int32_t ssi_syscall;
	uint64_t ssi_call_addr;
	uint32_t ssi_arch;
	uint8_t pad[28];
};
ABI_SIZE(abi_signalfd_siginfo, 128);
ABI_OFFSET(abi_signalfd_siginfo, ssi_ptr, 48);
ABI_OFFSET(abi_signalfd_siginfo, ssi_addr, 72);
