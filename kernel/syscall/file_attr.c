/*
 * Attributes: stat and its kin, mode, owner, times, size, access.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "core/user_copy.h"
#include "lib/device_number.h"
#include "lib/string.h"
#include "syscall/syscalls.h"
#include "syscall/user_path.h"
#include "vfs/inode.h"
#include "vfs/mount.h"

/*
 * The path a call means: a name, or with AT_EMPTY_PATH and "" (or NULL, as Linux 6.11) the
 * descriptor itself. Counted.
 */
static int target_get(uint64_t dirfd, uint64_t name, uint64_t flags, struct path *out)
{
	unsigned int lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);

	return user_path_lookup((int)dirfd, name, lookup, out);
}

static int descriptor_path(uint64_t fd, bool any, struct path *out)
{
	struct fd_ref ref;

	if (any ? !fd_get_any((int)fd, &ref) : !fd_get((int)fd, &ref))
		return -EBADF;
	*out = ref.file->path;
	path_get(out);
	fd_put(&ref);
	return 0;
}

/* --- stat ------------------------------------------------------------------------------------- */

static long stat_path(const struct path *path, uint64_t to)
{
	struct abi_stat st;
	int error = inode_stat(path_inode(path), &st);

	return error != 0 ? error : copy_to_user(user_addr(to), &st, sizeof(st));
}

long sys_newfstatat(uint64_t dirfd, uint64_t name, uint64_t to, uint64_t flags)
{
	struct path path;
	long error;

	if ((flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				 AT_STATX_SYNC_TYPE)) != 0)
		return -EINVAL;
	error = target_get(dirfd, name, flags, &path);
	if (error != 0)
		return error;
	error = stat_path(&path, to);
	path_put(&path);
	return error;
}

long sys_stat(uint64_t name, uint64_t to)
{
	return sys_newfstatat((uint64_t)AT_FDCWD, name, to, 0);
}

