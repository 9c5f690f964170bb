/*
 * Overlay: does the merged view follow Linux's, does nothing of the lower layer change, and are
 * whiteouts, opaque folders, copy-up of content and attributes, hard links and renames as there?
 */
#include "guest.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

/*
 * The folder with the layers: a tmpfs of its own, private to this test. l lower, u upper, m merged.
 */
static void layers(void)
{
	guest_scratch();
	if (unshare(CLONE_NEWNS) == 0)
		CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("o", 0755));
	CHECK_OK(mount("none", "o", "tmpfs", 0, NULL));
	CHECK_OK(chdir("o"));
	CHECK_OK(mkdir("l", 0755));
	CHECK_OK(mkdir("u", 0755));
	CHECK_OK(mkdir("w", 0755));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(guest_file("l/file", "lower", 0644));
	CHECK_OK(guest_file("l/other", "other", 0600));
	CHECK_OK(symlink("file", "l/link"));
	CHECK_OK(mkdir("l/dir", 0750));
	CHECK_OK(guest_file("l/dir/inner", "inner", 0644));
	CHECK_OK(mkdir("l/dir/deep", 0755));
	CHECK_OK(guest_file("l/dir/deep/leaf", "leaf", 04755));
}

static void merge(void)
{
	if (mount("ov", "m", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w") != 0)
		SKIP("no overlay here");
}

static void leave(void)
{
	CHECK_OK(umount("m"));
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("o"));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, sorted, each with a space behind it. */
static const char *list(const char *path)
{
	static char text[2000];
	char *names[100];
	int count = 0;
	DIR *dir = opendir(path);

	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL && count < 100;) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			names[count++] = strdup(entry->d_name);
	}
	closedir(dir);
	qsort(names, (size_t)count, sizeof(*names), by_name);
	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		strcat(text, names[i]);
		strcat(text, " ");
		free(names[i]);
	}
	return text;
}

static const char *text_of(const char *path)
{
	static char text[100];

	CHECK(guest_read_file(path, text, sizeof(text)) >= 0);
	return text;
}

