/*
 * Signals between processes: actions and their flags, masks, queueing and order, interrupted and
 * restarted calls, waiting for signals, stopping and continuing, permission.
 */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>

static volatile sig_atomic_t count, last;
static volatile siginfo_t last_info;


static void note(int signal)
{
	last = signal;
	count++;
}

static void note_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	last_info = *info;
	note(signal);
}

static void catch_info(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = note_info, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(signal, &action, NULL));
}

static void block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static bool is_pending(int signal)
{
	sigset_t set;

	CHECK_OK(sigpending(&set));
	return sigismember(&set, signal) == 1;
}

TEST("does a handler run before kill() to oneself returns, and the program go on after it?")
{
	guest_catch(SIGUSR1, note, 0);
	for (int i = 1; i <= 100; i++) {
		CHECK_OK(kill(getpid(), SIGUSR1));
		CHECK_EQ(count, i);
	}
}

TEST("does sigaction return the old action, and refuse KILL, STOP and numbers out of range?")
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART }, old;

	sigaddset(&action.sa_mask, SIGHUP);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_OK(sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == note);
	CHECK_EQ(old.sa_flags & SA_RESTART, SA_RESTART);
	CHECK_EQ(sigismember(&old.sa_mask, SIGHUP), 1);
	CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
	CHECK_OK(sigaction(SIGKILL, NULL, &old));
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 8, 8), EFAULT);
}

TEST("is a blocked signal pending until unblocked, and taken before the unblocking call returns?")
{
	guest_catch(SIGUSR1, note, 0);
	block(SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK(is_pending(SIGUSR1));
	unblock(SIGUSR1);
	CHECK_EQ(count, 1);
	CHECK(!is_pending(SIGUSR1));
}

TEST("does sigprocmask refuse wrong operations and never block KILL and STOP?")
{
	sigset_t all, got;

	sigfillset(&all);
	CHECK_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	CHECK_OK(syscall(SYS_rt_sigprocmask, 99, NULL, &got, 8));
	CHECK_EQ(sigismember(&got, SIGKILL), 0);
	CHECK_EQ(sigismember(&got, SIGSTOP), 0);
	CHECK_EQ(sigismember(&got, SIGUSR1), 1);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 99, &all, NULL, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8), EFAULT);
}

static volatile int depth, deepest;

static void nest(int signal)
{
	if (++depth > deepest)
		deepest = depth;
	if (++count < 5)
		raise(signal);
	depth--;
}

TEST("is a signal blocked during its own handler, unless SA_NODEFER lets it nest?")
{
	guest_catch(SIGUSR1, nest, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 1);
	CHECK_EQ(count, 5);
	deepest = count = 0;
	guest_catch(SIGUSR1, nest, SA_NODEFER);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(deepest, 5);
}

static volatile bool other_ran_inside;

static void raise_other(int signal)
{
	(void)signal;
	raise(SIGUSR2);
	other_ran_inside = last == SIGUSR2;
}

TEST("are the signals of sa_mask held back during the handler and delivered after?")
{
	struct sigaction action = { .sa_handler = raise_other };

	guest_catch(SIGUSR2, note, 0);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK(other_ran_inside);
	CHECK_EQ(count, 1);
	last = 0;
	sigaddset(&action.sa_mask, SIGUSR2);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK(!other_ran_inside);
	CHECK_EQ(count, 2);
}

TEST("does SA_RESETHAND give one delivery and then the default action?")
{
	struct sigaction action;
	pid_t pid;

	CHILD(pid) {
		guest_catch(SIGUSR1, note, SA_RESETHAND);
		CHECK_OK(raise(SIGUSR1));
		CHECK_EQ(count, 1);
		CHECK_OK(sigaction(SIGUSR1, NULL, &action));
		CHECK(action.sa_handler == SIG_DFL);
		raise(SIGUSR1);
	}
	CHECK_SIGNALED(pid, SIGUSR1);
}

TEST("are default actions right: which signals end a process, and which are ignored?")
{
	for (int signal = 1; signal < 32; signal++) {
		bool ignored = signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH ||
			       signal == SIGCONT;
		int status;
		pid_t pid;

		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
		    signal == SIGTTOU)
			continue;
		CHILD(pid) {
			syscall(SYS_kill, getpid(), signal);
			_exit(9);
		}
		status = guest_wait(pid);
		if (ignored)
			CHECK_EQ(WEXITSTATUS(status), 9);
		else
			CHECK_EQ(WTERMSIG(status), signal);
	}
}

