/*
 * futex by the system call: wait and wake, bitsets, requeue, wake-op, time limits, shared and
 * private keys, robust lists, and hostile words and lists.
 */
#include "guest.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>

static long futex(void *word, int operation, int value, const struct timespec *limit, void *word2,
		  int value3)
{
	return syscall(SYS_futex, word, operation, value, limit, word2, value3);
}

static long wake(void *word, int how_many)
{
	return futex(word, FUTEX_WAKE, how_many, NULL, NULL, 0);
}

static struct timespec in_ms(int clock, int ms)
{
	struct timespec time;

	clock_gettime(clock, &time);
	time.tv_nsec += ms * 1000000L;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

TEST("is waiting for another value than the word has EAGAIN?")
{
	int word = 5;

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 6, NULL, NULL, 0), EAGAIN);
	CHECK_EQ(wake(&word, 1), 0);
}

TEST("do relative and absolute time limits end a wait with ETIMEDOUT, not early?")
{
	int word = 0;
	struct timespec limit = { 0, 50000000 };
	int64_t start = guest_now_ns();

	CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &limit, NULL, 0), ETIMEDOUT);
	CHECK_RANGE(guest_now_ns() - start, 50000000, 10000000000);
	start = guest_now_ns();
	limit = in_ms(CLOCK_MONOTONIC, 50);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &limit, NULL, -1), ETIMEDOUT);
	CHECK_RANGE(guest_now_ns() - start, 49000000, 10000000000);
	limit = in_ms(CLOCK_REALTIME, 50);
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &limit, NULL, -1),
		    ETIMEDOUT);
	limit = (struct timespec){ 1, 0 };
	CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &limit, NULL, -1), ETIMEDOUT);
}

