/*
 * epoll: the calls.
 *
 * Harvesting takes items off the ready list one by one and asks each target again, since a wake-up
 * only says that something happened. An item is off the list before its target is asked, so an
 * event in between puts it back: no edge is lost. Level-triggered items go back to the end of the
 * list, and are found not ready, and dropped, by a later harvest.
 *
 * Waiters are exclusive: one event wakes one thread, which wakes the next if it leaves items
 * behind.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "core/assert.h"
#include "core/clock.h"
#include "core/fail_point.h"
#include "core/user_copy.h"
#include "fs/epoll/epoll_internal.h"
#include "mem/slab.h"

#define EPOLL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLERR | EPOLLHUP | EPOLLRDNORM |          \
		      EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)
#define EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET |           \
		      EPOLLEXCLUSIVE)

static struct slab_cache *epoll_cache;

/* ---- harvesting ------------------------------------------------------------------------------ */

static struct epoll_item *pop_ready(struct epoll *ep)
{
	irq_state_t irq = spin_lock_irqsave(&ep->ready_lock);
	struct list_head *node = list_pop_front(&ep->ready);

	if (node != NULL)
		ep->ready_count--;
	spin_unlock_irqrestore(&ep->ready_lock, irq);
	return node != NULL ? list_entry(node, struct epoll_item, ready_node) : NULL;
}

/* What a reported item does next: wait for MOD, wait for an edge, or be asked again. */
static void after_report(struct epoll_item *item)
{
	if ((item->events & EPOLLONESHOT) != 0)
		write_once(item->events, item->events & EPOLL_FLAGS);
	else if ((item->events & EPOLLET) == 0)
		(void)epoll_mark_ready(item);
}

static int report(struct epoll_item *item, uint32_t events, user_addr_t to)
{
	struct abi_epoll_event event = { .events = events, .data = item->data };

	if (copy_to_user(to, &event, sizeof(event)) == 0)
		return 0;
	(void)epoll_mark_ready(item);
	return -EFAULT;
}

static int harvest(struct epoll *ep, user_addr_t out, int max)
{
	uint32_t looks;
	bool more;
	int n = 0, error = 0;

	mutex_lock(&ep->mutex);
	looks = read_once(ep->ready_count);
	while (n < max && looks-- > 0 && error == 0) {
		struct epoll_item *item = pop_ready(ep);
		uint32_t events;

		if (item == NULL)
			break;
		events = file_poll(item->target, NULL) & item->events & ~EPOLL_FLAGS;
		if (events == 0)
			continue;
		error = report(item, events,
			       user_add(out, (uint64_t)n * sizeof(struct abi_epoll_event)));
		if (error != 0)
			break;
		n++;
		after_report(item);
	}
	more = read_once(ep->ready_count) > 0;
	mutex_unlock(&ep->mutex);
	if (n > 0 && more)
		wake_up(&ep->wait);
	return n > 0 ? n : error;
}

/* Until the ready list holds something: 0, -ETIMEDOUT, -EINTR. */
static int wait_ready(struct epoll *ep, uint64_t deadline_ns)
{
	struct wait_entry entry;
	int error = 0;

	wait_entry_init(&entry, NULL);
	entry.exclusive = true;
	for (;;) {
		wait_prepare(&ep->wait, &entry, WAIT_INTERRUPTIBLE);
		if (read_once(ep->ready_count) > 0) {
			error = 0;
			break;
		}
		if (error != 0)
			break;
		error = wait_sleep(WAIT_INTERRUPTIBLE, deadline_ns);
	}
	wait_finish(&ep->wait, &entry);
	return error == -ERESTARTSYS ? -EINTR : error;
}

int epoll_wait_events(struct file *file, user_addr_t events, int max, uint64_t deadline_ns)
{
	struct epoll *ep = file->private;
	int n;

	if (!file_is_epoll(file) || max <= 0 ||
	    max > INT32_MAX / (int)sizeof(struct abi_epoll_event))
		return -EINVAL;
	if (!user_range_ok(events, (size_t)max * sizeof(struct abi_epoll_event)))
		return -EFAULT;
	for (;;) {
		int error;

		n = read_once(ep->ready_count) > 0 ? harvest(ep, events, max) : 0;
		if (n != 0 || deadline_ns == 0)
			return n;
		error = wait_ready(ep, deadline_ns);
		if (error != 0)
			return error == -ETIMEDOUT ? 0 : error;
	}
}

/* ---- epoll_ctl ------------------------------------------------------------------------------- */

static int check_event(const struct abi_epoll_event *event, int operation,
		       const struct file *target)
{
	if ((event->events & EPOLLEXCLUSIVE) == 0)
		return 0;
	if (operation == EPOLL_CTL_MOD || file_is_epoll(target) ||
	    (event->events & ~EXCLUSIVE_OK) != 0)
		return -EINVAL;
	return 0;
}

