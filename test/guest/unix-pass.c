/*
 * Descriptors and credentials sent through AF_UNIX sockets, cycles of sockets in flight included,
 * and hostile control messages.
 */
#include "guest.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* Sends one byte with descriptors. */
static ssize_t send_fds(int socket, const int *fds, int count)
{
	static char control[CMSG_SPACE(300 * sizeof(int))] __attribute__((aligned(8)));
	struct iovec vector = { "x", 1 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *message = CMSG_FIRSTHDR(&header);

	message->cmsg_level = SOL_SOCKET;
	message->cmsg_type = SCM_RIGHTS;
	message->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(message), fds, count * sizeof(int));
	/* The call itself: a library may copy the control message into a buffer of its own. */
	return syscall(SYS_sendmsg, socket, &header, MSG_NOSIGNAL);
}

/* Receives one byte and up to `room` descriptors; how many came. */
static int receive_fds(int socket, int *fds, int room, int flags, int *flags_out)
{
	static char control[CMSG_SPACE(300 * sizeof(int))] __attribute__((aligned(8)));
	char byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = CMSG_LEN(room * sizeof(int)) };
	struct cmsghdr *message;
	int count;

	CHECK_EQ(recvmsg(socket, &header, flags), 1);
	if (flags_out)
		*flags_out = header.msg_flags;
	message = CMSG_FIRSTHDR(&header);
	if (!message)
		return 0;
	CHECK_EQ(message->cmsg_level, SOL_SOCKET);
	CHECK_EQ(message->cmsg_type, SCM_RIGHTS);
	count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(message), count * sizeof(int));
	return count;
}

TEST("does a descriptor sent to another process open the same file, offset and all?")
{
	int pair[2], fd, got;
	char text[4] = "";
	pid_t pid;

	guest_scratch();
	CHECK_OK(guest_file("f", "0123456789", 0600));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHILD(pid) {
		fd = CHECK_OK(open("f", O_RDONLY));
		CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
		CHECK_EQ(send_fds(pair[0], &fd, 1), 1);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(receive_fds(pair[1], &got, 1, MSG_CMSG_CLOEXEC, NULL), 1);
	CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(got, text, 3), 3);
	CHECK_STR(text, "456");
}

TEST("do 253 descriptors pass at once, and are 254 EINVAL, a bad one EBADF?")
{
	static int many[254], got[254];
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	for (int i = 0; i < 254; i++)
		many[i] = pair[0];
	CHECK_ERRNO(send_fds(pair[0], many, 254), EINVAL);
	CHECK_EQ(send_fds(pair[0], many, 253), 1);
	CHECK_EQ(receive_fds(pair[1], got, 253, 0, NULL), 253);
	for (int i = 0; i < 253; i++)
		CHECK_OK(close(got[i]));
	many[1] = 999;
	CHECK_ERRNO(send_fds(pair[0], many, 2), EBADF);
}

TEST("is too little room for descriptors MSG_CTRUNC, the rest closed, and none needed to read?")
{
	int pair[2], ends[2], got[4], flags;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_fds(pair[0], (int[]){ ends[0], ends[1], ends[1] }, 3), 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(receive_fds(pair[1], got, 1, 0, &flags), 1);
	CHECK_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
	/* No writer is left: those that did not fit are closed. */
	CHECK_EQ(read(ends[0], got, 1), 0);
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_fds(pair[0], &ends[1], 1), 1);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(pair[1], got, 1), 1);
	CHECK_EQ(read(ends[0], got, 1), 0);
}

TEST("does a message with descriptors not run together with the next in a stream?")
{
	char text[8] = "";
	int pair[2], fd = 0, got[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[0], "ab", 2), 2);
	CHECK_EQ(send_fds(pair[0], &fd, 1), 1);
	CHECK_EQ(write(pair[0], "cd", 2), 2);
	CHECK_EQ(read(pair[1], text, 2), 2);
	CHECK_EQ(receive_fds(pair[1], got, 1, 0, NULL), 1);
	CHECK_EQ(read(pair[1], text, 8), 2);
	CHECK_STR(text, "cd");
}

TEST("does peeking at descriptors give copies and leave the message?")
{
	int pair[2], fd = 0, one, two;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(send_fds(pair[0], &fd, 1), 1);
	CHECK_EQ(receive_fds(pair[1], &one, 1, MSG_PEEK, NULL), 1);
	CHECK_EQ(receive_fds(pair[1], &two, 1, 0, NULL), 1);
	CHECK(one != two);
	CHECK_OK(close(one));
	CHECK_OK(close(two));
}

