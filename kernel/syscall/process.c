/*
 * Processes: making, ending, waiting, ids, groups, sessions.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/job.h"
#include "proc/pidfd.h"
#include "proc/rusage.h"
#include "proc/wait.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "syscall/user_copy_struct.h"
#include "syscall/user_path.h"

static const struct trap_frame *current_frame(void)
{
	return arch_user_frame(thread_stack_top(thread_current()));
}

/* --- fork and its kind ------------------------------------------------------------------------ */

long sys_fork(void)
{
	struct clone_request r = { .exit_signal = SIGCHLD };

	return process_clone(&r, current_frame());
}

long sys_vfork(void)
{
	struct clone_request r = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return process_clone(&r, current_frame());
}

/* The pidfd, when asked for, goes where the parent's tid would: both at once make no sense. */
long sys_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t child_tid,
	       uint64_t tls)
{
	struct clone_request r = {
		.flags = (uint32_t)flags & ~(uint64_t)CSIGNAL,
		.stack = stack,
		.parent_tid = user_addr(parent_tid),
		.pidfd = user_addr(parent_tid),
		.child_tid = user_addr(child_tid),
		.tls = tls,
		.exit_signal = (int)(flags & CSIGNAL),
	};

	if ((flags & CLONE_PIDFD) != 0 && (flags & CLONE_PARENT_SETTID) != 0)
		return -EINVAL;
	return process_clone(&r, current_frame());
}

long sys_i386_clone(uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t tls,
		    uint64_t child_tid)
{
	/* TLS on i386 is a segment descriptor: not for 64-bit code. */
	return sys_clone(flags & ~(uint64_t)CLONE_SETTLS, stack, parent_tid, child_tid, tls);
}

static int clone3_check(const struct abi_clone_args *a, size_t bytes)
{
	if (a->set_tid_size > 32 || (a->set_tid == 0) != (a->set_tid_size == 0))
		return -EINVAL;
	if ((a->exit_signal & ~(uint64_t)CSIGNAL) != 0 || a->exit_signal > SIGNAL_COUNT)
		return -EINVAL;
	if ((a->flags & CLONE_INTO_CGROUP) != 0 && (a->cgroup > INT32_MAX || bytes < 88))
		return -EINVAL;
	if ((a->flags & ~(0xffffffffULL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)) != 0)
		return -EINVAL;
	if ((a->flags & (CLONE_DETACHED | (CSIGNAL & ~(uint64_t)CLONE_NEWTIME))) != 0)
		return -EINVAL;
	if ((a->flags & (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND)) ==
	    (CLONE_SIGHAND | CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && a->exit_signal != 0)
		return -EINVAL;
	if (a->stack == 0)
		return a->stack_size > 0 ? -EINVAL : 0;
	if (a->stack_size == 0 || !user_range_ok(user_addr(a->stack), a->stack_size))
		return -EINVAL;
	return (a->flags & CLONE_INTO_CGROUP) != 0 ? -EBADF : 0;
}

long sys_clone3(uint64_t user_args, uint64_t size)
{
	struct abi_clone_args a;
	struct clone_request r = { 0 };
	uint32_t tids[32];
	int error;

	if (size > PAGE_SIZE)
		return -E2BIG;
	error = user_struct_get(&a, sizeof(a), CLONE_ARGS_SIZE_VER0, user_addr(user_args), size);
	if (error == 0)
		error = clone3_check(&a, size);
	if (error == 0 && a.set_tid_size > 0)
		error = copy_from_user(tids, user_addr(a.set_tid), a.set_tid_size * 4);
	if (error != 0)
		return error;
	r.flags = a.flags;
	r.stack = a.stack;
	r.stack_size = a.stack_size;
	r.parent_tid = user_addr(a.parent_tid);
	r.child_tid = user_addr(a.child_tid);
	r.pidfd = user_addr(a.pidfd);
	r.tls = a.tls;
	r.exit_signal = (int)a.exit_signal;
	r.set_tid = tids;
	r.set_tid_count = a.set_tid_size;
	return process_clone(&r, current_frame());
}

long sys_unshare(uint64_t flags)
{
	const uint64_t known = CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM |
			       CLONE_FILES | CLONE_SYSVSEM | CLONE_NEWUTS | CLONE_NEWIPC |
			       CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWCGROUP |
			       CLONE_NEWTIME;
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
				    CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWTIME;
	bool alone = process_current()->task_count == 1;
	int error = 0;

	if ((flags & ~known) != 0)
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) != 0 && !alone)
		return -EINVAL;
	/* There is one namespace of each kind. */
	if ((flags & CLONE_NEWUSER) != 0)
		return -EINVAL;
	if ((flags & namespaces) != 0)
		return capable(21 /* CAP_SYS_ADMIN */) ? -EINVAL : -EPERM;
	if ((flags & CLONE_FS) != 0)
		error = fs_unshare();
	if (error == 0 && (flags & CLONE_FILES) != 0)
		error = fdtable_unshare();
	return error;
}

