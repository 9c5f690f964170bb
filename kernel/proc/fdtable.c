/*
 * Descriptor tables.
 *
 * A table is a small head that points to a body: the array of files, the bits of used descriptors,
 * the bits to close at exec. fork shares the body and counts it; whoever changes a shared body
 * copies it first. So fork costs one count however many files are open, and a child that only
 * execs or exits never copies. The body holds one reference on each of its files.
 *
 * A descriptor may be reserved: its bit is set and its slot empty. A body with reservations is
 * copied by fork at once, without them, so that fd_install() always finds a body of its own.
 *
 * Using a file: while a table has one user (a process of one thread), only that thread could close
 * the file, so fd_get() borrows the body's reference. Otherwise it counts under the lock.
 */
#include "proc/fdtable_internal.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/fail_point.h"
#include "lib/bitmap.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/oom.h"

#define CAPACITY_MIN 64u
#define CAPACITY_MAX (1u << 20)		/* the highest RLIMIT_NOFILE */

/* --- bodies ----------------------------------------------------------------------------------- */

static struct fd_body *body_create(uint32_t capacity)
{
	size_t words = BITMAP_WORDS(capacity);
	size_t bytes = sizeof(struct fd_body) + capacity * sizeof(struct file *) + 2 * words * 8;
	struct fd_body *body = fail_point("fdtable") ? NULL : kzalloc(bytes);

	if (body == NULL)
		return NULL;
	refcount_init(&body->references);
	body->capacity = capacity;
	body->used = (uint64_t *)&body->files[capacity];
	body->close_on_exec = body->used + words;
	return body;
}

static void body_put(struct fd_body *body)
{
	if (!refcount_put(&body->references))
		return;
	for (size_t fd = bitmap_find_set(body->used, body->capacity, 0); fd < body->capacity;
	     fd = bitmap_find_set(body->used, body->capacity, fd + 1)) {
		if (body->files[fd] != NULL)
			file_put(body->files[fd]);
	}
	kfree(body);
}

/* Copies bits and files, counting the files when the source stays. */
static void body_fill(struct fd_body *to, const struct fd_body *from, bool keep_reserved,
		      bool count)
{
	size_t words = BITMAP_WORDS(from->capacity);

	memcpy(to->used, from->used, words * 8);
	memcpy(to->close_on_exec, from->close_on_exec, words * 8);
	memcpy(to->files, from->files, from->capacity * sizeof(to->files[0]));
	to->reserved = keep_reserved ? from->reserved : 0;
	to->lowest_free = keep_reserved ? from->lowest_free : 0;
	for (size_t fd = bitmap_find_set(to->used, from->capacity, 0); fd < from->capacity;
	     fd = bitmap_find_set(to->used, from->capacity, fd + 1)) {
		if (to->files[fd] == NULL) {
			if (!keep_reserved)
				bitmap_clear(to->used, fd);
		} else if (count) {
			file_get(to->files[fd]);
		}
	}
}

static bool body_is_private(const struct fd_body *body)
{
	return refcount_read(&body->references) == 1;
}

/*
 * Makes the table's body its own and at least `capacity` large. The lock is dropped around the
 * allocation, so the caller looks at the table anew afterwards. 0 or -ENOMEM.
 */
int fd_body_make_private_locked(struct fdtable *t, uint32_t capacity) NO_LOCK_ANALYSIS
{
	while (!body_is_private(t->body) || t->body->capacity < capacity) {
		struct fd_body *old = t->body, *body;
		uint32_t wanted = MAX(capacity, old->capacity);
		bool grows = wanted > old->capacity;

		spin_unlock(&t->lock);
		body = body_create(wanted);
		/* For a table that need not grow: no program expects ENOMEM of a close(2). */
		while (body == NULL && !grows && !read_once(thread_current()->pending_kill)) {
			oom_relieve();
			body = body_create(wanted);
		}
		spin_lock(&t->lock);
		if (body == NULL)
			return -ENOMEM;
		old = t->body;
		if (wanted < old->capacity) {
			kfree(body);
			continue;
		}
		/* One's own: the references move, the shell goes. */
		if (body_is_private(old)) {
			body_fill(body, old, true, false);
			t->body = body;
			kfree(old);
			continue;
		}
		body_fill(body, old, true, true);
		t->body = body;
		spin_unlock(&t->lock);
		body_put(old);		/* the others may have left meanwhile: closes files */
		spin_lock(&t->lock);
	}
	return 0;
}

/* --- tables ----------------------------------------------------------------------------------- */

static struct fdtable *table_with(struct fd_body *body)
{
	struct fdtable *t = kmalloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	refcount_init(&t->references);
	spin_init(&t->lock, RANK_FDTABLE);
	t->body = body;
	return t;
}

struct fdtable *fdtable_create(void)
{
	struct fd_body *body = body_create(CAPACITY_MIN);
	struct fdtable *t;

	if (body == NULL)
		return NULL;
	t = table_with(body);
	if (t == NULL)
		kfree(body);
	return t;
}

