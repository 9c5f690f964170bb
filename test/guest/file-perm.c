/*
 * Who may do what to a file: mode bits for owner, group and others, root's privilege and its end,
 * sticky folders, set-user-id bits, chmod, chown, access; and mounting, chroot, a full tmpfs.
 */
#include "guest.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

/* Runs the block as the ordinary user 1000 in a child and checks that it ends well. */
#define AS_USER                                                          \
	for (pid_t pid_ = -1; pid_ == -1 && (pid_ = guest_fork()) >= 0;) \
		if (pid_ > 0)                                            \
			CHECK_EXIT(pid_, 0);                             \
		else                                                     \
			for (CHECK_OK(guest_become_user());; _exit(0))

static mode_t mode_of(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_mode & 07777;
}

TEST("do the bits of owner, group and others decide, the first class that fits alone?")
{
	guest_scratch();
	CHECK_OK(guest_file("owner", "x", 0077));
	CHECK_OK(chown("owner", 1000, 0));
	CHECK_OK(guest_file("group", "x", 0607));
	CHECK_OK(chown("group", 0, 1000));
	CHECK_OK(guest_file("other", "x", 0660));
	CHECK_OK(guest_file("open", "x", 0006));
	AS_USER {
		CHECK_ERRNO(open("owner", O_RDONLY), EACCES);
		CHECK_ERRNO(open("group", O_RDONLY), EACCES);
		CHECK_ERRNO(open("other", O_RDONLY), EACCES);
		CHECK_OK(open("open", O_RDWR));
	}
	CHECK_OK(open("owner", O_RDWR));
}

TEST("do supplementary groups count?")
{
	gid_t groups[] = { 50, 60 };
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0060));
	CHECK_OK(chown("f", 0, 60));
	CHILD(pid) {
		CHECK_OK(syscall(SYS_setgroups, 2, groups));
		CHECK_OK(syscall(SYS_setresgid, 1000, 1000, 1000));
		CHECK_OK(syscall(SYS_setresuid, 1000, 1000, 1000));
		CHECK_OK(open("f", O_RDWR));
	}
	CHECK_EXIT(pid, 0);
	AS_USER
		CHECK_ERRNO(open("f", O_RDONLY), EACCES);
}

TEST("does a folder need x to pass, r to list, w and x to change?")
{
	struct stat st;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(guest_file("d/f", "x", 0666));
	CHECK_OK(chmod("d", 0744));
	AS_USER {
		CHECK_OK(open("d", O_RDONLY));
		CHECK_ERRNO(stat("d/f", &st), EACCES);
		CHECK_ERRNO(chdir("d"), EACCES);
	}
	CHECK_OK(chmod("d", 0711));
	AS_USER {
		CHECK_ERRNO(open("d", O_RDONLY), EACCES);
		CHECK_OK(stat("d/f", &st));
		CHECK_ERRNO(unlink("d/f"), EACCES);
		CHECK_ERRNO(rename("d/f", "d/g"), EACCES);
		CHECK_ERRNO(open("d/new", O_WRONLY | O_CREAT, 0600), EACCES);
		CHECK_ERRNO(mkdir("d/new", 0700), EACCES);
		CHECK_ERRNO(link("d/f", "d/g"), EACCES);
		CHECK_ERRNO(symlink("d/f", "d/g"), EACCES);
	}
	CHECK_OK(chmod("d", 0777));
	AS_USER {
		CHECK_OK(rename("d/f", "d/g"));
		CHECK_OK(unlink("d/g"));
	}
}

TEST("does a sticky folder let only the owners of file or folder remove and rename?")
{
	guest_scratch();
	CHECK_OK(mkdir("t", 0755));
	CHECK_OK(chmod("t", 01777));
	CHECK_OK(guest_file("t/root", "x", 0666));
	AS_USER {
		CHECK_ERRNO(unlink("t/root"), EPERM);
		CHECK_ERRNO(rename("t/root", "t/other"), EPERM);
		CHECK_OK(guest_file("t/mine", "x", 0600));
		CHECK_ERRNO(rename("t/mine", "t/root"), EPERM);
		CHECK_OK(rename("t/mine", "t/mine2"));
		CHECK_OK(unlink("t/mine2"));
	}
	CHECK_OK(unlink("t/root"));
}

