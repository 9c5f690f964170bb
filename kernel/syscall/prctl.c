/*
 * prctl(2).
 */
#include "abi/prctl.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "proc/cred_change.h"
#include "syscall/syscalls.h"

static long set_name(uint64_t user_name)
{
	char name[PR_NAME_SIZE];
	ssize_t n = copy_string_from_user(name, user_addr(user_name), sizeof(name) - 1);

	if (n < 0 && n != -ENAMETOOLONG)
		return n;
	name[n < 0 ? (ssize_t)sizeof(name) - 1 : n] = '\0';
	memset(thread_current()->name, 0, sizeof(thread_current()->name));
	strlcpy(thread_current()->name, name, sizeof(thread_current()->name));
	task_trace_name(task_current());
	return 0;
}

static long get_name(uint64_t user_name)
{
	char name[PR_NAME_SIZE] = { 0 };

	strlcpy(name, thread_current()->name, sizeof(name));
	return copy_to_user(user_addr(user_name), name, sizeof(name));
}

static long store(uint64_t user, uint32_t value)
{
	return user_store32(user_addr(user), value);
}

/* --- credentials ------------------------------------------------------------------------------ */

/* Each edits a copy of the credentials; 0 commits it. */
typedef int (*edit_t)(struct cred *cred, uint64_t arg);

static long change(edit_t edit, uint64_t arg)
{
	struct cred *cred = cred_copy(cred_current());
	int error;

	if (cred == NULL)
		return -ENOMEM;
	error = edit(cred, arg);
	if (error == 0)
		cred_commit(cred);
	else
		cred_put(cred);
	return error;
}

static int edit_keep_caps(struct cred *cred, uint64_t on)
{
	if (on > 1)
		return -EINVAL;
	cred->securebits &= ~SECUREBIT_KEEP_CAPS;
	if (on != 0)
		cred->securebits |= SECUREBIT_KEEP_CAPS;
	return 0;
}

static int edit_no_new_privs(struct cred *cred, uint64_t arg)
{
	cred->no_new_privs = true;
	return 0;
}