TEST("are descriptors in flight closed when their socket goes?")
{
	int pair[2], ends[2];
	char byte;

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_OK(pipe(ends));
	CHECK_EQ(send_fds(pair[0], &ends[1], 1), 1);
	CHECK_OK(close(ends[1]));
	CHECK_OK(close(pair[0]));
	CHECK_OK(close(pair[1]));
	CHECK_EQ(read(ends[0], &byte, 1), 0);
}

TEST("are sockets that only hold each other in flight (cycles) collected?")
{
	int ends[2];
	char byte;

	CHECK_OK(pipe(ends));
	for (int i = 0; i < 20; i++) {
		int a[2], b[2];

		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
		CHECK_EQ(send_fds(a[0], (int[]){ b[0], b[1], ends[1] }, 3), 1);
		CHECK_EQ(send_fds(b[0], (int[]){ a[0], a[1], ends[1] }, 3), 1);
		CHECK_EQ(send_fds(a[1], (int[]){ a[1] }, 1), 1);
		CHECK_OK(close(a[0]));
		CHECK_OK(close(a[1]));
		CHECK_OK(close(b[0]));
		CHECK_OK(close(b[1]));
	}
	CHECK_OK(close(ends[1]));
	/* The end of the pipe shows that nobody holds its writing side any more; a closing socket
	 * may start the search. */
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_SOON(({
		CHECK_OK(close(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0))));
		read(ends[0], &byte, 1) == 0;
	}));
}

/* Of three pairs one has descriptors, holds the second in its queue, and that one the third. */
TEST("does a search for cycles leave alone what a socket in use holds, and what that holds?")
{
	int pairs[3][2], got[2];
	char byte = 0;

	for (int i = 0; i < 3; i++)
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
	CHECK_EQ(write(pairs[2][0], "y", 1), 1);
	for (int i = 2; i > 0; i--) {
		CHECK_EQ(send_fds(pairs[i - 1][0], pairs[i], 2), 1);
		CHECK_OK(close(pairs[i][0]));
		CHECK_OK(close(pairs[i][1]));
	}
	for (int i = 0; i < 5; i++) {
		CHECK_OK(close(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0))));
		guest_sleep_ms(10);
	}
	CHECK_EQ(receive_fds(pairs[0][1], got, 2, MSG_DONTWAIT, NULL), 2);
	CHECK_EQ(receive_fds(got[1], got, 2, MSG_DONTWAIT, NULL), 2);
	CHECK_EQ(recv(got[1], &byte, 1, MSG_DONTWAIT), 1);
	CHECK_EQ(byte, 'y');
}

/* Each pair's socket lies in the queue of the next: closing the last closes all, one in another. */
TEST("can sockets be hidden in each other's queues a thousand deep and closed at once?")
{
	int inner = CHECK_OK(open("/dev/null", O_RDONLY));

	for (int i = 0; i < 1000; i++) {
		int ends[2];

		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		CHECK_EQ(send_fds(ends[0], &inner, 1), 1);
		close(inner);
		close(ends[0]);
		inner = ends[1];
	}
	close(inner);
}

/* Both ends of each pair lie in the next pair's queue, so none is released before the last. */
TEST("are twenty thousand pairs, each in the next one's queue, closed in their number's time?")
{
	int ends[2], next[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	for (int i = 0; i < 20000; i++) {
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, next));
		CHECK_EQ(send_fds(next[0], ends, 2), 1);
		close(ends[0]);
		close(ends[1]);
		memcpy(ends, next, sizeof ends);
	}
	close(ends[0]);
	close(ends[1]);
}

/* unix(7): beyond RLIMIT_NOFILE, unless the sender has CAP_SYS_RESOURCE or CAP_SYS_ADMIN. */
TEST("are a user's descriptors in flight limited (ETOOMANYREFS), and free again when received?")
{
	pid_t pid;

	if (geteuid() != 0)
		SKIP("only root may become a user without others' descriptors");
	CHILD(pid) {
		struct rlimit limit = { 64, 64 };
		int pair[2], null = CHECK_OK(open("/dev/null", O_RDONLY)), got, sent = 0;

		CHECK_OK(setuid(54321));
		CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		while (sent < 1000 && send_fds(pair[0], &null, 1) == 1)
			sent++;
		CHECK_EQ(errno, ETOOMANYREFS);
		CHECK_EQ(sent, 65);
		for (int i = 0; i < 2; i++) {
			CHECK_EQ(receive_fds(pair[1], &got, 1, 0, NULL), 1);
			CHECK_OK(close(got));
		}
		CHECK_EQ(send_fds(pair[0], &null, 1), 1);
		CHECK_EQ(send_fds(pair[0], &null, 1), 1);
		CHECK_ERRNO(send_fds(pair[0], &null, 1), ETOOMANYREFS);
	}
	CHECK_EXIT(pid, 0);
}

