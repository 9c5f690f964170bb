/*
 * The tree of mounts: one namespace.
 *
 * A mount in the tree is found by (parent, mountpoint) in a small hash table; a dentry's
 * mount_count says whether looking is worth while, so a path that crosses no mount never takes
 * mount_lock. Changes of the tree meet under mount_mutex, and write what lookups read under
 * mount_lock.
 *
 * References: the tree holds one on each attached mount; a child holds its parent and mountpoint.
 * A detached mount lives on while a path (an open file, a cwd) leads into it.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/chardev.h"
#include "vfs/file.h"
#include "vfs/lock.h"
#include "vfs/mount_internal.h"

#define MOUNT_HASH_BITS 6

struct spinlock mount_lock = SPINLOCK_INIT(RANK_MOUNT);
struct mutex mount_mutex;
struct list_head all_mounts = LIST_HEAD_INIT(all_mounts);	/* mount_lock; oldest first */
struct mount *anonymous_mount;

static struct hlist_head mount_hash[1U << MOUNT_HASH_BITS];
static struct slab_cache *mount_cache;
static atomic32_t next_mount_id;

static struct hlist_head *hash_chain(const struct mount *parent, const struct dentry *mountpoint)
{
	uint64_t hash = hash_pair((uint64_t)parent, (uint64_t)mountpoint);

	return &mount_hash[hash_bucket(hash, MOUNT_HASH_BITS)];
}

/* ---- lifetime -------------------------------------------------------------------------------- */

struct mount *mount_create(struct super *super, struct dentry *root, const char *source,
			   uint32_t flags)
{
	struct mount *m;

	if (fail_point("mount") || (m = slab_allocate_zeroed(mount_cache)) == NULL)
		return NULL;
	if (source != NULL && (m->source = kstrdup(source)) == NULL) {
		slab_free(mount_cache, m);
		return NULL;
	}
	refcount_init(&m->references);
	super_get(super);
	dentry_get(root);
	m->super = super;
	m->root = root;
	m->flags = flags;
	m->id = atomic32_add(&next_mount_id, 1);
	list_init(&m->child_node);
	list_init(&m->children);
	list_init(&m->all_node);
	return m;
}

void mount_put_last(struct mount *m)
{
	struct mount *parent;

	/* A loop: the last reference to a child may be the last to its parent. */
	do {
		parent = m->parent;
		ASSERT(!m->attached && list_is_empty(&m->children));
		if (m->mountpoint != NULL)
			dentry_put(m->mountpoint);
		dentry_put(m->root);
		super_put(m->super);
		kfree(m->source);
		slab_free(mount_cache, m);
		m = parent;
	} while (m != NULL && refcount_put(&m->references));
}

int mount_check_write(const struct mount *m)
{
	return (read_once(m->flags) & MS_RDONLY) != 0 || m->super->read_only ? -EROFS : 0;
}

/* ---- finding --------------------------------------------------------------------------------- */

static struct mount *find_locked(struct mount *parent, struct dentry *dentry) REQUIRES(&mount_lock)
{
	struct mount *m;

	assert_held(&mount_lock);
	hlist_for_each(m, hash_chain(parent, dentry), hash_node) {
		if (m->parent == parent && m->mountpoint == dentry)
			return m;
	}
	return NULL;
}

struct mount *mount_find(struct mount *parent, struct dentry *dentry)
{
	struct mount *m;

	if (read_once(dentry->mount_count) == 0)
		return NULL;
	spin_lock(&mount_lock);
	m = find_locked(parent, dentry);
	if (m != NULL)
		mount_get(m);
	spin_unlock(&mount_lock);
	return m;
}

void path_follow_mounts(struct path *p)
{
	struct mount *m;

	while (read_once(p->dentry->mount_count) != 0 &&
	       (m = mount_find(p->mount, p->dentry)) != NULL) {
		dentry_get(m->root);
		path_put(p);
		p->mount = m;
		p->dentry = m->root;
	}
}

bool mount_step_up(struct path *p)
{
	struct path up = { NULL, NULL };

	spin_lock(&mount_lock);
	if (p->mount->attached && p->mount->parent != NULL) {
		up.mount = p->mount->parent;
		up.dentry = p->mount->mountpoint;
		path_get(&up);
	}
	spin_unlock(&mount_lock);
	if (up.mount == NULL)
		return false;
	path_put(p);
	*p = up;
	return true;
}

/* Every mount in turn, counted while fn runs, so that fn may sleep. */
void mount_for_each(void (*fn)(void *arg, const struct mount *mount), void *arg)
{
	struct mount *m, *previous = NULL;
	struct list_head *node;

	for (;;) {
		spin_lock(&mount_lock);
		node = previous == NULL ? all_mounts.next : previous->all_node.next;
		/* One that was detached meanwhile points at itself: the rest is not seen. */
		m = NULL;
		if (node != &all_mounts && (previous == NULL || node != &previous->all_node)) {
			m = list_entry(node, struct mount, all_node);
			mount_get(m);
		}
		spin_unlock(&mount_lock);
		if (previous != NULL)
			mount_put(previous);
		if (m == NULL)
			return;
		fn(arg, m);
		previous = m;
	}
}

