/*
 * What does a file of /proc say that is held open: of which moment is its text, and what is left of
 * it when its process executes another program or is gone?
 */
#include "guest.h"

#include <pthread.h>
#include <sys/prctl.h>

static char text[1 << 16];

/* The text at an offset, as far as one call gives it. */
static const char *text_at(int fd, off_t offset)
{
	ssize_t n = CHECK_OK(pread(fd, text, sizeof text - 1, offset));

	text[n] = 0;
	return text;
}

static void set_name(const char *name)
{
	CHECK_OK(prctl(PR_SET_NAME, name, 0, 0, 0));
}

TEST("is the text made at the first read, and again at each read from the start?")
{
	int fd = CHECK_OK(open("/proc/self/comm", O_RDONLY));

	set_name("first");
	CHECK_EQ(read(fd, text, sizeof text), 6);
	CHECK(memcmp(text, "first\n", 6) == 0);
	CHECK_EQ(read(fd, text, sizeof text), 0);
	set_name("second");
	CHECK_EQ(read(fd, text, sizeof text), 0);
	CHECK_STR(text_at(fd, 0), "second\n");
	set_name("third");
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(read(fd, text, sizeof text), 6);
	CHECK(memcmp(text, "third\n", 6) == 0);
}

TEST("does a read that goes on where the last ended give the same text, and any other a new one?")
{
	int fd = CHECK_OK(open("/proc/self/comm", O_RDONLY));

	set_name("abcdef");
	CHECK_EQ(pread(fd, text, 3, 0), 3);
	set_name("uvwxyz");
	CHECK_STR(text_at(fd, 3), "def\n");
	CHECK_STR(text_at(fd, 1), "vwxyz\n");
	CHECK_STR(text_at(fd, 100), "");
	set_name("a");
	CHECK_STR(text_at(fd, 2), "");
	CHECK_STR(text_at(fd, 0), "a\n");
}

TEST("do the files that tell about the machine go on telling, held open?")
{
	static const char *const files[] = { "/proc/uptime", "/proc/stat" };
	static char before[sizeof text];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		int fd = CHECK_OK(open(files[i], O_RDONLY));

		strcpy(before, text_at(fd, 0));
		CHECK(before[0] != 0);
		while (strcmp(text_at(fd, 0), before) == 0)
			guest_sleep_ms(10);
		close(fd);
	}
}

HELPER(tell_held)
{
	ssize_t n;

	/* The command line is this program's, what was mapped and set before is gone. */
	n = pread(atoi(argv[1]), text, sizeof text, 0);
	if (n <= 0 || !memmem(text, n, "a-word-of-mine", 14))
		return 1;
	for (int i = 2; i < 4; i++)
		if (pread(atoi(argv[i]), text, sizeof text, 0) != 0)
			return i;
	return 0;
}

TEST("after an exec, is cmdline the new program's, and maps and environ of the old memory, gone?")
{
	static const char *const files[] = { "/proc/self/cmdline", "/proc/self/maps",
					     "/proc/self/environ" };
	char number[3][12];
	pid_t child;

	CHILD(child) {
		for (int i = 0; i < 3; i++)
			snprintf(number[i], sizeof number[i], "%d",
				 (int)CHECK_OK(open(files[i], O_RDONLY)));
		execv(guest_self(), guest_exec_args("tell_held", number[0], number[1], number[2],
						    "a-word-of-mine", NULL));
		_exit(99);
	}
	CHECK_EXIT(child, 0);
}

/* A held file of a process that has ended: bytes (1: some), or the errno. */
struct held {
	const char *name;
	int as_zombie, when_reaped;
};

static const struct held held_files[] = {
	{ "auxv", 1, 1 }, { "cgroup", 1, -ESRCH }, { "cmdline", 0, -ESRCH },
	{ "comm", 1, -ESRCH }, { "environ", 0, 0 }, { "io", 1, -ESRCH },
	{ "limits", 1, -ESRCH }, { "maps", 0, -ESRCH }, { "mem", 0, 0 },
	{ "mountinfo", 1, 1 }, { "mounts", 1, 1 }, { "oom_score", 1, -ESRCH },
	{ "oom_score_adj", 1, -ESRCH }, { "personality", 1, -ESRCH }, { "smaps", 0, -ESRCH },
	{ "smaps_rollup", -ESRCH, -ESRCH }, { "stat", 1, -ESRCH }, { "statm", 1, -ESRCH },
	{ "status", 1, -ESRCH }, { "syscall", 1, -ESRCH }, { "uid_map", 1, 1 },
	{ "wchan", 1, -ESRCH }, { "fdinfo/0", -ENOENT, -ENOENT },
};
#define HELD_COUNT (sizeof held_files / sizeof held_files[0])

