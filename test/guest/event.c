/*
 * Small event descriptors: eventfd and inotify; what inotify reports for the common changes of a
 * folder.
 */
#include "guest.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

TEST("does eventfd add up what is written, and give and clear it by reading?")
{
	int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
	struct pollfd poller = { fd, POLLIN | POLLOUT, 0 };
	uint64_t value = 4;

	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLIN | POLLOUT);
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 7);
	CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLOUT);
	CHECK_ERRNO(read(fd, &value, 7), EINVAL);
	CHECK_ERRNO(write(fd, &value, 4), EINVAL);
	CHECK_ERRNO(eventfd(0, 64), EINVAL);
}

TEST("is eventfd full at 2^64-2, refuses 2^64-1, and one as a semaphore gives 1 at a time?")
{
	int fd = CHECK_OK(eventfd(0, EFD_NONBLOCK)),
	    semaphore = CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
	struct pollfd poller = { fd, POLLIN | POLLOUT, 0 };
	uint64_t value = -1ULL;

	CHECK_ERRNO(write(fd, &value, 8), EINVAL);
	value = -2ULL;
	CHECK_EQ(write(fd, &value, 8), 8);
	value = 1;
	CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLIN);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(read(semaphore, &value, 8), 8);
		CHECK_EQ(value, 1);
	}
	CHECK_ERRNO(read(semaphore, &value, 8), EAGAIN);
}

TEST("does a blocked eventfd reader wake at a write, and a writer at a read?")
{
	int fd = CHECK_OK(eventfd(0, 0));
	uint64_t value;
	pid_t pid;

	CHILD(pid) {
		CHECK_EQ(read(fd, &value, 8), 8);
		CHECK_EQ(value, 9);
	}
	guest_wait_blocked(pid);
	value = 9;
	CHECK_EQ(write(fd, &value, 8), 8);
	CHECK_EXIT(pid, 0);
	value = -2ULL;
	CHECK_EQ(write(fd, &value, 8), 8);
	CHILD(pid) {
		value = 5;
		CHECK_EQ(write(fd, &value, 8), 8);
	}
	guest_wait_blocked(pid);
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EXIT(pid, 0);
}

static int ping, pong;

static void *answer(void *arg)
{
	uint64_t value;

	while (read(ping, &value, 8) == 8 && value == 1)
		write(pong, &value, 8);
	return arg;
}

TEST_LIMIT("do five thousand round trips between threads by eventfd lose nothing?", 60)
{
	pthread_t thread;
	uint64_t value = 1;

	ping = CHECK_OK(eventfd(0, 0));
	pong = CHECK_OK(eventfd(0, 0));
	CHECK_EQ(pthread_create(&thread, NULL, answer, NULL), 0);
	for (int i = 0; i < 5000; i++) {
		CHECK_EQ(write(ping, &value, 8), 8);
		CHECK_EQ(read(pong, &value, 8), 8);
		CHECK_EQ(value, 1);
	}
	value = 2;
	CHECK_EQ(write(ping, &value, 8), 8);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* The union of the masks of all events waiting, for the watch and name given (NULL: no name). */
static uint32_t events_of(int fd, int watch, const char *name)
{
	static char buffer[65536] __attribute__((aligned(8)));
	ssize_t got = read(fd, buffer, sizeof buffer);
	uint32_t mask = 0;

	if (got < 0 && errno == EAGAIN)
		return 0;
	CHECK(got > 0);
	for (ssize_t at = 0; at < got;) {
		struct inotify_event *event = (void *)(buffer + at);

		if (event->wd == watch &&
		    (name ? event->len && !strcmp(event->name, name) : !event->len))
			mask |= event->mask;
		at += sizeof *event + event->len;
	}
	return mask;
}

static int inotify(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0 && errno == ENOSYS)
		SKIP("the kernel has no inotify");
	return CHECK_OK(fd);
}

TEST("does inotify tell of creation, writing, closing, renaming and removal in a folder?")
{
	int fd = inotify(), watch, file;

	guest_scratch();
	CHECK_OK(mkdir("d", 0755));
	watch = CHECK_OK(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
	CHECK_EQ(events_of(fd, watch, "f"), 0);
	file = CHECK_OK(open("d/f", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(events_of(fd, watch, "f"), IN_CREATE | IN_OPEN);
	CHECK_EQ(write(file, "x", 1), 1);
	CHECK_OK(close(file));
	CHECK_EQ(events_of(fd, watch, "f"), IN_MODIFY | IN_CLOSE_WRITE);
	CHECK_OK(chmod("d/f", 0644));
	CHECK_EQ(events_of(fd, watch, "f"), IN_ATTRIB);
	CHECK_OK(rename("d/f", "d/g"));
	CHECK_EQ(events_of(fd, watch, "g"), IN_MOVED_TO);
	CHECK_OK(unlink("d/g"));
	CHECK_EQ(events_of(fd, watch, "g"), IN_DELETE);
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_EQ(events_of(fd, watch, "e"), IN_CREATE | IN_ISDIR);
}

TEST("does inotify tell of the watched thing's own removal, and forget it?")
{
	int fd = inotify(), watch;
	struct pollfd poller = { fd, POLLIN, 0 };

	guest_scratch();
	CHECK_OK(guest_file("f", "x", 0600));
	watch = CHECK_OK(inotify_add_watch(fd, "f", IN_DELETE_SELF));
	CHECK_EQ(inotify_add_watch(fd, "f", IN_DELETE_SELF), watch);
	CHECK_EQ(poll(&poller, 1, 0), 0);
	CHECK_OK(unlink("f"));
	CHECK_EQ(poll(&poller, 1, 1000), 1);
	CHECK_EQ(events_of(fd, watch, NULL), IN_DELETE_SELF | IN_IGNORED);
	CHECK_ERRNO(inotify_rm_watch(fd, watch), EINVAL);
	CHECK_ERRNO(inotify_add_watch(fd, "missing", IN_MODIFY), ENOENT);
	CHECK_ERRNO(inotify_add_watch(fd, ".", 0), EINVAL);
	CHECK_ERRNO(inotify_add_watch(0, ".", IN_MODIFY), EINVAL);
	CHECK_ERRNO(inotify_init1(1), EINVAL);
}
