/*
 * poll, ppoll, select, pselect6: one wait (vfs/poll.h) over a set of descriptors. Each descriptor's
 * file is held for the whole wait.
 */
#include "abi/errno.h"
#include "abi/time.h"
#include "core/user_copy.h"
#include "mem/slab.h"
#include "proc/restart.h"
#include "proc/task.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "vfs/file.h"
#include "vfs/poll.h"

/* --- what is polled --------------------------------------------------------------------------- */

struct poll_item {
	struct fd_ref ref;			/* file NULL: negative or not open */
	uint32_t events, result;
};

/* Looks at all; how many have something. */
static size_t look(struct poll_item *items, size_t n, struct poll_session *session)
{
	size_t ready = 0;

	for (size_t i = 0; i < n; i++) {
		struct poll_item *item = &items[i];

		if (item->ref.file != NULL)
			item->result = poll_session_ask(session, item->ref.file, item->events);
		if (item->result != 0) {
			ready++;
			poll_session_stop(session);
		}
	}
	return ready;
}

/*
 * How many are ready by the deadline (0: only looks); or -errno. The first look enters no wait
 * queue: where something is ready, that would be for nothing, and it is half of the work.
 */
static long poll_items(struct poll_item *items, size_t n, uint64_t deadline_ns)
{
	struct poll_session session;
	size_t ready;
	int error = 0;

	poll_session_init(&session);
	poll_session_stop(&session);
	ready = look(items, n, &session);
	if (ready > 0 || deadline_ns == 0)
		return (long)ready;
	poll_session_init(&session);
	ready = look(items, n, &session);
	while (ready == 0 && error == 0) {
		error = poll_session_wait(&session, deadline_ns);
		ready = look(items, n, &session);
	}
	poll_session_fini(&session);
	if (ready > 0 || error == 0 || error == -ETIMEDOUT)
		return (long)ready;
	return error == -ERESTARTSYS ? -ERESTARTNOHAND : error;
}

static void items_put(struct poll_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].ref.file != NULL)
			fd_put(&items[i].ref);
	}
}

/* --- poll ------------------------------------------------------------------------------------- */

#define FDS_INLINE 16

struct poll_call {
	struct abi_pollfd *fds;
	struct poll_item *items;
	size_t count;
	struct abi_pollfd fds_fast[FDS_INLINE];
	struct poll_item items_fast[FDS_INLINE];
};

static int poll_call_get(struct poll_call *c, uint64_t address, size_t count)
{
	c->count = count;
	c->fds = c->fds_fast;
	c->items = c->items_fast;
	if (count > FDS_INLINE) {
		/* The products fit: count is within RLIMIT_NOFILE. */
		c->fds = kmalloc(count * sizeof(*c->fds));
		c->items = kmalloc(count * sizeof(*c->items));
		if (c->fds == NULL || c->items == NULL)
			return -ENOMEM;
	}
	return copy_from_user(c->fds, user_addr(address), count * sizeof(*c->fds));
}

static void poll_call_put(struct poll_call *c)
{
	if (c->fds != c->fds_fast) {
		kfree(c->fds);
		kfree(c->items);
	}
}

static void poll_call_items(struct poll_call *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct poll_item *item = &c->items[i];

		item->events = (uint16_t)c->fds[i].events;
		item->result = 0;
		if (c->fds[i].fd < 0) {
			item->ref.file = NULL;
		} else if (unlikely(!fd_get(c->fds[i].fd, &item->ref))) {
			item->ref.file = NULL;
			item->result = POLLNVAL;
		}
	}
}

static long do_poll(uint64_t address, uint64_t count, uint64_t deadline_ns)
{
	struct poll_call c;
	long ready;

	if ((uint32_t)count > process_limit(RLIMIT_NOFILE))
		return -EINVAL;
	ready = poll_call_get(&c, address, (uint32_t)count);
	if (ready == 0) {
		poll_call_items(&c);
		ready = poll_items(c.items, c.count, deadline_ns);
		items_put(c.items, c.count);
	}
	/* Also when there is nothing to write, as Linux. */
	if (ready >= 0 && !user_range_ok(user_addr(address), c.count * sizeof(*c.fds)))
		ready = -EFAULT;
	for (size_t i = 0; ready >= 0 && i < c.count; i++) {
		uint64_t at = address + i * sizeof(struct abi_pollfd) +
			      offsetof(struct abi_pollfd, revents);

		if (user_store16(user_addr(at), (uint16_t)c.items[i].result) != 0)
			ready = -EFAULT;
	}
	poll_call_put(&c);
	return ready;
}

