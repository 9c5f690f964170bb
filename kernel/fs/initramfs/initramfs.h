/*
 * initramfs: fills the first file system from the archive that the boot loader brought.
 */
#pragma once

#include "core/types.h"

struct path;

/*
 * Unpacks boot_info.initrd below `root` and gives its memory back: cpio (newc), plain, gzip or
 * zstd, any number of archives one behind the other. 0, also without an initrd; -EINVAL: malformed
 * (what came before stays), -ENOMEM, -ENOSPC.
 */
must_check int initramfs_unpack(const struct path *root);