/* --- exec ------------------------------------------------------------------------------------- */

static long do_exec(int dirfd, uint64_t user_name, uint64_t argv, uint64_t envp,
		    size_t pointer_bytes, int flags)
{
	char *name;
	int error = user_string_get(user_name, PATH_MAX, &name);

	if (error != 0)
		return error;
	if (name[0] == '\0' && (flags & AT_EMPTY_PATH) == 0)
		error = -ENOENT;
	else if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0)
		error = -EINVAL;
	else
		error = process_exec(dirfd, name, user_addr(argv), user_addr(envp),
				     pointer_bytes, flags);
	kfree(name);
	/* The new program begins with a clean result register. */
	return error;
}

long sys_execve(uint64_t name, uint64_t argv, uint64_t envp)
{
	return do_exec(AT_FDCWD, name, argv, envp, sizeof(uint64_t), 0);
}

/* Its vectors hold 32-bit pointers. */
long sys_i386_execve(uint64_t name, uint64_t argv, uint64_t envp)
{
	return do_exec(AT_FDCWD, name, argv, envp, sizeof(uint32_t), 0);
}

long sys_execveat(uint64_t dirfd, uint64_t name, uint64_t argv, uint64_t envp, uint64_t flags)
{
	return do_exec((int)dirfd, name, argv, envp, sizeof(uint64_t), (int)flags);
}

/* --- exit, wait ------------------------------------------------------------------------------- */

long sys_exit(uint64_t code)
{
	task_exit(wait_status_exited((int)code));
}

long sys_exit_group(uint64_t code)
{
	process_exit_group(wait_status_exited((int)code));
}

static int rusage_put(uint64_t user_usage, const struct abi_rusage *usage)
{
	return user_usage == 0 ? 0 : copy_to_user(user_addr(user_usage), usage, sizeof(*usage));
}

long sys_wait4(uint64_t pid, uint64_t user_status, uint64_t options, uint64_t user_usage)
{
	struct wait_request r = { .options = (int)options | WEXITED, .id = (uint32_t)pid };
	struct wait_result result;
	int id = (int)pid, error;

	if (((int)options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | (int)__WCLONE |
			      __WALL)) != 0)
		return -EINVAL;
	if (id == INT32_MIN)
		return -ESRCH;
	r.type = id > 0 ? P_PID : id == -1 ? P_ALL : P_PGID;
	if (id == 0)
		r.id = process_current_group_id();
	else if (id < -1)
		r.id = (uint32_t)-id;
	error = process_wait(&r, &result);
	if (error != 0)
		return error;
	if (result.pid == 0)
		return 0;
	if (user_status != 0 && user_store32(user_addr(user_status), (uint32_t)result.status) != 0)
		return -EFAULT;
	return rusage_put(user_usage, &result.usage) != 0 ? -EFAULT : (long)result.pid;
}

long sys_i386_waitpid(uint64_t pid, uint64_t status, uint64_t options)
{
	return sys_wait4(pid, status, options, 0);
}

