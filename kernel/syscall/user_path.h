/*
 * A path argument of a system call: the name copied in, and where it is relative to.
 */
#pragma once

#include "proc/task.h"

#define USER_PATH_INLINE 200

struct user_path {
	struct path_base base;
	char *name;				/* inline_name or allocated */
	char inline_name[USER_PATH_INLINE];
};

/*
 * `name` is a user address; `dirfd` AT_FDCWD or a descriptor; `flags`: LOOKUP_*, as for the lookup
 * that follows. An empty name is -ENOENT without LOOKUP_EMPTY. -EFAULT, -ENAMETOOLONG, -ENOMEM,
 * -EBADF. Ended by user_path_put() on success only.
 */
must_check int user_path_get(struct user_path *p, int dirfd, uint64_t name, unsigned int flags);
void user_path_put(struct user_path *p);

/* The path of an existing file: counted. `flags`: LOOKUP_*. */
must_check int user_path_lookup(int dirfd, uint64_t name, unsigned int flags, struct path *out);

/* Just the string, kmalloc'ed: for targets of symbolic links, option texts (max with the NUL). */
must_check int user_string_get(uint64_t from, size_t max, char **out);