TEST("may only the owner and root chmod, only root chown, and does chown clear set-id bits?")
{
	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0666));
	AS_USER {
		CHECK_ERRNO(chmod("f", 0777), EPERM);
		CHECK_ERRNO(chown("f", 1000, -1), EPERM);
		CHECK_ERRNO(utimensat(AT_FDCWD, "f", (struct timespec[2]){ 0 }, 0), EPERM);
		CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
	}
	CHECK_OK(chown("f", 1000, 1000));
	CHECK_OK(chmod("f", 06755));
	AS_USER {
		CHECK_ERRNO(chown("f", 0, -1), EPERM);
		CHECK_ERRNO(chown("f", -1, 5), EPERM);
		CHECK_OK(chown("f", 1000, 1000));
		CHECK_EQ(mode_of("f"), 0755);
	}
	CHECK_OK(chmod("f", 06755));
	CHECK_OK(chown("f", 0, 0));
	CHECK_EQ(mode_of("f"), 0755);
	CHECK_ERRNO(chmod("missing", 0), ENOENT);
	CHECK_ERRNO(fchmod(999, 0), EBADF);
	CHECK_OK(symlink("missing", "s"));
	CHECK_OK(lchown("s", 7, 8));
}

TEST("does writing by an ordinary user clear set-user-id, and setgid folders hand down the group?")
{
	struct stat st;

	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0777));
	CHECK_OK(chmod("f", 04777));
	AS_USER
		CHECK_OK(write(CHECK_OK(open("f", O_WRONLY)), "y", 1));
	CHECK_EQ(mode_of("f"), 0777);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chown("d", 0, 77));
	CHECK_OK(chmod("d", 02777));
	CHECK_OK(guest_file("d/f", "x", 0600));
	CHECK_OK(stat("d/f", &st));
	CHECK_EQ(st.st_gid, 77);
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(stat("d/e", &st));
	CHECK_EQ(st.st_gid, 77);
	CHECK_EQ(st.st_mode & 02000, 02000);
}

TEST("does access use the real ids, faccessat2 the effective with AT_EACCESS?")
{
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0600));
	CHECK_OK(guest_file("x", "x", 0666));
	CHECK_OK(access("f", R_OK | W_OK | F_OK));
	CHECK_ERRNO(access("f", X_OK), EACCES);
	CHECK_ERRNO(access("missing", F_OK), ENOENT);
	CHECK_ERRNO(access("f", 9), EINVAL);
	CHILD(pid) {
		CHECK_OK(syscall(SYS_setresuid, 1000, 0, 0));
		CHECK_ERRNO(access("f", R_OK), EACCES);
		CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS));
		CHECK_OK(open("f", O_RDONLY));
	}
	CHECK_EXIT(pid, 0);
}

TEST("may only the owner open with O_NOATIME, and root write what nobody may?")
{
	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0644));
	CHECK_OK(guest_file("none", "x", 0000));
	CHECK_OK(open("f", O_RDONLY | O_NOATIME));
	CHECK_OK(open("none", O_RDWR));
	AS_USER
		CHECK_ERRNO(open("f", O_RDONLY | O_NOATIME), EPERM);
}

TEST("may an ordinary user not link to a file it cannot write (protected hard links)?")
{
	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0644));
	CHECK_OK(guest_file("w", "x", 0666));
	AS_USER {
		CHECK_ERRNO(link("f", "mine"), EPERM);
		CHECK_OK(link("w", "mine"));
	}
}

TEST("may an ordinary user not make devices, mount or chroot?")
{
	guest_scratch();
	AS_USER {
		CHECK_ERRNO(mknod("null", S_IFCHR | 0600, 0x103), EPERM);
		CHECK_OK(mknod("fifo", S_IFIFO | 0600, 0));
		CHECK_ERRNO(mount("none", ".", "tmpfs", 0, NULL), EPERM);
		CHECK_ERRNO(umount("."), EPERM);
		CHECK_ERRNO(chroot("."), EPERM);
		CHECK_ERRNO(unshare(CLONE_NEWNS), EPERM);
		CHECK_ERRNO(sethostname("x", 1), EPERM);
	}
}

/* Mounts in a namespace of the test's own where the kernel has namespaces, so that nothing stays
 * behind. */
