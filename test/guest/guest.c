/*
 * The harness of the guest tests: runs each test in a process group of its own under a time limit,
 * prints TAP, and looks after what a test leaves behind: processes, scratch folders, objects.
 *
 * It waits by polling, not with SIGCHLD: a kernel without signals still gets other tests judged.
 */
#include "guest.h"

#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>

enum { EXIT_SKIP = 77, LEAK_TRIES = 3 };

struct shared {
	int failures;
	char skip_reason[200];
	char scratch[200];
};

static struct guest_test *tests, **tests_end = &tests;
static struct guest_helper *helpers;
static struct shared *shared;
static char self[PATH_MAX];
static int limit_percent = 100;
static int repeats = 1;

void guest_register(struct guest_test *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

void guest_register_helper(struct guest_helper *helper)
{
	helper->next = helpers;
	helpers = helper;
}

/* One write for a line, so that lines of several processes do not mix. */
static void print_line(const char *prefix, const char *format, va_list args)
{
	char line[1024];
	int length = snprintf(line, sizeof line, "%s", prefix);

	length += vsnprintf(line + length, sizeof line - length - 1, format, args);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	if (write(STDOUT_FILENO, line, length) < 0)
		_exit(1);
}

__attribute__((format(printf, 1, 2)))
static void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("", format, args);
	va_end(args);
}

void guest_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("# ", format, args);
	va_end(args);
}

void guest_fail(const char *file, int line, const char *format, ...)
{
	char prefix[128];
	const char *base = strrchr(file, '/');
	va_list args;

	/* First, since whoever prints may be killed. */
	if (shared)
		__atomic_add_fetch(&shared->failures, 1, __ATOMIC_SEQ_CST);
	snprintf(prefix, sizeof prefix, "# %s:%d: ", base ? base + 1 : file, line);
	va_start(args, format);
	print_line(prefix, format, args);
	va_end(args);
	_exit(1);
}

void guest_skip(const char *reason)
{
	snprintf(shared->skip_reason, sizeof shared->skip_reason, "%s", reason);
	_exit(EXIT_SKIP);
}

pid_t guest_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	return pid;
}

int guest_wait(pid_t pid)
{
	int status;
	pid_t got;

	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got != pid)
		FAIL("waitpid(%d) gave %d: %s", (int)pid, (int)got, strerror(errno));
	return status;
}

static const char *status_text(int status, char *text, size_t bytes)
{
	if (WIFEXITED(status))
		snprintf(text, bytes, "exited with %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(text, bytes, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(text, bytes, "has status 0x%x", status);
	return text;
}

void guest_wait_exit(const char *file, int line, pid_t pid, int expected)
{
	char text[64];
	int status = guest_wait(pid);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
		guest_fail(file, line, "the child %s, expected exit with %d",
			   status_text(status, text, sizeof text), expected);
}

void guest_wait_signal(const char *file, int line, pid_t pid, int signal)
{
	char text[64];
	int status = guest_wait(pid);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != signal)
		guest_fail(file, line, "the child %s, expected signal %d",
			   status_text(status, text, sizeof text), signal);
}

struct guest_gate guest_gate(void)
{
	struct guest_gate gate;

	CHECK_OK(pipe(gate.fds));
	return gate;
}

void guest_gate_open(struct guest_gate *gate)
{
	CHECK_EQ(write(gate->fds[1], "x", 1), 1);
}

void guest_gate_pass(struct guest_gate *gate)
{
	char byte;
	ssize_t got;

	do {
		got = read(gate->fds[0], &byte, 1);
	} while (got < 0 && errno == EINTR);
	CHECK_EQ(got, 1);
}