/* A table with threads behind it may have reservations now or at any moment: copied at once. */
static struct fd_body *body_copy_eager(struct fdtable *from)
{
	uint32_t capacity = read_once(from->body)->capacity;

	for (;;) {
		struct fd_body *body = body_create(capacity);

		if (body == NULL)
			return NULL;
		spin_lock(&from->lock);
		if (from->body->capacity <= capacity) {
			body_fill(body, from->body, false, true);
			spin_unlock(&from->lock);
			return body;
		}
		capacity = from->body->capacity;
		spin_unlock(&from->lock);
		kfree(body);
	}
}

struct fdtable *fdtable_copy(struct fdtable *from)
{
	struct fd_body *body;
	struct fdtable *t;

	if (refcount_read(&from->references) == 1 && from->body->reserved == 0) {
		body = from->body;
		refcount_get(&body->references);
	} else {
		body = body_copy_eager(from);
		if (body == NULL)
			return NULL;
	}
	t = table_with(body);
	if (t == NULL)
		body_put(body);
	return t;
}

void fdtable_get(struct fdtable *t)
{
	refcount_get(&t->references);
}

void fdtable_put(struct fdtable *t)
{
	struct fd_body *body;

	if (!refcount_put(&t->references))
		return;
	body = t->body;		/* not before: until then its owner may change it */
	/* Each is closed as by close(2), with its flush and locks; the body's references stay. */
	for (size_t fd = bitmap_find_set(body->used, body->capacity, 0); fd < body->capacity;
	     fd = bitmap_find_set(body->used, body->capacity, fd + 1)) {
		if (body->files[fd] != NULL) {
			file_get(body->files[fd]);
			(void)file_close(body->files[fd], t);
		}
	}
	body_put(body);
	kfree(t);
}

/* --- using a descriptor ----------------------------------------------------------------------- */

static inline bool use(int fd, struct fd_ref *out)
{
	struct fdtable *t = task_current()->fdtable;
	struct fd_body *body;

	out->counted = refcount_read(&t->references) != 1;
	if (likely(!out->counted)) {
		body = t->body;
		if ((uint32_t)fd >= body->capacity)
			return false;
		out->file = body->files[fd];
		return out->file != NULL;
	}
	spin_lock(&t->lock);
	body = t->body;
	out->file = (uint32_t)fd < body->capacity ? body->files[fd] : NULL;
	if (out->file != NULL)
		file_get(out->file);
	spin_unlock(&t->lock);
	return out->file != NULL;
}

bool fd_get_any(int fd, struct fd_ref *out)
{
	return use(fd, out);
}

bool fd_get(int fd, struct fd_ref *out)
{
	if (!use(fd, out))
		return false;
	if (unlikely((out->file->flags & O_PATH) != 0)) {
		fd_put(out);
		return false;
	}
	return true;
}

struct file *fdtable_get_file(struct fdtable *t, int fd)
{
	struct file *file = NULL;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->body->capacity)
		file = t->body->files[fd];
	if (file != NULL)
		file_get(file);
	spin_unlock(&t->lock);
	return file;
}

int fdtable_next_fd(struct fdtable *t, int from)
{
	size_t fd;
	int found = -1;

	spin_lock(&t->lock);
	fd = from < 0 ? 0 : (size_t)from;
	for (fd = bitmap_find_set(t->body->used, t->body->capacity, fd); fd < t->body->capacity;
	     fd = bitmap_find_set(t->body->used, t->body->capacity, fd + 1)) {
		if (t->body->files[fd] != NULL) {
			found = (int)fd;
			break;
		}
	}
	spin_unlock(&t->lock);
	return found;
}

bool fdtable_fd_close_on_exec(struct fdtable *t, int fd)
{
	bool on;

	spin_lock(&t->lock);
	on = (uint32_t)fd < t->body->capacity && bitmap_test(t->body->close_on_exec, (size_t)fd);
	spin_unlock(&t->lock);
	return on;
}

/* --- taking descriptors ----------------------------------------------------------------------- */

static void set_flag(uint64_t *map, size_t bit, bool on)
{
	if (on)
		bitmap_set(map, bit);
	else
		bitmap_clear(map, bit);
}

/* The capacity that holds descriptor fd. */
static uint32_t capacity_for(size_t fd)
{
	uint64_t capacity = CAPACITY_MIN;

	while (capacity <= fd)
		capacity *= 2;
	return (uint32_t)capacity;
}

static int reserve_locked(struct fdtable *t, size_t from, size_t limit) REQUIRES(&t->lock)
{
	assert_held(&t->lock);
	for (;;) {
		struct fd_body *body = t->body;
		size_t fd = bitmap_find_clear(body->used, body->capacity,
					      MAX(from, (size_t)body->lowest_free));
		int error;

		if (fd < from)
			fd = from;
		if (fd >= limit)
			return -EMFILE;
		if (fd < body->capacity && body_is_private(body))
			return (int)fd;
		error = fd_body_make_private_locked(t, capacity_for(fd));
		if (error != 0)
			return error;
	}
}

