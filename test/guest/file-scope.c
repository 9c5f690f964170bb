/*
 * openat2: lookups that a folder confines.
 */
#include "guest.h"

#include <linux/openat2.h>

static int open2(int dir, const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0,
				.resolve = resolve };

	return syscall(SYS_openat2, dir, name, &how, sizeof how);
}

/* What the file of that name says, as seen with those restrictions. */
static const char *read_at(int dir, const char *name, uint64_t resolve)
{
	static char text[16];
	int fd = CHECK_OK(open2(dir, name, O_RDONLY, resolve));
	ssize_t n = CHECK_OK(read(fd, text, sizeof text - 1));

	text[n] = 0;
	close(fd);
	return text;
}

/* The current folder holds `x`, and `d`, which holds another `x`, `e`, and links; gives d. */
static int make_tree(void)
{
	char absolute[PATH_MAX];

	snprintf(absolute, sizeof absolute, "%s/x", guest_scratch());
	CHECK_OK(guest_file("x", "outside", 0644));
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(guest_file("d/x", "inside", 0644));
	CHECK_OK(guest_file("d/e/y", "deep", 0644));
	CHECK_OK(symlink("/x", "d/absolute"));
	CHECK_OK(symlink("/../../e", "d/folder"));
	CHECK_OK(symlink("../x", "d/up"));
	CHECK_OK(symlink("../../../x", "d/e/up"));
	CHECK_OK(symlink(absolute, "d/out"));
	return CHECK_OK(open("d", O_PATH | O_DIRECTORY));
}

TEST("is a folder the root of names and links with RESOLVE_IN_ROOT, wherever we are?")
{
	const int d = make_tree();

	CHECK_STR(read_at(d, "x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "//e/../x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "../x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/../../x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "e/../../x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "absolute", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/absolute", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/up", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/e/up", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/folder/y", RESOLVE_IN_ROOT), "deep");
	CHECK_ERRNO(open2(d, "/out", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERRNO(open2(d, "/d/x", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	CHECK_STR(read_at(AT_FDCWD, "/x", RESOLVE_IN_ROOT), "outside");
	CHECK_STR(read_at(AT_FDCWD, "/d/absolute", RESOLVE_IN_ROOT), "outside");
	CHECK_STR(read_at(AT_FDCWD, "/../d/x", RESOLVE_IN_ROOT), "inside");
	CHECK_OK(chdir("/"));
	CHECK_STR(read_at(d, "/x", RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/absolute", RESOLVE_IN_ROOT), "inside");
}

TEST("is / with RESOLVE_IN_ROOT the folder itself, and are files made below it?")
{
	const int d = make_tree();
	struct stat a, b;
	int fd = CHECK_OK(open2(d, "/", O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT));

	CHECK_OK(fstat(d, &a));
	CHECK_OK(fstat(fd, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	close(fd);
	fd = CHECK_OK(open2(d, "/../..", O_PATH, RESOLVE_IN_ROOT));
	CHECK_OK(fstat(fd, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	close(CHECK_OK(open2(d, "/made", O_CREAT | O_EXCL | O_WRONLY, RESOLVE_IN_ROOT)));
	CHECK_OK(access("d/made", F_OK));
	CHECK_OK(symlink("/dangling", "d/link"));
	close(CHECK_OK(open2(d, "/link", O_CREAT | O_WRONLY, RESOLVE_IN_ROOT)));
	CHECK_OK(access("d/dangling", F_OK));
}

TEST("does RESOLVE_IN_ROOT refuse files, pipes, no descriptor and magic links?")
{
	const int d = make_tree(), x = CHECK_OK(open("x", O_RDONLY));
	int pipe_fds[2];

	CHECK_OK(pipe(pipe_fds));
	CHECK_ERRNO(open2(x, "/", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(x, "/x", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(x, "/..", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(x, "/", O_CREAT | O_WRONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(pipe_fds[0], "/", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(pipe_fds[0], "/", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(pipe_fds[0], "/../x", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(pipe_fds[0], "x", O_RDONLY, RESOLVE_IN_ROOT), ENOTDIR);
	CHECK_ERRNO(open2(999, "/x", O_RDONLY, RESOLVE_IN_ROOT), EBADF);
	CHECK_ERRNO(open2(-1, "/", O_RDONLY, RESOLVE_IN_ROOT), EBADF);
	CHECK_ERRNO(open2(d, "", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	CHECK_ERRNO(open2(AT_FDCWD, "/", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_BENEATH), EINVAL);
	close(d);
	CHECK_EQ(CHECK_OK(open("/proc/self", O_PATH | O_DIRECTORY)), d);
	CHECK_ERRNO(open2(d, "/cwd/x", O_RDONLY, RESOLVE_IN_ROOT), EXDEV);
}

TEST("is what leads out of the folder EXDEV with RESOLVE_BENEATH, also for a moment?")
{
	const int d = make_tree();

	CHECK_STR(read_at(d, "x", RESOLVE_BENEATH), "inside");
	CHECK_STR(read_at(d, "e/../x", RESOLVE_BENEATH), "inside");
	CHECK_ERRNO(open2(d, "/x", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(999, "/x", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(AT_FDCWD, "/x", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "../x", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "../d/x", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "absolute", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(d, "out", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERRNO(open2(999, "x", O_RDONLY, RESOLVE_BENEATH), EBADF);
}

TEST("do RESOLVE_NO_SYMLINKS, NO_MAGICLINKS and NO_XDEV refuse what they name?")
{
	const int d = make_tree();

	CHECK_ERRNO(open2(d, "up", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK_ERRNO(open2(d, "folder/y", O_RDONLY, RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT), ELOOP);
	CHECK_STR(read_at(d, "up", RESOLVE_NO_MAGICLINKS), "outside");
	CHECK_ERRNO(open2(d, "/proc/self/cwd/x", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
	CHECK_ERRNO(open2(d, "/proc/self", O_PATH, RESOLVE_NO_XDEV), EXDEV);
	CHECK_STR(read_at(d, "/x", RESOLVE_NO_XDEV | RESOLVE_IN_ROOT), "inside");
	CHECK_STR(read_at(d, "/../x", RESOLVE_NO_XDEV | RESOLVE_IN_ROOT), "inside");
}
