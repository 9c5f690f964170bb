/*
 * Every system call with hostile arguments, each in a process of its own: bad pointers of all
 * kinds, buffers that straddle the end of a page, huge and negative lengths, bad descriptors,
 * numbers that mean nothing.
 *
 *     hostile                       lines NAME PATTERN RESULT; the commonest result with the
 * pattern * hostile -c EXPECTED NOTTHERE  TAP, one test a call: the results are those in the file
 * EXPECTED; for the calls named in NOTTHERE, ENOSYS is accepted hostile NAME...               only
 * these calls
 *     --in-vm                       also the calls that could harm the machine it runs on
 *
 * The file hostile.expected is what `hostile` prints on Linux.
 * RESULT is "ok" for any value that is no error, the errno's name, "signal N", "exit N", or
 * "blocks". Nothing depends on the machine: the memory of the patterns lies at fixed addresses,
 * paths are "", "." or do not end, descriptor 0 is a fresh empty file, and the current folder is
 * the test's own. The result of a call comes back as the child's exit status, since the call may
 * well have closed every descriptor or spoilt the memory.
 */
#include "guest.h"
#include "hostile-names.inc.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { LAST_CALL = 470, BLOCKS_LOOKS = 20, PATIENCE_MS = 10000, EXIT_NO_ERRNO = 250 };

/* Fixed places: zeros, zeros that may not be written, an unended string before a hole, the path
 * ".", nothing. */
#define GOOD 0x20000000L
#define READ_ONLY 0x21000000L
#define STRADDLE 0x22000ff8L
#define DOT 0x23000000L
#define NOTHING 0x30000000L
#define KERNEL ((long)0xffff888000000000)
#define TEXT ((long)0xffffffff81000000)
#define WILD 0x1234567800000000L
#define EDGE 0x7ffffffff000L
#define HUGE_ (long)0x7fffffffffffffff
#define LENGTH 0x1000L

static const struct pattern {
	const char *name;
	long args[6];
} patterns[] = {
	{ "null", { 0, 0, 0, 0, 0, 0 } },
	{ "minus", { -1, -1, -1, -1, -1, -1 } },
	{ "huge", { HUGE_, HUGE_, HUGE_, HUGE_, HUGE_, HUGE_ } },
	{ "int-max", { INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX } },
	{ "kernel", { KERNEL, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL } },
	{ "text", { TEXT, TEXT, TEXT, TEXT, TEXT, TEXT } },
	{ "wild", { WILD, WILD, WILD, WILD, WILD, WILD } },
	{ "nothing", { NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING } },
	{ "good", { GOOD, GOOD, GOOD, GOOD, GOOD, GOOD } },
	{ "read-only", { READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY, READ_ONLY } },
	{ "straddle", { STRADDLE, STRADDLE, STRADDLE, STRADDLE, STRADDLE, STRADDLE } },
	{ "good-length", { GOOD, LENGTH, GOOD, LENGTH, GOOD, LENGTH } },
	{ "bad-length", { NOTHING, LENGTH, NOTHING, LENGTH, NOTHING, LENGTH } },
	{ "good-huge", { GOOD, HUGE_, GOOD, HUGE_, GOOD, HUGE_ } },
	{ "fd-null", { 0, 0, LENGTH, 0, 0, 0 } },
	{ "fd-kernel", { 0, KERNEL, LENGTH, KERNEL, LENGTH, KERNEL } },
	{ "fd-huge", { 0, GOOD, HUGE_, GOOD, HUGE_, GOOD } },
	{ "fd-straddle", { 0, STRADDLE, LENGTH, STRADDLE, LENGTH, STRADDLE } },
	{ "fd-edge", { 0, EDGE, 2 * LENGTH, EDGE, LENGTH, EDGE } },
	{ "bad-fd", { 999, GOOD, LENGTH, GOOD, LENGTH, GOOD } },
	{ "at-good", { AT_FDCWD, GOOD, GOOD, GOOD, GOOD, GOOD } },
	{ "at-kernel", { AT_FDCWD, KERNEL, GOOD, 0, 0, 0 } },
	{ "at-straddle", { AT_FDCWD, STRADDLE, 0, 0, 0, 0 } },
	{ "dot-kernel", { DOT, KERNEL, KERNEL, KERNEL, KERNEL, KERNEL } },
	{ "at-dot-kernel", { AT_FDCWD, DOT, KERNEL, KERNEL, KERNEL, KERNEL } },
};

