/*
 * overlay: several directories seen as one, of which only the upper one changes.
 *
 * Idea. An overlay inode stands for what a name leads to in the layers: an upper dentry, or a lower
 * one, or for a directory all parts that are merged. What is changed is first copied up: the file
 * (or directory) is made in the upper layer, with its parents, and from then on stands for the
 * name. What is removed while a lower layer still has it leaves a whiteout in the upper one: a
 * character device 0/0. A new directory over one is opaque (an attribute): nothing shows through.
 * These marks are Linux's, so an upper directory made by either can be read by the other.
 *
 * The layers are changed only by the file layer's own operations on single names (vfs_mkdir and so
 * on) with the kernel's credentials; who may was decided on the overlay's own attributes, which are
 * copies of the real ones. Files are opened on the real inode, so read and mmap share its page
 * cache.
 *
 * Locking. The overlay's directories' mutexes are the file layer's, taken before any of a layer's;
 * copy_mutex comes between them. A copy-up needs no lock of the overlay's directories: until it is
 * done nothing shows, and then only `upper` is set.
 *
 * Limits, as Linux's defaults: a directory with lower parts is not renamed but EXDEV (mv copies);
 * the names of a lower file with several become separate files when they are copied up; a file
 * opened for reading before its copy-up goes on reading the lower one when it is mapped.
 */
#include "fs/overlay/overlay_internal.h"

#include "lib/bits.h"
#include "lib/format.h"

/* ---- options --------------------------------------------------------------------------------- */

struct ovl_options {
	char *lower, *upper, *work;		/* owned */
};

static void options_free(struct ovl_options *o)
{
	kfree(o->lower);
	kfree(o->upper);
	kfree(o->work);
}

/* A value up to the next comma; a backslash protects one. */
static char *copy_value(const char *text, size_t length)
{
	char *value = kmalloc(length + 1), *to = value;

	if (value == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\' && i + 1 < length && text[i + 1] == ',')
			i++;
		*to++ = text[i];
	}
	*to = '\0';
	return value;
}

static int set_option(char **slot, const char *value, size_t length)
{
	kfree(*slot);
	*slot = copy_value(value, length);
	return *slot != NULL ? 0 : -ENOMEM;
}

static bool takes(const char *text, size_t length, const char *key, const char **value,
		  size_t *value_length)
{
	size_t n = strlen(key);

	if (length < n || memcmp(text, key, n) != 0)
		return false;
	*value = text + n;
	*value_length = length - n;
	return true;
}

/* Options of Linux's that change nothing here, or ask for what is the case anyway. */
static bool is_ignored(const char *text, size_t length)
{
	static const char *const known[] = {
		"index=off", "xino=off", "xino=auto", "metacopy=off", "redirect_dir=off",
		"redirect_dir=nofollow", "volatile", "userxattr", "nfs_export=off", "uuid=null",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i]) == length && memcmp(text, known[i], length) == 0)
			return true;
	}
	return length == 0;
}

static int parse_option(struct ovl_options *o, const char *text, size_t length)
{
	const char *value;
	size_t n;

	if (takes(text, length, "lowerdir=", &value, &n))
		return set_option(&o->lower, value, n);
	if (takes(text, length, "upperdir=", &value, &n))
		return set_option(&o->upper, value, n);
	if (takes(text, length, "workdir=", &value, &n))
		return set_option(&o->work, value, n);
	return is_ignored(text, length) ? 0 : -EINVAL;
}

