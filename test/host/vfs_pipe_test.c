/*
 * Do pipes lose bytes, wake-ups or their ends, whatever the order of the processors?
 *
 * links: arch/host/stacks.c arch/host/machine.c arch/host/support.c
 * links: core/percpu.c core/spinlock.c core/clock.c core/timer.c core/ipi.c core/trace.c
 * links: core/fail_point.c lib/number.c lib/rbtree.c lib/string.c
 * links: sched/balance.c sched/idle.c sched/mutex.c sched/policy.c sched/runqueue.c sched/rwlock.c
 * links: sched/sleep.c sched/stats.c sched/switch.c sched/thread.c sched/wait.c sched/wake.c
 * links: sched/worker.c fs/pipe.c fs/pipe_open.c fs/eventfd.c vfs/iobuf.c vfs/poll.c
 * links: sched/rt_limit.c
 * helpers: sched_memory.c virtual.c explore.c vfs_pipe_world.c
 */
#include <string.h>

#include "abi/errno.h"
#include "abi/poll.h"
#include "explore.h"
#include "fs/eventfd.h"
#include "fs/pipe.h"
#include "host_test.h"
#include "vfs/poll.h"
#include "vfs_pipe_world.h"

#undef S_IFIFO
#define S_IFIFO 010000

static struct file *reader, *writer;
static unsigned char got[3 * 4096];
static size_t got_bytes;
static int ended;

/* The smallest pipe fills after a page: writers wait soon. */
static void setup_pipe(void)
{
	got_bytes = 0;
	ended = 0;
	HOST_EXPECT(pipe_create_files(0, &reader, &writer) == 0);
	HOST_EXPECT(pipe_set_size(reader, 4096) == 4096);
}

static ssize_t take(void *to, size_t n)
{
	struct iobuf io;

	iobuf_init_kernel(&io, to, n);
	return reader->ops->read(reader, &io, NULL);
}

static ssize_t give(const void *from, size_t n)
{
	struct iobuf io;

	iobuf_init_kernel(&io, (void *)from, n);
	return writer->ops->write(writer, &io, NULL);
}

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 7 + i / 256); }

/* --- one stream ------------------------------------------------------------------------------- */

#define STREAM_BYTES (2 * 4096 + 100)

static void write_stream(void *arg)
{
	static unsigned char bytes[STREAM_BYTES];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = byte_at(i);
	HOST_EXPECT(give(bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	world_close(writer);
}

static void read_stream(void *arg)
{
	ssize_t n;

	while ((n = take(got + got_bytes, 3000)) > 0)
		got_bytes += (size_t)n;
	HOST_EXPECT(n == 0);
	world_close(reader);
}

static void check_stream(void)
{
	HOST_EXPECT(got_bytes == STREAM_BYTES);
	for (size_t i = 0; i < got_bytes; i++)
		HOST_EXPECT(got[i] == byte_at(i));
	world_check_empty();
}

static void setup_stream(void)
{
	setup_pipe();
	host_spawn(0, "writer", write_stream, NULL);
	host_spawn(0, "reader", read_stream, NULL);
}

static const struct scenario stream = { "pipe-stream", setup_stream, check_stream, 0 };

TEST(a_stream_longer_than_the_pipe_arrives_whole)
{
	explore_all(&stream, 2);
	explore_random(&stream, 1000);
}

/* --- atomic writes of two writers, two readers ------------------------------------------------ */

#define RECORD 1500

static void write_record(void *arg)
{
	unsigned char record[RECORD];

	memset(record, (int)(uintptr_t)arg, sizeof(record));
	for (int i = 0; i < 2; i++)
		HOST_EXPECT(give(record, sizeof(record)) == RECORD);
	if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 2)
		world_close(writer);
}

static void read_records(void *arg)
{
	while (true) {
		unsigned char record[RECORD];
		ssize_t n = take(record, sizeof(record));

		if (n == 0)
			break;
		HOST_EXPECT(n > 0);
		__atomic_add_fetch(&got_bytes, (size_t)n, __ATOMIC_SEQ_CST);
	}
	if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 4)
		world_close(reader);
}

static void read_whole_records(void *arg)
{
	while (true) {
		unsigned char record[RECORD];
		ssize_t n = take(record, sizeof(record));

		if (n == 0)
			break;
		/* Only whole records go in, so with one reader only whole ones come out. */
		HOST_EXPECT(n == RECORD);
		for (size_t i = 1; i < RECORD; i++)
			HOST_EXPECT(record[i] == record[0]);
		got_bytes += (size_t)n;
	}
	world_close(reader);
}

