/*
 * AF_UNIX sockets: streams, datagrams, sequenced packets, names in the file system and abstract
 * ones, passing descriptors and credentials, shutting down, and every way for the other side to be
 * gone.
 */
#include "guest.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	strcpy(name.sun_path, path);
	return name;
}

static int listener(const char *path, int type)
{
	struct sockaddr_un name = name_of(path);
	int fd = CHECK_OK(socket(AF_UNIX, type, 0));

	CHECK_OK(bind(fd, (void *)&name, sizeof name));
	CHECK_OK(listen(fd, 8));
	return fd;
}

static int try_connect(int fd, const char *path)
{
	struct sockaddr_un name = name_of(path);

	return connect(fd, (void *)&name, sizeof name);
}

static int client(const char *path, int type)
{
	int fd = CHECK_OK(socket(AF_UNIX, type, 0));

	CHECK_OK(try_connect(fd, path));
	return fd;
}

TEST("does a socketpair carry bytes both ways, and end when one side closes?")
{
	char got[16] = "";
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(pair[0], "ping", 4), 4);
	CHECK_EQ(read(pair[1], got, 16), 4);
	CHECK_STR(got, "ping");
	CHECK_EQ(send(pair[1], "pong!", 5, 0), 5);
	CHECK_EQ(recv(pair[0], got, 2, 0), 2);
	CHECK_EQ(recv(pair[0], got, 16, 0), 3);
	CHECK_OK(close(pair[1]));
	CHECK_EQ(read(pair[0], got, 1), 0);
	CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST("is writing to a closed peer SIGPIPE, and unread data there ECONNRESET?")
{
	int pair[2];
	pid_t pid;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[0], "unread", 6), 6);
	CHECK_OK(close(pair[1]));
	CHECK_ERRNO(read(pair[0], (char[1]){ 0 }, 1), ECONNRESET);
	CHECK_EQ(read(pair[0], (char[1]){ 0 }, 1), 0);
	CHILD(pid)
		write(pair[0], "x", 1);
	CHECK_SIGNALED(pid, SIGPIPE);
}

TEST("does a stream server accept, know names, and serve through a path?")
{
	struct sockaddr_un name;
	socklen_t length = sizeof name;
	int server, there, here;
	char got[8] = "";

	guest_scratch();
	server = listener("sock", SOCK_STREAM);
	here = client("sock", SOCK_STREAM);
	there = CHECK_OK(accept4(server, (void *)&name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK_EQ(length, 2);
	CHECK_EQ(fcntl(there, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	length = sizeof name;
	CHECK_OK(getpeername(here, (void *)&name, &length));
	CHECK_STR(name.sun_path, "sock");
	CHECK_EQ(length, 2 + 5);
	CHECK_ERRNO(read(there, got, 1), EAGAIN);
	CHECK_EQ(write(here, "hi", 2), 2);
	CHECK_EQ(read(there, got, 8), 2);
	CHECK_STR(got, "hi");
}

TEST("are connecting and binding refused as they should: absent, dead, taken, twice, wrong type?")
{
	struct sockaddr_un name = name_of("sock"), other = name_of("other");
	struct stat st;
	int server, fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	guest_scratch();
	CHECK_ERRNO(try_connect(fd, "missing"), ENOENT);
	CHECK_OK(guest_file("file", "x", 0600));
	CHECK_ERRNO(try_connect(fd, "file"), ECONNREFUSED);
	server = listener("sock", SOCK_STREAM);
	CHECK_OK(stat("sock", &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_ERRNO(open("sock", O_RDWR), ENXIO);
	CHECK_ERRNO(bind(fd, (void *)&name, sizeof name), EADDRINUSE);
	CHECK_ERRNO(bind(server, (void *)&other, sizeof other), EINVAL);
	CHECK_ERRNO(try_connect(CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)), "sock"), EPROTOTYPE);
	CHECK_OK(close(server));
	CHECK_ERRNO(try_connect(fd, "sock"), ECONNREFUSED);
	CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
	CHECK_ERRNO(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERRNO(recv(fd, &st, 1, 0), EINVAL);
	CHECK_ERRNO(getpeername(fd, (void *)&name, &(socklen_t){ sizeof name }), ENOTCONN);
	name.sun_family = 99;
	CHECK_ERRNO(connect(fd, (void *)&name, sizeof name), EINVAL);
	CHECK_ERRNO(connect(fd, (void *)&name, 1), EINVAL);
	CHECK_ERRNO(bind(fd, (void *)&other, 200), EINVAL);
}

TEST("are wrong families, types and protocols refused by name?")
{
	int pair[2];

	CHECK_ERRNO(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, 99, 0), EINVAL);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 77), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, (void *)8), EFAULT);
	CHECK_ERRNO(listen(0, 1), ENOTSOCK);
	CHECK_ERRNO(bind(999, NULL, 0), EBADF);
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_ERRNO(listen(pair[0], 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(pair[0], NULL, NULL), EOPNOTSUPP);
}

TEST("are abstract names apart from files, of any bytes, gone with their socket, chosen by "
	"autobind?")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0guest\0abstract" }, got;
	socklen_t length = 2 + 15, got_length = sizeof got;
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)),
	    other = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_OK(bind(fd, (void *)&name, length));
	CHECK_ERRNO(bind(other, (void *)&name, length), EADDRINUSE);
	CHECK_OK(bind(other, (void *)&name, length - 1));
	CHECK_OK(getsockname(fd, (void *)&got, &got_length));
	CHECK_EQ(got_length, length);
	CHECK_EQ(memcmp(got.sun_path, name.sun_path, 15), 0);
	CHECK_OK(listen(fd, 1));
	CHECK_OK(connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&name, length));
	CHECK_OK(close(fd));
	fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(fd, (void *)&name, length));
	fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(fd, (void *)&name, 2));
	got_length = sizeof got;
	CHECK_OK(getsockname(fd, (void *)&got, &got_length));
	CHECK_EQ(got_length, 2 + 6);
	CHECK_EQ(got.sun_path[0], 0);
}

