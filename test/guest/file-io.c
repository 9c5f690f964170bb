/*
 * Opening files and moving bytes: open's flags, read, write and their vector and positional forms,
 * seeking, holes, truncation, allocation, and copying inside the kernel.
 */
#include "guest.h"

#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int file(const char *name, const char *contents)
{
	CHECK_OK(guest_file(name, contents, 0644));
	return CHECK_OK(open(name, O_RDWR));
}

static off_t size_of(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_size;
}

TEST("does O_CREAT make, O_EXCL insist, O_TRUNC empty, and the umask apply?")
{
	struct stat st;
	int fd;

	guest_scratch();
	umask(027);
	CHECK_ERRNO(open("f", O_RDWR), ENOENT);
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0666));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_OK(open("f", O_RDONLY | O_CREAT, 0));
	CHECK_EQ(size_of("f"), 5);
	CHECK_OK(open("f", O_WRONLY | O_TRUNC));
	CHECK_EQ(size_of("f"), 0);
	CHECK_OK(symlink("nowhere", "link"));
	CHECK_ERRNO(open("link", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
	CHECK_OK(open("link", O_RDWR | O_CREAT, 0666));
	CHECK_EQ(size_of("nowhere"), 0);
}

TEST("may a file opened with O_CREAT and mode 0 be written by its creator?")
{
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0));
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST("are O_DIRECTORY, O_NOFOLLOW and writing to a folder refused as they should?")
{
	guest_scratch();
	close(file("f", ""));
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(symlink("f", "link"));
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("d", O_RDWR), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_TRUNC), EISDIR);
	CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("d/missing/f", O_WRONLY | O_CREAT, 0644), ENOENT);
	CHECK_OK(close(CHECK_OK(open("d/", O_RDONLY))));
	CHECK_OK(close(CHECK_OK(open("d/.././d/..", O_RDONLY))));
}

TEST("is O_PATH a handle that names, and neither reads nor writes?")
{
	struct stat st;
	char byte;
	int fd;

	guest_scratch();
	close(file("f", "x"));
	CHECK_OK(symlink("f", "link"));
	fd = CHECK_OK(open("f", O_PATH));
	CHECK_ERRNO(read(fd, &byte, 1), EBADF);
	CHECK_ERRNO(write(fd, &byte, 1), EBADF);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERRNO(syscall(SYS_fchmod, fd, 0600), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EBADF);
	CHECK_OK(fstat(fd, &st));
	CHECK_OK(close(CHECK_OK(dup(fd))));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	fd = CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", &byte, 1), 1);
	CHECK_EQ(byte, 'f');
}

