/*
 * A socket argument of a system call.
 */
#pragma once

#include "net/socket.h"
#include "proc/fdtable.h"

/* The socket behind a descriptor; -EBADF, -ENOTSOCK. fd_put() on success. */
must_check int user_socket_get(uint64_t fd, struct fd_ref *ref, struct socket **out);
