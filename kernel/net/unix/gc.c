/*
 * Files in flight, and the cycles they make.
 *
 * Problem. A socket can be sent through itself, or two through each other; when the last descriptor
 * is closed, each is held by the other's queue and nobody can read either.
 *
 * Idea. Count for each AF_UNIX socket how many of its file's references are in queues. A socket all
 * of whose references are in flight is a candidate. From each candidate's queue take the references
 * it holds to other candidates away; a candidate with some left is held from outside, and so is
 * what its queue holds. The rest is garbage: their queues are emptied.
 *
 * inflight_lock covers counts and the walk over queues; a file enters flight before its packet
 * enters a queue, and leaves it after.
 */
#include "abi/errno.h"
#include "net/unix/unix_internal.h"

static struct spinlock inflight_lock = SPINLOCK_INIT(RANK_SOCKET_TABLE);
static struct list_head inflight_sockets GUARDED_BY(&inflight_lock) =
	LIST_HEAD_INIT(inflight_sockets);
static uint32_t inflight_total GUARDED_BY(&inflight_lock);

/* The AF_UNIX socket that a file is; NULL. */
static struct unix_socket *unix_of_file(const struct file *file)
{
	struct socket *s = socket_of_file(file);

	return s != NULL && s->family == AF_UNIX ? unix_of(s) : NULL;
}

static void inflight_change(struct unix_packet *p, int delta)
{
	spin_lock(&inflight_lock);
	for (size_t i = 0; i < p->file_count; i++) {
		struct unix_socket *u = unix_of_file(p->files[i]);

		if (u == NULL)
			continue;
		if (u->inflight == 0)
			list_push_back(&inflight_sockets, &u->inflight_node);
		u->inflight += (uint32_t)delta;
		inflight_total += (uint32_t)delta;
		if (u->inflight == 0) {
			list_remove(&u->inflight_node);
			list_init(&u->inflight_node);
		}
	}
	spin_unlock(&inflight_lock);
}

void unix_files_sent(struct unix_packet *p)
{
	inflight_change(p, 1);
}

void unix_files_taken(struct unix_packet *p)
{
	inflight_change(p, -1);
}

/* Calls fn for each candidate whose file is in u's queue or in one waiting to be accepted. */
static void each_held_in(struct unix_socket *u, void (*fn)(struct unix_socket *held))
{
	spin_lock(&u->lock);
	for (struct list_head *at = u->packets.next; at != &u->packets; at = at->next) {
		struct unix_packet *p = container_of(at, struct unix_packet, node);

		for (size_t i = 0; i < p->file_count; i++) {
			struct unix_socket *held = unix_of_file(p->files[i]);

			if (held != NULL && held->candidate)
				fn(held);
		}
	}
	spin_unlock(&u->lock);
}

static void each_held(struct unix_socket *u, void (*fn)(struct unix_socket *held))
{
	each_held_in(u, fn);
	/*
	 * Others join the list only by the listener's lock; they cannot leave: its file is closed.
	 */
	for (struct list_head *at = u->waiting.next; at != &u->waiting; at = at->next)
		each_held_in(container_of(at, struct unix_socket, accept_node), fn);
}

static void take_away(struct unix_socket *held) { held->reachable_work--; }
static void give_back(struct unix_socket *held) { held->reachable_work++; }

#define each_inflight(u, at)                                                                      \
	for (struct list_head *at = inflight_sockets.next;                                        \
	     at != &inflight_sockets &&                                                           \
	     ((u) = container_of(at, struct unix_socket, inflight_node), true);                   \
	     at = at->next)

/* Leaves `candidate` set on garbage only. */
static void mark_garbage(void) REQUIRES(&inflight_lock)
{
	struct unix_socket *u;
	bool changed = true;

	assert_held(&inflight_lock);
	each_inflight(u, at) {
		u->candidate = u->socket.file != NULL &&
			       refcount_read(&u->socket.file->references) == u->inflight;
		u->reachable_work = u->inflight;
	}
	each_inflight(u, at) {
		if (u->candidate)
			each_held(u, take_away);
	}
	while (changed) {
		changed = false;
		each_inflight(u, at) {
			if (!u->candidate || u->reachable_work == 0)
				continue;
			u->candidate = false;
			each_held(u, give_back);
			changed = true;
		}
	}
}

/* One piece of garbage, its socket counted so that it can be emptied without the lock; NULL. */
static struct unix_socket *garbage_take(void)
{
	struct unix_socket *u, *found = NULL;

	spin_lock(&inflight_lock);
	each_inflight(u, at) {
		if (u->candidate && found == NULL) {
			u->candidate = false;
			unix_get(u);
			found = u;
		}
	}
	spin_unlock(&inflight_lock);
	return found;
}

/* Whether a collection could find anything; a change at this moment brings its own call. */
static bool any_inflight(void) NO_LOCK_ANALYSIS
{
	return read_once(inflight_total) != 0;
}

void unix_collect_garbage(void)
{
	static atomic32_t running;
	struct unix_socket *u;

	if (!any_inflight())
		return;
	/* Dropping garbage releases sockets, which comes here again: one collection at a time. */
	if (atomic32_exchange(&running, 1) != 0)
		return;
	spin_lock(&inflight_lock);
	mark_garbage();
	spin_unlock(&inflight_lock);
	while ((u = garbage_take()) != NULL) {
		unix_drop_queue(u);
		unix_put(u);
	}
	atomic32_store_release(&running, 0);
}
