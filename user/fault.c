/*
 * fault.c - reads an address that is not mapped, catches the signal, and tells what it said.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define ADDRESS	0xdead000u

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	/* The process can do nothing else now, so it need not be async-signal-safe. */
	printf("    signal %d at address %p, code %d: caught\n", number, info->si_addr,
	       info->si_code);
	fflush(stdout);
	_exit(info->si_addr == (void *)(uintptr_t)ADDRESS ? 0 : 1);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	return *(volatile char *)(uintptr_t)ADDRESS;
}