static int control_locked(struct epoll *ep, int operation, int fd, struct file *target,
			  const struct abi_epoll_event *event, struct list_head *dead)
{
	struct epoll_item *item = epoll_find_item(ep, target, fd);

	switch (operation) {
	case EPOLL_CTL_ADD:
		return item != NULL ? -EEXIST : epoll_add_item(ep, target, fd, event, dead);
	case EPOLL_CTL_DEL:
		if (item == NULL)
			return -ENOENT;
		epoll_remove_item(item, dead);
		return 0;
	case EPOLL_CTL_MOD:
		if (item == NULL)
			return -ENOENT;
		if ((item->events & EPOLLEXCLUSIVE) != 0)
			return -EINVAL;
		epoll_modify_item(item, event);
		return 0;
	}
	return -EINVAL;
}

/* The nest mutex is taken for some targets only, which the analysis cannot follow. */
int epoll_control(struct file *file, int operation, int fd, struct file *target,
		  const struct abi_epoll_event *event) NO_LOCK_ANALYSIS
{
	struct epoll *ep = file->private;
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct abi_epoll_event wanted = { 0 };
	bool nested = file_is_epoll(target);
	int error = 0;

	if (target->ops->poll == NULL)
		return -EPERM;
	if (!file_is_epoll(file) || file == target)
		return -EINVAL;
	if (operation != EPOLL_CTL_DEL) {
		wanted = *event;
		wanted.events &= EPOLL_EVENTS | EPOLL_FLAGS;
		error = check_event(&wanted, operation, target);
		if (error != 0)
			return error;
	}
	if (nested) {
		mutex_lock(&epoll_nest_mutex);
		if (operation == EPOLL_CTL_ADD)
			error = epoll_nest(ep, target->private);
	}
	if (error == 0) {
		mutex_lock(&ep->mutex);
		error = control_locked(ep, operation, fd, target, &wanted, &dead);
		mutex_unlock(&ep->mutex);
	}
	if (nested)
		mutex_unlock(&epoll_nest_mutex);
	epoll_free_items(&dead);
	return error;
}

/* ---- the epoll as a file --------------------------------------------------------------------- */

/* Whether anything on the ready list really is; what is not is dropped. At most five deep. */
static bool is_any_ready(struct epoll *ep)
{
	uint32_t looks;
	bool any = false;

	mutex_lock(&ep->mutex);
	looks = read_once(ep->ready_count);
	while (!any && looks-- > 0) {
		struct epoll_item *item = pop_ready(ep);

		if (item == NULL)
			break;
		if ((file_poll(item->target, NULL) & item->events & ~EPOLL_FLAGS) == 0)
			continue;
		(void)epoll_mark_ready(item);
		any = true;
	}
	mutex_unlock(&ep->mutex);
	return any;
}

static uint32_t epoll_poll(struct file *file, struct poll_table *table)
{
	struct epoll *ep = file->private;

	poll_wait(file, &ep->wait, table);
	return read_once(ep->ready_count) > 0 && is_any_ready(ep) ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *file)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct epoll *ep = file->private;
	struct rb_node *node;

	/* The targets' releases wait for this mutex before they touch our items. */
	mutex_lock(&epoll_nest_mutex);
	mutex_lock(&ep->mutex);
	while ((node = rb_first(&ep->items)) != NULL)
		epoll_remove_item(rb_entry(node, struct epoll_item, node), &dead);
	mutex_unlock(&ep->mutex);
	mutex_unlock(&epoll_nest_mutex);
	epoll_free_items(&dead);
	slab_free(epoll_cache, ep);
}

const struct file_ops epoll_ops = {
	.name = "eventpoll",
	.poll = epoll_poll,
	.release = epoll_release,
	.stream = true,
};

int epoll_create_file(struct file **out)
{
	struct epoll *ep;
	int error;

	if (fail_point("epoll") || (ep = slab_allocate_zeroed(epoll_cache)) == NULL)
		return -ENOMEM;
	mutex_init(&ep->mutex);
	spin_init(&ep->ready_lock, RANK_EPOLL_READY);
	list_init(&ep->ready);
	list_init(&ep->nested);
	list_init(&ep->changed_node);
	wait_queue_init(&ep->wait);
	ep->wait.lock.rank = RANK_WAIT_QUEUE_NESTED;
	error = file_create_anonymous(&epoll_ops, ep, O_RDWR, 0, out);
	if (error != 0)
		slab_free(epoll_cache, ep);
	else
		ep->file = *out;
	return error;
}

void epoll_init(void)
{
	mutex_init(&epoll_nest_mutex);
	epoll_items_init();
	epoll_cache = slab_cache_create("epoll", sizeof(struct epoll), 8);
	file_epoll_release = epoll_target_release;
}
