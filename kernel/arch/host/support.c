/*
 * What stands in for the log and the panic on the host, and threads that a test starts.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/host/host_internal.h"
#include "core/assert.h"
#include "core/klog.h"

enum log_level log_level = LOG_WARN;

void klog(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# log: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

void klog_wake_drainer(void) { }

void panic(const char *format, ...)
{
	char message[200];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	host_fail("panic: %s", message);
}

/* --- threads ---------------------------------------------------------------------------------------------- */

#define THREADS_MAX 64

struct spawned {
	void (*entry)(void *arg);
	void *arg;
	struct thread *thread;		/* NULL: ended */
};

static struct spawned spawned[THREADS_MAX];
static uint32_t spawned_count;

static void spawned_main(void *arg)
{
	struct spawned *s = arg;

	s->entry(s->arg);
	s->thread = NULL;
	host_threads_live--;
}

struct thread *host_thread(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg)
{
	struct spawned *s = &spawned[spawned_count++];
	struct thread *t;

	if (spawned_count == THREADS_MAX)
		host_fail("too many threads in a scenario");
	s->entry = entry;
	s->arg = arg;
	t = thread_create_kernel(name, spawned_main, s);
	if (t == NULL)
		host_fail("no memory for a thread");
	s->thread = t;
	if (mask != 0)
		t->affinity = mask;
	host_threads_live++;
	return t;
}

struct thread *host_spawn(cpu_mask_t mask, const char *name, void (*entry)(void *arg), void *arg)
{
	struct thread *t = host_thread(mask, name, entry, arg);

	sched_start(t);
	return t;
}

void host_print_threads(void)
{
	static const char *const states[] = { "new", "runnable", "sleeping", "dead" };

	for (uint32_t i = 0; i < spawned_count; i++) {
		const struct thread *t = spawned[i].thread;

		if (t != NULL)
			printf("# thread %s: %s on processor %u, queued %d, waits at %p\n", t->name,
			       states[t->state], t->cpu, t->on_queue, t->wait_reason);
	}
}
