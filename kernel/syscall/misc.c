/*
 * The system as a whole: names, limits, memory and load, random bytes, the log, power.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/random.h"
#include "abi/resource.h"
#include "abi/sysinfo.h"
#include "abi/uname.h"
#include "core/klog.h"
#include "core/random.h"
#include "core/shutdown.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "proc/itimer.h"
#include "proc/rseq.h"
#include "proc/rusage.h"
#include "proc/utsname.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"

/* --- names ------------------------------------------------------------------------------------ */

long sys_uname(uint64_t user_names)
{
	struct abi_utsname u = { 0 };

	strlcpy(u.sysname, KERNEL_SYSNAME, sizeof(u.sysname));
	strlcpy(u.release, KERNEL_RELEASE, sizeof(u.release));
	strlcpy(u.version, KERNEL_VERSION, sizeof(u.version));
	strlcpy(u.machine, KERNEL_MACHINE, sizeof(u.machine));
	hostname_get(u.nodename, false);
	hostname_get(u.domainname, true);
	return copy_to_user(user_addr(user_names), &u, sizeof(u));
}

static long set_name(uint64_t user_name, uint64_t length, bool domain)
{
	char name[HOSTNAME_BYTES];

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((int)length < 0 || (int)length > HOSTNAME_BYTES - 1)
		return -EINVAL;
	if (copy_from_user(name, user_addr(user_name), (size_t)(int)length) != 0)
		return -EFAULT;
	return hostname_set(name, (size_t)(int)length, domain);
}

long sys_sethostname(uint64_t name, uint64_t length) { return set_name(name, length, false); }
long sys_setdomainname(uint64_t name, uint64_t length) { return set_name(name, length, true); }

/* --- limits and usage ------------------------------------------------------------------------- */

