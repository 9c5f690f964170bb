/*
 * Listing a merged directory: the names of all parts, each once, those under whiteouts not at all.
 *
 * The list is made at the first read after an open or a rewind and kept with the open file; the
 * position is the index in it. Two trees would not be needed for a directory of one part, but then
 * positions would be those of different file systems: one way for all.
 */
#include "abi/dirent.h"
#include "fs/overlay/overlay_internal.h"
#include "lib/rbtree.h"

#define ENTRIES_MAX (1U << 20)

struct ovl_entry {
	struct rb_node node;		/* by name */
	struct list_head list_node;	/* in the order found */
	uint64_t number;
	uint8_t type;
	bool whiteout;			/* hides what parts further down have */
	bool upper;
	uint32_t length;
	char name[];
};

struct ovl_listing {
	struct rb_root names;
	struct list_head entries;
	struct list_head *at;		/* the entry for position next_pos */
	loff_t next_pos;
	size_t count;
};

/* ---- collecting ------------------------------------------------------------------------------ */

struct collector {
	struct dir_context context;
	struct ovl_listing *listing;
	struct dentry *part;		/* the real directory being read */
	bool upper;
	int error;
};

static int compare(const struct ovl_entry *e, const char *name, size_t length)
{
	if (e->length != length)
		return e->length < length ? -1 : 1;
	return memcmp(e->name, name, length);
}

static struct ovl_entry *find(struct ovl_listing *l, const char *name, size_t length)
{
	struct rb_node *node = l->names.node;

	while (node != NULL) {
		struct ovl_entry *e = rb_entry(node, struct ovl_entry, node);
		int order = compare(e, name, length);

		if (order == 0)
			return e;
		node = order < 0 ? node->right : node->left;
	}
	return NULL;
}

static bool entry_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct ovl_entry *y = rb_entry(b, struct ovl_entry, node);

	return compare(rb_entry(a, struct ovl_entry, node), y->name, y->length) < 0;
}

static bool collect(struct dir_context *context, const char *name, size_t length,
		    uint64_t number, uint8_t type, loff_t next_pos)
{
	struct collector *c = container_of(context, struct collector, context);
	struct ovl_entry *e;

	if ((length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.') ||
	    length > NAME_MAX_BYTES || find(c->listing, name, length) != NULL)
		return true;
	e = c->listing->count < ENTRIES_MAX ? kmalloc(sizeof(*e) + length + 1) : NULL;
	if (e == NULL) {
		c->error = -ENOMEM;
		return false;
	}
	rb_node_init(&e->node);
	e->number = number;
	e->type = type;
	e->whiteout = false;
	e->upper = c->upper;
	e->length = (uint32_t)length;
	memcpy(e->name, name, length);
	e->name[length] = '\0';
	rb_insert(&c->listing->names, &e->node, entry_less);
	list_push_back(&c->listing->entries, &e->list_node);
	c->listing->count++;
	return true;
}

/*
 * After a part was read, without its mutex: character devices may be whiteouts, and what is in the
 * upper part may have had another number below.
 */
static int inspect(struct ovl_listing *l, struct dentry *part, struct list_head *first, bool merged)
{
	for (struct list_head *node = first; node != &l->entries; node = node->next) {
		struct ovl_entry *e = list_entry(node, struct ovl_entry, list_node);
		struct dentry *d;
		int error;

		if (e->type != DT_CHR && e->type != DT_UNKNOWN && !(e->upper && merged)) {
			if (e->upper)
				e->number |= 1ULL << 62;
			continue;
		}
		error = dentry_lookup(part, e->name, e->length, &d);
		if (error != 0)
			return error;
		if (d->inode != NULL) {
			e->whiteout = ovl_is_whiteout(d->inode);
			e->type = (uint8_t)mode_to_dirent_type(d->inode->mode);
			if (e->upper)
				e->number = ovl_inode_number(d, NULL);
		}
		dentry_put(d);
	}
	return 0;
}

static int read_part(struct ovl_listing *l, struct mount *mount, struct dentry *part, bool upper,
		     bool merged)
{
	struct collector c = {
		.context.emit = collect, .listing = l, .part = part, .upper = upper
	};
	struct list_head *last = l->entries.prev;
	struct path path = { mount, part };
	struct file *file;
	loff_t before;
	int error = file_open_path(&path, O_RDONLY | O_DIRECTORY, &vfs_cred_kernel, &file);

	if (error != 0)
		return error;
	do {
		before = file->pos;
		error = file_getdents(file, &c.context);
	} while (error == 0 && c.error == 0 && file->pos != before);
	file_put(file);
	if (error == 0)
		error = c.error;
	return error != 0 ? error : inspect(l, part, last->next, merged);
}

static void listing_free(struct ovl_listing *l)
{
	struct list_head *node;

	if (l == NULL)
		return;
	while ((node = list_pop_front(&l->entries)) != NULL)
		kfree(list_entry(node, struct ovl_entry, list_node));
	kfree(l);
}

static int listing_create(struct ovl_inode *dir, struct ovl_listing **out)
{
	const struct ovl_super *os = ovl_super_of(&dir->inode);
	struct ovl_listing *l = kzalloc(sizeof(*l));
	struct dentry *upper = ovl_upper(dir);
	int error = 0;

	if (l == NULL)
		return -ENOMEM;
	list_init(&l->entries);
	if (upper != NULL)
		error = read_part(l, os->upper.mount, upper, true, dir->lower_count > 0);
	for (size_t i = 0; i < dir->lower_count && error == 0; i++)
		error = read_part(l, os->lower[dir->lower_layer[i]].mount, dir->lower[i], false,
				  dir->lower_count > 1);
	if (error != 0) {
		listing_free(l);
		return error;
	}
	l->at = l->entries.next;
	l->next_pos = 2;
	*out = l;
	return 0;
}

/* ---- the open directory ---------------------------------------------------------------------- */

static void move_to(struct ovl_listing *l, loff_t pos)
{
	if (pos < l->next_pos) {
		l->at = l->entries.next;
		l->next_pos = 2;
	}
	while (l->next_pos < pos && l->at != &l->entries) {
		l->at = l->at->next;
		l->next_pos++;
	}
}

static bool emit_dots(struct file *file, struct dir_context *ctx)
{
	struct ovl_inode *parent = ovl_inode_of(file->inode)->parent;
	uint64_t above = parent != NULL ? parent->inode.number : file->inode->number;

	if (file->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, file->inode->number, DT_DIR, 1))
			return false;
		file->pos = 1;
	}
	if (file->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, above, DT_DIR, 2))
			return false;
		file->pos = 2;
	}
	return true;
}

