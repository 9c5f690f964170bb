/*
 * tmpfs: files in memory. The page cache is the store: objects without read_page.
 */
#pragma once

#include "core/types.h"

struct file;
struct super;

void tmpfs_init(void);			/* registers tmpfs and ramfs */

/* memfd_create(2): flags MFD_*; name as the program gave it. -EINVAL, -ENOMEM. */
must_check int memfd_create_file(const char *name, unsigned int flags, struct file **out);
/* fcntl(2) F_ADD_SEALS, F_GET_SEALS: -EINVAL for files that are not of tmpfs, -EPERM, -EBUSY. */
must_check int memfd_add_seals(struct file *file, uint32_t seals);
must_check int memfd_get_seals(struct file *file);
/* An instance without limits for devfs. */
struct fs_type;
must_check int tmpfs_create_instance(const struct fs_type *type, struct super **out);
