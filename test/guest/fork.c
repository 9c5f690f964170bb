/*
 * fork: what the child has of its parent, and that neither sees what the other writes afterwards.
 *
 * Address spaces are shared page table by page table until somebody writes, so most tests here
 * write on both sides, in both orders, at addresses that need every level of the table, and look
 * again after the other side is gone.
 */
#include "guest.h"

#include <sched.h>
#include <sys/resource.h>

TEST("does fork return 0 in the child and the child's pid in the parent?")
{
	struct { pid_t pid, ppid; } *seen = guest_shared(PAGE);
	pid_t self = getpid(), pid;

	CHILD(pid) {
		seen->pid = getpid();
		seen->ppid = getppid();
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(seen->pid, pid);
	CHECK_EQ(seen->ppid, self);
	CHECK(pid != self);
}

TEST("do a hundred children in a row each get a pid of their own and run?")
{
	int *count = guest_shared(PAGE);

	for (int i = 0; i < 100; i++) {
		pid_t pid;

		CHILD(pid)
			++*count;
		CHECK_EXIT(pid, 0);
		CHECK_EQ(*count, i + 1);
	}
}

TEST("do fifty children alive at once have distinct pids?")
{
	struct guest_gate gate = guest_gate();
	pid_t pids[50];

	for (int i = 0; i < 50; i++) {
		CHILD(pids[i]) {
			guest_gate_pass(&gate);
			_exit(i);
		}
		for (int j = 0; j < i; j++)
			CHECK(pids[j] != pids[i]);
	}
	for (int i = 0; i < 50; i++)
		guest_gate_open(&gate);
	for (int i = 0; i < 50; i++)
		CHECK_EXIT(pids[i], i);
}

TEST("is what the parent wrote before fork in the child: data, bss, heap, stack, mapping?")
{
	static int data = 7, bss;
	int on_stack = 11, *on_heap = malloc(sizeof(int)), *mapped = guest_private(PAGE);
	pid_t pid;

	bss = 8;
	*on_heap = 9;
	*mapped = 10;
	CHILD(pid) {
		CHECK_EQ(data, 7);
		CHECK_EQ(bss, 8);
		CHECK_EQ(*on_heap, 9);
		CHECK_EQ(*mapped, 10);
		CHECK_EQ(on_stack, 11);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does the parent not see what the child writes, nor the child what the parent writes?")
{
	struct guest_gate to_child = guest_gate(), to_parent = guest_gate();
	volatile int *a = guest_private(PAGE), *b = guest_private(PAGE), *c = guest_private(PAGE);
	pid_t pid;

	*a = *b = 1;
	CHILD(pid) {
		*a = 2;
		*c = 2;
		guest_gate_open(&to_parent);
		guest_gate_pass(&to_child);
		CHECK_EQ(*b, 1);
		CHECK_EQ(*a, 2);
		CHECK_EQ(*c, 2);
		*b = 4;
	}
	guest_gate_pass(&to_parent);
	CHECK_EQ(*a, 1);
	CHECK_EQ(*c, 0);
	*b = 3;
	*a = 5;
	guest_gate_open(&to_child);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(*a, 5);
	CHECK_EQ(*b, 3);
	CHECK_EQ(*c, 0);
}

/* The same pages after each fork, now and then not written, mapped anew or made read-only. */
TEST("does a parent that forks again and again write to the same pages, and no child see it?")
{
	volatile int *page[20];
	int value[20] = { 0 };

	for (int i = 0; i < 20; i++)
		*(page[i] = guest_private(PAGE)) = 0;
	for (int round = 1; round <= 40; round++) {
		struct guest_gate gate = guest_gate();
		pid_t pid;

		CHILD(pid) {
			guest_gate_pass(&gate);
			for (int i = 0; i < 20; i++)
				CHECK_EQ(*page[i], value[i]);
		}
		for (int i = 0; i < 20; i++)
			if ((round & i) == 0)
				*page[i] = round;
		guest_gate_open(&gate);
		CHECK_EXIT(pid, 0);
		for (int i = 0; i < 20; i++)
			if ((round & i) == 0)
				value[i] = round;
		if (round == 20) {
			CHECK_EQ(munmap((void *)page[0], PAGE), 0);
			CHECK(mmap((void *)page[0], PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
			value[0] = 0;
		}
		CHECK_EQ(mprotect((void *)page[8], PAGE,
				  round % 3 == 0 ? PROT_READ : PROT_READ | PROT_WRITE), 0);
		if (round % 3 == 0)
			CHILD(pid) {
				CHECK_EQ(*page[8], value[8]);
			}
		if (round % 3 == 0)
			CHECK_EXIT(pid, 0);
		CHECK_EQ(mprotect((void *)page[8], PAGE, PROT_READ | PROT_WRITE), 0);
	}
}

static void fill(uint32_t *words, size_t count, uint32_t seed)
{
	for (size_t i = 0; i < count; i += 64)
		words[i] = seed * 2654435761u + i;
}

static void check_filled(uint32_t *words, size_t count, uint32_t seed)
{
	for (size_t i = 0; i < count; i += 64) {
		if (words[i] != (uint32_t)(seed * 2654435761u + i))
			FAIL("word %zu is 0x%x, seed %u", i, words[i], seed);
	}
}

TEST("do eight children that overwrite 4 MiB of the parent leave it and each other alone?")
{
	size_t count = (4 << 20) / 4;
	uint32_t *words = guest_private(count * 4);
	pid_t pids[8];

	fill(words, count, 1);
	for (int i = 0; i < 8; i++) {
		CHILD(pids[i]) {
			check_filled(words, count, 1);
			fill(words, count, 100 + i);
			sched_yield();
			check_filled(words, count, 100 + i);
		}
	}
	check_filled(words, count, 1);
	fill(words, count, 2);
	for (int i = 0; i < 8; i++)
		CHECK_EXIT(pids[i], 0);
	check_filled(words, count, 2);
}

TEST("are pages far apart in the address space (each level of the table) copied apart?")
{
	static const uintptr_t places[] = { 0x10000000,	  0x10001000,	0x10200000,  0x50000000,
					    0x8000000000, 0x8040000000, 0x7000000000 };
	enum { COUNT = sizeof places / sizeof *places };
	pid_t pid;

	for (int i = 0; i < COUNT; i++) {
		void *want = (void *)places[i];

		CHECK(mmap(want, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == want);
		*(volatile long *)want = i;
	}
	CHILD(pid) {
		for (int i = 0; i < COUNT; i++) {
			CHECK_EQ(*(volatile long *)places[i], i);
			*(volatile long *)places[i] = 100 + i;
		}
		for (int i = 0; i < COUNT; i++)
			CHECK_EQ(*(volatile long *)places[i], 100 + i);
	}
	CHECK_EXIT(pid, 0);
	for (int i = 0; i < COUNT; i++)
		CHECK_EQ(*(volatile long *)places[i], i);
}

TEST("does a chain of thirty forks, each writing, keep every generation's values?")
{
	volatile int *depth = guest_private(64 * PAGE);
	int level = 0;
	pid_t pid = 0;

	for (level = 0; level < 30; level++) {
		for (int i = 0; i < 64; i++)
			depth[i * (PAGE / 4)] = level * 64 + i;
		pid = guest_fork();
		if (pid)
			break;
	}
	if (pid) {
		for (int i = 0; i < 64; i++)
			CHECK_EQ(depth[i * (PAGE / 4)], level * 64 + i);
		CHECK_EXIT(pid, 0);
		for (int i = 0; i < 64; i++)
			CHECK_EQ(depth[i * (PAGE / 4)], level * 64 + i);
	}
	if (level > 0)
		_exit(0);
}

TEST("can a grandchild read and write memory when its parent is already gone?")
{
	struct guest_gate gate = guest_gate(), done = guest_gate();
	volatile int *value = guest_private(PAGE);
	pid_t pid;

	*value = 1;
	CHILD(pid) {
		pid_t grandchild;

		*value = 2;
		CHILD(grandchild) {
			guest_gate_pass(&gate);
			CHECK_EQ(*value, 2);
			*value = 3;
			CHECK_EQ(*value, 3);
			guest_gate_open(&done);
		}
	}
	CHECK_EXIT(pid, 0);
	*value = 9;
	guest_gate_open(&gate);
	guest_gate_pass(&done);
	CHECK_EQ(*value, 9);
}

TEST("does shared anonymous memory stay shared through two generations?")
{
	volatile int *value = guest_shared(PAGE);
	pid_t pid;

	CHILD(pid) {
		pid_t grandchild;

		*value += 1;
		CHILD(grandchild)
			*value += 10;
		CHECK_EXIT(grandchild, 0);
		CHECK_EQ(*value, 11);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(*value, 11);
}

TEST("is shared memory first touched after fork the same memory on both sides?")
{
	volatile int *value = guest_shared(8 * PAGE);
	pid_t pid;

	CHILD(pid) {
		value[5 * PAGE / 4] = 42;
		CHECK_SOON(value[6 * PAGE / 4] == 43);
	}
	CHECK_SOON(value[5 * PAGE / 4] == 42);
	value[6 * PAGE / 4] = 43;
	CHECK_EXIT(pid, 0);
}

TEST("does a shared file mapping stay one with its file in parent, child and read()?")
{
	char *map, byte;
	int fd;
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "hello", 0600));
	fd = CHECK_OK(open("f", O_RDWR));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHILD(pid) {
		CHECK_EQ(map[0], 'h');
		map[0] = 'J';
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(map[0], 'J');
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'J');
}

TEST("does a private file mapping written in the child reach neither file nor parent?")
{
	char *map, byte;
	int fd;
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "hello", 0600));
	fd = CHECK_OK(open("f", O_RDWR));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	map[1] = 'a';
	CHILD(pid) {
		CHECK_EQ(map[0], 'h');
		CHECK_EQ(map[1], 'a');
		map[0] = 'J';
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(map[0], 'h');
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'h');
	CHECK_EQ(pread(fd, &byte, 1, 1), 1);
	CHECK_EQ(byte, 'e');
}

TEST("do parent and child share the file offset of an inherited descriptor?")
{
	int fd;
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "0123456789", 0600));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHILD(pid)
		CHECK_EQ(lseek(fd, 7, SEEK_SET), 7);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
}

TEST("is closing a descriptor in the child nothing to the parent, and the other way round?")
{
	struct guest_gate gate = guest_gate();
	int a = CHECK_OK(open("/", O_RDONLY)), b = CHECK_OK(open("/", O_RDONLY));
	pid_t pid;

	CHILD(pid) {
		CHECK_OK(close(a));
		guest_gate_pass(&gate);
		CHECK_OK(fcntl(b, F_GETFD));
	}
	CHECK_OK(close(b));
	guest_gate_open(&gate);
	CHECK_EXIT(pid, 0);
	CHECK_OK(fcntl(a, F_GETFD));
	CHECK_ERRNO(fcntl(b, F_GETFD), EBADF);
}

TEST("does the child have the parent's cwd, umask, mask and handlers, but no pending signals or "
	"alarm?")
{
	char here[PATH_MAX];
	sigset_t mask, got;
	struct sigaction action;
	pid_t pid;

	guest_scratch();
	umask(027);
	guest_catch(SIGUSR2, SIG_IGN, 0);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &mask, NULL));
	CHECK_OK(raise(SIGUSR1));
	alarm(1000);
	CHECK(getcwd(here, sizeof here));
	CHILD(pid) {
		char there[PATH_MAX];

		CHECK(getcwd(there, sizeof there));
		CHECK_STR(there, here);
		CHECK_EQ(umask(0), 027);
		CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &got));
		CHECK_EQ(sigismember(&got, SIGUSR1), 1);
		CHECK_OK(sigpending(&got));
		CHECK_EQ(sigismember(&got, SIGUSR1), 0);
		CHECK_OK(sigaction(SIGUSR2, NULL, &action));
		CHECK(action.sa_handler == SIG_IGN);
		CHECK_EQ(alarm(0), 0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(alarm(0), 1000);
}

