/*
 * The host's side of the comparison: system calls in a chroot on tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vfs_compare.h"

#define TMPFS 0x01021994

/* The leak checker needs /proc, which the chroot hides; the tests count what is live themselves. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

static char place[] = "/dev/shm/vfs_testXXXXXX";
static int outside; /* the way back */

bool vfs_host_enter(void)
{
	struct statfs fs;

	if (geteuid() != 0 || statfs("/dev/shm", &fs) != 0 || fs.f_type != TMPFS ||
	    mkdtemp(place) == NULL)
		return false;
	outside = open("/", O_PATH);
	umask(0);
	return chmod(place, 01777) == 0 && chroot(place) == 0 && chdir("/") == 0 &&
	       setgroups(0, NULL) == 0;
}

void vfs_host_leave(void)
{
	char command[sizeof(place) + 10];

	snprintf(command, sizeof(command), "rm -rf %s", place);
	if (fchdir(outside) != 0 || chroot(".") != 0 || system(command) != 0)
		printf("# %s is left behind\n", place);
}

void vfs_host_become(bool user)
{
	setfsgid(user ? VFS_USER : 0);
	setfsuid(user ? VFS_USER : 0);
}

struct vfs_answer vfs_host_do(const struct vfs_request *r)
{
	struct vfs_answer answer = {0};
	struct stat stat = {0};
	int result;

	switch (r->operation) {
	case MKDIR:
		result = mkdir(r->a, r->mode);
		break;
	case MKNOD:
		result = mknod(r->a, S_IFREG | r->mode, 0);
		break;
	case SYMLINK:
		result = symlink(r->b, r->a);
		break;
	case LINK:
		result = linkat(AT_FDCWD, r->a, AT_FDCWD, r->b, r->flags ? AT_SYMLINK_FOLLOW : 0);
		break;
	case UNLINK:
		result = unlink(r->a);
		break;
	case RMDIR:
		result = rmdir(r->a);
		break;
	case RENAME:
		result = renameat2(AT_FDCWD, r->a, AT_FDCWD, r->b, r->flags);
		break;
	case CHMOD:
		result = chmod(r->a, r->mode);
		break;
	case CHOWN:
		result = chown(r->a, r->flags * VFS_USER, VFS_USER);
		break;
	default:
		result =
		    fstatat(AT_FDCWD, r->a, &stat, r->operation == STAT ? 0 : AT_SYMLINK_NOFOLLOW);
	}
	answer.error = result == 0 ? 0 : -errno;
	answer.mode = stat.st_mode;
	answer.nlink = stat.st_nlink;
	answer.uid = stat.st_uid;
	answer.gid = stat.st_gid;
	answer.size = S_ISDIR(stat.st_mode) ? 0 : stat.st_size;
	return answer;
}