void *guest_shared(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

void *guest_private(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

int64_t guest_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void guest_sleep_ms(int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

char guest_state(pid_t pid)
{
	char path[64], text[512], *end;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (guest_read_file(path, text, sizeof text) <= 0)
		return 0;
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : 0;
}

void guest_wait_blocked(pid_t tid)
{
	if (guest_state(tid) == 0) {
		guest_sleep_ms(50);
		return;
	}
	CHECK_SOON(guest_state(tid) == 'S' || guest_state(tid) == 'D');
}

int guest_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : CPU_COUNT(&set);
}

const char *guest_scratch(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(shared->scratch, sizeof shared->scratch, "%s/guest.XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(shared->scratch))
		FAIL("mkdtemp %s: %s", shared->scratch, strerror(errno));
	CHECK_OK(chmod(shared->scratch, 0777));
	CHECK_OK(chdir(shared->scratch));
	return shared->scratch;
}

int guest_file(const char *path, const char *contents, mode_t mode)
{
	size_t bytes = strlen(contents);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return -1;
	if (write(fd, contents, bytes) != (ssize_t)bytes || fchmod(fd, mode) < 0) {
		close(fd);
		return -1;
	}
	return close(fd);
}

ssize_t guest_read_file(const char *path, char *buffer, size_t bytes)
{
	size_t have = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while (have < bytes - 1 && (got = read(fd, buffer + have, bytes - 1 - have)) > 0)
		have += got;
	close(fd);
	buffer[have] = 0;
	return have;
}

const char *guest_self(void)
{
	return self;
}

char **guest_exec_args(const char *name, ...)
{
	char **vector = calloc(32, sizeof *vector);
	int count = 0;
	va_list args;

	vector[count++] = self;
	vector[count++] = "--helper";
	vector[count++] = (char *)name;
	va_start(args, name);
	do {
		vector[count] = va_arg(args, char *);
	} while (vector[count] && ++count < 31);
	va_end(args);
	return vector;
}

void guest_catch(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK_OK(sigaction(signal, &action, NULL));
}

int guest_become_user(void)
{
	/* The kernel's calls, not the library's, which would broadcast to threads. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 1000, 1000, 1000) < 0)
		return -1;
	return syscall(SYS_setresuid, 1000, 1000, 1000);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* Kills whoever is a child of this process: those that left the test's group are, once orphans. */
static void kill_children(void)
{
	char path[64], text[512], *end;
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int parent;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
		if (pid <= 0 || guest_read_file(path, text, sizeof text) <= 0)
			continue;
		end = strrchr(text, ')');
		if (end && sscanf(end + 1, " %*c %d", &parent) == 1 && parent == getpid())
			kill(pid, SIGKILL);
	}
	if (dir)
		closedir(dir);
}

/* Ends and reaps everything the test started; the harness is their subreaper. False when some would
 * not die. */
static bool clean_up(pid_t group)
{
	int64_t start = guest_now_ns();

	kill(-group, SIGKILL);
	for (int tries = 0; guest_now_ns() - start < 5000000000LL; tries++) {
		pid_t got;

		while ((got = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			;
		if (got < 0 && errno == ECHILD)
			return true;
		if (tries > 20)
			kill_children();
		guest_sleep_ms(tries > 20 ? 20 : 1);
	}
	return false;
}

static int wait_limited(pid_t pid, int limit_seconds, bool *late)
{
	int64_t start = guest_now_ns();
	int64_t until = start + limit_seconds * 10000000LL * limit_percent;
	long pause_ns = 100000;
	int status;

	*late = false;
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (got < 0) {
			print("Bail out! the harness cannot wait: %s", strerror(errno));
			exit(1);
		}
		if (!*late && guest_now_ns() > until) {
			*late = true;
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
		nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
		if (pause_ns < 5000000)
			pause_ns *= 2;
	}
}

enum outcome { PASSED, SKIPPED, FAILED };

static enum outcome run_once(struct guest_test *test)
{
	char text[64];
	bool late;
	int status;
	pid_t pid;

	memset(shared, 0, sizeof *shared);
	pid = fork();
	if (pid < 0) {
		guest_note("fork: %s", strerror(errno));
		return FAILED;
	}
	if (pid == 0) {
		setpgid(0, 0);
		test->run();
		_exit(0);
	}
	setpgid(pid, pid);
	status = wait_limited(pid, test->limit_seconds, &late);
	if (!clean_up(pid))
		guest_note("a process of the test is still there");
	if (shared->scratch[0])
		nftw(shared->scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (late)
		guest_note("still running after its limit of %d s", test->limit_seconds);
	else if (!WIFEXITED(status) ||
		 (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != EXIT_SKIP))
		guest_note("the test %s", status_text(status, text, sizeof text));
	if (late || !WIFEXITED(status) || shared->failures)
		return FAILED;
	if (WEXITSTATUS(status) == EXIT_SKIP)
		return SKIPPED;
	return WEXITSTATUS(status) == 0 ? PASSED : FAILED;
}

static enum outcome run_watched(struct guest_test *test)
{
	struct guest_leaks before, after;
	enum outcome outcome;

	for (int tries = 0; tries < LEAK_TRIES; tries++) {
		guest_leaks_read(&before);
		outcome = run_once(test);
		if (outcome != PASSED || !guest_leaked(&before, &after))
			return outcome;
	}
	guest_leaks_note(&before, &after);
	return FAILED;
}

static bool is_wanted(struct guest_test *test, int number, int argc, char **argv)
{
	char *end;

	for (int i = 0; i < argc; i++) {
		long wanted = strtol(argv[i], &end, 10);

		if (*end == 0 ? wanted == number : strstr(test->question, argv[i]) != NULL)
			return true;
	}
	return argc == 0;
}

static int run_all(int argc, char **argv)
{
	int number = 0, printed = 0, failed = 0;

	for (struct guest_test *test = tests; test; test = test->next) {
		enum outcome outcome = PASSED;

		if (!is_wanted(test, ++number, argc, argv))
			continue;
		for (int i = 0; i < repeats && outcome == PASSED; i++)
			outcome = run_watched(test);
		if (outcome == SKIPPED)
			print("ok %d - %s # SKIP %s", ++printed, test->question,
			      shared->skip_reason);
		else
			print("%s %d - %s", outcome == PASSED ? "ok" : "not ok", ++printed,
			      test->question);
		failed += outcome == FAILED;
	}
	print("1..%d", printed);
	return failed ? 1 : 0;
}

static int list_all(void)
{
	int number = 0;

	for (struct guest_test *test = tests; test; test = test->next)
		print("%d %s", ++number, test->question);
	return 0;
}

void guest_find_self(const char *argv0)
{
	ssize_t got = readlink("/proc/self/exe", self, sizeof self - 1);

	if (got > 0)
		self[got] = 0;
	else if (argv0[0] == '/' || !getcwd(self, sizeof self / 2))
		snprintf(self, sizeof self, "%s", argv0);
	else
		snprintf(self + strlen(self), sizeof self / 2, "/%s", argv0);
}

static int run_helper(int argc, char **argv)
{
	for (struct guest_helper *helper = helpers; helper; helper = helper->next) {
		if (strcmp(helper->name, argv[2]) == 0)
			return helper->run(argc - 2, argv + 2);
	}
	return 125;
}

/* Weak: a program that is no family of tests has its own. */
__attribute__((weak)) int main(int argc, char **argv)
{
	int option;

	guest_find_self(argv[0]);
	if (argc > 2 && strcmp(argv[1], "--helper") == 0)
		return run_helper(argc, argv);
	while ((option = getopt(argc, argv, "lr:t:")) >= 0) {
		if (option == 'l')
			return list_all();
		if (option == 'r')
			repeats = atoi(optarg);
		else if (option == 't')
			limit_percent = atoi(optarg);
		else
			return 2;
	}
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		print("Bail out! mmap: %s", strerror(errno));
		return 1;
	}
	/* Shells start programs with some ignored: busybox's SIGQUIT, others' background jobs. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return run_all(argc - optind, argv + optind);
}
