/*
 * timerfd: a timer whose expirations are read.
 *
 * The timer's callback only marks the expiry and wakes; a periodic timer is armed again when it is
 * read or asked, which also counts the periods that passed. So a tiny interval costs its reader,
 * not the machine.
 *
 * Deadlines are monotonic. An absolute CLOCK_REALTIME timer remembers its wall time, and is armed
 * anew when the wall clock is set (timerfd_clock_was_set), for which those are on a list.
 *
 * Locking: `lock` is taken by the callback, in the timer interrupt. Setting is serialised by
 * `set_mutex`; it disarms under the lock, cancels without it, then sets.
 */
#include "fs/timerfd.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "core/clock.h"
#include "core/fail_point.h"
#include "core/timer.h"
#include "mem/slab.h"
#include "vfs/file.h"
#include "vfs/poll.h"

struct timerfd {
	struct timer timer;
	struct mutex set_mutex;
	struct spinlock lock;		/* irqsave */
	uint64_t deadline_ns;		/* lock; the last or next expiry, monotonic */
	uint64_t interval_ns;		/* lock; 0: once */
	uint64_t ticks;			/* lock; expirations not read yet, without passed periods */
	bool armed;			/* lock */
	bool expired;			/* lock; fired and not armed again */
	bool wall;			/* [I] CLOCK_REALTIME or its alarm */
	bool absolute, cancel_on_set, cancelled;	/* lock */
	struct list_head node;		/* list_mutex: wall timers */
	struct wait_queue wait;
};

static struct slab_cache *timerfd_cache;
static struct mutex list_mutex;
static struct list_head wall_timers = LIST_HEAD_INIT(wall_timers);
static const struct file_ops timerfd_ops;

static uint64_t wall_offset(void)
{
	return clock_wall_ns() - clock_ns();
}

static void timerfd_fire(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	irq_state_t irq = spin_lock_irqsave(&t->lock);

	if (t->armed) {
		t->expired = true;
		t->ticks++;
	}
	spin_unlock_irqrestore(&t->lock, irq);
	wake_up_key(&t->wait, POLLIN | POLLRDNORM);
}

/* A fired periodic timer: counts the periods passed and arms the next expiry. */
static void catch_up(struct timerfd *t) REQUIRES(&t->lock)
{
	uint64_t now = clock_ns(), passed;

	assert_held(&t->lock);
	if (!t->expired || t->interval_ns == 0)
		return;
	passed = now > t->deadline_ns ? (now - t->deadline_ns) / t->interval_ns : 0;
	t->ticks += passed;
	t->deadline_ns += (passed + 1) * t->interval_ns;
	t->expired = false;
	timer_arm(&t->timer, t->deadline_ns);
}

/* True when there is an answer: expirations, or a cancellation as an error. */
static bool try_read(struct timerfd *t, uint64_t *ticks, int *error)
{
	irq_state_t irq = spin_lock_irqsave(&t->lock);
	bool any = true;

	*error = 0;
	if (t->cancelled) {
		t->cancelled = false;
		*error = -ECANCELED;
	} else if (t->ticks > 0) {
		catch_up(t);
		*ticks = t->ticks;
		t->ticks = 0;
	} else {
		any = false;
	}
	spin_unlock_irqrestore(&t->lock, irq);
	return any;
}

static ssize_t timerfd_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct timerfd *t = file->private;
	uint64_t ticks = 0;
	int result = 0, error = 0;

	if (to->left < sizeof(ticks))
		return -EINVAL;
	if (!try_read(t, &ticks, &result)) {
		if (to->nonblocking || (read_once(file->flags) & O_NONBLOCK) != 0)
			return -EAGAIN;
		error = wait_event_interruptible(&t->wait, try_read(t, &ticks, &result));
	}
	if (error == 0)
		error = result;
	if (error != 0)
		return error;
	return iobuf_put(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
								     : -EFAULT;
}

static uint32_t timerfd_poll(struct file *file, struct poll_table *table)
{
	struct timerfd *t = file->private;

	poll_wait(file, &t->wait, table);
	return read_once(t->ticks) > 0 || read_once(t->cancelled) ? POLLIN | POLLRDNORM : 0;
}

/* Nobody arms it any more, and the callback is not running. */
static void disarm(struct timerfd *t)
{
	irq_state_t irq = spin_lock_irqsave(&t->lock);

	t->armed = false;
	t->interval_ns = 0;
	t->expired = false;
	spin_unlock_irqrestore(&t->lock, irq);
	(void)timer_cancel(&t->timer);
}

static void timerfd_release(struct file *file)
{
	struct timerfd *t = file->private;

	disarm(t);
	mutex_lock(&list_mutex);
	list_remove(&t->node);
	mutex_unlock(&list_mutex);
	slab_free(timerfd_cache, t);
}

/* ---- setting --------------------------------------------------------------------------------- */

static bool is_valid(const struct abi_timespec *ts)
{
	return ts->tv_sec >= 0 && (uint64_t)ts->tv_nsec < NSEC_PER_SEC;
}

/* Saturates far beyond any uptime. */
static uint64_t to_ns(const struct abi_timespec *ts)
{
	if ((uint64_t)ts->tv_sec > INT64_MAX / NSEC_PER_SEC - 1)
		return INT64_MAX;
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + (uint64_t)ts->tv_nsec;
}

static struct abi_timespec from_ns(uint64_t ns)
{
	return (struct abi_timespec){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) };
}