TEST("can a listening socket with waiting connections be sent and used?")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int server = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), pair[2], got, here;

	guest_scratch();
	CHECK_OK(bind(server, (void *)&name, sizeof name));
	CHECK_OK(listen(server, 4));
	here = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(connect(here, (void *)&name, sizeof name));
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(send_fds(pair[0], &server, 1), 1);
	CHECK_OK(close(server));
	CHECK_EQ(receive_fds(pair[1], &got, 1, 0, NULL), 1);
	CHECK_OK(accept(got, NULL, NULL));
}

TEST("is a listening socket collected that only a connection waiting at it holds?")
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0guest-unix-pass" };

	for (int i = 0; i < 3; i++) {
		int server = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), here;

		/* A closing socket may start the search; until it is over the name is taken. */
		CHECK_SOON(({
			CHECK_OK(close(CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0))));
			bind(server, (void *)&name, sizeof name) == 0;
		}));
		CHECK_OK(listen(server, 4));
		here = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
		CHECK_OK(connect(here, (void *)&name, sizeof name));
		CHECK_EQ(send_fds(here, &server, 1), 1);
		CHECK_OK(close(server));
		CHECK_OK(close(here));
	}
}

struct credentials_message {
	struct cmsghdr header;
	struct ucred credentials;
};

TEST("are credentials attached with SO_PASSCRED, and may only root forge them?")
{
	struct credentials_message control;
	char byte;
	struct iovec vector = { &byte, 1 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };
	int pair[2], on = 1;
	pid_t pid;

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_EQ(write(pair[0], "x", 1), 1);
		control =
			(struct credentials_message){ { .cmsg_len = CMSG_LEN(sizeof(struct ucred)),
							.cmsg_level = SOL_SOCKET,
							.cmsg_type = SCM_CREDENTIALS },
						      { 1, 0, 0 } };
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(sizeof(struct ucred));
		CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EPERM);
	}
	CHECK_EXIT(pid, 0);
	header.msg_control = &control;
	header.msg_controllen = sizeof control;
	CHECK_EQ(recvmsg(pair[1], &header, 0), 1);
	CHECK_EQ(control.header.cmsg_type, SCM_CREDENTIALS);
	CHECK_EQ(control.credentials.pid, pid);
	CHECK_EQ(control.credentials.uid, 1000);
	CHECK_EQ(control.credentials.gid, 1000);
}

TEST("are broken control messages refused: short, long, of unknown level?")
{
	struct credentials_message control = { { .cmsg_len = 3, .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS }, { 0 } };
	struct iovec vector = { "x", 1 };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof control };
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EINVAL);
	control.header.cmsg_len = 1000;
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EINVAL);
	control.header.cmsg_len = sizeof control;
	control.header.cmsg_type = 77;
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EINVAL);
	header.msg_control = (void *)8;
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], 8, 0), EFAULT);
	header.msg_control = NULL;
	header.msg_controllen = 0;
	header.msg_iovlen = 2000;
	CHECK_ERRNO(syscall(SYS_sendmsg, pair[0], &header, 0), EMSGSIZE);
}

TEST("do sendmmsg and recvmmsg carry several messages?")
{
	struct iovec vectors[3] = { { "one", 3 }, { "two", 3 }, { "three", 5 } };
	static struct mmsghdr headers[3], got[3];
	char text[3][8] = { "" };
	struct iovec places[3];
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	for (int i = 0; i < 3; i++) {
		headers[i].msg_hdr.msg_iov = &vectors[i];
		headers[i].msg_hdr.msg_iovlen = 1;
		places[i] = (struct iovec){ text[i], 8 };
		got[i].msg_hdr.msg_iov = &places[i];
		got[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK_EQ(syscall(SYS_sendmmsg, pair[0], headers, 3, 0), 3);
	CHECK_EQ(syscall(SYS_recvmmsg, pair[1], got, 3, 0, NULL), 3);
	CHECK_EQ(got[2].msg_len, 5);
	CHECK_STR(text[2], "three");
}
