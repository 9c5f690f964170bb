/*
 * Items: one watched (file, descriptor) of one epoll.
 *
 * An item sits on the wait queues that its target's poll operation named. Their wake-ups put it on
 * the epoll's ready list and wake a waiter; nothing is polled until somebody harvests. So the cost
 * of waiting follows what is ready, not what is watched.
 *
 * An item does not hold its target: the last reference to the target removes the item
 * (epoll_target_release), under epoll_nest_mutex and the epoll's mutex.
 */
#include "abi/errno.h"
#include "abi/poll.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "fs/epoll/epoll_internal.h"
#include "mem/slab.h"

struct epoll_links {
	struct list_head items;		/* links_lock */
};

static struct spinlock links_lock = SPINLOCK_INIT(RANK_EPOLL);
static struct slab_cache *item_cache;

/* ---- finding --------------------------------------------------------------------------------- */

static int compare(const struct epoll_item *item, const struct file *target, int fd)
{
	if (item->target != target)
		return (uint64_t)item->target < (uint64_t)target ? -1 : 1;
	return item->fd == fd ? 0 : item->fd < fd ? -1 : 1;
}

struct epoll_item *epoll_find_item(struct epoll *ep, const struct file *target, int fd)
{
	struct rb_node *node = ep->items.node;

	while (node != NULL) {
		struct epoll_item *item = rb_entry(node, struct epoll_item, node);
		int order = compare(item, target, fd);

		if (order == 0)
			return item;
		node = order < 0 ? node->right : node->left;
	}
	return NULL;
}

static bool item_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct epoll_item *y = rb_entry(b, struct epoll_item, node);

	return compare(rb_entry(a, struct epoll_item, node), y->target, y->fd) < 0;
}

/* ---- readiness ------------------------------------------------------------------------------- */

bool epoll_mark_ready(struct epoll_item *item)
{
	struct epoll *ep = item->epoll;
	irq_state_t irq = spin_lock_irqsave(&ep->ready_lock);
	bool added = list_is_empty(&item->ready_node);

	if (added) {
		list_push_back(&ep->ready, &item->ready_node);
		ep->ready_count++;
	}
	spin_unlock_irqrestore(&ep->ready_lock, irq);
	return added;
}

/* From a target's wait queue, whose lock is held; maybe in an interrupt. */
static bool hook_woken(struct wait_entry *wait, uint32_t key)
{
	struct epoll_hook *hook = container_of(wait, struct epoll_hook, wait);
	struct epoll_item *item = hook->item;
	uint32_t events = read_once(item->events);

	/* Only flags left: a one-shot that has fired. */
	if ((events & ~EPOLL_FLAGS) == 0)
		return false;
	if (key != 0 && (key & (events | POLLERR | POLLHUP)) == 0)
		return false;
	(void)epoll_mark_ready(item);
	/* Without the ready lock: whoever polls the epoll is woken from here in turn. */
	wake_up(&item->epoll->wait);
	return true;
}

struct hook_table {
	struct poll_table table;
	struct epoll_item *item;
};

static struct epoll_hook *new_hook(struct epoll_item *item)
{
	struct epoll_hook *hook;

	if (item->hook_count < ITEM_HOOKS)
		return &item->hooks[item->hook_count++];
	hook = kmalloc(sizeof(*hook));
	if (hook == NULL)
		return NULL;
	hook->next = item->more_hooks;
	item->more_hooks = hook;
	return hook;
}

static void hook_enqueue(struct poll_table *table, struct file *file, struct wait_queue *queue)
{
	struct epoll_item *item = container_of(table, struct hook_table, table)->item;
	struct epoll_hook *hook = new_hook(item);

	if (hook == NULL) {
		item->no_memory = true;
		return;
	}
	hook->item = item;
	hook->queue = queue;
	hook->hold = poll_hold(table);
	wait_entry_init(&hook->wait, hook_woken);
	if ((item->events & EPOLLEXCLUSIVE) != 0)
		wait_queue_add_exclusive(queue, &hook->wait);
	else
		wait_queue_add(queue, &hook->wait);
	/* The target's state is read after this; pairs with the waker's fence. */
	full_barrier();
}

/* After this no callback of the item runs. */
static void remove_hooks(struct epoll_item *item)
{
	for (uint32_t i = 0; i < item->hook_count; i++)
		wait_queue_remove(item->hooks[i].queue, &item->hooks[i].wait);
	for (struct epoll_hook *hook = item->more_hooks; hook != NULL; hook = hook->next)
		wait_queue_remove(hook->queue, &hook->wait);
}

static void free_hooks(struct epoll_item *item)
{
	for (uint32_t i = 0; i < item->hook_count; i++)
		poll_unhold(&item->hooks[i].hold);
	while (item->more_hooks != NULL) {
		struct epoll_hook *hook = item->more_hooks;

		item->more_hooks = hook->next;
		poll_unhold(&hook->hold);
		kfree(hook);
	}
}

/* ---- links of targets ------------------------------------------------------------------------ */

static int prepare_links(struct file *target)
{
	struct epoll_links *links;

	if (load_acquire(&target->epoll_links) != NULL)
		return 0;
	links = kmalloc(sizeof(*links));
	if (links == NULL)
		return -ENOMEM;
	list_init(&links->items);
	spin_lock(&links_lock);
	if (target->epoll_links == NULL) {
		store_release(&target->epoll_links, (void *)links);
		links = NULL;
	}
	spin_unlock(&links_lock);
	kfree(links);
	return 0;
}

