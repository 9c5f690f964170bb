/*
 * special_files.c - lets the emulator's 9p server make FIFOs, sockets and devices.
 *
 * The server refuses to open what is neither file nor folder (CVE-2023-2861), so that a guest
 * cannot open a device of the host. That of QEMU 7.2 also refuses its own descriptors with O_PATH,
 * which open nothing, and by which it changes modes: Tmknod makes the node, fails at its mode, and
 * removes it again; ENXIO. Loaded into it by LD_PRELOAD, this answers what it asks about such a
 * descriptor: a special file's is told to be a regular one's. An opened special file is still seen
 * as what it is.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_special(mode_t mode)
{
	return S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISCHR(mode) || S_ISBLK(mode);
}

/* The name that the emulator was linked with: large files are the only ones on this machine. */
int fstat64(int fd, struct stat64 *status)
{
	if (syscall(SYS_fstat, fd, status) < 0)
		return -1;
	if (is_special(status->st_mode) && (fcntl(fd, F_GETFL) & O_PATH))
		status->st_mode = (status->st_mode & ~(mode_t)S_IFMT) | S_IFREG;
	return 0;
}
