/*
 * Changing the current task's credentials: setuid(2) and its family, capset(2), exec.
 * Each is 0 or -EPERM, -EINVAL, -ENOMEM as the manual says.
 */
#pragma once

#include "proc/task.h"

#define SECUREBIT_NOROOT		(1u << 0)
#define SECUREBIT_NO_SETUID_FIXUP	(1u << 2)
#define SECUREBIT_KEEP_CAPS		(1u << 4)
#define SECUREBIT_NO_CAP_AMBIENT_RAISE	(1u << 6)
#define SECUREBITS_ALL			0xffu
#define NGROUPS_MAX			65536

struct cred *cred_of_task(struct task *task);		/* counted */
bool cred_in_group(const struct cred *cred, uint32_t gid);	/* supplementary groups only */

must_check int cred_set_uid(uint32_t uid);
must_check int cred_set_gid(uint32_t gid);
must_check int cred_set_reuid(uint32_t ruid, uint32_t euid);
must_check int cred_set_regid(uint32_t rgid, uint32_t egid);
must_check int cred_set_resuid(uint32_t ruid, uint32_t euid, uint32_t suid);
must_check int cred_set_resgid(uint32_t rgid, uint32_t egid, uint32_t sgid);
uint32_t cred_set_fsuid(uint32_t uid);			/* the one before, always */
uint32_t cred_set_fsgid(uint32_t gid);
must_check int cred_set_groups(uint32_t *groups, uint32_t count);	/* consumes on success */
must_check int cred_set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable);
void cred_exec(struct cred *cred, bool privileged);