static void check_records(void)
{
	HOST_EXPECT(got_bytes == 4 * RECORD);
	world_check_empty();
}

static void setup_records(void)
{
	setup_pipe();
	host_spawn(1u << 0, "writer", write_record, (void *)1);
	host_spawn(1u << 1, "writer", write_record, (void *)2);
	host_spawn(0, "reader", read_whole_records, NULL);
}

static void setup_crowd(void)
{
	setup_pipe();
	host_spawn(1u << 0, "writer", write_record, (void *)1);
	host_spawn(1u << 1, "writer", write_record, (void *)2);
	host_spawn(1u << 1, "reader", read_records, NULL);
	host_spawn(0, "reader", read_records, NULL);
}

static const struct scenario records = { "pipe-records", setup_records, check_records, 0 };
static const struct scenario crowd = { "pipe-crowd", setup_crowd, check_records, 0 };

TEST(writes_of_up_to_a_page_are_not_mixed)
{
	explore_all(&records, 1);
	explore_random(&records, 1000);
}

TEST(two_writers_and_two_readers_all_end)
{
	explore_all(&crowd, 1);
	explore_random(&crowd, 2000);
}

/* --- ends that go ----------------------------------------------------------------------------- */

static void write_until_broken(void *arg)
{
	static unsigned char bytes[2 * 4096];
	ssize_t n = give(bytes, sizeof(bytes));

	/* A short count for what went in, then the error. */
	HOST_EXPECT(n == -EPIPE || (n >= 0 && n < (ssize_t)sizeof(bytes)));
	HOST_EXPECT(give(bytes, 1) == -EPIPE);
	world_close(writer);
}

static void read_a_little_and_close(void *arg)
{
	unsigned char byte;

	HOST_EXPECT(take(&byte, 1) == 1);
	world_close(reader);
}

static void setup_broken(void)
{
	setup_pipe();
	host_spawn(0, "writer", write_until_broken, NULL);
	host_spawn(0, "reader", read_a_little_and_close, NULL);
}

static const struct scenario broken = { "pipe-broken", setup_broken, world_check_empty, 0 };

TEST(a_sleeping_writer_learns_that_the_reader_is_gone)
{
	explore_all(&broken, 2);
	explore_random(&broken, 1000);
}

/* --- a signal takes a reader away, its wake-up must not be lost ------------------------------- */

static struct thread *interrupted;

static void read_or_be_interrupted(void *arg)
{
	unsigned char byte;
	ssize_t n = take(&byte, 1);

	HOST_EXPECT(n == 1 || n == 0 || n == -ERESTARTSYS);
	if (n == 1)
		__atomic_add_fetch(&got_bytes, 1, __ATOMIC_SEQ_CST);
	if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 3)
		world_close(reader);
}

/* Takes what is there, one or two bytes. */
static void read_rest(void *arg)
{
	unsigned char bytes[2];

	while (true) {
		ssize_t n = take(bytes, 2);

		if (n <= 0)
			break;
		__atomic_add_fetch(&got_bytes, (size_t)n, __ATOMIC_SEQ_CST);
	}
	if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 3)
		world_close(reader);
}

static void interrupt_and_write(void *arg)
{
	write_once(interrupted->pending_signal, true);
	sched_wake_for_signal(interrupted, false);
	thread_put(interrupted);
	HOST_EXPECT(give("ab", 2) == 2);
	world_close(writer);
	if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 3)
		world_close(reader);
}

static void check_interrupted(void)
{
	HOST_EXPECT(got_bytes == 2);
	world_check_empty();
}

static void setup_interrupted(void)
{
	setup_pipe();
	interrupted = host_spawn(1u << 0, "interrupted", read_or_be_interrupted, NULL);
	thread_get(interrupted);
	host_spawn(0, "reader", read_rest, NULL);
	host_spawn(1u << 1, "writer", interrupt_and_write, NULL);
}

static const struct scenario interruption = {
	"pipe-interruption", setup_interrupted, check_interrupted, 0
};

TEST(a_reader_taken_by_a_signal_loses_no_wakeup)
{
	explore_all(&interruption, 1);
	explore_random(&interruption, 2000);
}

/* --- FIFOs ------------------------------------------------------------------------------------ */

