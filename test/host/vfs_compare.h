/*
 * One operation on names, and what it says: the same for our vfs and for the host's system calls,
 * whose headers cannot be included together.
 */
#pragma once

#include <stdbool.h>

enum vfs_operation {
	MKDIR,
	MKNOD,
	SYMLINK,
	LINK,
	UNLINK,
	RMDIR,
	RENAME,
	CHMOD,
	CHOWN,
	STAT,
	LSTAT,
	OPERATIONS
};

struct vfs_request {
	enum vfs_operation operation;
	char a[2048], b[2048];
	unsigned mode, flags;
};

struct vfs_answer {
	int error; /* 0 or -errno */
	unsigned mode, uid, gid; /* of STAT and LSTAT */
	unsigned long nlink;
	long size; /* 0 for directories: each file system has its own idea */
};

#define VFS_USER 1000 /* who the other user is, on either side */

/* Moves into an empty directory of the host's tmpfs, as its root; false where that cannot be. */
bool vfs_host_enter(void);
/* Goes back and removes the directory. */
void vfs_host_leave(void);
void vfs_host_become(bool user);
struct vfs_answer vfs_host_do(const struct vfs_request *request);
