/*
 * Page faults as a program sees them: which signal, code and address; the growing stack; kernel
 * accesses to bad user memory; and whether concurrent faults on one page lose anything.
 */
#include "guest.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static siginfo_t fault;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	fault = *info;
	siglongjmp(back, 1);
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	CHECK_OK(sigaction(SIGBUS, &action, NULL));
}

/* Reads or writes one byte; 0, or the signal with its siginfo in `fault`. */
static int touch(volatile char *where, bool write)
{
	memset(&fault, 0, sizeof fault);
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*where = 1;
		else
			(void)*where;
	}
	return fault.si_signo;
}

#define CHECK_FAULT(where, write, signal_, code_) do {						\
	CHECK_EQ(touch(where, write), signal_);							\
	CHECK_EQ(fault.si_code, code_);								\
	CHECK_EQ((uintptr_t)fault.si_addr, (uintptr_t)(where));					\
} while (0)

TEST("is touching what is not mapped SEGV_MAPERR with the address, byte-exact?")
{
	char *memory = guest_private(2 * PAGE);

	catch_faults();
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_FAULT(memory + PAGE, false, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT(memory + PAGE + 123, true, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT((char *)0, false, SIGSEGV, SEGV_MAPERR);
	CHECK_FAULT((char *)0x7ffffffff000, true, SIGSEGV, SEGV_MAPERR);
}

TEST("is touching what is protected SEGV_ACCERR with the address?")
{
	char *memory = guest_private(2 * PAGE);

	catch_faults();
	memory[0] = 1;
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	CHECK_EQ(touch(memory, false), 0);
	CHECK_FAULT(memory + 5, true, SIGSEGV, SEGV_ACCERR);
	CHECK_OK(mprotect(memory, 2 * PAGE, PROT_NONE));
	CHECK_FAULT(memory + 6, false, SIGSEGV, SEGV_ACCERR);
	CHECK_FAULT(memory + PAGE + 7, true, SIGSEGV, SEGV_ACCERR);
}

TEST("are kernel addresses SEGV_MAPERR with address, non-canonical ones SI_KERNEL without?")
{
	catch_faults();
	CHECK_EQ(touch((char *)0xffff888000000000, false), SIGSEGV);
	CHECK_EQ((uintptr_t)fault.si_addr, 0xffff888000000000);
	CHECK_EQ(touch((char *)0xffffffff81000000, true), SIGSEGV);
	CHECK_EQ(touch((char *)0xffffffffff600000 - PAGE, true), SIGSEGV);
	CHECK_EQ(touch((char *)0x1234567800000000, false), SIGSEGV);
	CHECK_EQ(fault.si_code, SI_KERNEL);
	CHECK_EQ((uintptr_t)fault.si_addr, 0);
}

TEST("is jumping to data SEGV_ACCERR and to nowhere SEGV_MAPERR, at the target's address?")
{
	char *memory = guest_private(PAGE);

	catch_faults();
	memory[0] = (char)0xc3;
	memset(&fault, 0, sizeof fault);
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))memory)();
	CHECK_EQ(fault.si_signo, SIGSEGV);
	CHECK_EQ(fault.si_code, SEGV_ACCERR);
	CHECK(fault.si_addr == memory);
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))8)();
	CHECK_EQ(fault.si_code, SEGV_MAPERR);
	CHECK(fault.si_addr == (void *)8);
}