static void open_and_write(void *arg)
{
	HOST_EXPECT(world_open_fifo(O_WRONLY, &writer) == 0);
	HOST_EXPECT(give("x", 1) == 1);
	world_close(writer);
}

static void open_and_read(void *arg)
{
	unsigned char byte;

	HOST_EXPECT(world_open_fifo(O_RDONLY, &reader) == 0);
	HOST_EXPECT(take(&byte, 1) == 1 && byte == 'x');
	HOST_EXPECT(take(&byte, 1) == 0);
	world_close(reader);
}

static void setup_fifo(void)
{
	host_spawn(0, "writer", open_and_write, NULL);
	host_spawn(0, "reader", open_and_read, NULL);
}

static const struct scenario fifo = { "pipe-fifo", setup_fifo, world_check_empty, 0 };

TEST(the_two_opens_of_a_fifo_meet)
{
	explore_all(&fifo, 2);
	explore_random(&fifo, 1000);
}

/* --- poll ------------------------------------------------------------------------------------- */

static void poll_and_read(void *arg)
{
	struct poll_session s;
	uint32_t events;
	unsigned char byte;

	poll_session_init(&s);
	while ((events = poll_session_ask(&s, reader, POLLIN)) == 0)
		HOST_EXPECT(poll_session_wait(&s, TIME_NEVER) == 0);
	poll_session_fini(&s);
	HOST_EXPECT((events & POLLIN) != 0);
	HOST_EXPECT(take(&byte, 1) == 1);
	world_close(reader);
}

static void write_byte(void *arg)
{
	HOST_EXPECT(give("x", 1) == 1);
	world_close(writer);
}

static void setup_poll(void)
{
	setup_pipe();
	host_spawn(0, "poller", poll_and_read, NULL);
	host_spawn(0, "writer", write_byte, NULL);
}

static const struct scenario polled = { "pipe-poll", setup_poll, world_check_empty, 0 };

TEST(a_poll_learns_of_a_write)
{
	explore_all(&polled, 2);
	explore_random(&polled, 1000);
}

/* --- a full pipe, drained by one who polls for nothing, and polled for room ------------------- */

static void poll_for_room(void *arg)
{
	static unsigned char bytes[4096];
	struct poll_session s;

	HOST_EXPECT(give(bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	poll_session_init(&s);
	while (poll_session_ask(&s, writer, POLLOUT) == 0)
		HOST_EXPECT(poll_session_wait(&s, TIME_NEVER) == 0);
	poll_session_fini(&s);
	HOST_EXPECT(give(bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
	world_close(writer);
}

static void check_room(void)
{
	HOST_EXPECT(got_bytes == 2 * 4096);
	world_check_empty();
}

static void setup_room(void)
{
	setup_pipe();
	host_spawn(0, "writer", poll_for_room, NULL);
	host_spawn(0, "reader", read_stream, NULL);
}

static const struct scenario room = { "pipe-room", setup_room, check_room, 0 };

TEST(a_poll_learns_of_room)
{
	explore_all(&room, 2);
	explore_random(&room, 1000);
}

/* --- eventfd ---------------------------------------------------------------------------------- */

static struct file *counter;

static void count_up(void *arg)
{
	uint64_t one = 1;
	struct iobuf io;

	for (int i = 0; i < 2; i++) {
		iobuf_init_kernel(&io, &one, sizeof(one));
		HOST_EXPECT(counter->ops->write(counter, &io, NULL) == 8);
	}
}

static void count_down(void *arg)
{
	uint64_t value;
	struct iobuf io;

	iobuf_init_kernel(&io, &value, sizeof(value));
	HOST_EXPECT(counter->ops->read(counter, &io, NULL) == 8 && value == 1);
}

static void setup_counter(void)
{
	HOST_EXPECT(eventfd_create_file(0, 1 /* EFD_SEMAPHORE */, &counter) == 0);
	host_spawn(0, "up", count_up, NULL);
	host_spawn(0, "down", count_down, NULL);
	host_spawn(1u << 1, "down", count_down, NULL);
}

static void check_counter(void)
{
	world_close(counter);
	world_check_empty();
}

static const struct scenario counting = { "eventfd", setup_counter, check_counter, 0 };

TEST(each_eventfd_read_gets_its_count)
{
	explore_all(&counting, 2);
	explore_random(&counting, 1000);
}

__attribute__((constructor)) static void boot(void)
{
	world_boot_pipes();
	boot_once(2);
	pipe_init();
	eventfd_init();
}
