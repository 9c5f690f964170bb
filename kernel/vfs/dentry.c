/*
 * The cache of names.
 *
 * A name is found under the lock of one hash chain and nothing else: that is the path of every
 * lookup that does not have to ask a file system. All changes of structure (entering and leaving
 * the table, parents' lists of children, the LRU, renames) are rarer and meet under
 * dentry_tree_lock, which is taken before a chain's lock.
 *
 * Being hashed is a reference. So the last dentry_put() of a hashed dentry does nothing: count 1
 * and hashed means unused, and the LRU's hand (dentry_shrink) takes it out under both locks, where
 * no finder can raise the count. Names are limited in number, so that negative ones do not grow for
 * ever; memory pressure shrinks them further.
 *
 * Chains are keyed by a random key, for names are chosen by programs.
 */
#include "vfs/dentry.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "lib/bits.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "vfs/inode.h"
#include "vfs/vfs_internal.h"

#define BUCKET_BITS 12
#define BUCKET_LOCKS 256
#define SHRINK_BATCH 64

struct spinlock dentry_tree_lock = SPINLOCK_INIT(RANK_DENTRY);

static struct hlist_head buckets[1U << BUCKET_BITS];
static struct spinlock bucket_locks[BUCKET_LOCKS];
static struct list_head lru = LIST_HEAD_INIT(lru);	/* dentry_tree_lock; coldest first */
static uint64_t cached, cached_limit;			/* dentry_tree_lock */
static struct hash_key name_key;
static struct slab_cache *dentry_cache;

static uint32_t hash_name(const char *name, size_t length)
{
	return (uint32_t)hash_bytes(name_key, name, length);
}

static uint32_t bucket_of(const struct dentry *parent, uint32_t name_hash)
{
	return hash_bucket(hash_u64((uint64_t)parent ^ (uint64_t)name_hash << 32), BUCKET_BITS);
}

static struct spinlock *bucket_lock(uint32_t bucket)
{
	return &bucket_locks[bucket % BUCKET_LOCKS];
}

/* ---- making and freeing --------------------------------------------------------------------- */

static struct dentry *dentry_create(struct super *super, struct dentry *parent, const char *name,
				    size_t length)
{
	struct dentry *d;

	if (fail_point("dentry") || (d = slab_allocate_zeroed(dentry_cache)) == NULL)
		return NULL;
	d->name = d->short_name;
	if (length >= sizeof(d->short_name)) {
		d->name = kmalloc(length + 1);
		if (d->name == NULL) {
			slab_free(dentry_cache, d);
			return NULL;
		}
	}
	memcpy(d->name, name, length);
	d->name[length] = '\0';
	d->name_length = (uint32_t)length;
	refcount_init(&d->references);
	spin_init(&d->lock, RANK_DENTRY);
	list_init(&d->children);
	list_init(&d->child_node);
	list_init(&d->lru_node);
	d->super = super;
	d->parent = parent != NULL ? parent : d;
	if (parent != NULL)
		dentry_get(parent);
	return d;
}

struct dentry *dentry_create_named_root(struct super *super, struct inode *inode, const char *name)
{
	struct dentry *d = dentry_create(super, NULL, name, strlen(name));

	if (d != NULL)
		d->inode = inode;
	return d;
}

struct dentry *dentry_create_root(struct super *super, struct inode *inode)
{
	return dentry_create_named_root(super, inode, "/");
}

struct dentry *dentry_create_unhashed(struct dentry *dir, const char *name)
{
	return dentry_create(dir->super, dir, name, strlen(name));
}

static void dentry_free(struct dentry *d)
{
	ASSERT(!d->hashed && list_is_empty(&d->children));
	if (d->inode != NULL)
		inode_put(d->inode);
	if (d->name != d->short_name)
		kfree(d->name);
	slab_free(dentry_cache, d);
}

void dentry_put_last(struct dentry *d)
{
	struct dentry *parent;

	/* A loop, not recursion: freeing one may free its parents, however deep. */
	do {
		parent = d->parent == d ? NULL : d->parent;
		dentry_free(d);
		d = parent;
	} while (d != NULL && refcount_put(&d->references));
}

/* ---- in and out of the table ----------------------------------------------------------------- */

static void hash_locked(struct dentry *d) REQUIRES(&dentry_tree_lock)
{
	uint32_t bucket = bucket_of(d->parent, d->name_hash);

	assert_held(&dentry_tree_lock);
	spin_lock(bucket_lock(bucket));
	hlist_push_front(&buckets[bucket], &d->hash_node);
	spin_unlock(bucket_lock(bucket));
}