TEST("is the page of a file mapping past the file's end SIGBUS BUS_ADRERR, up to it zero?")
{
	char *memory;
	int fd;

	catch_faults();
	guest_scratch();
	CHECK_OK(guest_file("f", "hello", 0600));
	fd = CHECK_OK(open("f", O_RDWR));
	for (int shared = 0; shared < 2; shared++) {
		memory = mmap(NULL, 3 * PAGE, RW, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		CHECK(memory != MAP_FAILED);
		CHECK_EQ(memory[4], 'o');
		for (size_t i = 5; i < PAGE; i++)
			CHECK_EQ(memory[i], 0);
		CHECK_FAULT(memory + PAGE, false, SIGBUS, BUS_ADRERR);
		CHECK_FAULT(memory + 2 * PAGE + 9, true, SIGBUS, BUS_ADRERR);
	}
}

TEST("does truncating a mapped file take its pages away, and growing it bring zeros back?")
{
	char *memory;
	int fd;

	catch_faults();
	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	memory = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	memset(memory, 'x', 3 * PAGE);
	CHECK_OK(ftruncate(fd, PAGE + 100));
	CHECK_FAULT(memory + 2 * PAGE, false, SIGBUS, BUS_ADRERR);
	CHECK_EQ(memory[PAGE + 99], 'x');
	CHECK_EQ(memory[PAGE + 100], 0);
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK_EQ(memory[PAGE + 99], 'x');
	CHECK_EQ(memory[PAGE + 100], 0);
	CHECK_EQ(memory[2 * PAGE], 0);
	memory[2 * PAGE] = 'y';
}

TEST("does truncation take private copies away too?")
{
	char *memory;
	int fd;

	catch_faults();
	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	memory = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(memory != MAP_FAILED);
	memory[0] = memory[PAGE] = 'p';
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_EQ(memory[0], 'p');
	CHECK_FAULT(memory + PAGE, false, SIGBUS, BUS_ADRERR);
}

TEST("does a handler that maps the missing page let the access go on?")
{
	static char *page;
	struct sigaction action = { .sa_flags = SA_SIGINFO };

	void mend(int signal, siginfo_t *info, void *context)
	{
		(void)signal;
		(void)info;
		(void)context;
		mprotect(page, PAGE, RW);
	}

	page = guest_private(PAGE);
	action.sa_sigaction = mend;
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < 100; i++) {
		CHECK_OK(mprotect(page, PAGE, PROT_NONE));
		*(volatile char *)page = i;
		CHECK_EQ(*(volatile char *)page, i);
	}
}

static int recurse(int depth)
{
	volatile char frame[1024];

	frame[0] = depth;
	return depth == 0 ? 0 : recurse(depth - 1) + (frame[0] == (char)depth);
}

TEST("does the stack grow to megabytes by use?")
{
	CHECK_EQ(recurse(5000), 5000);
}

TEST("does the stack stop at RLIMIT_STACK with SIGSEGV, caught on an alternate stack?")
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	stack_t stack = { .ss_sp = guest_private(16 * PAGE), .ss_size = 16 * PAGE };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	if (sigsetjmp(back, 1) == 0)
		recurse(100000);
	CHECK_EQ(fault.si_signo, SIGSEGV);
}

