/*
 * The last step of the boot: a root file system, what the boot loader brought in it, and PID 1.
 *
 * init=PATH names the program, /init without it; what stands behind `--` on the command line are
 * its arguments. init="PATH ARGUMENT..." is for whom words behind `--` do not serve: an emulator
 * that appends words for the kernel.
 */
#include "boot/boot_internal.h"
#include "core/assert.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "fs/initramfs/initramfs.h"
#include "lib/string.h"
#include "lib/words.h"
#include "proc/task.h"
#include "vfs/mount.h"

#define ARGUMENTS_MAX 64

static const char *arguments[ARGUMENTS_MAX + 2];
static char program_text[2048], argument_text[2048];
static const char *const environment[] = { "HOME=/", "TERM=linux",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };

void root_mount(void)
{
	struct path root;
	int error;

	if (vfs_mount_root("tmpfs", &root) != 0)
		panic("the root file system cannot be mounted");
	process_set_root(&root);
	error = initramfs_unpack(&root);
	/* What came before the fault may be enough: let the first program decide. */
	if (error != 0)
		log_error("initramfs: unpacking ended with error %d", -error);
	path_put(&root);
}

/* Returns how many there are then. */
static unsigned int arguments_add(unsigned int n, const char *text, char *buffer, size_t size)
{
	struct words cursor;
	struct word word;

	words_init(&cursor, text, strlen(text), buffer, size);
	while (n <= ARGUMENTS_MAX && words_next(&cursor, &word)) {
		/* A word here is a word: the splitter's cut at '=' is undone. */
		if (word.value != NULL)
			((char *)word.value)[-1] = '=';
		arguments[n++] = word.name;
	}
	return n;
}

void first_process_prepare(void)
{
	const char *program = cmdline_get("init"), *rest = cmdline_rest();
	unsigned int n = 0;

	if (program != NULL)
		n = arguments_add(0, program, program_text, sizeof(program_text));
	if (n == 0)
		arguments[n++] = "/init";
	if (rest != NULL)
		(void)arguments_add(n, rest, argument_text, sizeof(argument_text));
}

void first_process_start(void)
{
	if (process_start_init(arguments[0], arguments, environment) != 0)
		panic("no memory for the first process");
}
