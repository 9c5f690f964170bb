/*
 * Special files: do FIFOs, sockets and devices made in a folder have their type, meet by every one
 * of their names, go away, and are not mistaken for the next one? Where that folder is one of the
 * host (test/run/root.t), the server keeps the nodes, and their content is the kernel's.
 */
#include "guest.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

static mode_t type_of(const char *path)
{
	struct stat status;

	CHECK_OK(lstat(path, &status));
	return status.st_mode & S_IFMT;
}

static unsigned char entry_type_of(const char *name)
{
	unsigned char type = DT_WHT;
	DIR *dir = opendir(".");

	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (strcmp(entry->d_name, name) == 0)
			type = entry->d_type;
	}
	closedir(dir);
	return type;
}

static int bound(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(name.sun_path, path);
	CHECK_OK(bind(fd, (void *)&name, sizeof name));
	return fd;
}

static int try_connect(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), error;

	strcpy(name.sun_path, path);
	if (connect(fd, (void *)&name, sizeof name) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* What is written by one name is read by the other. */
static void check_meet(const char *reader, const char *writer, const char *text)
{
	char got[16] = "";
	int in = CHECK_OK(open(reader, O_RDONLY | O_NONBLOCK));
	int out = CHECK_OK(open(writer, O_WRONLY | O_NONBLOCK));

	CHECK_EQ(write(out, text, strlen(text)), strlen(text));
	CHECK_EQ(read(in, got, sizeof got), strlen(text));
	CHECK_STR(got, text);
	close(in);
	close(out);
}

TEST("is a FIFO seen as one, with its mode, and does it carry bytes between processes?")
{
	struct stat status;
	char got[16] = "";
	pid_t pid;
	int fd;

	guest_scratch();
	umask(0);
	CHECK_OK(mkfifo("f", 0640));
	CHECK_OK(lstat("f", &status));
	CHECK_EQ(status.st_mode, S_IFIFO | 0640);
	CHECK_EQ(status.st_size, 0);
	CHECK_EQ(entry_type_of("f"), DT_FIFO);
	CHECK_ERRNO(mkfifo("f", 0640), EEXIST);
	CHILD(pid) {
		fd = CHECK_OK(open("f", O_WRONLY));
		CHECK_EQ(write(fd, "through", 7), 7);
	}
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(read(fd, got, sizeof got), 7);
	CHECK_STR(got, "through");
	CHECK_EXIT(pid, 0);
	CHECK_EQ(read(fd, got, sizeof got), 0);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_OK(close(fd));
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(lstat("f", &status));
	CHECK_EQ(status.st_mode, S_IFIFO | 0600);
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(lstat("f", &status), ENOENT);
	CHECK_EQ(entry_type_of("f"), DT_WHT);
}

TEST("do two names of a FIFO meet in one pipe, also when the first name is gone, and renamed?")
{
	struct stat status;
	int in;

	guest_scratch();
	CHECK_OK(mkfifo("a", 0600));
	CHECK_OK(link("a", "b"));
	CHECK_OK(lstat("b", &status));
	CHECK_EQ(status.st_nlink, 2);
	check_meet("a", "b", "one");
	check_meet("b", "a", "two");
	in = CHECK_OK(open("a", O_RDONLY | O_NONBLOCK));
	CHECK_OK(unlink("a"));
	CHECK_OK(lstat("b", &status));
	CHECK_EQ(status.st_nlink, 1);
	CHECK_OK(chmod("b", 0644));
	CHECK_OK(link("b", "c"));
	CHECK_OK(rename("c", "d"));
	check_meet("d", "b", "three");
	CHECK_OK(fstat(in, &status));
	CHECK_EQ(status.st_mode, S_IFIFO | 0644);
	CHECK_OK(close(in));
	CHECK_OK(unlink("b"));
	check_meet("d", "d", "four");
}

/* A file system gives the number of a removed file to the next one; the old is still open. */
TEST("is a FIFO made after one was removed another, while the old one is open?")
{
	char got[16];
	int old[2], in, out;

	guest_scratch();
	for (int i = 0; i < 8; i++) {
		CHECK_OK(mkfifo("f", 0600));
		old[0] = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
		old[1] = CHECK_OK(open("f", O_WRONLY));
		CHECK_EQ(write(old[1], "old", 3), 3);
		CHECK_OK(unlink("f"));
		CHECK_OK(mkfifo("f", 0600));
		in = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
		out = CHECK_OK(open("f", O_WRONLY));
		CHECK_ERRNO(read(in, got, sizeof got), EAGAIN);
		CHECK_EQ(write(out, "newer", 5), 5);
		CHECK_EQ(read(old[0], got, sizeof got), 3);
		CHECK_EQ(read(in, got, sizeof got), 5);
		for (int end = 0; end < 2; end++)
			close(old[end]);
		close(in);
		close(out);
		CHECK_OK(unlink("f"));
	}
}

TEST("is a bound socket seen as one, connected to by every name, and refused when closed?")
{
	char got[16] = "";
	int server, client, peer;

	guest_scratch();
	server = bound("s");
	CHECK_OK(listen(server, 4));
	CHECK_EQ(type_of("s"), S_IFSOCK);
	CHECK_EQ(entry_type_of("s"), DT_SOCK);
	CHECK_ERRNO(open("s", O_RDONLY), ENXIO);
	CHECK_OK(link("s", "t"));
	for (int i = 0; i < 2; i++) {
		client = CHECK_OK(try_connect(i == 0 ? "s" : "t"));
		peer = CHECK_OK(accept(server, NULL, NULL));
		CHECK_EQ(write(client, "ping", 4), 4);
		CHECK_EQ(read(peer, got, sizeof got), 4);
		CHECK_STR(got, "ping");
		close(client);
		close(peer);
	}
	CHECK_OK(unlink("s"));
	CHECK_OK(close(CHECK_OK(try_connect("t"))));
	CHECK_OK(close(server));
	CHECK_ERRNO(try_connect("t"), ECONNREFUSED);
	CHECK_OK(close(bound("s")));
	CHECK_OK(unlink("s"));
	CHECK_OK(unlink("t"));
	CHECK_ERRNO(try_connect("t"), ENOENT);
}

TEST("does mknod make sockets and devices, of the number given?")
{
	struct stat status;
	int fd;

	guest_scratch();
	CHECK_OK(mknod("s", S_IFSOCK | 0600, 0));
	CHECK_EQ(type_of("s"), S_IFSOCK);
	CHECK_ERRNO(try_connect("s"), ECONNREFUSED);
	if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) < 0)
		SKIP("no devices for this user");
	CHECK_OK(mknod("block", S_IFBLK | 0600, makedev(300, 70000)));
	CHECK_OK(lstat("null", &status));
	CHECK_EQ(status.st_rdev, makedev(1, 3));
	CHECK_EQ(entry_type_of("null"), DT_CHR);
	CHECK_OK(lstat("block", &status));
	CHECK_EQ(status.st_mode & S_IFMT, S_IFBLK);
	CHECK_EQ(status.st_rdev, makedev(300, 70000));
	fd = open("null", O_RDWR);
	CHECK(fd >= 0 || errno == EACCES);	/* a host may mount its /tmp nodev */
	if (fd >= 0)
		CHECK_EQ(write(fd, "gone", 4), 4);
}

TEST("does a file keep its content and attributes when its first name goes?")
{
	struct stat status;
	char got[16] = "";
	int fd;

	guest_scratch();
	CHECK_OK(guest_file("a", "content", 0600));
	fd = CHECK_OK(open("a", O_RDONLY));
	CHECK_OK(link("a", "b"));
	CHECK_OK(unlink("a"));
	CHECK_OK(chmod("b", 0640));
	CHECK_OK(link("b", "c"));
	CHECK_OK(unlink("b"));
	CHECK_OK(truncate("c", 3));
	CHECK_OK(lstat("c", &status));
	CHECK_EQ(status.st_mode, S_IFREG | 0640);
	CHECK_EQ(status.st_nlink, 1);
	CHECK_EQ(guest_read_file("c", got, sizeof got), 3);
	CHECK_STR(got, "con");
	CHECK_OK(unlink("c"));
	guest_sleep_ms(1100);			/* until what a server said is old */
	CHECK_OK(fstat(fd, &status));
	CHECK_EQ(status.st_nlink, 0);
	CHECK_EQ(read(fd, got, sizeof got), 3);
}
