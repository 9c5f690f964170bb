/*
 * Scheduling: policies, priorities, niceness, affinity.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "proc/cred_change.h"
#include "proc/job.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "syscall/user_copy_struct.h"

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

/* The counted task of a pid argument, 0 being the caller. */
static struct task *task_get_by_pid(uint64_t pid)
{
	if ((int)pid != 0)
		return task_lookup((uint32_t)pid);
	thread_get(thread_current());
	return task_current();
}

static bool owns(struct task *task)
{
	const struct cred *mine = cred_current();
	struct cred *theirs = cred_of_task(task);
	bool same = mine->euid == theirs->euid || mine->euid == theirs->uid;

	cred_put(theirs);
	return same;
}

/* --- niceness --------------------------------------------------------------------------------- */

static int may_set_nice(struct task *task, int nice)
{
	uint64_t limit = task->process->limits[RLIMIT_NICE].rlim_cur;
	int lowest = limit >= 40 ? -20 : 20 - (int)limit;

	if (!owns(task) && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (nice < task->thread.nice && nice < lowest && !capable(CAP_SYS_NICE))
		return -EACCES;
	return 0;
}

typedef void (*visit_t)(struct task *task, int *state, int nice);

static void visit_set(struct task *task, int *state, int nice)
{
	int error = may_set_nice(task, nice);

	if (error == 0) {
		sched_set_nice(&task->thread, nice);
		if (*state == -ESRCH)
			*state = 0;
	} else {
		*state = error;
	}
}

static void visit_get(struct task *task, int *state, int nice)
{
	*state = MAX(*state, 20 - task->thread.nice);
}

static bool is_chosen(struct process *p, int which, uint32_t id)
{
	struct task *leader = process_next_task(p, 0);
	bool chosen = false;

	if (leader == NULL)
		return false;
	if (which == PRIO_PGRP) {
		chosen = process_get_group(p->pid) == (long)id;
	} else {
		struct cred *cred = cred_of_task(leader);

		chosen = cred->uid == id;
		cred_put(cred);
	}
	task_put(leader);
	return chosen;
}

static void visit_tasks(struct process *p, visit_t visit, int *state, int nice)
{
	struct task *task;
	uint32_t tid = 0;

	while ((task = process_next_task(p, tid)) != NULL) {
		visit(task, state, nice);
		tid = task->thread.id + 1;
		task_put(task);
	}
}

static int for_each(int which, uint32_t id, visit_t visit, int nice)
{
	struct process *p;
	struct task *task;
	int state = -ESRCH;
	uint32_t pid = 1;

	if (which == PRIO_PROCESS) {
		task = task_get_by_pid(id);
		if (task == NULL)
			return -ESRCH;
		visit(task, &state, nice);
		task_put(task);
		return state;
	}
	if (id == 0)
		id = which == PRIO_PGRP ? process_current_group_id() : cred_current()->uid;
	while ((p = process_next(pid)) != NULL) {
		pid = p->pid + 1;
		if (is_chosen(p, which, id))
			visit_tasks(p, visit, &state, nice);
		process_put(p);
	}
	return state;
}

long sys_getpriority(uint64_t which, uint64_t who)
{
	if ((int)which < PRIO_PROCESS || (int)which > PRIO_USER)
		return -EINVAL;
	return for_each((int)which, (uint32_t)who, visit_get, 0);
}

long sys_setpriority(uint64_t which, uint64_t who, uint64_t nice)
{
	if ((int)which < PRIO_PROCESS || (int)which > PRIO_USER)
		return -EINVAL;
	return for_each((int)which, (uint32_t)who, visit_set, CLAMP((int)nice, NICE_MIN, NICE_MAX));
}

/* --- policies --------------------------------------------------------------------------------- */

static bool is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool is_policy(int policy)
{
	return is_realtime(policy) || policy == SCHED_NORMAL || policy == SCHED_BATCH ||
	       policy == SCHED_IDLE;
}

static int may_set_policy(struct task *task, int policy, int priority)
{
	uint64_t limit = task->process->limits[RLIMIT_RTPRIO].rlim_cur;

	if (capable(CAP_SYS_NICE))
		return 0;
	if (is_realtime(policy)) {
		if (policy != task->thread.policy && limit == 0)
			return -EPERM;
		if (priority > task->thread.rt_priority && (uint64_t)priority > limit)
			return -EPERM;
	}
	if (task->thread.policy == SCHED_IDLE && policy != SCHED_IDLE &&
	    may_set_nice(task, task->thread.nice) != 0)
		return -EPERM;
	return owns(task) ? 0 : -EPERM;
}

struct policy_change {
	int policy;			/* -1: as it is */
	int priority, nice;
	bool keep_nice, reset_on_fork;
};

static int set_policy(uint64_t pid, const struct policy_change *c)
{
	int policy = c->policy, priority = c->priority, error;
	struct task *task;

	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	policy = policy < 0 ? task->thread.policy : policy;
	if (!is_policy(policy) || priority < 0 || priority > RT_PRIORITY_MAX ||
	    is_realtime(policy) != (priority != 0))
		error = -EINVAL;
	else
		error = may_set_policy(task, policy, priority);
	if (error == 0 && task->sched_reset_on_fork && !c->reset_on_fork && c->policy >= 0 &&
	    !capable(CAP_SYS_NICE))
		error = -EPERM;
	if (error == 0 && !c->keep_nice && !is_realtime(policy))
		error = may_set_nice(task, c->nice) != 0 ? -EPERM : 0;
	if (error == 0) {
		sched_set_policy(&task->thread, policy, priority);
		if (!c->keep_nice && !is_realtime(policy))
			sched_set_nice(&task->thread, c->nice);
		if (c->policy >= 0)
			task->sched_reset_on_fork = c->reset_on_fork;
	}
	task_put(task);
	return error;
}

static int param_get(uint64_t pid, uint64_t user_param, struct abi_sched_param *param)
{
	if (user_param == 0 || (int)pid < 0)
		return -EINVAL;
	return copy_from_user(param, user_addr(user_param), sizeof(*param));
}

long sys_sched_setscheduler(uint64_t pid, uint64_t policy, uint64_t user_param)
{
	struct policy_change c = {
		.policy = (int)policy & ~SCHED_RESET_ON_FORK, .keep_nice = true,
		.reset_on_fork = (policy & SCHED_RESET_ON_FORK) != 0,
	};
	struct abi_sched_param param;
	int error = (int)policy < 0 ? -EINVAL : param_get(pid, user_param, &param);

	if (error != 0)
		return error;
	c.priority = param.sched_priority;
	return set_policy(pid, &c);
}

long sys_sched_setparam(uint64_t pid, uint64_t user_param)
{
	struct policy_change c = { .policy = -1, .keep_nice = true };
	struct abi_sched_param param;
	int error = param_get(pid, user_param, &param);

	if (error != 0)
		return error;
	c.priority = param.sched_priority;
	return set_policy(pid, &c);
}

long sys_sched_getscheduler(uint64_t pid)
{
	struct task *task;
	long policy;

	if ((int)pid < 0)
		return -EINVAL;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	policy = task->thread.policy | (task->sched_reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	task_put(task);
	return policy;
}

long sys_sched_getparam(uint64_t pid, uint64_t user_param)
{
	struct abi_sched_param param;
	struct task *task;

	if (user_param == 0 || (int)pid < 0)
		return -EINVAL;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	param.sched_priority = is_realtime(task->thread.policy) ? task->thread.rt_priority : 0;
	task_put(task);
	return copy_to_user(user_addr(user_param), &param, sizeof(param));
}

long sys_sched_setattr(uint64_t pid, uint64_t user_attr, uint64_t flags)
{
	struct abi_sched_attr attr;
	struct policy_change c;
	uint32_t size;
	int error;

	if (user_attr == 0 || (int)pid < 0 || flags != 0)
		return -EINVAL;
	if (user_load32(user_addr(user_attr), &size) != 0)
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) {
		error = -E2BIG;
	} else {
		error = user_struct_get(&attr, sizeof(attr), SCHED_ATTR_SIZE_VER0,
					user_addr(user_attr), size);
	}
	if (error == -E2BIG)
		return user_store32(user_addr(user_attr), sizeof(attr)) != 0 ? -EFAULT : -E2BIG;
	if (error != 0)
		return error;
	if ((int)attr.sched_policy < 0 || (attr.sched_flags & ~(uint64_t)SCHED_FLAG_ALL) != 0)
		return -EINVAL;
	c = (struct policy_change){
		.policy = (attr.sched_flags & SCHED_FLAG_KEEP_POLICY) != 0
				  ? -1 : (int)attr.sched_policy,
		.priority = (int)attr.sched_priority,
		.nice = CLAMP(attr.sched_nice, NICE_MIN, NICE_MAX),
		.keep_nice = (attr.sched_flags & SCHED_FLAG_KEEP_PARAMS) != 0,
		.reset_on_fork = (attr.sched_flags & SCHED_FLAG_RESET_ON_FORK) != 0,
	};
	return set_policy(pid, &c);
}

long sys_sched_getattr(uint64_t pid, uint64_t user_attr, uint64_t size, uint64_t flags)
{
	struct abi_sched_attr attr = { .size = MIN((uint32_t)size, (uint32_t)sizeof(attr)) };
	struct task *task;

	if (user_attr == 0 || (int)pid < 0 || (uint32_t)size > PAGE_SIZE ||
	    (uint32_t)size < SCHED_ATTR_SIZE_VER0 || flags != 0)
		return -EINVAL;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	attr.sched_policy = task->thread.policy;
	attr.sched_flags = task->sched_reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_realtime(task->thread.policy))
		attr.sched_priority = task->thread.rt_priority;
	else
		attr.sched_nice = task->thread.nice;
	task_put(task);
	return copy_to_user(user_addr(user_attr), &attr, attr.size);
}

