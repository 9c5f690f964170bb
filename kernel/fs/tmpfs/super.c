/*
 * tmpfs instances: options, limits, inodes.
 *
 * Pages are charged by the objects when they get one, inodes when they are made, both against the
 * instance; the default limit is half of memory, as on Linux. An inode's memory lives as long as
 * its object: mappings hold objects, not inodes.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "fs/tmpfs/tmpfs_internal.h"
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/mount.h"

struct slab_cache *tmpfs_inode_cache;
static atomic64_t next_number;

/* ---- limits ---------------------------------------------------------------------------------- */

int tmpfs_charge(struct super *super, size_t pages)
{
	struct tmpfs_super *ts = tmpfs_super_of(super);
	int error = 0;

	spin_lock(&ts->lock);
	if (ts->max_pages != 0 &&
	    (pages > ts->max_pages || ts->used_pages > ts->max_pages - pages))
		error = -ENOSPC;
	else
		ts->used_pages += pages;
	spin_unlock(&ts->lock);
	return error;
}

void tmpfs_uncharge(struct super *super, size_t pages)
{
	struct tmpfs_super *ts = tmpfs_super_of(super);

	spin_lock(&ts->lock);
	ASSERT(ts->used_pages >= pages);
	ts->used_pages -= pages;
	spin_unlock(&ts->lock);
}

static int charge_inode(struct tmpfs_super *ts)
{
	int error = 0;

	spin_lock(&ts->lock);
	if (ts->max_inodes != 0 && ts->used_inodes >= ts->max_inodes)
		error = -ENOSPC;
	else
		ts->used_inodes++;
	spin_unlock(&ts->lock);
	return error;
}

static void uncharge_inode(struct tmpfs_super *ts)
{
	spin_lock(&ts->lock);
	ts->used_inodes--;
	spin_unlock(&ts->lock);
}

/* ---- inodes ---------------------------------------------------------------------------------- */

static void set_kind(struct tmpfs_inode *ti)
{
	struct inode *inode = &ti->inode;

	if (S_ISREG(inode->mode)) {
		object_init(&ti->object, &tmpfs_object_ops);
		inode->object = &ti->object;
		inode->ops = &tmpfs_file_inode_ops;
		inode->file_ops = &tmpfs_file_ops;
	} else if (S_ISDIR(inode->mode)) {
		ti->dir = (struct tmpfs_dir){ .next_cookie = 2 };
		inode->nlink = 2;
		inode->ops = &tmpfs_dir_inode_ops;
		inode->file_ops = &tmpfs_dir_file_ops;
	} else if (S_ISLNK(inode->mode)) {
		ti->target = NULL;
		inode->ops = &tmpfs_link_inode_ops;
	} else {
		inode->ops = &tmpfs_special_inode_ops;
	}
}

int tmpfs_inode_create(struct super *super, const struct inode *dir, uint32_t mode,
		       uint64_t rdev, const struct vfs_cred *cred, struct inode **out)
{
	struct tmpfs_inode *ti;
	int error = charge_inode(tmpfs_super_of(super));

	if (error != 0)
		return error;
	if (fail_point("tmpfs_inode") || (ti = slab_allocate_zeroed(tmpfs_inode_cache)) == NULL) {
		uncharge_inode(tmpfs_super_of(super));
		return -ENOMEM;
	}
	inode_init(&ti->inode, super, mode);
	inode_init_owner(&ti->inode, dir, mode, cred);
	ti->inode.number = atomic64_add(&next_number, 1);
	ti->inode.rdev = rdev;
	list_init(&ti->xattrs);
	ti->seals = F_SEAL_SEAL;
	set_kind(ti);
	*out = &ti->inode;
	return 0;
}

void tmpfs_inode_free(struct tmpfs_inode *ti)
{
	uncharge_inode(tmpfs_super_of(ti->inode.super));
	tmpfs_xattrs_free(ti);
	slab_free(tmpfs_inode_cache, ti);
}

void tmpfs_evict(struct inode *inode)
{
	struct tmpfs_inode *ti = tmpfs_inode_of(inode);

	if (S_ISREG(inode->mode)) {
		object_put(&ti->object);	/* its destroy goes on */
		return;
	}
	if (S_ISDIR(inode->mode))
		tmpfs_dir_clear(&ti->dir);
	else if (S_ISLNK(inode->mode))
		kfree(ti->target);
	tmpfs_inode_free(ti);
}