TEST("is a full backlog EAGAIN without blocking, and waited out with it?")
{
	int server, fd, count = 0;
	pid_t pid;

	guest_scratch();
	server = listener("sock", SOCK_STREAM);
	CHECK_OK(listen(server, 2));
	for (;; count++) {
		fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
		if (try_connect(fd, "sock") < 0)
			break;
		CHECK(count < 10);
	}
	CHECK_EQ(errno, EAGAIN);
	CHECK_EQ(count, 3);
	CHILD(pid)
		client("sock", SOCK_STREAM);
	guest_wait_blocked(pid);
	CHECK_OK(accept(server, NULL, NULL));
	CHECK_EXIT(pid, 0);
}

TEST("do datagrams keep their bounds and sender, truncate, and refuse when nobody is there?")
{
	struct sockaddr_un name = name_of("recv"), from;
	socklen_t length = sizeof from;
	struct msghdr header = { 0 };
	char got[8] = "";
	struct iovec vector = { got, 3 };
	int receiver = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0)),
	    sender = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	guest_scratch();
	CHECK_OK(bind(receiver, (void *)&name, sizeof name));
	from = name_of("send");
	CHECK_OK(bind(sender, (void *)&from, sizeof from));
	CHECK_EQ(sendto(sender, "one", 3, 0, (void *)&name, sizeof name), 3);
	CHECK_EQ(sendto(sender, "", 0, 0, (void *)&name, sizeof name), 0);
	CHECK_EQ(sendto(sender, "three", 5, 0, (void *)&name, sizeof name), 5);
	CHECK_EQ(recvfrom(receiver, got, 8, 0, (void *)&from, &length), 3);
	CHECK_STR(from.sun_path, "send");
	CHECK_EQ(recv(receiver, got, 8, 0), 0);
	CHECK_EQ(recv(receiver, got, 2, MSG_PEEK | MSG_TRUNC), 5);
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	CHECK_EQ(recvmsg(receiver, &header, 0), 3);
	CHECK_EQ(header.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_ERRNO(recv(receiver, got, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(send(sender, "x", 1, 0), ENOTCONN);
	CHECK_OK(connect(sender, (void *)&name, sizeof name));
	CHECK_EQ(send(sender, "y", 1, 0), 1);
	CHECK_OK(close(receiver));
	CHECK_ERRNO(send(sender, "x", 1, 0), ECONNREFUSED);
}

TEST("do sequenced packets keep bounds on a connection and end with 0?")
{
	char got[8] = "";
	int server, here, there;

	guest_scratch();
	server = listener("seq", SOCK_SEQPACKET);
	here = client("seq", SOCK_SEQPACKET);
	there = CHECK_OK(accept(server, NULL, NULL));
	CHECK_EQ(write(here, "abc", 3), 3);
	CHECK_EQ(write(here, "defgh", 5), 5);
	CHECK_EQ(read(there, got, 8), 3);
	CHECK_EQ(read(there, got, 2), 2);
	CHECK_ERRNO(recv(there, got, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(close(here));
	CHECK_EQ(read(there, got, 8), 0);
}

TEST("do MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL and a receive time limit do what they say?")
{
	struct timeval limit = { 0, 50000 };
	char got[8] = "";
	int pair[2];
	pid_t pid;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_ERRNO(recv(pair[0], got, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(write(pair[1], "abc", 3), 3);
	CHECK_EQ(recv(pair[0], got, 2, MSG_PEEK), 2);
	CHECK_EQ(recv(pair[0], got, 8, 0), 3);
	CHILD(pid) {
		CHECK_EQ(write(pair[1], "12", 2), 2);
		guest_sleep_ms(50);
		CHECK_EQ(write(pair[1], "34", 2), 2);
	}
	CHECK_EQ(recv(pair[0], got, 4, MSG_WAITALL), 4);
	CHECK_EXIT(pid, 0);
	CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	CHECK_ERRNO(recv(pair[0], got, 1, 0), EAGAIN);
}

TEST("does shutdown end one direction, wake a reader, and show in poll?")
{
	struct pollfd poller;
	int pair[2];
	pid_t pid;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHILD(pid)
		CHECK_EQ(read(pair[0], (char[1]){ 0 }, 1), 0);
	guest_wait_blocked(pid);
	CHECK_OK(shutdown(pair[1], SHUT_WR));
	CHECK_EXIT(pid, 0);
	poller = (struct pollfd){ pair[0], POLLIN | POLLOUT | POLLRDHUP, 0 };
	CHECK_EQ(poll(&poller, 1, 0), 1);
	CHECK_EQ(poller.revents, POLLIN | POLLOUT | POLLRDHUP);
	CHECK_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(send(pair[0], "y", 1, 0), 1);
	CHECK_EQ(read(pair[1], (char[1]){ 0 }, 1), 1);
	CHECK_OK(shutdown(pair[1], SHUT_RD));
	CHECK_ERRNO(send(pair[0], "z", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(shutdown(pair[0], 9), EINVAL);
}

TEST("does a sender block when the buffer is full, with EAGAIN if not to block, and poll agree?")
{
	static char block[10000];
	struct pollfd poller;
	int pair[2];
	ssize_t total = 0, got;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	while ((got = write(pair[0], block, sizeof block)) > 0)
		total += got;
	CHECK_EQ(errno, EAGAIN);
	CHECK_RANGE(total, 20000, 10 << 20);
	poller = (struct pollfd){ pair[0], POLLOUT, 0 };
	CHECK_EQ(poll(&poller, 1, 0), 0);
	while (total > 0) {
		got = CHECK_OK(read(pair[1], block, sizeof block));
		total -= got;
	}
	CHECK_EQ(poll(&poller, 1, 1000), 1);
}

TEST("are pid, uid and gid of the peer told by SO_PEERCRED, from the time of connecting?")
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	int server, there, value;
	pid_t pid;

	guest_scratch();
	server = listener("sock", SOCK_STREAM);
	CHECK_OK(chmod("sock", 0777));
	CHILD(pid) {
		int fd;

		CHECK_OK(guest_become_user());
		fd = client("sock", SOCK_STREAM);
		CHECK_EQ(read(fd, &value, 1), 0);
	}
	there = CHECK_OK(accept(server, NULL, NULL));
	CHECK_OK(getsockopt(there, SOL_SOCKET, SO_PEERCRED, &peer, &length));
	CHECK_EQ(peer.pid, pid);
	CHECK_EQ(peer.uid, 1000);
	CHECK_EQ(peer.gid, 1000);
	CHECK_OK(close(there));
	CHECK_EXIT(pid, 0);
	length = sizeof value;
	CHECK_OK(getsockopt(server, SOL_SOCKET, SO_TYPE, &value, &length));
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_OK(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
	CHECK_EQ(value, 1);
	CHECK_OK(getsockopt(server, SOL_SOCKET, SO_DOMAIN, &value, &length));
	CHECK_EQ(value, AF_UNIX);
	CHECK_OK(getsockopt(server, SOL_SOCKET, SO_ERROR, &value, &length));
	CHECK_EQ(value, 0);
	CHECK_ERRNO(getsockopt(server, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
}

TEST("may a client without write permission on the socket file not connect?")
{
	pid_t pid;

	guest_scratch();
	umask(0);
	listener("sock", SOCK_STREAM);
	CHECK_OK(chmod("sock", 0755));
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(try_connect(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), "sock"), EACCES);
	}
	CHECK_EXIT(pid, 0);
}

TEST("is FIONREAD the bytes waiting, and SIOCOUTQ those the peer has not read?")
{
	int pair[2], value;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[0], "abcde", 5), 5);
	CHECK_OK(ioctl(pair[1], FIONREAD, &value));
	CHECK_EQ(value, 5);
	CHECK_EQ(read(pair[1], (char[8]){ 0 }, 8), 5);
	CHECK_OK(ioctl(pair[1], FIONREAD, &value));
	CHECK_EQ(value, 0);
}

enum { CLIENTS = 8, MESSAGES = 200 };

static void run_client(int number)
{
	int fd = client("server", SOCK_STREAM);

	for (int i = 0; i < MESSAGES; i++) {
		char text[16], got[16];

		snprintf(text, sizeof text, "%03d:%09d", number, i);
		CHECK_EQ(write(fd, text, 13), 13);
		for (int have = 0; have < 13;) {
			ssize_t count = read(fd, got + have, 13 - have);

			CHECK(count > 0);
			have += count;
		}
		CHECK_EQ(memcmp(text, got, 13), 0);
	}
}

/* Echoes what each client sends until all have come and gone; the number of bytes echoed. */
static long serve(int server)
{
	int epoll = CHECK_OK(epoll_create1(0)), gone = 0;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = server }, events[4];
	long bytes = 0;

	CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event));
	while (gone < CLIENTS) {
		int ready = CHECK_OK(epoll_wait(epoll, events, 4, 10000));

		CHECK(ready > 0);
		for (int i = 0; i < ready; i++) {
			int fd = events[i].data.fd;
			char block[100];
			ssize_t got;

			if (fd == server) {
				event.data.fd = CHECK_OK(accept(server, NULL, NULL));
				CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event));
				continue;
			}
			got = CHECK_OK(read(fd, block, sizeof block));
			if (got == 0) {
				CHECK_OK(close(fd));
				gone++;
			} else {
				CHECK_EQ(write(fd, block, got), got);
				bytes += got;
			}
		}
	}
	return bytes;
}

TEST_LIMIT("does an epoll server echo for eight clients at once?", 60)
{
	pid_t pids[CLIENTS];
	int server;

	guest_scratch();
	server = listener("server", SOCK_STREAM);
	for (int i = 0; i < CLIENTS; i++) {
		CHILD(pids[i])
			run_client(i);
	}
	CHECK_EQ(serve(server), CLIENTS * MESSAGES * 13);
	for (int i = 0; i < CLIENTS; i++)
		CHECK_EXIT(pids[i], 0);
}

TEST("does a reader that must not wait get EAGAIN at once while another waits?")
{
	int pair[2];
	pid_t pid;
	char byte;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHILD(pid)
		CHECK_EQ(read(pair[0], &byte, 1), 1);
	guest_wait_blocked(pid);
	CHECK_ERRNO(recv(pair[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EXIT(pid, 0);
}

TEST("is a second bind EINVAL, and its node gone again?")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "first" };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	guest_scratch();
	CHECK_OK(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&name, sizeof(name)), EADDRINUSE);
	strcpy(name.sun_path, "second");
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&name, sizeof(name)), EINVAL);
	CHECK_ERRNO(access("second", F_OK), ENOENT);
	CHECK_OK(access("first", F_OK));
}
