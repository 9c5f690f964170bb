/*
 * mount, umount2, pivot_root.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "mem/slab.h"
#include "proc/fs_state.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"
#include "vfs/mount.h"

/* NULL stays NULL. */
static int optional_string(uint64_t address, char **out)
{
	*out = NULL;
	return address == 0 ? 0 : user_string_get(address, PATH_MAX_BYTES, out);
}

long sys_mount(uint64_t source, uint64_t target, uint64_t type, uint64_t flags, uint64_t data)
{
	char *source_text = NULL, *type_text = NULL, *options = NULL;
	struct user_path p;
	int error;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(uint64_t)MS_MGC_MSK;
	error = optional_string(type, &type_text);
	if (error == 0)
		error = optional_string(source, &source_text);
	if (error == 0)
		error = optional_string(data, &options);
	if (error == 0)
		error = user_path_get(&p, AT_FDCWD, target, 0);
	if (error == 0) {
		if (capable(CAP_SYS_ADMIN))
			error = vfs_mount(&p.base.ctx, source_text, p.name, type_text,
					  (uint32_t)flags, options);
		else
			error = -EPERM;
		user_path_put(&p);
	}
	kfree(type_text);
	kfree(source_text);
	kfree(options);
	return error;
}

long sys_umount2(uint64_t target, uint64_t flags)
{
	struct user_path p;
	int error;

	if ((flags & ~(uint64_t)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) != 0)
		return -EINVAL;
	error = user_path_get(&p, AT_FDCWD, target, 0);
	if (error != 0)
		return error;
	error = capable(CAP_SYS_ADMIN) ? vfs_umount(&p.base.ctx, p.name, (int)flags) : -EPERM;
	user_path_put(&p);
	return error;
}

long sys_pivot_root(uint64_t new_root, uint64_t put_old)
{
	struct user_path p;
	struct path root;
	char *old;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = user_path_get(&p, AT_FDCWD, new_root, 0);
	if (error != 0)
		return error;
	error = user_string_get(put_old, PATH_MAX_BYTES, &old);
	if (error == 0) {
		error = vfs_pivot_root(&p.base.ctx, p.name, old, &root);
		if (error == 0) {
			fs_state_replace_all(&p.base.root, &root);
			path_put(&root);
		}
		kfree(old);
	}
	user_path_put(&p);
	return error;
}
