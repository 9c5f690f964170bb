/*
 * image.c - bootable images: tools/setup/iso does the work, and installs what it needs.
 */
#include "image.h"

#include "kernel.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int image_iso(const char *file)
{
	const char *script = text_format("%s/tools/setup/iso", source_directory());
	struct options options;
	struct kernel kernel;

	options_default(&options);
	kernel_choose(&kernel, &options);
	execl(script, script, kernel.path, kernel.initramfs, file, (char *)NULL);
	die(STATUS_FAILED, "%s: %s", script, strerror(errno));
}