TEST("are misaligned words, bad addresses, wrong times and unknown operations refused?")
{
	int words[2] = { 0 };
	struct timespec wrong = { 0, 1000000000 }, negative = { -1, 0 };

	CHECK_ERRNO(futex((char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((char *)words + 2, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex((void *)16, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex((void *)0xffff888000000000, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0),
		    EFAULT);
	CHECK_ERRNO(futex((void *)0xffff888000000000, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &wrong, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, &negative, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(words, FUTEX_WAIT, 0, (void *)8, NULL, 0), EFAULT);
	CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERRNO(futex(words, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECK_ERRNO(futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
}

/* Children that wait on a word, in shared memory, until woken; each exits with 0 when woken. */
static void start_waiters(int *word, int *waiting, pid_t *pids, int count, int operation, int bits)
{
	for (int i = 0; i < count; i++) {
		CHILD(pids[i]) {
			__atomic_add_fetch(waiting, 1, __ATOMIC_SEQ_CST);
			CHECK_OK(futex(word, operation, 0, NULL, NULL, bits));
		}
		CHECK_SOON(__atomic_load_n(waiting, __ATOMIC_SEQ_CST) > i);
		guest_wait_blocked(pids[i]);
	}
}

TEST("does wake release as many as asked for, across processes, and tell how many?")
{
	int *word = guest_shared(PAGE), *waiting = word + 1;
	pid_t pids[5];

	start_waiters(word, waiting, pids, 5, FUTEX_WAIT, 0);
	CHECK_EQ(wake(word, 2), 2);
	CHECK_EQ(wake(word, 1), 1);
	CHECK_EQ(wake(word, INT_MAX), 2);
	CHECK_EQ(wake(word, 1), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EXIT(pids[i], 0);
}

TEST("are waiters woken in the order in which they came?")
{
	int *word = guest_shared(PAGE), *waiting = word + 1;
	pid_t pids[4];

	start_waiters(word, waiting, pids, 4, FUTEX_WAIT, 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(wake(word, 1), 1);
		CHECK_EXIT(pids[i], 0);
	}
}

TEST("does wake with a bitset release only waiters whose bits meet it?")
{
	int *word = guest_shared(PAGE), *waiting = word + 1;
	pid_t first, second;

	start_waiters(word, waiting, &first, 1, FUTEX_WAIT_BITSET, 1);
	*waiting = 0;
	start_waiters(word, waiting, &second, 1, FUTEX_WAIT_BITSET, 6);
	CHECK_EQ(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 8), 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4), 1);
	CHECK_EXIT(second, 0);
	CHECK_EQ(wake(word, 9), 1);
	CHECK_EXIT(first, 0);
}

TEST("does a private word in two processes mean two words?")
{
	int *word = guest_private(PAGE), *waiting = guest_shared(PAGE);
	pid_t pid;

	*word = 0;
	CHILD(pid) {
		struct timespec limit = { 0, 200000000 };

		*waiting = 1;
		CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, &limit, NULL, 0), ETIMEDOUT);
	}
	CHECK_SOON(*waiting == 1);
	guest_sleep_ms(20);
	CHECK_EQ(wake(word, 9), 0);
	CHECK_EXIT(pid, 0);
}

TEST("is one word of a file mapped at two addresses one word?")
{
	int fd = CHECK_OK(syscall(SYS_memfd_create, "word", 0)), *one, *two;
	pid_t pid;

	CHECK_OK(ftruncate(fd, PAGE));
	one = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	two = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(one != MAP_FAILED && two != MAP_FAILED && one != two);
	CHILD(pid)
		CHECK_OK(futex(one, FUTEX_WAIT, 0, NULL, NULL, 0));
	CHECK_SOON(wake(two, 1) == 1);
	CHECK_EXIT(pid, 0);
}

TEST("does requeue move waiters to the other word, and compare first?")
{
	int *word = guest_shared(PAGE), *waiting = word + 1, *other = word + 2;
	pid_t pids[4];

	start_waiters(word, waiting, pids, 4, FUTEX_WAIT, 0);
	CHECK_ERRNO(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)9, other, 7), EAGAIN);
	CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)2, other, 0), 3);
	CHECK_EXIT(pids[0], 0);
	CHECK_EQ(wake(word, 9), 1);
	CHECK_EXIT(pids[3], 0);
	CHECK_EQ(wake(other, 9), 2);
	CHECK_EXIT(pids[1], 0);
	CHECK_EXIT(pids[2], 0);
	CHECK_ERRNO(futex(word, FUTEX_CMP_REQUEUE, -1, (void *)9, other, 0), EINVAL);
}

TEST("does FUTEX_WAKE_OP change the second word and wake by its old value?")
{
	int *word = guest_shared(PAGE), *waiting = word + 1, *other = word + 2;
	pid_t pids[2];

	*other = 10;
	start_waiters(word, waiting, pids, 1, FUTEX_WAIT, 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_OP, 1, (void *)1, other,
		       FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 99)), 1);
	CHECK_EQ(*other, 15);
	CHECK_EXIT(pids[0], 0);
	CHECK_EQ(futex(word, FUTEX_WAKE_OP, 1, (void *)1, other,
		       FUTEX_OP(FUTEX_OP_SET, 3, FUTEX_OP_CMP_GT, 0)), 0);
	CHECK_EQ(*other, 3);
	CHECK_ERRNO(futex(word, FUTEX_WAKE_OP, 1, (void *)1, (void *)16, 0), EFAULT);
	CHECK_ERRNO(futex(word, FUTEX_WAKE_OP, 1, (void *)1, other, FUTEX_OP(7, 1, 0, 0)), ENOSYS);
}

TEST("does a word that is unmapped and mapped again while somebody waits keep the kernel whole?")
{
	int *word = guest_shared(PAGE);
	pid_t pid;

	CHILD(pid) {
		struct timespec limit = { 0, 100000000 };

		futex(word, FUTEX_WAIT, 0, &limit, NULL, 0);
	}
	CHECK_OK(munmap(word, PAGE));
	CHECK_ERRNO(wake(word, 1), EFAULT);
	CHECK_EXIT(pid, 0);
}

static struct robust_list_head list_head;

