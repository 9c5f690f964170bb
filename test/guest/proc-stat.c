/*
 * Does /proc/stat say where the processors' time went, and count what it counts: interrupts,
 * switches, new tasks, who runs?
 *
 * Others may run beside the test, so what it did itself must at least be there.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

enum { USER, NICE, SYSTEM, IDLE, COLUMNS = 10 };
#define TICK_MS 10		/* _SC_CLK_TCK is 100 on x86-64 */

struct times { long column[COLUMNS]; };

static char text[1 << 16];

static const char *line_of(const char *key)
{
	size_t length = strlen(key);

	CHECK(guest_read_file("/proc/stat", text, sizeof text) > 0);
	for (char *at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (strncmp(at, key, length) == 0 && at[length] == ' ')
			return at + length;
	}
	FAIL("/proc/stat has no line %s", key);
}

static struct times times_in(const char *line)
{
	struct times t;
	char *end;

	for (int i = 0; i < COLUMNS; i++, line = end) {
		t.column[i] = strtol(line, &end, 10);
		CHECK(end != line && t.column[i] >= 0);
	}
	CHECK_EQ(*line, '\n');
	return t;
}

static struct times times(void) { return times_in(line_of("cpu")); }
static unsigned long count(const char *key) { return strtoul(line_of(key), NULL, 10); }

static struct times since(const struct times *before)
{
	struct times now = times();

	for (int i = 0; i < COLUMNS; i++)
		now.column[i] -= before->column[i];
	return now;
}

static long used_ms(void)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void loop_in_user(long ms)
{
	for (long end = used_ms() + ms; used_ms() < end;)
		for (volatile int i = 0; i < 1000000; i++)
			continue;
}

static void loop_in_kernel(long ms)
{
	size_t bytes = 256 * 1024;
	char *memory = guest_private(bytes);
	int fd = CHECK_OK(open("/dev/zero", O_RDONLY));

	for (long end = used_ms() + ms; used_ms() < end;)
		for (int i = 0; i < 20; i++)
			CHECK_EQ(read(fd, memory, bytes), (ssize_t)bytes);
	close(fd);
	munmap(memory, bytes);
}

/* Part of what was used: time is charged by samples, and a busy host stretches some of them. */
#define MUST_HAVE(ms) ((ms) / 4 / TICK_MS)

/* Whether `does` of some time brought the column as much of it as must be, and more than a third of
 * the other one. What others do beside us, and chance, may hide it once. */
static bool charges(void (*does)(long ms), int column, int other)
{
	struct times before, passed;

	for (int i = 0; i < 8; i++) {
		before = times();
		does(500);
		passed = since(&before);
		guest_note("user %ld, nice %ld, system %ld, idle %ld", passed.column[USER],
			   passed.column[NICE], passed.column[SYSTEM], passed.column[IDLE]);
		if (passed.column[column] >= MUST_HAVE(500) &&
		    passed.column[column] > passed.column[other] / 3)
			return true;
	}
	return false;
}

TEST("is a loop of a program user time, and one of system calls system time?")
{
	CHECK(charges(loop_in_user, USER, SYSTEM));
	CHECK(charges(loop_in_kernel, SYSTEM, USER));
}

static void fork_much(long ms)
{
	int64_t end = guest_now_ns() + ms * 1000000L;
	pid_t pid;

	while (guest_now_ns() < end) {
		CHILD(pid)
			_exit(0);
		CHECK_EXIT(pid, 0);
	}
}

static void fault_much(long ms)
{
	size_t bytes = 1024 * PAGE;
	char *memory;

	for (long end = used_ms() + ms; used_ms() < end;) {
		memory = guest_private(bytes);
		for (size_t i = 0; i < bytes; i += PAGE)
			memory[i] = 1;
		munmap(memory, bytes);
	}
}

TEST("are forks and page faults system time?")
{
	CHECK(charges(fork_much, SYSTEM, USER));
	CHECK(charges(fault_much, SYSTEM, USER));
}

TEST("is a niced program's time in the second column?")
{
	CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
	CHECK(charges(loop_in_user, NICE, SYSTEM));
}

static void rest(long ms) { guest_sleep_ms((int)ms); }

TEST("is a processor without work idle, also while it still is?")
{
	CHECK(charges(rest, IDLE, USER));
}

