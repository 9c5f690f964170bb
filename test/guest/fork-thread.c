/*
 * fork in a process of several threads: the child has one, and the memory of one moment, whatever
 * the other threads were doing to it.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>

static struct {
	volatile bool stop;
	volatile long *word;
	long errors;
} busy;

static void *keep_writing(void *arg)
{
	volatile long *mine = busy.word + (long)arg * (PAGE / sizeof(long));

	for (long i = 1; !busy.stop; i++) {
		*mine = i;
		if (*mine != i)
			busy.errors++;
	}
	return NULL;
}

static void *keep_mapping(void *arg)
{
	(void)arg;
	while (!busy.stop) {
		char *memory = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED) {
			busy.errors++;
			continue;
		}
		memory[3 * PAGE] = 5;
		if (mprotect(memory, 4 * PAGE, PROT_READ) < 0 || memory[3 * PAGE] != 5 ||
		    munmap(memory, 16 * PAGE) < 0)
			busy.errors++;
	}
	return NULL;
}

TEST_LIMIT("does fork take a consistent copy while threads write, map and unmap?", 60)
{
	pthread_t threads[3];

	busy.word = guest_private(4 * PAGE);
	CHECK_EQ(pthread_create(&threads[0], NULL, keep_writing, (void *)0), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, keep_writing, (void *)1), 0);
	CHECK_EQ(pthread_create(&threads[2], NULL, keep_mapping, NULL), 0);
	for (int i = 0; i < 60; i++) {
		pid_t pid;

		CHILD(pid) {
			long first = busy.word[0], second = busy.word[PAGE / sizeof(long)];

			/* Only this thread came along: nothing changes any more. */
			for (int j = 0; j < 3; j++) {
				sched_yield();
				CHECK_EQ(busy.word[0], first);
				CHECK_EQ(busy.word[PAGE / sizeof(long)], second);
			}
			busy.word[0] = -1;
		}
		CHECK_EXIT(pid, 0);
	}
	busy.stop = true;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(busy.errors, 0);
}

static void *fork_here(void *arg)
{
	pid_t pid, *leader = arg;

	CHILD(pid) {
		CHECK_EQ(getppid(), *leader);
		CHECK_EQ(syscall(SYS_gettid), getpid());
	}
	CHECK_EXIT(pid, 0);
	return NULL;
}

TEST("does fork from a second thread give a child of one thread, whose parent is the process?")
{
	pid_t leader = getpid();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fork_here, &leader), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *fork_many(void *arg)
{
	for (int i = 0; i < 25; i++) {
		pid_t pid;

		CHILD(pid)
			_exit(i);
		CHECK_EXIT(pid, i);
	}
	return arg;
}

TEST_LIMIT("can four threads fork at the same time?", 60)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fork_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
