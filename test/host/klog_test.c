/*
 * Does the log keep each line whole and once, whoever writes and drains beside; what is left when
 * its ring overflows; is a long line cut as a line; does log=sync write before it returns; and is
 * what the port does not get kept for dmesg?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/cmdline.c core/fail_point.c core/klog.c
 * links: lib/format.c lib/number.c lib/rbtree.c lib/string.c lib/string_bounded.c lib/words.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/sleep.c sched/stats.c sched/switch.c sched/thread.c sched/wait.c sched/wake.c
 * links: sched/rt_limit.c sched/worker.c
 * helpers: sched_memory.c virtual.c explore.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cmdline.h"
#include "core/klog.h"
#include "explore.h"
#include "host_test.h"
#include "sched/wait.h"

#define RING_BYTES (64 * 1024)
#define LINE_BYTES 512
#define WRITERS 2
#define LINES 3

/* What came out of the port; a writer may be interrupted at each piece. */
static char out[2 * RING_BYTES];
static size_t out_bytes;
static uint32_t wakes;

static void port(const char *text, size_t n)
{
	HOST_EXPECT(out_bytes + n < sizeof(out));
	for (size_t i = 0; i < n; i++) {
		out[out_bytes++] = text[i];
		if (i == n / 2)
			arch_schedule_point();
	}
}

static struct wait_queue drainer_queue = WAIT_QUEUE_INIT(drainer_queue);

static void count_wake(void)
{
	wakes++;
	wake_up_all(&drainer_queue);
}

static void begin(const char *words)
{
	out_bytes = 0;
	wakes = 0;
	host_console_hook = port;
	cmdline_init(words);
	klog_init();
}

/* How often the line is there, from the end of its time stamp to its own. */
static unsigned int lines_of(const char *said)
{
	unsigned int n = 0;
	char want[LINE_BYTES];

	snprintf(want, sizeof(want), "] %s\n", said);
	out[out_bytes] = '\0';
	for (const char *at = out; (at = strstr(at, want)) != NULL; at++)
		n++;
	return n;
}

static unsigned int line_count(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < out_bytes; i++)
		n += out[i] == '\n';
	return n;
}

/* --- one thread ------------------------------------------------------------------------------- */

static void (*the_case)(void);
static void case_main(void *arg) { the_case(); }
static void case_setup(void) { host_spawn(1u << 0, "case", case_main, NULL); }
static void case_check(void) { }

static void run_alone(const char *name, void (*what)(void))
{
	const struct scenario s = { .name = name, .setup = case_setup, .check = case_check };

	the_case = what;
	boot_once(WRITERS);
	explore_once(&s);
}

static void levels(void)
{
	begin("log=info");
	klog(LOG_INFO, "one %d", 1);
	log_debug("not this");
	klog(LOG_ERROR, "two\n");
	HOST_EXPECT(lines_of("one 1") == 1 && lines_of("two") == 1 && line_count() == 2);
	HOST_EXPECT(out[0] == '[');
}

TEST(a_line_has_its_time_its_level_and_one_end) { run_alone("klog-levels", levels); }

/* What log= keeps from the port is kept all the same, and wakes no drainer; debug is not. */
static void kept(void)
{
	char tail[256];

	begin("log=warn");
	klog_set_drainer(count_wake);
	log_info("one");
	log_debug("not this");
	arch_schedule_point();
	HOST_EXPECT(wakes == 0 && !klog_has_undrained());
	log_error("two");
	klog_flush();
	HOST_EXPECT(line_count() == 1 && lines_of("two") == 1);
	tail[klog_read_tail(tail, sizeof(tail) - 1)] = '\0';
	HOST_EXPECT(strstr(tail, "] one\n<3>[") != NULL && strstr(tail, "] two\n") != NULL);
	HOST_EXPECT(strstr(tail, "<6>[") != NULL && strstr(tail, "not this") == NULL);
}

TEST(a_line_that_the_port_does_not_get_is_kept) { run_alone("klog-kept", kept); }

/* Longer than a line may be: cut, but a line. */
static void long_line(void)
{
	char text[2 * LINE_BYTES];

	begin("");
	for (size_t length = LINE_BYTES - 40; length < sizeof(text); length++) {
		memset(text, 'x', length);
		text[length] = '\0';
		out_bytes = 0;
		klog(LOG_WARN, "%s", text);
		HOST_EXPECT(out_bytes < LINE_BYTES && out[out_bytes - 1] == '\n');
		HOST_EXPECT(line_count() == 1 && out_bytes > LINE_BYTES - 30);
	}
}

TEST(a_long_line_is_cut_and_ends_as_a_line) { run_alone("klog-long", long_line); }

