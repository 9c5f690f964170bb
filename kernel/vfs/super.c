/*
 * File system instances and types.
 *
 * A super is counted: by the mounts that show it, by files that stay open without a mount, and by a
 * file system that keeps one instance for all mounts (procfs). Whoever holds an inode holds the
 * super by way of a path's mount; so when the last reference goes, nothing but the cache of names
 * is left of it.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/mount_internal.h"

static struct spinlock types_lock = SPINLOCK_INIT(RANK_MOUNT);
static struct list_head types = LIST_HEAD_INIT(types);
static atomic32_t next_device;

/* Anonymous devices have major 0, as Linux: minors up to 20 bits, in the encoding of stat. */
uint64_t super_allocate_device(void)
{
	uint32_t minor = atomic32_add(&next_device, 1);

	return (minor & 0xff) | (uint64_t)(minor & 0xfff00) << 12;
}

void super_init(struct super *super, const struct fs_type *type, const struct super_ops *ops,
		uint32_t magic)
{
	memset(super, 0, sizeof(*super));
	refcount_init(&super->references);
	super->type = type;
	super->ops = ops;
	super->magic = magic;
	super_prepare(super);
}

void super_prepare(struct super *super)
{
	if (super->prepared)
		return;
	mutex_init(&super->rename_mutex);
	if (super->name_max == 0)
		super->name_max = NAME_MAX_BYTES;
	if (super->device == 0)
		super->device = super_allocate_device();
	super->prepared = true;
}

void super_put(struct super *super)
{
	struct dentry *root;

	if (!refcount_put(&super->references))
		return;
	dentry_prune_super(super);
	if (super->ops->sync != NULL)
		(void)super->ops->sync(super);
	root = super->root;
	super->root = NULL;
	if (root != NULL)
		dentry_put(root);
	super->ops->destroy(super);
}

int super_statfs(struct super *super, struct abi_statfs *out)
{
	memset(out, 0, sizeof(*out));
	out->f_type = super->magic;
	out->f_bsize = PAGE_SIZE;
	out->f_frsize = PAGE_SIZE;
	out->f_namelen = super->name_max;
	out->f_fsid[0] = (int32_t)super->device;
	if (super->read_only)
		out->f_flags |= ST_RDONLY;
	out->f_flags |= ST_VALID;
	return super->ops->statfs != NULL ? super->ops->statfs(super, out) : 0;
}

void fs_type_register(struct fs_type *type)
{
	spin_lock(&types_lock);
	list_push_back(&types, &type->node);
	spin_unlock(&types_lock);
}

/* Types stay for ever, so the result needs no reference. */
const struct fs_type *fs_type_find(const char *name)
{
	const struct fs_type *found = NULL;
	struct fs_type *type;

	spin_lock(&types_lock);
	list_for_each(type, &types, node) {
		if (strcmp(type->name, name) == 0) {
			found = type;
			break;
		}
	}
	spin_unlock(&types_lock);
	return found;
}

void fs_type_for_each(void (*fn)(void *arg, const struct fs_type *type), void *arg)
{
	struct fs_type *type;

	/* No lock while fn runs: types are only ever added, at the end, at boot. */
	list_for_each(type, &types, node)
		fn(arg, type);
}
