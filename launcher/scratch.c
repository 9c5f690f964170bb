/*
 * scratch.c - files without a name (scratch.h).
 */
#include "scratch.h"

#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int scratch_file(const char *name)
{
	const int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		die(STATUS_FAILED, "a file in memory: %s; end some programs of the host",
		    strerror(errno));
	return fd;
}

char *scratch_path(int fd) { return text_format("/proc/%d/fd/%d", (int)getpid(), fd); }
