/*
 * What a process keeps and loses in execve: descriptors, signals, memory, threads, credentials, its
 * name; and execve's other forms, fexecve and execveat.
 */
#include "guest.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

static char *no_env[] = { NULL };

static pid_t start(char **args)
{
	pid_t pid;

	CHILD(pid) {
		execve(args[0], args, no_env);
		_exit(126);
	}
	return pid;
}

static char *number(long value)
{
	char *text = malloc(24);

	snprintf(text, 24, "%ld", value);
	return text;
}

HELPER(descriptors)
{
	int kept = atoi(argv[1]), closed = atoi(argv[2]);

	if (fcntl(kept, F_GETFD) != 0)
		return 1;
	return fcntl(closed, F_GETFD) == -1 && errno == EBADF ? 0 : 2;
}

TEST("are close-on-exec descriptors closed and all others kept, with their offset?")
{
	int kept = CHECK_OK(open("/", O_RDONLY)),
	    closed = CHECK_OK(open("/", O_RDONLY | O_CLOEXEC));

	CHECK_EXIT(start(guest_exec_args("descriptors", number(kept), number(closed), NULL)), 0);
	CHECK_OK(fcntl(kept, F_SETFD, FD_CLOEXEC));
	CHECK_OK(fcntl(closed, F_SETFD, 0));
	CHECK_EXIT(start(guest_exec_args("descriptors", number(closed), number(kept), NULL)), 0);
}

static void nothing(int signal)
{
	(void)signal;
}

HELPER(signals)
{
	struct sigaction usr1, usr2;
	sigset_t mask, pending;
	stack_t stack;

	sigaction(SIGUSR1, NULL, &usr1);
	sigaction(SIGUSR2, NULL, &usr2);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigpending(&pending);
	sigaltstack(NULL, &stack);
	if (usr1.sa_handler != SIG_DFL || usr2.sa_handler != SIG_IGN)
		return 1;
	if (!sigismember(&mask, SIGHUP) || sigismember(&mask, SIGTERM))
		return 2;
	if (!sigismember(&pending, SIGHUP))
		return 3;
	return stack.ss_flags & SS_DISABLE ? 0 : 4;
}

