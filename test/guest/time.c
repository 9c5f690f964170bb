/*
 * Clocks, interval timers, POSIX timers, timerfd, and the accounting calls: that the vDSO and the
 * system call agree, that time never runs backwards, and that timers fire when and as often as
 * asked.
 */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>

static int64_t ns(struct timespec time)
{
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int64_t by_library(clockid_t clock)
{
	struct timespec time;

	CHECK_OK(clock_gettime(clock, &time));
	return ns(time);
}

static int64_t by_kernel(clockid_t clock)
{
	struct timespec time;

	CHECK_OK(syscall(SYS_clock_gettime, clock, &time));
	return ns(time);
}

TEST("do the library's clock (vDSO) and the system call agree to the order of reading?")
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
					    CLOCK_MONOTONIC_RAW };

	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 1000; j++) {
			int64_t a = by_library(clocks[i]), b = by_kernel(clocks[i]);
			int64_t c = by_library(clocks[i]);

			if (a > b || b > c)
				FAIL("clock %d: %lld, %lld, %lld", (int)clocks[i], (long long)a,
				     (long long)b, (long long)c);
		}
	}
}

TEST("is the real time after 2023, and do time, gettimeofday and clock_gettime agree?")
{
	struct timeval day;
	time_t seconds = time(NULL), raw = syscall(SYS_time, NULL);

	CHECK_OK(gettimeofday(&day, NULL));
	CHECK(seconds > 1672531200);
	CHECK_RANGE(day.tv_sec - seconds, 0, 2);
	CHECK_RANGE(raw - seconds, 0, 2);
	CHECK_RANGE(by_library(CLOCK_REALTIME) / 1000000000 - seconds, 0, 3);
	CHECK_OK(syscall(SYS_gettimeofday, &day, NULL));
	CHECK_RANGE(day.tv_sec - seconds, 0, 3);
}

TEST("are coarse clocks behind the fine ones by little, and resolutions sane?")
{
	struct timespec resolution;

	CHECK_RANGE(by_library(CLOCK_REALTIME) - by_library(CLOCK_REALTIME_COARSE), -20000000,
		    1000000000);
	CHECK_RANGE(by_library(CLOCK_MONOTONIC) - by_library(CLOCK_MONOTONIC_COARSE), -20000000,
		    1000000000);
	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &resolution));
	CHECK_EQ(ns(resolution), 1);
	CHECK_OK(clock_getres(CLOCK_REALTIME_COARSE, &resolution));
	CHECK_RANGE(ns(resolution), 1000, 100000000);
	CHECK_ERRNO(syscall(SYS_clock_gettime, 99, &resolution), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8), EFAULT);
	CHECK_ERRNO(clock_getres(99, &resolution), EINVAL);
}

static volatile int64_t latest;
static volatile bool stop;

static void *watch_clock(void *arg)
{
	int64_t mine = 0;

	while (!stop) {
		int64_t seen = __atomic_load_n(&latest, __ATOMIC_ACQUIRE),
			now = by_library(CLOCK_MONOTONIC);

		if (now < seen || now < mine)
			return (void *)1;
		mine = now;
		while (now > seen &&
		       !__atomic_compare_exchange_n(&latest, &seen, now, false, __ATOMIC_RELEASE,
						    __ATOMIC_RELAXED))
			;
	}
	return arg;
}

TEST("does the monotonic clock never run backwards between processors?")
{
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, watch_clock, NULL), 0);
	guest_sleep_ms(500);
	stop = true;
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK(!result);
	}
}

TEST("is setting the real time EPERM for an ordinary user, and EINVAL for wrong clocks and times?")
{
	struct timespec now, later;
	pid_t pid;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &now));
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &now), EPERM);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &now), EINVAL);
	later = now;
	later.tv_nsec = 1000000000;
	CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &later), EINVAL);
	/* Before the machine's start; the permission is asked first. */
	later = (struct timespec){ 0, 0 };
	CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &later),
		    prctl(PR_CAPBSET_READ, 25 /* CAP_SYS_TIME */) == 1 ? EINVAL : EPERM);
}

static volatile sig_atomic_t fired;

static void count_signal(int signal)
{
	(void)signal;
	fired++;
}

TEST("does ITIMER_REAL fire once, or again and again, and tell the time left?")
{
	struct itimerval timer = { .it_value = { 0, 20000 } }, old;

	guest_catch(SIGALRM, count_signal, 0);
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	CHECK_SOON(fired == 1);
	CHECK_OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_value.tv_sec, 0);
	CHECK_EQ(old.it_value.tv_usec, 0);
	timer.it_interval.tv_usec = 10000;
	CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
	CHECK_SOON(fired >= 4);
	timer = (struct itimerval){ .it_value = { 100, 0 } };
	CHECK_OK(setitimer(ITIMER_REAL, &timer, &old));
	CHECK_EQ(old.it_interval.tv_usec, 10000);
	CHECK_OK(getitimer(ITIMER_REAL, &old));
	CHECK_RANGE(old.it_value.tv_sec, 90, 100);
	CHECK_RANGE(alarm(0), 90, 100);
	timer.it_value.tv_usec = 1000000;
	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	CHECK_ERRNO(setitimer(9, &old, NULL), EINVAL);
	CHECK_ERRNO(getitimer(ITIMER_REAL, (void *)8), EFAULT);
}