TEST("does a MAP_GROWSDOWN mapping grow downwards, but not into another?")
{
	char *wall = guest_private(300 * PAGE), *memory;

	catch_faults();
	CHECK_OK(munmap(wall + PAGE, 299 * PAGE));
	memory = mmap(wall + 299 * PAGE, PAGE, RW,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(memory == wall + 299 * PAGE);
	CHECK_EQ(touch(memory - 1, true), 0);
	CHECK_EQ(touch(memory - 9 * PAGE, true), 0);
	/* A guard gap (256 pages by default) stays free above the neighbour below. */
	CHECK_EQ(touch(wall + 2 * PAGE, true), SIGSEGV);
}

TEST("is bad user memory EFAULT in read, write, stat, pipe and readv, however it is bad?")
{
	char *bad[] = { NULL, (char *)8, (char *)0xffff888000000000, (char *)0x1234567800000000,
			(char *)-1L, NULL, NULL };
	int ends[2], zero = CHECK_OK(open("/dev/zero", O_RDWR));
	char *memory = guest_private(2 * PAGE);

	CHECK_OK(mprotect(memory, PAGE, PROT_NONE));
	bad[5] = memory;
	CHECK_OK(munmap(memory + PAGE, PAGE));
	bad[6] = memory + PAGE;
	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	for (int i = 0; i < 7; i++) {
		struct iovec vector = { bad[i], 3 };

		CHECK_ERRNO(read(ends[0], bad[i], 3), EFAULT);
		CHECK_ERRNO(write(ends[1], bad[i], 3), EFAULT);
		CHECK_ERRNO(read(zero, bad[i], 3), EFAULT);
		CHECK_ERRNO(readv(zero, &vector, 1), EFAULT);
		CHECK_ERRNO(readv(zero, (void *)bad[i], 1), EFAULT);
		CHECK_ERRNO(syscall(SYS_stat, "/", bad[i]), EFAULT);
		CHECK_ERRNO(syscall(SYS_stat, bad[i], &fault), EFAULT);
		CHECK_ERRNO(syscall(SYS_pipe, bad[i]), EFAULT);
	}
}

TEST("is a write that runs into a bad page cut short, or EFAULT when nothing was written?")
{
	char *memory = guest_private(2 * PAGE), *got = guest_private(2 * PAGE);
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	memset(memory, 'w', PAGE);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_EQ(write(fd, memory + PAGE - 10, 100), 10);
	CHECK_ERRNO(write(fd, memory + PAGE, 100), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 10);
	CHECK_EQ(pread(fd, memory + PAGE - 4, 10, 0), 4);
	CHECK_EQ(pread(fd, got, 100, 0), 10);
}

TEST("does reading into a read-only page give EFAULT and leave it alone?")
{
	char *memory = guest_private(PAGE);
	int zero = CHECK_OK(open("/dev/zero", O_RDONLY));

	memory[0] = 5;
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	CHECK_ERRNO(read(zero, memory, 1), EFAULT);
	CHECK_EQ(memory[0], 5);
}

enum { THREADS = 4, PAGES = 512 };

static struct {
	long *memory;
	pthread_barrier_t barrier;
} race;

static void *add_everywhere(void *arg)
{
	long which = (long)arg;

	pthread_barrier_wait(&race.barrier);
	for (int page = 0; page < PAGES; page++)
		__atomic_fetch_add(race.memory + page * (PAGE / sizeof(long)), 1 << which * 4,
				   __ATOMIC_RELAXED);
	return NULL;
}

/* All threads fault on the same pages, in step; `again` decides what the pages are before each
 * round. */
static void run_race(void (*prepare)(void), long start)
{
	pthread_t threads[THREADS];

	CHECK_EQ(pthread_barrier_init(&race.barrier, NULL, THREADS), 0);
	for (int round = 0; round < 10; round++) {
		prepare();
		for (long i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, add_everywhere, (void *)i), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		for (int page = 0; page < PAGES; page++)
			CHECK_EQ(race.memory[page * (PAGE / sizeof(long))], start + 0x1111);
	}
}

static void fresh(void)
{
	CHECK_OK(madvise(race.memory, PAGES * PAGE, MADV_DONTNEED));
}

TEST_LIMIT("do threads that first touch the same pages at once all see one page?", 60)
{
	race.memory = guest_private(PAGES * PAGE);
	run_race(fresh, 0);
}

static pid_t sharer;
static struct guest_gate sharer_gate;

static void shared_with_child(void)
{
	if (sharer > 0) {
		guest_gate_open(&sharer_gate);
		CHECK_EXIT(sharer, 0);
	}
	for (int page = 0; page < PAGES; page++)
		race.memory[page * (PAGE / sizeof(long))] = 7;
	CHILD(sharer) {
		guest_gate_pass(&sharer_gate);
		for (int page = 0; page < PAGES; page++)
			CHECK_EQ(race.memory[page * (PAGE / sizeof(long))], 7);
	}
}

TEST_LIMIT("do threads that write the same copy-on-write pages at once lose no write?", 60)
{
	sharer = 0;
	sharer_gate = guest_gate();
	race.memory = guest_private(PAGES * PAGE);
	run_race(shared_with_child, 7);
	guest_gate_open(&sharer_gate);
	CHECK_EXIT(sharer, 0);
}

static volatile bool stop;
static char *flipping;

static void *flip(void *arg)
{
	while (!stop) {
		mprotect(flipping, 64 * PAGE, PROT_READ);
		mprotect(flipping, 64 * PAGE, RW);
	}
	return arg;
}

TEST_LIMIT("do a writer's stores all arrive while another thread keeps changing the protection?",
	   60)
{
	pthread_t thread;
	struct sigaction action = { .sa_handler = SIG_DFL };
	volatile unsigned char *bytes;

	void retry(int signal)
	{
		(void)signal;
	}

	action.sa_handler = retry;
	CHECK_OK(sigaction(SIGSEGV, &action, NULL));
	flipping = guest_private(64 * PAGE);
	bytes = (void *)flipping;
	CHECK_EQ(pthread_create(&thread, NULL, flip, NULL), 0);
	for (int i = 1; i < 100; i++) {
		for (int page = 0; page < 64; page++)
			bytes[page * PAGE + i] = i;
	}
	stop = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	for (int i = 1; i < 100; i++) {
		for (int page = 0; page < 64; page++)
			CHECK_EQ(bytes[page * PAGE + i], i);
	}
}
