/*
 * Descriptor tables: small integers to open files. Counted: clone(CLONE_FILES) shares, fork copies
 * (lazily: copied on the first change when shared by fork).
 */
#pragma once

#include "core/spinlock.h"
#include "vfs/file.h"

struct fdtable;

must_check struct fdtable *fdtable_create(void);
must_check struct fdtable *fdtable_copy(struct fdtable *from);
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t);			/* the last one closes all */
/* exec: what may fail of the closing, before there is no way back; -ENOMEM. */
must_check int fdtable_prepare_exec(struct fdtable *t);
void fdtable_close_on_exec(struct fdtable *t);

/* Of the current process. fd_get: counted file or NULL (EBADF); also for O_PATH files only with
 * fd_get_any. fd_put ends the use. A single-threaded process pays no atomic (light reference). */
struct fd_ref { struct file *file; bool counted; };
must_check bool fd_get(int fd, struct fd_ref *out);	/* false: EBADF; refuses O_PATH files */
must_check bool fd_get_any(int fd, struct fd_ref *out);	/* O_PATH files too */
static inline void fd_put(struct fd_ref *ref)
{
	if (unlikely(ref->counted))
		file_put(ref->file);
	ref->file = NULL;
}
/* Reserves the lowest free descriptor >= from: -EMFILE, -ENOMEM; then install (cannot fail) or
 * cancel. */
must_check int fd_reserve(int from, bool close_on_exec);
void fd_install(int fd, struct file *file);		/* the reference moves */
void fd_cancel(int fd);
/* reserve + install; on failure the file's reference is put. */
must_check int fd_add(struct file *file, bool close_on_exec);
must_check int fd_close(int fd);			/* flush, put; -EBADF */
must_check int fd_dup_to(int from, int to, bool close_on_exec);
bool fd_close_on_exec(int fd);
int fd_set_close_on_exec(int fd, bool on);
must_check int fd_close_range(unsigned int first, unsigned int last, unsigned int flags);
/* The counted file at `fd` of another process's table; NULL. *next: first used fd >= fd. */
struct file *fdtable_get_file(struct fdtable *t, int fd);
int fdtable_next_fd(struct fdtable *t, int from);	/* -1: none */
bool fdtable_fd_close_on_exec(struct fdtable *t, int fd);
/* unshare(CLONE_FILES), exec: the current task gets a table of its own. */
must_check int fdtable_unshare(void);
