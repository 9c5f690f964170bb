/*
 * Waiting for one of several files: what poll, select and the like sleep in.
 *
 * A session enters the wait queues of all files it was shown, with entries whose callback marks the
 * session and wakes its own queue. So a wake-up between looking at the files and going to sleep is
 * not lost: it left its mark. The caller holds the files; a handful of entries are inline, more
 * come in blocks.
 */
#include "vfs/poll.h"

#include "abi/errno.h"
#include "core/assert.h"
#include "lib/container_of.h"
#include "mem/slab.h"
#include "vfs/file.h"

static bool poll_entry_woken(struct wait_entry *wait, uint32_t key)
{
	struct poll_entry *e = container_of(wait, struct poll_entry, wait);

	if (key != 0 && (key & e->events) == 0)
		return false;
	/* Before the wake-up; the sleeper looks at it after it has entered the queue. */
	write_once(e->session->woken, true);
	wake_up(&e->session->queue);
	return true;
}

static struct poll_entry *allocate_entry(struct poll_session *s)
{
	struct poll_block *block = s->blocks;

	if (s->inline_used < POLL_INLINE)
		return &s->entries[s->inline_used++];
	if (block == NULL || block->used == POLL_BLOCK) {
		block = kmalloc(sizeof(*block));
		if (block == NULL) {
			s->error = -ENOMEM;
			return NULL;
		}
		block->used = 0;
		block->next = s->blocks;
		s->blocks = block;
	}
	return &block->entries[block->used++];
}

static void poll_enqueue(struct poll_table *table, struct file *file, struct wait_queue *queue)
{
	struct poll_session *s = container_of(table, struct poll_session, table);
	struct poll_entry *e = allocate_entry(s);

	(void)file;
	if (e == NULL)
		return;
	e->session = s;
	e->events = table->events | POLLERR | POLLHUP;
	e->queue = queue;
	e->hold = poll_hold(table);
	wait_entry_init(&e->wait, poll_entry_woken);
	wait_queue_add(queue, &e->wait);
	/*
	 * The file's state is read after this; pairs with the waker's fence before it looks here.
	 */
	full_barrier();
}

void poll_session_init(struct poll_session *s)
{
	s->table.enqueue = poll_enqueue;
	s->table.events = 0;
	s->table.holder = NULL;
	wait_queue_init(&s->queue);
	s->queue.lock.rank = RANK_POLL_WAIT;
	s->woken = false;
	s->error = 0;
	s->inline_used = 0;
	s->blocks = NULL;
}

static void remove_entries(struct poll_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		wait_queue_remove(entries[i].queue, &entries[i].wait);
		poll_unhold(&entries[i].hold);
	}
}

void poll_session_fini(struct poll_session *s)
{
	remove_entries(s->entries, s->inline_used);
	while (s->blocks != NULL) {
		struct poll_block *block = s->blocks;

		s->blocks = block->next;
		remove_entries(block->entries, block->used);
		kfree(block);
	}
}

uint32_t poll_session_ask(struct poll_session *s, struct file *file, uint32_t events)
{
	s->table.events = events;
	return file_poll(file, s->table.enqueue != NULL ? &s->table : NULL) &
	       (events | POLLERR | POLLHUP);
}

int poll_session_wait(struct poll_session *s, uint64_t deadline_ns)
{
	int error;

	/* All files are registered by now: later rounds only ask. */
	s->table.enqueue = NULL;
	if (s->error != 0)
		return s->error;
	error = wait_event_until(&s->queue, read_once(s->woken), WAIT_INTERRUPTIBLE, deadline_ns);
	write_once(s->woken, false);
	/* Pairs with the wakers': a mark set from now on belongs to the next round. */
	full_barrier();
	return error;
}