enum { PATTERNS = sizeof patterns / sizeof *patterns };

/* Beyond the table, in the negative, in the range of the x32 calls. */
static const long nonsense[] = {
	471,	    500,	511,	    512,	547, 548, 999,	 4095,	       65535,
	0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, -1,  -2,  -4096, -2147483648L,
};

/* Clocks, swap, modules, the whole machine: not on a machine that is needed. */
static const char *const dangerous[] = {
	"reboot",
	"kexec_load",
	"kexec_file_load",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"vhangup",
	"acct",
	"swapon",
	"swapoff",
	"init_module",
	"finit_module",
	"delete_module",
	"syslog",
	"iopl",
	"ioperm",
	"quotactl",
	"quotactl_fd",
	"clone",
	"bpf",
	"perf_event_open",
	"sync",
};

/* What a kernel may answer by its version or its luck: called, but not compared. */
static const char *const unstable[] = {
	"uretprobe", "uprobe", "restart_syscall", "modify_ldt", "io_uring_setup", "userfaultfd",
};

static bool in_vm;

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

#define IS_AMONG(name, names) is_among(name, names, sizeof(names) / sizeof *(names))

static void name_of(long number, char *name, size_t bytes)
{
	size_t count = sizeof syscall_names / sizeof *syscall_names;

	if (number >= 0 && (size_t)number < count && syscall_names[number])
		snprintf(name, bytes, "%s", syscall_names[number]);
	else
		snprintf(name, bytes, "nr%ld", number);
}

static void map_at(long where, size_t bytes, int prot)
{
	void *got = mmap((void *)where, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (got == MAP_FAILED) {
		printf("Bail out! no memory at 0x%lx\n", where);
		exit(1);
	}
	if (where == (DOT & -4096L))
		strcpy(got, ".");
	if (where == (STRADDLE & -4096L))
		memset(got, 'a', bytes);
	mprotect(got, bytes, prot);
}

/* The call itself, apart, since calls of functions would spoil the argument registers. */
static long bare_call(long number, const long *args)
{
	register long r10 asm("r10") = args[3];
	register long r8 asm("r8") = args[4];
	register long r9 asm("r9") = args[5];
	long result;

	asm volatile("syscall"
		     : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
		     : "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2])
		     : "rcx", "r11", "memory");
	return result;
}

/* In the child: makes the call and exits with its errno. */
__attribute__((noreturn)) static void make_call(long number, const long *args)
{
	pid_t self = syscall(SYS_gettid);
	long result, fd;

	setpgid(0, 0);
	fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	close(fd);
	chmod(".", 0777);
	result = bare_call(number, args);
	if (syscall(SYS_gettid) != self)
		syscall(SYS_exit, 0);		/* the call made a process */
	if (result >= 0)
		result = 0;
	else
		result = result < -133 ? EXIT_NO_ERRNO : -result;
	syscall(SYS_exit_group, result);
	__builtin_unreachable();
}

static const char *errno_name(int number)
{
	static const char *const names[134] = {
		[EPERM] = "EPERM",
		[ENOENT] = "ENOENT",
		[ESRCH] = "ESRCH",
		[EINTR] = "EINTR",
		[EIO] = "EIO",
		[ENXIO] = "ENXIO",
		[E2BIG] = "E2BIG",
		[ENOEXEC] = "ENOEXEC",
		[EBADF] = "EBADF",
		[ECHILD] = "ECHILD",
		[EAGAIN] = "EAGAIN",
		[ENOMEM] = "ENOMEM",
		[EACCES] = "EACCES",
		[EFAULT] = "EFAULT",
		[ENOTBLK] = "ENOTBLK",
		[EBUSY] = "EBUSY",
		[EEXIST] = "EEXIST",
		[EXDEV] = "EXDEV",
		[ENODEV] = "ENODEV",
		[ENOTDIR] = "ENOTDIR",
		[EISDIR] = "EISDIR",
		[EINVAL] = "EINVAL",
		[ENFILE] = "ENFILE",
		[EMFILE] = "EMFILE",
		[ENOTTY] = "ENOTTY",
		[ETXTBSY] = "ETXTBSY",
		[EFBIG] = "EFBIG",
		[ENOSPC] = "ENOSPC",
		[ESPIPE] = "ESPIPE",
		[EROFS] = "EROFS",
		[EMLINK] = "EMLINK",
		[EPIPE] = "EPIPE",
		[EDOM] = "EDOM",
		[ERANGE] = "ERANGE",
		[EDEADLK] = "EDEADLK",
		[ENOSYS] = "ENOSYS",
		[ENAMETOOLONG] = "ENAMETOOLONG",
		[ENOTEMPTY] = "ENOTEMPTY",
		[ELOOP] = "ELOOP",
		[ENODATA] = "ENODATA",
		[ETIME] = "ETIME",
		[EOVERFLOW] = "EOVERFLOW",
		[ENOTSOCK] = "ENOTSOCK",
		[EMSGSIZE] = "EMSGSIZE",
		[EOPNOTSUPP] = "EOPNOTSUPP",
		[EAFNOSUPPORT] = "EAFNOSUPPORT",
		[ETIMEDOUT] = "ETIMEDOUT",
		[ENOKEY] = "ENOKEY",
		[EPROTONOSUPPORT] = "EPROTONOSUPPORT",
		[ENOTCONN] = "ENOTCONN",
		[EPROTO] = "EPROTO",
		[EBADMSG] = "EBADMSG",
		[EBADFD] = "EBADFD",
		[EUSERS] = "EUSERS",
		[ESTALE] = "ESTALE",
	};
	static char text[16];

	if (number > 0 && number < 134 && names[number])
		return names[number];
	snprintf(text, sizeof text, "E%d", number);
	return text;
}

/* Waits for the child: its status, or -1 when it sleeps for good: BLOCKS_LOOKS looks in a row. */
static int wait_for(pid_t pid)
{
	int64_t start = guest_now_ns();
	long pause_ns = 50000;
	int status, asleep = 0;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG | __WALL) == pid)
			return status;
		/* Most are over soon, and not worth a look. */
		if (pause_ns < 5000000 || guest_state(pid) == 'R')
			asleep = 0;
		else
			asleep++;
		if (asleep == BLOCKS_LOOKS ||
		    guest_now_ns() - start > PATIENCE_MS * 1000000LL)
			return -1;
		nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
		if (pause_ns < 5000000)
			pause_ns *= 2;
	}
}

