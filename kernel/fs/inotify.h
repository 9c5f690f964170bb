/*
 * inotify: what happens to files, as a file.
 */
#pragma once

#include "abi/inotify.h"
#include "core/types.h"

struct file;
struct path;

/* inotify_init1(2): IN_NONBLOCK. -EINVAL, -ENOMEM. */
must_check int inotify_create_file(int flags, struct file **out);
/* A watch descriptor (> 0) for what `path` leads to, which the caller may read and looked up as
 * IN_DONT_FOLLOW and IN_ONLYDIR ask. -EINVAL, -EEXIST (IN_MASK_CREATE), -ENOSPC, -ENOMEM. */
must_check int inotify_add(struct file *file, const struct path *path, uint32_t mask);
bool inotify_is_file(const struct file *file);
must_check int inotify_remove(struct file *file, int watch);
void inotify_init(void);