TEST("are real-time signals queued, in order, with their values, lower numbers first?")
{
	union sigval value;

	for (int i = 0; i < 3; i++) {
		catch_info(SIGRTMIN + i, 0);
		block(SIGRTMIN + i);
	}
	for (int i = 0; i < 4; i++) {
		for (int j = 2; j >= 0; j--) {
			value.sival_int = i * 10 + j;
			CHECK_OK(sigqueue(getpid(), SIGRTMIN + j, value));
		}
	}
	for (int j = 0; j < 3; j++) {
		for (int i = 0; i < 4; i++) {
			struct timespec none = { 0, 0 };
			sigset_t set;
			siginfo_t info;

			sigemptyset(&set);
			for (int k = 0; k < 3; k++)
				sigaddset(&set, SIGRTMIN + k);
			CHECK_EQ(sigtimedwait(&set, &info, &none), SIGRTMIN + j);
			CHECK_EQ(info.si_code, SI_QUEUE);
			CHECK_EQ(info.si_value.sival_int, i * 10 + j);
			CHECK_EQ(info.si_pid, getpid());
		}
	}
}

TEST("do handlers of several pending signals all run, each once per queued instance?")
{
	for (int i = 0; i < 4; i++) {
		guest_catch(SIGRTMIN + i, note, 0);
		block(SIGRTMIN + i);
	}
	for (int i = 0; i < 16; i++)
		CHECK_OK(raise(SIGRTMIN + i % 4));
	CHECK_EQ(count, 0);
	for (int i = 0; i < 4; i++)
		unblock(SIGRTMIN + i);
	CHECK_EQ(count, 16);
}

TEST("does siginfo tell who sent: SI_USER, SI_TKILL, SI_QUEUE, pid and uid?")
{
	pid_t parent = getpid(), pid;

	catch_info(SIGUSR1, 0);
	CHILD(pid)
		CHECK_OK(kill(parent, SIGUSR1));
	CHECK_SOON(count == 1);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, pid);
	CHECK_EQ(last_info.si_uid, 0);
	CHECK_EXIT(pid, 0);
	CHECK_OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
	CHECK_EQ(last_info.si_code, SI_TKILL);
	CHECK_EQ(last_info.si_pid, getpid());
}

/* Runs call() while a SIGALRM handler with these flags fires after 50 ms. */
static void alarm_soon(int flags)
{
	struct itimerval soon = { .it_value = { 0, 50000 } };

	guest_catch(SIGALRM, note, flags);
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
}

TEST("is a blocked read EINTR without SA_RESTART, and continued with it?")
{
	int ends[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(ends));
	alarm_soon(0);
	CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
	CHECK_EQ(count, 1);
	alarm_soon(SA_RESTART);
	CHILD(pid) {
		guest_sleep_ms(150);
		CHECK_EQ(write(ends[1], "x", 1), 1);
	}
	CHECK_EQ(read(ends[0], &byte, 1), 1);
	CHECK_EQ(count, 2);
	CHECK_EXIT(pid, 0);
}

TEST("are poll, nanosleep, sigsuspend, pause and epoll EINTR even with SA_RESTART?")
{
	struct timespec ten = { 10, 0 }, left = { 0, 0 };
	sigset_t none;

	sigemptyset(&none);
	alarm_soon(SA_RESTART);
	CHECK_ERRNO(poll(NULL, 0, 10000), EINTR);
	alarm_soon(SA_RESTART);
	CHECK_ERRNO(nanosleep(&ten, &left), EINTR);
	CHECK_RANGE(left.tv_sec, 8, 9);
	alarm_soon(SA_RESTART);
	CHECK_ERRNO(pause(), EINTR);
	alarm_soon(SA_RESTART);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
}

