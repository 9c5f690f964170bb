/*
 * main.c - the `tine` command: its verbs.
 */
#include "image.h"
#include "kernel.h"
#include "lab.h"
#include "run.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: ./tine                                a shell, or a demo without a terminal\n"
	"       ./tine run [OPTIONS] -- CMD [ARG...]  run CMD in Tine; see ./tine run --help\n"
	"       ./tine test [PATTERN...]              the tests, all or those that match\n"
	"       ./tine lab NAME                       measurements; see ./tine lab --help\n"
	"       ./tine bench [--vs linux] [NAME...]   measures; see ./tine bench --help\n"
	"       ./tine image iso FILE                 a bootable image\n";

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
};

static int verb_run(int argc, char **argv)
{
	struct options options;

	options_parse(&options, argc, argv);
	return run(&options);
}

/* Without a command: a shell for a person, a demo for a pipe. */
static int verb_default(void)
{
	static char *shell[] = { "/bin/sh", "-l", NULL };
	static char *demo[] = { "/bin/demo", NULL };
	struct options options;

	options_default(&options);
	options.command = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? shell : demo;
	return run(&options);
}

/* A verb that is a script of the sources. */
_Noreturn static void execute_script(const char *script, char **argv)
{
	argv[0] = text_format("%s/%s", source_directory(), script);
	execv(argv[0], argv);
	die(STATUS_FAILED, "%s: %s", argv[0], strerror(errno));
}

static int verb_test(int argc, char **argv)
{
	(void)argc;
	execute_script("test/run-all", argv);
}

static int verb_bench(int argc, char **argv)
{
	(void)argc;
	execute_script("tools/bench", argv);
}

static int verb_image(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "iso") == 0)
		return image_iso(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		printf("usage: ./tine image iso FILE      a bootable ISO, for BIOS and UEFI\n");
		return 0;
	}
	if (argc >= 2 && strcmp(argv[1], "disk") == 0)
		die(STATUS_USAGE, "image disk is not there yet; try ./tine image iso FILE");
	if (argc < 2)
		die(STATUS_USAGE, "image: what to make is missing; try ./tine image iso FILE");
	if (strcmp(argv[1], "iso") == 0)
		die(STATUS_USAGE, "image iso: must be followed by one FILE");
	die(STATUS_USAGE, "image %s: there is no such image; try ./tine image iso FILE", argv[1]);
}

static int verb_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(usage, stdout);
	return 0;
}

static const struct verb verbs[] = {
	{ "run", verb_run },
	{ "test", verb_test },
	{ "image", verb_image },
	{ "bench", verb_bench },
	{ "lab", lab },
	{ "help", verb_help },
	{ "--help", verb_help },
};

/*
 * A standard file that is closed would be taken by the first file we open. A file opened for its
 * place alone holds the number, and refuses reads and writes as a closed one does.
 */
static void fill_standard_files(void)
{
	int fd;

	do {
		fd = open("/", O_PATH);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* What we print ourselves is written as late as now; a program's output never goes this way. */
static void finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	complain("write: %s", strerror(errno));
	_exit(STATUS_FAILED);
}

int main(int argc, char **argv)
{
	fill_standard_files();
	atexit(finish_output);
	if (argc < 2)
		return verb_default();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	die(STATUS_USAGE, "%s: no such verb; see ./tine help", argv[1]);
}