static int edit_drop_bounding(struct cred *cred, uint64_t cap)
{
	if (!cred_capable(cred, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	cred->cap_bounding &= ~BIT64(cap);
	return 0;
}

/* Odd bits lock the even ones before them: what is locked stays. */
static int edit_securebits(struct cred *cred, uint64_t bits)
{
	uint32_t locked = (cred->securebits & 0xaa) >> 1;

	if ((bits & ~(uint64_t)SECUREBITS_ALL) != 0 ||
	    ((cred->securebits ^ bits) & locked) != 0 || (cred->securebits & 0xaa & ~bits) != 0 ||
	    !cred_capable(cred, CAP_SETPCAP))
		return -EPERM;
	cred->securebits = (uint32_t)bits;
	return 0;
}

static int edit_ambient_clear(struct cred *cred, uint64_t arg)
{
	cred->cap_ambient = 0;
	return 0;
}

static int edit_ambient_lower(struct cred *cred, uint64_t cap)
{
	cred->cap_ambient &= ~BIT64(cap);
	return 0;
}

static int edit_ambient_raise(struct cred *cred, uint64_t cap)
{
	if ((cred->cap_permitted & cred->cap_inheritable & BIT64(cap)) == 0 ||
	    (cred->securebits & SECUREBIT_NO_CAP_AMBIENT_RAISE) != 0)
		return -EPERM;
	cred->cap_ambient |= BIT64(cap);
	return 0;
}

static long ambient(uint64_t what, uint64_t cap, uint64_t rest)
{
	if (what == PR_CAP_AMBIENT_CLEAR_ALL)
		return (cap | rest) != 0 ? -EINVAL : change(edit_ambient_clear, 0);
	if (rest != 0 || cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (what) {
	case PR_CAP_AMBIENT_IS_SET:
		return (cred_current()->cap_ambient & BIT64(cap)) != 0;
	case PR_CAP_AMBIENT_RAISE:
		return change(edit_ambient_raise, cap);
	case PR_CAP_AMBIENT_LOWER:
		return change(edit_ambient_lower, cap);
	default:
		return -EINVAL;
	}
}

/* --- processes -------------------------------------------------------------------------------- */

static long set_death_signal(uint64_t signo)
{
	if (signo > SIGNAL_COUNT)
		return -EINVAL;
	task_current()->parent_death_signal = (int)signo;
	return 0;
}

static long set_dumpable(uint64_t value)
{
	if (value > 1)
		return -EINVAL;
	space_current()->dumpable = value != 0;
	return 0;
}

static long set_slack(uint64_t ns)
{
	task_current()->timer_slack_ns = (int64_t)ns <= 0 ? 50000 : ns;
	return 0;
}

/* Where arguments and environment lie: programs that rewrite their titles move them. */
static long set_mm(uint64_t what, uint64_t address)
{
	struct space *space = space_current();

	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (address >= USER_END)
		return -EINVAL;
	switch (what) {
	case 8:
		space->arg_start = address;
		return 0;
	case 9:
		space->arg_end = address;
		return 0;
	case 10:
		space->env_start = address;
		return 0;
	case 11:
		space->env_end = address;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Kept for who asks: no bad memory is reported here. */
static long set_machine_check(uint64_t what, uint64_t policy)
{
	if (what == PR_MCE_KILL_CLEAR && policy == 0)
		task_current()->machine_check_policy = PR_MCE_KILL_DEFAULT;
	else if (what == PR_MCE_KILL_SET && policy <= PR_MCE_KILL_DEFAULT)
		task_current()->machine_check_policy = (uint8_t)policy;
	else
		return -EINVAL;
	return 0;
}

static long prctl_process(uint64_t option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct task *task = task_current();

	switch (option) {
	case PR_SET_PDEATHSIG:
		return set_death_signal(a);
	case PR_GET_PDEATHSIG:
		return store(a, (uint32_t)task->parent_death_signal);
	case PR_GET_DUMPABLE:
		return space_current()->dumpable;
	case PR_SET_DUMPABLE:
		return set_dumpable(a);
	case PR_SET_NAME:
		return set_name(a);
	case PR_GET_NAME:
		return get_name(a);
	case PR_SET_TIMERSLACK:
		return set_slack(a);
	case PR_GET_TIMERSLACK:
		return (long)task->timer_slack_ns;
	case PR_SET_CHILD_SUBREAPER:
		task->process->is_subreaper = a != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return store(a, task->process->is_subreaper);
	case PR_GET_TID_ADDRESS:
		return copy_to_user(user_addr(a), &task->clear_child_tid, 8);
	case PR_SET_THP_DISABLE:
		if ((b | c | d) != 0)
			return -EINVAL;
		space_current()->huge_disabled = a != 0;
		return 0;
	case PR_GET_THP_DISABLE:
		return (a | b | c | d) != 0 ? -EINVAL : space_current()->huge_disabled;
	case PR_SET_MM:
		return set_mm(a, b);
	case PR_MCE_KILL:
		return (c | d) != 0 ? -EINVAL : set_machine_check(a, b);
	case PR_MCE_KILL_GET:
		return (a | b | c | d) != 0 ? -EINVAL : task->machine_check_policy;
	default:
		return -EINVAL;
	}
}

long sys_prctl(uint64_t option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	option = (uint32_t)option;
	switch (option) {
	case PR_GET_KEEPCAPS:
		return (cred_current()->securebits & SECUREBIT_KEEP_CAPS) != 0;
	case PR_SET_KEEPCAPS:
		return change(edit_keep_caps, a);
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? -EINVAL : (cred_current()->cap_bounding & BIT64(a)) != 0;
	case PR_CAPBSET_DROP:
		return change(edit_drop_bounding, a);
	case PR_GET_SECUREBITS:
		return cred_current()->securebits;
	case PR_SET_SECUREBITS:
		return change(edit_securebits, a);
	case PR_SET_NO_NEW_PRIVS:
		return a != 1 || (b | c | d) != 0 ? -EINVAL : change(edit_no_new_privs, 0);
	case PR_GET_NO_NEW_PRIVS:
		return (a | b | c | d) != 0 ? -EINVAL : cred_current()->no_new_privs;
	case PR_CAP_AMBIENT:
		return ambient(a, b, c | d);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_TSC:
		return store(a, PR_TSC_ENABLE);
	case PR_SET_TSC:
		return a == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return 0;
	default:
		return prctl_process(option, a, b, c, d);
	}
}