TEST("is a futex wait without a time limit restarted with SA_RESTART, and EINTR without or with "
	"one?")
{
	struct timespec ten = { 10, 0 };
	int *word = guest_shared(PAGE);
	pid_t pid;

	alarm_soon(0);
	CHECK_ERRNO(syscall(SYS_futex, word, 0, 0, NULL), EINTR);
	alarm_soon(SA_RESTART);
	CHECK_ERRNO(syscall(SYS_futex, word, 0, 0, &ten), EINTR);
	CHILD(pid) {
		guest_sleep_ms(150);
		*word = 1;
		CHECK_SOON(syscall(SYS_futex, word, 1, 1) == 1);
	}
	alarm_soon(SA_RESTART);
	CHECK_OK(syscall(SYS_futex, word, 0, 0, NULL));
	CHECK_EQ(count, 3);
	CHECK_EXIT(pid, 0);
}

TEST("does a signal that is ignored or stops and continues leave a sleep undisturbed?")
{
	pid_t pid;
	int status;

	CHILD(pid) {
		struct timespec nap = { 0, 300000000 };

		CHECK_OK(nanosleep(&nap, NULL));
	}
	guest_wait_blocked(pid);
	CHECK_OK(kill(pid, SIGCHLD));
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EXIT(pid, 0);
}

TEST("is poll or read of a stopped and continued process not EINTR?")
{
	struct guest_gate gate = guest_gate();
	int status;
	pid_t pid;

	CHILD(pid) {
		struct pollfd poller = { .fd = gate.fds[0], .events = POLLIN };

		CHECK_EQ(poll(&poller, 1, 10000), 1);
	}
	guest_wait_blocked(pid);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGCONT));
	guest_sleep_ms(20);
	guest_gate_open(&gate);
	CHECK_EXIT(pid, 0);
}

TEST("does sigwaitinfo take a blocked signal, and sigtimedwait end with EAGAIN or EINTR?")
{
	struct timespec short_time = { 0, 30000000 };
	siginfo_t info;
	sigset_t set;
	pid_t parent = getpid(), pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_ERRNO(sigtimedwait(&set, &info, &short_time), EAGAIN);
	short_time.tv_nsec = 1000000000;
	CHECK_ERRNO(sigtimedwait(&set, &info, &short_time), EINVAL);
	CHILD(pid) {
		guest_sleep_ms(30);
		CHECK_OK(kill(parent, SIGUSR1));
	}
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EXIT(pid, 0);
	alarm_soon(0);
	CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), EINTR);
}

TEST("does sigsuspend wait with its mask and put the old one back?")
{
	sigset_t none, got;

	sigemptyset(&none);
	guest_catch(SIGUSR1, note, 0);
	block(SIGUSR1);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(count, 0);
	CHECK_ERRNO(sigsuspend(&none), EINTR);
	CHECK_EQ(count, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &got));
	CHECK_EQ(sigismember(&got, SIGUSR1), 1);
}

TEST("does signalfd hand out blocked signals as records, and poll see them?")
{
	struct signalfd_siginfo info[3];
	struct pollfd poller = { .events = POLLIN };
	union sigval value = { .sival_int = 77 };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = CHECK_OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	poller.fd = fd;
	CHECK_ERRNO(read(fd, info, sizeof info), EAGAIN);
	CHECK_EQ(poll(&poller, 1, 0), 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(sigqueue(getpid(), SIGRTMIN, value));
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_ERRNO(read(fd, info, 10), EINVAL);
	CHECK_EQ(read(fd, info, sizeof info), 2 * sizeof info[0]);
	CHECK_EQ(info[0].ssi_signo, SIGUSR1);
	CHECK_EQ(info[1].ssi_signo, SIGRTMIN);
	CHECK_EQ(info[1].ssi_int, 77);
	CHECK(!is_pending(SIGUSR1));
	CHECK_ERRNO(signalfd(-1, &set, 1), EINVAL);
	CHECK_ERRNO(signalfd(0, &set, 0), EINVAL);
}

TEST("is kill right about groups, strangers, signal 0 and nonsense?")
{
	struct guest_gate gate = guest_gate();
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		CHILD(pids[i]) {
			setpgid(0, i ? pids[0] : 0);
			guest_gate_open(&gate);
			pause();
		}
		guest_gate_pass(&gate);
	}
	CHECK_OK(kill(-pids[0], 0));
	CHECK_OK(kill(-pids[0], SIGTERM));
	for (int i = 0; i < 3; i++)
		CHECK_SIGNALED(pids[i], SIGTERM);
	CHECK_ERRNO(kill(-pids[0], SIGTERM), ESRCH);
	CHECK_ERRNO(kill(pids[0], 0), ESRCH);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(INT_MIN, 0), ESRCH);
	CHECK_ERRNO(kill(9999999, 0), ESRCH);
}