int fd_reserve(int from, bool close_on_exec)
{
	struct fdtable *t = task_current()->fdtable;
	size_t limit = MIN(process_limit(RLIMIT_NOFILE), (uint64_t)CAPACITY_MAX);
	int fd;

	spin_lock(&t->lock);
	fd = reserve_locked(t, (size_t)from, limit);
	if (fd >= 0) {
		struct fd_body *body = t->body;

		bitmap_set(body->used, (size_t)fd);
		set_flag(body->close_on_exec, (size_t)fd, close_on_exec);
		body->reserved++;
		if ((uint32_t)from <= body->lowest_free)
			body->lowest_free = (uint32_t)fd + 1;
	}
	spin_unlock(&t->lock);
	return fd;
}

void fd_install(int fd, struct file *file)
{
	struct fdtable *t = task_current()->fdtable;

	spin_lock(&t->lock);
	ASSERT(body_is_private(t->body) && t->body->files[fd] == NULL);
	store_release(&t->body->files[fd], file);
	t->body->reserved--;
	spin_unlock(&t->lock);
}

static void release_slot_locked(struct fd_body *body, size_t fd)
{
	body->files[fd] = NULL;
	bitmap_clear(body->used, fd);
	bitmap_clear(body->close_on_exec, fd);
	if (fd < body->lowest_free)
		body->lowest_free = (uint32_t)fd;
}

void fd_cancel(int fd)
{
	struct fdtable *t = task_current()->fdtable;

	spin_lock(&t->lock);
	ASSERT(body_is_private(t->body) && t->body->files[fd] == NULL);
	release_slot_locked(t->body, (size_t)fd);
	t->body->reserved--;
	spin_unlock(&t->lock);
}

int fd_add(struct file *file, bool close_on_exec)
{
	int fd = fd_reserve(0, close_on_exec);

	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file);
	return fd;
}

/* --- closing, duplicating --------------------------------------------------------------------- */

/* Takes the file out of a slot; NULL when it is empty or only reserved. -ENOMEM through *error. */
struct file *fd_detach_locked(struct fdtable *t, size_t fd, int *error)
{
	struct file *file;

	assert_held(&t->lock);
	*error = -EBADF;
	if (fd >= t->body->capacity || t->body->files[fd] == NULL)
		return NULL;
	*error = fd_body_make_private_locked(t, 0);
	if (*error != 0)
		return NULL;
	*error = -EBADF;		/* the lock was let go: look again */
	file = fd < t->body->capacity ? t->body->files[fd] : NULL;
	if (file != NULL)
		release_slot_locked(t->body, fd);
	return file;
}

int fd_close(int fd)
{
	struct fdtable *t = task_current()->fdtable;
	struct file *file;
	int error;

	if (fd < 0)
		return -EBADF;
	spin_lock(&t->lock);
	file = fd_detach_locked(t, (size_t)fd, &error);
	spin_unlock(&t->lock);
	return file != NULL ? file_close(file, t) : error;
}

/* Puts a counted file at `to`, whatever was there. */
static int replace_locked(struct fdtable *t, int to, struct file *file, bool close_on_exec,
			  struct file **old)
	REQUIRES(&t->lock)
{
	struct fd_body *body;
	int error = fd_body_make_private_locked(t, capacity_for((size_t)to));

	assert_held(&t->lock);
	if (error != 0)
		return error;
	body = t->body;
	*old = body->files[to];
	if (*old == NULL && bitmap_test(body->used, (size_t)to))
		return -EBUSY;		/* reserved by another thread's open in progress */
	body->files[to] = file;
	bitmap_set(body->used, (size_t)to);
	set_flag(body->close_on_exec, (size_t)to, close_on_exec);
	return 0;
}

int fd_dup_to(int from, int to, bool close_on_exec)
{
	struct fdtable *t = task_current()->fdtable;
	struct file *file, *old = NULL;
	int error;

	if (to < 0 || (uint64_t)to >= MIN(process_limit(RLIMIT_NOFILE), (uint64_t)CAPACITY_MAX))
		return -EBADF;
	file = from < 0 ? NULL : fdtable_get_file(t, from);
	if (file == NULL)
		return -EBADF;
	spin_lock(&t->lock);
	error = replace_locked(t, to, file, close_on_exec, &old);
	spin_unlock(&t->lock);
	if (error != 0) {
		file_put(file);
		return error;
	}
	if (old != NULL)
		(void)file_close(old, t);
	return to;
}

bool fd_close_on_exec(int fd)
{
	return fdtable_fd_close_on_exec(task_current()->fdtable, fd);
}

int fd_set_close_on_exec(int fd, bool on)
{
	struct fdtable *t = task_current()->fdtable;
	int error = -EBADF;

	spin_lock(&t->lock);
	if ((uint32_t)fd < t->body->capacity && t->body->files[fd] != NULL)
		error = fd_body_make_private_locked(t, 0);
	if (error == 0)
		set_flag(t->body->close_on_exec, (size_t)fd, on);
	spin_unlock(&t->lock);
	return error;
}
