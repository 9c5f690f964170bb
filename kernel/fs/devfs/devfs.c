/*
 * devtmpfs: one instance of tmpfs for all mounts, made at boot, in which the kernel makes nodes.
 *
 * It is changed through the file layer's own operations on an internal mount, so a node that the
 * kernel makes and one that a program makes with mknod(2) are the same thing. What stands behind a
 * number is looked up at open, in the table of character devices (vfs/chardev.h).
 */
#include "fs/devfs/devfs.h"

#include "abi/errno.h"
#include "core/assert.h"
#include "core/klog.h"
#include "fs/devfs/mem_devices.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/string.h"
#include "vfs/dentry.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vfs/path.h"

#define DEVICE_PATH_MAX 128

static struct super *devfs_super;
static struct path devfs_root;

static struct path_context devfs_context(void)
{
	return (struct path_context){ .root = &devfs_root, .base = &devfs_root,
				      .cred = &vfs_cred_kernel };
}

/* Directories above a path that do not exist yet. */
static int make_parents(const char *path)
{
	struct path_context ctx = devfs_context();
	char dir[DEVICE_PATH_MAX];

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir))
		return -ENAMETOOLONG;
	for (char *slash = strchr(dir, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int error;

		*slash = '\0';
		error = vfs_mkdir(&ctx, dir, 0755);
		*slash = '/';
		if (error != 0 && error != -EEXIST)
			return error;
	}
	return 0;
}

int devfs_register(const char *path, uint32_t mode, uint64_t rdev)
{
	struct path_context ctx = devfs_context();
	int error = make_parents(path);

	return error != 0 ? error : vfs_create(&ctx, path, mode, rdev);
}

int devfs_symlink(const char *path, const char *target)
{
	struct path_context ctx = devfs_context();
	int error = make_parents(path);

	return error != 0 ? error : vfs_symlink(&ctx, path, target);
}

static int devfs_mount(const struct fs_type *type, const char *source, const char *options,
		       uint32_t flags, struct super **out)
{
	/* Options (mode=, size=) were settled when the one instance was made. */
	super_get(devfs_super);
	*out = devfs_super;
	return 0;
}

static void make_standard_entries(void)
{
	static const struct { const char *path, *target; } links[] = {
		{ "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" },
	};
	static const char *const dirs[] = { "pts", "shm" };
	struct path_context ctx = devfs_context();
	int error = 0;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && error == 0; i++)
		error = devfs_symlink(links[i].path, links[i].target);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && error == 0; i++)
		error = vfs_mkdir(&ctx, dirs[i], 0755);
	if (error != 0)
		log_error("devfs: standard entries: error %d", error);
}

void devfs_init(void)
{
	static struct fs_type type = { .name = "devtmpfs", .mount = devfs_mount };
	struct mount *mount;
	int error = tmpfs_create_instance(&type, &devfs_super);

	VERIFY(error == 0);
	fs_type_register(&type);
	error = vfs_mount_internal("devtmpfs", &mount);
	VERIFY(error == 0);
	devfs_root = (struct path){ mount, mount->root };
	make_standard_entries();
	mem_devices_init();
}
