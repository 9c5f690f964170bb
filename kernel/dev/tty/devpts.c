/*
 * devpts: the directory of slaves, normally at /dev/pts. It has one inode a pseudo-terminal, made
 * when its name is looked up, and /dev/pts/ptmx. All mounts show the same terminals.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "dev/tty/tty.h"
#include "lib/device_number.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

#define DEVPTS_MAGIC 0x1cd1
#define INODE_ROOT 1
#define INODE_PTMX 2
#define INODE_FIRST 3

static const struct inode_ops node_ops, root_ops;

static struct inode *node_create(struct super *super, uint64_t number, uint32_t mode, uint64_t rdev)
{
	struct inode *inode = kzalloc(sizeof(*inode));

	if (inode == NULL)
		return NULL;
	inode_init(inode, super, mode);
	inode->ops = &node_ops;
	inode->number = number;
	inode->rdev = rdev;
	inode->nlink = 1;
	return inode;
}

static void node_evict(struct inode *inode)
{
	kfree(inode);
}

/* Owner and mode live in the tty: a later lookup makes another inode. */
static int node_setattr(struct inode *inode, const struct inode_attr *attr)
{
	struct tty *tty = inode->number >= INODE_FIRST
				  ? pty_find((uint32_t)(inode->number - INODE_FIRST)) : NULL;

	spin_lock(&inode->lock);
	if (attr->valid & ATTR_MODE)
		inode->mode = (inode->mode & S_IFMT) | (attr->mode & 07777);
	if (attr->valid & ATTR_UID)
		inode->uid = attr->uid;
	if (attr->valid & ATTR_GID)
		inode->gid = attr->gid;
	if (attr->valid & ATTR_ATIME)
		inode->atime = attr->atime;
	if (attr->valid & ATTR_MTIME)
		inode->mtime = attr->mtime;
	if (tty != NULL) {
		tty->mode = inode->mode & 07777;
		tty->uid = inode->uid;
		tty->gid = inode->gid;
	}
	spin_unlock(&inode->lock);
	if (tty != NULL)
		tty_put(tty);
	return 0;
}

static int root_lookup(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode;
	struct tty *tty;
	uint64_t index;

	if (strcmp(dentry->name, "ptmx") == 0) {
		inode = node_create(dir->super, INODE_PTMX, S_IFCHR | 0666,
				    device_make(TTY_MAJOR, 2));
	} else {
		/* "007" is no name of 7: only the number as we print it. */
		if (number_parse(dentry->name, dentry->name_length, 10, &index) != 0 ||
		    (dentry->name[0] == '0' && dentry->name_length > 1) || index >= PTY_MAX)
			return 0;
		tty = pty_find((uint32_t)index);
		if (tty == NULL)
			return 0;
		inode = node_create(dir->super, INODE_FIRST + index, S_IFCHR | tty->mode,
				    device_make(PTY_SLAVE_MAJOR, (uint32_t)index));
		if (inode != NULL) {
			inode->uid = tty->uid;
			inode->gid = tty->gid;
			inode->private = (void *)(uintptr_t)tty->serial;
		}
		tty_put(tty);
	}
	if (inode == NULL)
		return -ENOMEM;
	dentry_instantiate(dentry, inode);
	return 0;
}

/* A name stands for the terminal that had it when it was looked up. */
static bool root_revalidate(struct dentry *dentry)
{
	struct inode *inode = dentry->inode;
	struct tty *tty;
	bool same;

	if (inode == NULL)
		return false;
	if (inode->number < INODE_FIRST)
		return true;
	tty = pty_find((uint32_t)(inode->number - INODE_FIRST));
	if (tty == NULL)
		return false;
	same = tty->serial == (uintptr_t)inode->private;
	tty_put(tty);
	return same;
}

/* Positions: 0 ".", 1 "..", 2 ptmx, 3 + index. */
static int root_getdents(struct file *file, struct dir_context *ctx)
{
	static const char *const fixed[] = { ".", "..", "ptmx" };
	char name[16];
	int index;

	for (; file->pos < 3; file->pos++) {
		const char *entry = fixed[file->pos];

		if (!ctx->emit(ctx, entry, strlen(entry),
			       file->pos < 2 ? INODE_ROOT : INODE_PTMX,
			       file->pos < 2 ? 4 : 2, file->pos + 1))	/* DT_DIR, DT_CHR */
			return 0;
	}
	while ((index = pty_next((uint32_t)(file->pos - 3))) >= 0) {
		size_t length = format_string(name, sizeof(name), "%d", index);

		if (!ctx->emit(ctx, name, length, (uint64_t)index + INODE_FIRST, 2, index + 4))
			return 0;
		file->pos = index + 4;
	}
	return 0;
}

static const struct inode_ops node_ops = {
	.setattr = node_setattr,
	.evict = node_evict,
};

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.setattr = node_setattr,
	.revalidate = root_revalidate,
	.evict = node_evict,
};

static const struct file_ops root_file_ops = { .getdents = root_getdents };

static int devpts_statfs(struct super *super, struct abi_statfs *out)
{
	out->f_type = DEVPTS_MAGIC;
	out->f_bsize = PAGE_SIZE;
	out->f_namelen = NAME_MAX_BYTES;
	return 0;
}

static void devpts_destroy(struct super *super)
{
	kfree(super);
}

/* What the nodes are made with, whatever options were given: a slave's group is its opener's. */
static size_t devpts_show_options(struct super *super, char *buf, size_t n)
{
	return format_stored(buf, n, ",mode=620,ptmxmode=666");
}

static const struct super_ops devpts_super_ops = {
	.statfs = devpts_statfs,
	.show_options = devpts_show_options,
	.destroy = devpts_destroy,
};

static int devpts_mount(const struct fs_type *type, const char *source, const char *options,
			uint32_t flags, struct super **out)
{
	struct super *super = kzalloc(sizeof(*super));
	struct inode *root;

	if (super == NULL)
		return -ENOMEM;
	super_init(super, type, &devpts_super_ops, DEVPTS_MAGIC);
	root = node_create(super, INODE_ROOT, S_IFDIR | 0755, 0);
	if (root != NULL) {
		root->ops = &root_ops;
		root->file_ops = &root_file_ops;
		root->nlink = 2;
		super->root = dentry_create_root(super, root);
	}
	if (root == NULL || super->root == NULL) {
		if (root != NULL)
			inode_put(root);
		kfree(super);
		return -ENOMEM;
	}
	*out = super;
	return 0;
}

static struct fs_type devpts_type = { .name = "devpts", .mount = devpts_mount };

void devpts_init(void)
{
	fs_type_register(&devpts_type);
}
