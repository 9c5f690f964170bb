/*
 * Credentials: who a task is. Immutable once published, counted; a change makes a new one
 * (cred_copy, edit, cred_commit). Reading one's own needs no lock.
 */
#pragma once

#include "core/atomic.h"
#include "vfs/inode.h"

struct cred {
	struct refcount references;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	uint32_t securebits;
	bool no_new_privs;
	uint32_t group_count;
	uint32_t *groups;			/* owned */
	struct vfs_cred vfs;			/* derived by cred_commit: what path lookup reads */
};

extern struct cred cred_root;			/* all capabilities */
struct cred *cred_current(void);		/* not counted: the current task's */
static inline void cred_get(struct cred *cred) { refcount_get(&cred->references); }
void cred_put(struct cred *cred);
must_check struct cred *cred_copy(const struct cred *from);	/* count 1, unpublished; NULL */
/* Publishes as the current task's; the old one is put. Consumes the reference. */
void cred_commit(struct cred *cred);
void cred_derive(struct cred *cred);		/* refreshes vfs from ids and capabilities */
bool cred_capable(const struct cred *cred, int capability);	/* CAP_* */
bool capable(int capability);			/* of the current task */
