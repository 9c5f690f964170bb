/*
 * Files under several processes at once: does a tree that all of them make, rename, link, remove,
 * read, write, map and list at random stay whole, and leave nothing behind? And pipes with epoll,
 * and locks?
 */
#include "guest.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/file.h>

#define WORKERS 6
#define SECONDS 4

static uint32_t seed;
static int stop;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* One of a few names, up to three folders deep. */
static void random_path(char *path)
{
	uint32_t depth = below(3);

	path[0] = '\0';
	for (uint32_t i = 0; i < depth; i++)
		sprintf(path + strlen(path), "%c/", 'a' + (char)below(3));
	sprintf(path + strlen(path), "%c", 'a' + (char)below(5));
}

static void read_some(const char *path)
{
	char buffer[5000];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* Every page that a write puts there begins with its own offset, whoever wrote it. */
static void write_some(const char *path, int flags)
{
	uint64_t page[PAGE / 8] = { 0 };
	int fd = open(path, O_RDWR | O_CREAT | flags, 0644);

	if (fd < 0)
		return;
	for (uint32_t i = 0, n = below(8); i < n; i++) {
		off_t at = (off_t)(below(16) * PAGE);

		page[0] = (uint64_t)at + 1;
		if (pwrite(fd, page, PAGE, at) != (ssize_t)PAGE)
			CHECK(errno == ENOSPC);
	}
	close(fd);
}

static void check_mapping(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	uint64_t *view;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (off_t)PAGE) {
		view = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		CHECK(view != MAP_FAILED);
		/*
		 * Somebody may truncate it any time: then reading it is SIGBUS, so read() instead.
		 */
		CHECK_OK(munmap(view, PAGE));
		uint64_t first = 0;
		ssize_t n = pread(fd, &first, 8, (off_t)PAGE);

		CHECK(n <= 0 || first == 0 || first == PAGE + 1);
	}
	close(fd);
}

static void list(const char *path)
{
	DIR *dir = opendir(path);

	if (dir == NULL)
		return;
	while (readdir(dir) != NULL)
		;
	closedir(dir);
}

static void one_operation(void)
{
	char a[64], b[64];

	random_path(a);
	random_path(b);
	switch (below(16)) {
	case 0: case 1:
		(void)!mkdir(a, 0755);
		break;
	case 2:
		(void)!rmdir(a);
		break;
	case 3: case 4:
		write_some(a, 0);
		break;
	case 5:
		write_some(a, O_TRUNC);
		break;
	case 6:
		(void)!unlink(a);
		break;
	case 7:
		(void)!link(a, b);
		break;
	case 8: case 9:
		(void)!rename(a, b);
		break;
	case 10:
		(void)!symlink(b, a);
		break;
	case 11:
		read_some(a);
		break;
	case 12:
		check_mapping(a);
		break;
	case 13:
		list(a);
		break;
	case 14:
		(void)!syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* RENAME_EXCHANGE */);
		break;
	default:
		(void)!truncate(a, (off_t)(below(20) * 1000));
		break;
	}
}

/* Everything in the current folder. By chdir, for renames make trees deeper than any path. */
static void remove_all(void)
{
	DIR *dir = opendir(".");

	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		CHECK_OK(lstat(entry->d_name, &st));
		if (S_ISDIR(st.st_mode)) {
			CHECK_OK(chdir(entry->d_name));
			remove_all();
			CHECK_OK(chdir(".."));
			CHECK_OK(rmdir(entry->d_name));
		} else {
			CHECK_OK(unlink(entry->d_name));
		}
	}
	closedir(dir);
}

TEST_LIMIT("does a tree that many change at random stay whole?", 60)
{
	pid_t pids[WORKERS];

	guest_scratch();
	CHECK_OK(mkdir("tree", 0755));
	CHECK_OK(chdir("tree"));
	for (int i = 0; i < WORKERS; i++) {
		CHILD(pids[i]) {
			int64_t end = guest_now_ns() + SECONDS * 1000000000LL;

			seed = 77 + (uint32_t)i;
			while (guest_now_ns() < end)
				one_operation();
		}
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK_EXIT(pids[i], 0);
	remove_all();
	CHECK_OK(chdir(".."));
	CHECK_OK(rmdir("tree"));
}

/* --- a directory's life ----------------------------------------------------------------------- */

static void *look_for_missing(void *arg)
{
	struct stat st;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		CHECK(stat("removed/inner/missing", &st) < 0);
		CHECK(errno == ENOENT);
	}
	return NULL;
}

