/*
 * The log's rings. Writers append under a spin lock; a drainer (a kernel thread, see
 * klog_set_drainer) takes bytes out and writes them to the console without it. Taking some and
 * writing them is one step under console_lock: who flushes beside the drainer (power off, log=sync)
 * neither mixes with it nor ends while it holds bytes. The step is as long as the port's FIFO.
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
#define LEVEL_BYTES 3
#define STEP 16UL

struct ring {
	char bytes[RING_SIZE];
	uint64_t written;			/* bytes ever appended */
};

enum log_level log_level = LOG_WARN;

static struct spinlock console_lock = SPINLOCK_INIT(RANK_CONSOLE);
static struct spinlock ring_lock = SPINLOCK_INIT(RANK_LOG);
static struct ring kept GUARDED_BY(&ring_lock);		/* for dmesg: with levels */
static struct ring shown GUARDED_BY(&ring_lock);	/* for the port: what log= lets through */
static uint64_t shown_drained GUARDED_BY(&ring_lock);	/* bytes written out, <= shown.written */

static bool log_sync;				/* [I] after the command line is read */
static void (*drainer_wake)(void);		/* [a] NULL: write through */
static atomic32_t wake_wanted;
static bool log_in_panic;			/* [a] one CPU is left: no lock */

static void append_locked(struct ring *ring, const char *text, size_t n) REQUIRES(&ring_lock)
{
	while (n > 0) {
		size_t at = ring->written % RING_SIZE;
		size_t span = n < RING_SIZE - at ? n : RING_SIZE - at;

		memcpy(ring->bytes + at, text, span);
		ring->written += span;
		text += span;
		n -= span;
	}
}

/* Moves up to `size` undrained bytes to buf; *lost gets how many were overwritten before, and what
 * is left of the line in which that ended. */
static size_t take_locked(char *buf, size_t size, uint64_t *lost) REQUIRES(&ring_lock)
{
	uint64_t before = shown_drained;
	size_t n = 0;

	if (shown.written - shown_drained > RING_SIZE) {
		shown_drained = shown.written - RING_SIZE;
		while (shown_drained < shown.written &&
		       shown.bytes[shown_drained++ % RING_SIZE] != '\n')
			;
	}
	*lost = shown_drained - before;
	while (n < size && shown_drained < shown.written)
		buf[n++] = shown.bytes[shown_drained++ % RING_SIZE];
	return n;
}

static irq_state_t acquire(struct spinlock *lock) NO_LOCK_ANALYSIS
{
	return log_in_panic ? 0 : spin_lock_irqsave(lock);
}

static void release(struct spinlock *lock, irq_state_t state) NO_LOCK_ANALYSIS
{
	if (!log_in_panic)
		spin_unlock_irqrestore(lock, state);
}

/* Returns how many bytes it took. */
static size_t flush_step(void) NO_LOCK_ANALYSIS
{
	irq_state_t console = acquire(&console_lock), state = acquire(&ring_lock);
	char buf[STEP], note[64];
	uint64_t lost;
	size_t n = take_locked(buf, sizeof(buf), &lost);

	release(&ring_lock, state);
	if (lost != 0)
		arch_console_write(note, format_stored(note, sizeof(note),
			"log: %llu bytes lost\n", (unsigned long long)lost));
	arch_console_write(buf, n);
	release(&console_lock, console);
	return n;
}

void klog_flush(void)
{
	while (flush_step() == STEP)
		;
}

/* As Linux's: the level as "<N>", which the port does not get, the time, the words alone. */
static size_t format_line(char *line, size_t size, enum log_level level, const char *format,
			  va_list args)
{
	static const char *const levels[] = { "<3>", "<4>", "<6>", "<7>" };
	uint64_t us = clock_ns() / NSEC_PER_USEC;
	size_t n;

	n = format_stored(line, size, "%s[%5llu.%06llu] ", levels[level],
			  (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
	n += format_string_v(line + n, size - n, format, args);
	/* A line that was cut still ends as a line. */
	if (n > size - 2)
		n = size - 2;
	if (line[n - 1] != '\n')
		line[n++] = '\n';
	return n;
}

/* The port does without the first `hidden` bytes, which may be all. */
static void append(const char *text, size_t n, size_t hidden) NO_LOCK_ANALYSIS
{
	irq_state_t state = acquire(&ring_lock), irq;

	append_locked(&kept, text, n);
	append_locked(&shown, text + hidden, n - hidden);
	release(&ring_lock, state);
	if (hidden == n)
		return;
	if (log_sync || log_in_panic || drainer_wake == NULL) {
		/* A line that is preempted in its middle is hard to read. */
		irq = arch_irq_save();
		klog_flush();
		arch_irq_restore(irq);
	} else if (atomic32_exchange(&wake_wanted, 1) == 0)
		arch_ipi_send(cpu_id(), IPI_RESCHEDULE);
}

void klog_raw(const char *text, size_t n) { append(text, n, 0); }

void klog(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	size_t n;

	if (level > log_level && level > LOG_INFO)
		return;
	va_start(args, format);
	n = format_line(line, sizeof(line), level, format, args);
	va_end(args);
	append(line, n, level <= log_level ? LEVEL_BYTES : n);
}

size_t klog_read_tail(char *buf, size_t n) NO_LOCK_ANALYSIS
{
	irq_state_t state = acquire(&ring_lock);
	uint64_t have = kept.written < RING_SIZE ? kept.written : RING_SIZE;

	if (n > have)
		n = have;
	for (size_t i = 0; i < n; i++)
		buf[i] = kept.bytes[(kept.written - n + i) % RING_SIZE];
	release(&ring_lock, state);
	return n;
}

bool klog_has_undrained(void) NO_LOCK_ANALYSIS
{
	irq_state_t state = acquire(&ring_lock);
	bool some = shown_drained != shown.written;

	release(&ring_lock, state);
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

static void take_value(const char *text, size_t n)
{
	const int which = cmdline_choice_of("log", text, n, "error|warn|info|debug|sync");

	if (which > LOG_DEBUG)
		log_sync = true;
	else if (which >= 0)
		log_level = (enum log_level)which;
}

/* log= takes a level, "sync", or both with a comma; it may be given more than once. */
void klog_init(void)
{
	const char *value;

	for (unsigned int nth = 0; (value = cmdline_get_nth("log", nth)) != NULL; nth++) {
		const char *comma;

		while ((comma = strchr(value, ',')) != NULL) {
			take_value(value, (size_t)(comma - value));
			value = comma + 1;
		}
		take_value(value, strlen(value));
	}
	/* Its lines at each switch are information. */
	if (log_sync && log_level < LOG_INFO)
		log_level = LOG_INFO;
}
