/*
 * The rounds of the storm. Each makes what it needs, knows what must come out of it, checks that
 * with CHECK (which ends the process, and so the worker, and so the storm) and leaves nothing
 * behind.
 */
#include "storm.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct board *board;
uint64_t generator;

static uint32_t next(void)
{
	generator = generator * 6364136223846793005u + 1442695040888963407u;
	return generator >> 33;
}

uint32_t below(uint32_t bound)
{
	return next() % bound;
}

static uint32_t mix(uint32_t sum, uint32_t value)
{
	return (sum ^ value) * 16777619u + (sum >> 15);
}

static pid_t make_child(void)
{
	pid_t pid = guest_fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	else
		__atomic_add_fetch(&board->forks, 1, __ATOMIC_RELAXED);
	return pid;
}

#define STORM_CHILD(pid) for (pid = make_child(); pid == 0; _exit(0))

/* Copy-on-write: family of processes, each changing pages of its own view and checking all of it.
 */

enum { VIEW_PAGES = 200 };

static void stamp(uint32_t *view, int page, uint32_t value)
{
	view[page * 1024] = value;
	view[page * 1024 + 1023] = ~value;
}

static void check_view(uint32_t *view, const uint32_t *model)
{
	for (int page = 0; page < VIEW_PAGES; page++) {
		CHECK_EQ(view[page * 1024], model[page]);
		CHECK_EQ(view[page * 1024 + 1023], ~model[page]);
	}
}

static void change_view(uint32_t *view, uint32_t *model, int count)
{
	for (int i = 0; i < count; i++) {
		int page = below(VIEW_PAGES);

		model[page] = next();
		stamp(view, page, model[page]);
	}
}

static void cow_family(uint32_t *view, uint32_t *model, int depth)
{
	pid_t pids[3];
	int count = depth ? 1 + below(3) : 0;

	for (int i = 0; i < count; i++) {
		uint32_t branch = next();

		STORM_CHILD(pids[i]) {
			generator ^= branch;
			check_view(view, model);
			change_view(view, model, below(40));
			cow_family(view, model, depth - 1);
			check_view(view, model);
		}
		change_view(view, model, below(20));
	}
	check_view(view, model);
	for (int i = 0; i < count; i++)
		CHECK_EXIT(pids[i], 0);
	check_view(view, model);
}

static void play_cow(void)
{
	uint32_t *view = guest_private(VIEW_PAGES * PAGE), model[VIEW_PAGES];

	for (int page = 0; page < VIEW_PAGES; page++) {
		model[page] = next();
		stamp(view, page, model[page]);
	}
	cow_family(view, model, 1 + below(2));
	CHECK_OK(munmap(view, VIEW_PAGES * PAGE));
}

/* Executions: this program again, which answers with a sum of its arguments. */

int answer(int argc, char **argv)
{
	uint32_t sum = 1;

	for (int i = 2; i < argc; i++)
		sum = mix(sum, strtoul(argv[i], NULL, 10));
	return sum % 100;
}

static void play_exec(void)
{
	char numbers[4][16], *none[] = { NULL };
	char *args[] = { (char *)guest_self(), "--answer", numbers[0], numbers[1],
			 numbers[2],	       numbers[3], NULL };
	uint32_t sum = 1;
	pid_t pid;

	for (int i = 0; i < 4; i++) {
		uint32_t value = next();

		snprintf(numbers[i], sizeof numbers[i], "%u", value);
		sum = mix(sum, value);
	}
	if (below(3) == 0) {
		pid = vfork();
		if (pid == 0) {
			execve(args[0], args, none);
			_exit(101);
		}
		CHECK(pid > 0);
	} else {
		STORM_CHILD(pid) {
			execve(args[0], args, none);
			_exit(101);
		}
	}
	__atomic_add_fetch(&board->execs, 1, __ATOMIC_RELAXED);
	CHECK_EXIT(pid, sum % 100);
}

/* Signals: queued values summed by a handler; none may be lost or doubled. */

static volatile uint32_t signal_sum;
static volatile int signal_count;

static void add_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	signal_sum += info->si_value.sival_int;
	signal_count++;
}

