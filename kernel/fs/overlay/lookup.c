/*
 * Lookup: the layers are asked from the top down. The first that has the name decides what it is; a
 * directory goes on to be merged with directories of that name below, until one is opaque,
 * something else, or a whiteout.
 */
#include "fs/overlay/overlay_internal.h"

bool ovl_is_whiteout(const struct inode *inode)
{
	return S_ISCHR(inode->mode) && inode->rdev == 0;
}

bool ovl_is_opaque(struct inode *inode)
{
	char value;
	size_t n;

	return inode->ops->getxattr != NULL &&
	       inode_getxattr(inode, OVL_OPAQUE, &value, 1, &n, &vfs_cred_kernel) == 0 &&
	       n == 1 && value == 'y';
}

struct found {
	struct dentry *upper;
	struct dentry *lower[OVL_LOWER_MAX];
	uint8_t layers[OVL_LOWER_MAX];
	size_t lower_count;
};

static bool is_found(const struct found *f)
{
	return f->upper != NULL || f->lower_count > 0;
}

static void found_put(struct found *f)
{
	if (f->upper != NULL)
		dentry_put(f->upper);
	for (size_t i = 0; i < f->lower_count; i++)
		dentry_put(f->lower[i]);
}

/*
 * The name in one part of a directory: *d counted and positive, or NULL. `merging`: a folder was
 * found above. *stop: layers further down are not to be asked.
 */
static int look_in(struct dentry *part, const struct dentry *name, bool merging,
		   struct dentry **d, bool *stop)
{
	int error = dentry_lookup(part, name->name, name->name_length, d);
	struct inode *inode;

	if (error == -ENAMETOOLONG) {
		*d = NULL;
		return 0;
	}
	if (error != 0)
		return error;
	inode = (*d)->inode;
	if (inode == NULL) {
		dentry_put(*d);
		*d = NULL;
		return 0;
	}
	if (ovl_is_whiteout(inode) || (merging && !S_ISDIR(inode->mode))) {
		*stop = true;
		dentry_put(*d);
		*d = NULL;
		return 0;
	}
	*stop = !S_ISDIR(inode->mode) || ovl_is_opaque(inode);
	return 0;
}

static int find_all(struct ovl_inode *dir, const struct dentry *name, struct found *f)
{
	bool stop = false;
	int error = 0;

	if (ovl_upper(dir) != NULL)
		error = look_in(ovl_upper(dir), name, false, &f->upper, &stop);
	for (size_t i = 0; i < dir->lower_count && error == 0 && !stop; i++) {
		struct dentry *d;

		error = look_in(dir->lower[i], name, is_found(f), &d, &stop);
		if (error != 0 || d == NULL)
			continue;
		f->lower[f->lower_count] = d;
		f->layers[f->lower_count++] = dir->lower_layer[i];
	}
	return error;
}

int ovl_lookup(struct inode *dir, struct dentry *dentry)
{
	struct found f = { 0 };
	struct inode *inode;
	int error = find_all(ovl_inode_of(dir), dentry, &f);

	if (error == 0 && is_found(&f)) {
		if (f.upper != NULL && f.lower_count == 0)
			error = ovl_inode_of_upper(dir, dentry->name, f.upper, &inode);
		else
			error = ovl_inode_create(dir->super, ovl_inode_of(dir), dentry->name,
						 f.upper, f.lower, f.layers, f.lower_count, &inode);
		if (error == 0)
			dentry_instantiate(dentry, inode);
	}
	found_put(&f);
	return error;
}

int ovl_shows_lower(struct ovl_inode *dir, const char *name)
{
	for (size_t i = 0; i < dir->lower_count; i++) {
		struct dentry *d;
		int error = dentry_lookup(dir->lower[i], name, strlen(name), &d), result;

		if (error == -ENAMETOOLONG)
			continue;
		if (error != 0)
			return error;
		result = d->inode == NULL ? -1 : ovl_is_whiteout(d->inode) ? 0 : 1;
		dentry_put(d);
		if (result >= 0)
			return result;
	}
	return 0;
}

int ovl_has_whiteout(struct ovl_inode *dir, const char *name)
{
	struct dentry *upper = ovl_upper(dir), *d;
	int error, result;

	if (upper == NULL)
		return 0;
	error = dentry_lookup(upper, name, strlen(name), &d);
	if (error != 0)
		return error;
	result = d->inode != NULL && ovl_is_whiteout(d->inode) ? 1 : 0;
	dentry_put(d);
	return result;
}
