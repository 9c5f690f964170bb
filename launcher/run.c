/*
 * run.c - one run of a command in a machine of its own: kernel, machine, session, end.
 */
#include "run.h"

#include "crash.h"
#include "emulator.h"
#include "kernel.h"
#include "machine.h"
#include "session.h"
#include "text.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void check_root(struct options *options)
{
	struct stat status;

	if (!options->root)
		return;
	if (stat(options->root, &status) < 0)
		die(STATUS_USAGE, "--root %s: %s", options->root, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		die(STATUS_USAGE, "--root %s: not a directory", options->root);
	options->root = realpath(options->root, NULL);
	if (!options->root)
		die(STATUS_USAGE, "--root: %s", strerror(errno));
}

/* What the emulator needs to make special files in the host's directory; NULL: it does not. */
static const char *preload_of(const struct options *options)
{
	if (!options->root || !options->write)
		return NULL;
	return text_format("%s/launcher/special_files.so", output_directory());
}

/* For a shell that has a socket for 3. The preload is passed as emulator.c does. */
static int dry_run(const struct options *options, const struct kernel *kernel)
{
	const struct machine_files files = {
		.log = options->log ? options->log : "/dev/null", .port = 3,
	};
	const char *preload = preload_of(options);
	struct strings command = { 0 };

	if (preload) {
		printf("LD_PRELOAD=\"/proc/self/fd/4 $LD_PRELOAD\" 4<");
		text_print_quoted(preload);
		putchar(' ');
	}
	machine_command(&command, options, kernel, &files);
	strings_print_quoted(&command);
	return 0;
}

int run(const struct options *given)
{
	struct options options = *given;
	struct strings command = { 0 };
	struct emulator emulator;
	struct kernel kernel;
	const char *preload;
	enum session_end end;
	int status;

	check_root(&options);
	kernel_choose(&kernel, &options);
	if (options.dry_run)
		return dry_run(&options, &kernel);
	if (options.trace)
		trace_check_path(options.trace);
	session_prepare();
	emulator_prepare(&emulator, options.log);
	preload = preload_of(&options);
	if (preload)
		emulator_preload(&emulator, preload);
	machine_command(&command, &options, &kernel,
			&(struct machine_files){ .log = emulator.log_path, .port = emulator.peer });
	emulator_start(&emulator, &command);
	if (options.gdb_port)
		complain("waiting for a debugger: gdb %s -ex 'target remote :%u'", kernel.path,
			 options.gdb_port);
	end = session_run(&emulator, &options, &status);
	emulator_finish_log(&emulator);
	if (options.trace && end != SESSION_CRASHED)
		(void)trace_write(options.trace, options.trace_format, symbols_open(kernel.path));
	switch (end) {
	case SESSION_CRASHED:
		crash_report(&emulator, &kernel);
		return STATUS_FAILED;
	case SESSION_TIMEOUT:
		complain("the time of %g s was up", options.timeout_ms / 1000.0);
		return STATUS_TIMEOUT;
	default:
		return status;
	}
}