static void call(long number, const struct pattern *pattern, char *result, size_t bytes)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		make_call(number, pattern->args);
	if (pid < 0) {
		snprintf(result, bytes, "fork failed with %d", errno);
		return;
	}
	status = wait_for(pid);
	if (status == -1)
		snprintf(result, bytes, "blocks");
	else if (WIFSTOPPED(status))
		snprintf(result, bytes, "stops");
	else if (WIFSIGNALED(status))
		snprintf(result, bytes, "signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		snprintf(result, bytes, "ok");
	else if (WEXITSTATUS(status) > 133)
		snprintf(result, bytes, "exit %d", WEXITSTATUS(status));
	else
		snprintf(result, bytes, "%s", errno_name(WEXITSTATUS(status)));
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	/* What the call made may be orphans by now, and ours. */
	while (waitpid(-1, NULL, __WALL | WNOHANG) > 0 || (status == -1 && kill(pid, 0) == 0))
		sched_yield();
}

static char *expected;		/* the text of the file; NULL: print lines */
static char *not_there;

/* Whether a line of NOTTHERE, "NAME - REASON" or "NAME=ERRNO - REASON", allows this result. */
static bool may_be_missing(const char *name, const char *result)
{
	char line[128], *at = not_there;

	snprintf(line, sizeof line, "\n%.60s%s%.30s - ", name, strcmp(result, "ENOSYS") ? "=" : "",
		 strcmp(result, "ENOSYS") ? result : "");
	return at && strstr(at, line);
}

/* The expected result for "NAME PATTERN", by its own line or that of "NAME *"; or NULL. */
static const char *expectation(const char *name, const char *pattern)
{
	static char result[64];
	char key[128], *at;

	snprintf(key, sizeof key, "\n%s %s ", name, pattern);
	at = strstr(expected, key);
	if (!at) {
		snprintf(key, sizeof key, "\n%s * ", name);
		at = strstr(expected, key);
	}
	if (!at)
		return NULL;
	at += strlen(key);
	snprintf(result, sizeof result, "%.*s", (int)strcspn(at, "\n"), at);
	return result;
}

