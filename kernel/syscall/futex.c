/*
 * futex(2), futex_waitv(2), robust lists.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "proc/futex.h"
#include "proc/itimer.h"
#include "proc/restart.h"
#include "syscall/args.h"
#include "syscall/restarts.h"
#include "syscall/syscalls.h"

/* The deadline of a wait: relative for FUTEX_WAIT, absolute on a clock for the others. */
static int deadline_get(uint64_t user_timeout, int command, bool realtime, uint64_t *deadline)
{
	uint64_t ns;
	int error;

	*deadline = TIME_NEVER;
	if (user_timeout == 0)
		return 0;
	error = timespec_get(user_timeout, &ns);
	if (error != 0)
		return error;
	if (command == FUTEX_WAIT)
		*deadline = deadline_after(ns);
	else
		*deadline = clock_to_monotonic(realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, ns);
	return 0;
}

/* A wait with a timeout goes on with the same deadline after a stop; one without begins anew. */
static long wait(uint64_t address, bool shared, uint32_t value, uint32_t bitset, uint64_t deadline)
{
	struct task *task = task_current();
	int error = futex_wait(user_addr(address), shared, value, bitset, deadline);

	if (error != -ERESTARTSYS || deadline == TIME_NEVER)
		return error;
	task->restart_kind = RESTART_FUTEX;
	task->restart_deadline_ns = deadline;
	task->restart_args[0] = address;
	task->restart_args[1] = value;
	task->restart_args[2] = shared;
	task->restart_args[3] = bitset;
	return -ERESTART_RESTARTBLOCK;
}

long futex_restart(struct task *task)
{
	return wait(task->restart_args[0], task->restart_args[2] != 0,
		    (uint32_t)task->restart_args[1], (uint32_t)task->restart_args[3],
		    task->restart_deadline_ns);
}

static bool allows_realtime(int command)
{
	return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI ||
	       command == FUTEX_LOCK_PI2;
}

long sys_futex(uint64_t address, uint64_t operation, uint64_t value, uint64_t timeout,
	       uint64_t other, uint64_t value3)
{
	int command = (int)operation & FUTEX_CMD_MASK;
	bool shared = (operation & FUTEX_PRIVATE_FLAG) == 0;
	bool realtime = (operation & FUTEX_CLOCK_REALTIME) != 0;
	user_addr_t word = user_addr(address);
	uint32_t expected = (uint32_t)value3;
	uint64_t deadline = TIME_NEVER;
	bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET ||
		     command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2;
	int error = 0;

	if (waits)
		error = deadline_get(timeout, command, realtime || command == FUTEX_LOCK_PI,
				     &deadline);
	if (error == 0 && realtime && !allows_realtime(command))
		error = -ENOSYS;
	if (error != 0)
		return error;
	switch (command) {
	case FUTEX_WAIT:
		return wait(address, shared, (uint32_t)value, FUTEX_BITSET_MATCH_ANY, deadline);
	case FUTEX_WAIT_BITSET:
		return wait(address, shared, (uint32_t)value, expected, deadline);
	case FUTEX_WAKE:
		return futex_wake(word, shared, MAX((uint32_t)value, 1u), FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(word, shared, MAX((uint32_t)value, 1u), expected);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((int32_t)value < 0 || (int32_t)timeout < 0)
			return -EINVAL;
		return futex_requeue(word, user_addr(other), shared, (uint32_t)value,
				     (uint32_t)timeout,
				     command == FUTEX_CMP_REQUEUE ? &expected : NULL);
	case FUTEX_WAKE_OP:
		return futex_wake_op(word, user_addr(other), shared, (uint32_t)value,
				     (uint32_t)timeout, expected);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(word, shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(word, shared, TIME_NEVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(word, shared);
	default:
		return -ENOSYS;
	}
}

static int waitv_get(uint64_t user_words, size_t count, struct futex_wait_one *words)
{
	for (size_t i = 0; i < count; i++) {
		struct abi_futex_waitv w;

		if (copy_from_user(&w, user_addr(user_words + i * sizeof(w)), sizeof(w)) != 0)
			return -EFAULT;
		if ((w.flags & ~(uint32_t)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) != 0 ||
		    w.reserved != 0 || (w.flags & FUTEX_32) == 0)
			return -EINVAL;
		words[i].address = user_addr(w.uaddr);
		words[i].value = (uint32_t)w.val;
		words[i].shared = (w.flags & FUTEX_PRIVATE_FLAG) == 0;
	}
	return 0;
}

long sys_futex_waitv(uint64_t user_words, uint64_t count, uint64_t flags, uint64_t timeout,
		     uint64_t clock)
{
	struct futex_wait_one *words;
	uint64_t deadline = TIME_NEVER, ns;
	long result = 0;

	if (flags != 0 || count == 0 || count > FUTEX_WAITV_MAX || user_words == 0)
		return -EINVAL;
	if (timeout != 0) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		result = timespec_get(timeout, &ns);
		if (result != 0)
			return result;
		deadline = clock_to_monotonic((int)clock, ns);
	}
	words = kcalloc(count, sizeof(*words));
	if (words == NULL)
		return -ENOMEM;
	result = waitv_get(user_words, count, words);
	if (result == 0)
		result = futex_wait_many(words, count, deadline);
	kfree(words);
	return result;
}

long sys_set_robust_list(uint64_t head, uint64_t bytes)
{
	struct task *task = task_current();

	if (bytes != sizeof(struct abi_robust_list_head))
		return -EINVAL;
	task->robust_list = user_addr(head);
	task->robust_list_bytes = bytes;
	return 0;
}

long sys_get_robust_list(uint64_t pid, uint64_t user_head, uint64_t user_bytes)
{
	struct task *task;
	uint64_t head, bytes = sizeof(struct abi_robust_list_head);
	bool may;

	task = (int)pid == 0 ? task_current() : task_lookup((uint32_t)pid);
	if (task == NULL)
		return -ESRCH;
	may = task->process == process_current() || capable(19 /* CAP_SYS_PTRACE */);
	head = task->robust_list.value;
	if ((int)pid != 0)
		task_put(task);
	if (!may)
		return -EPERM;
	if (copy_to_user(user_addr(user_bytes), &bytes, sizeof(bytes)) != 0)
		return -EFAULT;
	return copy_to_user(user_addr(user_head), &head, sizeof(head));
}
