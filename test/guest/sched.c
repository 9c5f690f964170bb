/*
 * Scheduling calls: sleeping, affinity, nice, policies and their permission, yield, getcpu; and
 * that nobody starves. Bounds on time are loose: the machine may be an emulated one.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/times.h>

TEST("does nanosleep sleep at least as long as asked, and not wildly longer?")
{
	static const int ms[] = { 1, 5, 20, 100 };

	for (int i = 0; i < 4; i++) {
		struct timespec time = { 0, ms[i] * 1000000L };
		int64_t start = guest_now_ns();

		CHECK_OK(nanosleep(&time, NULL));
		CHECK_RANGE(guest_now_ns() - start, ms[i] * 1000000L, 5000000000);
	}
}

TEST("are wrong times EINVAL, bad pointers EFAULT, and a time of zero at once?")
{
	struct timespec wrong[] = { { 0, 1000000000 }, { 0, -1 }, { -1, 0 } }, zero = { 0, 0 };

	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(nanosleep(&wrong[i], NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, 8, NULL), EFAULT);
	CHECK_OK(nanosleep(&zero, NULL));
}

TEST("does clock_nanosleep take absolute times, past ones included, on both clocks?")
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };

	for (int i = 0; i < 3; i++) {
		struct timespec when, now;

		CHECK_OK(clock_gettime(clocks[i], &when));
		when.tv_nsec += 20000000;
		if (when.tv_nsec >= 1000000000) {
			when.tv_nsec -= 1000000000;
			when.tv_sec++;
		}
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &when, NULL), 0);
		CHECK_OK(clock_gettime(clocks[i], &now));
		CHECK(now.tv_sec > when.tv_sec ||
		      (now.tv_sec == when.tv_sec && now.tv_nsec >= when.tv_nsec));
		when.tv_sec = 1;
		CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &when, NULL), 0);
	}
	CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){ 0, 1 }, NULL),
		 EINVAL);
	CHECK_EQ(clock_nanosleep(77, 0, &(struct timespec){ 0, 1 }, NULL), EINVAL);
}

TEST("can a thread be bound to each processor in turn, and does getcpu agree?")
{
	cpu_set_t all, one, got;

	CHECK_OK(sched_getaffinity(0, sizeof all, &all));
	CHECK(CPU_COUNT(&all) >= 1);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned here = -1, node = -1;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		CHECK_OK(sched_setaffinity(0, sizeof one, &one));
		CHECK_OK(syscall(SYS_getcpu, &here, &node, NULL));
		CHECK_EQ(here, cpu);
		CHECK_EQ(node, 0);
		CHECK_EQ(sched_getcpu(), cpu);
		CHECK_OK(sched_getaffinity(0, sizeof got, &got));
		CHECK_EQ(CPU_COUNT(&got), 1);
	}
	CHECK_OK(sched_setaffinity(0, sizeof all, &all));
}

TEST("is affinity inherited by fork, kept by exec's caller, and set for another thread by its id?")
{
	struct guest_gate gate = guest_gate();
	cpu_set_t all, one, got;
	pid_t pid;

	CHECK_OK(sched_getaffinity(0, sizeof all, &all));
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++) {
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	}
	CHECK_OK(sched_setaffinity(0, sizeof one, &one));
	CHILD(pid) {
		CHECK_OK(sched_getaffinity(0, sizeof got, &got));
		CHECK(CPU_EQUAL(&got, &one));
		guest_gate_open(&gate);
		pause();
	}
	guest_gate_pass(&gate);
	CHECK_OK(sched_setaffinity(pid, sizeof all, &all));
	CHECK_OK(sched_getaffinity(pid, sizeof got, &got));
	CHECK(CPU_EQUAL(&got, &all));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("are empty, missing, short and forbidden affinities refused?")
{
	cpu_set_t none, set;
	pid_t pid;

	CPU_ZERO(&none);
	CHECK_ERRNO(sched_setaffinity(0, sizeof none, &none), EINVAL);
	CPU_SET(1000, &none);
	CHECK_ERRNO(sched_setaffinity(0, sizeof none, &none), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 8, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 3, &set), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_getaffinity, 9999999, sizeof set, &set), ESRCH);
	CHECK_OK(sched_getaffinity(0, sizeof set, &set));
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_OK(sched_setaffinity(0, sizeof set, &set));
		CHECK_ERRNO(sched_setaffinity(getppid(), sizeof set, &set), EPERM);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does nice move by steps, stop at its ends, and an ordinary user only go up?")
{
	pid_t pid;

	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
	CHECK_EQ(nice(5), 5);
	CHECK_EQ(nice(100), 19);
	CHECK_EQ(nice(-100), -20);
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 3));
	CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 3);
	CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 17);
	CHECK_ERRNO(setpriority(PRIO_PROCESS, 9999999, 0), ESRCH);
	CHECK_ERRNO(setpriority(9, 0, 0), EINVAL);
	CHILD(pid) {
		CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
		CHECK_OK(guest_become_user());
		CHECK_EQ(nice(2), 5);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 1), EACCES);
		CHECK_ERRNO(nice(-1), EPERM);
		CHECK_ERRNO(setpriority(PRIO_PROCESS, getppid(), 10), EPERM);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(setpriority(PRIO_PGRP, 0, 4));
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 4);
}

TEST("are policies set, read back, inherited, and refused with wrong priorities?")
{
	struct sched_param param = { .sched_priority = 10 };
	pid_t pid;

	CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
	CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
	CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
	CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, 77, &param), EINVAL);
	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR);
	param.sched_priority = 0;
	CHECK_OK(syscall(SYS_sched_getparam, 0, &param));
	CHECK_EQ(param.sched_priority, 10);
	param.sched_priority = 100;
	CHECK_ERRNO(syscall(SYS_sched_setparam, 0, &param), EINVAL);
	CHILD(pid) {
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR);
		param.sched_priority = 0;
		CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
		CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_BATCH);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER | SCHED_RESET_ON_FORK,
			 &(struct sched_param){ 0 }));
	CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER | SCHED_RESET_ON_FORK);
}

TEST("may an ordinary user not have a real-time policy?")
{
	pid_t pid;

	CHILD(pid) {
		struct sched_param param = { .sched_priority = 1 };

		CHECK_OK(guest_become_user());
		CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param), EPERM);
		param.sched_priority = 0;
		CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &param));
	}
	CHECK_EXIT(pid, 0);
}

TEST("does a real-time thread that spins leave others on its processor some time?")
{
	volatile int *stop = guest_shared(PAGE), *spins = stop + 1;
	struct sched_param param = { .sched_priority = 50 };
	cpu_set_t one;
	pid_t pid;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK_OK(sched_setaffinity(0, sizeof one, &one));
	CHILD(pid) {
		int64_t end;

		CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
		*spins = 1;
		end = guest_now_ns() + 8000000000;
		while (!*stop)
			CHECK(guest_now_ns() < end);
	}
	while (!*spins)
		sched_yield();
	*stop = 1;
	CHECK_EXIT(pid, 0);
}

TEST("is the share of real-time threads set by /proc/sys/kernel/sched_rt_{period,runtime}_us?")
{
	static const char period[] = "/proc/sys/kernel/sched_rt_period_us";
	static const char runtime[] = "/proc/sys/kernel/sched_rt_runtime_us";
	char text[32];
	int fd;

	CHECK_OK(guest_read_file(period, text, sizeof text));
	CHECK_STR(text, "1000000\n");
	CHECK_OK(guest_read_file(runtime, text, sizeof text));
	CHECK_STR(text, "950000\n");
	fd = CHECK_OK(open(runtime, O_WRONLY));
	CHECK_ERRNO(pwrite(fd, "1000001", 7, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "-2", 2, 0), EINVAL);
	CHECK_EQ(pwrite(fd, "-1", 2, 0), 2);
	CHECK_OK(guest_read_file(runtime, text, sizeof text));
	CHECK_STR(text, "-1\n");
	CHECK_EQ(pwrite(fd, "950000", 6, 0), 6);
	fd = CHECK_OK(open(period, O_WRONLY));
	CHECK_ERRNO(pwrite(fd, "0", 1, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, "900000", 6, 0), EINVAL);
}

TEST("does sched_rr_get_interval give a positive time for RR and zero for FIFO?")
{
	struct sched_param param = { .sched_priority = 1 };
	struct timespec slice;

	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param));
	CHECK_OK(sched_rr_get_interval(0, &slice));
	CHECK(slice.tv_sec > 0 || slice.tv_nsec > 0);
	CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
	CHECK_OK(sched_rr_get_interval(0, &slice));
	CHECK_EQ(slice.tv_sec * 1000000000 + slice.tv_nsec, 0);
	CHECK_ERRNO(sched_rr_get_interval(9999999, &slice), ESRCH);
}

struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

TEST("do sched_setattr and sched_getattr carry policy, nice and priority?")
{
	struct sched_attributes attributes = { .size = sizeof attributes, .policy = SCHED_BATCH,
					       .nice = 7 };

	CHECK_OK(syscall(SYS_sched_setattr, 0, &attributes, 0));
	memset(&attributes, 0, sizeof attributes);
	CHECK_OK(syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0));
	CHECK_EQ(attributes.size, sizeof attributes);
	CHECK_EQ(attributes.policy, SCHED_BATCH);
	CHECK_EQ(attributes.nice, 7);
	CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attributes, 10, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attributes, 1), EINVAL);
}

static volatile bool stop;
static volatile unsigned long turns[16];

static void *spin(void *arg)
{
	while (!stop)
		turns[(long)arg]++;
	return NULL;
}

TEST_LIMIT("do twice as many spinning threads as processors all get time, and a sleeper wakes "
	   "among them?",
	   60)
{
	int count = 2 * guest_processors();
	pthread_t threads[16];

	if (count > 16)
		count = 16;
	for (long i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, spin, (void *)i), 0);
	for (int i = 0; i < 20; i++) {
		int64_t start = guest_now_ns();

		guest_sleep_ms(10);
		CHECK_RANGE(guest_now_ns() - start, 10000000, 3000000000);
	}
	for (int i = 0; i < count; i++)
		CHECK_SOON(turns[i] > 0);
	stop = true;
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *yield_until(void *arg)
{
	while (!stop)
		sched_yield();
	return arg;
}

static void bind_to_one(void)
{
	cpu_set_t all, one;

	CHECK_OK(sched_getaffinity(0, sizeof all, &all));
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++) {
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	}
	CHECK_OK(sched_setaffinity(0, sizeof one, &one));
}

static volatile unsigned long spins;

static void *spin_until(void *arg)
{
	while (!stop)
		spins++;
	return arg;
}

/* No call sleeps or yields: only the end of a slice lets the other on. */
TEST("do two threads that only spin both get on, on one processor?")
{
	struct timespec used = { 0, 0 };
	pthread_t thread;

	bind_to_one();
	CHECK_EQ(pthread_create(&thread, NULL, spin_until, NULL), 0);
	for (int turns = 0; turns < 3 && used.tv_sec < 5; turns++) {
		unsigned long before = spins;

		while (spins == before && used.tv_sec < 5)
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	}
	stop = true;
	CHECK_RANGE(used.tv_sec, 0, 4);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST("does a thread that only yields let another on the same processor work?")
{
	pthread_t thread;
	volatile unsigned long work = 0;

	bind_to_one();
	CHECK_EQ(pthread_create(&thread, NULL, yield_until, NULL), 0);
	for (work = 0; work < 3000000; work++)
		;
	stop = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST("does process time advance while spinning and stand while sleeping?")
{
	struct timespec before, middle, after;

	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before));
	for (int64_t start = guest_now_ns(); guest_now_ns() - start < 60000000;)
		;
	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &middle));
	guest_sleep_ms(200);
	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after));
	CHECK_RANGE((middle.tv_sec - before.tv_sec) * 1000000000LL + middle.tv_nsec -
			    before.tv_nsec,
		    5000000, 5000000000);
	CHECK_RANGE((after.tv_sec - middle.tv_sec) * 1000000000LL + after.tv_nsec - middle.tv_nsec,
		    0, 100000000);
}
