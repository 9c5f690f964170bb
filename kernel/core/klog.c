/*
 * The log's ring. Writers append under a spin lock; one drainer (a kernel thread, see
 * klog_set_drainer) takes bytes out and writes them to the console without the lock.
 *
 * Until the drainer exists, with log=sync, and after a panic, a line is written through at once.
 * A ring that overflows keeps the newest text; the drainer says how much it missed.
 *
 * klog() may run under any lock, the run queue's included, so it cannot wake the drainer itself: it
 * sends this CPU an interrupt, whose handler, holding nothing, calls klog_wake_drainer().
 */
#include "core/klog.h"

#include <stdarg.h>

#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/spinlock.h"
#include "lib/format.h"
#include "lib/string.h"

#define RING_SIZE (64 * 1024UL)
#define LINE_MAX 512

enum log_level log_level = LOG_WARN;

static struct spinlock ring_lock = SPINLOCK_INIT(RANK_LOG);
static char ring[RING_SIZE] GUARDED_BY(&ring_lock);
static uint64_t ring_written GUARDED_BY(&ring_lock);	/* bytes ever appended */
static uint64_t ring_drained GUARDED_BY(&ring_lock);	/* bytes written out, <= ring_written */

static bool log_sync;				/* [I] after the command line is read */
static void (*drainer_wake)(void);		/* [a] NULL: write through */
static atomic32_t wake_wanted;
static bool log_in_panic;			/* [a] one CPU is left: no lock */

static void append_locked(const char *text, size_t n) REQUIRES(&ring_lock)
{
	while (n > 0) {
		size_t at = ring_written % RING_SIZE;
		size_t span = n < RING_SIZE - at ? n : RING_SIZE - at;

		memcpy(ring + at, text, span);
		ring_written += span;
		text += span;
		n -= span;
	}
}

/* Moves up to `size` undrained bytes to buf; *lost gets how many were overwritten before. */
static size_t take_locked(char *buf, size_t size, uint64_t *lost) REQUIRES(&ring_lock)
{
	size_t n = 0;

	*lost = 0;
	if (ring_written - ring_drained > RING_SIZE) {
		*lost = ring_written - RING_SIZE - ring_drained;
		ring_drained = ring_written - RING_SIZE;
	}
	while (n < size && ring_drained < ring_written)
		buf[n++] = ring[ring_drained++ % RING_SIZE];
	return n;
}

static irq_state_t ring_acquire(void) NO_LOCK_ANALYSIS
{
	return log_in_panic ? 0 : spin_lock_irqsave(&ring_lock);
}

static void ring_release(irq_state_t state) NO_LOCK_ANALYSIS
{
	if (!log_in_panic)
		spin_unlock_irqrestore(&ring_lock, state);
}

void klog_flush(void) NO_LOCK_ANALYSIS
{
	char buf[256], note[64];
	uint64_t lost;
	size_t n;

	do {
		irq_state_t state = ring_acquire();

		n = take_locked(buf, sizeof(buf), &lost);
		ring_release(state);
		if (lost != 0)
			arch_console_write(note, format_stored(note, sizeof(note),
				"log: %llu bytes lost\n", (unsigned long long)lost));
		arch_console_write(buf, n);
	} while (n == sizeof(buf));
}

static size_t format_line(char *line, size_t size, enum log_level level, const char *format,
			  va_list args)
{
	static const char *const names[] = { "error: ", "warn: ", "", "" };
	uint64_t us = clock_ns() / NSEC_PER_USEC;
	size_t n;

	n = format_stored(line, size, "[%5llu.%06llu] %s", (unsigned long long)(us / 1000000),
			  (unsigned long long)(us % 1000000), names[level]);
	n += format_string_v(line + n, size - n, format, args);
	/* A line that was cut still ends as a line. */
	if (n > size - 2)
		n = size - 2;
	if (line[n - 1] != '\n')
		line[n++] = '\n';
	return n;
}

void klog_raw(const char *text, size_t n) NO_LOCK_ANALYSIS
{
	irq_state_t state = ring_acquire(), irq;

	append_locked(text, n);
	ring_release(state);
	if (log_sync || log_in_panic || drainer_wake == NULL) {
		/* A line that is preempted in its middle is hard to read. */
		irq = arch_irq_save();
		klog_flush();
		arch_irq_restore(irq);
	} else if (atomic32_exchange(&wake_wanted, 1) == 0)
		arch_ipi_send(cpu_id(), IPI_RESCHEDULE);
}

void klog(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	size_t n;

	if (level > log_level)
		return;
	va_start(args, format);
	n = format_line(line, sizeof(line), level, format, args);
	va_end(args);
	klog_raw(line, n);
}

size_t klog_read_tail(char *buf, size_t n) NO_LOCK_ANALYSIS
{
	irq_state_t state = ring_acquire();
	uint64_t have = ring_written < RING_SIZE ? ring_written : RING_SIZE;

	if (n > have)
		n = have;
	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(ring_written - n + i) % RING_SIZE];
	ring_release(state);
	return n;
}

bool klog_has_undrained(void) NO_LOCK_ANALYSIS
{
	irq_state_t state = ring_acquire();
	bool some = ring_drained != ring_written;

	ring_release(state);
	return some;
}

void klog_set_drainer(void (*wake)(void)) { store_release(&drainer_wake, wake); }

void klog_wake_drainer(void)
{
	if (atomic32_load(&wake_wanted) != 0 && atomic32_exchange(&wake_wanted, 0) != 0)
		drainer_wake();
}

bool klog_is_sync(void) { return log_sync; }

void klog_enter_panic(void) { log_in_panic = true; }

/* log= takes a level, "sync", or both with a comma; it may be given more than once. */
void klog_init(void)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const char *value;

	for (unsigned int nth = 0; (value = cmdline_get_nth("log", nth)) != NULL; nth++) {
		while (*value != '\0') {
			const char *comma = strchr(value, ',');
			size_t n = comma != NULL ? (size_t)(comma - value) : strlen(value);

			for (unsigned int i = 0; i < 4; i++)
				if (n == strlen(levels[i]) && strncmp(value, levels[i], n) == 0)
					log_level = (enum log_level)i;
			if (n == 4 && strncmp(value, "sync", 4) == 0)
				log_sync = true;
			value += n + (comma != NULL ? 1 : 0);
		}
	}
	/* Its lines at each switch are information. */
	if (log_sync && log_level < LOG_INFO)
		log_level = LOG_INFO;
}
