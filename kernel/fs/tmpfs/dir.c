/*
 * tmpfs directories.
 *
 * A directory is two trees over its entries: by name for lookups that the name cache missed, by
 * cookie for getdents, whose position is the cookie of the next entry. Cookies only grow, so a
 * listing that goes on after changes neither repeats nor skips what was there all along.
 * Everything here runs under the directory's mutex (rename: both).
 */
#include "abi/dirent.h"
#include "abi/errno.h"
#include "core/assert.h"
#include "fs/tmpfs/tmpfs_internal.h"
#include "lib/string.h"
#include "mem/slab.h"

#define ENTRY_SIZE 20			/* what a name adds to st_size, as Linux's tmpfs says */

/* ---- entries --------------------------------------------------------------------------------- */

static int compare_name(const struct tmpfs_entry *e, uint32_t hash, const char *name,
			uint32_t length)
{
	if (e->hash != hash)
		return e->hash < hash ? -1 : 1;
	if (e->length != length)
		return e->length < length ? -1 : 1;
	return memcmp(e->name, name, length);
}

static struct tmpfs_entry *find_entry(const struct tmpfs_dir *dir, const struct dentry *d)
{
	struct rb_node *node = dir->names.node;

	while (node != NULL) {
		struct tmpfs_entry *e = rb_entry(node, struct tmpfs_entry, name_node);
		int order = compare_name(e, d->name_hash, d->name, d->name_length);

		if (order == 0)
			return e;
		node = order < 0 ? node->right : node->left;
	}
	return NULL;
}

static struct tmpfs_entry *entry_create(const struct dentry *d)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + d->name_length + 1);

	if (e == NULL)
		return NULL;
	rb_node_init(&e->name_node);
	rb_node_init(&e->cookie_node);
	e->hash = d->name_hash;
	e->length = d->name_length;
	memcpy(e->name, d->name, d->name_length + 1UL);
	return e;
}

static bool less_by_name(const struct rb_node *a, const struct rb_node *b)
{
	const struct tmpfs_entry *y = rb_entry(b, struct tmpfs_entry, name_node);

	return compare_name(rb_entry(a, struct tmpfs_entry, name_node), y->hash, y->name,
			    y->length) < 0;
}

static bool less_by_cookie(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct tmpfs_entry, cookie_node)->cookie <
	       rb_entry(b, struct tmpfs_entry, cookie_node)->cookie;
}

/* The reference to the inode moves in. Nothing here can fail. */
static void entry_insert(struct inode *dir_inode, struct tmpfs_entry *e, struct inode *inode)
{
	struct tmpfs_dir *dir = &tmpfs_inode_of(dir_inode)->dir;

	e->inode = inode;
	e->cookie = dir->next_cookie++;
	rb_insert(&dir->names, &e->name_node, less_by_name);
	rb_insert(&dir->cookies, &e->cookie_node, less_by_cookie);
	dir->count++;
	dir_inode->size = dir->count * ENTRY_SIZE;
	inode_touch_mtime(dir_inode);
}

static void entry_remove(struct inode *dir_inode, struct tmpfs_entry *e)
{
	struct tmpfs_dir *dir = &tmpfs_inode_of(dir_inode)->dir;

	rb_erase(&dir->names, &e->name_node);
	rb_erase(&dir->cookies, &e->cookie_node);
	dir->count--;
	dir_inode->size = dir->count * ENTRY_SIZE;
	inode_touch_mtime(dir_inode);
	inode_put(e->inode);
	kfree(e);
}

/* Takes the entries of `from` over, for a walk down that is not a recursion. */
static void entries_move(struct tmpfs_dir *to, struct tmpfs_dir *from)
{
	struct rb_node *node;

	while ((node = rb_first(&from->cookies)) != NULL) {
		struct tmpfs_entry *e = rb_entry(node, struct tmpfs_entry, cookie_node);

		rb_erase(&from->cookies, node);
		e->cookie = to->next_cookie++;
		rb_insert(&to->cookies, node, less_by_cookie);
	}
	*from = (struct tmpfs_dir){ .next_cookie = from->next_cookie };
}

void tmpfs_dir_clear(struct tmpfs_dir *dir)
{
	struct rb_node *node;

	while ((node = rb_first(&dir->cookies)) != NULL) {
		struct tmpfs_entry *e = rb_entry(node, struct tmpfs_entry, cookie_node);
		struct inode *inode = e->inode;

		rb_erase(&dir->cookies, node);
		/* Its own entries first, so that its eviction finds it empty. */
		if (S_ISDIR(inode->mode))
			entries_move(dir, &tmpfs_inode_of(inode)->dir);
		inode_put(inode);
		kfree(e);
	}
	*dir = (struct tmpfs_dir){ .next_cookie = dir->next_cookie };
}