static void link_target(struct epoll_item *item)
{
	struct epoll_links *links = item->target->epoll_links;

	spin_lock(&links_lock);
	list_push_back(&links->items, &item->target_node);
	spin_unlock(&links_lock);
}

void epoll_for_each_watcher(struct file *file, void (*fn)(void *arg, struct epoll *watcher),
			    void *arg)
{
	struct epoll_links *links = load_acquire(&file->epoll_links);
	struct epoll_item *item;

	if (links == NULL)
		return;
	spin_lock(&links_lock);
	list_for_each(item, &links->items, target_node)
		fn(arg, item->epoll);
	spin_unlock(&links_lock);
}

/* ---- the item's life: epoll->mutex held (and epoll_nest_mutex for targets that are epolls) --- */

static struct epoll_item *item_create(struct epoll *ep, struct file *target, int fd,
				      const struct abi_epoll_event *event)
{
	struct epoll_item *item;

	if (fail_point("epoll_item") || (item = slab_allocate_zeroed(item_cache)) == NULL)
		return NULL;
	item->epoll = ep;
	item->target = target;
	item->fd = fd;
	item->events = event->events | EPOLLERR | EPOLLHUP;
	item->data = event->data;
	rb_node_init(&item->node);
	list_init(&item->ready_node);
	list_init(&item->target_node);
	list_init(&item->nested_node);
	return item;
}

/* Polls a target after its item was made or changed; what is there already counts as an event. */
static void check_now(struct epoll_item *item, struct poll_table *table)
{
	uint32_t events = file_poll(item->target, table);

	if ((events & item->events) != 0 && epoll_mark_ready(item))
		wake_up(&item->epoll->wait);
}

int epoll_add_item(struct epoll *ep, struct file *target, int fd,
		   const struct abi_epoll_event *event, struct list_head *dead)
{
	struct hook_table hooks = { .table.enqueue = hook_enqueue };
	struct epoll_item *item;
	int error = prepare_links(target);

	if (error != 0)
		return error;
	item = item_create(ep, target, fd, event);
	if (item == NULL)
		return -ENOMEM;
	link_target(item);
	rb_insert(&ep->items, &item->node, item_less);
	if (file_is_epoll(target))
		list_push_back(&ep->nested, &item->nested_node);
	hooks.item = item;
	hooks.table.events = item->events;
	check_now(item, &hooks.table);
	if (item->no_memory) {
		epoll_remove_item(item, dead);
		return -ENOMEM;
	}
	return 0;
}

void epoll_modify_item(struct epoll_item *item, const struct abi_epoll_event *event)
{
	struct epoll *ep = item->epoll;
	irq_state_t irq = spin_lock_irqsave(&ep->ready_lock);

	write_once(item->events, event->events | EPOLLERR | EPOLLHUP);
	item->data = event->data;
	spin_unlock_irqrestore(&ep->ready_lock, irq);
	/*
	 * Before the target is asked; pairs with the wakers' fence before they read item->events.
	 */
	full_barrier();
	check_now(item, NULL);
}

void epoll_remove_item(struct epoll_item *item, struct list_head *dead)
{
	struct epoll *ep = item->epoll;
	irq_state_t irq;

	remove_hooks(item);
	irq = spin_lock_irqsave(&ep->ready_lock);
	if (!list_is_empty(&item->ready_node)) {
		list_remove(&item->ready_node);
		ep->ready_count--;
	}
	spin_unlock_irqrestore(&ep->ready_lock, irq);
	spin_lock(&links_lock);
	list_remove(&item->target_node);
	spin_unlock(&links_lock);
	list_remove(&item->nested_node);
	rb_erase(&ep->items, &item->node);
	list_push_back(dead, &item->target_node);
}

void epoll_free_items(struct list_head *dead)
{
	struct list_head *node;

	while ((node = list_pop_front(dead)) != NULL) {
		struct epoll_item *item = list_entry(node, struct epoll_item, target_node);

		free_hooks(item);
		slab_free(item_cache, item);
	}
}

/* The first item that still watches a dying file; its epoll cannot go: epoll_nest_mutex is held. */
static struct epoll_item *first_watcher(struct epoll_links *links)
{
	struct epoll_item *item;

	spin_lock(&links_lock);
	item = list_first(&links->items, struct epoll_item, target_node);
	spin_unlock(&links_lock);
	return item;
}

void epoll_target_release(struct file *file)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct epoll_links *links = file->epoll_links;
	struct epoll_item *item;

	mutex_lock(&epoll_nest_mutex);
	while ((item = first_watcher(links)) != NULL) {
		struct epoll *ep = item->epoll;

		mutex_lock(&ep->mutex);
		/* The same item: only its epoll's mutex removes it, or it is gone by now. */
		if (first_watcher(links) == item)
			epoll_remove_item(item, &dead);
		mutex_unlock(&ep->mutex);
	}
	mutex_unlock(&epoll_nest_mutex);
	file->epoll_links = NULL;
	kfree(links);
	epoll_free_items(&dead);
}

void epoll_items_init(void)
{
	item_cache = slab_cache_create("epoll_item", sizeof(struct epoll_item), 8);
}
