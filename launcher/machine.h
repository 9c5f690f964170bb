/*
 * machine.h - the emulator's command line for a run.
 */
#pragma once

#include <stdbool.h>

#include "kernel.h"
#include "options.h"
#include "text.h"

/* Files that the emulator inherits. */
struct machine_files {
	const char *log;	/* path it appends the first serial port's output to */
	int port;		/* its end of the socket pair to init */
};

/* Whether instructions are emulated: KVM cannot be used, or they are to be counted. */
bool machine_is_emulated(const struct options *options);

void machine_command(struct strings *command, const struct options *options,
		     const struct kernel *kernel, const struct machine_files *files);
