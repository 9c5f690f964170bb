/*
 * The file layer on the host with one thread: what vfs/ and tmpfs ask of the layers below, for
 * tests and fuzzers that look at names and paths. Locks are real enough to notice a lock taken
 * twice, left held, or a mutex taken under a spin lock; every allocation is the C library's,
 * watched by the sanitiser, and can be made to fail.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vfs/inode.h"
#include "vfs/path.h"

/* Boots vfs and tmpfs, with a tmpfs as the root; once. *root is counted. */
void vfs_single_boot(struct path *root);

/* The nth allocation or fail point from now on fails, n = 1, 2, ...; 0: none does. */
extern uint32_t vfs_single_fail;

/* Allocated and not freed: to be compared before and after. */
extern size_t vfs_single_live;

/* Aborts if a lock is held: after each operation. */
void vfs_single_check(void);
