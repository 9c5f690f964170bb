/*
 * Signals: a handler installed, one delivered, one caused by a fault.
 */
#include "perf.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static void *fault_page;
static volatile sig_atomic_t caught;

static void count(int signal)
{
	(void)signal;
	caught++;
}

/* Gives the page its write permission, so that the store is done when it is tried again. */
static void repair(int signal)
{
	(void)signal;
	mprotect(fault_page, 4096, PROT_READ | PROT_WRITE);
}

static void install(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	must(sigaction(signal, &action, NULL) == 0, "sigaction");
}

static void run_install(const struct metric *m)
{
	(void)m;
	MEASURE(200, 200, install(SIGUSR1, count));
}

static void run_deliver(const struct metric *m)
{
	pid_t self = getpid();

	(void)m;
	install(SIGUSR1, count);
	MEASURE(200, 100, must(kill(self, SIGUSR1) == 0, "kill"));
	must(caught > 0, "a signal caught");
}

static void fault(void)
{
	must(mprotect(fault_page, 4096, PROT_READ) == 0, "mprotect");
	*(volatile char *)fault_page = 1;
}

static void run_fault(const struct metric *m)
{
	(void)m;
	fault_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(fault_page != MAP_FAILED, "mmap");
	install(SIGSEGV, repair);
	MEASURE(200, 50, fault());
}

const struct metric signal_metrics[] = {
	{ "signal-install", "sigaction", run_install, 0, 0, 0 },
	{ "signal", "a signal to oneself, its handler and the return", run_deliver, 0, 0, 0 },
	{ "signal-fault", "a page protected, written, SIGSEGV, made writable, written",
	  run_fault, 0, 0, 0 },
	{ 0 },
};
