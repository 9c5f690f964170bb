/*
 * Identity: user and group ids, supplementary groups, capabilities.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "core/user_copy.h"
#include "syscall/syscalls.h"

long sys_getuid(void) { return cred_current()->uid; }
long sys_getgid(void) { return cred_current()->gid; }
long sys_geteuid(void) { return cred_current()->euid; }
long sys_getegid(void) { return cred_current()->egid; }
long sys_setuid(uint64_t uid) { return cred_set_uid((uint32_t)uid); }
long sys_setgid(uint64_t gid) { return cred_set_gid((uint32_t)gid); }

long sys_setreuid(uint64_t ruid, uint64_t euid)
{
	return cred_set_reuid((uint32_t)ruid, (uint32_t)euid);
}

long sys_setregid(uint64_t rgid, uint64_t egid)
{
	return cred_set_regid((uint32_t)rgid, (uint32_t)egid);
}

long sys_setresuid(uint64_t ruid, uint64_t euid, uint64_t suid)
{
	return cred_set_resuid((uint32_t)ruid, (uint32_t)euid, (uint32_t)suid);
}

long sys_setresgid(uint64_t rgid, uint64_t egid, uint64_t sgid)
{
	return cred_set_resgid((uint32_t)rgid, (uint32_t)egid, (uint32_t)sgid);
}

static long put_three(uint64_t a, uint64_t b, uint64_t c, uint32_t x, uint32_t y, uint32_t z)
{
	if (user_store32(user_addr(a), x) != 0 || user_store32(user_addr(b), y) != 0 ||
	    user_store32(user_addr(c), z) != 0)
		return -EFAULT;
	return 0;
}

long sys_getresuid(uint64_t ruid, uint64_t euid, uint64_t suid)
{
	const struct cred *c = cred_current();

	return put_three(ruid, euid, suid, c->uid, c->euid, c->suid);
}

long sys_getresgid(uint64_t rgid, uint64_t egid, uint64_t sgid)
{
	const struct cred *c = cred_current();

	return put_three(rgid, egid, sgid, c->gid, c->egid, c->sgid);
}

long sys_setfsuid(uint64_t uid) { return cred_set_fsuid((uint32_t)uid); }
long sys_setfsgid(uint64_t gid) { return cred_set_fsgid((uint32_t)gid); }

long sys_getgroups(uint64_t size, uint64_t user_list)
{
	const struct cred *c = cred_current();

	if ((int)size < 0)
		return -EINVAL;
	if ((int)size != 0) {
		if (c->group_count > (uint32_t)size)
			return -EINVAL;
		if (copy_to_user(user_addr(user_list), c->groups, c->group_count * 4UL) != 0)
			return -EFAULT;
	}
	return c->group_count;
}

long sys_setgroups(uint64_t size, uint64_t user_list)
{
	uint32_t count = (uint32_t)size, *groups = NULL;
	int error = 0;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (count > NGROUPS_MAX)
		return -EINVAL;
	if (count > 0) {
		groups = kcalloc(count, 4);
		if (groups == NULL)
			return -ENOMEM;
		error = copy_from_user(groups, user_addr(user_list), count * 4UL);
	}
	if (error == 0)
		error = cred_set_groups(groups, count);
	if (error != 0)
		kfree(groups);
	return error;
}

/* --- capabilities ----------------------------------------------------------------------------- */

/* How many data structures the version has; an unknown one is answered with ours. */
static int check_version(uint64_t user_header, struct abi_cap_user_header *header,
			 unsigned int *parts)
{
	if (copy_from_user(header, user_addr(user_header), sizeof(*header)) != 0)
		return -EFAULT;
	switch (header->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*parts = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*parts = 2;
		return 0;
	default:
		if (user_store32(user_addr(user_header), _LINUX_CAPABILITY_VERSION_3) != 0)
			return -EFAULT;
		return -EINVAL;
	}
}

long sys_capget(uint64_t user_header, uint64_t user_data)
{
	struct abi_cap_user_data data[2];
	struct abi_cap_user_header header;
	struct task *task = NULL;
	struct cred *cred;
	unsigned int parts;
	int error = check_version(user_header, &header, &parts);

	if (user_data == 0 && (error == -EINVAL || error == 0))
		return 0;		/* asks for the version only */
	if (error != 0)
		return error;
	if (header.pid < 0)
		return -EINVAL;
	if (header.pid != 0 && (uint32_t)header.pid != thread_current()->id) {
		task = task_lookup((uint32_t)header.pid);
		if (task == NULL)
			return -ESRCH;
	}
	cred = cred_of_task(task != NULL ? task : task_current());
	if (task != NULL)
		task_put(task);
	for (unsigned int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(cred->cap_effective >> (32 * i));
		data[i].permitted = (uint32_t)(cred->cap_permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(cred->cap_inheritable >> (32 * i));
	}
	cred_put(cred);
	return copy_to_user(user_addr(user_data), data, parts * sizeof(data[0]));
}

long sys_capset(uint64_t user_header, uint64_t user_data)
{
	struct abi_cap_user_data data[2] = { 0 };
	struct abi_cap_user_header header;
	unsigned int parts;
	int error = check_version(user_header, &header, &parts);

	if (error != 0)
		return error;
	if (header.pid != 0 && (uint32_t)header.pid != thread_current()->id)
		return -EPERM;
	if (copy_from_user(data, user_addr(user_data), parts * sizeof(data[0])) != 0)
		return -EFAULT;
	return cred_set_capabilities(
		(data[0].effective | (uint64_t)data[1].effective << 32) & CAP_MASK_ALL,
		(data[0].permitted | (uint64_t)data[1].permitted << 32) & CAP_MASK_ALL,
		(data[0].inheritable | (uint64_t)data[1].inheritable << 32) & CAP_MASK_ALL);
}
