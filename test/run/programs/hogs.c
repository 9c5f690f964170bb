/*
 * Three processes, each with eight threads that write more memory together than the machine has.
 * Prints the status of each. With an argument this process is such a one itself.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES	3
#define THREADS		8
#define THREAD_BYTES	(30ul << 20)

static char *memory;

static void *write_part(void *index)
{
	memset(memory + (size_t)index * THREAD_BYTES, 1, THREAD_BYTES);
	return NULL;
}

static void hog(void)
{
	pthread_t threads[THREADS];

	memory = mmap(NULL, THREADS * THREAD_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, write_part, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* Said at the end only: while memory is short, a write to a pipe may get ENOMEM. */
int main(int argc, char **argv)
{
	int status[PROCESSES];

	(void)argv;
	if (argc > 1)
		hog();
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() == 0)
			hog();
	}
	for (int i = 0; i < PROCESSES; i++) {
		if (wait(&status[i]) < 0)
			status[i] = -1;
	}
	for (int i = 0; i < PROCESSES; i++)
		printf("%d\n", status[i]);
	return 0;
}