/* A name known to be absent must not keep the directory that is gone. */
TEST_LIMIT("does a removed directory go although names are being looked up in it?", 60)
{
	pthread_t threads[4];

	guest_scratch();
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, look_for_missing, NULL), 0);
	for (int64_t end = guest_now_ns() + SECONDS / 2 * 1000000000LL; guest_now_ns() < end;) {
		CHECK_OK(mkdir("removed", 0755));
		CHECK_OK(mkdir("removed/inner", 0755));
		CHECK_OK(rmdir("removed/inner"));
		CHECK_OK(mkdir("other", 0755));
		CHECK_OK(mkdir("removed/inner", 0755));
		CHECK_OK(rename("other", "removed/inner"));
		CHECK_OK(rmdir("removed/inner"));
		CHECK_OK(rmdir("removed"));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* --- pipes and epoll -------------------------------------------------------------------------- */

static int shared_epoll;

static void *wait_for_events(void *arg)
{
	struct epoll_event events[8];
	char bytes[64];

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		int n = epoll_wait(shared_epoll, events, 8, 50);

		for (int i = 0; i < n; i++)
			(void)!read(events[i].data.fd, bytes, sizeof(bytes));
	}
	return NULL;
}

static void *churn(void *arg)
{
	uint32_t mine = (uint32_t)(uintptr_t)arg;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		struct epoll_event event = { .events = EPOLLIN };
		int ends[2];

		mine = mine * 1664525 + 1013904223;
		CHECK_OK(pipe2(ends, O_NONBLOCK));
		event.data.fd = ends[0];
		if (mine >> 31)
			event.events |= EPOLLET;
		CHECK_OK(epoll_ctl(shared_epoll, EPOLL_CTL_ADD, ends[0], &event));
		for (uint32_t i = 0; i < (mine >> 16) % 5; i++)
			CHECK_EQ(write(ends[1], "x", 1), 1);
		if (mine >> 30 & 1)
			CHECK_OK(epoll_ctl(shared_epoll, EPOLL_CTL_MOD, ends[0], &event));
		if (mine >> 29 & 1)
			CHECK_OK(epoll_ctl(shared_epoll, EPOLL_CTL_DEL, ends[0], NULL));
		close(ends[mine >> 28 & 1]);
		close(ends[!(mine >> 28 & 1)]);
	}
	return NULL;
}

TEST_LIMIT("do pipes come and go under an epoll that others wait on?", 60)
{
	pthread_t threads[6];

	shared_epoll = CHECK_OK(epoll_create1(0));
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, i < 3 ? wait_for_events : churn,
					(void *)(uintptr_t)(i * 12345)), 0);
	guest_sleep_ms(SECONDS * 1000);
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	close(shared_epoll);
}

/* --- locks ------------------------------------------------------------------------------------ */

/* Adds one to a number in the file, under a lock: none may be lost. */
static void count_under_lock(int fd, bool whole_file)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 8 };
	uint64_t n = 0;

	if (whole_file)
		CHECK_OK(flock(fd, LOCK_EX));
	else
		CHECK_OK(fcntl(fd, F_SETLKW, &lock));
	CHECK_EQ(pread(fd, &n, 8, 0), 8);
	n++;
	CHECK_EQ(pwrite(fd, &n, 8, 0), 8);
	lock.l_type = F_UNLCK;
	if (whole_file)
		CHECK_OK(flock(fd, LOCK_UN));
	else
		CHECK_OK(fcntl(fd, F_SETLK, &lock));
}

static void check_locks(bool whole_file)
{
	uint64_t n = 0;
	pid_t pids[4];
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("counter", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(fd, &n, 8), 8);
	for (int i = 0; i < 4; i++) {
		CHILD(pids[i]) {
			int own = CHECK_OK(open("counter", O_RDWR));

			for (int k = 0; k < 300; k++)
				count_under_lock(own, whole_file);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(pids[i], 0);
	CHECK_EQ(pread(fd, &n, 8, 0), 8);
	CHECK_EQ(n, 1200);
}

TEST_LIMIT("do record locks keep four processes apart?", 60)
{
	check_locks(false);
}

TEST_LIMIT("does flock keep four processes apart?", 60)
{
	check_locks(true);
}