TEST("are changes of cwd, umask and handlers after fork private to each process?")
{
	char before[PATH_MAX], after[PATH_MAX];
	struct sigaction action;
	pid_t pid;

	guest_scratch();
	umask(022);
	CHECK(getcwd(before, sizeof before));
	CHILD(pid) {
		CHECK_OK(chdir("/"));
		umask(077);
		guest_catch(SIGUSR1, SIG_IGN, 0);
	}
	CHECK_EXIT(pid, 0);
	CHECK(getcwd(after, sizeof after));
	CHECK_STR(after, before);
	CHECK_EQ(umask(022), 022);
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

TEST("is memory unmapped or protected in the child still there, and writable, in the parent?")
{
	volatile char *a = guest_private(4 * PAGE), *b = guest_private(4 * PAGE);
	pid_t pid;

	a[0] = b[0] = 1;
	CHILD(pid) {
		CHECK_OK(munmap((void *)a, 4 * PAGE));
		CHECK_OK(mprotect((void *)b, 4 * PAGE, PROT_NONE));
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(a[0], 1);
	a[0] = b[PAGE] = 2;
	CHECK_EQ(b[PAGE], 2);
}

TEST("does a page made writable with mprotect after fork still not show through?")
{
	volatile char *a = guest_private(PAGE);
	pid_t pid;

	a[0] = 1;
	CHECK_OK(mprotect((void *)a, PAGE, PROT_READ));
	CHILD(pid) {
		CHECK_OK(mprotect((void *)a, PAGE, PROT_READ | PROT_WRITE));
		a[0] = 2;
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(a[0], 1);
}

TEST("does read() into copy-on-write memory (the kernel writing) copy as a store would?")
{
	char *page = guest_private(PAGE);
	int ends[2];
	pid_t pid;

	strcpy(page, "parent");
	CHECK_OK(pipe(ends));
	CHILD(pid) {
		CHECK_EQ(write(ends[1], "child!", 6), 6);
		CHECK_EQ(read(ends[0], page, 6), 6);
		CHECK_STR(page, "child!");
	}
	CHECK_EXIT(pid, 0);
	CHECK_STR(page, "parent");
}

TEST("is MADV_DONTFORK memory absent, and MADV_WIPEONFORK memory zero, in the child?")
{
	char *gone = guest_private(PAGE), *wiped = guest_private(PAGE);
	pid_t pid;

	*gone = *wiped = 1;
	CHECK_OK(madvise(gone, PAGE, MADV_DONTFORK));
	CHECK_OK(madvise(wiped, PAGE, 18 /* MADV_WIPEONFORK */));
	CHILD(pid) {
		CHECK_EQ(*wiped, 0);
		*(volatile char *)gone = 1;
	}
	CHECK_SIGNALED(pid, SIGSEGV);
	CHECK_EQ(*gone, 1);
	CHECK_EQ(*wiped, 1);
}

TEST("is fork refused with EAGAIN at RLIMIT_NPROC for an ordinary user?")
{
	pid_t pid;

	CHILD(pid) {
		struct rlimit limit = { 0, 0 };

		CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(fork(), EAGAIN);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does the child start with no CPU time and no children of its own?")
{
	struct rusage usage;
	volatile unsigned long spin = 0;
	pid_t pid;

	for (int64_t start = guest_now_ns(); guest_now_ns() - start < 60000000;)
		spin++;
	CHILD(pid) {
		CHECK_OK(getrusage(RUSAGE_SELF, &usage));
		CHECK_RANGE(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec, 0, 40000);
		CHECK_ERRNO(wait(NULL), ECHILD);
	}
	CHECK_EXIT(pid, 0);
}

TEST_LIMIT(
	"does a process with 64 MiB present and 2000 areas fork, with all of it seen by the child?",
	60)
{
	size_t bytes = 64 << 20;
	char *big = guest_private(bytes), *areas;
	pid_t pid;

	for (size_t i = 0; i < bytes; i += PAGE)
		big[i] = i / PAGE;
	areas = guest_private(4000 * PAGE);
	for (size_t i = 0; i < 4000; i += 2)
		CHECK_OK(mprotect(areas + i * PAGE, PAGE, PROT_READ));
	CHILD(pid) {
		for (size_t i = 0; i < bytes; i += PAGE) {
			if (big[i] != (char)(i / PAGE))
				FAIL("page %zu is wrong", i / PAGE);
		}
		for (size_t i = 1; i < 4000; i += 200)
			areas[i * PAGE] = 1;
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(areas[PAGE], 0);
}