long sys_sched_get_priority_max(uint64_t policy)
{
	if (is_realtime((int)policy))
		return RT_PRIORITY_MAX;
	return is_policy((int)policy) || (int)policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(uint64_t policy)
{
	if (is_realtime((int)policy))
		return RT_PRIORITY_MIN;
	return is_policy((int)policy) || (int)policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(uint64_t pid, uint64_t user_time)
{
	struct task *task;
	uint64_t ns;

	if ((int)pid < 0)
		return -EINVAL;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	ns = task->thread.policy == SCHED_RR ? SCHED_RR_SLICE_NS :
	     task->thread.policy == SCHED_FIFO ? 0 : SCHED_SLICE_NS;
	task_put(task);
	return timespec_put(user_time, ns);
}

/* --- affinity --------------------------------------------------------------------------------- */

long sys_sched_setaffinity(uint64_t pid, uint64_t bytes, uint64_t user_mask)
{
	uint64_t mask = 0;
	struct task *task;
	int error;

	if (copy_from_user(&mask, user_addr(user_mask), MIN((uint32_t)bytes, 8u)) != 0)
		return -EFAULT;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	error = owns(task) || capable(CAP_SYS_NICE) ?
		sched_set_affinity(&task->thread, (cpu_mask_t)mask) : -EPERM;
	task_put(task);
	return error;
}

/* As many bytes as the kernel's mask has: one word. */
long sys_sched_getaffinity(uint64_t pid, uint64_t bytes, uint64_t user_mask)
{
	uint64_t mask;
	struct task *task;

	if ((uint32_t)bytes * 8u < cpu_count || (bytes & 7) != 0)
		return -EINVAL;
	task = task_get_by_pid(pid);
	if (task == NULL)
		return -ESRCH;
	mask = task->thread.affinity & ((2ULL << (cpu_count - 1)) - 1);
	task_put(task);
	return copy_to_user(user_addr(user_mask), &mask, sizeof(mask)) != 0 ? -EFAULT : 8;
}

long sys_getcpu(uint64_t user_cpu, uint64_t user_node, uint64_t unused)
{
	if (user_cpu != 0 && user_store32(user_addr(user_cpu), cpu_id()) != 0)
		return -EFAULT;
	if (user_node != 0 && user_store32(user_addr(user_node), 0) != 0)
		return -EFAULT;
	return 0;
}