TEST("is O_TMPFILE a file without a name, which linkat may give one?")
{
	char path[64];
	struct stat st;
	int fd;

	guest_scratch();
	fd = CHECK_OK(open(".", O_TMPFILE | O_RDWR, 0600));
	CHECK_EQ(write(fd, "temp", 4), 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_EQ(size_of("named"), 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 1);
	fd = CHECK_OK(open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_ERRNO(linkat(AT_FDCWD, path, AT_FDCWD, "other", AT_SYMLINK_FOLLOW), ENOENT);
	CHECK_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

TEST("does O_APPEND write at the end, wherever the offset is, and pwrite too?")
{
	char got[16] = "";
	int fd;

	guest_scratch();
	close(file("f", "abc"));
	fd = CHECK_OK(open("f", O_RDWR | O_APPEND));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "def", 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(pwrite(fd, "ghi", 3, 0), 3);
	CHECK_EQ(pread(fd, got, 15, 0), 9);
	CHECK_STR(got, "abcdefghi");
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(pwrite(fd, "X", 1, 0), 1);
	CHECK_EQ(pread(fd, got, 1, 0), 1);
	CHECK_EQ(got[0], 'X');
}

TEST("do concurrent appenders lose and mix no line?")
{
	static char text[40001];
	pid_t pids[4];
	int seen[4] = { 0 };

	guest_scratch();
	close(file("log", ""));
	for (int i = 0; i < 4; i++) {
		CHILD(pids[i]) {
			int fd = CHECK_OK(open("log", O_WRONLY | O_APPEND));

			for (int j = 0; j < 500; j++) {
				char line[11];

				snprintf(line, sizeof line, "%d%08d\n", i, j);
				CHECK_EQ(write(fd, line, 10), 10);
			}
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(pids[i], 0);
	CHECK_EQ(guest_read_file("log", text, sizeof text), 20000);
	for (char *line = text; *line; line += 10) {
		CHECK_EQ(line[9], '\n');
		CHECK_EQ(atoi((char[]){ line[5], line[6], line[7], line[8], 0 }),
			 seen[line[0] - '0']++);
	}
}

TEST("are reads and writes with the wrong direction or a closed descriptor EBADF?")
{
	char byte = 0;
	int fd;

	guest_scratch();
	close(file("f", "x"));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(write(fd, &byte, 1), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
	fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_ERRNO(read(fd, &byte, 1), EBADF);
	CHECK_OK(close(fd));
	CHECK_ERRNO(close(fd), EBADF);
	CHECK_ERRNO(read(fd, &byte, 1), EBADF);
	CHECK_ERRNO(read(-1, &byte, 1), EBADF);
	CHECK_ERRNO(read(INT_MAX, &byte, 1), EBADF);
	CHECK_ERRNO(read(CHECK_OK(open(".", O_RDONLY)), &byte, 1), EISDIR);
}

TEST("do pread and pwrite leave the offset, fail on pipes and negative offsets?")
{
	char got[4] = "";
	int fd, ends[2];

	guest_scratch();
	fd = file("f", "0123456789");
	CHECK_EQ(pread(fd, got, 3, 5), 3);
	CHECK_STR(got, "567");
	CHECK_EQ(pwrite(fd, "X", 1, 20), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(size_of("f"), 21);
	CHECK_EQ(pread(fd, got, 1, 15), 1);
	CHECK_EQ(got[0], 0);
	CHECK_EQ(pread(fd, got, 1, 100), 0);
	CHECK_ERRNO(pread(fd, got, 1, -1), EINVAL);
	CHECK_ERRNO(pwrite(fd, got, 1, -1), EINVAL);
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(pread(ends[0], got, 1, 0), ESPIPE);
	CHECK_ERRNO(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	/* What the descriptor forbids is said before the buffer is looked at. */
	CHECK_ERRNO(pread(ends[0], (void *)-4096, 1, 0), ESPIPE);
	fd = open("f", O_WRONLY);
	CHECK_ERRNO(pread(fd, (void *)-4096, 1, 0), EBADF);
	CHECK_ERRNO(pwrite(fd, (void *)-4096, 1, 0), EFAULT);
}

TEST("do readv, writev, preadv, pwritev gather and scatter, and refuse wrong vectors?")
{
	char a[3] = "", b[6] = "", c[4] = "";
	struct iovec out[] = { { "one", 3 }, { "", 0 }, { "twothree", 8 } };
	struct iovec in[] = { { a, 2 }, { b, 5 }, { c, 3 } };
	struct iovec huge[] = { { a, SSIZE_MAX }, { b, SSIZE_MAX } };
	int fd;

	guest_scratch();
	fd = file("f", "");
	CHECK_EQ(writev(fd, out, 3), 11);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, in, 3), 10);
	CHECK_STR(a, "on");
	CHECK_STR(b, "etwot");
	CHECK_STR(c, "hre");
	CHECK_EQ(pwritev(fd, out, 1, 100), 3);
	CHECK_EQ(preadv(fd, in, 1, 101), 2);
	CHECK_STR(a, "ne");
	CHECK_EQ(writev(fd, out, 0), 0);
	CHECK_ERRNO(writev(fd, out, -1), EINVAL);
	CHECK_ERRNO(writev(fd, out, 1025), EINVAL);
	CHECK_ERRNO(writev(fd, huge, 2), EFAULT);
	huge[0].iov_len = -1;
	CHECK_ERRNO(readv(fd, huge, 2), EINVAL);
	CHECK_EQ(syscall(SYS_pwritev2, fd, out, 1, 0, 0, 0), 3);
	CHECK_ERRNO(syscall(SYS_pwritev2, fd, out, 1, 0, 0, 0x4000), EOPNOTSUPP);
}

TEST("does lseek go anywhere but below 0, and past the end make a hole of zeros?")
{
	char got[4];
	int fd;

	guest_scratch();
	fd = file("f", "abc");
	CHECK_EQ(lseek(fd, -1, SEEK_END), 2);
	CHECK_ERRNO(lseek(fd, -10, SEEK_CUR), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_EQ(lseek(fd, 10000, SEEK_SET), 10000);
	CHECK_EQ(size_of("f"), 3);
	CHECK_EQ(read(fd, got, 1), 0);
	CHECK_EQ(write(fd, "z", 1), 1);
	CHECK_EQ(size_of("f"), 10001);
	CHECK_EQ(pread(fd, got, 4, 2), 4);
	CHECK_EQ(memcmp(got, "c\0\0\0", 4), 0);
	CHECK_ERRNO(lseek(fd, 1, SEEK_SET | 0x10000), EINVAL);
}

TEST("do SEEK_DATA and SEEK_HOLE find data, holes and the end?")
{
	int fd;

	guest_scratch();
	fd = file("f", "");
	CHECK_EQ(pwrite(fd, "d", 1, 1 << 20), 1);
	CHECK_OK(ftruncate(fd, 2 << 20));
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
	CHECK_EQ(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 4096);
	CHECK_ERRNO(lseek(fd, (1 << 20) + 4096, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, 2 << 20, SEEK_HOLE), ENXIO);
	CHECK_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO);
}

TEST("does truncation shorten, lengthen with zeros, and refuse nonsense?")
{
	char got[8] = "";
	int fd;

	guest_scratch();
	fd = file("f", "abcdef");
	CHECK_OK(truncate("f", 3));
	CHECK_OK(ftruncate(fd, 6));
	CHECK_EQ(read(fd, got, 8), 6);
	CHECK_EQ(memcmp(got, "abc\0\0\0", 6), 0);
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	CHECK_ERRNO(truncate("missing", 0), ENOENT);
	CHECK_ERRNO(truncate(".", 0), EISDIR);
	CHECK_ERRNO(ftruncate(999, 0), EBADF);
	CHECK_OK(ftruncate(fd, 1LL << 40));
	CHECK_EQ(size_of("f"), 1LL << 40);
}

TEST("is RLIMIT_FSIZE enforced with SIGXFSZ, or EFBIG when that is ignored?")
{
	struct rlimit limit = { 10, 10 };
	int fd;
	pid_t pid;

	guest_scratch();
	fd = file("f", "");
	CHILD(pid) {
		CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
		CHECK_EQ(write(fd, "0123456789abc", 13), 10);
		write(fd, "x", 1);
	}
	CHECK_SIGNALED(pid, SIGXFSZ);
	CHILD(pid) {
		guest_catch(SIGXFSZ, SIG_IGN, 0);
		CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
		CHECK_ERRNO(write(fd, "x", 1), EFBIG);
		CHECK_ERRNO(ftruncate(fd, 11), EFBIG);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does fallocate lengthen, keep the size, punch holes, or say it cannot?")
{
	char got[4] = "";
	int fd;

	guest_scratch();
	fd = file("f", "abcdefgh");
	CHECK_OK(syscall(SYS_fallocate, fd, 0, 0, 8192));
	CHECK_EQ(size_of("f"), 8192);
	CHECK_OK(syscall(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, 8192, 8192));
	CHECK_EQ(size_of("f"), 8192);
	CHECK_OK(syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
	CHECK_EQ(pread(fd, got, 4, 0), 4);
	CHECK_EQ(memcmp(got, "a\0\0d", 4), 0);
	CHECK_ERRNO(syscall(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
	CHECK_ERRNO(syscall(SYS_fallocate, fd, 0, -1L, 1L), EINVAL);
	CHECK_ERRNO(syscall(SYS_fallocate, fd, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_fallocate, 999, 0, 0, 1), EBADF);
	CHECK_ERRNO(syscall(SYS_fallocate, CHECK_OK(open("f", O_RDONLY)), 0, 0, 1), EBADF);
}

TEST("does sendfile copy from file to pipe and file, with and without an offset?")
{
	char got[8] = "";
	int in, out, ends[2];
	off_t offset = 2;

	guest_scratch();
	in = file("in", "0123456789");
	out = file("out", "");
	CHECK_OK(pipe(ends));
	CHECK_EQ(sendfile(ends[1], in, &offset, 4), 4);
	CHECK_EQ(offset, 6);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
	CHECK_EQ(read(ends[0], got, 8), 4);
	CHECK_STR(got, "2345");
	CHECK_EQ(sendfile(out, in, NULL, 100), 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
	CHECK_EQ(size_of("out"), 10);
	CHECK_EQ(sendfile(out, in, NULL, 100), 0);
	CHECK_ERRNO(sendfile(out, ends[0], NULL, 1), EINVAL);
	CHECK_ERRNO(sendfile(out, 999, NULL, 1), EBADF);
}

TEST("does copy_file_range copy inside and between files, and refuse overlap and pipes?")
{
	char got[32] = "";
	int in, out, ends[2];
	off_t from = 3, to = 1;

	guest_scratch();
	in = file("in", "0123456789");
	out = file("out", "abcdefghij");
	CHECK_EQ(syscall(SYS_copy_file_range, in, &from, out, &to, 4, 0), 4);
	CHECK_EQ(from, 7);
	CHECK_EQ(to, 5);
	CHECK_EQ(pread(out, got, 31, 0), 10);
	CHECK_STR(got, "a3456fghij");
	CHECK_EQ(syscall(SYS_copy_file_range, in, NULL, out, NULL, 100, 0), 10);
	from = 0;
	to = 2;
	CHECK_ERRNO(syscall(SYS_copy_file_range, in, &from, in, &to, 5, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_copy_file_range, in, NULL, out, NULL, 1, 1), EINVAL);
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(syscall(SYS_copy_file_range, ends[0], NULL, out, NULL, 1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_copy_file_range, in, NULL,
			    CHECK_OK(open("out", O_WRONLY | O_APPEND)), NULL, 1, 0),
		    EBADF);
}

TEST("do splice and tee move bytes between pipes and files?")
{
	char got[16] = "";
	int in, ends[2], other[2];
	loff_t offset = 1;

	guest_scratch();
	in = file("in", "0123456789");
	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(other));
	CHECK_EQ(splice(in, &offset, ends[1], NULL, 5, 0), 5);
	CHECK_EQ(tee(ends[0], other[1], 100, 0), 5);
	CHECK_EQ(read(other[0], got, 15), 5);
	CHECK_STR(got, "12345");
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 3, 0), 3);
	memset(got, 0, sizeof got);
	CHECK_EQ(read(other[0], got, 15), 3);
	CHECK_STR(got, "123");
	CHECK_EQ(splice(ends[0], NULL, in, NULL, 10, 0), 2);
	CHECK_ERRNO(splice(in, NULL, in, NULL, 1, 0), EINVAL);
	CHECK_ERRNO(splice(ends[0], &offset, in, NULL, 1, 0), ESPIPE);
}

TEST("are fsync, fdatasync, sync, syncfs, readahead and fadvise accepted where they should?")
{
	int fd, ends[2];

	guest_scratch();
	fd = file("f", "x");
	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	CHECK_OK(syscall(SYS_syncfs, fd));
	CHECK_OK(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	CHECK_ERRNO(syscall(SYS_fadvise64, fd, 0, 0, 99), EINVAL);
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(fsync(ends[0]), EINVAL);
	CHECK_ERRNO(syscall(SYS_fadvise64, ends[0], 0, 0, 0), ESPIPE);
	CHECK_ERRNO(fsync(999), EBADF);
}

/* A name of `length` bytes that ends where the page ends, before one that may not be read. */
static void name_at_edge(char *page, size_t length)
{
	char *name = page + PAGE - length - 1;
	struct stat st;

	memset(name, 'n', length);
	page[PAGE - 1] = 0;
	CHECK_OK(guest_file(name, "x", 0600));
	CHECK_OK(stat(name, &st));
	page[PAGE - 1] = 'n';
	CHECK_ERRNO(stat(name, &st), EFAULT);
	page[PAGE - 1] = 0;
	CHECK_OK(unlink(name));
}

static char *two_pages(void)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	return pages;
}

TEST("is a name read to its end and no further, at the end of readable memory?")
{
	char *page = two_pages(), far[64] = "x\0garbage behind the name";
	struct stat st;

	guest_scratch();
	CHECK_OK(mprotect(page + PAGE, PAGE, PROT_NONE));
	for (size_t length = 1; length <= 40; length++)
		name_at_edge(page, length);
	CHECK_OK(guest_file("x", "x", 0600));
	CHECK_OK(stat(far, &st));
	/* In, and over the boundary into, a page that was never touched. */
	page = two_pages();
	CHECK_ERRNO(stat(page + PAGE, &st), ENOENT);
	page = two_pages();
	page[PAGE - 1] = 'x';
	CHECK_OK(stat(page + PAGE - 1, &st));
}

static struct timespec atime_after_read(int fd)
{
	struct stat st;
	char byte;

	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_OK(fstat(fd, &st));
	return st.st_atim;
}

TEST("does a read change the access time once after a change of the file, and not one to come?")
{
	struct timespec old, first, times[2] = { { 5, 0 }, { 7, 0 } };
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(futimens(fd, times));
	old = atime_after_read(fd);
	CHECK(old.tv_sec > 7);
	guest_sleep_ms(20);
	/* That time may equal the change's on a coarse clock; this one does not. */
	first = atime_after_read(fd);
	guest_sleep_ms(20);
	old = atime_after_read(fd);
	CHECK(old.tv_sec == first.tv_sec && old.tv_nsec == first.tv_nsec);
	times[0].tv_sec = old.tv_sec + 1000000;
	CHECK_OK(futimens(fd, times));
	CHECK_EQ(atime_after_read(fd).tv_sec, times[0].tv_sec);
}

TEST("do null, zero, full and random behave as themselves?")
{
	int null = CHECK_OK(open("/dev/null", O_RDWR)), zero = CHECK_OK(open("/dev/zero", O_RDWR));
	int full = CHECK_OK(open("/dev/full", O_RDWR)),
	    random = CHECK_OK(open("/dev/urandom", O_RDONLY));
	char got[64], again[64];
	struct stat st;

	CHECK_EQ(read(null, got, 64), 0);
	CHECK_EQ(write(null, got, 64), 64);
	memset(got, 1, 64);
	CHECK_EQ(read(zero, got, 64), 64);
	CHECK_EQ(got[63], 0);
	CHECK_EQ(read(full, got, 64), 64);
	CHECK_ERRNO(write(full, got, 1), ENOSPC);
	CHECK_EQ(read(random, got, 64), 64);
	CHECK_EQ(read(random, again, 64), 64);
	CHECK(memcmp(got, again, 64) != 0);
	CHECK_OK(fstat(null, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, 0x103);
	CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
}

TEST_LIMIT("is a 32 MiB file of a known pattern read back the same in odd pieces?", 60)
{
	static uint32_t block[8191];
	int fd;
	size_t total = 0;

	guest_scratch();
	fd = file("big", "");
	for (unsigned i = 0; total < 32 << 20; i++, total += sizeof block) {
		for (unsigned j = 0; j < 8191; j++)
			block[j] = i * 8191 + j;
		CHECK_EQ(write(fd, block, sizeof block), sizeof block);
	}
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	for (uint32_t expected = 0; total;) {
		ssize_t got = CHECK_OK(read(fd, block, 4 * 1237));

		CHECK(got > 0 && got % 4 == 0);
		for (int j = 0; j < got / 4; j++, expected++) {
			if (block[j] != expected)
				FAIL("word %u is %u", expected, block[j]);
		}
		total -= got;
	}
}