/* An absolute deadline from poll's milliseconds: 0 looks only. */
static uint64_t deadline_from_ms(int32_t ms)
{
	if (ms < 0)
		return TIME_NEVER;
	return ms == 0 ? 0 : deadline_after((uint64_t)ms * NSEC_PER_MSEC);
}

/* After a stop or an ignored signal, restart_syscall(2) goes on to the same deadline. */
static long restart_later(uint64_t fds, uint64_t count, uint64_t deadline_ns)
{
	struct task *task = task_current();

	task->restart_kind = RESTART_POLL;
	task->restart_deadline_ns = deadline_ns;
	task->restart_args[0] = fds;
	task->restart_args[1] = count;
	return -ERESTART_RESTARTBLOCK;
}

long sys_poll(uint64_t fds, uint64_t count, uint64_t timeout_ms)
{
	uint64_t deadline = deadline_from_ms((int32_t)timeout_ms);
	long result = do_poll(fds, count, deadline);

	return result == -ERESTARTNOHAND ? restart_later(fds, count, deadline) : result;
}

long poll_restart(struct task *task)
{
	uint64_t fds = task->restart_args[0], count = task->restart_args[1];
	uint64_t deadline = task->restart_deadline_ns;
	long result = do_poll(fds, count, deadline);

	return result == -ERESTARTNOHAND ? restart_later(fds, count, deadline) : result;
}

/* A relative timespec at `address` (0: for ever) as an absolute deadline. */
static int deadline_from_timespec(uint64_t address, uint64_t *deadline)
{
	uint64_t ns;
	int error;

	*deadline = TIME_NEVER;
	if (address == 0)
		return 0;
	error = timespec_get(address, &ns);
	if (error == 0)
		*deadline = ns == 0 ? 0 : deadline_after(ns);
	return error;
}

/* The time that is left goes back to the caller; that it may not be writable is ignored. */
static void put_time_left(uint64_t address, uint64_t deadline, bool timeval)
{
	uint64_t now = clock_ns(), left = deadline > now ? deadline - now : 0;
	int error;

	if (address == 0 || deadline == TIME_NEVER)
		return;
	error = timeval ? timeval_put(address, left) : timespec_put(address, left);
	(void)error;
}

/* The mask argument of ppoll and pselect6 (0: none) holds until the call is over. */
static int mask_begin(uint64_t mask_address, uint64_t bytes)
{
	uint64_t mask;
	int error;

	if (mask_address == 0)
		return 0;
	error = sigmask_get(mask_address, bytes, &mask);
	if (error == 0)
		signal_use_mask(mask);
	return error;
}

static long mask_end(uint64_t mask_address, long result)
{
	if (mask_address != 0)
		signal_restore_mask(result == -ERESTARTNOHAND);
	return result;
}

long sys_ppoll(uint64_t fds, uint64_t count, uint64_t timeout, uint64_t mask, uint64_t mask_bytes)
{
	uint64_t deadline;
	long result = deadline_from_timespec(timeout, &deadline);

	if (result == 0)
		result = mask_begin(mask, mask_bytes);
	if (result != 0)
		return result;
	result = do_poll(fds, count, deadline);
	put_time_left(timeout, deadline, false);
	return mask_end(mask, result);
}

/* --- select ----------------------------------------------------------------------------------- */

#define SELECT_IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX (POLLPRI)

static const uint32_t select_events[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };

struct select_call {
	uint64_t *bits;				/* three sets in, then three out */
	size_t words;				/* of each set */
	struct poll_item *items;		/* one a descriptor that is in a set */
	int *fds;
	size_t count;
};

static void select_put(struct select_call *c)
{
	kfree(c->bits);
	kfree(c->items);
	kfree(c->fds);
}