TEST("do ITIMER_VIRTUAL and ITIMER_PROF run only while the process does?")
{
	struct itimerval timer = { .it_value = { 0, 50000 } };

	guest_catch(SIGVTALRM, count_signal, 0);
	guest_catch(SIGPROF, count_signal, 0);
	CHECK_OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
	guest_sleep_ms(120);
	CHECK_EQ(fired, 0);
	for (int64_t start = guest_now_ns(); !fired && guest_now_ns() - start < 10000000000;)
		;
	CHECK_EQ(fired, 1);
	CHECK_OK(setitimer(ITIMER_PROF, &timer, NULL));
	for (int64_t start = guest_now_ns(); fired < 2 && guest_now_ns() - start < 10000000000;)
		;
	CHECK_EQ(fired, 2);
}

static void note_timer(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (info->si_code == SI_TIMER && info->si_value.sival_int == 1234)
		fired++;
}

TEST("does a POSIX timer signal with its value, periodically, until deleted?")
{
	struct sigaction action = { .sa_sigaction = note_timer, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN,
				  .sigev_value = { .sival_int = 1234 } };
	struct itimerspec times = { .it_value = { 0, 10000000 }, .it_interval = { 0, 10000000 } },
			  got;
	timer_t timer;
	int count;

	CHECK_OK(sigaction(SIGRTMIN, &action, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_OK(timer_gettime(timer, &got));
	CHECK_EQ(ns(got.it_value), 0);
	CHECK_OK(timer_settime(timer, 0, &times, NULL));
	CHECK_SOON(fired >= 5);
	CHECK_OK(timer_gettime(timer, &got));
	CHECK_EQ(ns(got.it_interval), 10000000);
	CHECK_OK(timer_delete(timer));
	count = fired;
	guest_sleep_ms(50);
	CHECK_RANGE(fired, count, count + 1);
}

/* A timer whose signal is SIGRTMIN, which is blocked and in *set. */
static timer_t blocked_timer(clockid_t clock, int flags, struct itimerspec times, sigset_t *set)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	timer_t timer;

	sigemptyset(set);
	sigaddset(set, SIGRTMIN);
	CHECK_OK(sigprocmask(SIG_BLOCK, set, NULL));
	CHECK_OK(timer_create(clock, &event, &timer));
	CHECK_OK(timer_settime(timer, flags, &times, NULL));
	return timer;
}

TEST("does a blocked periodic timer count its overruns and queue one signal?")
{
	struct itimerspec times = { .it_value = { 0, 5000000 }, .it_interval = { 0, 5000000 } };
	struct timespec none = { 0, 0 };
	siginfo_t info;
	sigset_t set;
	timer_t timer = blocked_timer(CLOCK_MONOTONIC, 0, times, &set);

	guest_sleep_ms(100);
	CHECK_EQ(sigtimedwait(&set, &info, &none), SIGRTMIN);
	CHECK_RANGE(info.si_overrun, 10, 2000);
	CHECK_EQ(timer_getoverrun(timer), info.si_overrun);
	/* Of the last signal taken: one that waits again changes nothing. */
	CHECK_SOON(sigpending(&set) == 0 && sigismember(&set, SIGRTMIN));
	CHECK_EQ(timer_getoverrun(timer), info.si_overrun);
	CHECK_OK(timer_delete(timer));
}

/* A period of 1 ns since 1970. */
TEST("is an overrun that no int holds the largest int?")
{
	struct itimerspec times = { .it_value = { 1, 0 }, .it_interval = { 0, 1 } };
	struct timespec soon = { 5, 0 };
	siginfo_t info;
	sigset_t set;
	timer_t timer = blocked_timer(CLOCK_REALTIME, TIMER_ABSTIME, times, &set);

	CHECK_EQ(sigtimedwait(&set, &info, &soon), SIGRTMIN);
	CHECK_EQ(info.si_overrun, INT_MAX);
	CHECK_EQ(timer_getoverrun(timer), INT_MAX);
	CHECK_OK(timer_delete(timer));
}

TEST("are POSIX timers absolute with TIMER_ABSTIME, silent with SIGEV_NONE, refused when wrong?")
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec times = { .it_value = { 1, 0 } };
	timer_t timer;
	int id;

	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
	CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &times, NULL));
	CHECK_OK(timer_gettime(timer, &times));
	CHECK_EQ(ns(times.it_value), 0);
	times.it_value.tv_nsec = 1000000000;
	CHECK_ERRNO(timer_settime(timer, 0, &times, NULL), EINVAL);
	CHECK_OK(timer_delete(timer));
	event.sigev_notify = 77;
	CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_create, 99, NULL, &id), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &id), EFAULT);
	CHECK_ERRNO(syscall(SYS_timer_settime, 12345, 0, &times, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_timer_delete, 12345), EINVAL);
}

