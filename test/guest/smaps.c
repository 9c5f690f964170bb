/*
 * /proc/PID/smaps: is a page counted as shared when another process maps it, by fork, by MAP_SHARED
 * or as the same file's, as private when nobody else does any more; and is Pss its share?
 *
 * Who shares it has touched it: Linux's fork leaves a shared mapping's entries out of the child.
 */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

/* In KiB. */
struct counts { long rss, pss, shared, private, anonymous; };

static void take(struct counts *c, const char *line)
{
	char name[32];
	long kib;

	if (sscanf(line, "%31[A-Za-z_]: %ld kB", name, &kib) != 2)
		return;
	c->rss += strcmp(name, "Rss") == 0 ? kib : 0;
	c->pss += strcmp(name, "Pss") == 0 ? kib : 0;
	c->shared += strncmp(name, "Shared_", 7) == 0 ? kib : 0;
	c->private += strncmp(name, "Private_", 8) == 0 && strstr(name, "Huge") == NULL ? kib : 0;
	c->anonymous += strcmp(name, "Anonymous") == 0 ? kib : 0;
}

/*
 * Of the area that `address` lies in; of all without one. The text is made in one read, before
 * anything of this process is written: a buffer of the C library's would be in the table that is
 * looked at, and change who shares it.
 */
static struct counts counts_of(pid_t pid, const char *file, const char *address)
{
	struct counts c = { 0 };
	uintptr_t low, high;
	static char text[1 << 18];
	bool inside = true;
	char name[64], *rest = text, *line;
	ssize_t n, length = 0;
	int fd;

	snprintf(name, sizeof name, "/proc/%d/%s", (int)pid, file);
	fd = CHECK_OK(open(name, O_RDONLY));
	while ((n = CHECK_OK(read(fd, text + length, sizeof text - 1 - length))) > 0)
		length += n;
	text[length] = 0;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = address == NULL ||
				 (low <= (uintptr_t)address && (uintptr_t)address < high);
		else if (inside)
			take(&c, line);
	}
	close(fd);
	return c;
}

static void expect(pid_t pid, const char *address, long shared, long private, long pss_kib)
{
	const struct counts c = counts_of(pid, "smaps", address);

	CHECK_EQ(c.shared, shared * 4);
	CHECK_EQ(c.private, private * 4);
	CHECK_EQ(c.rss, c.shared + c.private);
	CHECK_EQ(c.pss, pss_kib);
}

/* An area of its own: nothing beside it that it could become one with. */
static char *alone(size_t pages)
{
	char *memory = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);

	CHECK(memory != MAP_FAILED);
	CHECK_OK(mprotect(memory + PAGE, pages * PAGE, RW));
	return memory + PAGE;
}

/* A child that does something and stops, so that no page of its changes while it is looked at. */
static pid_t child_that(void (*does)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		does(arg);
		for (;;)
			raise(SIGSTOP);
	}
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	return pid;
}

static void end(pid_t pid)
{
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

#define PAGES 64

static void read_all(void *memory)
{
	for (size_t i = 0; i < PAGES; i++)
		(void)*(volatile char *)((char *)memory + i * PAGE);
}

static void write_quarter(void *memory) { memset(memory, 2, PAGES / 4 * PAGE); }

TEST("is what fork shares shared in both, and private where one of them wrote?")
{
	char *memory = alone(PAGES);
	pid_t child;

	memset(memory, 1, PAGES * PAGE);
	expect(getpid(), memory, 0, 64, 256);
	CHECK_EQ(counts_of(getpid(), "smaps", memory).anonymous, 256);
	child = child_that(read_all, memory);
	expect(getpid(), memory, 64, 0, 128);
	expect(child, memory, 64, 0, 128);
	write_quarter(memory);
	expect(getpid(), memory, 48, 16, 64 + 96);
	expect(child, memory, 48, 16, 64 + 96);
	end(child);
	expect(getpid(), memory, 0, 64, 256);
}

TEST("does a page of three processes count a third in Pss?")
{
	char *memory = alone(PAGES);
	pid_t first, second;

	memset(memory, 1, PAGES * PAGE);
	first = child_that(read_all, memory);
	second = child_that(read_all, memory);
	expect(getpid(), memory, 64, 0, 85);
	end(first);
	expect(getpid(), memory, 64, 0, 128);
	end(second);
	expect(getpid(), memory, 0, 64, 256);
}

TEST("is a child's copy its own, and the parent's the parent's?")
{
	char *memory = alone(PAGES);
	pid_t child;

	memset(memory, 1, PAGES * PAGE);
	child = child_that(write_quarter, memory);
	expect(getpid(), memory, 48, 16, 64 + 96);
	expect(child, memory, 48, 16, 64 + 96);
	end(child);
}

TEST("is shared anonymous memory private while one process maps it, and shared with two?")
{
	char *memory = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(memory != MAP_FAILED);
	memset(memory, 1, PAGES * PAGE);
	expect(getpid(), memory, 0, 64, 256);
	child = child_that(read_all, memory);
	expect(getpid(), memory, 64, 0, 128);
	expect(child, memory, 64, 0, 128);
	end(child);
	expect(getpid(), memory, 0, 64, 256);
}

static const char file_name[] = "smaps.data";

static char *map_file(int prot, int flags)
{
	int fd = open(file_name, O_RDWR);
	char *memory = mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);

	CHECK(memory != MAP_FAILED);
	close(fd);
	read_all(memory);
	return memory;
}

static void map_again(void *where) { *(char **)where = map_file(PROT_READ, MAP_PRIVATE); }
static void map_and_write(void *where)
{
	*(char **)where = map_file(RW, MAP_PRIVATE);
	write_quarter(*(char **)where);
}

static void make_file(void)
{
	static char page[PAGE];
	int fd = open(file_name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(write(fd, page, sizeof page), (long)sizeof page);
	close(fd);
}

TEST("is a file's page shared when two map the file, and a written copy of it private?")
{
	char **there = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *memory;
	pid_t child;

	CHECK(there != MAP_FAILED);
	make_file();
	child = child_that(map_again, there);
	memory = map_file(PROT_READ, MAP_PRIVATE);
	expect(getpid(), memory, 64, 0, 128);
	expect(child, *there, 64, 0, 128);
	CHECK_EQ(counts_of(getpid(), "smaps", memory).anonymous, 0);
	end(child);
	expect(getpid(), memory, 0, 64, 256);
	CHECK_OK(munmap(memory, PAGES * PAGE));
	child = child_that(map_and_write, there);
	memory = map_file(RW, MAP_SHARED);
	expect(getpid(), memory, 48, 16, 64 + 96);
	expect(child, *there, 48, 16, 64 + 96);
	CHECK_EQ(counts_of(child, "smaps", *there).anonymous, 64);
	end(child);
	CHECK_OK(unlink(file_name));
}

TEST("is smaps_rollup the sum, and are shared and private pages together the resident ones?")
{
	struct counts all, sum;
	pid_t child;

	child = child_that(read_all, alone(PAGES));
	/* Reading writes our own pages, which are the child's alone then: done once before. */
	for (int i = 0; i < 2; i++) {
		all = counts_of(child, "smaps_rollup", NULL);
		sum = counts_of(child, "smaps", NULL);
	}
	CHECK_EQ(all.rss, sum.rss);
	CHECK_EQ(all.shared, sum.shared);
	CHECK_EQ(all.private, sum.private);
	CHECK_EQ(all.rss, all.shared + all.private);
	CHECK(all.pss >= sum.pss && all.pss > 0 && all.pss < all.rss);
	end(child);
}