/* waitid's siginfo: filled field by field, so that the rest of the program's buffer stays. */
static int put_wait_info(uint64_t user_info, const struct wait_result *result)
{
	struct abi_siginfo info = { 0 };

	if (user_info == 0)
		return 0;
	if (result->pid != 0) {
		info.si_signo = SIGCHLD;
		info.si_code = result->code;
		info.child.pid = (int32_t)result->pid;
		info.child.uid = result->uid;
		info.child.status = result->value;
	}
	return copy_to_user(user_addr(user_info), &info, 12) != 0 ||
	       copy_to_user(user_addr(user_info + 16), &info.child, 12) != 0 ? -EFAULT : 0;
}

static int waitid_target(int which, uint64_t id, struct wait_request *r)
{
	struct fd_ref ref;

	r->type = which;
	r->id = (uint32_t)id;
	switch (which) {
	case P_ALL:
		return 0;
	case P_PID:
		return (int32_t)id <= 0 ? -EINVAL : 0;
	case P_PGID:
		if ((int32_t)id < 0)
			return -EINVAL;
		if (id == 0)
			r->id = process_current_group_id();
		return 0;
	case P_PIDFD:
		if ((int32_t)id < 0)
			return -EINVAL;
		if (!fd_get((int)id, &ref))
			return -EBADF;
		r->process = pidfd_process(ref.file);
		if (r->process != NULL && (ref.file->flags & O_NONBLOCK) != 0)
			r->options |= WNOHANG;
		fd_put(&ref);
		return r->process != NULL ? 0 : -EBADF;
	default:
		return -EINVAL;
	}
}

static int do_waitid(uint64_t which, uint64_t id, uint64_t options, struct wait_result *result)
{
	struct wait_request r = { .options = (int)options };
	int error;

	result->pid = 0;

	if (((int)options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			      (int)__WCLONE | __WALL)) != 0)
		return -EINVAL;
	if (((int)options & (WEXITED | WSTOPPED | WCONTINUED)) == 0)
		return -EINVAL;
	error = waitid_target((int)which, id, &r);
	if (error != 0)
		return error;
	error = process_wait(&r, result);
	if (r.process != NULL)
		process_put(r.process);
	/* A nonblocking pidfd says so by itself. */
	if (error == 0 && result->pid == 0 && (r.options & WNOHANG) != ((int)options & WNOHANG))
		return -EAGAIN;
	return error;
}

/* siginfo is written, as zeros, also when the call fails. */
long sys_waitid(uint64_t which, uint64_t id, uint64_t user_info, uint64_t options,
		uint64_t user_usage)
{
	struct wait_result result;
	int error = do_waitid(which, id, options, &result);

	if (error != 0)
		result.pid = 0;
	if (result.pid != 0 && rusage_put(user_usage, &result.usage) != 0)
		return -EFAULT;
	return put_wait_info(user_info, &result) != 0 ? -EFAULT : error;
}

/* --- ids -------------------------------------------------------------------------------------- */

long sys_getpid(void) { return process_current()->pid; }
long sys_gettid(void) { return thread_current()->id; }
long sys_getppid(void) { return process_parent_pid(process_current()); }
long sys_getpgrp(void) { return process_get_group(0); }
long sys_setsid(void) { return process_set_session(); }

long sys_getpgid(uint64_t pid)
{
	return (int)pid < 0 ? -ESRCH : process_get_group((uint32_t)pid);
}

long sys_getsid(uint64_t pid)
{
	return (int)pid < 0 ? -ESRCH : process_get_session((uint32_t)pid);
}

long sys_setpgid(uint64_t pid, uint64_t pgid)
{
	if ((int)pgid < 0 || ((int)pgid == 0 && (int)pid < 0))
		return -EINVAL;
	return (int)pid < 0 ? -ESRCH : process_set_group((uint32_t)pid, (uint32_t)pgid);
}

long sys_set_tid_address(uint64_t address)
{
	task_current()->clear_child_tid = user_addr(address);
	return thread_current()->id;
}