TEST("are POSIX timers not inherited by fork's child?")
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec times;
	pid_t pid;
	int id;

	CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
	CHECK_OK(syscall(SYS_timer_gettime, id, &times));
	CHILD(pid)
		CHECK_ERRNO(syscall(SYS_timer_gettime, id, &times), EINVAL);
	CHECK_EXIT(pid, 0);
}

TEST("does timerfd count expirations, block, poll, and give EAGAIN when none?")
{
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct itimerspec times = { .it_value = { 0, 10000000 }, .it_interval = { 0, 10000000 } },
			  got;
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	uint64_t count;

	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
	CHECK_EQ(poll(&poller, 1, 0), 0);
	CHECK_OK(timerfd_settime(fd, 0, &times, NULL));
	CHECK_OK(timerfd_gettime(fd, &got));
	CHECK_EQ(ns(got.it_interval), 10000000);
	CHECK_EQ(poll(&poller, 1, 5000), 1);
	guest_sleep_ms(60);
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_RANGE(count, 5, 1000);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_RANGE(count, 1, 1000);
	CHECK_ERRNO(read(fd, &count, 4), EINVAL);
	times = (struct itimerspec){ 0 };
	CHECK_OK(timerfd_settime(fd, 0, &times, &got));
	CHECK_EQ(ns(got.it_interval), 10000000);
	CHECK_EQ(poll(&poller, 1, 30), 0);
	CHECK_ERRNO(write(fd, &count, 8), EINVAL);
}

TEST("is timerfd right about absolute times and refuses wrong clocks, flags and descriptors?")
{
	int fd = CHECK_OK(timerfd_create(CLOCK_REALTIME, 0));
	struct itimerspec times = { .it_value = { 1, 0 } };
	uint64_t count;

	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &times, NULL));
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK_EQ(count, 1);
	CHECK_ERRNO(timerfd_create(77, 0), EINVAL);
	CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECK_ERRNO(timerfd_settime(fd, 8, &times, NULL), EINVAL);
	CHECK_ERRNO(timerfd_settime(0, 0, &times, NULL), EINVAL);
	CHECK_ERRNO(timerfd_settime(999, 0, &times, NULL), EBADF);
	times.it_value.tv_nsec = -1;
	CHECK_ERRNO(timerfd_settime(fd, 0, &times, NULL), EINVAL);
}

TEST("do times, getrusage and clock() agree about processor time used?")
{
	struct rusage usage;
	struct tms used;
	long by_rusage, by_times;

	for (int64_t start = guest_now_ns(); guest_now_ns() - start < 200000000;)
		;
	CHECK_OK(times(&used));
	CHECK_OK(getrusage(RUSAGE_SELF, &usage));
	by_rusage = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		    (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
	by_times = (used.tms_utime + used.tms_stime) * 10;
	CHECK_RANGE(by_rusage, 10, 5000);
	CHECK_RANGE(by_times - by_rusage, -40, 40);
	CHECK_RANGE(clock() / 1000 - by_rusage, -40, 100);
	CHECK_ERRNO(getrusage(77, &usage), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrusage, RUSAGE_SELF, 8), EFAULT);
}

static int64_t time_us(struct timeval t) { return t.tv_sec * 1000000L + t.tv_usec; }

TEST("do user and system time never go back?")
{
	struct rusage before = { 0 }, now;

	for (int i = 0; i < 20000; i++) {
		if (i % 16 == 0)
			free(memset(malloc(1 << 20), 1, 1 << 20));
		CHECK_OK(getrusage(RUSAGE_SELF, &now));
		CHECK(time_us(now.ru_utime) >= time_us(before.ru_utime));
		CHECK(time_us(now.ru_stime) >= time_us(before.ru_stime));
		before = now;
	}
}

TEST("do the clocks of another process and of a thread tell its time?")
{
	clockid_t clock;
	struct timespec time;
	pid_t pid;

	CHILD(pid) {
		for (;;)
			;
	}
	CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
	CHECK_SOON(clock_gettime(clock, &time) == 0 && ns(time) > 20000000);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_ERRNO(clock_gettime(clock, &time), EINVAL);
	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time));
}

TEST("do many sleepers with different times wake in order?")
{
	int *order = guest_shared(PAGE), *next = order + 100;
	int64_t start = guest_now_ns();
	pid_t pids[10];

	/* Absolute times, and wide apart: the machine itself may be held up. */
	for (int i = 0; i < 10; i++) {
		CHILD(pids[i]) {
			int64_t at = start + (300 + 100 * (9 - i)) * 1000000LL;
			struct timespec until = { at / 1000000000, at % 1000000000 };

			CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
			order[__atomic_fetch_add(next, 1, __ATOMIC_SEQ_CST)] = i;
		}
	}
	for (int i = 0; i < 10; i++)
		CHECK_EXIT(pids[i], 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(order[i], 9 - i);
}