static void play_signals(void)
{
	struct sigaction action = { .sa_sigaction = add_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	int count = 1 + below(100);
	uint32_t values[100], want = 0;
	pid_t parent = getpid(), pid;

	for (int i = 0; i < count; i++)
		want += values[i] = below(1000000);
	signal_sum = signal_count = 0;
	CHECK_OK(sigaction(SIGRTMIN + 1, &action, NULL));
	STORM_CHILD(pid) {
		for (int i = 0; i < count; i++) {
			union sigval value = { .sival_int = values[i] };

			while (sigqueue(parent, SIGRTMIN + 1, value) < 0) {
				CHECK_EQ(errno, EAGAIN);
				sched_yield();
			}
		}
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(signal_count, count);
	CHECK_EQ(signal_sum, want);
}

/* Mappings: random changes of a range against a model of what each page must hold. */

enum { RANGE_PAGES = 64 };

static void play_mappings(void)
{
	char *range = mmap(NULL, RANGE_PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char model[RANGE_PAGES] = { 0 };
	bool open[RANGE_PAGES] = { false };

	CHECK(range != MAP_FAILED);
	for (int i = 0; i < 200; i++) {
		int first = below(RANGE_PAGES), count = 1 + below(RANGE_PAGES - first),
		    what = below(5);
		char *start = range + first * PAGE;
		size_t bytes = count * PAGE;

		if (what == 0)
			CHECK(mmap(start, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == start);
		else if (what == 1)
			CHECK_OK(mprotect(start, bytes, PROT_READ | PROT_WRITE));
		else if (what == 2)
			CHECK_OK(madvise(start, bytes, MADV_DONTNEED));
		else if (what == 3)
			CHECK(mmap(start, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				   -1, 0) == start);
		for (int page = first; page < first + count; page++) {
			if (what == 0 || what == 1)
				open[page] = true;
			if (what == 3)
				open[page] = false;
			if (what != 1 && what != 4)
				model[page] = 0;
			if (open[page]) {
				CHECK_EQ((unsigned char)range[page * PAGE], model[page]);
				range[page * PAGE] = model[page] = next();
			}
		}
	}
	for (int page = 0; page < RANGE_PAGES; page++) {
		if (open[page])
			CHECK_EQ((unsigned char)range[page * PAGE], model[page]);
	}
	CHECK_OK(munmap(range, RANGE_PAGES * PAGE));
}

/* Futexes: threads, or processes on shared memory, that count under a lock made of one word. */

static void lock(int *word)
{
	int seen = 0;

	if (__atomic_compare_exchange_n(word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
		syscall(SYS_futex, word, 0, 2, NULL, NULL, 0);
}

static void unlock(int *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		syscall(SYS_futex, word, 1, 1, NULL, NULL, 0);
}

struct counted {
	int word;
	long value, copy;
	int rounds;
};

static void *count_up(void *arg)
{
	struct counted *counted = arg;

	for (int i = 0; i < counted->rounds; i++) {
		lock(&counted->word);
		counted->copy = counted->value;
		if (i % 64 == 0)
			sched_yield();
		counted->value = counted->copy + 1;
		unlock(&counted->word);
	}
	return NULL;
}

static void play_threads(void)
{
	struct counted counted = { .rounds = 100 + below(1000) };
	pthread_t threads[4];
	int count = 2 + below(3);

	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_up, &counted), 0);
	for (int i = 0; i < count; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(counted.value, (long)count * counted.rounds);
}

static void play_shared_counter(void)
{
	struct counted *counted = guest_shared(PAGE);
	int count = 2 + below(3);
	pid_t pids[4];

	counted->rounds = 100 + below(500);
	for (int i = 0; i < count; i++) {
		STORM_CHILD(pids[i])
			count_up(counted);
	}
	for (int i = 0; i < count; i++)
		CHECK_EXIT(pids[i], 0);
	CHECK_EQ(counted->value, (long)count * counted->rounds);
	CHECK_OK(munmap(counted, PAGE));
}

/* Streams through pipes and sockets, in pieces of any size, summed at both ends. */

static void send_stream(int fd, uint32_t seed, size_t total)
{
	static unsigned char block[20000];
	uint32_t value = seed;

	while (total) {
		size_t count = 1 + below(sizeof block), sent = 0;

		if (count > total)
			count = total;
		for (size_t i = 0; i < count; i++) {
			value = value * 1103515245 + 12345;
			block[i] = value >> 16;
		}
		while (sent < count) {
			ssize_t put = write(fd, block + sent, count - sent);

			CHECK(put > 0);
			sent += put;
		}
		total -= count;
	}
}

static void check_stream(int fd, uint32_t seed, size_t total)
{
	static unsigned char block[20000];
	uint32_t value = seed;
	ssize_t got;

	while ((got = read(fd, block, 1 + below(sizeof block))) > 0) {
		CHECK((size_t)got <= total);
		for (ssize_t i = 0; i < got; i++) {
			value = value * 1103515245 + 12345;
			CHECK_EQ(block[i], (unsigned char)(value >> 16));
		}
		total -= got;
	}
	CHECK_EQ(got, 0);
	CHECK_EQ(total, 0);
}

static void play_stream(bool socket)
{
	uint32_t seed = next(), total = below(300000);
	int ends[2];
	pid_t pid;

	if (socket)
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	else
		CHECK_OK(pipe(ends));
	STORM_CHILD(pid) {
		close(ends[0]);
		generator ^= seed;
		send_stream(ends[1], seed, total);
	}
	close(ends[1]);
	check_stream(ends[0], seed, total);
	close(ends[0]);
	CHECK_EXIT(pid, 0);
}

static void play_pipe(void)
{
	play_stream(false);
}

static void play_socket(void)
{
	play_stream(true);
}

/* Files: written, mapped, cut and read back. */

static void play_file(void)
{
	char name[64];
	uint32_t words[1024], *map;
	int fd, pages = 1 + below(32);

	snprintf(name, sizeof name, "storm.%d.%u", (int)getpid(), below(1000));
	fd = CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (int page = 0; page < pages; page++) {
		for (int i = 0; i < 1024; i++)
			words[i] = page * 1000003u + i;
		CHECK_EQ(write(fd, words, sizeof words), sizeof words);
	}
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int page = 0; page < pages; page++) {
		CHECK_EQ(map[page * 1024 + 77], page * 1000003u + 77);
		map[page * 1024 + 78] = ~page;
	}
	CHECK_OK(unlink(name));
	CHECK_OK(munmap(map, pages * PAGE));
	for (int page = 0; page < pages; page++) {
		CHECK_EQ(pread(fd, words, sizeof words, page * PAGE), sizeof words);
		CHECK_EQ(words[78], (uint32_t)~page);
		CHECK_EQ(words[79], page * 1000003u + 79);
	}
	CHECK_OK(ftruncate(fd, 100));
	CHECK_EQ(lseek(fd, 0, SEEK_END), 100);
	CHECK_OK(close(fd));
}

/* Sudden ends: children that map, fork, spin, sleep or wait are killed at any moment. */

static void *spin(void *arg)
{
	for (;;)
		asm volatile("pause" ::: "memory");
	return arg;
}

static void live_dangerously(int how)
{
	pthread_t thread;

	for (;;) {
		if (how == 0)
			free(memset(malloc(100000), 1, 100000));
		else if (how == 1)
			waitpid(fork() ?: (_exit(0), 0), NULL, 0);
		else if (how == 2)
			pthread_create(&thread, NULL, spin, NULL), spin(NULL);
		else if (how == 3)
			pause();
		else
			munmap(memset(guest_private(10 * PAGE), 1, 10 * PAGE), 10 * PAGE);
	}
}

static void play_kill(void)
{
	int how = below(5), delay_us = below(3000), status;
	pid_t pid;

	STORM_CHILD(pid)
		live_dangerously(how);
	nanosleep(&(struct timespec){ 0, delay_us * 1000 }, NULL);
	if (below(3) == 0) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECK_OK(kill(pid, SIGCONT));
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

/* Orphans: grandchildren whose parent is gone still finish, and report through a pipe. */

static void play_orphans(void)
{
	int ends[2], count = 1 + below(4), seen = 0;
	char bytes[8];
	pid_t pid;
	ssize_t got;

	CHECK_OK(pipe(ends));
	STORM_CHILD(pid) {
		for (int i = 0; i < count; i++) {
			if (guest_fork() == 0) {
				sched_yield();
				_exit(write(ends[1], "o", 1) != 1);
			}
		}
	}
	close(ends[1]);
	CHECK_EXIT(pid, 0);
	while ((got = read(ends[0], bytes, sizeof bytes)) > 0)
		seen += got;
	CHECK_EQ(seen, count);
	close(ends[0]);
}

/* Events: epoll tells of bytes in several pipes; each is taken once. */

static void play_epoll(void)
{
	int epoll = CHECK_OK(epoll_create1(0)), ends[6][2], count = 50 + below(200), taken = 0;
	pid_t pid;

	for (int i = 0; i < 6; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		CHECK_OK(pipe2(ends[i], O_NONBLOCK));
		CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[i][0], &event));
	}
	STORM_CHILD(pid) {
		for (int i = 0; i < count; i++)
			CHECK_EQ(write(ends[below(6)][1], "e", 1), 1);
	}
	while (taken < count) {
		struct epoll_event events[3];
		int ready = epoll_wait(epoll, events, 3, 20000);

		CHECK(ready > 0);
		for (int i = 0; i < ready; i++) {
			char bytes[16];
			ssize_t got = read(ends[events[i].data.u32][0], bytes, sizeof bytes);

			CHECK(got > 0);
			taken += got;
		}
	}
	CHECK_EXIT(pid, 0);
	for (int i = 0; i < 6; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(epoll);
}

const struct kind kinds[KINDS] = {
	{ "cow", play_cow }, { "exec", play_exec }, { "signal", play_signals },
	{ "map", play_mappings }, { "thread", play_threads }, { "futex", play_shared_counter },
	{ "pipe", play_pipe }, { "socket", play_socket }, { "file", play_file },
	{ "kill", play_kill }, { "orphan", play_orphans }, { "epoll", play_epoll },
};
