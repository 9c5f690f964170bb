/*
 * exit and wait: statuses and signals as wait4 and waitid report them, zombies, orphans, stopped
 * and continued children, exit_group with threads, and what is accounted to whom.
 */
#include "guest.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

TEST("does wait report each exit status from 0 to 255, of which only the low byte counts?")
{
	pid_t pid;

	for (int i = 0; i < 256; i += 15) {
		CHILD(pid)
			_exit(i);
		CHECK_EXIT(pid, i);
	}
	CHILD(pid)
		_exit(0x12345);
	CHECK_EXIT(pid, 0x45);
}

TEST("does wait report the killing signal, and the core bit only with a core file allowed?")
{
	static const int signals[] = {
		SIGHUP, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM, 34, 64
	};
	pid_t pid;

	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
		CHILD(pid) {
			syscall(SYS_kill, getpid(), signals[i]);
			_exit(1);
		}
		CHECK_EQ(guest_wait(pid), signals[i]);
	}
}

TEST("is WNOHANG 0 while the child runs, its pid after it ended, and ECHILD after that?")
{
	struct guest_gate gate = guest_gate();
	int status;
	pid_t pid;

	CHILD(pid)
		guest_gate_pass(&gate);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	guest_gate_open(&gate);
	CHECK_SOON(waitpid(pid, &status, WNOHANG) == pid);
	CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST("is waiting for a stranger ECHILD, for unknown options EINVAL, with a bad pointer EFAULT?")
{
	pid_t pid;

	CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(-1, NULL, 0x100), EINVAL);
	CHECK_ERRNO(waitpid(INT_MIN, NULL, 0), ESRCH);
	CHILD(pid)
		_exit(0);
	CHECK_ERRNO(syscall(SYS_wait4, pid, (void *)8, 0, NULL), EFAULT);
	/* The child has been reaped all the same. */
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

TEST("does waitpid choose by process group: 0 the caller's own, -N that of N?")
{
	struct guest_gate gate = guest_gate();
	pid_t same, other;
	int status;

	CHILD(other) {
		setpgid(0, 0);
		guest_gate_pass(&gate);
		_exit(2);
	}
	setpgid(other, other);
	CHILD(same)
		_exit(1);
	CHECK_EQ(waitpid(0, &status, 0), same);
	CHECK_ERRNO(waitpid(0, &status, 0), ECHILD);
	CHECK_EQ(waitpid(-other, &status, WNOHANG), 0);
	guest_gate_open(&gate);
	CHECK_EQ(waitpid(-other, &status, 0), other);
	CHECK_EQ(WEXITSTATUS(status), 2);
}

TEST("does a child that ended stay a zombie until it is waited for?")
{
	pid_t pid;

	CHILD(pid)
		_exit(0);
	CHECK_SOON(guest_state(pid) == 'Z');
	CHECK_OK(kill(pid, 0));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
}

TEST("does waitid report exit, kill and dump with code, status, pid and uid?")
{
	siginfo_t info;
	pid_t pid;

	CHILD(pid) {
		CHECK_OK(guest_become_user());
		_exit(99);
	}
	memset(&info, 0, sizeof info);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_status, 99);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_uid, 1000);
	CHILD(pid)
		raise(SIGKILL);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGKILL);
}

TEST("does WNOWAIT leave the child to be waited for again?")
{
	siginfo_t info;
	pid_t pid;

	CHILD(pid)
		_exit(5);
	for (int i = 0; i < 3; i++) {
		memset(&info, 0, sizeof info);
		CHECK_OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
		CHECK_EQ(info.si_pid, pid);
	}
	CHECK_EXIT(pid, 5);
}

