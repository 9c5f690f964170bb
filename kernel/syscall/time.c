/*
 * Clocks, sleeping, timers.
 */
#include "abi/errno.h"
#include "abi/capability.h"
#include "abi/time.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "proc/itimer.h"
#include "proc/restart.h"
#include "proc/rusage.h"
#include "syscall/args.h"
#include "syscall/restarts.h"
#include "syscall/syscalls.h"

static int32_t timezone[2];		/* settimeofday's; kept for gettimeofday only */

/* --- reading and setting ---------------------------------------------------------------------- */

long sys_clock_gettime(uint64_t clock, uint64_t user_time)
{
	uint64_t ns;
	int error = clock_read((int)clock, &ns);

	return error != 0 ? error : timespec_put(user_time, ns);
}

long sys_clock_getres(uint64_t clock, uint64_t user_time)
{
	uint64_t ns;
	int error = clock_read((int)clock, &ns);

	if (error != 0 || user_time == 0)
		return error;
	return timespec_put(user_time, (int)clock == CLOCK_REALTIME_COARSE ||
				       (int)clock == CLOCK_MONOTONIC_COARSE ? 4000000 : 1);
}

long sys_clock_settime(uint64_t clock, uint64_t user_time)
{
	uint64_t ns, now;
	int error;

	if ((int)clock != CLOCK_REALTIME)
		return clock_read((int)clock, &now) != 0 || (int)clock < 0 ||
		       (int)clock == CLOCK_MONOTONIC || (int)clock > CLOCK_REALTIME
			       ? -EINVAL : -EPERM;
	error = timespec_get(user_time, &ns);
	if (error != 0)
		return error;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	return clock_set_wall_ns(ns);
}

long sys_gettimeofday(uint64_t user_time, uint64_t user_zone)
{
	if (user_time != 0 && timeval_put(user_time, clock_wall_ns()) != 0)
		return -EFAULT;
	return user_zone == 0 ? 0 : copy_to_user(user_addr(user_zone), timezone, sizeof(timezone));
}

long sys_settimeofday(uint64_t user_time, uint64_t user_zone)
{
	struct abi_timeval t;
	int32_t zone[2];

	if (user_time != 0) {
		if (copy_from_user(&t, user_addr(user_time), sizeof(t)) != 0)
			return -EFAULT;
		if (t.tv_usec < 0 || t.tv_usec >= 1000000 || t.tv_sec < 0)
			return -EINVAL;
	}
	if (user_zone != 0 && copy_from_user(zone, user_addr(user_zone), sizeof(zone)) != 0)
		return -EFAULT;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (user_zone != 0)
		memcpy(timezone, zone, sizeof(timezone));
	if (user_time != 0)
		return clock_set_wall_ns((uint64_t)t.tv_sec * NSEC_PER_SEC +
					 (uint64_t)t.tv_usec * NSEC_PER_USEC);
	return 0;
}

long sys_time(uint64_t user_time)
{
	int64_t now = (int64_t)(clock_wall_ns() / NSEC_PER_SEC);

	if (user_time != 0 && copy_to_user(user_addr(user_time), &now, sizeof(now)) != 0)
		return -EFAULT;
	return now;
}

long sys_i386_time(uint64_t user_time)
{
	int32_t now = (int32_t)(clock_wall_ns() / NSEC_PER_SEC);

	if (user_time != 0 && user_store32(user_addr(user_time), (uint32_t)now) != 0)
		return -EFAULT;
	return now;
}

