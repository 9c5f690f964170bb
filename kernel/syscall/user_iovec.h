/*
 * iovec arguments: readv, writev, sendmsg and their kin.
 */
#pragma once

#include "abi/uio.h"
#include "vfs/iobuf.h"

struct user_iovec {
	struct iobuf io;
	struct io_piece *pieces;		/* fast or allocated */
	struct io_piece fast[UIO_FASTIOV];
};

/*
 * Copies `count` iovecs from user memory. -EINVAL: more than 1024, or a length or sum that is
 * negative as ssize_t; -EFAULT; -ENOMEM. The sum is cut at MAX_RW_COUNT. user_iovec_put() on
 * success.
 */
must_check int user_iovec_get(struct user_iovec *v, uint64_t address, uint64_t count);
void user_iovec_put(struct user_iovec *v);
