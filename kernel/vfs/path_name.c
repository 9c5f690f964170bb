/*
 * The name of a path: from the dentry upwards, across mounts, until the given root.
 *
 * Written from the end of the buffer to its front under both tree locks, so the name was true at
 * one moment. What is not below the root ends at the top of what it is in, and is not reachable.
 */
#include "lib/string.h"
#include "vfs/vfs_internal.h"

static const char deleted_mark[] = " (deleted)";

static bool put_back(char **at, const char *begin, const char *text, size_t length)
{
	if ((size_t)(*at - begin) < length)
		return false;
	*at -= length;
	memcpy(*at, text, length);
	return true;
}

/* Climbs from p; *at moves to the front of the name. False: it does not fit. */
static bool climb(const struct path *p, const struct path *root, char **at, const char *begin,
		  bool *reachable) REQUIRES(&mount_lock, &dentry_tree_lock)
{
	struct path here = *p;

	*reachable = true;
	while (!(here.mount == root->mount && here.dentry == root->dentry)) {
		if (here.dentry == here.mount->root || here.dentry->parent == here.dentry) {
			if (here.dentry != here.mount->root || here.mount->parent == NULL) {
				*reachable = false;
				return true;
			}
			here.dentry = here.mount->mountpoint;
			here.mount = here.mount->parent;
			continue;
		}
		if (!put_back(at, begin, here.dentry->name, here.dentry->name_length) ||
		    !put_back(at, begin, "/", 1))
			return false;
		here.dentry = here.dentry->parent;
	}
	return true;
}

/* Files without a name carry one for /proc in their dentry. */
static char *anonymous_name(const struct dentry *d, char *buf, size_t n)
{
	size_t length = dentry_copy_name(d, buf, n);

	return length < n ? buf : NULL;
}

char *path_name(const struct path *p, const struct path *root, char *buf, size_t n,
		bool *reachable)
{
	static const struct path nowhere;
	char *at = buf + n, *name_end;
	bool reached, fits;

	if (p->dentry == NULL || n == 0)
		return NULL;
	if (reachable == NULL)
		reachable = &reached;
	*reachable = false;
	if (p->mount == NULL || p->mount == anonymous_mount)
		return anonymous_name(p->dentry, buf, n);
	*--at = '\0';
	if (p->dentry->deleted &&
	    !put_back(&at, buf, deleted_mark, sizeof(deleted_mark) - 1))
		return NULL;
	name_end = at;
	spin_lock(&mount_lock);
	spin_lock(&dentry_tree_lock);
	fits = climb(p, root != NULL ? root : &nowhere, &at, buf, reachable);
	spin_unlock(&dentry_tree_lock);
	spin_unlock(&mount_lock);
	if (fits && at == name_end)
		fits = put_back(&at, buf, "/", 1);
	return fits ? at : NULL;
}
