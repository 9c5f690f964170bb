/*
 * /proc/self/fail-nth: a number written there makes the Nth fail point of the task fail; read, it
 * says how many are left (0: it was reached) and switches off. Neither allocates, so that what is
 * counted is the program's own calls. Debug builds.
 */
#include "proc/fail_nth.h"

#include "abi/errno.h"
#include "fs/procfs/procfs.h"
#include "lib/format.h"
#include "lib/number.h"
#include "vfs/file.h"

static bool is_own(const struct file *file)
{
	return proc_inode_of(file->inode)->subject.tid == thread_current()->id;
}

static ssize_t fail_nth_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	uint64_t left = task_current()->fail_nth;
	char text[24];
	size_t n = format_string(text, sizeof(text), "%llu\n", (unsigned long long)left);

	if (!is_own(file))
		return -EINVAL;
	task_current()->fail_nth = 0;
	if (*pos != 0 || to->left < n)
		return 0;
	*pos += (loff_t)n;
	return iobuf_put(to, text, n) == n ? (ssize_t)n : -EFAULT;
}

static ssize_t fail_nth_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	size_t n = from->left, length;
	uint64_t value;
	char text[24];

	if (!FAIL_NTH_SUPPORTED)
		return -EOPNOTSUPP;
	if (n == 0 || n > sizeof(text) || !is_own(file))
		return -EINVAL;
	if (iobuf_take(from, text, n) != n)
		return -EFAULT;
	length = text[n - 1] == '\n' ? n - 1 : n;
	if (number_parse(text, length, 10, &value) != 0)
		return -EINVAL;
	task_current()->fail_nth = value;
	return (ssize_t)n;
}

const struct file_ops proc_fail_nth_file_ops = {
	.read = fail_nth_read,
	.write = fail_nth_write,
};
