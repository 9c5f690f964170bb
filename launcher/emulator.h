/*
 * emulator.h - the emulator's process: started, watched, ended.
 */
#pragma once

#include "text.h"

#include <stdbool.h>
#include <sys/types.h>

struct emulator {
	pid_t pid;		/* -1 once it has been reaped */
	int status;		/* from waitpid, once reaped */
	int port;		/* our end of the socket pair to init; non-blocking */
	int peer;		/* its end; closed after the start */
	int errors;		/* what it says on its stderr */
	int log;		/* the kernel's log, to be read back */
	const char *log_path;	/* what the emulator appends to */
	int log_copy;		/* where the log is copied at the end, or -1 */
	int preload;		/* a shared object to be loaded into it, or -1 */
};

/* Makes the files that the command line names. `log` is the user's file, or NULL. */
void emulator_prepare(struct emulator *emulator, const char *log);
/* Has the shared object at `path` loaded into it (LD_PRELOAD), before the start. */
void emulator_preload(struct emulator *emulator, const char *path);
void emulator_start(struct emulator *emulator, const struct strings *command);
/* True when it has ended; never blocks. */
bool emulator_has_ended(struct emulator *emulator);
/* Gives it `grace_ms` to end by itself, then kills it. */
void emulator_end(struct emulator *emulator, int grace_ms);
/* Brings the log to where the user wants it; call after the end. */
void emulator_finish_log(struct emulator *emulator);