long sys_i386_gettimeofday(uint64_t user_time, uint64_t user_zone)
{
	uint64_t ns = clock_wall_ns();
	int32_t t[2] = { (int32_t)(ns / NSEC_PER_SEC),
			 (int32_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };

	if (user_time != 0 && copy_to_user(user_addr(user_time), t, sizeof(t)) != 0)
		return -EFAULT;
	return user_zone == 0 ? 0 : copy_to_user(user_addr(user_zone), timezone, sizeof(timezone));
}

/* The clock is not disciplined: reading says "not synchronised", changing needs the right. */
static long adjust(uint64_t user_timex)
{
	struct abi_timex t;
	uint64_t now = clock_wall_ns();

	if (copy_from_user(&t, user_addr(user_timex), sizeof(t)) != 0)
		return -EFAULT;
	if (t.modes != 0 && !capable(CAP_SYS_TIME))
		return -EPERM;
	t.status = STA_UNSYNC;
	t.maxerror = t.esterror = 16000000;
	t.precision = 1;
	t.tolerance = 32768000;
	t.tick = 10000;
	t.constant = 2;
	t.time.tv_sec = (int64_t)(now / NSEC_PER_SEC);
	t.time.tv_usec = (int64_t)(now % NSEC_PER_SEC / NSEC_PER_USEC);
	if (copy_to_user(user_addr(user_timex), &t, sizeof(t)) != 0)
		return -EFAULT;
	return 5;		/* TIME_ERROR */
}

long sys_adjtimex(uint64_t user_timex) { return adjust(user_timex); }

long sys_clock_adjtime(uint64_t clock, uint64_t user_timex)
{
	if ((int)clock != CLOCK_REALTIME)
		return (int)clock < 0 || (int)clock > CLOCK_TAI ? -EINVAL : -EOPNOTSUPP;
	return adjust(user_timex);
}

long sys_times(uint64_t user_tms)
{
	struct process *p = process_current();
	uint64_t user, system, tick = NSEC_PER_SEC / USER_HZ;
	struct abi_tms t;

	process_times(p, &user, &system);
	t.tms_utime = (int64_t)(user / tick);
	t.tms_stime = (int64_t)(system / tick);
	t.tms_cutime = (int64_t)(p->children_user_ns / tick);
	t.tms_cstime = (int64_t)(p->children_system_ns / tick);
	if (user_tms != 0 && copy_to_user(user_addr(user_tms), &t, sizeof(t)) != 0)
		return -EFAULT;
	return (long)(clock_ns() / tick);
}

/* --- sleeping --------------------------------------------------------------------------------- */

static int put_remainder(uint64_t user_rest, uint64_t deadline)
{
	uint64_t now = clock_ns();

	return user_rest == 0 ? 0 : timespec_put(user_rest, deadline > now ? deadline - now : 0);
}

/* A handler ends the sleep with EINTR and the rest; a stop does not. */
static long sleep_until(uint64_t deadline, uint64_t user_rest)
{
	struct task *task = task_current();
	int error = sched_sleep_until(deadline, true);

	if (error == 0)
		return 0;
	if (put_remainder(user_rest, deadline) != 0)
		return -EFAULT;
	task->restart_kind = RESTART_NANOSLEEP;
	task->restart_deadline_ns = deadline;
	task->restart_args[0] = user_rest;
	return -ERESTART_RESTARTBLOCK;
}

long nanosleep_restart(struct task *task)
{
	return sleep_until(task->restart_deadline_ns, task->restart_args[0]);
}


long sys_nanosleep(uint64_t user_time, uint64_t user_rest)
{
	uint64_t ns;
	int error = timespec_get(user_time, &ns);

	return error != 0 ? error : sleep_until(deadline_after(ns), user_rest);
}

static bool can_sleep_on(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return true;
	default:
		return false;
	}
}

/* Sleeps until the process has used so much processor time: looks again when it could have. */
static long sleep_on_process_clock(uint64_t target_ns, bool absolute)
{
	struct process *p = process_current();
	uint64_t used = process_run_ns(p);

	if (!absolute)
		target_ns = used + target_ns;
	while ((used = process_run_ns(p)) < target_ns) {
		uint64_t step = MAX((target_ns - used) / MAX(p->task_count, 1u), NSEC_PER_MSEC);

		if (sched_sleep_until(deadline_after(step), true) != 0)
			return absolute ? -ERESTARTNOHAND : -EINTR;
	}
	return 0;
}

/* Clocks of processes and threads by number: those of threads cannot be slept on. */
static int check_sleep_clock(int clock)
{
	uint64_t now;

	if (clock < 0)
		return (clock & 7) == 3 ? -EOPNOTSUPP : 0;
	if (can_sleep_on(clock) || clock == CLOCK_PROCESS_CPUTIME_ID)
		return 0;
	return clock_read(clock, &now) != 0 ? -EINVAL : -EOPNOTSUPP;
}

long sys_clock_nanosleep(uint64_t clock, uint64_t flags, uint64_t user_time, uint64_t user_rest)
{
	int error = check_sleep_clock((int)clock);
	uint64_t ns;

	if (error == 0)
		error = timespec_get(user_time, &ns);
	if (error != 0)
		return error;
	if ((int)clock < 0)
		return -EINVAL;
	if ((int)clock == CLOCK_PROCESS_CPUTIME_ID)
		return sleep_on_process_clock(ns, (flags & TIMER_ABSTIME) != 0);
	if ((flags & TIMER_ABSTIME) == 0)
		return sleep_until(deadline_after(ns), user_rest);
	error = sched_sleep_until(clock_to_monotonic((int)clock, ns), true);
	return error == 0 ? 0 : -ERESTARTNOHAND;
}

long sys_restart_syscall(void)
{
	struct task *task = task_current();
	int kind = task->restart_kind;

	task->restart_kind = RESTART_NONE;
	switch (kind) {
	case RESTART_NANOSLEEP:
		return nanosleep_restart(task);
	case RESTART_FUTEX:
		return futex_restart(task);
	case RESTART_POLL:
		return poll_restart(task);
	default:
		return -EINTR;
	}
}

