/*
 * The orderly end: what must be done before the machine goes, newest registration first.
 */
#pragma once

#include "core/types.h"

struct shutdown_hook {
	struct shutdown_hook *next;
	void (*run)(void);			/* may sleep, bounded */
};

void shutdown_register(struct shutdown_hook *hook);
/* Runs the hooks, flushes the log, powers off with this status (0: success). */
void shutdown_power_off(int status) __attribute__((noreturn));
void shutdown_reboot(void) __attribute__((noreturn));
