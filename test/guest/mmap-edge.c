/*
 * Arguments of the memory calls at the edges: lengths that wrap, ranges over the border of an area,
 * more than all memory, advice without the right for it. What Linux 6.1 answers.
 */
#include "guest.h"

#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RAW_DONTNEED_LOCKED 24
#define RAW_POPULATE_READ 22
#define RAW_POPULATE_WRITE 23

static char *map_as(size_t bytes, int prot, int flags)
{
	char *memory = mmap(NULL, bytes, prot, flags, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static char *map_file(int fd, int prot, int type)
{
	char *memory = mmap(NULL, 4 * PAGE, prot, type, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static bool is_mapped(void *page)
{
	unsigned char there;

	return mincore(page, PAGE, &there) == 0;
}

static bool is_writable(char *page)
{
	int ends[2];
	bool could;

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	could = read(ends[0], page, 1) == 1;
	CHECK(could || errno == EFAULT);
	close(ends[0]);
	close(ends[1]);
	return could;
}

/* Nobody can promise as much: twice the memory and the swap there is. */
static size_t too_much(void)
{
	struct sysinfo info;

	CHECK_OK(sysinfo(&info));
	return (2 * (info.totalram + info.totalswap) * info.mem_unit | (PAGE - 1)) + 1;
}

TEST("does mprotect with PROT_GROWSDOWN reach down to the area's start, and refuse other areas?")
{
	char *memory = map_as(4 * PAGE, RW, ANON);
	char *stack = map_as(4 * PAGE, RW, ANON | MAP_GROWSDOWN);

	CHECK_ERRNO(mprotect(memory, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	CHECK_ERRNO(mprotect(memory, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	CHECK(is_writable(memory));
	CHECK_OK(mprotect(stack + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
	CHECK(!is_writable(stack) && !is_writable(stack + 2 * PAGE));
	CHECK(is_writable(stack + 3 * PAGE));
	CHECK_OK(munmap(memory, 2 * PAGE));
	CHECK_ERRNO(mprotect(memory, PAGE, PROT_READ | PROT_GROWSDOWN), ENOMEM);
}

TEST("is a length that rounding up wraps to 0 nothing to mlock and msync, wrong to the others?")
{
	char *memory = map_as(4 * PAGE, RW, ANON);

	CHECK_OK(mlock(memory, -1UL));
	CHECK_OK(mlock(memory + 5, -1UL));
	CHECK_OK(munlock(memory, -1UL));
	CHECK_ERRNO(mlock(memory, -PAGE), EINVAL);
	CHECK_OK(msync(memory, -1UL, MS_SYNC));
	CHECK_ERRNO(msync(memory, -PAGE, MS_SYNC), ENOMEM);
	CHECK_ERRNO(madvise(memory, -1UL, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(syscall(SYS_mprotect, memory, -1UL, RW), ENOMEM);	/* musl rounds itself */
	CHECK_ERRNO(munmap(memory, -1UL), EINVAL);
}

TEST("does mremap to a smaller size unmap its whole range, over borders, holes and the end?")
{
	char *memory = map_as(32 * PAGE, RW, ANON);

	CHECK_OK(munmap(memory + 16 * PAGE, 16 * PAGE));
	CHECK_OK(mprotect(memory + 8 * PAGE, PAGE, PROT_READ));
	CHECK_OK(munmap(memory + 4 * PAGE, PAGE));
	CHECK((char *)mremap(memory, 17 * PAGE, 17 * PAGE, 0) == memory);
	CHECK(is_mapped(memory + 15 * PAGE));
	CHECK((char *)mremap(memory, 17 * PAGE, 2 * PAGE, 0) == memory);
	CHECK(is_mapped(memory + PAGE));
	for (int i = 2; i < 17; i++)
		CHECK(!is_mapped(memory + i * PAGE));
	*memory = 7;
	CHECK((char *)mremap(memory, 17 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     memory + 20 * PAGE) == memory + 20 * PAGE);
	CHECK_EQ(memory[20 * PAGE], 7);
	CHECK(!is_mapped(memory) && !is_mapped(memory + PAGE));
	CHECK_ERRNO((long)mremap(memory, 17 * PAGE, PAGE, 0), EFAULT);
	CHECK_ERRNO((long)mremap(memory + 20 * PAGE, 1UL << 47, PAGE, 0), EINVAL);
}

TEST("does anonymous memory have no offset that could overflow, and a file has?")
{
	int zero = CHECK_OK(open("/dev/zero", O_RDWR));

	CHECK(mmap(NULL, 2 * PAGE, RW, ANON, -1, -(off_t)PAGE) != MAP_FAILED);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, -(off_t)PAGE) != MAP_FAILED);
	CHECK_ERRNO((long)mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, zero, -(off_t)PAGE), EOVERFLOW);
}

TEST("is more than all memory refused to mmap, mprotect, mremap and brk alike?")
{
	size_t bytes = too_much();
	char *start = (char *)syscall(SYS_brk, 0), *memory = map_as(PAGE, RW, ANON);

	CHECK_ERRNO((long)mmap(NULL, bytes, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO((long)mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECK_ERRNO((long)mremap(memory, PAGE, bytes, MREMAP_MAYMOVE), ENOMEM);
	CHECK_EQ(syscall(SYS_brk, start + bytes), (long)start);
	memory = map_as(bytes, PROT_READ, ANON);
	CHECK_ERRNO(mprotect(memory, bytes, RW), ENOMEM);
	CHECK_OK(mprotect(memory, PAGE, RW));
	*memory = 1;
}

TEST("is as much mapped with MAP_NORESERVE, also after mprotect, mremap and fork?")
{
	size_t bytes = too_much();
	char *memory = map_as(bytes, PROT_READ, ANON | MAP_NORESERVE);
	pid_t pid;

	CHECK_OK(mprotect(memory, bytes, RW));
	memory[bytes - 1] = 3;
	CHILD(pid) {
		CHECK_EQ(memory[bytes - 1], 3);
		memory = mremap(memory, bytes, 2 * bytes, MREMAP_MAYMOVE);
		CHECK(memory != MAP_FAILED);
		CHECK_EQ(memory[bytes - 1], 3);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK((long)map_as(bytes, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE));
}

TEST("is MADV_POPULATE without the right for it EINVAL, and over a hole ENOMEM?")
{
	char *memory = map_as(4 * PAGE, PROT_READ, ANON);

	CHECK_OK(madvise(memory, PAGE, RAW_POPULATE_READ));
	CHECK_ERRNO(madvise(memory, PAGE, RAW_POPULATE_WRITE), EINVAL);
	CHECK_OK(mprotect(memory, PAGE, PROT_NONE));
	CHECK_ERRNO(madvise(memory, PAGE, RAW_POPULATE_READ), EINVAL);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(madvise(memory + PAGE, PAGE, RAW_POPULATE_READ), ENOMEM);
}

TEST("are MADV_MERGEABLE and UNMERGEABLE harmless advice?")
{
	char *memory = map_as(4 * PAGE, RW, ANON);

	*memory = 5;
	CHECK_OK(madvise(memory, 4 * PAGE, MADV_MERGEABLE));
	CHECK_OK(madvise(memory, 4 * PAGE, MADV_UNMERGEABLE));
	CHECK_EQ(*memory, 5);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(madvise(memory, 2 * PAGE, MADV_MERGEABLE), ENOMEM);
	CHECK_ERRNO(madvise(memory + 1, PAGE, MADV_MERGEABLE), EINVAL);
}

TEST("does MADV_DONTNEED_LOCKED drop locked memory, which MADV_DONTNEED does not?")
{
	char *memory = map_as(PAGE, RW, ANON);

	*memory = 5;
	CHECK_OK(mlock(memory, PAGE));
	CHECK_ERRNO(madvise(memory, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_EQ(*memory, 5);
	CHECK_OK(madvise(memory, PAGE, RAW_DONTNEED_LOCKED));
	CHECK_EQ(*memory, 0);
}

TEST("is MADV_REMOVE EACCES where the file may not be written through, EINVAL where there is none?")
{
	int fd = CHECK_OK(memfd_create("remove", 0)), reader;
	char name[40], *shared, *memory = map_as(4 * PAGE, RW, ANON);

	CHECK_OK(ftruncate(fd, 4 * PAGE));
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reader = CHECK_OK(open(name, O_RDONLY));
	CHECK_ERRNO(madvise(memory, PAGE, MADV_REMOVE), EINVAL);
	CHECK_ERRNO(madvise(map_file(fd, RW, MAP_PRIVATE), PAGE, MADV_REMOVE), EACCES);
	CHECK_ERRNO(madvise(map_file(reader, PROT_READ, MAP_SHARED), PAGE, MADV_REMOVE), EACCES);
	shared = map_file(fd, RW, MAP_SHARED);
	*shared = 1;
	CHECK_OK(mlock(shared, PAGE));
	CHECK_ERRNO(madvise(shared, PAGE, MADV_REMOVE), EINVAL);
	CHECK_OK(munlock(shared, PAGE));
	CHECK_OK(madvise(shared, PAGE, MADV_REMOVE));
	CHECK_EQ(*shared, 0);
}