static int ovl_getdents(struct file *file, struct dir_context *ctx)
{
	struct ovl_listing *l = file->private;
	int error;

	if (l == NULL || file->pos == 0) {
		error = listing_create(ovl_inode_of(file->inode), &l);
		if (error != 0)
			return error;
		listing_free(file->private);
		file->private = l;
	}
	if (!emit_dots(file, ctx))
		return 0;
	for (move_to(l, file->pos); l->at != &l->entries; l->at = l->at->next, l->next_pos++) {
		const struct ovl_entry *e = list_entry(l->at, struct ovl_entry, list_node);

		if (!e->whiteout &&
		    !ctx->emit(ctx, e->name, e->length, e->number, e->type, l->next_pos + 1))
			return 0;
		file->pos = l->next_pos + 1;
	}
	return 0;
}

static loff_t ovl_dir_seek(struct file *file, loff_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return file_seek_generic(file, offset, whence, 0);
}

static int ovl_dir_fsync(struct file *file, bool data_only)
{
	return 0;
}

static void ovl_dir_release(struct file *file)
{
	listing_free(file->private);
}

const struct file_ops ovl_dir_file_ops = {
	.name = "overlay",
	.getdents = ovl_getdents,
	.seek = ovl_dir_seek,
	.fsync = ovl_dir_fsync,
	.release = ovl_dir_release,
};

/* ---- emptiness ------------------------------------------------------------------------------- */

int ovl_check_empty(struct ovl_inode *dir)
{
	struct ovl_listing *l;
	struct ovl_entry *e;
	int error = listing_create(dir, &l);

	if (error != 0)
		return error;
	list_for_each(e, &l->entries, list_node) {
		if (!e->whiteout)
			error = -ENOTEMPTY;
	}
	listing_free(l);
	return error;
}

int ovl_clear_whiteouts(struct ovl_inode *dir)
{
	struct path upper = ovl_upper_path(dir);
	struct path_context ctx = ovl_context(&upper, &vfs_cred_kernel);
	struct ovl_listing *l;
	struct ovl_entry *e;
	int error = listing_create(dir, &l);

	if (error != 0)
		return error;
	list_for_each(e, &l->entries, list_node) {
		if (error == 0 && e->whiteout && e->upper)
			error = vfs_unlink(&ctx, e->name);
	}
	listing_free(l);
	return error;
}

const struct inode_ops ovl_dir_inode_ops = {
	.lookup = ovl_lookup,
	.create = ovl_create,
	.mkdir = ovl_mkdir,
	.symlink = ovl_symlink,
	.link = ovl_link,
	.unlink = ovl_unlink,
	.rmdir = ovl_rmdir,
	.rename = ovl_rename,
	.tmpfile = ovl_tmpfile,
	.getattr = ovl_getattr,
	.setattr = ovl_setattr,
	.getxattr = ovl_getxattr,
	.setxattr = ovl_setxattr,
	.listxattr = ovl_listxattr,
	.removexattr = ovl_removexattr,
	.evict = ovl_evict,
};
