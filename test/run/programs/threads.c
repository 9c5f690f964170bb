/*
 * threads.c - a little of what programs use: threads with a mutex and a condition variable, a
 * signal between threads, a mapped file, an AF_UNIX socket pair, epoll, a pty. One line each; exit
 * status 3.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int counter, ready;
static volatile sig_atomic_t signalled;

static void *count(void *argument)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return argument;
}

static void *announce(void *argument)
{
	pthread_mutex_lock(&mutex);
	ready = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	return argument;
}

static void on_signal(int number)
{
	(void)number;
	signalled = 1;
}

static void *wait_for_signal(void *argument)
{
	while (!signalled)
		usleep(1000);
	return argument;
}

static void threads(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, count, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	printf("threads: %d\n", counter);

	pthread_create(&thread[0], NULL, announce, NULL);
	pthread_mutex_lock(&mutex);
	while (!ready)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread[0], NULL);
	printf("condition: %d\n", ready);

	signal(SIGUSR1, on_signal);
	pthread_create(&thread[0], NULL, wait_for_signal, NULL);
	pthread_kill(thread[0], SIGUSR1);
	pthread_join(thread[0], NULL);
	printf("signal: %d\n", (int)signalled);
}

static void files(void)
{
	int fd = open("/tmp/threads.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *map, text[8] = "";

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		exit(1);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		exit(1);
	strcpy(map, "mapped");
	if (pread(fd, text, 7, 0) != 7)
		exit(1);
	printf("file: %s\n", text);
}

static void sockets(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	char text[8] = "";
	int pair[2], epoll;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || write(pair[0], "hello", 5) != 5)
		exit(1);
	epoll = epoll_create1(0);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event) < 0)
		exit(1);
	int count = epoll_wait(epoll, &event, 1, 1000);
	if (read(pair[1], text, 5) != 5)
		exit(1);
	printf("socket: %s\nepoll: %d\n", text, count);
}

static void terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	char text[16] = "", name[32];

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    ptsname_r(master, name, sizeof(name)) != 0)
		exit(1);
	slave = open(name, O_RDWR | O_NOCTTY);
	if (slave < 0 || write(master, "typed\n", 6) != 6 || read(slave, text, sizeof(text)) != 6)
		exit(1);
	text[5] = '\0';
	printf("pty: %s\n", text);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("arguments: %s %s\n", argv[1], argv[2]);
	threads();
	files();
	sockets();
	terminal();
	return 3;
}