static int select_get(struct select_call *c, size_t n, const uint64_t sets[3])
{
	int error = 0;

	c->words = (n + 63) / 64;
	c->bits = kcalloc(c->words * 6 + 1, sizeof(*c->bits));
	c->items = kcalloc(n + 1, sizeof(*c->items));
	c->fds = kcalloc(n + 1, sizeof(*c->fds));
	if (c->bits == NULL || c->items == NULL || c->fds == NULL)
		return -ENOMEM;
	for (size_t s = 0; s < 3 && error == 0; s++) {
		if (sets[s] != 0)
			error = copy_from_user(c->bits + s * c->words, user_addr(sets[s]),
					       c->words * 8);
	}
	return error;
}

static bool set_has(const struct select_call *c, size_t set, size_t fd)
{
	return (c->bits[set * c->words + fd / 64] >> (fd % 64) & 1) != 0;
}

static int select_items(struct select_call *c, size_t n)
{
	for (size_t fd = 0; fd < n; fd++) {
		uint32_t events = 0;

		for (size_t s = 0; s < 3; s++)
			events |= set_has(c, s, fd) ? select_events[s] : 0;
		if (events == 0)
			continue;
		if (!fd_get((int)fd, &c->items[c->count].ref)) {
			items_put(c->items, c->count);
			return -EBADF;
		}
		c->items[c->count].events = events;
		c->fds[c->count++] = (int)fd;
	}
	return 0;
}

static long select_results(struct select_call *c)
{
	long total = 0;

	for (size_t i = 0; i < c->count; i++) {
		size_t fd = (size_t)c->fds[i];

		for (size_t s = 0; s < 3; s++) {
			if (!set_has(c, s, fd) || (c->items[i].result & select_events[s]) == 0)
				continue;
			c->bits[(s + 3) * c->words + fd / 64] |= 1UL << (fd % 64);
			total++;
		}
	}
	return total;
}

static long do_select(uint64_t n_arg, const uint64_t sets[3], uint64_t deadline_ns)
{
	size_t limit = (size_t)process_limit(RLIMIT_NOFILE), n = (uint32_t)n_arg;
	struct select_call c = { 0 };
	long result;

	if ((int)n_arg < 0)
		return -EINVAL;
	if (n > limit)
		n = limit;
	result = select_get(&c, n, sets);
	if (result == 0)
		result = select_items(&c, n);
	if (result == 0) {
		result = poll_items(c.items, c.count, deadline_ns);
		items_put(c.items, c.count);
		if (result >= 0)
			result = select_results(&c);
	}
	for (size_t s = 0; s < 3 && result >= 0; s++) {
		if (sets[s] != 0 && copy_to_user(user_addr(sets[s]), c.bits + (s + 3) * c.words,
						 c.words * 8) != 0)
			result = -EFAULT;
	}
	select_put(&c);
	return result;
}

long sys_select(uint64_t n, uint64_t in, uint64_t out, uint64_t ex, uint64_t timeout)
{
	const uint64_t sets[3] = { in, out, ex };
	uint64_t deadline = TIME_NEVER;
	struct abi_timeval v;
	long result;

	if (timeout != 0) {
		if (copy_from_user(&v, user_addr(timeout), sizeof(v)) != 0)
			return -EFAULT;
		if (v.tv_sec < 0 || v.tv_usec < 0)
			return -EINVAL;
		deadline = v.tv_sec > INT32_MAX
				   ? TIME_NEVER - 1
				   : (uint64_t)v.tv_sec * NSEC_PER_SEC +
					     (uint64_t)v.tv_usec * NSEC_PER_USEC;
		if (deadline != 0 && deadline != TIME_NEVER - 1)
			deadline = deadline_after(deadline);
	}
	result = do_select(n, sets, deadline);
	put_time_left(timeout, deadline, true);
	return result;
}

long sys_pselect6(uint64_t n, uint64_t in, uint64_t out, uint64_t ex, uint64_t timeout,
		  uint64_t mask_argument)
{
	const uint64_t sets[3] = { in, out, ex };
	struct abi_pselect_sigmask mask = { 0, 0 };
	uint64_t deadline;
	long result = 0;

	if (mask_argument != 0)
		result = copy_from_user(&mask, user_addr(mask_argument), sizeof(mask));
	if (result == 0)
		result = deadline_from_timespec(timeout, &deadline);
	if (result == 0)
		result = mask_begin(mask.sigset, mask.size);
	if (result != 0)
		return result;
	result = do_select(n, sets, deadline);
	put_time_left(timeout, deadline, false);
	return mask_end(mask.sigset, result);
}