TEST("is a second of each processor a second of its columns, and cpu their sum?")
{
	int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct times before[2][64], sum = { { 0 } }, all;
	int64_t began = guest_now_ns(), passed_ms;

	for (int pass = 0; pass < 2; pass++) {
		all = times();
		sum = (struct times){ { 0 } };
		for (int cpu = 0; cpu < processors && cpu < 64; cpu++) {
			char key[16];

			snprintf(key, sizeof key, "cpu%d", cpu);
			before[pass][cpu] = times_in(line_of(key));
			for (int i = 0; i < COLUMNS; i++)
				sum.column[i] += before[pass][cpu].column[i];
		}
		/* Read one after the other: a little later. */
		for (int i = 0; i < COLUMNS; i++)
			CHECK_RANGE(sum.column[i] - all.column[i], -processors, 100);
		if (pass == 0)
			loop_in_user(600), guest_sleep_ms(400);
	}
	passed_ms = (guest_now_ns() - began) / 1000000;
	for (int cpu = 0; cpu < processors && cpu < 64; cpu++) {
		long ticks = 0;

		for (int i = 0; i < 8; i++)
			ticks += before[1][cpu].column[i] - before[0][cpu].column[i];
		CHECK_RANGE(ticks, passed_ms / TICK_MS * 8 / 10 - 5,
			    passed_ms / TICK_MS * 12 / 10 + 20);
	}
}

TEST("does no column ever go back?")
{
	struct times before = times(), now;

	for (int round = 0; round < 200; round++) {
		if (round % 2 == 0)
			loop_in_kernel(3);
		else
			loop_in_user(3);
		now = times();
		for (int i = 0; i < 4; i++)
			CHECK(now.column[i] >= before.column[i]);
		before = now;
	}
}

static void *nothing(void *arg) { return arg; }

TEST("are new processes and threads counted, and switches and interrupts?")
{
	unsigned long forks = count("processes"), switches = count("ctxt"), interrupts;
	pthread_t thread;
	pid_t pid;

	for (int i = 0; i < 20; i++) {
		CHILD(pid)
			_exit(0);
		CHECK_EXIT(pid, 0);
	}
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
	/* The harness and the kernel's threads may add some. */
	CHECK_RANGE(count("processes") - forks, 25, 1000);
	CHECK(count("ctxt") - switches >= 25);
	interrupts = count("intr");
	CHECK(interrupts > 0);
	for (int i = 0; i < 20; i++)
		guest_sleep_ms(1);
	CHECK(count("intr") - interrupts >= 20);
}

TEST("is the number of running tasks that of those that want a processor?")
{
	pid_t pids[8];
	bool seen = false;

	CHECK(count("procs_running") >= 1);
	CHECK_SOON(count("procs_running") == 1);
	for (int i = 0; i < 8; i++) {
		CHILD(pids[i])
			for (;;)
				sched_yield();
	}
	for (int i = 0; i < 100 && !seen; i++) {
		guest_sleep_ms(10);
		seen = count("procs_running") >= 9;
	}
	for (int i = 0; i < 8; i++) {
		CHECK_OK(kill(pids[i], SIGKILL));
		CHECK_SIGNALED(pids[i], SIGKILL);
	}
	CHECK(seen);
	CHECK_SOON(count("procs_running") < 9);
	CHECK_RANGE(count("procs_blocked"), 0, 1000);
}

TEST("does loadavg end with the tasks that run, those there are, and the number given out last?")
{
	unsigned running, tasks, last, tasks_then;
	struct guest_gate gate = guest_gate();
	double load[3];
	pid_t pid;

	CHECK(guest_read_file("/proc/loadavg", text, sizeof text) > 0);
	CHECK_EQ(sscanf(text, "%lf %lf %lf %u/%u %u", &load[0], &load[1], &load[2], &running,
			&tasks, &last), 6);
	CHECK(running >= 1 && tasks >= 2);
	CHILD(pid)
		guest_gate_pass(&gate);
	CHECK(guest_read_file("/proc/loadavg", text, sizeof text) > 0);
	CHECK_EQ(sscanf(text, "%*f %*f %*f %*u/%u %u", &tasks_then, &last), 2);
	CHECK(last >= (unsigned)pid || (int)last < pid - 1000);
	CHECK_RANGE((int)(tasks_then - tasks), -20, 1000);
	guest_gate_open(&gate);
	CHECK_EXIT(pid, 0);
}