/* Nobody drains: the oldest go, a cut one with them; how much went is said. */
static void overflow(void)
{
	unsigned long long lost;
	char tail[24], last[32];
	size_t said = 0, got;

	begin("");
	klog_set_drainer(count_wake);
	for (unsigned int i = 0; said < RING_BYTES + RING_BYTES / 2; i++) {
		snprintf(last, sizeof(last), "line %u", i);
		klog(LOG_WARN, "%s", last);
		said += strlen("[    0.000000] \n") + strlen(last);
	}
	HOST_EXPECT(out_bytes == 0 && klog_has_undrained());
	klog_flush();
	HOST_EXPECT(!klog_has_undrained());
	out[out_bytes] = '\0';
	HOST_EXPECT(sscanf(out, "log: %llu bytes lost\n", &lost) == 1);
	HOST_EXPECT(strchr(out, '\n')[1] == '[');
	HOST_EXPECT(out_bytes - (size_t)(strchr(out, '\n') + 1 - out) + lost == said);
	got = klog_read_tail(tail, sizeof(tail) - 1);
	HOST_EXPECT(got == sizeof(tail) - 1);
	tail[got] = '\0';
	HOST_EXPECT(strstr(tail, last) != NULL && tail[got - 1] == '\n');
	HOST_EXPECT(memcmp(tail, out + out_bytes - got, got) == 0);
}

TEST(a_ring_that_overflows_keeps_the_newest_lines_and_says_what_it_lost)
{
	run_alone("klog-overflow", overflow);
}

/* What is longer than the ring: its end. */
static void raw_overflow(void)
{
	static char text[RING_BYTES + 100];

	begin("");
	klog_set_drainer(count_wake);
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 10] = '\n';
	klog_raw(text, sizeof(text));
	HOST_EXPECT(klog_read_tail(text, sizeof(text)) == RING_BYTES);
	klog_flush();
	HOST_EXPECT(out_bytes > 9 && memcmp(out + out_bytes - 9, "aaaaaaaaa", 9) == 0);
}

TEST(a_text_longer_than_the_ring_leaves_its_end) { run_alone("klog-raw", raw_overflow); }

/* --- several ---------------------------------------------------------------------------------- */

static void write_lines(void *arg)
{
	char want[LINE_BYTES];

	for (int i = 0; i < LINES; i++) {
		klog(LOG_WARN, "writer %d line %d", (int)(uintptr_t)arg, i);
		snprintf(want, sizeof(want), "writer %d line %d", (int)(uintptr_t)arg, i);
		HOST_EXPECT(!klog_is_sync() || lines_of(want) == 1);
	}
}

/* As boot/log_thread.c's, with an end: nobody but the log wakes it. */
static void drain(void *arg)
{
	while (line_count() < WRITERS * LINES) {
		wait_event(&drainer_queue, klog_has_undrained());
		klog_flush();
	}
}

static void spawn_writers(void)
{
	for (uintptr_t i = 0; i < WRITERS; i++)
		host_spawn(1u << i, "writer", write_lines, (void *)i);
}

static void setup_drained(void)
{
	begin("");
	klog_set_drainer(count_wake);
	spawn_writers();
	host_spawn(1u << 0, "drainer", drain, NULL);
}

static void setup_sync(void)
{
	begin("log=sync");
	klog_set_drainer(count_wake);
	HOST_EXPECT(klog_is_sync() && log_level == LOG_INFO);
	spawn_writers();
}

static void check_lines(void)
{
	char want[LINE_BYTES];

	for (int w = 0; w < WRITERS; w++)
		for (int i = 0; i < LINES; i++) {
			snprintf(want, sizeof(want), "writer %d line %d", w, i);
			HOST_EXPECT(lines_of(want) == 1);
		}
	HOST_EXPECT(line_count() == WRITERS * LINES && !klog_has_undrained());
}

static void check_drained(void)
{
	check_lines();
	HOST_EXPECT(wakes > 0 && wakes <= WRITERS * LINES);
}

static void check_sync(void)
{
	check_lines();
	HOST_EXPECT(wakes == 0);
}

static void explore_both(const struct scenario *s)
{
	boot_once(WRITERS);
	explore_all(s, 1);
	explore_random(s, 500);
}

TEST(lines_of_two_writers_and_a_drainer_come_out_whole_and_once)
{
	explore_both(&(struct scenario){ "klog-drained", setup_drained, check_drained, 0 });
}

TEST(with_log_sync_a_line_is_out_when_the_call_returns)
{
	explore_both(&(struct scenario){ "klog-sync", setup_sync, check_sync, 0 });
}
