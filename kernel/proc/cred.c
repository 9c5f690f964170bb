/*
 * Credentials: ids, groups, capabilities, and the rules by which a task may change them.
 *
 * A struct cred never changes once it is some task's: a change copies, edits and commits. The file
 * layer sees only the embedded vfs_cred, derived at the commit. capabilities(7) and credentials(7)
 * are the source of the rules; the set is the classic one, without user namespaces.
 */
#include "proc/cred_change.h"

#include "abi/capability.h"
#include "abi/errno.h"
#include "core/fail_point.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/proc_internal.h"

#define CAP_FS_MASK (BIT_OF(CAP_CHOWN) | BIT_OF(CAP_MKNOD) | BIT_OF(CAP_DAC_OVERRIDE) |           \
		     BIT_OF(CAP_DAC_READ_SEARCH) | BIT_OF(CAP_FOWNER) | BIT_OF(CAP_FSETID) |      \
		     BIT_OF(CAP_LINUX_IMMUTABLE) | BIT_OF(CAP_MAC_OVERRIDE))
#define BIT_OF(cap) (1ULL << (cap))

struct cred cred_root = {
	.references = { { 1 } },
	.cap_effective = CAP_MASK_ALL, .cap_permitted = CAP_MASK_ALL,
	.cap_bounding = CAP_MASK_ALL,
	.vfs = {
		.cap_dac_override = true, .cap_dac_read_search = true, .cap_fowner = true,
		.cap_fsetid = true, .cap_chown = true, .cap_mknod = true, .cap_sys_admin = true,
		.cap_linux_immutable = true, .cap_sys_resource = true,
	},
};

struct cred *cred_current(void)
{
	return task_current()->cred;
}

void cred_put(struct cred *cred)
{
	if (!refcount_put(&cred->references))
		return;
	ASSERT(cred != &cred_root);
	kfree(cred->groups);
	kfree(cred);
}

struct cred *cred_copy(const struct cred *from)
{
	struct cred *cred = fail_point("cred") ? NULL : kmalloc(sizeof(*cred));

	if (cred == NULL)
		return NULL;
	*cred = *from;
	refcount_init(&cred->references);
	cred->groups = NULL;
	if (from->group_count > 0) {
		cred->groups = kcalloc(from->group_count, sizeof(*cred->groups));
		if (cred->groups == NULL) {
			kfree(cred);
			return NULL;
		}
		memcpy(cred->groups, from->groups, from->group_count * sizeof(*cred->groups));
	}
	return cred;
}

bool cred_capable(const struct cred *cred, int capability)
{
	return (cred->cap_effective & BIT_OF(capability)) != 0;
}

bool capable(int capability)
{
	return cred_capable(cred_current(), capability);
}

void cred_derive(struct cred *cred)
{
	cred->vfs = (struct vfs_cred){
		.uid = cred->fsuid,
		.gid = cred->fsgid,
		.group_count = cred->group_count,
		.groups = cred->groups,
		.cap_dac_override = cred_capable(cred, CAP_DAC_OVERRIDE),
		.cap_dac_read_search = cred_capable(cred, CAP_DAC_READ_SEARCH),
		.cap_fowner = cred_capable(cred, CAP_FOWNER),
		.cap_fsetid = cred_capable(cred, CAP_FSETID),
		.cap_chown = cred_capable(cred, CAP_CHOWN),
		.cap_mknod = cred_capable(cred, CAP_MKNOD),
		.cap_sys_admin = cred_capable(cred, CAP_SYS_ADMIN),
		.cap_linux_immutable = cred_capable(cred, CAP_LINUX_IMMUTABLE),
		.cap_sys_resource = cred_capable(cred, CAP_SYS_RESOURCE),
	};
}

void cred_commit(struct cred *cred)
{
	struct task *task = task_current();
	struct cred *old = task->cred;
	irq_state_t state;

	cred_derive(cred);
	/* First closed to others: who sees the new ids (task_may_access()) sees that too. */
	if (old->euid != cred->euid || old->egid != cred->egid || old->fsuid != cred->fsuid ||
	    old->fsgid != cred->fsgid) {
		if (task->thread.space != NULL)
			task->thread.space->dumpable = false;
		task->parent_death_signal = 0;
	}
	state = spin_lock_irqsave(&task->process->lock);
	task->cred = cred;
	spin_unlock_irqrestore(&task->process->lock, state);
	cred_put(old);
}