/* ---- options --------------------------------------------------------------------------------- */

struct options {
	uint64_t pages, inodes;
	uint64_t mode, uid, gid;
};

static uint64_t memory_pages(void)
{
	struct page_stats stats;

	page_stats_get(&stats);
	return stats.total;
}

static int parse_size(const char *value, size_t length, uint64_t *pages)
{
	uint64_t bytes;
	int error;

	if (length > 1 && value[length - 1] == '%') {
		error = number_parse(value, length - 1, 10, &bytes);
		if (error != 0 || bytes > 100)
			return -EINVAL;
		*pages = memory_pages() * bytes / 100;
		return 0;
	}
	error = number_parse_size(value, length, &bytes);
	if (error != 0 || bytes > UINT64_MAX - PAGE_SIZE)
		return -EINVAL;
	*pages = page_round_up(bytes) >> PAGE_SHIFT;
	return 0;
}

static bool is_key(const char *key, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(key, name, length) == 0;
}

static int parse_option(const char *key, size_t key_length, const char *value, size_t length,
			struct options *o)
{
	static const char *const ignored[] = { "huge", "mpol", "inode32", "inode64", "noswap" };

	if (is_key(key, key_length, "size"))
		return parse_size(value, length, &o->pages);
	if (is_key(key, key_length, "nr_blocks"))
		return number_parse_size(value, length, &o->pages);
	if (is_key(key, key_length, "nr_inodes"))
		return number_parse_size(value, length, &o->inodes);
	if (is_key(key, key_length, "mode"))
		return number_parse(value, length, 8, &o->mode);
	if (is_key(key, key_length, "uid"))
		return number_parse(value, length, 10, &o->uid);
	if (is_key(key, key_length, "gid"))
		return number_parse(value, length, 10, &o->gid);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (is_key(key, key_length, ignored[i]))
			return 0;
	}
	return -EINVAL;
}

static int parse_options(const char *text, struct options *o)
{
	while (text != NULL && *text != '\0') {
		const char *comma = strchr(text, ',');
		size_t length = comma != NULL ? (size_t)(comma - text) : strlen(text);
		const char *equal = memchr(text, '=', length);
		size_t key_length = equal != NULL ? (size_t)(equal - text) : length;
		const char *value = equal != NULL ? equal + 1 : text + length;
		int error = 0;

		if (length > 0)
			error = parse_option(text, key_length, value,
					     length - (size_t)(value - text), o);
		if (error != 0)
			return -EINVAL;
		text = comma != NULL ? comma + 1 : text + length;
	}
	return o->mode > 07777 || o->uid > UINT32_MAX || o->gid > UINT32_MAX ? -EINVAL : 0;
}

/* ---- instances ------------------------------------------------------------------------------- */

static int tmpfs_statfs(struct super *super, struct abi_statfs *out)
{
	struct tmpfs_super *ts = tmpfs_super_of(super);

	spin_lock(&ts->lock);
	out->f_blocks = (int64_t)ts->max_pages;
	out->f_files = (int64_t)ts->max_inodes;
	if (ts->max_pages > ts->used_pages)
		out->f_bfree = out->f_bavail = (int64_t)(ts->max_pages - ts->used_pages);
	if (ts->max_inodes > ts->used_inodes)
		out->f_ffree = (int64_t)(ts->max_inodes - ts->used_inodes);
	spin_unlock(&ts->lock);
	return 0;
}

static void tmpfs_destroy(struct super *super)
{
	struct tmpfs_super *ts = tmpfs_super_of(super);

	ASSERT(ts->used_inodes == 0 && ts->used_pages == 0);
	kfree(ts);
}

static int tmpfs_remount(struct super *super, uint32_t flags, const char *text)
{
	struct tmpfs_super *ts = tmpfs_super_of(super);
	struct options o = { .pages = ts->max_pages, .inodes = ts->max_inodes };
	int error = parse_options(text, &o);

	if (error != 0)
		return error;
	spin_lock(&ts->lock);
	if ((o.pages != 0 && o.pages < ts->used_pages) ||
	    (o.inodes != 0 && o.inodes < ts->used_inodes)) {
		error = -EINVAL;
	} else {
		ts->max_pages = o.pages;
		ts->max_inodes = o.inodes;
	}
	spin_unlock(&ts->lock);
	return error;
}

