/*
 * POSIX threads as a C library builds them on clone and futex: mutexes, condition variables,
 * read-write locks, barriers, semaphores, robust and process-shared ones, cancellation,
 * thread-local storage.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

enum { THREADS = 8 };

static void start(pthread_t *threads, int count, void *(*run)(void *))
{
	for (long i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run, (void *)i), 0);
}

static void join(pthread_t *threads, int count)
{
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *return_argument(void *arg)
{
	return (char *)arg + 1;
}

TEST("are two hundred threads made and joined, each with its result?")
{
	for (long i = 0; i < 200; i++) {
		pthread_t thread;
		void *result;

		CHECK_EQ(pthread_create(&thread, NULL, return_argument, (void *)i), 0);
		CHECK_EQ(pthread_join(thread, &result), 0);
		CHECK_EQ((long)result, i + 1);
	}
}

static pthread_barrier_t barrier;
static pid_t tids[100];

static void *note_tid(void *arg)
{
	tids[(long)arg] = syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	return NULL;
}

TEST("have a hundred threads alive at once tids of their own, and one pid?")
{
	pthread_t threads[100];

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 100), 0);
	start(threads, 100, note_tid);
	join(threads, 100);
	for (int i = 0; i < 100; i++) {
		CHECK(tids[i] > 0);
		for (int j = 0; j < i; j++)
			CHECK(tids[i] != tids[j]);
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter, copies[2];

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		copies[0] = counter + 1;
		if (i % 1000 == 0)
			sched_yield();
		counter = copies[0];
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST_LIMIT("does a mutex keep eight threads' increments apart?", 60)
{
	pthread_t threads[THREADS];

	start(threads, THREADS, count_up);
	join(threads, THREADS);
	CHECK_EQ(counter, THREADS * 20000);
}

static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int queue[16], queued, taken_from, put_to;
static long sum_taken;

static void *producer(void *arg)
{
	for (int i = 1; i <= 2000; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 16)
			pthread_cond_wait(&not_full, &mutex);
		queue[put_to++ % 16] = i;
		queued++;
		pthread_cond_signal(&not_empty);
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

static void *consumer(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 0)
			pthread_cond_wait(&not_empty, &mutex);
		sum_taken += queue[taken_from++ % 16];
		queued--;
		pthread_cond_signal(&not_full);
		pthread_mutex_unlock(&mutex);
	}
	return arg;
}

TEST_LIMIT("do condition variables carry 8000 items from producers to consumers?", 60)
{
	pthread_t makers[4], takers[4];

	start(makers, 4, producer);
	start(takers, 4, consumer);
	join(makers, 4);
	join(takers, 4);
	CHECK_EQ(sum_taken, 4L * 2000 * 2001 / 2);
}

static volatile bool go;
static int awake;

static void *wait_for_go(void *arg)
{
	pthread_mutex_lock(&mutex);
	awake--;
	while (!go)
		pthread_cond_wait(&not_empty, &mutex);
	awake += 2;
	pthread_mutex_unlock(&mutex);
	return arg;
}

TEST("does broadcast wake all who wait?")
{
	pthread_t threads[THREADS];

	start(threads, THREADS, wait_for_go);
	CHECK_SOON(__atomic_load_n(&awake, __ATOMIC_SEQ_CST) == -THREADS);
	pthread_mutex_lock(&mutex);
	go = true;
	pthread_cond_broadcast(&not_empty);
	pthread_mutex_unlock(&mutex);
	join(threads, THREADS);
	CHECK_EQ(awake, THREADS);
}

TEST("does a timed wait for a condition, mutex and semaphore end with ETIMEDOUT in time?")
{
	struct timespec limit;
	sem_t semaphore;
	int64_t start_ns = guest_now_ns();

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &limit));
	limit.tv_nsec += 50000000;
	if (limit.tv_nsec >= 1000000000) {
		limit.tv_nsec -= 1000000000;
		limit.tv_sec++;
	}
	CHECK_OK(sem_init(&semaphore, 0, 0));
	pthread_mutex_lock(&mutex);
	CHECK_EQ(pthread_cond_timedwait(&not_empty, &mutex, &limit), ETIMEDOUT);
	CHECK_RANGE(guest_now_ns() - start_ns, 45000000, 10000000000);
	CHECK_EQ(pthread_mutex_timedlock(&mutex, &limit), ETIMEDOUT);
	CHECK_ERRNO(sem_timedwait(&semaphore, &limit), ETIMEDOUT);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long left, right;
static long mismatches;

static void *read_or_write(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		if ((long)arg < 2) {
			pthread_rwlock_wrlock(&rwlock);
			left++;
			right++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			if (left != right)
				__atomic_add_fetch(&mismatches, 1, __ATOMIC_RELAXED);
			pthread_rwlock_unlock(&rwlock);
		}
	}
	return NULL;
}

TEST_LIMIT("does a read-write lock never show a reader half a write?", 60)
{
	pthread_t threads[6];

	start(threads, 6, read_or_write);
	join(threads, 6);
	CHECK_EQ(mismatches, 0);
	CHECK_EQ(left, 6000);
}

static int phase[4];

static void *in_phases(void *arg)
{
	long me = (long)arg;

	for (int i = 1; i <= 500; i++) {
		__atomic_store_n(&phase[me], i, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&barrier);
		for (int j = 0; j < 4; j++) {
			if (__atomic_load_n(&phase[j], __ATOMIC_SEQ_CST) < i)
				__atomic_add_fetch(&mismatches, 1, __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

TEST_LIMIT("does a barrier hold everybody until the last comes, 500 times?", 60)
{
	pthread_t threads[4];

	CHECK_EQ(pthread_barrier_init(&barrier, NULL, 4), 0);
	start(threads, 4, in_phases);
	join(threads, 4);
	CHECK_EQ(mismatches, 0);
}

static __thread int local = 5;
static __thread char large_local[3000];

static void *change_local(void *arg)
{
	int *mine = &local;

	if (*mine != 5 || large_local[2999])
		return (void *)1;
	*mine = 100 + (long)arg;
	memset(large_local, (int)(long)arg, sizeof large_local);
	for (int i = 0; i < 100; i++) {
		sched_yield();
		if (local != 100 + (long)arg || large_local[i * 29] != (char)(long)arg)
			return (void *)2;
	}
	return NULL;
}

TEST("has each thread its own thread-local variables, across switches?")
{
	pthread_t threads[THREADS];
	void *result;

	local = 5;
	start(threads, THREADS, change_local);
	for (int i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, 0);
	}
	CHECK_EQ(local, 5);
}

static void note_cleanup(void *arg)
{
	*(int *)arg = 1;
}

static void *until_cancelled(void *arg)
{
	pthread_cleanup_push(note_cleanup, arg);
	for (;;)
		guest_sleep_ms(10000);
	pthread_cleanup_pop(0);
	return NULL;
}

TEST("does cancelling a sleeping thread run its cleanup and join as PTHREAD_CANCELED?")
{
	int cleaned = 0;
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, until_cancelled, &cleaned), 0);
	guest_sleep_ms(20);
	CHECK_EQ(pthread_cancel(thread), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
	CHECK_EQ(cleaned, 1);
}

struct common {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	sem_t semaphore;
	int value;
};

TEST("do process-shared mutex, condition and semaphore work between processes?")
{
	struct common *common = guest_shared(PAGE);
	pthread_mutexattr_t mutex_attributes;
	pthread_condattr_t cond_attributes;
	pid_t pids[3];

	pthread_mutexattr_init(&mutex_attributes);
	pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
	pthread_condattr_init(&cond_attributes);
	pthread_condattr_setpshared(&cond_attributes, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutex_init(&common->mutex, &mutex_attributes), 0);
	CHECK_EQ(pthread_cond_init(&common->changed, &cond_attributes), 0);
	CHECK_OK(sem_init(&common->semaphore, 1, 0));
	for (int i = 0; i < 3; i++) {
		CHILD(pids[i]) {
			CHECK_OK(sem_wait(&common->semaphore));
			for (int j = 0; j < 1000; j++) {
				pthread_mutex_lock(&common->mutex);
				common->value++;
				pthread_mutex_unlock(&common->mutex);
			}
			pthread_cond_signal(&common->changed);
		}
	}
	for (int i = 0; i < 3; i++)
		CHECK_OK(sem_post(&common->semaphore));
	pthread_mutex_lock(&common->mutex);
	while (common->value < 3000)
		pthread_cond_timedwait(&common->changed, &common->mutex,
				       &(struct timespec){ time(NULL) + 1, 0 });
	pthread_mutex_unlock(&common->mutex);
	for (int i = 0; i < 3; i++)
		CHECK_EXIT(pids[i], 0);
	CHECK_EQ(common->value, 3000);
}

TEST("does a robust mutex tell the next owner EOWNERDEAD when a process dies with it?")
{
	struct common *common = guest_shared(PAGE);
	pthread_mutexattr_t attributes;
	pid_t pid;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&common->mutex, &attributes), 0);
	CHILD(pid) {
		pthread_mutex_lock(&common->mutex);
		common->value = 1;
		guest_sleep_ms(50);
		raise(SIGKILL);
	}
	CHECK_SOON(*(volatile int *)&common->value == 1);
	CHECK_EQ(pthread_mutex_lock(&common->mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&common->mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&common->mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&common->mutex), 0);
	CHECK_SIGNALED(pid, SIGKILL);
}

static void *lock_and_leave(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

TEST("does a robust mutex tell the next owner when a thread of the process ends with it?")
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t robust;
	pthread_t thread;

	pthread_mutexattr_init(&attributes);
	CHECK_EQ(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&robust, &attributes), 0);
	CHECK_EQ(pthread_create(&thread, NULL, lock_and_leave, &robust), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int times;

static void run_once_only(void)
{
	guest_sleep_ms(5);
	times++;
}

static void *call_once(void *arg)
{
	pthread_once(&once, run_once_only);
	return times == 1 ? NULL : arg;
}

TEST("does pthread_once run its function once for eight threads?")
{
	pthread_t threads[THREADS];

	start(threads, THREADS, call_once);
	join(threads, THREADS);
	CHECK_EQ(times, 1);
}

static void *detached(void *arg)
{
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST_LIMIT("do five hundred detached threads run and vanish?", 60)
{
	pthread_attr_t attributes;
	int ran = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 500; i++) {
		pthread_t thread;
		int error;

		while ((error = pthread_create(&thread, &attributes, detached, &ran)) == EAGAIN)
			guest_sleep_ms(1);
		CHECK_EQ(error, 0);
	}
	CHECK_SOON(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == 500);
}

TEST("does a mutex of the error-checking and recursive kind count and complain?")
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t checking, recursive;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	CHECK_EQ(pthread_mutex_init(&checking, &attributes), 0);
	CHECK_EQ(pthread_mutex_unlock(&checking), EPERM);
	CHECK_EQ(pthread_mutex_lock(&checking), 0);
	CHECK_EQ(pthread_mutex_lock(&checking), EDEADLK);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	CHECK_EQ(pthread_mutex_init(&recursive, &attributes), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(pthread_mutex_lock(&recursive), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(pthread_mutex_unlock(&recursive), 0);
	CHECK_EQ(pthread_mutex_unlock(&recursive), EPERM);
}

static volatile unsigned long *turns;

static void *turn(void *arg)
{
	for (;;)
		__atomic_fetch_add(turns, 1, __ATOMIC_RELAXED);
	return arg;
}

TEST("does a process with threads go on after each of 500 SIGSTOPs that a SIGCONT follows at once?")
{
	pthread_t thread;
	pid_t pid;

	turns = guest_shared(PAGE);
	CHILD(pid) {
		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&thread, NULL, turn, NULL), 0);
		pause();
	}
	CHECK_SOON(*turns > 0);
	for (int i = 0; i < 500; i++) {
		unsigned long before;

		CHECK_OK(kill(pid, SIGSTOP));
		for (volatile int spin = i * 10; spin > 0; spin--)
			;
		CHECK_OK(kill(pid, SIGCONT));
		guest_sleep_ms(1); /* those that are to stop have */
		before = *turns;
		CHECK_SOON(*turns != before);
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(guest_wait(pid), SIGKILL);
}