TEST("does set_robust_list keep the pointer, and refuse another size?")
{
	struct robust_list_head *got;
	size_t bytes;

	list_head.list.next = &list_head.list;
	CHECK_OK(syscall(SYS_set_robust_list, &list_head, sizeof list_head));
	CHECK_OK(syscall(SYS_get_robust_list, 0, &got, &bytes));
	CHECK(got == &list_head);
	CHECK_EQ(bytes, sizeof list_head);
	CHECK_ERRNO(syscall(SYS_set_robust_list, &list_head, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_get_robust_list, 9999999, &got, &bytes), ESRCH);
}

struct lock {
	struct robust_list list;
	int word;
};

TEST("does the death of an owner mark its robust words and wake a waiter?")
{
	struct lock *lock = guest_shared(PAGE);
	pid_t pid;

	CHILD(pid) {
		list_head.list.next = &lock->list;
		lock->list.next = &list_head.list;
		list_head.futex_offset = offsetof(struct lock, word);
		CHECK_OK(syscall(SYS_set_robust_list, &list_head, sizeof list_head));
		lock->word = syscall(SYS_gettid) | FUTEX_WAITERS;
		guest_sleep_ms(50);
	}
	CHECK_SOON(lock->word != 0);
	{
		struct timespec limit = { 10, 0 };
		long result = futex(&lock->word, FUTEX_WAIT, pid | FUTEX_WAITERS, &limit, NULL, 0);

		CHECK(result == 0 || errno == EAGAIN);
	}
	CHECK_EQ(lock->word & FUTEX_OWNER_DIED, FUTEX_OWNER_DIED);
	CHECK_EQ(lock->word & FUTEX_TID_MASK, 0);
	CHECK_EXIT(pid, 0);
}

TEST("are robust lists that loop, or point to nothing or the kernel, harmless?")
{
	static struct robust_list loop[2] = { { &loop[1] }, { &loop[0] } };
	static struct robust_list *const heads[] = {
		&loop[0], NULL, (void *)8, (void *)0xffff888000000000, (void *)0x1234567800000000,
	};

	for (unsigned i = 0; i < 5; i++) {
		pid_t pid;

		CHILD(pid) {
			list_head.list.next = heads[i];
			list_head.list_op_pending = heads[i];
			list_head.futex_offset = i % 2 ? -8L : 1L << 40;
			CHECK_OK(syscall(SYS_set_robust_list, &list_head, sizeof list_head));
		}
		CHECK_EXIT(pid, 0);
		CHILD(pid)
			CHECK_OK(syscall(SYS_set_robust_list, heads[i], sizeof list_head));
		CHECK_EXIT(pid, 0);
	}
}

TEST("is futex_waitv there, or ENOSYS?")
{
	struct { uint64_t value, address; uint32_t flags, reserved; } waiter = { .flags = 2 };
	int word = 3;

	waiter.address = (uintptr_t)&word;
	errno = 0;
	CHECK_EQ(syscall(449, &waiter, 1, 0, NULL, CLOCK_MONOTONIC), -1);
	CHECK(errno == EAGAIN || errno == ENOSYS);
}