/* ---- lookup and creation --------------------------------------------------------------------- */

static int tmpfs_lookup(struct inode *dir, struct dentry *dentry)
{
	struct tmpfs_entry *e = find_entry(&tmpfs_inode_of(dir)->dir, dentry);

	if (e != NULL) {
		inode_get(e->inode);
		dentry_instantiate(dentry, e->inode);
	}
	return 0;
}

/* Gives a new inode (count 1, consumed) its first name. */
static int add_new(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	struct tmpfs_entry *e = entry_create(dentry);

	if (e == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	if (S_ISDIR(inode->mode))
		inode_link_count_add(dir, 1);
	inode_get(inode);
	entry_insert(dir, e, inode);
	dentry_instantiate(dentry, inode);
	return 0;
}

static int tmpfs_create(struct inode *dir, struct dentry *dentry, uint32_t mode, uint64_t rdev,
			const struct vfs_cred *cred)
{
	struct inode *inode;
	int error = tmpfs_inode_create(dir->super, dir, mode, rdev, cred, &inode);

	return error != 0 ? error : add_new(dir, dentry, inode);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *dentry, uint32_t mode,
		       const struct vfs_cred *cred)
{
	return tmpfs_create(dir, dentry, mode, 0, cred);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target,
			 const struct vfs_cred *cred)
{
	struct inode *inode;
	int error = tmpfs_inode_create(dir->super, dir, S_IFLNK | 0777, 0, cred, &inode);

	if (error != 0)
		return error;
	tmpfs_inode_of(inode)->target = kstrdup(target);
	if (tmpfs_inode_of(inode)->target == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->size = strlen(target);
	return add_new(dir, dentry, inode);
}

static int tmpfs_tmpfile(struct inode *dir, uint32_t mode, const struct vfs_cred *cred,
			 struct inode **out)
{
	int error = tmpfs_inode_create(dir->super, dir, mode, 0, cred, out);

	if (error == 0)
		(*out)->nlink = 0;
	return error;
}

static int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *target)
{
	struct tmpfs_entry *e;

	if (target->nlink == UINT32_MAX)
		return -EMLINK;
	e = entry_create(dentry);
	if (e == NULL)
		return -ENOMEM;
	inode_link_count_add(target, 1);
	inode_touch_ctime(target);
	inode_get(target);
	entry_insert(dir, e, target);
	inode_get(target);
	dentry_instantiate(dentry, target);
	return 0;
}

/* ---- removal --------------------------------------------------------------------------------- */

static int tmpfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct tmpfs_entry *e = find_entry(&tmpfs_inode_of(dir)->dir, dentry);

	if (e == NULL)
		return -ENOENT;
	inode_link_count_add(e->inode, -1);
	inode_touch_ctime(e->inode);
	entry_remove(dir, e);
	return 0;
}

static bool is_empty_dir(struct inode *inode)
{
	return tmpfs_inode_of(inode)->dir.count == 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct tmpfs_entry *e = find_entry(&tmpfs_inode_of(dir)->dir, dentry);

	if (e == NULL)
		return -ENOENT;
	if (!is_empty_dir(e->inode))
		return -ENOTEMPTY;
	inode_link_count_add(e->inode, -2);
	inode_link_count_add(dir, -1);
	inode_touch_ctime(e->inode);
	entry_remove(dir, e);
	return 0;
}

/* ---- rename ---------------------------------------------------------------------------------- */

/* A directory left `from` and came to `to`: the ".." in it counts elsewhere. */
static void move_parent_link(const struct inode *moved, struct inode *from, struct inode *to)
{
	if (!S_ISDIR(moved->mode) || from == to)
		return;
	inode_link_count_add(from, -1);
	inode_link_count_add(to, 1);
}

static int exchange(struct inode *from_dir, struct tmpfs_entry *a, struct inode *to_dir,
		    struct tmpfs_entry *b)
{
	struct inode *inode = a->inode;

	move_parent_link(a->inode, from_dir, to_dir);
	move_parent_link(b->inode, to_dir, from_dir);
	a->inode = b->inode;
	b->inode = inode;
	inode_touch_ctime(a->inode);
	inode_touch_ctime(b->inode);
	inode_touch_mtime(from_dir);
	inode_touch_mtime(to_dir);
	return 0;
}