static void check_held(const int *fds, bool reaped)
{
	for (size_t i = 0; i < HELD_COUNT; i++) {
		int want = reaped ? held_files[i].when_reaped : held_files[i].as_zombie;
		ssize_t n = pread(fds[i], text, sizeof text, 0);

		if ((n < 0 ? -errno : n > 0) != want)
			FAIL("%s, %s: %zd, errno %d", held_files[i].name,
			     reaped ? "reaped" : "a zombie", n, errno);
	}
}

TEST("what is read from the held files of a process that has ended, and of one that is reaped?")
{
	int fds[HELD_COUNT];
	pid_t child = guest_fork();
	siginfo_t info;
	char path[64];

	if (child == 0)
		for (;;)
			pause();
	for (size_t i = 0; i < HELD_COUNT; i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", child, held_files[i].name);
		fds[i] = CHECK_OK(open(path, O_RDONLY));
	}
	CHECK_OK(kill(child, SIGKILL));
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	check_held(fds, false);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	check_held(fds, true);
}

static void check_mounts_are_there(int fd)
{
	CHECK(strstr(text_at(fd, 0), "/proc") != NULL);
}

/* The child's root becomes a folder below which nothing is mounted. */
static void look_at_mounts(const char *name)
{
	int go[2], there[2], before, after, proc = CHECK_OK(open("/proc", O_RDONLY));
	char path[64], c;
	siginfo_t info;
	pid_t child;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(there));
	child = guest_fork();
	if (child == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		CHECK_OK(chroot("jail"));
		snprintf(path, sizeof path, "%d/%s", getppid(), name);
		check_mounts_are_there(CHECK_OK(openat(proc, path, O_RDONLY)));
		CHECK_EQ(write(there[1], "x", 1), 1);
		pause();
	}
	CHECK_OK(close(there[1]));
	snprintf(path, sizeof path, "/proc/%d/%s", child, name);
	before = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(read(there[0], &c, 1), 1);
	after = CHECK_OK(open(path, O_RDONLY));
	check_mounts_are_there(before);
	CHECK_EQ(pread(after, text, sizeof text, 0), 0);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_OK(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	CHECK_ERRNO(open(path, O_RDONLY), EINVAL);
	check_mounts_are_there(before);
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST("do mounts and mountinfo show what the process sees from its root at the open, whoever reads?")
{
	guest_scratch();
	CHECK_OK(mkdir("jail", 0755));
	look_at_mounts("mounts");
	look_at_mounts("mountinfo");
}

/* As another user, of a child that then becomes secret. */
static void look_at_secret_child(void)
{
	int go[2], there[2], io, maps;
	char path[64], c;
	pid_t child;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(there));
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	child = guest_fork();
	if (child == 0) {
		CHECK_EQ(read(go[0], &c, 1), 1);
		CHECK_OK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
		CHECK_EQ(write(there[1], "x", 1), 1);
		pause();
	}
	snprintf(path, sizeof path, "/proc/%d/io", child);
	io = CHECK_OK(open(path, O_RDONLY));
	snprintf(path, sizeof path, "/proc/%d/maps", child);
	maps = CHECK_OK(open(path, O_RDONLY));
	CHECK(text_at(io, 0)[0] != 0);
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(read(there[0], &c, 1), 1);
	CHECK_ERRNO(pread(io, text, sizeof text, 0), EACCES);
	CHECK(text_at(maps, 0)[0] != 0);
	CHECK_OK(kill(child, SIGKILL));
	CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST("is the right to look checked at the open for maps, and at each making of the text for io?")
{
	pid_t child;

	CHILD(child)
		look_at_secret_child();
	CHECK_EXIT(child, 0);
}

static int shared_fd;
static int readers = 4;

static void *read_shared(void *arg)
{
	off_t offset = (off_t)(intptr_t)arg;
	static __thread char mine[1 << 16];

	for (int i = 0; i < 25; i++) {
		ssize_t n = pread(shared_fd, mine, sizeof mine, offset);

		CHECK(n > 0);
		CHECK_EQ(mine[n - 1], '\n');
	}
	__atomic_sub_fetch(&readers, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST("do threads that read one file at once, as its text grows and shrinks, get whole texts?")
{
	int count = readers;
	pthread_t threads[count];

	shared_fd = CHECK_OK(open("/proc/self/maps", O_RDONLY));
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, read_shared,
					(void *)(intptr_t)(i * 20)), 0);
	while (__atomic_load_n(&readers, __ATOMIC_RELAXED) > 0) {
		char *memory = guest_private(64 * PAGE);

		for (int i = 0; i < 64; i += 2)
			CHECK_OK(mprotect(memory + i * PAGE, PAGE, PROT_READ));
		CHECK_OK(munmap(memory, 64 * PAGE));
	}
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