/* As Linux: limits that are the default are not told. */
static size_t tmpfs_show_options(struct super *super, char *buf, size_t n)
{
	const struct tmpfs_super *ts = tmpfs_super_of(super);
	size_t used = 0;

	if (ts->max_pages != 0 && ts->max_pages != memory_pages() / 2)
		used += format_stored(buf + used, n - used, ",size=%luk",
				      (unsigned long)(ts->max_pages * (PAGE_SIZE / 1024)));
	if (ts->max_inodes != 0 && ts->max_inodes != memory_pages() / 2)
		used += format_stored(buf + used, n - used, ",nr_inodes=%lu",
				      (unsigned long)ts->max_inodes);
	if (ts->mode != 01777)
		used += format_stored(buf + used, n - used, ",mode=%03o", ts->mode);
	if (ts->uid != 0)
		used += format_stored(buf + used, n - used, ",uid=%u", ts->uid);
	if (ts->gid != 0)
		used += format_stored(buf + used, n - used, ",gid=%u", ts->gid);
	return used + format_stored(buf + used, n - used, ",inode64");
}

static const struct super_ops tmpfs_super_ops = {
	.statfs = tmpfs_statfs,
	.destroy = tmpfs_destroy,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};

static int make_root(struct tmpfs_super *ts)
{
	struct inode *root;
	int error = tmpfs_inode_create(&ts->super, NULL, S_IFDIR | ts->mode, 0, &vfs_cred_kernel,
				       &root);

	if (error != 0)
		return error;
	root->uid = ts->uid;
	root->gid = ts->gid;
	ts->super.root = dentry_create_root(&ts->super, root);
	if (ts->super.root != NULL)
		return 0;
	inode_put(root);
	return -ENOMEM;
}

static int create_super(const struct fs_type *type, const struct options *o, uint32_t flags,
			uint32_t magic, struct super **out)
{
	struct tmpfs_super *ts = kzalloc(sizeof(*ts));
	int error;

	if (ts == NULL)
		return -ENOMEM;
	super_init(&ts->super, type, &tmpfs_super_ops, magic);
	ts->super.read_only = (flags & MS_RDONLY) != 0;
	spin_init(&ts->lock, RANK_OBJECT + 1);
	ts->max_pages = o->pages;
	ts->max_inodes = o->inodes;
	ts->mode = (uint32_t)o->mode;
	ts->uid = (uint32_t)o->uid;
	ts->gid = (uint32_t)o->gid;
	error = make_root(ts);
	if (error != 0) {
		kfree(ts);
		return error;
	}
	*out = &ts->super;
	return 0;
}

static int tmpfs_mount(const struct fs_type *type, const char *source, const char *text,
		       uint32_t flags, struct super **out)
{
	struct options o = { .pages = memory_pages() / 2, .inodes = memory_pages() / 2,
			     .mode = 01777 };
	int error = parse_options(text, &o);

	return error != 0 ? error : create_super(type, &o, flags, TMPFS_MAGIC, out);
}

/* No limits and a directory of mode 755: Linux's ramfs, rootfs and devtmpfs. */
static int ramfs_mount(const struct fs_type *type, const char *source, const char *text,
		       uint32_t flags, struct super **out)
{
	struct options o = { .mode = 0755 };
	int error = parse_options(text, &o);

	return error != 0 ? error : create_super(type, &o, flags, RAMFS_MAGIC, out);
}

int tmpfs_create_instance(const struct fs_type *type, struct super **out)
{
	struct options o = { .mode = 0755 };

	return create_super(type, &o, 0, TMPFS_MAGIC, out);
}

void tmpfs_init(void)
{
	static struct fs_type tmpfs_type = { .name = "tmpfs", .mount = tmpfs_mount };
	static struct fs_type ramfs_type = { .name = "ramfs", .mount = ramfs_mount };

	tmpfs_inode_cache = slab_cache_create("tmpfs_inode", sizeof(struct tmpfs_inode), 8);
	memfd_init();
	fs_type_register(&tmpfs_type);
	fs_type_register(&ramfs_type);
}
