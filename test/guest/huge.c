/*
 * 2 MiB pages as a program sees them: when it gets them, what is left of them when it unmaps,
 * protects, moves or, after a fork, writes a part; who can forbid them; and whether threads that
 * use them lose anything while another forks.
 */
#include "guest.h"

#include <pthread.h>
#include <sys/prctl.h>

#define LARGE (2UL << 20)
#define RW (PROT_READ | PROT_WRITE)
#define MODE "/sys/kernel/mm/transparent_hugepage/enabled"

/* AnonHugePages in KiB of the areas that begin in [start,end). */
static long huge_kib(const char *start, const char *end)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512];
	long sum = 0, kib;
	uintptr_t low, high;
	bool inside = false;

	CHECK(smaps != NULL);
	while (fgets(line, sizeof line, smaps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &low, &high) == 2)
			inside = low >= (uintptr_t)start && low < (uintptr_t)end;
		else if (inside && sscanf(line, "AnonHugePages: %ld kB", &kib) == 1)
			sum += kib;
	}
	fclose(smaps);
	return sum;
}

/* `leaves` aligned 2 MiB, advised, between unmapped pages; each page's first long is its number. */
static char *large_memory(int leaves)
{
	char *memory = mmap(NULL, (size_t)(leaves + 2) * LARGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t bytes = (size_t)leaves * LARGE;

	CHECK(memory != MAP_FAILED);
	memory = (char *)(((uintptr_t)memory + LARGE) & ~(LARGE - 1));
	CHECK_OK(mprotect(memory, bytes, RW));
	CHECK_OK(madvise(memory, bytes, MADV_HUGEPAGE));
	for (size_t i = 0; i < bytes / PAGE; i++)
		*(long *)(memory + i * PAGE) = (long)i + 1;
	return memory;
}

static void check_pages(const char *memory, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		CHECK_EQ(*(const long *)(memory + i * PAGE), i + 1);
}

/* A machine where memory is short or the mode is never has none to give. */
static char *large_or_skip(int leaves)
{
	char *memory = large_memory(leaves), text[64];

	CHECK(guest_read_file(MODE, text, sizeof text) > 0);
	if (strstr(text, "[never]") != NULL || huge_kib(memory, memory + LARGE) == 0)
		SKIP("no 2 MiB pages here");
	return memory;
}

TEST("does the mode read as a choice of three, and take one of them only?")
{
	char text[64], *chosen, *end;
	int fd;

	CHECK(guest_read_file(MODE, text, sizeof text) > 0);
	CHECK(strstr(text, "always") && strstr(text, "madvise") && strstr(text, "never"));
	chosen = strchr(text, '[');
	end = strchr(text, ']');
	CHECK(chosen != NULL && end != NULL && chosen < end);
	fd = open(MODE, O_WRONLY);
	if (fd < 0)
		SKIP("the mode cannot be written here");
	CHECK_ERRNO(write(fd, "sometimes", 9), EINVAL);
	CHECK_ERRNO(write(fd, "alway", 5), EINVAL);
	/* The one it has: another machine's owner would not thank us for a new one. */
	CHECK_EQ(write(fd, chosen + 1, (size_t)(end - chosen - 1)), end - chosen - 1);
	close(fd);
}

TEST("does an advised area get 2 MiB pages, that /proc shows and munmap takes?")
{
	char *memory = large_or_skip(2);

	CHECK_EQ(huge_kib(memory, memory + 2 * LARGE), 4096);
	check_pages(memory, 0, 1024);
	CHECK_OK(munmap(memory + LARGE, LARGE));
	CHECK_EQ(huge_kib(memory, memory + LARGE), 2048);
	check_pages(memory, 0, 512);
}

TEST("does what cuts a 2 MiB page leave the rest of it?")
{
	char *memory = large_or_skip(4), *moved;
	unsigned char present[512];

	CHECK_OK(munmap(memory + 10 * PAGE, PAGE));
	check_pages(memory, 0, 10);
	check_pages(memory, 11, 2048);
	CHECK_OK(madvise(memory + LARGE + 20 * PAGE, 5 * PAGE, MADV_DONTNEED));
	check_pages(memory, 512, 532);
	CHECK_EQ(*(long *)(memory + LARGE + 22 * PAGE), 0);
	check_pages(memory, 537, 2048);
	CHECK_OK(mprotect(memory + 2 * LARGE + 7 * PAGE, PAGE, PROT_READ));
	check_pages(memory, 1024, 2048);
	*(long *)(memory + 2 * LARGE + 8 * PAGE) = 1033;
	moved = mremap(memory + 3 * LARGE + 100 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE |
		       MREMAP_FIXED, memory);
	CHECK(moved == memory);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(*(long *)(moved + i * PAGE), 1536 + 100 + i + 1);
	check_pages(memory, 4, 10);
	check_pages(memory, 1536, 1636);
	check_pages(memory, 1640, 2048);
	CHECK_OK(mincore(memory + 2 * LARGE, LARGE, present));
	for (int i = 0; i < 512; i++)
		CHECK_EQ(present[i] & 1, 1);
}

TEST("do parent and child keep their own after fork, whoever writes a part of it first?")
{
	char *memory = large_or_skip(2);
	struct guest_gate gate = guest_gate();
	pid_t pid;

	CHILD(pid) {
		*(long *)(memory + 5 * PAGE) = -5;
		guest_gate_pass(&gate);
		check_pages(memory, 0, 5);
		check_pages(memory, 6, 1024);
		CHECK_EQ(*(long *)(memory + 5 * PAGE), -5);
		for (long i = 0; i < 1024; i++)
			*(long *)(memory + (size_t)i * PAGE) = -i;
	}
	*(long *)(memory + LARGE) = 0;
	*(long *)(memory + 6 * PAGE) = 0;
	guest_gate_open(&gate);
	CHECK_EXIT(pid, 0);
	check_pages(memory, 0, 6);
	check_pages(memory, 7, 512);
	check_pages(memory, 513, 1024);
	CHECK_EQ(*(long *)(memory + LARGE), 0);
}

TEST("does a write after fork cost memory for what is written only?")
{
	char *memory = large_or_skip(4), *shared = guest_shared(PAGE);
	pid_t pid;

	CHILD(pid) {
		char before[4096], after[4096];
		long resident, then, size;

		CHECK(guest_read_file("/proc/self/statm", before, sizeof before) > 0);
		for (int i = 0; i < 4; i++)
			memory[(size_t)i * LARGE + 9 * PAGE] = 1;
		CHECK(guest_read_file("/proc/self/statm", after, sizeof after) > 0);
		CHECK_EQ(sscanf(before, "%ld %ld", &size, &resident), 2);
		CHECK_EQ(sscanf(after, "%ld %ld", &size, &then), 2);
		/* All of it was resident before. */
		CHECK_RANGE(then - resident, -1, 64);
		shared[0] = 1;
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(shared[0], 1);
	check_pages(memory, 0, 2048);
}

HELPER(thp_disabled)
{
	return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
}

TEST("does PR_SET_THP_DISABLE hold, over fork and exec too?")
{
	char *memory;
	pid_t pid;

	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	memory = large_memory(1);
	CHECK_EQ(huge_kib(memory, memory + LARGE), 0);
	CHILD(pid) {
		CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
		execv(guest_self(), guest_exec_args("thp_disabled", NULL));
	}
	CHECK_EXIT(pid, 1);
	CHECK_OK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
}

TEST("does MADV_NOHUGEPAGE keep an area to small pages?")
{
	char *memory = mmap(NULL, 3 * LARGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK_OK(madvise(memory, 3 * LARGE, MADV_NOHUGEPAGE));
	memset(memory, 1, 3 * LARGE);
	CHECK_EQ(huge_kib(memory, memory + 3 * LARGE), 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

static struct {
	volatile bool stop;
	char *memory;
	long errors;
} busy;

static void *keep_writing(void *arg)
{
	volatile long *mine = (volatile long *)(busy.memory + (long)arg * 40 * PAGE);

	for (long i = 1; !busy.stop; i++) {
		mine[0] = i;
		mine[PAGE / sizeof(long)] = i;
		if (mine[0] != i || mine[PAGE / sizeof(long)] != i)
			busy.errors++;
	}
	return NULL;
}

static void *keep_cutting(void *arg)
{
	(void)arg;
	while (!busy.stop) {
		char *memory = mmap(NULL, 2 * LARGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *part;

		if (memory == MAP_FAILED || madvise(memory, 2 * LARGE, MADV_HUGEPAGE) < 0) {
			busy.errors++;
			continue;
		}
		part = (char *)(((uintptr_t)memory + LARGE - 1) & ~(LARGE - 1));
		part[3 * PAGE] = 5;
		part[9 * PAGE] = 6;
		if (madvise(part + 3 * PAGE, PAGE, MADV_DONTNEED) < 0 || part[3 * PAGE] != 0 ||
		    munmap(part + 5 * PAGE, 2 * PAGE) < 0 || part[9 * PAGE] != 6 ||
		    munmap(memory, 2 * LARGE) < 0)
			busy.errors++;
	}
	return NULL;
}

static void *keep_dropping(void *arg)
{
	char *mine = busy.memory + LARGE;

	(void)arg;
	while (!busy.stop) {
		mine[100 * PAGE] = 1;
		if (madvise(mine + 100 * PAGE, PAGE, MADV_DONTNEED) < 0 || mine[100 * PAGE] != 0)
			busy.errors++;
	}
	return NULL;
}

TEST_LIMIT("is fork consistent while threads write, cut and drop 2 MiB pages?", 60)
{
	pthread_t threads[4];

	busy.memory = large_memory(2);
	/* The first fork may come before the first writer's first turn. */
	*(long *)busy.memory = *(long *)(busy.memory + PAGE) = 0;
	CHECK_EQ(pthread_create(&threads[0], NULL, keep_writing, (void *)0), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, keep_writing, (void *)1), 0);
	CHECK_EQ(pthread_create(&threads[2], NULL, keep_cutting, NULL), 0);
	CHECK_EQ(pthread_create(&threads[3], NULL, keep_dropping, NULL), 0);
	for (int i = 0; i < 40; i++) {
		pid_t pid;

		CHILD(pid) {
			volatile long *a = (volatile long *)busy.memory;
			long first = a[0], second = a[PAGE / sizeof(long)];

			/* Written in this order by one thread: one moment shows it so. */
			CHECK(first == second || first == second + 1);
			check_pages(busy.memory, 200, 512);
			a[0] = -1;
			CHECK_EQ(a[PAGE / sizeof(long)], second);
			check_pages(busy.memory, 700, 1024);
		}
		CHECK_EXIT(pid, 0);
	}
	busy.stop = true;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(busy.errors, 0);
}