static bool is_whiteout(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

TEST("is the merged folder both layers, the upper one first, and are lower files read through?")
{
	layers();
	CHECK_OK(guest_file("u/file", "upper", 0644));
	CHECK_OK(guest_file("u/new", "new", 0644));
	CHECK_OK(mkdir("u/dir", 0755));
	CHECK_OK(guest_file("u/dir/more", "more", 0644));
	merge();
	CHECK_STR(list("m"), "dir file link new other ");
	CHECK_STR(list("m/dir"), "deep inner more ");
	CHECK_STR(text_of("m/file"), "upper");
	CHECK_STR(text_of("m/link"), "upper");
	CHECK_STR(text_of("m/other"), "other");
	CHECK_STR(text_of("m/dir/deep/leaf"), "leaf");
	CHECK_ERRNO(open("m/missing", O_RDONLY), ENOENT);
	leave();
}

TEST("does a write go to the upper layer alone, with the rest of the content and the attributes?")
{
	struct stat before, after;
	int fd;

	layers();
	merge();
	CHECK_OK(stat("m/dir/deep/leaf", &before));
	fd = CHECK_OK(open("m/dir/deep/leaf", O_WRONLY | O_APPEND));
	CHECK_EQ(write(fd, "+", 1), 1);
	CHECK_OK(close(fd));
	CHECK_STR(text_of("m/dir/deep/leaf"), "leaf+");
	CHECK_STR(text_of("l/dir/deep/leaf"), "leaf");
	CHECK_STR(text_of("u/dir/deep/leaf"), "leaf+");
	CHECK_OK(stat("m/dir/deep/leaf", &after));
	CHECK_EQ(after.st_ino, before.st_ino);
	CHECK_OK(stat("u/dir", &after));
	CHECK_EQ(after.st_mode & 07777, 0750);
	leave();
}

TEST("do truncation, O_TRUNC, chmod, chown and utimes copy up?")
{
	struct timespec times[2] = { { 5, 0 }, { 6, 0 } };
	struct stat st;

	layers();
	merge();
	CHECK_OK(truncate("m/file", 3));
	CHECK_STR(text_of("m/file"), "low");
	CHECK_OK(close(CHECK_OK(open("m/dir/inner", O_WRONLY | O_TRUNC))));
	CHECK_STR(text_of("m/dir/inner"), "");
	CHECK_OK(chmod("m/other", 0640));
	CHECK_OK(chown("m/other", 7, 8));
	CHECK_OK(utimensat(AT_FDCWD, "m/other", times, 0));
	CHECK_OK(stat("m/other", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_uid, 7);
	CHECK_EQ(st.st_gid, 8);
	CHECK_EQ(st.st_mtim.tv_sec, 6);
	CHECK_STR(text_of("u/other"), "other");
	CHECK_STR(text_of("l/file"), "lower");
	CHECK_STR(text_of("l/dir/inner"), "inner");
	CHECK_OK(stat("l/other", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	leave();
}

TEST("does a removed lower file leave a whiteout, and a new one of its name replace that?")
{
	layers();
	merge();
	CHECK_OK(unlink("m/file"));
	CHECK_ERRNO(open("m/file", O_RDONLY), ENOENT);
	CHECK_STR(list("m"), "dir link other ");
	CHECK(is_whiteout("u/file"));
	CHECK_STR(text_of("l/file"), "lower");
	CHECK_OK(guest_file("m/file", "again", 0644));
	CHECK_STR(text_of("m/file"), "again");
	CHECK(!is_whiteout("u/file"));
	CHECK_OK(unlink("m/file"));
	CHECK(is_whiteout("u/file"));
	CHECK_OK(guest_file("m/fresh", "x", 0644));
	CHECK_OK(unlink("m/fresh"));
	CHECK_STR(list("u"), "file ");
	leave();
}

TEST("is a lower folder removable once empty, and a new one of its name opaque?")
{
	char value[4];

	layers();
	merge();
	CHECK_ERRNO(rmdir("m/dir"), ENOTEMPTY);
	CHECK_OK(unlink("m/dir/deep/leaf"));
	CHECK_OK(rmdir("m/dir/deep"));
	CHECK_OK(unlink("m/dir/inner"));
	CHECK_OK(rmdir("m/dir"));
	CHECK(is_whiteout("u/dir"));
	CHECK_OK(mkdir("m/dir", 0700));
	CHECK_STR(list("m/dir"), "");
	CHECK_EQ(getxattr("u/dir", "trusted.overlay.opaque", value, sizeof(value)), 1);
	CHECK_ERRNO(getxattr("m/dir", "trusted.overlay.opaque", value, sizeof(value)), ENODATA);
	CHECK_OK(guest_file("m/dir/mine", "x", 0644));
	CHECK_STR(list("m/dir"), "mine ");
	CHECK_STR(list("l/dir"), "deep inner ");
	leave();
}

TEST("do files rename with a whiteout behind them, and lower folders only by EXDEV?")
{
	layers();
	merge();
	CHECK_OK(rename("m/file", "m/moved"));
	CHECK_STR(text_of("m/moved"), "lower");
	CHECK_ERRNO(open("m/file", O_RDONLY), ENOENT);
	CHECK(is_whiteout("u/file"));
	CHECK_OK(rename("m/moved", "m/dir/inner"));
	CHECK_STR(text_of("m/dir/inner"), "lower");
	CHECK_ERRNO(rename("m/dir", "m/elsewhere"), EXDEV);
	CHECK_OK(mkdir("m/made", 0755));
	CHECK_OK(guest_file("m/made/x", "x", 0644));
	CHECK_OK(rename("m/made", "m/file"));
	CHECK_STR(text_of("m/file/x"), "x");
	CHECK_ERRNO(rename("m/file", "m/dir"), ENOTEMPTY);
	CHECK_STR(list("m"), "dir file link other ");
	leave();
}

TEST("does a hard link show the same file under both names, written through either?")
{
	struct stat a, b;

	layers();
	merge();
	CHECK_OK(link("m/file", "m/second"));
	CHECK_OK(stat("m/file", &a));
	CHECK_OK(stat("m/second", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_OK(guest_file("m/second", "both", 0644));
	CHECK_STR(text_of("m/file"), "both");
	CHECK_OK(unlink("m/file"));
	CHECK_STR(text_of("m/second"), "both");
	CHECK_STR(text_of("l/file"), "lower");
	leave();
}

TEST("does a file opened for reading go on when it is copied up, and an unlinked one live on?")
{
	char text[20] = "";
	int fd, gone;

	layers();
	merge();
	fd = CHECK_OK(open("m/file", O_RDONLY));
	gone = CHECK_OK(open("m/other", O_RDONLY));
	CHECK_OK(guest_file("m/file", "changed", 0644));
	CHECK_EQ(pread(fd, text, sizeof(text), 0), 7);
	CHECK_STR(text, "changed");
	CHECK_OK(unlink("m/other"));
	memset(text, 0, sizeof(text));
	CHECK_EQ(pread(gone, text, sizeof(text), 0), 5);
	CHECK_STR(text, "other");
	CHECK_OK(close(fd));
	CHECK_OK(close(gone));
	leave();
}

TEST("do mappings show the lower file's pages, and shared ones write to the upper?")
{
	char *view;
	int fd;

	layers();
	merge();
	fd = CHECK_OK(open("m/file", O_RDONLY));
	view = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(view != MAP_FAILED && memcmp(view, "lower", 6) == 0);
	CHECK_OK(close(fd));
	CHECK_OK(munmap(view, PAGE));
	fd = CHECK_OK(open("m/file", O_RDWR));
	view = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(view != MAP_FAILED);
	view[0] = 'L';
	CHECK_OK(msync(view, PAGE, MS_SYNC));
	CHECK_OK(munmap(view, PAGE));
	CHECK_OK(close(fd));
	CHECK_STR(text_of("m/file"), "Lower");
	CHECK_STR(text_of("l/file"), "lower");
	leave();
}

TEST("does O_TMPFILE make a file of the asker's in the upper layer, to be linked by name?")
{
	char name[64];
	struct stat st;
	int fd;

	layers();
	merge();
	fd = CHECK_OK(open("m/dir", O_TMPFILE | O_RDWR, 0640));
	CHECK_EQ(write(fd, "made", 4), 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_STR(list("m/dir"), "deep inner ");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, name, AT_FDCWD, "m/dir/named", AT_SYMLINK_FOLLOW));
	CHECK_OK(close(fd));
	CHECK_STR(text_of("m/dir/named"), "made");
	CHECK_STR(text_of("u/dir/named"), "made");
	CHECK_OK(unlink("m/dir/named"));
	leave();
}

TEST("without an upper layer, is everything EROFS?")
{
	layers();
	CHECK_OK(mkdir("l2", 0755));
	CHECK_OK(guest_file("l2/only", "only", 0644));
	if (mount("ov", "m", "overlay", 0, "lowerdir=l2:l") != 0)
		SKIP("no overlay here");
	CHECK_STR(list("m"), "dir file link only other ");
	CHECK_STR(text_of("m/only"), "only");
	CHECK_ERRNO(open("m/file", O_WRONLY), EROFS);
	CHECK_ERRNO(mkdir("m/x", 0755), EROFS);
	CHECK_ERRNO(unlink("m/file"), EROFS);
	CHECK_ERRNO(chmod("m/file", 0600), EROFS);
	leave();
}

TEST("are wrong options refused?")
{
	layers();
	CHECK_ERRNO(mount("ov", "m", "overlay", 0, "upperdir=u,workdir=w"), EINVAL);
	CHECK_ERRNO(mount("ov", "m", "overlay", 0, "lowerdir=missing,upperdir=u,workdir=w"),
		    ENOENT);
	CHECK_ERRNO(mount("ov", "m", "overlay", 0, "lowerdir=l,upperdir=u,workdir=u/w"), ENOENT);
	CHECK_ERRNO(mount("ov", "m", "overlay", 0, "lowerdir=l,upperdir=u,nonsense=1"), EINVAL);
	CHECK_OK(chdir(".."));
	CHECK_OK(umount("o"));
}