/* Prints the commonest result for all patterns, then those that differ. */
static void print_results(const char *name, char (*results)[32])
{
	int commonest = 0, most = 0;

	for (int i = 0; i < PATTERNS; i++) {
		int count = 0;

		for (int j = 0; j < PATTERNS; j++)
			count += strcmp(results[i], results[j]) == 0;
		if (count > most) {
			most = count;
			commonest = i;
		}
	}
	printf("%s * %s\n", name, results[commonest]);
	for (int i = 0; i < PATTERNS; i++) {
		if (strcmp(results[i], results[commonest]) != 0)
			printf("%s %s %s\n", name, patterns[i].name, results[i]);
	}
}

/* Results that Linux's version or configuration decides (the size of its processor masks). */
static bool is_variable(const char *name, const char *pattern)
{
	static const char *const variable[] = { "fgetxattr at-dot-kernel",
						"sched_setaffinity straddle" };
	char both[96];

	snprintf(both, sizeof both, "%s %s", name, pattern);
	return IS_AMONG(both, variable);
}

/* Prints what differs from what is expected; whether nothing does. */
static bool compare_results(const char *name, char (*results)[32])
{
	bool good = true;

	for (int i = 0; i < PATTERNS; i++) {
		const char *want = expectation(name, patterns[i].name);

		if (!want || strcmp(want, results[i]) == 0)
			continue;
		if (may_be_missing(name, results[i]) || is_variable(name, patterns[i].name))
			continue;
		printf("# %s %s: %s, expected %s\n", name, patterns[i].name, results[i], want);
		good = false;
	}
	return good;
}

static bool try_all_patterns(long number)
{
	char name[64], results[PATTERNS][32];

	name_of(number, name, sizeof name);
	for (int i = 0; i < PATTERNS; i++)
		call(number, &patterns[i], results[i], sizeof results[i]);
	if (expected)
		return compare_results(name, results);
	print_results(name, results);
	return true;
}

static bool is_wanted(long number, int count, char **names)
{
	char name[64];

	name_of(number, name, sizeof name);
	if (count)
		return is_among(name, (const char *const *)names, count);
	if (IS_AMONG(name, unstable) && !expected)
		return false;
	return in_vm || !IS_AMONG(name, dangerous);
}

static char *read_all(const char *path)
{
	char *text = malloc(1 << 20);

	text[0] = '\n';
	if (guest_read_file(path, text + 1, (1 << 20) - 1) < 0) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return text;
}

/* A folder of its own, and where the kernel has namespaces, mounts and names of its own. */
static void prepare(void)
{
	static char folder[64];
	const char *base = getenv("TMPDIR");

	/* Above the lengths that are given as numbers of descriptors. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 8192, 8192 });
	if (unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	unshare(CLONE_NEWUTS);
	unshare(CLONE_NEWIPC);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	snprintf(folder, sizeof folder, "%s/hostile.XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(folder) || chdir(folder) < 0) {
		printf("Bail out! %s: %s\n", folder, strerror(errno));
		exit(1);
	}
	map_at(GOOD, 16 * PAGE, PROT_READ | PROT_WRITE);
	map_at(READ_ONLY, 16 * PAGE, PROT_READ);
	map_at(STRADDLE & -4096L, PAGE, PROT_READ | PROT_WRITE);
	map_at(DOT, PAGE, PROT_READ);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static int run(int count, char **names)
{
	int printed = 0, failed = 0;

	for (long i = 0; i <= LAST_CALL + (long)(sizeof nonsense / sizeof *nonsense); i++) {
		long number = i <= LAST_CALL ? i : nonsense[i - LAST_CALL - 1];
		char name[64];
		bool good;

		if (!is_wanted(number, count, names))
			continue;
		good = try_all_patterns(number);
		name_of(number, name, sizeof name);
		if (expected)
			printf("%s %d - %s\n", good ? "ok" : "not ok", ++printed, name);
		failed += !good;
	}
	if (expected)
		printf("1..%d\n", printed);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-') {
		if (strcmp(argv[at], "--in-vm") == 0) {
			in_vm = true;
			at++;
		} else if (strcmp(argv[at], "-c") == 0 && at + 2 < argc) {
			expected = read_all(argv[at + 1]);
			not_there = read_all(argv[at + 2]);
			at += 3;
		} else {
			return 2;
		}
	}
	prepare();
	return run(argc - at, argv + at);
}
