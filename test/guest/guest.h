/*
 * The tiny library under every guest test program.
 *
 * A test is TEST("question it answers?") { ... }. Each runs in a process of its own, the leader of
 * its own process group, with a time limit; the program prints TAP on stdout. A failed CHECK prints
 * "# file:line: ..." and ends the process it is in, and is counted in memory shared with the
 * harness, so that a failure in a grandchild nobody waits for still fails the test.
 *
 *     PROGRAM             all tests
 *     PROGRAM 3 WORDS     test 3 and those whose question contains WORDS
 *     PROGRAM -l          their numbers and questions
 *     PROGRAM -r N        each test N times
 *     PROGRAM -t PERCENT  time limits scaled
 *
 * The harness itself asks little of the kernel: fork, wait4, nanosleep, kill, write, and a shared
 * mapping. Where the kernel has /proc/tine/leaks, free pages and live objects are compared before
 * and after each test; a difference is believed when it appears three times in a row, since the
 * first run may fill a cache.
 *
 * It includes what nearly every test needs, so that a family includes only what is its own.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

struct guest_test {
	const char *question;
	void (*run)(void);
	int limit_seconds;
	struct guest_test *next;
};

/* A second main of the program, started by guest_exec_args(NAME, ...): what a test executes. */
struct guest_helper {
	const char *name;
	int (*run)(int argc, char **argv);
	struct guest_helper *next;
};

void guest_register(struct guest_test *test);
void guest_register_helper(struct guest_helper *helper);

#define GUEST_CAT2(a, b) a##b
#define GUEST_CAT(a, b) GUEST_CAT2(a, b)
#define TEST_LIMIT(question, seconds) GUEST_TEST(GUEST_CAT(test_, __LINE__), question, seconds)
#define TEST(question) TEST_LIMIT(question, 30)
#define GUEST_TEST(fn, question_, seconds)							\
	static void fn(void);									\
	__attribute__((constructor)) static void GUEST_CAT(fn, _register)(void)			\
	{											\
		static struct guest_test test = { question_, fn, seconds, NULL };		\
		guest_register(&test);								\
	}											\
	static void fn(void)

/* HELPER(name) { ... return status; } with argc and argv, argv[0] being the name it was executed
 * by. */
#define HELPER(name_)                                                                            \
	static int GUEST_CAT(helper_, name_)(int argc, char **argv);                             \
	__attribute__((constructor)) static void GUEST_CAT(helper_register_, name_)(void)        \
	{                                                                                        \
		static struct guest_helper helper = { #name_, GUEST_CAT(helper_, name_), NULL }; \
		guest_register_helper(&helper);                                                  \
	}                                                                                        \
	static int GUEST_CAT(helper_, name_)(int argc __attribute__((unused)),                   \
					     char **argv __attribute__((unused)))

/* Diagnostics. guest_fail prints, counts the failure and ends the process. */
__attribute__((noreturn, format(printf, 3, 4)))
void guest_fail(const char *file, int line, const char *format, ...);
__attribute__((noreturn)) void guest_skip(const char *reason);
__attribute__((format(printf, 1, 2))) void guest_note(const char *format, ...);

#define FAIL(...) guest_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason) guest_skip(reason)

#define CHECK(condition) do {									\
	if (!(condition))									\
		FAIL("%s is false (errno %d %s)", #condition, errno, strerror(errno));		\
} while (0)

#define CHECK_EQ(value, expected) do {								\
	long long value_ = (long long)(value), expected_ = (long long)(expected);		\
	if (value_ != expected_)								\
		FAIL("%s is %lld (0x%llx), expected %s = %lld (errno %d %s)", #value, value_,	\
		     value_, #expected, expected_, errno, strerror(errno));			\
} while (0)

#define CHECK_STR(value, expected) do {								\
	const char *value_ = (value), *expected_ = (expected);					\
	if (strcmp(value_, expected_) != 0)							\
		FAIL("%s is \"%s\", expected \"%s\"", #value, value_, expected_);		\
} while (0)

/* The call fails with -1 and this errno. */
#define CHECK_ERRNO(call, expected)                                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		long long value_ = (long long)(call);                                              \
		int errno_ = errno;                                                                \
		if (value_ != -1)                                                                  \
			FAIL("%s gave %lld, expected %s", #call, value_, #expected);               \
		if (errno_ != (expected))                                                          \
			FAIL("%s failed with %d %s, expected %s", #call, errno_, strerror(errno_), \
			     #expected);                                                           \
	} while (0)

/* The call succeeds; its value is CHECK_OK's. */
#define CHECK_OK(call) ({									\
	errno = 0;										\
	__auto_type value_ = (call);								\
	if ((long long)value_ == -1)								\
		FAIL("%s failed with %d %s", #call, errno, strerror(errno));			\
	value_;											\
})

#define CHECK_RANGE(value, low, high) do {							\
	long long value_ = (long long)(value);							\
	if (value_ < (long long)(low) || value_ > (long long)(high))				\
		FAIL("%s is %lld, expected %lld..%lld", #value, value_, (long long)(low),	\
		     (long long)(high));							\
} while (0)

