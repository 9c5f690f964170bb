/*
 * Pipes and FIFOs.
 */
#pragma once

#include "core/types.h"

struct file;
struct iobuf;

/*
 * pipe2(2): O_NONBLOCK, O_DIRECT (O_CLOEXEC is the descriptors'). Both counted. -EINVAL, -ENFILE,
 * -ENOMEM.
 */
must_check int pipe_create_files(int flags, struct file **read_end, struct file **write_end);
/* F_SETPIPE_SZ: the new capacity or -EBUSY, -EINVAL, -EPERM, -ENOMEM; -EBADF: not a pipe. */
must_check long pipe_set_size(struct file *file, uint32_t bytes);
must_check long pipe_get_size(struct file *file);
/*
 * tee(2): copies what a read would give, and leaves it there. -EAGAIN: nothing there yet; 0:
 * nothing will come; -EBADF: not a pipe.
 */
must_check ssize_t pipe_peek(struct file *file, struct iobuf *to);
bool file_is_pipe(const struct file *file);
void pipe_init(void);
