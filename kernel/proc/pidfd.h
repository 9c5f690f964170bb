/*
 * Process descriptors (pidfd_open(2)): a file that stands for a process.
 */
#pragma once

#include "proc/task.h"

/* flags: O_NONBLOCK. Counts the process. -ENOMEM. */
must_check int pidfd_create_file(struct process *p, int flags, struct file **out);
/* The counted process behind a file; NULL when it is no pidfd. */
struct process *pidfd_process(struct file *file);
