/*
 * Pipes and FIFOs.
 */
#pragma once

#include "core/types.h"

struct file;

/* pipe2(2): O_NONBLOCK (O_CLOEXEC is the descriptors'). Both counted. -EINVAL, -ENFILE, -ENOMEM. */
must_check int pipe_create_files(int flags, struct file **read_end, struct file **write_end);
/* F_SETPIPE_SZ: the new capacity or -EBUSY, -EINVAL, -EPERM, -ENOMEM; -EBADF: not a pipe.
 * `privileged`: may go above a mebibyte. */
must_check long pipe_set_capacity(struct file *file, uint64_t bytes, bool privileged);
must_check long pipe_get_capacity(struct file *file);
bool file_is_pipe(const struct file *file);
void pipe_init(void);