static uint64_t to_deadline(const struct timerfd *t, uint64_t value_ns, bool absolute)
{
	uint64_t offset;

	if (!absolute)
		return clock_ns() + value_ns;
	if (!t->wall)
		return value_ns;
	offset = wall_offset();
	return value_ns > offset ? value_ns - offset : 0;
}

static void read_setting(struct timerfd *t, struct abi_itimerspec *out) REQUIRES(&t->lock)
{
	uint64_t now = clock_ns(), left = 0;

	assert_held(&t->lock);
	catch_up(t);
	/* A running timer never shows 0, which means disarmed. */
	if (t->armed && !t->expired)
		left = t->deadline_ns > now ? t->deadline_ns - now : 1;
	out->it_value = from_ns(left);
	out->it_interval = from_ns(t->interval_ns);
}

static void arm(struct timerfd *t, const struct abi_itimerspec *value, int flags)
{
	uint64_t value_ns = to_ns(&value->it_value);
	irq_state_t irq = spin_lock_irqsave(&t->lock);

	t->ticks = 0;
	t->cancelled = false;
	t->absolute = (flags & TFD_TIMER_ABSTIME) != 0;
	t->cancel_on_set = t->wall && t->absolute && (flags & TFD_TIMER_CANCEL_ON_SET) != 0;
	t->interval_ns = to_ns(&value->it_interval);
	t->armed = value_ns != 0;
	if (t->armed) {
		t->deadline_ns = to_deadline(t, value_ns, t->absolute);
		timer_arm(&t->timer, t->deadline_ns);
	}
	spin_unlock_irqrestore(&t->lock, irq);
}

int timerfd_set(struct file *file, int flags, const struct abi_itimerspec *value,
		struct abi_itimerspec *old)
{
	struct timerfd *t = file->private;
	struct abi_itimerspec before;
	irq_state_t irq;

	if (file->ops != &timerfd_ops ||
	    (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0 ||
	    !is_valid(&value->it_value) || !is_valid(&value->it_interval))
		return -EINVAL;
	mutex_lock(&t->set_mutex);
	irq = spin_lock_irqsave(&t->lock);
	read_setting(t, &before);
	spin_unlock_irqrestore(&t->lock, irq);
	disarm(t);
	arm(t, value, flags);
	mutex_unlock(&t->set_mutex);
	if (old != NULL)
		*old = before;
	return 0;
}

int timerfd_get(struct file *file, struct abi_itimerspec *out)
{
	struct timerfd *t = file->private;
	irq_state_t irq;

	if (file->ops != &timerfd_ops)
		return -EINVAL;
	irq = spin_lock_irqsave(&t->lock);
	read_setting(t, out);
	spin_unlock_irqrestore(&t->lock, irq);
	return 0;
}

/* The wall clock moved by `step`: an absolute wall timer's deadline moves the other way. */
static void move_wall_timer(struct timerfd *t, int64_t step)
{
	irq_state_t irq;
	bool wake = false;

	mutex_lock(&t->set_mutex);
	irq = spin_lock_irqsave(&t->lock);
	if (t->absolute && t->armed && !t->expired) {
		int64_t moved = (int64_t)t->deadline_ns - step;

		t->deadline_ns = moved > 0 ? (uint64_t)moved : 0;
		timer_arm(&t->timer, t->deadline_ns);
	}
	if (t->cancel_on_set)
		t->cancelled = wake = true;
	spin_unlock_irqrestore(&t->lock, irq);
	mutex_unlock(&t->set_mutex);
	if (wake)
		wake_up_key(&t->wait, POLLIN | POLLRDNORM);
}

void timerfd_clock_was_set(void)
{
	static uint64_t last_offset;
	uint64_t offset = wall_offset();
	struct timerfd *t;

	mutex_lock(&list_mutex);
	if (last_offset == 0)
		last_offset = offset;
	list_for_each(t, &wall_timers, node)
		move_wall_timer(t, (int64_t)(offset - last_offset));
	last_offset = offset;
	mutex_unlock(&list_mutex);
}

/* ---- creation -------------------------------------------------------------------------------- */

static const struct file_ops timerfd_ops = {
	.name = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.stream = true,
};

static struct timerfd *timerfd_create(bool wall)
{
	struct timerfd *t;

	if (fail_point("timerfd") || (t = slab_allocate_zeroed(timerfd_cache)) == NULL)
		return NULL;
	timer_init(&t->timer, timerfd_fire);
	mutex_init(&t->set_mutex);
	spin_init(&t->lock, RANK_PIPE);
	wait_queue_init(&t->wait);
	list_init(&t->node);
	t->wall = wall;
	if (wall) {
		mutex_lock(&list_mutex);
		list_push_back(&wall_timers, &t->node);
		mutex_unlock(&list_mutex);
	}
	return t;
}

int timerfd_create_file(int clock, int flags, struct file **out)
{
	bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
	struct timerfd *t;
	int error;

	if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0 ||
	    (!wall && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	     clock != CLOCK_BOOTTIME_ALARM))
		return -EINVAL;
	t = timerfd_create(wall);
	if (t == NULL)
		return -ENOMEM;
	error = file_create_anonymous(&timerfd_ops, t, O_RDWR | (flags & TFD_NONBLOCK), 0, out);
	if (error != 0) {
		mutex_lock(&list_mutex);
		list_remove(&t->node);
		mutex_unlock(&list_mutex);
		slab_free(timerfd_cache, t);
	}
	return error;
}

void timerfd_init(void)
{
	mutex_init(&list_mutex);
	timerfd_cache = slab_cache_create("timerfd", sizeof(struct timerfd), 8);
	timerfd_clock_was_set();	/* notes the wall clock's offset */
}
