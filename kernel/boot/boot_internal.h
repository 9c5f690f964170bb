/*
 * The order in which the kernel comes up. Private to boot/.
 */
#pragma once

/* One call and why it stands where it does. */
struct init_call {
	void (*call)(void);
	const char *name;
	const char *reason;
};

/* Ended by a NULL call. */
extern const struct init_call init_early[];	/* boot stack, interrupts off, one processor */
extern const struct init_call init_late[];	/* a kernel thread: may sleep; all processors */

void machine_memory_init(void);
void log_thread_start(void);
void switch_log_start(void);
void trace_rings_init(void);
void trace_rings_complete(void);
void root_mount(void);
void first_process_prepare(void);
void first_process_start(void);
