/*
 * session.h - the program's streams, signals and end, carried between the host and the guest.
 */
#pragma once

#include "emulator.h"
#include "options.h"

/* How a session ended. */
enum session_end {
	SESSION_EXITED,		/* the program did, with `status` */
	SESSION_TIMEOUT,
	SESSION_INTERRUPTED,	/* by a signal to the launcher that the guest could not take */
	SESSION_CRASHED,	/* the machine ended, and nobody told how the program did */
};

/* Blocks the signals that the session takes from a file; must come before the emulator's start. */
void session_prepare(void);
enum session_end session_run(struct emulator *emulator, const struct options *options, int *status);