struct cred *cred_of_task(struct task *task)
{
	irq_state_t state = spin_lock_irqsave(&task->process->lock);
	struct cred *cred = task->cred;

	cred_get(cred);
	spin_unlock_irqrestore(&task->process->lock, state);
	return cred;
}

uint32_t process_uid_locked(struct process *p)
{
	uint32_t uid;

	assert_held(&process_tree_lock);
	spin_lock(&p->lock);
	uid = p->leader->cred->uid;
	spin_unlock(&p->lock);
	return uid;
}

bool cred_in_group(const struct cred *cred, uint32_t gid)
{
	for (uint32_t i = 0; i < cred->group_count; i++) {
		if (cred->groups[i] == gid)
			return true;
	}
	return false;
}

/* capabilities(7), "Effect of user ID changes on capabilities". */
static void adjust_capabilities(const struct cred *old, struct cred *cred)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = cred->uid == 0 || cred->euid == 0 || cred->suid == 0;

	if ((old->securebits & SECUREBIT_NO_SETUID_FIXUP) != 0)
		return;
	if (had_root && !has_root && (old->securebits & SECUREBIT_KEEP_CAPS) == 0) {
		cred->cap_permitted = 0;
		cred->cap_effective = 0;
	}
	if (had_root && !has_root)
		cred->cap_ambient = 0;
	if (old->euid == 0 && cred->euid != 0)
		cred->cap_effective = 0;
	if (old->euid != 0 && cred->euid == 0)
		cred->cap_effective = cred->cap_permitted;
}

static void adjust_fs_capabilities(const struct cred *old, struct cred *cred)
{
	if ((old->securebits & SECUREBIT_NO_SETUID_FIXUP) != 0)
		return;
	if (old->fsuid == 0 && cred->fsuid != 0)
		cred->cap_effective &= ~CAP_FS_MASK;
	if (old->fsuid != 0 && cred->fsuid == 0)
		cred->cap_effective |= cred->cap_permitted & CAP_FS_MASK;
}

int cred_set_uid(uint32_t uid)
{
	const struct cred *old = cred_current();
	struct cred *cred;

	if (uid == (uint32_t)-1)
		return -EINVAL;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (capable(CAP_SETUID)) {
		cred->uid = cred->suid = uid;
	} else if (uid != old->uid && uid != old->suid) {
		cred_put(cred);
		return -EPERM;
	}
	cred->euid = cred->fsuid = uid;
	adjust_capabilities(old, cred);
	cred_commit(cred);
	return 0;
}

int cred_set_gid(uint32_t gid)
{
	const struct cred *old = cred_current();
	struct cred *cred;

	if (gid == (uint32_t)-1)
		return -EINVAL;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (capable(CAP_SETGID)) {
		cred->gid = cred->sgid = gid;
	} else if (gid != old->gid && gid != old->sgid) {
		cred_put(cred);
		return -EPERM;
	}
	cred->egid = cred->fsgid = gid;
	cred_commit(cred);
	return 0;
}

#define KEEP ((uint32_t)-1)

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == KEEP || id == a || id == b || id == c;
}

int cred_set_reuid(uint32_t ruid, uint32_t euid)
{
	const struct cred *old = cred_current();
	bool may = capable(CAP_SETUID);
	struct cred *cred;

	if (!may && (!is_one_of(ruid, old->uid, old->euid, old->euid) ||
		     !is_one_of(euid, old->uid, old->euid, old->suid)))
		return -EPERM;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (ruid != KEEP)
		cred->uid = ruid;
	if (euid != KEEP)
		cred->euid = euid;
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		cred->suid = cred->euid;
	cred->fsuid = cred->euid;
	adjust_capabilities(old, cred);
	cred_commit(cred);
	return 0;
}

