/*
 * Names: path lookup, links, renaming, removing, folders and reading them, times, and what stat
 * tells.
 */
#include "guest.h"

#include <dirent.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

static void touch(const char *name)
{
	CHECK_OK(guest_file(name, "x", 0644));
}

static bool exists(const char *name)
{
	struct stat st;

	if (lstat(name, &st) == 0)
		return true;
	CHECK_EQ(errno, ENOENT);
	return false;
}

static nlink_t links(const char *name)
{
	struct stat st;

	CHECK_OK(lstat(name, &st));
	return st.st_nlink;
}

static int rename2(const char *from, const char *to, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST("are names up to 255 and paths up to 4095 bytes allowed, and longer ENAMETOOLONG?")
{
	char name[300], path[5000] = "", *end = path;
	struct stat st;

	guest_scratch();
	memset(name, 'n', sizeof name);
	name[255] = 0;
	touch(name);
	CHECK(exists(name));
	name[255] = 'n';
	name[256] = 0;
	CHECK_ERRNO(open(name, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
	while (end - path < 4094)
		end = stpcpy(end, "./");
	strcpy(end, ".");
	CHECK_EQ(strlen(path), 4095);
	CHECK_OK(stat(path, &st));
	strcat(path, "/");
	CHECK_ERRNO(stat(path, &st), ENAMETOOLONG);
}

TEST("does lookup treat ., .., doubled and trailing slashes as it should?")
{
	struct stat a, b;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	touch("d/f");
	CHECK_OK(stat("d//.///e/../f", &a));
	CHECK_OK(stat("d/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERRNO(stat("d/f/", &a), ENOTDIR);
	CHECK_ERRNO(stat("d/f/..", &a), ENOTDIR);
	CHECK_ERRNO(stat("d/missing/..", &a), ENOENT);
	CHECK_ERRNO(stat("", &a), ENOENT);
	CHECK_OK(stat("/..", &a));
	CHECK_OK(stat("/", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
}

TEST("are symbolic links followed where they should be, 40 deep and no deeper, in loops ELOOP?")
{
	char name[16], target[16], got[32] = "";
	struct stat st;

	guest_scratch();
	touch("l0");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof name, "l%d", i);
		snprintf(target, sizeof target, "l%d", i - 1);
		CHECK_OK(symlink(target, name));
	}
	CHECK_OK(stat("l40", &st));
	CHECK_ERRNO(stat("l41", &st), ELOOP);
	CHECK_OK(lstat("l41", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_size, 3);
	CHECK_EQ(readlink("l41", got, sizeof got), 3);
	CHECK_STR(got, "l40");
	CHECK_EQ(readlink("l41", got, 2), 2);
	CHECK_ERRNO(readlink("l0", got, sizeof got), EINVAL);
	CHECK_ERRNO(syscall(SYS_readlink, "l41", got, 0), EINVAL);
	CHECK_OK(symlink("a", "b"));
	CHECK_OK(symlink("b", "a"));
	CHECK_ERRNO(stat("a", &st), ELOOP);
	CHECK_ERRNO(symlink("", "empty"), ENOENT);
	CHECK_ERRNO(symlink("x", "a"), EEXIST);
}

TEST("do links through folders, relative and absolute, and with a trailing slash resolve?")
{
	char target[PATH_MAX];
	struct stat a, b;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	CHECK_OK(symlink("d", "rel"));
	CHECK_OK(symlink("../d/f", "d/up"));
	CHECK(getcwd(target, sizeof target - 10));
	strcat(target, "/d");
	CHECK_OK(symlink(target, "abs"));
	CHECK_OK(stat("d/f", &a));
	CHECK_OK(stat("rel/up", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("abs/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(lstat("rel/", &b));
	CHECK(S_ISDIR(b.st_mode));
	CHECK_OK(symlink("nowhere", "dangling"));
	CHECK_ERRNO(stat("dangling", &b), ENOENT);
	CHECK_ERRNO(mkdir("dangling", 0755), EEXIST);
}

TEST("do hard links share the file, count, and outlive the first name?")
{
	char got[4] = "";

	guest_scratch();
	touch("a");
	CHECK_OK(link("a", "b"));
	CHECK_EQ(links("a"), 2);
	CHECK_OK(guest_file("b", "new", 0644));
	CHECK_OK(unlink("a"));
	CHECK_EQ(links("b"), 1);
	CHECK_EQ(guest_read_file("b", got, 4), 3);
	CHECK_OK(mkdir("d", 0755));
	CHECK_ERRNO(link("d", "e"), EPERM);
	CHECK_ERRNO(link("missing", "e"), ENOENT);
	CHECK_ERRNO(link("b", "b"), EEXIST);
	CHECK_ERRNO(link("b", "missing/x"), ENOENT);
	CHECK_OK(symlink("b", "s"));
	CHECK_OK(link("s", "t"));
	CHECK_EQ(links("s"), 2);
	CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
	CHECK_EQ(links("b"), 2);
	CHECK_ERRNO(linkat(AT_FDCWD, "s", AT_FDCWD, "v", 1), EINVAL);
}

TEST("is a file whose name is gone still there for who has it open?")
{
	struct stat st;
	char got[4] = "";
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(unlink("f"));
	CHECK(!exists("f"));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(pread(fd, got, 3, 0), 3);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
}

TEST("does unlink take files and links, not folders, and rmdir only empty folders?")
{
	guest_scratch();
	touch("f");
	CHECK_OK(mkdir("d", 0755));
	touch("d/x");
	CHECK_OK(symlink("d", "s"));
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(unlink("missing"), ENOENT);
	CHECK_ERRNO(unlink("f/"), ENOTDIR);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(rmdir("f"), ENOTDIR);
	CHECK_ERRNO(rmdir("s"), ENOTDIR);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("/"), EBUSY);
	CHECK_OK(unlink("d/x"));
	CHECK_OK(rmdir("d/"));
	CHECK_OK(unlink("s"));
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", 1), EINVAL);
	CHECK_OK(unlinkat(AT_FDCWD, "f", 0));
}

TEST("does mkdir make a folder with ., .. and its mode, and refuse what is there?")
{
	struct stat st;

	guest_scratch();
	umask(022);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(mkdir("d/e/", 0700));
	CHECK_EQ(links("d"), 3);
	CHECK_OK(rmdir("d/e"));
	CHECK_EQ(links("d"), 2);
	CHECK_ERRNO(mkdir("d", 0700), EEXIST);
	CHECK_ERRNO(mkdir("d/.", 0700), EEXIST);
	CHECK_ERRNO(mkdir("missing/e", 0700), ENOENT);
	touch("f");
	CHECK_ERRNO(mkdir("f", 0700), EEXIST);
	CHECK_ERRNO(mkdir("f/e", 0700), ENOTDIR);
	CHECK_ERRNO(mkdir("/", 0700), EEXIST);
}

TEST("is a removed folder that is the current one empty, nameless and infertile?")
{
	char here[PATH_MAX];
	struct stat st;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chdir("d"));
	CHECK_OK(rmdir("../d"));
	CHECK_EQ(syscall(SYS_getcwd, here, sizeof here), -1);
	CHECK_EQ(errno, ENOENT);
	CHECK_ERRNO(open("f", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(mkdir("e", 0700), ENOENT);
	CHECK_OK(stat(".", &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_OK(chdir(".."));
}

TEST("does rename move, replace atomically, and keep the open file?")
{
	char got[4] = "";
	int fd;

	guest_scratch();
	CHECK_OK(guest_file("a", "A", 0600));
	CHECK_OK(guest_file("b", "B", 0600));
	fd = CHECK_OK(open("b", O_RDONLY));
	CHECK_OK(rename("a", "b"));
	CHECK(!exists("a"));
	CHECK_EQ(guest_read_file("b", got, 4), 1);
	CHECK_STR(got, "A");
	CHECK_EQ(read(fd, got, 1), 1);
	CHECK_EQ(got[0], 'B');
	CHECK_OK(rename("b", "b"));
	CHECK_OK(link("b", "c"));
	CHECK_OK(rename("b", "c"));
	CHECK(exists("b"));
	CHECK_ERRNO(rename("missing", "c"), ENOENT);
	CHECK_ERRNO(rename("b", "missing/c"), ENOENT);
}

TEST("is rename right about folders: into itself, over files, over full and empty ones?")
{
	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(mkdir("empty", 0755));
	CHECK_OK(mkdir("full", 0755));
	touch("full/x");
	touch("f");
	CHECK_ERRNO(rename("d", "d/e/g"), EINVAL);
	CHECK_ERRNO(rename("d", "f"), ENOTDIR);
	CHECK_ERRNO(rename("f", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "full"), ENOTEMPTY);
	CHECK_ERRNO(rename("d/e", "d"), ENOTEMPTY);
	CHECK_ERRNO(rename(".", "x"), EBUSY);
	CHECK_ERRNO(rename("d/..", "x"), EBUSY);
	CHECK_ERRNO(rename("f", "x/"), ENOTDIR);
	CHECK_OK(rename("d", "empty"));
	CHECK(exists("empty/e"));
	CHECK_EQ(links("."), 4);
	CHECK_OK(rename("empty/e", "full/e"));
	CHECK_EQ(links("empty"), 2);
	CHECK_EQ(links("full"), 3);
}

TEST("does renameat2 exchange, refuse to replace, and refuse unknown flags?")
{
	char got[4] = "";

	guest_scratch();
	CHECK_OK(guest_file("a", "A", 0600));
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(rename2("a", "d", 2));
	CHECK_EQ(guest_read_file("d", got, 4), 1);
	CHECK_STR(got, "A");
	CHECK_ERRNO(rename2("a", "d", 1), EEXIST);
	CHECK_OK(rename2("d", "e", 1));
	CHECK_ERRNO(rename2("e", "missing", 2), ENOENT);
	CHECK_ERRNO(rename2("e", "a", 3), EINVAL);
	CHECK_ERRNO(rename2("e", "a", 64), EINVAL);
}

TEST("do *at calls start at the folder given, and refuse a file or a closed one?")
{
	struct stat st;
	int dir, fd;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	dir = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	fd = CHECK_OK(open("d/f", O_RDONLY));
	CHECK_OK(fstatat(dir, "f", &st, 0));
	CHECK_OK(mkdirat(dir, "e", 0755));
	CHECK(exists("d/e"));
	CHECK_OK(renameat(dir, "f", AT_FDCWD, "g"));
	CHECK(exists("g"));
	CHECK_OK(symlinkat("x", dir, "s"));
	CHECK_OK(unlinkat(dir, "s", 0));
	CHECK_ERRNO(fstatat(fd, "f", &st, 0), ENOTDIR);
	CHECK_ERRNO(fstatat(999, "f", &st, 0), EBADF);
	CHECK_OK(fstatat(999, "/", &st, 0));
	CHECK_ERRNO(fstatat(dir, "", &st, 0), ENOENT);
	CHECK_OK(syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERRNO(syscall(SYS_newfstatat, dir, "f", &st, 0x8000), EINVAL);
	CHECK_OK(fchdir(dir));
	CHECK(exists("e"));
	CHECK_ERRNO(fchdir(fd), ENOTDIR);
	CHECK_ERRNO(chdir("../g"), ENOTDIR);
}

/* Reads a folder and counts each of `count` names name0.. in `seen`; the number of all entries but
 * . and .. */
static int read_names(const char *folder, int *seen, int count)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int all = 0;

	CHECK(dir != NULL);
	while ((entry = readdir(dir))) {
		int number;

		if (sscanf(entry->d_name, "name%d", &number) == 1 && number < count)
			seen[number]++;
		all += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	}
	closedir(dir);
	return all;
}

TEST("does reading a folder of a thousand files give each once, with type and inode?")
{
	static int seen[1000];
	char name[32];
	struct dirent *entry;
	DIR *dir;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "d/name%d", i);
		touch(name);
	}
	CHECK_EQ(read_names("d", seen, 1000), 1000);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(seen[i], 1);
	CHECK_OK(mkdir("e", 0755));
	CHECK_OK(mkdir("e/dir", 0755));
	CHECK_OK(symlink("x", "e/link"));
	dir = opendir("e");
	while ((entry = readdir(dir))) {
		struct stat st;

		snprintf(name, sizeof name, "e/%.20s", entry->d_name);
		CHECK_OK(lstat(name, &st));
		if (strcmp(entry->d_name, "..") != 0)
			CHECK_EQ(entry->d_ino, st.st_ino);
		CHECK_EQ(entry->d_type, strcmp(entry->d_name, "link") ? DT_DIR : DT_LNK);
	}
	closedir(dir);
}

TEST("does removing each entry while reading the folder remove them all?")
{
	static int seen[300];
	char name[32];
	struct dirent *entry;
	DIR *dir;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d/name%d", i);
		touch(name);
	}
	dir = opendir("d");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK_OK(unlinkat(dirfd(dir), entry->d_name, 0));
	}
	closedir(dir);
	CHECK_EQ(read_names("d", seen, 300), 0);
	CHECK_OK(rmdir("d"));
}

TEST("do entries that stay appear exactly once although others come and go between reads?")
{
	char buffer[512], name[32];
	int seen[100] = { 0 }, fd;
	long got;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, i < 100 ? "d/name%d" : "d/gone%d", i);
		touch(name);
	}
	fd = CHECK_OK(open("d", O_RDONLY));
	for (int round = 0;
	     (got = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0; round++) {
		for (long at = 0; at < got;) {
			struct {
				uint64_t ino, off;
				uint16_t length;
				uint8_t type;
				char name[];
			} *entry = (void *)(buffer + at);
			int number;

			if (sscanf(entry->name, "name%d", &number) == 1)
				seen[number]++;
			at += entry->length;
		}
		if (round < 100) {
			snprintf(name, sizeof name, "d/gone%d", 100 + round);
			CHECK_OK(unlink(name));
			snprintf(name, sizeof name, "d/come%d", round);
			touch(name);
		}
		CHECK(round < 1000);
	}
	for (int i = 0; i < 100; i++)
		CHECK_EQ(seen[i], 1);
}

TEST("is getdents64 EINVAL for a tiny buffer, ENOTDIR for a file, and again from the start by "
	"lseek?")
{
	char buffer[1024];
	int fd;
	long first;

	guest_scratch();
	touch("f");
	fd = CHECK_OK(open(".", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
	first = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
	CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), first);
	CHECK_ERRNO(syscall(SYS_getdents64, CHECK_OK(open("f", O_RDONLY)), buffer, 1024), ENOTDIR);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERRNO(syscall(SYS_getdents64, fd, 8, 1024), EFAULT);
}

TEST("do times change as they should on reading, writing, chmod, and by utimensat?")
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st, before;
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(futimens(fd, times));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_atim.tv_nsec, 5);
	CHECK_EQ(st.st_mtim.tv_sec, 2000);
	CHECK_EQ(st.st_mtim.tv_nsec, 7);
	CHECK(st.st_ctim.tv_sec > 2000);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
	CHECK_OK(stat("f", &before));
	CHECK_EQ(before.st_atim.tv_sec, 1000);
	CHECK(before.st_mtim.tv_sec > 2000);
	guest_sleep_ms(20);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(stat("f", &st));
	CHECK(st.st_mtim.tv_sec > before.st_mtim.tv_sec ||
	      st.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
	times[0].tv_nsec = 1000000000;
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
	CHECK_ERRNO(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
	CHECK_OK(symlink("f", "s"));
	CHECK_OK(utimensat(AT_FDCWD, "s", (struct timespec[]){ { 1, 0 }, { 1, 0 } },
			   AT_SYMLINK_NOFOLLOW));
	CHECK_OK(lstat("s", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 1);
}

TEST("does statx give what stat gives, and a mask of what it knows?")
{
	struct {
		uint32_t mask, blksize;
		uint64_t attributes;
		uint32_t nlink, uid, gid;
		uint16_t mode, pad;
		uint64_t ino, size, blocks;
		char rest[200];
	} x;
	struct stat st;

	guest_scratch();
	touch("f");
	CHECK_EQ(sizeof x, 256);
	CHECK_OK(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &x));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(x.mask & 0x7ff, 0x7ff);
	CHECK_EQ(x.mode, st.st_mode);
	CHECK_EQ(x.ino, st.st_ino);
	CHECK_EQ(x.size, 1);
	CHECK_EQ(x.nlink, 1);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 0x7ff, &x), EINVAL);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000, &x), EINVAL);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, NULL, 0, 0x7ff, &x), EFAULT);
}

TEST("does mknod make FIFOs, files and devices, and refuse other kinds?")
{
	struct stat st;

	guest_scratch();
	CHECK_OK(mknod("fifo", S_IFIFO | 0600, 0));
	CHECK_OK(mknod("file", S_IFREG | 0600, 0));
	CHECK_OK(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
	CHECK_OK(stat("null", &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	CHECK_OK(open("null", O_RDWR));
	CHECK_OK(mknod("nothing", S_IFCHR | 0600, makedev(500, 3)));
	CHECK_ERRNO(open("nothing", O_RDWR), ENXIO);
	CHECK_ERRNO(mknod("dir", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERRNO(mknod("link", S_IFLNK | 0700, 0), EINVAL);
	CHECK_ERRNO(mknod("fifo", S_IFIFO | 0600, 0), EEXIST);
}

TEST("does a folder cost the same below 20,000 others, all of them in use?")
{
	guest_scratch();
	for (int depth = 0; depth < 20000; depth++) {
		CHECK_OK(mkdir("d", 0700));
		CHECK_OK(chdir("d"));
	}
	for (int depth = 0; depth < 20000; depth++) {
		CHECK_OK(chdir(".."));
		CHECK_OK(rmdir("d"));
	}
}
