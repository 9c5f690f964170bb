/*
 * The kernel's log: a ring in memory, drained to the serial port by a kernel thread, so that
 * logging costs a copy and never waits for a device. `log=sync` writes through instead, and adds a
 * line at each switch of threads (boot/switch_log.c).
 *
 * `log=debug|info|warn|error` (default warn) says what the port gets. What dmesg shows is another
 * ring, which has every line but those of debug, which are formatted only where the port gets them.
 */
#pragma once

#include "core/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;	/* [I] after the command line is read */

void klog(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes out all that the ring holds; safe in a panic (takes no lock then). */
void klog_flush(void);
/* Copies the newest `n` bytes of what was logged to buf, "<N>" with Linux's level in front of each
 * line that has one; returns how many. For syslog(2). */
size_t klog_read_tail(char *buf, size_t n);
/* Text as it is, without level and time; the panic's lines. */
void klog_raw(const char *text, size_t n);

bool klog_is_sync(void);			/* log=sync */
void klog_init(void);			/* reads log= of the command line */
/* From now on a line wakes the drainer: a thread that calls klog_flush() while there is some. */
void klog_set_drainer(void (*wake)(void));
void klog_wake_drainer(void);		/* on receipt of IPI_RESCHEDULE; no lock held */
bool klog_has_undrained(void);
void klog_enter_panic(void);		/* one CPU is left running: no locks from here on */

#define log_error(...) klog(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) klog(LOG_WARN, __VA_ARGS__)
#define log_info(...) klog(LOG_INFO, __VA_ARGS__)
#define log_debug(...) do { if (log_level >= LOG_DEBUG) klog(LOG_DEBUG, __VA_ARGS__); } while (0)
