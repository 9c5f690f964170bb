/*
 * From the file layer to inotify: who is to hear of an event.
 *
 * An event of a file goes to its own watchers and, with its name, to those of its directory. The
 * listener is registered once at boot; until something is watched, callers do not get here.
 */
#include "vfs/notify.h"

#include "vfs/vfs_internal.h"

atomic32_t notify_watch_count;
static const struct notify_ops *listener;
static atomic32_t next_cookie;

void notify_register(const struct notify_ops *ops)
{
	listener = ops;
}

uint32_t notify_next_cookie(void)
{
	return atomic32_add(&next_cookie, 1);
}

void notify_slow_inode(struct inode *inode, uint32_t mask)
{
	if (listener == NULL || read_once(inode->watches) == NULL)
		return;
	if (S_ISDIR(inode->mode))
		mask |= IN_ISDIR;
	listener->event(inode, mask, 0, NULL);
}

void notify_slow_child(struct inode *dir, const char *name, uint32_t mask, uint32_t cookie)
{
	if (listener != NULL && read_once(dir->watches) != NULL)
		listener->event(dir, mask, cookie, name);
}

void notify_slow_dentry(struct dentry *dentry, uint32_t mask)
{
	struct dentry *parent;
	char name[NAME_MAX_BYTES + 1];

	if (listener == NULL || dentry->inode == NULL)
		return;
	notify_slow_inode(dentry->inode, mask);
	parent = dentry_get_parent(dentry);
	if (parent != dentry && read_once(parent->inode->watches) != NULL) {
		(void)dentry_copy_name(dentry, name, sizeof(name));
		if (S_ISDIR(dentry->inode->mode))
			mask |= IN_ISDIR;
		listener->event(parent->inode, mask, 0, name);
	}
	dentry_put(parent);
}
