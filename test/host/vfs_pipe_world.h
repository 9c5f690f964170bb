/*
 * What pipes and eventfds ask of the layers below, for tests that explore schedules: files and
 * inodes without a file system, a few page frames, objects counted.
 */
#pragma once

#include "vfs/file.h"
#include "vfs/inode.h"

void world_boot_pipes(void);
void world_close(struct file *file);
/* Opens the one FIFO there is. */
int world_open_fifo(int flags, struct file **out);
/* Nothing is left: files, inodes, pages, objects. */
void world_check_empty(void);