long sys_lstat(uint64_t name, uint64_t to)
{
	return sys_newfstatat((uint64_t)AT_FDCWD, name, to, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(uint64_t fd, uint64_t to)
{
	struct fd_ref ref;
	long error;

	if (!fd_get_any((int)fd, &ref))
		return -EBADF;
	error = stat_path(&ref.file->path, to);
	fd_put(&ref);
	return error;
}

static struct abi_statx_timestamp statx_time(uint64_t sec, uint64_t nsec)
{
	return (struct abi_statx_timestamp){ .tv_sec = (int64_t)sec, .tv_nsec = (uint32_t)nsec };
}

static int statx_fill(const struct path *path, struct abi_statx *x)
{
	struct inode *inode = path_inode(path);
	struct abi_stat st;
	int error = inode_stat(inode, &st);

	if (error != 0)
		return error;
	*x = (struct abi_statx){
		.stx_mask = STATX_BASIC_STATS | STATX_MNT_ID,
		.stx_blksize = (uint32_t)st.st_blksize,
		.stx_nlink = (uint32_t)st.st_nlink,
		.stx_uid = st.st_uid, .stx_gid = st.st_gid,
		.stx_mode = (uint16_t)st.st_mode,
		.stx_ino = st.st_ino, .stx_size = (uint64_t)st.st_size,
		.stx_blocks = (uint64_t)st.st_blocks,
		.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.stx_atime = statx_time(st.st_atime_sec, st.st_atime_nsec),
		.stx_mtime = statx_time(st.st_mtime_sec, st.st_mtime_nsec),
		.stx_ctime = statx_time(st.st_ctime_sec, st.st_ctime_nsec),
		.stx_rdev_major = device_major(st.st_rdev),
		.stx_rdev_minor = device_minor(st.st_rdev),
		.stx_dev_major = device_major(st.st_dev),
		.stx_dev_minor = device_minor(st.st_dev),
		.stx_mnt_id = path->mount->id,
	};
	if (inode->btime.tv_sec != 0) {
		x->stx_mask |= STATX_BTIME;
		x->stx_btime = statx_time((uint64_t)inode->btime.tv_sec,
					  (uint64_t)inode->btime.tv_nsec);
	}
	if (path->dentry == path->mount->root)
		x->stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	return 0;
}

long sys_statx(uint64_t dirfd, uint64_t name, uint64_t flags, uint64_t mask, uint64_t to)
{
	struct abi_statx x;
	struct path path;
	int error;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if ((flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				 AT_STATX_SYNC_TYPE)) != 0 ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if (name == 0 && (flags & AT_EMPTY_PATH) && (int)dirfd >= 0)
		error = descriptor_path(dirfd, true, &path);
	else
		error = target_get(dirfd, name, flags, &path);
	if (error != 0)
		return error;
	error = statx_fill(&path, &x);
	path_put(&path);
	return error != 0 ? error : copy_to_user(user_addr(to), &x, sizeof(x));
}

/* --- access ----------------------------------------------------------------------------------- */

/* access(2) asks for the real ids: a copy of the credentials with them in place. */
static int access_with(const struct path *path, uint64_t mode, const struct vfs_cred *cred)
{
	struct inode *inode = path_inode(path);
	int error = mode == F_OK ? 0 : inode_permission(inode, (int)mode, cred);

	if (error == 0 && (mode & W_OK) && !S_ISFIFO(inode->mode) && !S_ISSOCK(inode->mode) &&
	    !S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
		error = mount_check_write(path->mount);
	if (error == 0 && (mode & X_OK) && S_ISREG(inode->mode) &&
	    (path->mount->flags & MS_NOEXEC))
		error = -EACCES;
	return error;
}

static struct cred *real_cred(void)
{
	struct cred *cred = cred_copy(cred_current());

	if (cred == NULL)
		return NULL;
	cred->fsuid = cred->uid;
	cred->fsgid = cred->gid;
	cred->cap_effective = cred->uid == 0 ? cred->cap_permitted : 0;
	cred_derive(cred);
	return cred;
}

long sys_faccessat2(uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t flags)
{
	struct cred *cred = NULL;
	struct path path;
	int error;

	if ((mode & ~7UL) != 0 ||
	    (flags & ~(uint64_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if ((flags & AT_EACCESS) == 0) {
		cred = real_cred();
		if (cred == NULL)
			return -ENOMEM;
	}
	error = target_get(dirfd, name, flags & ~(uint64_t)AT_EACCESS, &path);
	if (error == 0) {
		error = access_with(&path, mode, cred != NULL ? &cred->vfs : &cred_current()->vfs);
		path_put(&path);
	}
	if (cred != NULL)
		cred_put(cred);
	return error;
}

long sys_faccessat(uint64_t dirfd, uint64_t name, uint64_t mode)
{
	return sys_faccessat2(dirfd, name, mode, 0);
}

long sys_access(uint64_t name, uint64_t mode)
{
	return sys_faccessat2((uint64_t)AT_FDCWD, name, mode, 0);
}

/* --- mode and owner --------------------------------------------------------------------------- */

static long change_path(const struct path *path, struct inode_attr *attr)
{
	return vfs_setattr(path, attr, &cred_current()->vfs);
}

static long change_name(uint64_t dirfd, uint64_t name, uint64_t flags, struct inode_attr *attr)
{
	struct path path;
	long error = target_get(dirfd, name, flags, &path);

	if (error != 0)
		return error;
	error = change_path(&path, attr);
	path_put(&path);
	return error;
}

static long change_descriptor(uint64_t fd, struct inode_attr *attr)
{
	struct path path;
	long error = descriptor_path(fd, false, &path);

	if (error != 0)
		return error;
	error = change_path(&path, attr);
	path_put(&path);
	return error;
}

static struct inode_attr mode_attr(uint64_t mode)
{
	return (struct inode_attr){ .valid = ATTR_MODE, .mode = (uint32_t)mode & 07777 };
}

long sys_fchmodat2(uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t flags)
{
	struct inode_attr attr = mode_attr(mode);

	if ((flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	return change_name(dirfd, name, flags, &attr);
}

long sys_fchmodat(uint64_t dirfd, uint64_t name, uint64_t mode)
{
	return sys_fchmodat2(dirfd, name, mode, 0);
}

long sys_chmod(uint64_t name, uint64_t mode)
{
	return sys_fchmodat2((uint64_t)AT_FDCWD, name, mode, 0);
}

long sys_fchmod(uint64_t fd, uint64_t mode)
{
	struct inode_attr attr = mode_attr(mode);

	return change_descriptor(fd, &attr);
}

/* -1 leaves an id as it is. */
static struct inode_attr owner_attr(uint64_t uid, uint64_t gid)
{
	struct inode_attr attr = { .uid = (uint32_t)uid, .gid = (uint32_t)gid };

	if (attr.uid != UINT32_MAX)
		attr.valid |= ATTR_UID;
	if (attr.gid != UINT32_MAX)
		attr.valid |= ATTR_GID;
	return attr;
}

long sys_fchownat(uint64_t dirfd, uint64_t name, uint64_t uid, uint64_t gid, uint64_t flags)
{
	struct inode_attr attr = owner_attr(uid, gid);

	if ((flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	return change_name(dirfd, name, flags, &attr);
}

long sys_chown(uint64_t name, uint64_t uid, uint64_t gid)
{
	return sys_fchownat((uint64_t)AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown(uint64_t name, uint64_t uid, uint64_t gid)
{
	return sys_fchownat((uint64_t)AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(uint64_t fd, uint64_t uid, uint64_t gid)
{
	struct inode_attr attr = owner_attr(uid, gid);

	return change_descriptor(fd, &attr);
}

/* --- times ------------------------------------------------------------------------------------ */

/* One of utimensat's two times: now, left alone, or given. */
static int time_attr(struct inode_attr *attr, const struct abi_timespec *t, uint32_t bit,
		     struct abi_timespec *to)
{
	if (t->tv_nsec == UTIME_OMIT)
		return 0;
	if (t->tv_nsec != UTIME_NOW && (t->tv_nsec < 0 || t->tv_nsec >= 1000000000))
		return -EINVAL;
	attr->valid |= bit;
	*to = t->tv_nsec == UTIME_NOW ? inode_now() : *t;
	return 0;
}

static int times_attr(struct inode_attr *attr, const struct abi_timespec t[2])
{
	int error = time_attr(attr, &t[0], ATTR_ATIME, &attr->atime);

	if (error == 0)
		error = time_attr(attr, &t[1], ATTR_MTIME, &attr->mtime);
	if (t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW)
		attr->valid |= ATTR_TOUCH;
	return error;
}

/* NULL name with a descriptor: that itself (futimens). */
static long set_times(uint64_t dirfd, uint64_t name, const struct abi_timespec t[2], uint64_t flags)
{
	struct inode_attr attr = { .valid = 0 };
	int error = times_attr(&attr, t);

	if (error != 0)
		return error;
	/* Nothing to do: then Linux looks at nothing else. */
	if (attr.valid == 0)
		return 0;
	if (name == 0 && (int)dirfd != AT_FDCWD)
		return flags != 0 ? -EINVAL : change_descriptor(dirfd, &attr);
	if ((flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	return change_name(dirfd, name, flags, &attr);
}

static const struct abi_timespec both_now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };

long sys_utimensat(uint64_t dirfd, uint64_t name, uint64_t times, uint64_t flags)
{
	struct abi_timespec t[2];
	int error;

	if (times == 0)
		return set_times(dirfd, name, both_now, flags);
	error = copy_from_user(t, user_addr(times), sizeof(t));
	return error != 0 ? error : set_times(dirfd, name, t, flags);
}

static long set_timevals(uint64_t dirfd, uint64_t name, uint64_t times)
{
	struct abi_timeval v[2];
	struct abi_timespec t[2];
	int error;

	if (times == 0)
		return set_times(dirfd, name, both_now, 0);
	error = copy_from_user(v, user_addr(times), sizeof(v));
	if (error != 0)
		return error;
	for (int i = 0; i < 2; i++) {
		if (v[i].tv_usec < 0 || v[i].tv_usec >= 1000000)
			return -EINVAL;
		t[i] = (struct abi_timespec){ v[i].tv_sec, v[i].tv_usec * 1000 };
	}
	return set_times(dirfd, name, t, 0);
}

long sys_futimesat(uint64_t dirfd, uint64_t name, uint64_t times)
{
	return set_timevals(dirfd, name, times);
}

long sys_utimes(uint64_t name, uint64_t times)
{
	return set_timevals((uint64_t)AT_FDCWD, name, times);
}

long sys_utime(uint64_t name, uint64_t times)
{
	int64_t seconds[2];
	struct abi_timespec t[2];
	int error;

	if (times == 0)
		return set_times((uint64_t)AT_FDCWD, name, both_now, 0);
	error = copy_from_user(seconds, user_addr(times), sizeof(seconds));
	if (error != 0)
		return error;
	for (int i = 0; i < 2; i++)
		t[i] = (struct abi_timespec){ seconds[i], 0 };
	return set_times((uint64_t)AT_FDCWD, name, t, 0);
}

/* --- size ------------------------------------------------------------------------------------- */

/* RLIMIT_FSIZE: the writer gets SIGXFSZ and -EFBIG. */
static int check_size(int64_t size)
{
	if (size < 0)
		return -EINVAL;
	if ((uint64_t)size > process_limit(RLIMIT_FSIZE)) {
		(void)signal_send_task(task_current(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	return 0;
}

long sys_truncate(uint64_t name, uint64_t size)
{
	struct path path;
	long error = (int64_t)size < 0 ? -EINVAL : 0;

	if (error == 0)
		error = user_path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
	if (error != 0)
		return error;
	error = check_size((int64_t)size);
	if (error == 0)
		error = vfs_truncate(&path, size, &cred_current()->vfs);
	path_put(&path);
	return error;
}

long sys_ftruncate(uint64_t fd, uint64_t size)
{
	struct fd_ref ref;
	long error;

	if ((int64_t)size < 0)
		return -EINVAL;
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	error = ref.file->writable && S_ISREG(ref.file->inode->mode) ? check_size((int64_t)size)
								      : -EINVAL;
	if (error == 0)
		error = file_truncate(ref.file, size);
	fd_put(&ref);
	return error;
}

long sys_fallocate(uint64_t fd, uint64_t mode, uint64_t offset, uint64_t bytes)
{
	struct fd_ref ref;
	long error;

	if (!fd_get((int)fd, &ref))
		return -EBADF;
	if ((int64_t)offset < 0 || (int64_t)bytes <= 0)
		error = -EINVAL;
	else
		error = file_fallocate(ref.file, (int)mode, offset, bytes);
	fd_put(&ref);
	return error;
}

/* --- statfs ----------------------------------------------------------------------------------- */

/* ST_RELATIME is the one flag of a mount that has another number here than mount() gives it. */
static int64_t statfs_flags(uint32_t mount_flags)
{
	int64_t flags = mount_flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME |
				       MS_NODIRATIME);

	return mount_flags & MS_NOATIME ? flags : flags | ST_RELATIME;
}

static long statfs_path(const struct path *path, uint64_t to)
{
	struct abi_statfs s;
	int error = super_statfs(path->mount->super, &s);

	if (error != 0)
		return error;
	s.f_flags |= statfs_flags(path->mount->flags);
	return copy_to_user(user_addr(to), &s, sizeof(s));
}

long sys_statfs(uint64_t name, uint64_t to)
{
	struct path path;
	long error = user_path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);

	if (error != 0)
		return error;
	error = statfs_path(&path, to);
	path_put(&path);
	return error;
}

long sys_fstatfs(uint64_t fd, uint64_t to)
{
	struct path path;
	long error = descriptor_path(fd, true, &path);

	if (error != 0)
		return error;
	error = statfs_path(&path, to);
	path_put(&path);
	return error;
}