TEST("is waitid with WNOHANG and nothing to report 0 with si_pid 0, and without options EINVAL?")
{
	struct guest_gate gate = guest_gate();
	siginfo_t info;
	pid_t pid;

	CHILD(pid)
		guest_gate_pass(&gate);
	memset(&info, 0xff, sizeof info);
	CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	CHECK_EQ(info.si_signo, 0);
	CHECK_ERRNO(waitid(P_PID, pid, &info, 0), EINVAL);
	CHECK_ERRNO(waitid(P_PID, pid, &info, WNOHANG), EINVAL);
	CHECK_ERRNO(waitid(99, pid, &info, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
	guest_gate_open(&gate);
	CHECK_EXIT(pid, 0);
}

TEST("does waitid wait for a process by pidfd, and poll see its end?")
{
	siginfo_t info;
	pid_t pid;
	int fd;

	CHILD(pid)
		_exit(8);
	fd = CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
	CHECK_OK(waitid(3 /* P_PIDFD */, fd, &info, WEXITED));
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_status, 8);
	close(fd);
	CHECK_ERRNO(syscall(SYS_pidfd_open, pid, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_open, 0, 0), EINVAL);
}

TEST("are stop and continue reported once each, only when asked for?")
{
	siginfo_t info;
	int status;
	pid_t pid;

	CHILD(pid) {
		for (;;)
			pause();
	}
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(guest_state(pid), 'T');
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGTSTP));
	CHECK_OK(waitid(P_PID, pid, &info, WSTOPPED));
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGTSTP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_PID, pid, &info, WCONTINUED));
	CHECK_EQ(info.si_code, CLD_CONTINUED);
	CHECK_EQ(info.si_status, SIGCONT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("can a stopped child be killed, and does SIGCONT before the stop cancel it?")
{
	int status;
	pid_t pid;

	CHILD(pid) {
		for (;;)
			pause();
	}
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

static volatile sig_atomic_t child_signals;
static siginfo_t child_info;

static void on_child(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	child_info = *info;
	child_signals++;
}

static void catch_child(int flags)
{
	struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(SIGCHLD, &action, NULL));
}

TEST("does SIGCHLD carry pid, status and code, and come for a stop unless SA_NOCLDSTOP?")
{
	int status;
	pid_t pid;

	catch_child(0);
	CHILD(pid) {
		raise(SIGSTOP);
		_exit(6);
	}
	CHECK_SOON(child_signals == 1);
	CHECK_EQ(child_info.si_code, CLD_STOPPED);
	CHECK_EQ(child_info.si_pid, pid);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	catch_child(SA_NOCLDSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_SOON(child_signals == 2);
	CHECK_EQ(child_info.si_code, CLD_EXITED);
	CHECK_EQ(child_info.si_status, 6);
	CHECK_EXIT(pid, 6);
}

TEST("are children of a parent that ignores SIGCHLD, or says SA_NOCLDWAIT, reaped by themselves?")
{
	pid_t pid;

	guest_catch(SIGCHLD, SIG_IGN, 0);
	CHILD(pid)
		_exit(0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	CHECK_SOON(kill(pid, 0) == -1 && errno == ESRCH);
	guest_catch(SIGCHLD, SIG_DFL, 0);
	catch_child(SA_NOCLDWAIT);
	CHILD(pid)
		_exit(0);
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	CHECK_EQ(errno, ECHILD);
}

static void on_alarm(int signal)
{
	(void)signal;
}

TEST("does a handler without SA_RESTART end a wait with EINTR?")
{
	struct guest_gate gate = guest_gate();
	struct itimerval soon = { .it_value = { 0, 30000 } };
	pid_t pid;

	CHILD(pid)
		guest_gate_pass(&gate);
	catch_child(0);
	guest_catch(SIGALRM, on_alarm, 0);
	CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
	CHECK_ERRNO(waitpid(pid, NULL, 0), EINTR);
	guest_gate_open(&gate);
	CHECK_SOON(waitpid(pid, NULL, 0) == pid || errno == EINTR);
}

TEST("is an orphan given to the nearest subreaper?")
{
	struct guest_gate gate = guest_gate();
	pid_t *orphan = guest_shared(PAGE), self = getpid(), pid;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	CHILD(pid) {
		*orphan = guest_fork();
		if (*orphan == 0) {
			*orphan = getpid();
			guest_gate_pass(&gate);
			_exit(getppid() == self ? 4 : 5);
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_SOON(*orphan != 0);
	guest_gate_open(&gate);
	CHECK_EXIT(*orphan, 4);
}

TEST("is an orphan that is a zombie already waited for by its new parent?")
{
	pid_t *orphan = guest_shared(PAGE), pid;

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	CHILD(pid) {
		pid_t child;

		CHILD(child)
			_exit(17);
		*orphan = child;
		guest_sleep_ms(20);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(*orphan, 17);
}

TEST("does the parent-death signal come when the parent ends?")
{
	struct guest_gate ready = guest_gate(), done = guest_gate();
	pid_t pid;

	CHILD(pid) {
		pid_t child;

		CHILD(child) {
			sigset_t set;
			int signal;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
			CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0));
			guest_gate_open(&ready);
			CHECK_EQ(sigwait(&set, &signal), 0);
			guest_gate_open(&done);
		}
		guest_gate_pass(&ready);
	}
	CHECK_EXIT(pid, 0);
	guest_gate_pass(&done);
}

static void *sleeper(void *arg)
{
	guest_sleep_ms(100000);
	return arg;
}

static void *spinner(void *arg)
{
	for (;;)
		asm volatile("pause" ::: "memory");
	return arg;
}

static void *exiter(void *arg)
{
	syscall(SYS_exit_group, (int)(long)arg);
	return NULL;
}

TEST("does exit_group in any thread end sleeping and spinning threads, with its status?")
{
	pid_t pid;

	for (int i = 0; i < 5; i++) {
		CHILD(pid) {
			pthread_t thread;

			CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
			CHECK_EQ(pthread_create(&thread, NULL, spinner, NULL), 0);
			CHECK_EQ(pthread_create(&thread, NULL, exiter, (void *)44), 0);
			spinner(NULL);
		}
		CHECK_EXIT(pid, 44);
	}
}

static void *exit_later(void *arg)
{
	guest_sleep_ms(50);
	syscall(SYS_exit_group, 21);
	return arg;
}

TEST("does a process live on when only its first thread exits, and is that thread a zombie?")
{
	pid_t pid;

	CHILD(pid) {
		pthread_t thread;

		CHECK_EQ(pthread_create(&thread, NULL, exit_later, NULL), 0);
		syscall(SYS_exit, 3);
	}
	CHECK_SOON(guest_state(pid) == 'Z');
	CHECK_EXIT(pid, 21);
}

static void *wait_child(void *arg)
{
	return (void *)(long)waitpid(*(pid_t *)arg, NULL, 0);
}

TEST("may another thread wait for a child?")
{
	pthread_t thread;
	void *result;
	pid_t pid;

	CHILD(pid)
		guest_sleep_ms(10);
	CHECK_EQ(pthread_create(&thread, NULL, wait_child, &pid), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK_EQ((long)result, pid);
}

TEST("does rusage of a waited child count its processor time, and RUSAGE_CHILDREN sum up?")
{
	struct rusage one, all;
	int status;
	pid_t pid;

	CHILD(pid) {
		for (int64_t start = guest_now_ns(); guest_now_ns() - start < 100000000;)
			;
	}
	CHECK_EQ(wait4(pid, &status, 0, &one), pid);
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &all));
	CHECK_RANGE((one.ru_utime.tv_sec + one.ru_stime.tv_sec) * 1000000 + one.ru_utime.tv_usec +
		    one.ru_stime.tv_usec, 10000, 5000000);
	CHECK_EQ(all.ru_utime.tv_usec, one.ru_utime.tv_usec);
}

TEST("are three hundred zombies at once all waited for, each with its status?")
{
	int seen[256] = { 0 }, status;
	pid_t pid;

	for (int i = 0; i < 300; i++) {
		CHILD(pid)
			_exit(i & 255);
	}
	for (int i = 0; i < 300; i++) {
		CHECK(wait(&status) > 0);
		CHECK(WIFEXITED(status));
		seen[WEXITSTATUS(status)]++;
	}
	for (int i = 0; i < 256; i++)
		CHECK_EQ(seen[i], i < 44 ? 2 : 1);
	CHECK_ERRNO(wait(&status), ECHILD);
}

#define CROWD		3000
#define CROWD_PARENTS	10

/* One of the crowd: tells its pid, joins the group, waits for the gate, ends with its status. */
static void crowd_member(const int gate[2], volatile pid_t *pids, int i, pid_t group)
{
	char byte;

	close(gate[1]);
	CHECK_OK(setpgid(0, i % 3 == 1 ? group : 0));
	pids[i] = getpid();
	CHECK_EQ(read(gate[0], &byte, 1), 0);
	_exit(i % 251);
}

static void crowd_check(volatile pid_t *pids, pid_t pid, int status, char *seen)
{
	int i = 0;

	while (i < CROWD && pids[i] != pid)
		i++;
	CHECK(i < CROWD);
	CHECK_EQ(seen[i]++, 0);
	CHECK_EQ(status, (i % 251) << 8);
}

TEST("of 3,000 orphans that end at once, is each waited for once, by pid, group or any?")
{
	volatile pid_t *pids = mmap(NULL, CROWD * sizeof *pids, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static char seen[CROWD];
	int gate[2], status;
	pid_t parent, pid, group = getpid();

	CHECK((void *)pids != MAP_FAILED);
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(setpgid(0, 0));
	CHECK_OK(pipe(gate));
	for (int p = 0; p < CROWD_PARENTS; p++) {
		CHILD(parent) {
			for (int i = p; i < CROWD; i += CROWD_PARENTS) {
				CHILD(pid)
					crowd_member(gate, pids, i, group);
			}
		}
		CHECK_EXIT(parent, 0);		/* its children are ours now */
	}
	for (int i = 0; i < CROWD; i++)
		CHECK_SOON(pids[i] != 0);
	close(gate[1]);
	for (int i = 0; i < CROWD; i += 3) {
		CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
		crowd_check(pids, pids[i], status, seen);
	}
	while ((pid = waitpid(-group, &status, 0)) > 0)
		crowd_check(pids, pid, status, seen);
	CHECK_EQ(errno, ECHILD);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(seen[i], i % 3 != 2);
	while ((pid = wait(&status)) > 0)
		crowd_check(pids, pid, status, seen);
	CHECK_EQ(errno, ECHILD);
	for (int i = 0; i < CROWD; i++)
		CHECK_EQ(seen[i], 1);
}

TEST("do setpgid and setsid follow the rules: leaders, sessions, executed children?")
{
	struct guest_gate gate = guest_gate();
	pid_t pid;

	CHECK_ERRNO(setsid(), EPERM);		/* the harness made this process a group leader */
	CHILD(pid) {
		CHECK_EQ(getpgid(0), getppid());
		CHECK_OK(setpgid(0, 0));
		CHECK_EQ(getpgrp(), getpid());
		CHECK_OK(setpgid(0, getppid()));
		CHECK_ERRNO(setpgid(0, 999999), EPERM);
		CHECK_ERRNO(setpgid(0, -1), EINVAL);
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERRNO(setpgid(0, 0), EPERM);
		CHECK_ERRNO(setsid(), EPERM);
		guest_gate_open(&gate);
		pause();
	}
	guest_gate_pass(&gate);
	CHECK_ERRNO(setpgid(pid, 0), EPERM);
	CHECK_ERRNO(setpgid(1, 0), ESRCH);
	CHECK_EQ(getsid(pid), pid);
	CHECK_ERRNO(getpgid(999999), ESRCH);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("does a signal that would dump core not claim to have, with a core limit of 0?")
{
	static const int signals[] = { SIGSEGV, SIGABRT, SIGQUIT, SIGILL, SIGFPE, SIGBUS, SIGTRAP };
	struct rlimit none = { 0, 0 };
	siginfo_t info;
	pid_t pid;

	CHECK_OK(setrlimit(RLIMIT_CORE, &none));
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		CHILD(pid)
			raise(signals[i]);
		CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
		CHECK_EQ(info.si_code, CLD_KILLED);
		CHECK_EQ(info.si_status, signals[i]);
		CHECK_EQ(guest_wait(pid), signals[i]);
	}
}
