/*
 * Changing the working directory and the root of the current task (struct fs_state: proc/task.h).
 */
#pragma once

#include "proc/task.h"

/* `which` is &fs->cwd or &fs->root; `to` is counted anew. */
void fs_state_set(struct fs_state *fs, struct path *which, const struct path *to);
/* Every task whose root or working directory is `from` gets `to` there. */
void fs_state_replace_all(const struct path *from, const struct path *to);