/* --- interval timers -------------------------------------------------------------------------- */

static int timeval_to_ns(const struct abi_timeval *t, uint64_t *ns)
{
	struct abi_timespec spec = { t->tv_sec, t->tv_usec * 1000 };

	if (t->tv_usec < 0 || t->tv_usec >= 1000000)
		return -EINVAL;
	return timespec_to_ns(&spec, ns);
}

static int itimerval_put(uint64_t user_value, uint64_t value_ns, uint64_t interval_ns)
{
	struct abi_itimerval v = {
		.it_interval = { (int64_t)(interval_ns / NSEC_PER_SEC),
				 (int64_t)(interval_ns % NSEC_PER_SEC / NSEC_PER_USEC) },
		.it_value = { (int64_t)(value_ns / NSEC_PER_SEC),
			      (int64_t)(value_ns % NSEC_PER_SEC / NSEC_PER_USEC) },
	};

	/* What is left is not nothing, however little. */
	if (value_ns != 0 && v.it_value.tv_sec == 0 && v.it_value.tv_usec == 0)
		v.it_value.tv_usec = 1;
	return copy_to_user(user_addr(user_value), &v, sizeof(v));
}

long sys_getitimer(uint64_t which, uint64_t user_value)
{
	uint64_t value, interval;
	int error = itimer_get((int)which, &value, &interval);

	return error != 0 ? error : itimerval_put(user_value, value, interval);
}

long sys_setitimer(uint64_t which, uint64_t user_new, uint64_t user_old)
{
	uint64_t value = 0, interval = 0, old_value, old_interval;
	struct abi_itimerval v;
	int error = 0;

	if (user_new != 0) {
		if (copy_from_user(&v, user_addr(user_new), sizeof(v)) != 0)
			return -EFAULT;
		error = timeval_to_ns(&v.it_value, &value);
		if (error == 0)
			error = timeval_to_ns(&v.it_interval, &interval);
	}
	if (error == 0)
		error = itimer_set((int)which, value, interval, &old_value, &old_interval);
	if (error != 0 || user_old == 0)
		return error;
	return itimerval_put(user_old, old_value, old_interval);
}

long sys_alarm(uint64_t seconds)
{
	uint64_t old, old_interval;
	int error = itimer_set(ITIMER_REAL, (uint32_t)seconds * NSEC_PER_SEC, 0, &old,
			       &old_interval);

	if (error != 0)
		return 0;
	/* Rounded to the nearest second, but never to nothing. */
	return old == 0 ? 0 : (long)MAX((old + NSEC_PER_SEC / 2) / NSEC_PER_SEC, 1UL);
}

/* --- POSIX timers ----------------------------------------------------------------------------- */

static int itimerspec_put(uint64_t user_spec, uint64_t value_ns, uint64_t interval_ns)
{
	struct abi_itimerspec spec = { ns_to_timespec(interval_ns), ns_to_timespec(value_ns) };

	return copy_to_user(user_addr(user_spec), &spec, sizeof(spec));
}

long sys_timer_create(uint64_t clock, uint64_t user_event, uint64_t user_id)
{
	struct abi_sigevent event;
	long id;

	if (user_event != 0 && copy_from_user(&event, user_addr(user_event), sizeof(event)) != 0)
		return -EFAULT;
	id = posix_timer_create((int)clock, user_event != 0 ? &event : NULL);
	if (id < 0)
		return id;
	if (user_store32(user_addr(user_id), (uint32_t)id) != 0) {
		(void)!posix_timer_delete((int)id);
		return -EFAULT;
	}
	return 0;
}

long sys_timer_settime(uint64_t id, uint64_t flags, uint64_t user_new, uint64_t user_old)
{
	uint64_t value, interval, old_value, old_interval;
	struct abi_itimerspec spec;
	int error;

	if (user_new == 0)
		return -EINVAL;
	if (copy_from_user(&spec, user_addr(user_new), sizeof(spec)) != 0)
		return -EFAULT;
	error = timespec_to_ns(&spec.it_value, &value);
	if (error == 0)
		error = timespec_to_ns(&spec.it_interval, &interval);
	if (error == 0)
		error = posix_timer_set((int)id, (int)flags, value, interval, &old_value,
					&old_interval);
	if (error != 0 || user_old == 0)
		return error;
	return itimerspec_put(user_old, old_value, old_interval);
}

long sys_timer_gettime(uint64_t id, uint64_t user_spec)
{
	uint64_t value, interval;
	int error = posix_timer_get((int)id, &value, &interval);

	return error != 0 ? error : itimerspec_put(user_spec, value, interval);
}

long sys_timer_getoverrun(uint64_t id) { return posix_timer_overrun((int)id); }
long sys_timer_delete(uint64_t id) { return posix_timer_delete((int)id); }