static int limit_check(struct process *p, int resource, const struct abi_rlimit *fresh)
{
	if (fresh->rlim_cur > fresh->rlim_max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && fresh->rlim_max > 1 << 20)
		return -EPERM;
	if (fresh->rlim_max > p->limits[resource].rlim_max && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

/* The space keeps copies of the limits that faults and mmap look at. */
static void limit_tell_space(struct process *p, int resource, uint64_t value)
{
	struct task *task = process_next_task(p, 0);
	struct space *space = task != NULL ? task_get_space(task) : NULL;

	if (space != NULL) {
		if (resource == RLIMIT_AS)
			write_once(space->limit_as_bytes, value);
		else if (resource == RLIMIT_DATA)
			write_once(space->limit_data_bytes, value);
		else if (resource == RLIMIT_STACK)
			write_once(space->limit_stack_bytes, value);
		else if (resource == RLIMIT_MEMLOCK)
			write_once(space->limit_memlock_bytes, value);
		space_put(space);
	}
	if (task != NULL)
		task_put(task);
}

static int limit_change(struct process *p, int resource, const struct abi_rlimit *fresh,
			struct abi_rlimit *old)
{
	irq_state_t state;
	int error = 0;

	if ((uint32_t)resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (fresh != NULL && fresh->rlim_cur > fresh->rlim_max)
		return -EINVAL;
	state = spin_lock_irqsave(&p->lock);
	if (fresh != NULL)
		error = limit_check(p, resource, fresh);
	if (error == 0) {
		*old = p->limits[resource];
		if (fresh != NULL)
			p->limits[resource] = *fresh;
	}
	spin_unlock_irqrestore(&p->lock, state);
	if (error != 0 || fresh == NULL)
		return error;
	limit_tell_space(p, resource, fresh->rlim_cur);
	return resource == RLIMIT_CPU && p == process_current() ? itimer_limit_changed() : 0;
}

long sys_getrlimit(uint64_t resource, uint64_t user_limit)
{
	struct abi_rlimit old;
	int error = limit_change(process_current(), (int)resource, NULL, &old);

	return error != 0 ? error : copy_to_user(user_addr(user_limit), &old, sizeof(old));
}

long sys_setrlimit(uint64_t resource, uint64_t user_limit)
{
	struct abi_rlimit fresh, old;

	if (copy_from_user(&fresh, user_addr(user_limit), sizeof(fresh)) != 0)
		return -EFAULT;
	return limit_change(process_current(), (int)resource, &fresh, &old);
}

/* prlimit(2): all three ids of the target must be the caller's real ones. */
static int may_limit(struct task *task)
{
	const struct cred *mine = cred_current();
	struct cred *theirs = cred_of_task(task);
	bool same = mine->uid == theirs->euid && mine->uid == theirs->suid &&
		    mine->uid == theirs->uid && mine->gid == theirs->egid &&
		    mine->gid == theirs->sgid && mine->gid == theirs->gid;

	cred_put(theirs);
	return same || capable(CAP_SYS_RESOURCE) ? 0 : -EPERM;
}

long sys_prlimit64(uint64_t pid, uint64_t resource, uint64_t user_new, uint64_t user_old)
{
	struct abi_rlimit fresh, old;
	struct task *task = NULL;
	int error = 0;

	if (user_new != 0 && copy_from_user(&fresh, user_addr(user_new), sizeof(fresh)) != 0)
		return -EFAULT;
	if ((int)pid != 0) {
		task = task_lookup((uint32_t)pid);
		if (task == NULL)
			return -ESRCH;
		if (task->process != process_current())
			error = may_limit(task);
	}
	if (error == 0)
		error = limit_change(task != NULL ? task->process : process_current(),
				     (int)resource, user_new != 0 ? &fresh : NULL, &old);
	if (task != NULL)
		task_put(task);
	if (error == 0 && user_old != 0)
		error = copy_to_user(user_addr(user_old), &old, sizeof(old));
	return error;
}

long sys_getrusage(uint64_t who, uint64_t user_usage)
{
	struct abi_rusage usage;

	if ((int)who != RUSAGE_SELF && (int)who != RUSAGE_CHILDREN && (int)who != RUSAGE_THREAD)
		return -EINVAL;
	rusage_get(process_current(), (int)who, &usage);
	return copy_to_user(user_addr(user_usage), &usage, sizeof(usage));
}

long sys_sysinfo(uint64_t user_info)
{
	struct abi_sysinfo info = { .mem_unit = 1 };
	struct page_stats pages;
	struct sched_stats sched;
	struct task_counts tasks;

	task_counts_get(&tasks);
	page_stats_get(&pages);
	sched_stats_get(&sched);
	info.uptime = (int64_t)(clock_ns() / NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		info.loads[i] = sched.load[i] * (65536 / 2048);
	info.totalram = pages.total * PAGE_SIZE;
	info.freeram = pages.free * PAGE_SIZE;
	info.bufferram = 0;
	info.procs = (uint16_t)MIN(tasks.tasks, 65535u);
	return copy_to_user(user_addr(user_info), &info, sizeof(info));
}

/* --- random, log, power ----------------------------------------------------------------------- */

long sys_getrandom(uint64_t user_buffer, uint64_t bytes, uint64_t flags)
{
	uint8_t piece[256];
	size_t done = 0;

	if (((uint32_t)flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
	    ((uint32_t)flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	bytes = MIN(bytes, (uint64_t)INT32_MAX);
	while (done < bytes) {
		size_t n = MIN(bytes - done, sizeof(piece)), left;

		random_bytes(piece, n);
		left = copy_to_user_partial(user_addr(user_buffer + done), piece, n);
		done += n - left;
		if (left > 0)
			return done > 0 ? (long)done : -EFAULT;
		if (read_once(thread_current()->pending_signal))
			break;
	}
	memset(piece, 0, sizeof(piece));
	return (long)done;
}

enum { LOG_READ_ALL = 3, LOG_READ_CLEAR = 4, LOG_CLEAR = 5, LOG_SIZE_UNREAD = 9, LOG_SIZE = 10 };
#define LOG_BYTES (128 * 1024UL)

static long log_read(uint64_t user_buffer, int length)
{
	size_t n = MIN((size_t)length, LOG_BYTES);
	char *text;
	long result;

	if (user_buffer == 0 || length < 0)
		return -EINVAL;
	if (length == 0)
		return 0;
	text = kmalloc(n);
	if (text == NULL)
		return -ENOMEM;
	n = klog_read_tail(text, n);
	result = copy_to_user(user_addr(user_buffer), text, n) != 0 ? -EFAULT : (long)n;
	kfree(text);
	return result;
}

long sys_syslog(uint64_t action, uint64_t user_buffer, uint64_t length)
{
	if ((int)action != LOG_READ_ALL && (int)action != LOG_SIZE &&
	    !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch ((int)action) {
	case 2:		/* reading what is new: programs use /dev/kmsg */
	case LOG_READ_ALL:
	case LOG_READ_CLEAR:
		return log_read(user_buffer, (int)length);
	case 0:
	case 1:
	case LOG_CLEAR:
	case 6:
	case 7:
		return 0;
	case 8:
		return (int)length < 1 || (int)length > 8 ? -EINVAL : 0;
	case LOG_SIZE_UNREAD:
		return 0;
	case LOG_SIZE:
		return LOG_BYTES;
	default:
		return -EINVAL;
	}
}

#define REBOOT_MAGIC1 0xfee1deadU
#define REBOOT_RESTART 0x01234567U
#define REBOOT_HALT 0xcdef0123U
#define REBOOT_CAD_ON 0x89abcdefU
#define REBOOT_CAD_OFF 0U
#define REBOOT_POWER_OFF 0x4321fedcU

static bool is_second_magic(uint32_t magic)
{
	return magic == 672274793 || magic == 85072278 || magic == 369367448 || magic == 537993216;
}

long sys_reboot(uint64_t magic1, uint64_t magic2, uint64_t command, uint64_t arg)
{
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if ((uint32_t)magic1 != REBOOT_MAGIC1 || !is_second_magic((uint32_t)magic2))
		return -EINVAL;
	switch ((uint32_t)command) {
	case REBOOT_RESTART:
		shutdown_reboot();
	case REBOOT_HALT:
	case REBOOT_POWER_OFF:
		shutdown_power_off(0);
	case REBOOT_CAD_ON:
	case REBOOT_CAD_OFF:
		return 0;
	default:
		return -EINVAL;
	}
}

/* --- odds and ends ---------------------------------------------------------------------------- */

long sys_personality(uint64_t persona)
{
	struct process *p = process_current();
	long old = (long)p->personality;

	if ((uint32_t)persona != 0xffffffffU)
		p->personality = (uint32_t)persona;
	return old;
}

/* There is one I/O class for all: reading says "none", setting is checked and accepted. */
long sys_ioprio_get(uint64_t which, uint64_t who)
{
	return (int)which < 1 || (int)which > 3 ? -EINVAL : 0;
}

long sys_ioprio_set(uint64_t which, uint64_t who, uint64_t priority)
{
	int class = (int)priority >> 13, level = (int)priority & 7;

	if (class < 0 || class > 3 || (class == 0 && level != 0))
		return -EINVAL;
	if ((int)which < 1 || (int)which > 3)
		return -EINVAL;
	return class == 1 && !capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE) ? -EPERM : 0;
}

long sys_vhangup(void)
{
	return capable(CAP_SYS_TTY_CONFIG) ? 0 : -EPERM;
}

long sys_rseq(uint64_t area, uint64_t bytes, uint64_t flags, uint64_t signature)
{
	return rseq_register(user_addr(area), (uint32_t)bytes, (int)flags, (uint32_t)signature);
}

long sys_arch_prctl(uint64_t code, uint64_t arg)
{
	return arch_prctl((int)code, arg);
}

/* membarrier(2): an interrupt on every processor is a barrier there. */
enum {
	MEMBARRIER_GLOBAL = 1, MEMBARRIER_GLOBAL_EXPEDITED = 2,
	MEMBARRIER_REGISTER_GLOBAL = 4, MEMBARRIER_PRIVATE = 8, MEMBARRIER_REGISTER_PRIVATE = 16,
};

static void barrier_here(void *arg)
{
	full_barrier();
}

long sys_membarrier(uint64_t command, uint64_t flags, uint64_t cpu)
{
	if (flags != 0)
		return -EINVAL;
	switch ((int)command) {
	case 0:
		return MEMBARRIER_GLOBAL | MEMBARRIER_GLOBAL_EXPEDITED |
		       MEMBARRIER_REGISTER_GLOBAL | MEMBARRIER_PRIVATE |
		       MEMBARRIER_REGISTER_PRIVATE;
	case MEMBARRIER_REGISTER_GLOBAL:
		return 0;
	case MEMBARRIER_REGISTER_PRIVATE:
		process_current()->membarrier_private = true;
		return 0;
	case MEMBARRIER_PRIVATE:
		if (!process_current()->membarrier_private)
			return -EPERM;
		break;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		break;
	default:
		return -EINVAL;
	}
	full_barrier();
	preempt_disable();
	ipi_call_wait((cpu_mask_t)((2ULL << (cpu_count - 1)) - 1), barrier_here, NULL);
	preempt_enable();
	return 0;
}