TEST("may an ordinary user signal only processes of the same user, except CONT in a session?")
{
	pid_t root, pid;

	CHILD(root)
		pause();
	CHILD(pid) {
		pid_t mine;

		CHECK_OK(guest_become_user());
		CHECK_ERRNO(kill(root, SIGTERM), EPERM);
		CHECK_ERRNO(kill(root, 0), EPERM);
		CHECK_ERRNO(kill(1, SIGTERM), EPERM);
		CHECK_OK(kill(root, SIGCONT));
		CHILD(mine)
			pause();
		CHECK_OK(kill(mine, SIGTERM));
		CHECK_SIGNALED(mine, SIGTERM);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(kill(root, SIGKILL));
	CHECK_SIGNALED(root, SIGKILL);
}

TEST("are tgkill and tkill right about threads of others, missing ones and wrong ids?")
{
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 9999999, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, getppid(), syscall(SYS_gettid), 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_tgkill, -1, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, 1, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tkill, 0, 0), EINVAL);
	CHECK_OK(syscall(SYS_tkill, syscall(SYS_gettid), 0));
}

static pthread_t others[3];
static volatile pid_t handled_by;

static void note_thread(int signal)
{
	handled_by = syscall(SYS_gettid);
	note(signal);
}

static volatile pid_t other_tid;

static void *wait_here(void *arg)
{
	other_tid = syscall(SYS_gettid);
	guest_sleep_ms(100000);
	return arg;
}

TEST("does a process signal go to a thread that does not block it, and tgkill to the one named?")
{
	guest_catch(SIGUSR1, note_thread, 0);
	CHECK_EQ(pthread_create(&others[0], NULL, wait_here, NULL), 0);
	CHECK_SOON(other_tid != 0);
	block(SIGUSR1);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_SOON(count == 1);
	CHECK_EQ(handled_by, other_tid);
	CHECK_OK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1));
	CHECK(is_pending(SIGUSR1));
	CHECK_EQ(count, 1);
	unblock(SIGUSR1);
	CHECK_EQ(count, 2);
	CHECK_EQ(handled_by, getpid());
}

TEST("does the queue of real-time signals end with EAGAIN at RLIMIT_SIGPENDING?")
{
	union sigval value = { .sival_int = 1 };
	pid_t pid;

	CHILD(pid) {
		int sent = 0;

		CHECK_OK(prlimit(0, RLIMIT_SIGPENDING, &(struct rlimit){ 10, 10 }, NULL));
		CHECK_OK(guest_become_user());
		block(SIGRTMIN);
		while (sigqueue(getpid(), SIGRTMIN, value) == 0)
			CHECK(++sent <= 10);
		CHECK_EQ(errno, EAGAIN);
		CHECK(sent > 0);
	}
	CHECK_EXIT(pid, 0);
}

TEST("can rt_sigqueueinfo not forge a kernel's or kill's siginfo to another process?")
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	pid_t pid;

	CHILD(pid)
		pause();
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
	info.si_code = SI_KERNEL;
	CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
	info.si_code = SI_QUEUE;
	CHECK_OK(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info));
	CHECK_SIGNALED(pid, SIGUSR1);
}

TEST_LIMIT("do two processes that exchange ten thousand signals lose none?", 60)
{
	pid_t parent = getpid(), pid;
	sigset_t set, old;
	enum { ROUNDS = 5000 };

	guest_catch(SIGUSR1, note, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, &old));
	CHILD(pid) {
		for (int i = 0; i < ROUNDS; i++) {
			CHECK_OK(kill(parent, SIGUSR1));
			while (count <= i)
				sigsuspend(&old);
		}
	}
	for (int i = 0; i < ROUNDS; i++) {
		while (count <= i)
			sigsuspend(&old);
		CHECK_OK(kill(pid, SIGUSR1));
	}
	CHECK_EXIT(pid, 0);
}
