/*
 * Advisory locks: flock(2), fcntl(2) record locks of processes, and those of open files (OFD).
 *
 * The three kinds are lists on the inode. flock conflicts with flock only; record locks of
 * processes and OFD locks conflict with each other. An owner is an opaque pointer compared for
 * equality: the descriptor table for F_SETLK, the struct file for OFD and flock.
 */
#pragma once

#include "abi/fcntl.h"
#include "core/annotate.h"
#include "core/types.h"

struct file;
struct inode;

/*
 * flock(2): LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB. -EWOULDBLOCK, -ERESTARTSYS, -ENOMEM,
 * -EINVAL.
 */
must_check int file_flock(struct file *file, int operation);

/* What F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW ask. */
struct lock_request {
	const void *owner;		/* process: its descriptor table; OFD: the file */
	int32_t pid;			/* for F_GETLK; -1 for OFD */
	bool ofd;
	bool wait;
};
/* -EAGAIN, -EDEADLK, -EBADF, -EINVAL, -EOVERFLOW, -ENOMEM, -ERESTARTSYS. */
must_check int file_set_lock(struct file *file, const struct abi_flock *lock,
			     const struct lock_request *request);
/* F_GETLK: the first conflicting lock into *lock, or l_type F_UNLCK. */
must_check int file_get_lock(struct file *file, struct abi_flock *lock,
			     const struct lock_request *request);
/* close(2): record locks of `owner` on the file's inode go (POSIX). */
void file_drop_posix_locks(struct file *file, const void *owner);
/* Last reference to the open file: flock and OFD locks go. */
void file_drop_file_locks(struct file *file);
/* The inode goes: its (empty) list is freed. */
void inode_free_locks(struct inode *inode);

/* For /proc/locks. */
struct lock_description {
	const char *kind;		/* "POSIX", "OFDLCK", "FLOCK" */
	bool write, waiting;
	int32_t pid;
	uint64_t device, inode, start, end;	/* end inclusive; UINT64_MAX: end of file */
};
void lock_for_each(void (*fn)(void *arg, const struct lock_description *lock), void *arg);