/* The condition becomes true within about ten seconds. */
#define CHECK_SOON(condition) do {								\
	int64_t until_ = guest_now_ns() + 10000000000LL;					\
	while (!(condition)) {									\
		if (guest_now_ns() > until_)							\
			FAIL("%s did not become true", #condition);				\
		guest_sleep_ms(1);								\
	}											\
} while (0)

/* CHILD(pid) { ...; } runs the block in a child that then exits with 0. */
#define CHILD(pid) for (pid = guest_fork(); pid == 0; _exit(0))

pid_t guest_fork(void);
int guest_wait(pid_t pid);		/* the raw wait status */
void guest_wait_exit(const char *file, int line, pid_t pid, int status);
void guest_wait_signal(const char *file, int line, pid_t pid, int signal);
#define CHECK_EXIT(pid, status) guest_wait_exit(__FILE__, __LINE__, pid, status)
#define CHECK_SIGNALED(pid, signal) guest_wait_signal(__FILE__, __LINE__, pid, signal)

/* A gate: guest_gate_pass blocks until another process calls guest_gate_open, once for each pass.
 */
struct guest_gate {
	int fds[2];
};
struct guest_gate guest_gate(void);
void guest_gate_open(struct guest_gate *gate);
void guest_gate_pass(struct guest_gate *gate);

void *guest_shared(size_t bytes);	/* shared anonymous memory, zeroed */
void *guest_private(size_t bytes);	/* private anonymous memory */
int64_t guest_now_ns(void);		/* CLOCK_MONOTONIC */
void guest_sleep_ms(int ms);
void guest_wait_blocked(pid_t tid);	/* until the thread sleeps in the kernel */
char guest_state(pid_t pid);		/* the letter in /proc/PID/stat, 0 when there is none */
int guest_processors(void);		/* processors this process may run on */

/* Makes a fresh folder, goes there, and has the harness remove it. Its absolute name stays valid.
 */
const char *guest_scratch(void);
int guest_file(const char *path, const char *contents,
	       mode_t mode); /* creates or replaces; 0 or -1 */
ssize_t guest_read_file(const char *path, char *buffer, size_t bytes);	/* ends the text with a 0 */

/* What /proc/tine/leaks says: free pages and live objects of each kind. */
enum { GUEST_LEAK_ENTRIES = 128 };
struct guest_leaks {
	int count;
	bool there;			/* the kernel has it */
	struct { char name[48]; long value; } entry[GUEST_LEAK_ENTRIES];
};
/* For comparisons to the page: the reader's own file then stays in its place from read to read. */
void guest_leaks_keep_open(void);
void guest_leaks_read(struct guest_leaks *leaks);
/* Whether something of before is still missing after a moment's patience. */
bool guest_leaked(const struct guest_leaks *before, struct guest_leaks *after);
void guest_leaks_note(const struct guest_leaks *before, const struct guest_leaks *after);

const char *guest_self(void);		/* the absolute name of this program */
void guest_find_self(const char *argv0);	/* for a main of one's own: makes guest_self know */
/* A NULL-ended vector {self, "--helper", name, args..., NULL} for execve; from malloc. */
char **guest_exec_args(const char *name, ...);

void guest_catch(int signal, void (*handler)(int), int flags);	/* sigaction, checked */
int guest_become_user(void); /* drops root for uid and gid 1000 with no groups; 0 or -1 */