static int parse_options(struct ovl_options *o, const char *text)
{
	while (*text != '\0') {
		size_t length = 0;
		int error;

		while (text[length] != '\0' && text[length] != ',')
			length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
		error = parse_option(o, text, length);
		if (error != 0)
			return error;
		text += length;
		if (*text == ',')
			text++;
	}
	if (o->lower == NULL || (o->upper == NULL) != (o->work == NULL))
		return -EINVAL;
	return 0;
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* Names in options are looked up as the mounting program sees them. */
static int open_layer(const struct path_context *ctx, const char *name, struct path *out)
{
	int error = path_lookup(ctx, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, out);

	if (error != 0)
		return error;
	if (out->mount->super->stack_depth >= OVL_STACK_MAX) {
		path_put(out);
		return -EINVAL;
	}
	return 0;
}

static void note_depth(struct ovl_super *os, const struct path *layer)
{
	os->super.stack_depth = MAX(os->super.stack_depth, layer->mount->super->stack_depth + 1);
}

static int open_lowers(struct ovl_super *os, const struct path_context *ctx, char *names)
{
	while (names != NULL) {
		char *colon = strchr(names, ':');
		int error;

		if (colon != NULL)
			*colon = '\0';
		if (os->lower_count == OVL_LOWER_MAX)
			return -EINVAL;
		error = open_layer(ctx, names, &os->lower[os->lower_count]);
		if (colon != NULL)
			*colon = ':';
		if (error != 0)
			return error;
		note_depth(os, &os->lower[os->lower_count++]);
		names = colon != NULL ? colon + 1 : NULL;
	}
	return 0;
}

static bool is_above_or_below(const struct path *a, const struct path *b)
{
	return a->mount->super == b->mount->super &&
	       (dentry_is_below(a->dentry, b->dentry) || dentry_is_below(b->dentry, a->dentry));
}

/* The upper layer must be able to keep what is put there. */
static int check_upper(const struct ovl_super *os)
{
	const struct inode_ops *ops = path_inode(&os->upper)->ops;

	if (os->upper.mount != os->work.mount || is_above_or_below(&os->upper, &os->work))
		return -EINVAL;
	if (ops->create == NULL || ops->mkdir == NULL || ops->rename == NULL ||
	    ops->setxattr == NULL || ops->tmpfile == NULL)
		return -EINVAL;
	return mount_check_write(os->upper.mount);
}

static int open_layers(struct ovl_super *os, const struct path_context *ctx,
		       const struct ovl_options *o)
{
	int error = open_lowers(os, ctx, o->lower);

	if (error != 0 || o->upper == NULL)
		return error;
	error = open_layer(ctx, o->upper, &os->upper);
	if (error != 0)
		return error;
	note_depth(os, &os->upper);
	error = open_layer(ctx, o->work, &os->work);
	return error != 0 ? error : check_upper(os);
}

/* ---- instances ------------------------------------------------------------------------------- */

static void ovl_free(struct ovl_super *os)
{
	for (size_t i = 0; i < os->lower_count; i++)
		path_put(&os->lower[i]);
	path_put(&os->upper);
	path_put(&os->work);
	kfree(os->lower_text);
	kfree(os->upper_text);
	kfree(os->work_text);
	kfree(os);
}

static void ovl_destroy(struct super *super)
{
	ovl_free(container_of(super, struct ovl_super, super));
}

static int ovl_statfs(struct super *super, struct abi_statfs *out)
{
	struct ovl_super *os = container_of(super, struct ovl_super, super);
	const struct path *layer = os->upper.mount != NULL ? &os->upper : &os->lower[0];
	int error = super_statfs(layer->mount->super, out);

	out->f_type = OVERLAYFS_SUPER_MAGIC;
	return error;
}

static int ovl_sync(struct super *super)
{
	const struct ovl_super *os = container_of(super, struct ovl_super, super);
	struct super *upper = os->upper.mount != NULL ? os->upper.mount->super : NULL;

	return upper != NULL && upper->ops->sync != NULL ? upper->ops->sync(upper) : 0;
}

static size_t ovl_show_options(struct super *super, char *buf, size_t n)
{
	const struct ovl_super *os = container_of(super, struct ovl_super, super);
	size_t used = format_stored(buf, n, ",lowerdir=%s", os->lower_text);

	if (os->upper_text != NULL)
		used += format_stored(buf + used, n - used, ",upperdir=%s,workdir=%s",
				      os->upper_text, os->work_text);
	return used;
}

static const struct super_ops ovl_super_ops = {
	.statfs = ovl_statfs,
	.sync = ovl_sync,
	.destroy = ovl_destroy,
	.show_options = ovl_show_options,
};

static int make_root(struct ovl_super *os)
{
	struct dentry *lower[OVL_LOWER_MAX];
	uint8_t layers[OVL_LOWER_MAX];
	struct inode *root;
	int error;

	for (size_t i = 0; i < os->lower_count; i++) {
		lower[i] = os->lower[i].dentry;
		layers[i] = (uint8_t)i;
	}
	error = ovl_inode_create(&os->super, NULL, "", os->upper.dentry, lower, layers,
				 os->lower_count, &root);
	if (error != 0)
		return error;
	os->super.root = dentry_create_root(&os->super, root);
	if (os->super.root != NULL)
		return 0;
	inode_put(root);
	return -ENOMEM;
}

static struct ovl_super *ovl_create_super(const struct fs_type *type, uint32_t flags)
{
	struct ovl_super *os = kzalloc(sizeof(*os));

	if (os == NULL)
		return NULL;
	super_init(&os->super, type, &ovl_super_ops, OVERLAYFS_SUPER_MAGIC);
	os->super.read_only = (flags & MS_RDONLY) != 0;
	mutex_init(&os->copy_mutex);
	spin_init(&os->inodes_lock, RANK_INODE + 1);
	list_init(&os->inodes);
	return os;
}

static int ovl_mount(const struct fs_type *type, const struct path_context *ctx,
		     const char *text, uint32_t flags, struct super **out)
{
	struct ovl_options o = { 0 };
	struct ovl_super *os = ovl_create_super(type, flags);
	int error = os != NULL ? parse_options(&o, text) : -ENOMEM;

	if (error == 0)
		error = open_layers(os, ctx, &o);
	if (error == 0 && os->upper.mount == NULL)
		os->super.read_only = true;
	if (os != NULL) {
		os->lower_text = o.lower;
		os->upper_text = o.upper;
		os->work_text = o.work;
	} else {
		options_free(&o);
	}
	if (error == 0)
		error = make_root(os);
	if (error != 0) {
		if (os != NULL)
			ovl_free(os);
		return error;
	}
	*out = &os->super;
	return 0;
}

void overlay_init(void)
{
	static struct fs_type type = { .name = "overlay", .mount_in = ovl_mount };

	ovl_inode_cache = slab_cache_create("overlay_inode", sizeof(struct ovl_inode), 8);
	fs_type_register(&type);
}
