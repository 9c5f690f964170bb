/*
 * Signals: sending, masks, actions, waiting.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "proc/kill.h"
#include "proc/pidfd.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"

static struct trap_frame *current_frame(void)
{
	return arch_user_frame(thread_stack_top(thread_current()));
}

static struct abi_siginfo sender_info(int signo, int code)
{
	struct abi_siginfo info = { .si_signo = signo, .si_code = code };

	info.kill.pid = (int32_t)process_current()->pid;
	info.kill.uid = cred_current()->uid;
	return info;
}

/* --- sending ---------------------------------------------------------------------------------- */

long sys_kill(uint64_t pid, uint64_t signo)
{
	struct abi_siginfo info = sender_info((int)signo, SI_USER);

	return signal_kill((int)pid, (int)signo, &info);
}

long sys_tkill(uint64_t tid, uint64_t signo)
{
	struct abi_siginfo info = sender_info((int)signo, SI_TKILL);

	if ((int)tid <= 0)
		return -EINVAL;
	return signal_kill_task(0, (uint32_t)tid, (int)signo, &info);
}

long sys_tgkill(uint64_t tgid, uint64_t tid, uint64_t signo)
{
	struct abi_siginfo info = sender_info((int)signo, SI_TKILL);

	if ((int)tid <= 0 || (int)tgid <= 0)
		return -EINVAL;
	return signal_kill_task((uint32_t)tgid, (uint32_t)tid, (int)signo, &info);
}

/* Codes that only the kernel uses may be sent to oneself only: they would be forged. */
static int get_info(uint64_t user_info, int signo, uint32_t pid, struct abi_siginfo *info)
{
	if (copy_from_user(info, user_addr(user_info), sizeof(*info)) != 0)
		return -EFAULT;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && process_current()->pid != pid)
		return -EPERM;
	info->si_signo = signo;
	return 0;
}

long sys_rt_sigqueueinfo(uint64_t pid, uint64_t signo, uint64_t user_info)
{
	struct abi_siginfo info;
	int error = get_info(user_info, (int)signo, (uint32_t)pid, &info);

	if (error != 0)
		return error;
	return (int)pid <= 0 ? -ESRCH : signal_kill((int)pid, (int)signo, &info);
}

long sys_rt_tgsigqueueinfo(uint64_t tgid, uint64_t tid, uint64_t signo, uint64_t user_info)
{
	struct abi_siginfo info;
	int error = get_info(user_info, (int)signo, (uint32_t)tgid, &info);

	if (error != -EFAULT && ((int)tid <= 0 || (int)tgid <= 0))
		return -EINVAL;
	if (error != 0)
		return error;
	return signal_kill_task((uint32_t)tgid, (uint32_t)tid, (int)signo, &info);
}

long sys_pidfd_send_signal(uint64_t fd, uint64_t signo, uint64_t user_info, uint64_t flags)
{
	struct abi_siginfo info = sender_info((int)signo, SI_USER);
	struct process *p;
	struct fd_ref ref;
	int error = 0;

	if (flags != 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	p = pidfd_process(ref.file);
	fd_put(&ref);
	if (p == NULL)
		return -EBADF;
	if (user_info != 0) {
		error = get_info(user_info, (int)signo, p->pid, &info);
		if (error == 0 && info.si_signo != (int)signo)
			error = -EINVAL;
	}
	if (error == 0)
		error = (int)signo < 0 || (int)signo > SIGNAL_COUNT ? -EINVAL :
			p->state != PROCESS_RUNNING ? -ESRCH : signal_permission(p, (int)signo);
	if (error == 0 && signo != 0)
		error = signal_send_process(p, (int)signo, &info);
	process_put(p);
	return error;
}

/* --- actions and masks ------------------------------------------------------------------------ */

long sys_rt_sigaction(uint64_t signo, uint64_t user_new, uint64_t user_old, uint64_t bytes)
{
	struct abi_sigaction abi;
	struct signal_action fresh, old;
	int error;

	if (bytes != SIGSET_SIZE)
		return -EINVAL;
	if (user_new != 0) {
		if (copy_from_user(&abi, user_addr(user_new), sizeof(abi)) != 0)
			return -EFAULT;
		fresh = (struct signal_action){ abi.sa_handler, abi.sa_flags, abi.sa_restorer,
						abi.sa_mask };
		fresh.flags &= SA_KNOWN;
	}
	error = signal_set_action((int)signo, user_new != 0 ? &fresh : NULL, &old);
	if (error != 0 || user_old == 0)
		return error;
	abi = (struct abi_sigaction){ old.handler, old.flags, old.restorer, old.mask };
	return copy_to_user(user_addr(user_old), &abi, sizeof(abi));
}

long sys_rt_sigprocmask(uint64_t how, uint64_t user_set, uint64_t user_old, uint64_t bytes)
{
	struct task *task = task_current();
	uint64_t old = task->blocked, set;

	if (bytes != SIGSET_SIZE)
		return -EINVAL;
	if (user_set != 0) {
		if (copy_from_user(&set, user_addr(user_set), sizeof(set)) != 0)
			return -EFAULT;
		switch ((int)how) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(task, set);
	}
	return user_old == 0 ? 0 : copy_to_user(user_addr(user_old), &old, sizeof(old));
}

long sys_rt_sigpending(uint64_t user_set, uint64_t bytes)
{
	uint64_t pending = signal_pending_blocked();

	if (bytes > SIGSET_SIZE)
		return -EINVAL;
	return copy_to_user(user_addr(user_set), &pending, bytes);
}

long sys_rt_sigreturn(void)
{
	return signal_return(current_frame());
}

long sys_sigaltstack(uint64_t user_new, uint64_t user_old)
{
	struct task *task = task_current();
	uint64_t sp = frame_sp(current_frame());
	struct abi_stack fresh, old;
	int error = 0;

	if (user_new != 0 && copy_from_user(&fresh, user_addr(user_new), sizeof(fresh)) != 0)
		return -EFAULT;
	signal_get_alt_stack(task, sp, &old);
	if (user_new != 0)
		error = signal_set_alt_stack(task, sp, fresh.ss_sp, fresh.ss_size,
					     (uint32_t)fresh.ss_flags);
	if (error == 0 && user_old != 0)
		error = copy_to_user(user_addr(user_old), &old, sizeof(old));
	return error;
}

/* --- waiting ---------------------------------------------------------------------------------- */

long sys_pause(void)
{
	return signal_suspend(task_current()->blocked);
}

long sys_rt_sigsuspend(uint64_t user_mask, uint64_t bytes)
{
	uint64_t mask;
	int error = sigmask_get(user_mask, bytes, &mask);

	return error != 0 ? error : signal_suspend(mask);
}

long sys_rt_sigtimedwait(uint64_t user_set, uint64_t user_info, uint64_t user_timeout,
			 uint64_t bytes)
{
	uint64_t set, ns, deadline = TIME_NEVER;
	struct abi_siginfo info;
	int error = sigmask_get(user_set, bytes, &set), signo;

	if (error == 0 && user_timeout != 0) {
		error = timespec_get(user_timeout, &ns);
		deadline = ns == 0 ? 0 : deadline_after(ns);
	}
	if (error != 0)
		return error;
	signo = signal_wait_for(set, &info, deadline);
	if (signo > 0 && user_info != 0 &&
	    copy_to_user(user_addr(user_info), &info, sizeof(info)) != 0)
		return -EFAULT;
	return signo;
}
