/*
 * Looking into other processes: process_vm_readv, process_vm_writev, kcmp.
 */
#include "abi/errno.h"
#include "abi/uio.h"
#include "lib/bits.h"
#include "lib/hash.h"
#include "mem/slab.h"
#include "proc/task_access.h"
#include "syscall/syscalls.h"
#include "syscall/user_iovec.h"

static int remote_get(uint64_t user_remote, uint64_t count, struct abi_iovec **out)
{
	struct abi_iovec *v;
	int error = 0;

	if (count > UIO_MAXIOV)
		return -EINVAL;
	v = kcalloc(MAX(count, 1UL), sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	if (copy_from_user(v, user_addr(user_remote), count * sizeof(*v)) != 0)
		error = -EFAULT;
	for (uint64_t i = 0; i < count && error == 0; i++)
		error = v[i].iov_len > INT64_MAX ? -EINVAL : 0;
	if (error != 0)
		kfree(v);
	else
		*out = v;
	return error;
}

static int space_of_pid(uint64_t pid, struct space **out)
{
	struct task *task = task_lookup((uint32_t)pid);
	bool may;

	if (task == NULL)
		return -ESRCH;
	may = task_may_access(task);
	*out = may ? task_get_space(task) : NULL;
	task_put(task);
	if (!may)
		return -EPERM;
	return *out != NULL ? 0 : -ESRCH;
}

/* One remote piece against the local pieces, through a page of the kernel's. */
static ssize_t move_piece(struct space *space, const struct abi_iovec *remote, struct iobuf *local,
			  bool write, char *buffer)
{
	size_t done = 0, wanted = MIN(remote->iov_len, local->left);

	while (done < wanted) {
		size_t n = MIN(wanted - done, PAGE_SIZE), moved;
		uint64_t at = remote->iov_base + done;

		if (write) {
			n = iobuf_take(local, buffer, n);
			moved = space_write(space, at, buffer, n, false);
		} else {
			n = space_read(space, at, buffer, n);
			moved = iobuf_put(local, buffer, n);
		}
		done += moved;
		if (moved < n || n == 0)
			break;
	}
	return done == 0 && wanted > 0 ? -EFAULT : (ssize_t)done;
}

static long move_all(struct space *space, const struct abi_iovec *remote, size_t count,
		     struct iobuf *local, bool write)
{
	char *buffer = kmalloc(PAGE_SIZE);
	ssize_t done = 0;

	if (buffer == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count && local->left > 0; i++) {
		ssize_t n = move_piece(space, &remote[i], local, write, buffer);

		if (n < 0) {
			done = done > 0 ? done : n;
			break;
		}
		done += n;
		if ((size_t)n < remote[i].iov_len)
			break;
	}
	kfree(buffer);
	return done;
}

static bool is_empty(const struct abi_iovec *v, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		if (v[i].iov_len != 0)
			return false;
	}
	return true;
}

/* Nothing to move is no question to the other process, not even whether it is there. */
static long move_remote(uint64_t pid, struct iobuf *local, uint64_t remote, uint64_t count,
			bool write)
{
	struct abi_iovec *theirs;
	struct space *space;
	long result;

	if (local->left == 0)
		return 0;
	result = remote_get(remote, count, &theirs);
	if (result != 0)
		return result;
	if (!is_empty(theirs, count)) {
		result = space_of_pid(pid, &space);
		if (result == 0) {
			result = move_all(space, theirs, count, local, write);
			space_put(space);
		}
	}
	kfree(theirs);
	return result;
}

static long process_vm(uint64_t pid, uint64_t local, uint64_t local_count, uint64_t remote,
		       uint64_t remote_count, uint64_t flags, bool write)
{
	struct user_iovec mine;
	long result;

	if (flags != 0)
		return -EINVAL;
	result = user_iovec_get(&mine, local, local_count);
	if (result != 0)
		return result;
	result = move_remote(pid, &mine.io, remote, remote_count, write);
	user_iovec_put(&mine);
	return result;
}

long sys_process_vm_readv(uint64_t pid, uint64_t local, uint64_t local_count, uint64_t remote,
			  uint64_t remote_count, uint64_t flags)
{
	return process_vm(pid, local, local_count, remote, remote_count, flags, false);
}

long sys_process_vm_writev(uint64_t pid, uint64_t local, uint64_t local_count, uint64_t remote,
			   uint64_t remote_count, uint64_t flags)
{
	return process_vm(pid, local, local_count, remote, remote_count, flags, true);
}

/* --- kcmp ------------------------------------------------------------------------------------- */

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM, KCMP_TYPES };

static const void *file_of(struct task *task, uint64_t fd)
{
	struct fdtable *table = task_get_fdtable(task);
	struct file *file = table != NULL ? fdtable_get_file(table, (int)fd) : NULL;

	if (table != NULL)
		fdtable_put(table);
	if (file != NULL)
		file_put(file);		/* compared, never followed */
	return file;
}

static const void *resource_of(struct task *task, int type)
{
	switch (type) {
	case KCMP_VM:
		return task->space_view;
	case KCMP_FILES:
		return task->fdtable;
	case KCMP_FS:
		return task->fs;
	case KCMP_SIGHAND:
		return task->process->sighand;
	default:
		return NULL;
	}
}

/* An order that says nothing of where things lie. */
static long compare(const void *a, const void *b)
{
	uint64_t x = hash_u64((uint64_t)a), y = hash_u64((uint64_t)b);

	return x == y ? 0 : x < y ? 1 : 2;
}

long sys_kcmp(uint64_t pid1, uint64_t pid2, uint64_t type, uint64_t index1, uint64_t index2)
{
	struct task *a = task_lookup((uint32_t)pid1), *b = task_lookup((uint32_t)pid2);
	const void *x, *y;
	long result = -ESRCH;

	if (a != NULL && b != NULL) {
		if (!task_may_access(a) || !task_may_access(b)) {
			result = -EPERM;
		} else if ((int)type == KCMP_FILE) {
			x = file_of(a, index1);
			y = file_of(b, index2);
			result = x == NULL || y == NULL ? -EBADF : compare(x, y);
		} else if ((int)type < 0 || (int)type >= KCMP_TYPES) {
			result = -EINVAL;
		} else {
			result = compare(resource_of(a, (int)type), resource_of(b, (int)type));
		}
	}
	if (a != NULL)
		task_put(a);
	if (b != NULL)
		task_put(b);
	return result;
}