int cred_set_regid(uint32_t rgid, uint32_t egid)
{
	const struct cred *old = cred_current();
	bool may = capable(CAP_SETGID);
	struct cred *cred;

	if (!may && (!is_one_of(rgid, old->gid, old->egid, old->egid) ||
		     !is_one_of(egid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (rgid != KEEP)
		cred->gid = rgid;
	if (egid != KEEP)
		cred->egid = egid;
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		cred->sgid = cred->egid;
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

int cred_set_resuid(uint32_t ruid, uint32_t euid, uint32_t suid)
{
	const struct cred *old = cred_current();
	struct cred *cred;

	if (!capable(CAP_SETUID) && (!is_one_of(ruid, old->uid, old->euid, old->suid) ||
				     !is_one_of(euid, old->uid, old->euid, old->suid) ||
				     !is_one_of(suid, old->uid, old->euid, old->suid)))
		return -EPERM;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (ruid != KEEP)
		cred->uid = ruid;
	if (euid != KEEP)
		cred->euid = euid;
	if (suid != KEEP)
		cred->suid = suid;
	cred->fsuid = cred->euid;
	adjust_capabilities(old, cred);
	cred_commit(cred);
	return 0;
}

int cred_set_resgid(uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	const struct cred *old = cred_current();
	struct cred *cred;

	if (!capable(CAP_SETGID) && (!is_one_of(rgid, old->gid, old->egid, old->sgid) ||
				     !is_one_of(egid, old->gid, old->egid, old->sgid) ||
				     !is_one_of(sgid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	if (rgid != KEEP)
		cred->gid = rgid;
	if (egid != KEEP)
		cred->egid = egid;
	if (sgid != KEEP)
		cred->sgid = sgid;
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

uint32_t cred_set_fsuid(uint32_t uid)
{
	const struct cred *old = cred_current();
	uint32_t before = old->fsuid;
	struct cred *cred;

	if (uid == KEEP || uid == before ||
	    (!capable(CAP_SETUID) && uid != old->uid && uid != old->euid && uid != old->suid))
		return before;
	cred = cred_copy(old);
	if (cred == NULL)
		return before;
	cred->fsuid = uid;
	adjust_fs_capabilities(old, cred);
	cred_commit(cred);
	return before;
}

uint32_t cred_set_fsgid(uint32_t gid)
{
	const struct cred *old = cred_current();
	uint32_t before = old->fsgid;
	struct cred *cred;

	if (gid == KEEP || gid == before ||
	    (!capable(CAP_SETGID) && gid != old->gid && gid != old->egid && gid != old->sgid))
		return before;
	cred = cred_copy(old);
	if (cred == NULL)
		return before;
	cred->fsgid = gid;
	cred_commit(cred);
	return before;
}

int cred_set_groups(uint32_t *groups, uint32_t count)
{
	struct cred *cred = cred_copy(cred_current());

	if (cred == NULL)
		return -ENOMEM;
	kfree(cred->groups);
	cred->groups = groups;
	cred->group_count = count;
	cred_commit(cred);
	return 0;
}

int cred_set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	const struct cred *old = cred_current();
	bool may_raise = cred_capable(old, CAP_SETPCAP);
	struct cred *cred;

	if (!may_raise && (inheritable & ~(old->cap_inheritable | old->cap_permitted)) != 0)
		return -EPERM;
	if ((inheritable & ~(old->cap_inheritable | old->cap_bounding)) != 0)
		return -EPERM;
	if ((permitted & ~old->cap_permitted) != 0 || (effective & ~permitted) != 0)
		return -EPERM;
	cred = cred_copy(old);
	if (cred == NULL)
		return -ENOMEM;
	cred->cap_effective = effective;
	cred->cap_permitted = permitted;
	cred->cap_inheritable = inheritable;
	cred->cap_ambient &= permitted & inheritable;
	cred_commit(cred);
	return 0;
}

/*
 * What exec does to capabilities: set-user-id and set-group-id bits are in cred already (`file_uid`
 * tells whether euid came from the file). capabilities(7), "Transformation during execve()", with
 * no file capabilities: root gets all of the bounding set.
 */
void cred_exec(struct cred *cred, bool privileged)
{
	bool root_rules = (cred->securebits & SECUREBIT_NOROOT) == 0;

	if (privileged)
		cred->cap_ambient = 0;
	if (root_rules && (cred->euid == 0 || cred->uid == 0)) {
		uint64_t all = cred->cap_bounding | cred->cap_inheritable;

		cred->cap_permitted = all;
		cred->cap_effective = cred->euid == 0 ? all : 0;
	} else {
		cred->cap_permitted = cred->cap_ambient;
		cred->cap_effective = cred->cap_ambient;
	}
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
	cred->securebits &= ~SECUREBIT_KEEP_CAPS;
}
