/*
 * eventfd: a 64-bit counter as a file.
 */
#pragma once

#include "core/types.h"

struct file;

/* eventfd2(2): EFD_SEMAPHORE, EFD_NONBLOCK (EFD_CLOEXEC is the descriptor's). -EINVAL, -ENOMEM. */
must_check int eventfd_create_file(uint32_t initial, int flags, struct file **out);
void eventfd_init(void);