/* ---- the tree: mount_mutex held -------------------------------------------------------------- */

void mount_set_parent(struct mount *m, const struct path *at)
{
	ASSERT(mutex_is_held(&mount_mutex) && m->attached && m->parent == NULL);
	path_get(at);
	spin_lock(&mount_lock);
	m->parent = at->mount;
	m->mountpoint = at->dentry;
	m->mountpoint->mount_count++;
	hlist_push_front(hash_chain(m->parent, m->mountpoint), &m->hash_node);
	list_push_back(&m->parent->children, &m->child_node);
	spin_unlock(&mount_lock);
}

void mount_clear_parent(struct mount *m, struct path *was)
{
	ASSERT(mutex_is_held(&mount_mutex) && m->attached);
	spin_lock(&mount_lock);
	*was = (struct path){ m->parent, m->mountpoint };
	if (m->parent != NULL) {
		hlist_remove(&m->hash_node);
		list_remove(&m->child_node);
		m->mountpoint->mount_count--;
	}
	m->parent = NULL;
	m->mountpoint = NULL;
	spin_unlock(&mount_lock);
}

/* The caller's reference to m becomes the tree's; at NULL: a root. Nothing here can fail. */
void mount_attach(struct mount *m, const struct path *at)
{
	ASSERT(mutex_is_held(&mount_mutex) && !m->attached);
	spin_lock(&mount_lock);
	m->attached = true;
	list_push_back(&all_mounts, &m->all_node);
	spin_unlock(&mount_lock);
	if (at != NULL)
		mount_set_parent(m, at);
}

/* Takes m alone out of the tree and gives the tree's reference to the caller. */
void mount_detach(struct mount *m)
{
	struct path was;

	mount_clear_parent(m, &was);
	spin_lock(&mount_lock);
	m->attached = false;
	list_remove(&m->all_node);
	spin_unlock(&mount_lock);
	path_put(&was);
}

/* The next mount of the tree below `top`, in pre-order; NULL at the end. mount_mutex held. */
struct mount *mount_next_below(struct mount *m, const struct mount *top)
{
	if (!list_is_empty(&m->children))
		return list_first(&m->children, struct mount, child_node);
	while (m != top) {
		struct list_head *next = m->child_node.next;

		if (next != &m->parent->children)
			return list_entry(next, struct mount, child_node);
		m = m->parent;
	}
	return NULL;
}

/* Takes m and all below it out; each loses the tree's reference. Leaves first. */
void mount_detach_tree(struct mount *top)
{
	struct mount *m = top;

	for (;;) {
		struct mount *parent;

		while (!list_is_empty(&m->children))
			m = list_last(&m->children, struct mount, child_node);
		parent = m->parent;
		mount_detach(m);
		mount_put(m);
		if (m == top)
			return;
		m = parent;
	}
}

/* ---- boot ------------------------------------------------------------------------------------ */

int mount_instance(const struct path_context *ctx, const char *type_name, const char *source,
		   const char *options, uint32_t flags, struct mount **out)
{
	const struct fs_type *type = fs_type_find(type_name);
	struct super *super;
	struct mount *m;
	int error;

	if (type == NULL)
		return -ENODEV;
	if (type->mount_in != NULL)
		error = ctx != NULL ? type->mount_in(type, ctx, options, flags, &super) : -EINVAL;
	else
		error = type->mount(type, source, options, flags, &super);
	if (error != 0)
		return error;
	super_prepare(super);
	m = mount_create(super, super->root, source, flags & MOUNT_FLAGS);
	super_put(super);
	if (m == NULL)
		return -ENOMEM;
	*out = m;
	return 0;
}

int vfs_mount_internal(const char *type, struct mount **out)
{
	return mount_instance(NULL, type, "none", "", 0, out);
}

int vfs_mount_root(const char *type, struct path *out)
{
	struct mount *m;
	int error = mount_instance(NULL, type, "rootfs", "mode=755", 0, &m);

	if (error != 0)
		return error;
	mutex_lock(&mount_mutex);
	mount_attach(m, NULL);
	mutex_unlock(&mount_mutex);
	out->mount = m;
	out->dentry = m->root;
	path_get(out);
	return 0;
}

static void sync_one(void *arg, const struct mount *m)
{
	int error = m->super->ops->sync != NULL ? m->super->ops->sync(m->super) : 0;

	if (error != 0)
		*(int *)arg = error;
}

int vfs_sync_all(void)
{
	int error = 0;

	mount_for_each(sync_one, &error);
	return error;
}

void mount_init(void)
{
	mount_cache = slab_cache_create("mount", sizeof(struct mount), 8);
	mutex_init(&mount_mutex);
}

void vfs_init(void)
{
	dentry_init();
	mount_init();
	lock_init();
	file_init();
	chardev_init();
}
