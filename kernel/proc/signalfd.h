/*
 * signalfd(2): the caller's pending signals as a file.
 */
#pragma once

#include "core/types.h"

struct file;

must_check int signalfd_create_file(uint64_t mask, int flags, struct file **out);
must_check int signalfd_set_mask(struct file *file, uint64_t mask);	/* -EINVAL: no signalfd */