static void unchain_locked(struct dentry *d) REQUIRES(&dentry_tree_lock)
{
	uint32_t bucket = bucket_of(d->parent, d->name_hash);

	assert_held(&dentry_tree_lock);
	spin_lock(bucket_lock(bucket));
	hlist_remove(&d->hash_node);
	spin_unlock(bucket_lock(bucket));
}

static void insert(struct dentry *d)
{
	spin_lock(&dentry_tree_lock);
	ASSERT(d->parent != d);
	if (d->hashed) {
		spin_unlock(&dentry_tree_lock);
		return;
	}
	dentry_get(d);
	hash_locked(d);
	d->hashed = true;
	list_push_back(&d->parent->children, &d->child_node);
	list_push_back(&lru, &d->lru_node);
	cached++;
	spin_unlock(&dentry_tree_lock);
}

/* Takes it out; the table's reference is then the caller's to put. False: it was not in. */
static must_check bool remove_locked(struct dentry *d) REQUIRES(&dentry_tree_lock)
{
	assert_held(&dentry_tree_lock);
	if (!d->hashed)
		return false;
	unchain_locked(d);
	d->hashed = false;
	list_remove(&d->child_node);
	list_remove(&d->lru_node);
	cached--;
	return true;
}

/* As remove_locked, only when nobody uses it. */
static must_check bool remove_unused_locked(struct dentry *d) REQUIRES(&dentry_tree_lock)
{
	uint32_t bucket = bucket_of(d->parent, d->name_hash);
	bool unused;

	assert_held(&dentry_tree_lock);
	spin_lock(bucket_lock(bucket));
	unused = refcount_read(&d->references) == 1;
	if (unused)
		hlist_remove(&d->hash_node);
	spin_unlock(bucket_lock(bucket));
	if (!unused)
		return false;
	d->hashed = false;
	list_remove(&d->child_node);
	list_remove(&d->lru_node);
	cached--;
	return true;
}

static void forget(struct dentry *d, bool deleted)
{
	bool was;

	spin_lock(&dentry_tree_lock);
	was = remove_locked(d);
	if (deleted)
		d->deleted = true;
	spin_unlock(&dentry_tree_lock);
	if (was)
		dentry_put(d);
}

void dentry_drop(struct dentry *d)
{
	forget(d, false);
}

/* A leaf at a time, so that nothing depends on the depth. */
void dentry_drop_tree(struct dentry *d)
{
	struct dentry *leaf;
	bool last;

	do {
		spin_lock(&dentry_tree_lock);
		for (leaf = d; !list_is_empty(&leaf->children);)
			leaf = list_first(&leaf->children, struct dentry, child_node);
		last = leaf == d;
		dentry_get(leaf);
		spin_unlock(&dentry_tree_lock);
		dentry_drop(leaf);
		dentry_put(leaf);
	} while (!last);
}

void dentry_unhash(struct dentry *d)
{
	forget(d, true);
}

void dentry_instantiate(struct dentry *d, struct inode *inode)
{
	ASSERT(d->inode == NULL);
	/* Pairs with the finders' reads of d->inode, which hold no lock of ours. */
	store_release(&d->inode, inode);
	if (!d->hashed)
		insert(d);
}

/* ---- finding --------------------------------------------------------------------------------- */

static struct dentry *find_hashed(struct dentry *dir, const char *name, size_t length,
				  uint32_t hash)
{
	uint32_t bucket = bucket_of(dir, hash);
	struct dentry *d;

	spin_lock(bucket_lock(bucket));
	hlist_for_each(d, &buckets[bucket], hash_node) {
		if (d->name_hash != hash || d->parent != dir || d->name_length != length ||
		    !bytes_equal(d->name, name, length))
			continue;
		dentry_get(d);
		break;
	}
	spin_unlock(bucket_lock(bucket));
	if (d != NULL && !d->referenced)
		write_once(d->referenced, true);
	return d;
}

struct dentry *dentry_find_child(struct dentry *dir, const char *name, size_t length)
{
	return find_hashed(dir, name, length, hash_name(name, length));
}

/* Whether the cached name may still be used: asks the directory's and its own operation. */
static inline bool revalidate(struct dentry *dir, struct dentry *d)
{
	const struct inode_ops *ops = dir->inode->ops;
	const struct inode *inode = load_acquire(&d->inode);

	if (d->mount_count > 0)
		return true;
	if (ops->revalidate != NULL && !ops->revalidate(d))
		return false;
	return inode == NULL || inode->ops->revalidate == NULL ||
	       inode->ops->revalidate == ops->revalidate || inode->ops->revalidate(d);
}