/* The replaced entry's inode loses this name; a directory must be empty. */
static int check_replaced(struct tmpfs_entry *e)
{
	return S_ISDIR(e->inode->mode) && !is_empty_dir(e->inode) ? -ENOTEMPTY : 0;
}

static void replace(struct inode *to_dir, struct tmpfs_entry *e, struct inode *inode)
{
	struct inode *old = e->inode;

	inode_link_count_add(old, S_ISDIR(old->mode) ? -2 : -1);
	if (S_ISDIR(old->mode))
		inode_link_count_add(to_dir, -1);
	inode_touch_ctime(old);
	inode_get(inode);
	e->inode = inode;
	inode_touch_mtime(to_dir);
	inode_put(old);
}

static int tmpfs_rename(struct inode *from_dir, struct dentry *from, struct inode *to_dir,
			struct dentry *to, unsigned int flags)
{
	struct tmpfs_entry *a = find_entry(&tmpfs_inode_of(from_dir)->dir, from);
	struct tmpfs_entry *b = find_entry(&tmpfs_inode_of(to_dir)->dir, to), *added = NULL;
	struct inode *whiteout = NULL, *inode;
	int error = 0;

	if (a == NULL || ((flags & RENAME_EXCHANGE) != 0 && b == NULL))
		return -ENOENT;
	if ((flags & RENAME_EXCHANGE) != 0)
		return exchange(from_dir, a, to_dir, b);
	if (b != NULL)
		error = check_replaced(b);
	else if ((added = entry_create(to)) == NULL)
		error = -ENOMEM;
	if (error == 0 && (flags & RENAME_WHITEOUT) != 0)
		error = tmpfs_inode_create(from_dir->super, from_dir, S_IFCHR, 0,
					   &vfs_cred_kernel, &whiteout);
	if (error != 0) {
		kfree(added);
		return error;
	}
	/* Nothing below can fail. */
	inode = a->inode;
	inode_touch_ctime(inode);
	if (b != NULL) {
		replace(to_dir, b, inode);
	} else {
		inode_get(inode);
		entry_insert(to_dir, added, inode);
	}
	move_parent_link(inode, from_dir, to_dir);
	if (whiteout == NULL) {
		entry_remove(from_dir, a);
		return 0;
	}
	a->inode = whiteout;
	inode_touch_mtime(from_dir);
	inode_put(inode);
	return 0;
}

/* ---- listing --------------------------------------------------------------------------------- */

static struct tmpfs_entry *first_from(const struct tmpfs_dir *dir, uint64_t cookie)
{
	struct rb_node *node = dir->cookies.node;
	struct tmpfs_entry *best = NULL;

	while (node != NULL) {
		struct tmpfs_entry *e = rb_entry(node, struct tmpfs_entry, cookie_node);

		if (e->cookie >= cookie) {
			best = e;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return best;
}

static bool emit_dots(struct file *file, struct dir_context *ctx)
{
	if (file->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->number, DT_DIR, 1))
			return false;
		file->pos = 1;
	}
	if (file->pos == 1) {
		struct dentry *parent = dentry_get_parent(file->path.dentry);
		uint64_t number = parent->inode->number;

		dentry_put(parent);
		if (!ctx->emit(ctx, "..", 2, number, DT_DIR, 2))
			return false;
		file->pos = 2;
	}
	return true;
}

static int tmpfs_getdents(struct file *file, struct dir_context *ctx)
{
	struct tmpfs_dir *dir = &tmpfs_inode_of(file->inode)->dir;
	struct tmpfs_entry *e;

	if (!emit_dots(file, ctx))
		return 0;
	while ((e = first_from(dir, (uint64_t)file->pos)) != NULL) {
		if (!ctx->emit(ctx, e->name, e->length, e->inode->number,
			       (uint8_t)mode_to_dirent_type(e->inode->mode),
			       (loff_t)e->cookie + 1))
			break;
		file->pos = (loff_t)e->cookie + 1;
	}
	return 0;
}

static loff_t tmpfs_dir_seek(struct file *file, loff_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_seek_generic(file, offset, whence, 0);
}

const struct file_ops tmpfs_dir_file_ops = {
	.name = "tmpfs",
	.getdents = tmpfs_getdents,
	.seek = tmpfs_dir_seek,
};

const struct inode_ops tmpfs_dir_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.evict = tmpfs_evict,
};