TEST("do priority-inheriting locks work, or say ENOSYS?")
{
	int *word = guest_shared(PAGE);
	struct timespec limit = in_ms(CLOCK_REALTIME, 30);
	pid_t pid;

	if (futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) < 0) {
		CHECK_EQ(errno, ENOSYS);
		SKIP("the kernel has no priority-inheriting futex");
	}
	CHECK_EQ(*word & FUTEX_TID_MASK, syscall(SYS_gettid));
	CHECK_ERRNO(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
	CHILD(pid) {
		CHECK_ERRNO(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
		CHECK_ERRNO(futex(word, FUTEX_LOCK_PI, 0, &limit, NULL, 0), ETIMEDOUT);
		CHECK_ERRNO(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
		CHECK_OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
		CHECK_OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	}
	guest_sleep_ms(100);
	CHECK_OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CHECK_EXIT(pid, 0);
}

/* The lock's word is held by a child that then ends; `robust`: with the word on its list. */
static void owner_ends(int *result, bool robust)
{
	struct lock *lock = guest_shared(PAGE);
	struct guest_gate held = guest_gate();
	pid_t pid, waiters[2];
	int mine;

	CHILD(pid) {
		if (robust) {
			list_head.list.next = (void *)((uintptr_t)&lock->list | 1);
			lock->list.next = &list_head.list;
			list_head.futex_offset = offsetof(struct lock, word);
			CHECK_OK(syscall(SYS_set_robust_list, &list_head, sizeof list_head));
		}
		CHECK_OK(futex(&lock->word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
		guest_gate_open(&held);
		pause();
	}
	guest_gate_pass(&held);
	for (int i = 0; i < 2; i++) {
		CHILD(waiters[i]) {
			CHECK_OK(futex(&lock->word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
			mine = __atomic_load_n(&lock->word, __ATOMIC_SEQ_CST);
			CHECK_EQ(mine & FUTEX_TID_MASK, syscall(SYS_gettid));
			if ((mine & FUTEX_OWNER_DIED) != 0)
				__atomic_add_fetch(result, 1, __ATOMIC_SEQ_CST);
			CHECK_OK(futex(&lock->word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
		}
		guest_wait_blocked(waiters[i]);
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
	CHECK_EXIT(waiters[0], 0);
	CHECK_EXIT(waiters[1], 0);
	CHECK_EQ(lock->word & ~FUTEX_OWNER_DIED, 0);
}

TEST("do those who wait for a priority-inheriting lock get it when its owner ends?")
{
	int *died = guest_shared(PAGE);

	owner_ends(died, false);
	CHECK(*died >= 1);
	*died = 0;
	owner_ends(died, true);
	CHECK(*died >= 1);
}

TEST("is a priority-inheriting lock of nobody ESRCH, and one left by a robust owner taken?")
{
	int *word = guest_shared(PAGE);
	pid_t pid;

	CHILD(pid)
		;
	CHECK_EXIT(pid, 0);
	*word = pid;
	CHECK_ERRNO(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
	*word = FUTEX_OWNER_DIED;
	CHECK_OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(*word & FUTEX_TID_MASK, syscall(SYS_gettid));
}

TEST("is a priority-inheriting lock handed to the waiter of the highest priority?")
{
	int *word = guest_shared(PAGE), *order = word + 1, *next = word + 8;
	pid_t waiters[3];

	CHECK_OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++) {
		CHILD(waiters[i]) {
			struct sched_param param = { .sched_priority = i == 1 ? 20 : 10 };

			if (i != 0)
				CHECK_OK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &param));
			CHECK_OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
			order[(*next)++] = i;
			CHECK_OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
		}
		guest_wait_blocked(waiters[i]);
	}
	CHECK_OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	for (int i = 0; i < 3; i++)
		CHECK_EXIT(waiters[i], 0);
	CHECK_EQ(order[0], 1);
	CHECK_EQ(order[1], 2);
	CHECK_EQ(order[2], 0);
}

enum { PAIRS = 3, ROUNDS = 3000 };

static void *ping_pong(void *arg)
{
	int *word = (int *)((uintptr_t)arg & -8UL), me = (uintptr_t)arg & 1;

	for (int i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(word, __ATOMIC_SEQ_CST) != me)
			futex(word, FUTEX_WAIT_PRIVATE, !me, NULL, NULL, 0);
		__atomic_store_n(word, !me, __ATOMIC_SEQ_CST);
		futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return NULL;
}

TEST_LIMIT("do three pairs of threads hand a word to and fro without losing a wake-up?", 60)
{
	static long words[PAIRS];
	pthread_t threads[2 * PAIRS];

	for (int i = 0; i < 2 * PAIRS; i++) {
		uintptr_t arg = (uintptr_t)&words[i / 2] | (i & 1);

		CHECK_EQ(pthread_create(&threads[i], NULL, ping_pong, (void *)arg), 0);
	}
	for (int i = 0; i < 2 * PAIRS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