/* Where most names are in use, going round for each new one is too much: one idle batch ends it. */
static void limit_cached(void)
{
	if (read_once(cached) >= cached_limit)
		(void)dentry_shrink(SHRINK_BATCH, 1);
}

/* Asks the file system. The directory's mutex is held. */
static int lookup_new(struct dentry *dir, const char *name, size_t length, uint32_t hash,
		      struct dentry **out)
{
	struct dentry *d;
	int error;

	if (length > dir->super->name_max)
		return -ENAMETOOLONG;
	if (dir->inode->ops->lookup == NULL)
		return -ENOTDIR;
	limit_cached();
	d = dentry_create(dir->super, dir, name, length);
	if (d == NULL)
		return -ENOMEM;
	d->name_hash = hash;
	error = dir->inode->ops->lookup(dir->inode, d);
	if (error != 0) {
		dentry_put(d);
		return error;
	}
	if (!d->hashed)
		insert(d);
	*out = d;
	return 0;
}

int dentry_lookup_child(struct dentry *dir, const char *name, size_t length, struct dentry **out)
{
	uint32_t hash = hash_name(name, length);
	struct dentry *d;

	ASSERT(mutex_is_held(&dir->inode->mutex));
	if (dir->dead)
		return -ENOENT;
	d = find_hashed(dir, name, length, hash);
	if (d != NULL) {
		if (revalidate(dir, d)) {
			*out = d;
			return 0;
		}
		dentry_drop(d);
		dentry_put(d);
	}
	return lookup_new(dir, name, length, hash, out);
}

int dentry_lookup(struct dentry *dir, const char *name, size_t length, struct dentry **out)
{
	struct dentry *d = dentry_find_child(dir, name, length);
	int error;

	if (d != NULL) {
		if (revalidate(dir, d)) {
			*out = d;
			return 0;
		}
		dentry_drop(d);
		dentry_put(d);
	}
	if (mutex_lock_killable(&dir->inode->mutex) != 0)
		return -EINTR;
	error = dentry_lookup_child(dir, name, length, out);
	mutex_unlock(&dir->inode->mutex);
	return error;
}

/* ---- shrinking ------------------------------------------------------------------------------- */

static size_t put_list(struct list_head *list)
{
	struct list_head *node;
	size_t n = 0;

	while ((node = list_pop_front(list)) != NULL) {
		dentry_put(list_entry(node, struct dentry, lru_node));
		n++;
	}
	return n;
}

/* Collects up to n unused ones from the cold end; `patience` bounds the entries looked at. */
static void collect_cold(size_t n, size_t patience, struct list_head *out)
{
	spin_lock(&dentry_tree_lock);
	while (n > 0 && patience-- > 0 && !list_is_empty(&lru)) {
		struct dentry *d = list_first(&lru, struct dentry, lru_node);

		if (!d->referenced && remove_unused_locked(d)) {
			list_push_back(out, &d->lru_node);
			n--;
			continue;
		}
		d->referenced = false;
		list_remove(&d->lru_node);
		list_push_back(&lru, &d->lru_node);
	}
	spin_unlock(&dentry_tree_lock);
}

size_t dentry_shrink(size_t n, size_t patience)
{
	size_t freed = 0, idle = 0, all = 2 * read_once(cached) / SHRINK_BATCH + 2;

	/*
	 * A parent becomes unused when its last child is gone: so on until a whole round is idle.
	 */
	while (freed < n && idle < MIN(patience, all)) {
		struct list_head cold = LIST_HEAD_INIT(cold);
		size_t got;

		collect_cold(MIN(n - freed, (size_t)SHRINK_BATCH), SHRINK_BATCH, &cold);
		got = put_list(&cold);
		freed += got;
		idle = got > 0 ? 0 : idle + 1;
	}
	return freed;
}

/*
 * Also those that a walk is holding: left in the table they would keep the directory until the LRU
 * gets to them. No new ones come, for a lookup under the directory's mutex finds it dead.
 */
void dentry_drop_children(struct dentry *dir)
{
	struct list_head dropped = LIST_HEAD_INIT(dropped);
	struct dentry *d, *next;

	ASSERT(dir->dead);
	spin_lock(&dentry_tree_lock);
	list_for_each_safe(d, next, &dir->children, child_node) {
		if (remove_locked(d))
			list_push_back(&dropped, &d->lru_node);
	}
	spin_unlock(&dentry_tree_lock);
	(void)put_list(&dropped);
}

void dentry_prune_super(struct super *super)
{
	size_t got;

	do {
		struct list_head unused = LIST_HEAD_INIT(unused);
		struct dentry *d, *next;

		spin_lock(&dentry_tree_lock);
		list_for_each_safe(d, next, &lru, lru_node) {
			if (d->super == super && remove_unused_locked(d))
				list_push_back(&unused, &d->lru_node);
		}
		spin_unlock(&dentry_tree_lock);
		got = put_list(&unused);
	} while (got > 0);
}

