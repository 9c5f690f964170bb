/*
 * Descriptors by the many: closing at exec, close_range(2), and a table of one's own.
 */
#include "proc/fdtable_internal.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/bitmap.h"
#include "vfs/file.h"

int fdtable_prepare_exec(struct fdtable *t)
{
	int error = 0;

	spin_lock(&t->lock);
	if (bitmap_find_set(t->body->close_on_exec, t->body->capacity, 0) < t->body->capacity)
		error = fd_body_make_private_locked(t, 0);
	spin_unlock(&t->lock);
	return error;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	size_t fd = 0;

	for (;;) {
		struct file *file = NULL;
		int error = 0;

		spin_lock(&t->lock);
		fd = bitmap_find_set(t->body->close_on_exec, t->body->capacity, fd);
		if (fd < t->body->capacity)
			file = fd_detach_locked(t, fd, &error);
		spin_unlock(&t->lock);
		if (file == NULL && error == 0)
			return;
		if (file != NULL)
			(void)file_close(file, t);
		fd++;
	}
}

int fdtable_unshare(void)
{
	struct task *task = task_current();
	struct fdtable *old = task->fdtable, *mine;
	irq_state_t state;

	if (refcount_read(&old->references) == 1)
		return 0;
	mine = fdtable_copy(old);
	if (mine == NULL)
		return -ENOMEM;
	state = spin_lock_irqsave(&task->process->lock);
	task->fdtable = mine;
	spin_unlock_irqrestore(&task->process->lock, state);
	fdtable_put(old);
	return 0;
}

static int mark_range(struct fdtable *t, size_t first, size_t last)
{
	int error;

	spin_lock(&t->lock);
	error = fd_body_make_private_locked(t, 0);
	if (error == 0 && first < t->body->capacity) {
		size_t end = MIN(last, (size_t)t->body->capacity - 1) + 1;

		bitmap_set_range(t->body->close_on_exec, first, end - first);
		/* Only open descriptors carry the flag. */
		for (size_t word = 0; word < BITMAP_WORDS(t->body->capacity); word++)
			t->body->close_on_exec[word] &= t->body->used[word];
	}
	spin_unlock(&t->lock);
	return error;
}

int fd_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	struct fdtable *t;
	int error, fd;

	if ((flags & ~(unsigned int)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 ||
	    first > last)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) != 0) {
		error = fdtable_unshare();
		if (error != 0)
			return error;
	}
	t = task_current()->fdtable;
	if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
		return mark_range(t, first, last);
	if (first > INT32_MAX)
		return 0;
	for (fd = fdtable_next_fd(t, (int)first); fd >= 0 && (unsigned int)fd <= last;
	     fd = fdtable_next_fd(t, fd + 1)) {
		error = fd_close(fd);
		if (error == -ENOMEM)
			return error;
	}
	return 0;
}
