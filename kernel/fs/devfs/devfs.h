/*
 * devtmpfs: the tree of device nodes that the kernel itself keeps, mounted at /dev.
 */
#pragma once

#include "core/types.h"

/*
 * Makes a node, with the directories above it: path without "/dev/", mode with S_IFCHR or S_IFBLK,
 * rdev by device_make(). May be called before anything is mounted. -ENOMEM, -EEXIST.
 */
must_check int devfs_register(const char *path, uint32_t mode, uint64_t rdev);
/* A symbolic link, e.g. fd -> /proc/self/fd. */
must_check int devfs_symlink(const char *path, const char *target);
void devfs_init(void);