static void own_mounts(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

TEST("can a tmpfs be mounted over a folder, used, hide what was there, and be unmounted?")
{
	struct stat before, after;
	int fd;

	guest_scratch();
	own_mounts();
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(guest_file("m/hidden", "x", 0600));
	CHECK_OK(stat("m", &before));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=0750"));
	CHECK_OK(stat("m", &after));
	CHECK(before.st_dev != after.st_dev);
	CHECK_EQ(mode_of("m"), 0750);
	CHECK_ERRNO(stat("m/hidden", &after), ENOENT);
	fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	CHECK_ERRNO(umount("m"), EBUSY);
	CHECK_ERRNO(rmdir("m"), EBUSY);
	CHECK_ERRNO(rename("m/f", "f"), EXDEV);
	CHECK_ERRNO(link("m/f", "f"), EXDEV);
	CHECK_OK(close(fd));
	CHECK_OK(umount("m"));
	CHECK_OK(stat("m/hidden", &after));
	CHECK_ERRNO(umount("m"), EINVAL);
	CHECK_ERRNO(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERRNO(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERRNO(mount("none", "m/hidden", "tmpfs", 0, NULL), ENOTDIR);
}

TEST("is a read-only mount EROFS to change, remounted writable, and lazily unmounted when busy?")
{
	int fd;

	guest_scratch();
	own_mounts();
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(guest_file("m/f", "x", 0644));
	CHECK_OK(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERRNO(open("m/f", O_WRONLY), EROFS);
	CHECK_ERRNO(open("m/g", O_WRONLY | O_CREAT, 0600), EROFS);
	CHECK_ERRNO(mkdir("m/d", 0700), EROFS);
	CHECK_ERRNO(unlink("m/f"), EROFS);
	CHECK_ERRNO(chmod("m/f", 0600), EROFS);
	CHECK_ERRNO(rename("m/f", "m/g"), EROFS);
	CHECK_ERRNO(access("m/f", W_OK), EROFS);
	fd = CHECK_OK(open("m/f", O_RDONLY));
	CHECK_OK(mount("none", "m", "tmpfs", MS_REMOUNT, NULL));
	CHECK_OK(open("m/f", O_WRONLY));
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERRNO(access("m/f", F_OK), ENOENT);
	CHECK_EQ(read(fd, (char[1]){ 0 }, 1), 1);
}

TEST("do bind mounts show one tree in two places, and nodev, nosuid and noexec hold?")
{
	char *args[] = { "x", NULL };
	struct stat a, b;

	guest_scratch();
	own_mounts();
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(guest_file("a/f", "#!/bin/sh\n", 0755));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(stat("a/f", &a));
	CHECK_OK(stat("b/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_NODEV | MS_RDONLY,
		       NULL));
	CHECK_ERRNO(execve("b/f", args, args + 1), EACCES);
	CHECK_ERRNO(open("b/f", O_WRONLY), EROFS);
	CHECK_OK(open("a/f", O_WRONLY));
	CHECK_OK(mknod("a/null", S_IFCHR | 0600, 0x103));
	CHECK_ERRNO(open("b/null", O_RDONLY), EACCES);
	CHECK_OK(umount("b"));
}

TEST("does a full tmpfs give ENOSPC, a short write first, and space back after removal?")
{
	static char block[65536];
	struct statfs fs;
	ssize_t got;
	size_t total = 0;
	int fd;

	guest_scratch();
	own_mounts();
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "size=1m"));
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_type, 0x01021994);
	CHECK_EQ(fs.f_blocks * fs.f_bsize, 1 << 20);
	fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	while ((got = write(fd, block, 60000)) > 0)
		total += got;
	CHECK_EQ(errno, ENOSPC);
	CHECK_RANGE(total, 900000, 1 << 20);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(write(fd, block, 60000), 60000);
	CHECK_OK(close(fd));
	CHECK_OK(umount("m"));
}

TEST("does statfs tell how the mount was made, relatime and noatime too?")
{
	const unsigned long long how = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME |
				       ST_RELATIME;
	struct statfs fs;

	guest_scratch();
	own_mounts();
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", MS_NOSUID | MS_NODEV, NULL));
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_flags & how, ST_NOSUID | ST_NODEV | ST_RELATIME);
	CHECK_OK(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY | MS_NOEXEC | MS_NOATIME, NULL));
	CHECK_OK(statfs("m", &fs));
	CHECK_EQ(fs.f_flags & how, ST_RDONLY | ST_NOEXEC | ST_NOATIME);
	CHECK_OK(umount("m"));
}

TEST("does chroot confine lookup, .. included, and getcwd tell?")
{
	struct stat inside, root;
	pid_t pid;

	guest_scratch();
	CHECK_OK(mkdir("jail", 0755));
	CHECK_OK(guest_file("jail/f", "x", 0644));
	CHECK_OK(stat("jail", &inside));
	CHILD(pid) {
		char here[PATH_MAX];

		CHECK_OK(chroot("jail"));
		CHECK_OK(chdir("/"));
		CHECK_OK(stat("/..", &root));
		CHECK_EQ(root.st_ino, inside.st_ino);
		CHECK_OK(stat("/../../f", &root));
		CHECK(getcwd(here, sizeof here));
		CHECK_STR(here, "/");
		CHECK_ERRNO(stat("/proc", &root), ENOENT);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(chroot("jail/f"), ENOTDIR);
	CHECK_ERRNO(chroot("missing"), ENOENT);
}
