/*
 * The inside of descriptor tables, for proc/fdtable.c, whose head tells how they work, and
 * proc/fdtable_range.c.
 */
#pragma once

#include "core/spinlock.h"
#include "proc/fdtable.h"
#include "proc/proc_internal.h"

struct fd_body {
	struct refcount references;	/* tables that share it */
	uint32_t capacity;		/* a multiple of 64 */
	uint32_t reserved;		/* bits set without a file */
	uint32_t lowest_free;		/* no free descriptor below it */
	uint64_t *used, *close_on_exec;
	struct file *files[];
};

struct fdtable {
	struct refcount references;
	struct spinlock lock;
	struct fd_body *body;		/* counted; written under lock */
};

/*
 * After success the body is this table's alone and has at least `capacity` slots (0: as it has).
 * -ENOMEM. Lets the lock go when it must copy: what was read before is to be read again.
 */
must_check int fd_body_make_private_locked(struct fdtable *t, uint32_t capacity)
	REQUIRES(&t->lock);
/* Takes the file out of a slot. NULL and *error: -EBADF (empty, or only reserved), -ENOMEM. */
struct file *fd_detach_locked(struct fdtable *t, size_t fd, int *error) REQUIRES(&t->lock);
