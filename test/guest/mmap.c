/*
 * mmap, munmap, mprotect, mremap, brk and their kin on anonymous memory: what is mapped where, with
 * which contents, and which arguments are refused. Faults are looked at through mmap-fault, files
 * through mmap-file.
 */
#include "guest.h"

#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t bytes)
{
	return guest_private(bytes);
}

/* Whether the page at this address is mapped, without touching it. */
static bool is_mapped(const void *page)
{
	unsigned char there;

	if (mincore((void *)page, PAGE, &there) == 0)
		return true;
	CHECK_EQ(errno, ENOMEM);
	return false;
}

/* How a child that writes (or only reads) here ends: 0 or the signal. */
static int signal_of_touch(volatile char *where, bool write)
{
	pid_t pid;
	int status;

	CHILD(pid) {
		if (write)
			*where = 1;
		else
			(void)*where;
	}
	status = guest_wait(pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST("is anonymous memory page aligned, zero, writable and kept?")
{
	unsigned char *memory = (void *)map(100 * PAGE);

	CHECK_EQ((uintptr_t)memory % PAGE, 0);
	for (size_t i = 0; i < 100 * PAGE; i++) {
		if (memory[i])
			FAIL("byte %zu is not zero", i);
	}
	for (size_t i = 0; i < 100 * PAGE; i += 509)
		memory[i] = i;
	for (size_t i = 0; i < 100 * PAGE; i += 509)
		CHECK_EQ(memory[i], (unsigned char)i);
}

TEST("are wrong arguments of mmap refused: length 0, misaligned, no type, both types, overflow?")
{
	CHECK_ERRNO((long)mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO((long)mmap((void *)4097, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, RW, ANON, -1, 1), EINVAL);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, -1UL, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, 1UL << 47, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, 1UL << 47, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, -4096L, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_ERRNO(syscall(SYS_mmap, 0xffff888000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0),
		    ENOMEM);
}

TEST("is the last page below the top of the address space not to be had?")
{
	CHECK_ERRNO(syscall(SYS_mmap, 0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	CHECK_EQ(syscall(SYS_mmap, 0x7fffffffe000, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
		 0x7fffffffe000);
}

TEST("is a free hint followed, an occupied one not, and does MAP_FIXED replace what was there?")
{
	char *place = (void *)0x600000000000, *other;

	CHECK(mmap(place, 4 * PAGE, RW, ANON, -1, 0) == place);
	place[0] = place[PAGE] = 7;
	other = mmap(place, PAGE, RW, ANON, -1, 0);
	CHECK(other != place);
	CHECK_EQ(place[0], 7);
	CHECK(mmap(place, PAGE, RW, ANON | MAP_FIXED, -1, 0) == place);
	CHECK_EQ(place[0], 0);
	CHECK_EQ(place[PAGE], 7);
}

TEST("does MAP_FIXED_NOREPLACE give EEXIST when any page is taken, and map otherwise?")
{
	char *place = (void *)0x600000000000;

	CHECK(mmap(place, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == place);
	CHECK_ERRNO((long)mmap(place, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK_ERRNO((long)mmap(place - PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
		    EEXIST);
	CHECK_ERRNO((long)mmap(place - 4 * PAGE, 16 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0),
		    EEXIST);
	CHECK(mmap(place + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == place + PAGE);
}

TEST("does MAP_32BIT give an address below 2 GiB?")
{
	void *low = mmap(NULL, PAGE, RW, ANON | MAP_32BIT, -1, 0);

	CHECK(low != MAP_FAILED);
	CHECK((uintptr_t)low < 1UL << 31);
}

TEST("does munmap remove exactly its range: start, middle, end, several areas, holes?")
{
	char *memory = map(10 * PAGE);

	memset(memory, 1, 10 * PAGE);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_OK(munmap(memory + 9 * PAGE, PAGE));
	CHECK_OK(munmap(memory + 4 * PAGE, 2 * PAGE));
	for (int i = 0; i < 10; i++)
		CHECK_EQ(is_mapped(memory + i * PAGE), !(i == 0 || i == 4 || i == 5 || i == 9));
	CHECK_EQ(memory[PAGE], 1);
	CHECK_EQ(memory[8 * PAGE], 1);
	CHECK_OK(munmap(memory, 10 * PAGE));
	CHECK_OK(munmap(memory, 10 * PAGE));
	for (int i = 0; i < 10; i++)
		CHECK(!is_mapped(memory + i * PAGE));
}

TEST("are wrong arguments of munmap EINVAL, and is a length rounded up to pages?")
{
	char *memory = map(4 * PAGE);

	CHECK_ERRNO(munmap(memory, 0), EINVAL);
	CHECK_ERRNO(munmap(memory + 1, PAGE), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, memory, -1UL), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, 0xffff888000000000, PAGE), EINVAL);
	CHECK_ERRNO(syscall(SYS_munmap, memory, 1UL << 47), EINVAL);
	CHECK_OK(munmap(memory, PAGE + 1));
	CHECK(!is_mapped(memory + PAGE));
	CHECK(is_mapped(memory + 2 * PAGE));
}

TEST("is memory mapped again after munmap zero?")
{
	char *memory = map(64 * PAGE);

	for (int i = 0; i < 20; i++) {
		memset(memory, 0xee, 64 * PAGE);
		CHECK_OK(munmap(memory, 64 * PAGE));
		CHECK(mmap(memory, 64 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == memory);
		for (int j = 0; j < 64; j++)
			CHECK_EQ(memory[j * PAGE], 0);
	}
}

TEST("does mprotect take and give rights page by page, keeping the contents?")
{
	char *memory = map(5 * PAGE);

	memset(memory, 3, 5 * PAGE);
	CHECK_OK(mprotect(memory + PAGE, PAGE, PROT_READ));
	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_NONE));
	CHECK_EQ(signal_of_touch(memory, true), 0);
	CHECK_EQ(signal_of_touch(memory + PAGE, true), SIGSEGV);
	CHECK_EQ(signal_of_touch(memory + PAGE, false), 0);
	CHECK_EQ(signal_of_touch(memory + 2 * PAGE, true), 0);
	CHECK_EQ(signal_of_touch(memory + 3 * PAGE, false), SIGSEGV);
	CHECK_EQ(signal_of_touch(memory + 4 * PAGE, true), 0);
	CHECK_OK(mprotect(memory, 5 * PAGE, RW));
	for (size_t i = 0; i < 5 * PAGE; i++)
		CHECK_EQ(memory[i], 3);
	memset(memory, 4, 5 * PAGE);
}

TEST("is mprotect over a hole ENOMEM, misaligned or with unknown bits EINVAL, of nothing 0?")
{
	char *memory = map(3 * PAGE);

	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(mprotect(memory, 3 * PAGE, PROT_READ), ENOMEM);
	CHECK_EQ(signal_of_touch(memory, true), SIGSEGV); /* the part before the hole is changed */
	/* The call itself: the library would round the address. */
	CHECK_ERRNO(syscall(SYS_mprotect, memory + 1, PAGE, PROT_READ), EINVAL);
	CHECK_ERRNO(mprotect(memory, PAGE, 0x40), EINVAL);
	CHECK_OK(mprotect(memory, 0, PROT_READ));
	CHECK_ERRNO(syscall(SYS_mprotect, memory, -1UL - PAGE, PROT_READ), ENOMEM);
}

TEST("can code be written, made executable and run, and data not?")
{
	unsigned char *code = (void *)map(PAGE);
	pid_t pid;

	memcpy(code, "\xb8\x2a\0\0\0\xc3", 6);		/* mov $42,%eax; ret */
	CHILD(pid)
		((int (*)(void))code)();
	CHECK_SIGNALED(pid, SIGSEGV);
	CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	CHECK_EQ(((int (*)(void))code)(), 42);
	CHECK_OK(mprotect(code, PAGE, RW));
	code[1] = 43;
	CHECK_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
	CHECK_EQ(((int (*)(void))code)(), 43);
}

TEST("does mremap shrink and grow in place, or move with the contents?")
{
	char *memory = mmap((void *)0x600000000000, 8 * PAGE, RW, ANON, -1, 0), *moved;

	for (int i = 0; i < 8; i++)
		memory[i * PAGE] = i + 1;
	CHECK(mremap(memory, 8 * PAGE, 4 * PAGE, 0) == memory);
	CHECK(!is_mapped(memory + 4 * PAGE));
	CHECK(mremap(memory, 4 * PAGE, 6 * PAGE, 0) == memory);
	CHECK_EQ(memory[3 * PAGE], 4);
	CHECK_EQ(memory[4 * PAGE], 0);
	CHECK(mmap(memory + 6 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
	CHECK_ERRNO((long)mremap(memory, 6 * PAGE, 16 * PAGE, 0), ENOMEM);
	moved = mremap(memory, 6 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	CHECK(moved != MAP_FAILED && moved != memory);
	CHECK(!is_mapped(memory));
	for (int i = 0; i < 16; i++)
		CHECK_EQ(moved[i * PAGE], i < 4 ? i + 1 : 0);
	moved[15 * PAGE] = 1;
}

TEST("does mremap with MREMAP_FIXED move over what is there, also in pieces of an area?")
{
	char *memory = map(6 * PAGE), *target = map(6 * PAGE);

	memset(memory, 5, 6 * PAGE);
	memset(target, 6, 6 * PAGE);
	CHECK(mremap(memory + 2 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     target + PAGE) == target + PAGE);
	CHECK(is_mapped(memory + PAGE));
	CHECK(!is_mapped(memory + 2 * PAGE));
	CHECK(is_mapped(memory + 4 * PAGE));
	CHECK_EQ(target[0], 6);
	CHECK_EQ(target[PAGE], 5);
	CHECK_EQ(target[3 * PAGE - 1], 5);
	CHECK_EQ(target[3 * PAGE], 6);
}

TEST("are wrong arguments of mremap refused?")
{
	char *memory = map(4 * PAGE);

	CHECK_ERRNO((long)mremap(memory + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERRNO((long)mremap(memory, PAGE, 0, 0), EINVAL);
	CHECK_ERRNO((long)mremap(memory, PAGE, PAGE, 64), EINVAL);
	CHECK_ERRNO((long)mremap(memory, PAGE, PAGE, MREMAP_FIXED, memory), EINVAL);
	CHECK_ERRNO((long)mremap(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				 memory + PAGE), EINVAL);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_ERRNO((long)mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((long)mremap(memory + PAGE, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((long)mremap(memory + PAGE, PAGE, 1UL << 47, MREMAP_MAYMOVE), EINVAL);
}

TEST("does MREMAP_DONTUNMAP leave an empty mapping behind?")
{
	char *memory = map(2 * PAGE), *moved;

	memory[0] = 9;
	moved = (char *)CHECK_OK(
		syscall(SYS_mremap, memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4, 0));
	CHECK_EQ(moved[0], 9);
	CHECK_EQ(memory[0], 0);
}

TEST("does brk grow zeroed memory, shrink, and answer the present end to nonsense?")
{
	char *start = (char *)syscall(SYS_brk, 0), *end;

	CHECK_EQ((char *)syscall(SYS_brk, start + 8 * PAGE) - start, 8 * PAGE);
	for (size_t i = 0; i < 8 * PAGE; i++)
		CHECK_EQ(start[i], 0);
	memset(start, 1, 8 * PAGE);
	end = (char *)syscall(SYS_brk, start + 2 * PAGE);
	CHECK_EQ(end - start, 2 * PAGE);
	CHECK_EQ(syscall(SYS_brk, 1), (long)end);
	CHECK_EQ(syscall(SYS_brk, -1L), (long)end);
	CHECK_EQ((char *)syscall(SYS_brk, start + 8 * PAGE) - start, 8 * PAGE);
	CHECK_EQ(start[PAGE], 1);
	CHECK_EQ(start[4 * PAGE], 0);
}

TEST("is brk limited by RLIMIT_DATA and stopped by a mapping in its way?")
{
	char *start = (char *)syscall(SYS_brk, 0);
	char *wall = (char *)(((uintptr_t)start + 16 * PAGE) & -PAGE);
	struct rlimit limit = { 1 << 20, 1 << 20 };

	CHECK(mmap(wall, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == wall);
	CHECK_EQ(syscall(SYS_brk, start + 64 * PAGE), (long)start);
	CHECK_EQ(syscall(SYS_brk, start + 2 * PAGE), (long)start + 2 * PAGE);
	CHECK_OK(munmap(wall, PAGE));
	CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
	CHECK_EQ(syscall(SYS_brk, start + (8 << 20)), (long)start + 2 * PAGE);
}

TEST("does RLIMIT_AS refuse a mapping, growth and brk with ENOMEM?")
{
	struct rlimit limit = { 64 << 20, 64 << 20 };
	char *memory = map(PAGE);

	CHECK_OK(setrlimit(RLIMIT_AS, &limit));
	CHECK_ERRNO((long)mmap(NULL, 128 << 20, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERRNO((long)mremap(memory, PAGE, 128 << 20, MREMAP_MAYMOVE), ENOMEM);
	CHECK_OK((long)mmap(NULL, 1 << 20, RW, ANON, -1, 0));
}

TEST("can PROT_NONE and MAP_NORESERVE ranges of a terabyte be mapped and a few pages used?")
{
	char *huge = mmap(NULL, 1UL << 40, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	pid_t pid;

	CHECK(huge != MAP_FAILED);
	for (int i = 0; i < 16; i++) {
		char *page = huge + (1UL << 36) * i;

		CHECK_OK(mprotect(page, PAGE, RW));
		CHECK_EQ(*page, 0);
		*page = i;
	}
	CHILD(pid) {
		for (int i = 0; i < 16; i++)
			CHECK_EQ(huge[(1UL << 36) * i], i);
		CHECK_OK(munmap(huge, 1UL << 40));
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(huge[(1UL << 36) * 15], 15);
	CHECK_OK(munmap(huge, 1UL << 40));
}

TEST("does MADV_DONTNEED drop private contents, keep shared ones, and refuse nonsense?")
{
	char *memory = map(4 * PAGE), *shared = guest_shared(PAGE);

	memset(memory, 1, 4 * PAGE);
	*shared = 1;
	CHECK_OK(madvise(memory + PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(memory[0], 1);
	CHECK_EQ(memory[PAGE], 0);
	CHECK_EQ(memory[2 * PAGE], 0);
	CHECK_EQ(memory[3 * PAGE], 1);
	memory[PAGE] = 2;
	CHECK_EQ(memory[PAGE], 2);
	CHECK_OK(madvise(shared, PAGE, MADV_DONTNEED));
	CHECK_EQ(*shared, 1);
	CHECK_ERRNO(madvise(memory + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(memory, PAGE, 9999), EINVAL);
	CHECK_OK(madvise(memory, 0, MADV_DONTNEED));
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(madvise(memory, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(memory[3 * PAGE], 0);
}

TEST("are the hints MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED, FREE, HUGEPAGE, COLD harmless?")
{
	static const int advice[] = { 0, 1, 2, 3, 20, 21 };
	char *memory = map(8 * PAGE);

	memset(memory, 1, 8 * PAGE);
	for (unsigned i = 0; i < sizeof advice / sizeof *advice; i++)
		CHECK_OK(madvise(memory, 8 * PAGE, advice[i]));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(memory[i * PAGE], 1);
	CHECK_OK(madvise(memory, 8 * PAGE, 8 /* MADV_FREE */));
	memory[0] = 2;
	CHECK_EQ(memory[0], 2);
}

TEST("does mincore tell present pages from absent ones and refuse what is not mapped?")
{
	unsigned char there[8];
	char *memory = map(8 * PAGE);

	memory[2 * PAGE] = memory[5 * PAGE] = 1;
	CHECK_OK(mincore(memory, 8 * PAGE, there));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(there[i] & 1, i == 2 || i == 5);
	CHECK_ERRNO(mincore(memory + 1, PAGE, there), EINVAL);
	CHECK_ERRNO(mincore(memory, PAGE, (void *)8), EFAULT);
	CHECK_OK(munmap(memory + 4 * PAGE, PAGE));
	CHECK_ERRNO(mincore(memory, 8 * PAGE, there), ENOMEM);
}

TEST("do mlock and munlock make pages present and refuse holes, nonsense and limits?")
{
	struct rlimit limit = { PAGE, PAGE };
	unsigned char there[4];
	char *memory = map(4 * PAGE);
	pid_t pid;

	CHECK_OK(mlock(memory, 4 * PAGE));
	CHECK_OK(mincore(memory, 4 * PAGE, there));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(there[i] & 1, 1);
	CHECK_OK(munlock(memory, 4 * PAGE));
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(mlock(memory, 4 * PAGE), ENOMEM);
	CHECK_ERRNO(mlockall(64), EINVAL);
	CHECK_OK(munlockall());
	CHILD(pid) {
		CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(mlock(memory + 2 * PAGE, 2 * PAGE), ENOMEM);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does msync accept its flags and refuse wrong ones, misalignment and holes?")
{
	char *memory = map(3 * PAGE);

	CHECK_OK(msync(memory, PAGE, MS_SYNC));
	CHECK_OK(msync(memory, PAGE, MS_ASYNC | MS_INVALIDATE));
	CHECK_ERRNO(msync(memory, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(memory, PAGE, 64), EINVAL);
	CHECK_ERRNO(msync(memory + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(msync(memory, 3 * PAGE, MS_SYNC), ENOMEM);
}

TEST_LIMIT("can ten thousand areas be made, found, and taken away in any order?", 60)
{
	enum { COUNT = 10000 };
	char *memory = map(2 * COUNT * PAGE);

	for (int i = 0; i < COUNT; i++)
		CHECK_OK(mprotect(memory + 2 * i * PAGE, PAGE, PROT_READ));
	for (int i = 0; i < COUNT; i += 7) {
		CHECK_EQ(memory[2 * i * PAGE], 0);
		memory[(2 * i + 1) * PAGE] = i;
	}
	for (int i = 0; i < COUNT; i += 3)
		CHECK_OK(munmap(memory + 2 * i * PAGE, 2 * PAGE));
	for (int i = 0; i < COUNT; i += 7) {
		if (i % 3)
			CHECK_EQ(memory[(2 * i + 1) * PAGE], (char)i);
		else
			CHECK(!is_mapped(memory + 2 * i * PAGE));
	}
	CHECK_OK(munmap(memory, 2 * COUNT * PAGE));
}

TEST("are neighbouring anonymous mappings usable as one by mremap and mprotect?")
{
	char *memory = mmap((void *)0x600000000000, 2 * PAGE, RW, ANON, -1, 0);

	CHECK(mmap(memory + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) ==
	      memory + 2 * PAGE);
	memset(memory, 8, 4 * PAGE);
	CHECK_OK(mprotect(memory + PAGE, 2 * PAGE, PROT_READ));
	CHECK_OK(mprotect(memory + PAGE, 2 * PAGE, RW));
	CHECK(mremap(memory, 4 * PAGE, 2 * PAGE, 0) == memory);
	CHECK_EQ(memory[PAGE], 8);
	CHECK(!is_mapped(memory + 2 * PAGE));
}

TEST("does MAP_POPULATE make the pages present at once?")
{
	unsigned char there[4];
	void *memory = mmap(NULL, 4 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK_OK(mincore(memory, 4 * PAGE, there));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(there[i] & 1, 1);
}

TEST("is an area of several huge pages right byte for byte, whole and after cutting a page out?")
{
	size_t bytes = 8 << 20;
	char *memory = map(bytes);

	for (size_t i = 0; i < bytes; i += PAGE)
		memory[i] = i >> 12;
	CHECK_OK(munmap(memory + (3 << 20), PAGE));
	CHECK_OK(mprotect(memory + (5 << 20), PAGE, PROT_READ));
	for (size_t i = 0; i < bytes; i += PAGE) {
		if (i != 3 << 20)
			CHECK_EQ(memory[i], (char)(i >> 12));
	}
	CHECK(!is_mapped(memory + (3 << 20)));
	CHECK_EQ(signal_of_touch(memory + (5 << 20), true), SIGSEGV);
}
