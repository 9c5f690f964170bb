/*
 * Files in flight, and the cycles they make.
 *
 * Problem. A socket can be sent through itself, or two through each other; when the last descriptor
 * is closed, each is held by the other's queue and nobody can read either.
 *
 * Idea. Count for each AF_UNIX socket how many of its file's references are in queues. A socket all
 * of whose references are in flight is a candidate. From each candidate's queue take the references
 * it holds to other candidates away; a candidate with some left is held from outside, and so is
 * what its queue holds. The rest is garbage: their queues are emptied. To a listener's queue belong
 * those of the connections that wait at it.
 *
 * The files a user has in flight are counted as well, all of them, against RLIMIT_NOFILE.
 *
 * inflight_lock covers counts and the walk over queues; a file enters flight before its packet
 * enters a queue, and leaves it after.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "mem/slab.h"
#include "net/unix/unix_internal.h"
#include "proc/cred.h"
#include "proc/task.h"

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

static void inflight_change(struct unix_packet *p, int delta) REQUIRES(&inflight_lock)
{
	assert_held(&inflight_lock);
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
}

/* --- a user's share --------------------------------------------------------------------------- */

/* A user with files in flight: what sits in queues is in no descriptor table, whose limit it
 * would evade. */
struct inflight_user {
	struct list_head node;
	uint32_t uid;
	uint64_t files;
};

static struct list_head inflight_users GUARDED_BY(&inflight_lock) =
	LIST_HEAD_INIT(inflight_users);

static struct inflight_user *user_find(uint32_t uid) REQUIRES(&inflight_lock)
{
	for (struct list_head *at = inflight_users.next; at != &inflight_users; at = at->next) {
		struct inflight_user *user = container_of(at, struct inflight_user, node);

		if (user->uid == uid)
			return user;
	}
	return NULL;
}

int unix_files_sent(struct unix_packet *p)
{
	bool exempt = capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN);
	struct inflight_user *user, *fresh = kmalloc(sizeof(*fresh));
	uint64_t limit = process_limit(RLIMIT_NOFILE);
	uint32_t uid = cred_current()->uid;

	if (fresh == NULL)
		return -ENOMEM;
	spin_lock(&inflight_lock);
	user = user_find(uid);
	if (user != NULL && user->files > limit && !exempt) {
		spin_unlock(&inflight_lock);
		kfree(fresh);
		return -ETOOMANYREFS;
	}
	if (user == NULL) {
		*fresh = (struct inflight_user){ .uid = uid };
		list_push_back(&inflight_users, &fresh->node);
		user = fresh;
		fresh = NULL;
	}
	user->files += p->file_count;
	p->sender = user;
	inflight_change(p, 1);
	spin_unlock(&inflight_lock);
	kfree(fresh);
	return 0;
}

void unix_files_taken(struct unix_packet *p)
{
	struct inflight_user *user = p->sender;

	p->sender = NULL;
	spin_lock(&inflight_lock);
	inflight_change(p, -1);
	ASSERT(user->files >= p->file_count);
	user->files -= p->file_count;
	if (user->files > 0)
		user = NULL;
	else
		list_remove(&user->node);
	spin_unlock(&inflight_lock);
	kfree(user);
}

/* --- cycles ----------------------------------------------------------------------------------- */

/*
 * A peek raises counts that mark_garbage() may just have found to be all in flight; before its
 * files can be used, and the socket they were peeked from closed, such a look must be over.
 */
void unix_files_peeked(void)
{
	spin_lock(&inflight_lock);
	spin_unlock(&inflight_lock);
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
	/* Others join the list under unix_mutex, which is held; none leaves: its file is closed. */
	for (struct list_head *at = u->waiting.next; at != &u->waiting; at = at->next)
		each_held_in(container_of(at, struct unix_socket, accept_node), fn);
}

static void take_away(struct unix_socket *held) { held->reachable_work--; }

/* To the end of the list, so that the pass under way comes to it: a chain takes one pass. */
static void give_back(struct unix_socket *held) REQUIRES(&inflight_lock)
{
	if (held->reachable_work++ > 0)
		return;
	list_remove(&held->inflight_node);
	list_push_back(&inflight_sockets, &held->inflight_node);
}

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
		if (u->candidate) {
			u->candidate = false;
			unix_get(u);
			found = u;
			break;
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

static void collect(void)
{
	struct unix_socket *u;

	mutex_lock(&unix_mutex);
	spin_lock(&inflight_lock);
	mark_garbage();
	spin_unlock(&inflight_lock);
	mutex_unlock(&unix_mutex);
	while ((u = garbage_take()) != NULL) {
		unix_drop_queue(u);
		unix_drop_waiting(u);
		unix_put(u);
	}
}

/*
 * One collection at a time; dropping garbage releases sockets, which comes here again. Whoever
 * comes while one runs leaves word, since what it let go may have been looked at already.
 */
void unix_collect_garbage(void)
{
	static atomic32_t running, wanted;
	struct file *next = file_released_next();

	/* Sockets that lay in each other's queues go one after the other: the last one collects. */
	if (!any_inflight() || (next != NULL && unix_of_file(next) != NULL))
		return;
	(void)atomic32_exchange(&wanted, 1);
	while (atomic32_load(&wanted) != 0 && atomic32_exchange(&running, 1) == 0) {
		(void)atomic32_exchange(&wanted, 0);
		collect();
		(void)atomic32_exchange(&running, 0);
	}
}