uint64_t dentry_cached_count(void)
{
	return read_once(cached);
}

/* ---- names and ancestry ---------------------------------------------------------------------- */

struct dentry *dentry_get_parent(struct dentry *d)
{
	struct dentry *parent;

	spin_lock(&dentry_tree_lock);
	parent = d->parent;
	dentry_get(parent);
	spin_unlock(&dentry_tree_lock);
	return parent;
}

bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor)
{
	bool below;

	spin_lock(&dentry_tree_lock);
	while (d != ancestor && d->parent != d)
		d = d->parent;
	below = d == ancestor;
	spin_unlock(&dentry_tree_lock);
	return below;
}

size_t dentry_copy_name(const struct dentry *d, char *buf, size_t n)
{
	size_t length;

	spin_lock(&dentry_tree_lock);
	length = strlcpy(buf, d->name, n);
	spin_unlock(&dentry_tree_lock);
	return length;
}

/* Room for to's name, when it does not fit in a dentry: *name NULL if it does. */
int dentry_prepare_move(const struct dentry *to, char **name)
{
	*name = NULL;
	if (to->name_length < sizeof(to->short_name))
		return 0;
	*name = kmalloc(to->name_length + 1UL);
	return *name == NULL ? -ENOMEM : 0;
}

/* Under its new name; also one that a revalidation dropped in the meantime. */
static void rehash_locked(struct dentry *d) REQUIRES(&dentry_tree_lock)
{
	assert_held(&dentry_tree_lock);
	hash_locked(d);
	list_push_back(&d->parent->children, &d->child_node);
	if (d->hashed)
		return;
	dentry_get(d);
	d->hashed = true;
	list_push_back(&lru, &d->lru_node);
	cached++;
}

/*
 * `from` takes to's place after the file system's rename; `to` is gone. `name` is what
 * dentry_prepare_move() gave. Both directories' mutexes are held.
 */
void dentry_move(struct dentry *from, struct dentry *to, char *name)
{
	struct dentry *old_parent = from->parent;
	char *old_name = from->name != from->short_name ? from->name : NULL;
	bool to_was_hashed;

	spin_lock(&dentry_tree_lock);
	to_was_hashed = remove_locked(to);
	to->deleted = to->inode != NULL;
	unchain_locked(from);
	list_remove(&from->child_node);

	from->name = name != NULL ? name : from->short_name;
	memcpy(from->name, to->name, to->name_length + 1UL);
	from->name_length = to->name_length;
	from->name_hash = to->name_hash;
	from->parent = to->parent;
	dentry_get(from->parent);

	rehash_locked(from);
	spin_unlock(&dentry_tree_lock);

	kfree(old_name);
	if (to_was_hashed)
		dentry_put(to);
	dentry_put(old_parent);
}

static void swap_names(struct dentry *a, struct dentry *b)
{
	char short_name[sizeof(a->short_name)], *a_name = a->name, *b_name = b->name;
	uint32_t hash = a->name_hash, length = a->name_length;

	memcpy(short_name, a->short_name, sizeof(short_name));
	memcpy(a->short_name, b->short_name, sizeof(short_name));
	memcpy(b->short_name, short_name, sizeof(short_name));
	a->name = b_name == b->short_name ? a->short_name : b_name;
	b->name = a_name == a->short_name ? b->short_name : a_name;
	a->name_hash = b->name_hash;
	a->name_length = b->name_length;
	b->name_hash = hash;
	b->name_length = length;
}

/* RENAME_EXCHANGE: each takes the other's place. The references to parents are swapped along. */
void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *a_parent = a->parent;

	spin_lock(&dentry_tree_lock);
	unchain_locked(a);
	unchain_locked(b);
	list_remove(&a->child_node);
	list_remove(&b->child_node);
	swap_names(a, b);
	a->parent = b->parent;
	b->parent = a_parent;
	rehash_locked(a);
	rehash_locked(b);
	spin_unlock(&dentry_tree_lock);
}

void dentry_init(void)
{
	struct page_stats stats;

	dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 8);
	for (unsigned int i = 0; i < BUCKET_LOCKS; i++)
		spin_init(&bucket_locks[i], RANK_DENTRY_BUCKET);
	name_key.word[0] = arch_random_seed();
	name_key.word[1] = hash_u64(name_key.word[0] ^ arch_random_seed());
	page_stats_get(&stats);
	cached_limit = MAX((uint64_t)1024, stats.total / 8);
}