TEST("are handlers reset, ignored signals kept, mask and pending kept, the alternate stack gone?")
{
	stack_t stack = { .ss_sp = guest_private(16 * PAGE), .ss_size = 16 * PAGE };
	sigset_t mask;
	pid_t pid;

	CHILD(pid) {
		char **args = guest_exec_args("signals", NULL);

		guest_catch(SIGUSR1, nothing, 0);
		guest_catch(SIGUSR2, SIG_IGN, 0);
		sigemptyset(&mask);
		sigaddset(&mask, SIGHUP);
		CHECK_OK(sigprocmask(SIG_SETMASK, &mask, NULL));
		CHECK_OK(raise(SIGHUP));
		CHECK_OK(sigaltstack(&stack, NULL));
		execve(args[0], args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(keeps)
{
	struct rlimit limit;
	char here[PATH_MAX];

	if (getpid() != atoi(argv[1]) || getppid() != atoi(argv[2]) || getsid(0) != atoi(argv[3]))
		return 1;
	if (umask(0) != 031 || !getcwd(here, sizeof here) || strcmp(here, "/") != 0)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur != 99)
		return 3;
	if (alarm(0) == 0)
		return 4;
	return getpriority(PRIO_PROCESS, 0) == 3 ? 0 : 5;
}

TEST("are pid, parent, session, umask, cwd, limits, alarm and nice kept?")
{
	pid_t pid;

	CHILD(pid) {
		struct rlimit limit = { 99, 99 };
		char **args;

		umask(031);
		CHECK_OK(chdir("/"));
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		CHECK_OK(setpriority(PRIO_PROCESS, 0, 3));
		alarm(1000);
		args = guest_exec_args("keeps", number(getpid()), number(getppid()),
				       number(getsid(0)), NULL);
		execve(args[0], args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(no_mapping)
{
	unsigned char there;

	/* mincore of an address range without a mapping is ENOMEM. */
	return mincore((void *)0x5000000000, PAGE, &there) == -1 && errno == ENOMEM ? 0 : 1;
}

TEST("are the old program's mappings gone?")
{
	CHECK(mmap((void *)0x5000000000, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
	CHECK_EXIT(start(guest_exec_args("no_mapping", NULL)), 0);
}

HELPER(name)
{
	char comm[17] = "", link[PATH_MAX];
	ssize_t got = readlink("/proc/self/exe", link, sizeof link - 1);

	prctl(PR_GET_NAME, comm, 0, 0, 0);
	if (strncmp(comm, argv[1], 15) != 0)
		return 1;
	if (got < 0)
		return 2;
	link[got] = 0;
	return strcmp(link, argv[2]) == 0 ? 0 : 3;
}

TEST("does the process name follow the file, 15 characters long, and /proc/self/exe name it?")
{
	char **args, link[PATH_MAX];
	pid_t pid;

	snprintf(link, sizeof link, "%s/a-name-longer-than-fifteen", guest_scratch());
	CHECK_OK(symlink(guest_self(), link));
	args = guest_exec_args("name", "a-name-longer-t", guest_self(), NULL);
	CHILD(pid) {
		CHECK_OK(prctl(PR_SET_NAME, "before", 0, 0, 0));
		execve(link, args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

TEST("can /proc/self/exe be executed?")
{
	char **args = guest_exec_args("no_mapping", NULL);
	pid_t pid;

	CHILD(pid)
		execve("/proc/self/exe", args, no_env);
	CHECK_EXIT(pid, 0);
}

static void *sleep_long(void *arg)
{
	guest_sleep_ms(100000);
	return arg;
}

static void *exec_here(void *arg)
{
	char **args = arg;

	execve(args[0], args, no_env);
	_exit(126);
}

HELPER(alone)
{
	char path[64];

	if (getpid() != atoi(argv[1]) || syscall(SYS_gettid) != getpid())
		return 1;
	snprintf(path, sizeof path, "/proc/self/task/%s", argv[2]);
	return access(path, F_OK) == -1 ? 0 : 2;
}

TEST("does execve in a second thread end all others and take the leader's pid?")
{
	pid_t pid;

	CHILD(pid) {
		pthread_t threads[4];
		char **args = guest_exec_args("alone", number(getpid()), "999999", NULL);

		for (int i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, sleep_long, NULL), 0);
		CHECK_EQ(pthread_create(&threads[3], NULL, exec_here, args), 0);
		for (;;)
			pause();
	}
	CHECK_EXIT(pid, 0);
}

TEST("does execve in the leader end the other threads, spinning ones too?")
{
	pid_t pid;

	CHILD(pid) {
		pthread_t threads[4];
		char **args = guest_exec_args("alone", number(getpid()), "999999", NULL);

		for (int i = 0; i < 4; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, sleep_long, NULL), 0);
		execve(args[0], args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does a failed execve in a threaded process leave all threads running?")
{
	pthread_t thread;
	char *args[] = { "x", NULL };

	CHECK_EQ(pthread_create(&thread, NULL, sleep_long, NULL), 0);
	CHECK_ERRNO(execve("/nonexistent", args, no_env), ENOENT);
	CHECK_EQ(pthread_kill(thread, 0), 0);
}

static int execveat_raw(int fd, const char *path, char **args, int flags)
{
	return syscall(SYS_execveat, fd, path, args, no_env, flags);
}

TEST("does execveat take a folder's descriptor, an open file with AT_EMPTY_PATH, and refuse links?")
{
	char **args = guest_exec_args("no_mapping", NULL);
	int dir, fd = CHECK_OK(open(guest_self(), O_PATH | O_CLOEXEC));
	pid_t pid;

	guest_scratch();
	CHECK_OK(symlink(guest_self(), "link"));
	dir = CHECK_OK(open(".", O_PATH));
	CHECK_OK(chdir("/"));
	CHILD(pid)
		execveat_raw(dir, "link", args, 0);
	CHECK_EXIT(pid, 0);
	CHILD(pid)
		execveat_raw(fd, "", args, AT_EMPTY_PATH);
	CHECK_EXIT(pid, 0);
	CHILD(pid)
		execveat_raw(-1, guest_self(), args, 0);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(execveat_raw(dir, "link", args, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERRNO(execveat_raw(fd, "", args, 0), ENOENT);
	CHECK_ERRNO(execveat_raw(fd, "x", args, 0), ENOTDIR);
	CHECK_ERRNO(execveat_raw(-1, "x", args, 0), EBADF);
	CHECK_ERRNO(execveat_raw(AT_FDCWD, "x", args, 1), EINVAL);
}

TEST("does fexecve run a descriptor, a deleted file included?")
{
	char **args = guest_exec_args("no_mapping", NULL), *buffer = malloc(4 << 20);
	int in, out, fd;
	ssize_t size;
	pid_t pid;

	guest_scratch();
	in = CHECK_OK(open(guest_self(), O_RDONLY));
	size = CHECK_OK(read(in, buffer, 4 << 20));
	out = CHECK_OK(open("copy", O_WRONLY | O_CREAT, 0700));
	CHECK_EQ(write(out, buffer, size), size);
	CHECK_OK(close(out));
	fd = CHECK_OK(open("copy", O_RDONLY | O_CLOEXEC));
	CHECK_OK(unlink("copy"));
	CHILD(pid)
		fexecve(fd, args, no_env);
	CHECK_EXIT(pid, 0);
}

HELPER(ids)
{
	uid_t r, e, s;

	if (getresuid(&r, &e, &s) < 0)
		return 1;
	return (int)r == atoi(argv[1]) && (int)e == atoi(argv[2]) && (int)s == atoi(argv[2]) ? 0
											     : 2;
}

static void copy_self(const char *name, mode_t mode)
{
	static char buffer[4 << 20];
	int in = CHECK_OK(open(guest_self(), O_RDONLY)), out;
	ssize_t size = CHECK_OK(read(in, buffer, sizeof buffer));

	out = CHECK_OK(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700));
	CHECK_EQ(write(out, buffer, size), size);
	CHECK_OK(close(out));
	CHECK_OK(close(in));
	CHECK_OK(chmod(name, mode));
}

TEST("does a set-user-id program change the effective and saved id, unless no_new_privs is set?")
{
	char **args;
	pid_t pid;

	guest_scratch();
	copy_self("suid", 04755);
	CHILD(pid) {
		args = guest_exec_args("ids", "1000", "0", NULL);
		CHECK_OK(guest_become_user());
		execve("suid", args, no_env);
	}
	CHECK_EXIT(pid, 0);
	CHILD(pid) {
		args = guest_exec_args("ids", "1000", "1000", NULL);
		CHECK_OK(guest_become_user());
		CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		execve("suid", args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

TEST("is a program an ordinary user may not execute EACCES, even where root may?")
{
	char *args[] = { "x", NULL };
	pid_t pid;

	guest_scratch();
	copy_self("mine", 0700);
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(execve("./mine", args, no_env), EACCES);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(dies_with_parent)
{
	int signal = 99;

	return prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0) == 0 && signal == SIGUSR1 ? 0 : 1;
}

TEST("is the parent-death signal kept over an ordinary execve?")
{
	char **args = guest_exec_args("dies_with_parent", NULL);
	pid_t pid;

	CHILD(pid) {
		CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0));
		execve(args[0], args, no_env);
	}
	CHECK_EXIT(pid, 0);
}

TEST_LIMIT("do two hundred executions in a row work?", 120)
{
	char **args = guest_exec_args("no_mapping", NULL);

	for (int i = 0; i < 200; i++)
		CHECK_EXIT(start(args), 0);
}
