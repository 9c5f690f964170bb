/*
 * The other ways to a child: vfork, clone and clone3 with their flags, and the i386 system calls by
 * int $0x80 from 64-bit code.
 *
 * clone is called directly, without the library's wrapper, and mostly without CLONE_VM, where a
 * child with a zero stack argument continues on its parent's stack as fork's does.
 */
#include "guest.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>

static pid_t raw_clone(unsigned long flags, pid_t *parent_tid, pid_t *child_tid)
{
	return syscall(SYS_clone, flags, NULL, parent_tid, child_tid, 0);
}

TEST("does vfork hold the parent until the child exits, in the same memory?")
{
	volatile int value = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		guest_sleep_ms(50);
		value = 2;
		_exit(3);
	}
	CHECK(pid > 0);
	CHECK_EQ(value, 2);
	CHECK_EXIT(pid, 3);
}

TEST("does vfork let the parent go when the child executes a program?")
{
	char *args[] = { (char *)guest_self(), "-l", NULL }, *none[] = { NULL };
	int64_t start = guest_now_ns();
	pid_t pid = vfork();

	if (pid == 0) {
		close(1);
		execve(args[0], args, none);
		_exit(1);
	}
	CHECK(pid > 0);
	CHECK(guest_now_ns() - start < 10000000000LL);
	guest_wait(pid);
}

TEST("does vfork let the parent go when a signal kills the child?")
{
	pid_t pid = vfork();

	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	CHECK(pid > 0);
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("is vfork's child a process with descriptors and signal actions of its own?")
{
	int fd = CHECK_OK(open("/", O_RDONLY));
	struct sigaction action;
	pid_t pid = vfork();

	if (pid == 0) {
		close(fd);
		signal(SIGUSR1, SIG_IGN);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(fcntl(fd, F_GETFD));
	CHECK_OK(sigaction(SIGUSR1, NULL, &action));
	CHECK(action.sa_handler == SIG_DFL);
}

TEST("do CLONE_PARENT_SETTID and CLONE_CHILD_SETTID store the tid, each in its own memory?")
{
	pid_t ptid = -1, ctid = -1;
	pid_t pid = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &ptid, &ctid);

	if (pid == 0)
		_exit(ctid == syscall(SYS_gettid) ? 0 : 1);
	CHECK_EQ(ptid, pid);
	CHECK_EQ(ctid, -1);
	CHECK_EXIT(pid, 0);
}

TEST("is the word of CLONE_CHILD_CLEARTID cleared, when shared, at the child's exit?")
{
	pid_t *word = guest_shared(PAGE), pid;

	*word = 77;
	pid = raw_clone(CLONE_CHILD_CLEARTID | SIGCHLD, NULL, word);
	if (pid == 0) {
		guest_sleep_ms(20);
		_exit(0);
	}
	CHECK_EQ(*word, 77);
	CHECK_EXIT(pid, 0);
	/* Linux clears it only for memory that somebody else still uses: the process is alone in
	 * its space. */
	CHECK(*word == 77 || *word == 0);
}

TEST("does CLONE_FILES share the descriptor table: a close there is a close here?")
{
	int fd = CHECK_OK(open("/", O_RDONLY));
	pid_t pid = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL);

	if (pid == 0) {
		close(fd);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

TEST("does CLONE_FS share cwd and umask, and unshare end that?")
{
	char here[PATH_MAX];
	pid_t pid;

	umask(022);
	guest_scratch();
	pid = raw_clone(CLONE_FS | SIGCHLD, NULL, NULL);
	if (pid == 0) {
		umask(0111);
		_exit(chdir("/"));
	}
	CHECK_EXIT(pid, 0);
	CHECK(getcwd(here, sizeof here));
	CHECK_STR(here, "/");
	CHECK_EQ(umask(022), 0111);
	pid = raw_clone(CLONE_FS | SIGCHLD, NULL, NULL);
	if (pid == 0) {
		if (unshare(CLONE_FS) < 0)
			_exit(1);
		_exit(chdir("/tmp"));
	}
	CHECK_EXIT(pid, 0);
	CHECK(getcwd(here, sizeof here));
	CHECK_STR(here, "/");
}

TEST("does CLONE_PARENT make the child a sibling: the caller's parent waits for it?")
{
	pid_t *sibling = guest_shared(PAGE), pid, parent = getpid();

	CHILD(pid) {
		pid_t made = raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL);

		if (made == 0)
			_exit(getppid() == parent ? 6 : 7);
		*sibling = made;
		CHECK_ERRNO(waitpid(*sibling, NULL, 0), ECHILD);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(*sibling, 6);
}

TEST("is clone refused with EINVAL for flags that contradict each other?")
{
	CHECK_ERRNO(raw_clone(CLONE_THREAD | SIGCHLD, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_THREAD | CLONE_SIGHAND, NULL, NULL), EINVAL);
	CHECK_ERRNO(raw_clone(CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL), EINVAL);
}

TEST("does a child with exit signal 0 need __WALL or __WCLONE to be waited for?")
{
	pid_t pid = raw_clone(0, NULL, NULL);
	int status;

	if (pid == 0)
		_exit(4);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
	CHECK_EQ(WEXITSTATUS(status), 4);
	pid = raw_clone(0, NULL, NULL);
	if (pid == 0)
		_exit(5);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

static volatile sig_atomic_t got_signal;

static void note_signal(int signal)
{
	got_signal = signal;
}

TEST("is the exit signal given to clone the one the parent gets?")
{
	pid_t pid;
	int status;

	guest_catch(SIGUSR1, note_signal, 0);
	pid = raw_clone(SIGUSR1, NULL, NULL);
	if (pid == 0)
		_exit(0);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK_SOON(got_signal == SIGUSR1);
}

struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

TEST("does clone3 fork as well, and store the tid?")
{
	pid_t tid = 0;
	struct clone3_args args = { .flags = CLONE_PARENT_SETTID, .exit_signal = SIGCHLD };
	long pid;

	args.parent_tid = (uintptr_t)&tid;
	pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(9);
	CHECK_OK(pid);
	CHECK_EQ(tid, pid);
	CHECK_EXIT(pid, 9);
	pid = syscall(SYS_clone3, &args, 64);
	if (pid == 0)
		_exit(8);
	CHECK_OK(pid);
	CHECK_EXIT(pid, 8);
}

TEST("is clone3 refused for a wrong size, unknown flags, a signal in flags, half a stack?")
{
	struct {
		struct clone3_args args;
		uint64_t more[2];
	} big = { .args = { .exit_signal = SIGCHLD } };
	struct clone3_args args = { .exit_signal = SIGCHLD };

	CHECK_ERRNO(syscall(SYS_clone3, &args, 63), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, &args, 5000), E2BIG);
	CHECK_ERRNO(syscall(SYS_clone3, NULL, sizeof args), EFAULT);
	big.more[1] = 1;
	CHECK_ERRNO(syscall(SYS_clone3, &big, sizeof big), E2BIG);
	args.flags = SIGCHLD;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof args), EINVAL);
	args.flags = 1ULL << 60;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof args), EINVAL);
	args.flags = 0;
	args.exit_signal = 65;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof args), EINVAL);
	args.exit_signal = SIGCHLD;
	args.stack = 0x1000;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof args), EINVAL);
	args.stack = 0;
	args.stack_size = 0x1000;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof args), EINVAL);
}

TEST("does CLONE_CLEAR_SIGHAND reset handlers in the child but keep what is ignored?")
{
	struct clone3_args args = { .flags = 1ULL << 32, .exit_signal = SIGCHLD };
	long pid;

	guest_catch(SIGUSR1, note_signal, 0);
	guest_catch(SIGUSR2, SIG_IGN, 0);
	pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0) {
		struct sigaction first, second;

		sigaction(SIGUSR1, NULL, &first);
		sigaction(SIGUSR2, NULL, &second);
		_exit(first.sa_handler == SIG_DFL && second.sa_handler == SIG_IGN ? 0 : 1);
	}
	CHECK_OK(pid);
	CHECK_EXIT(pid, 0);
}

static int on_new_stack(void *arg)
{
	*(volatile int *)arg += 5;
	return 12;
}

TEST("does clone run a function on a given stack, in shared memory with CLONE_VM?")
{
	char *stack = guest_private(16 * PAGE);
	int value = 1;
	pid_t pid = clone(on_new_stack, stack + 16 * PAGE, CLONE_VM | SIGCHLD, &value);

	CHECK_OK(pid);
	CHECK_EXIT(pid, 12);
	CHECK_EQ(value, 6);
	pid = clone(on_new_stack, stack + 16 * PAGE, SIGCHLD, &value);
	CHECK_OK(pid);
	CHECK_EXIT(pid, 12);
	CHECK_EQ(value, 6);
}

/* The i386 call by int $0x80: numbers and 32-bit arguments of i386 whatever mode the caller is in.
 */
static int call_i386(int number, unsigned a, unsigned b, unsigned c)
{
	long result;

	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c)
		     : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static char low_text[] = "through int 0x80";	/* the program is linked below 4 GiB */

TEST("do getpid, write and exit work by int $0x80 from 64-bit code?")
{
	char got[32] = "";
	int ends[2];
	pid_t pid;

	CHECK_EQ(call_i386(20, 0, 0, 0), getpid());
	CHECK_OK(pipe(ends));
	CHECK_EQ(call_i386(4, ends[1], (uintptr_t)low_text, sizeof low_text), sizeof low_text);
	CHECK_EQ(read(ends[0], got, sizeof got), sizeof low_text);
	CHECK_STR(got, low_text);
	CHILD(pid)
		call_i386(1, 42, 0, 0);
	CHECK_EXIT(pid, 42);
}

TEST("does fork by int $0x80 return in both processes, with all registers kept?")
{
	for (int i = 0; i < 20; i++) {
		register long r12 asm("r12") = 0x1111222233334444 + i;
		register long r15 asm("r15") = 0x5555666677778888 + i;
		long pid;

		asm volatile("int $0x80" : "=a"(pid), "+r"(r12), "+r"(r15) : "a"(2)
			     : "memory", "r8", "r9", "r10", "r11");
		if (pid == 0)
			_exit(r12 == 0x1111222233334444 + i && r15 == 0x5555666677778888 + i ? 0
											     : 1);
		CHECK(pid > 0);
		CHECK_EQ(r12, 0x1111222233334444 + i);
		CHECK_EQ(r15, 0x5555666677778888 + i);
		CHECK_EXIT(pid, 0);
	}
}

TEST("does int $0x80 give ENOSYS for an unknown number and EFAULT for a bad pointer?")
{
	CHECK_EQ(call_i386(9999, 0, 0, 0), -ENOSYS);
	CHECK_EQ(call_i386(-1, 0, 0, 0), -ENOSYS);
	CHECK_EQ(call_i386(4, 99, 0, 1), -EBADF);
	CHECK_EQ(call_i386(4, 1, 16, 1), -EFAULT);
}

TEST("does execve by int $0x80 take vectors of 32-bit pointers?")
{
	/* Below 4 GiB, as the program is. */
	static char name[PATH_MAX], helper[] = "--helper", which[] = "counts", word[] = "two";
	static char setting[] = "LOW=memory";
	static uint32_t argv[5], envp[2];
	pid_t pid;

	if ((uintptr_t)name >> 32 != 0)
		SKIP("the program is not below 4 GiB");
	snprintf(name, sizeof name, "%s", guest_self());
	argv[0] = (uintptr_t)name;
	argv[1] = (uintptr_t)helper;
	argv[2] = (uintptr_t)which;
	argv[3] = (uintptr_t)word;
	envp[0] = (uintptr_t)setting;
	CHILD(pid)
		_exit(-call_i386(11, (uintptr_t)name, (uintptr_t)argv, (uintptr_t)envp));
	CHECK_EXIT(pid, 77);
	CHILD(pid)
		_exit(-call_i386(11, (uintptr_t)name, 16, 0));
	CHECK_EXIT(pid, EFAULT);
}

HELPER(counts)
{
	const char *low = getenv("LOW");

	return argc == 2 && strcmp(argv[1], "two") == 0 && low && strcmp(low, "memory") == 0 ? 77
											    : 1;
}

TEST("does int $0x80 use only the low half of its argument registers?")
{
	int ends[2];
	long result;

	CHECK_OK(pipe(ends));
	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(4), "b"(0xabcd00000000 | ends[1]),
		       "c"(0x7700000000 | (uintptr_t)low_text), "d"(0x100000000 | 3)
		     : "memory", "r8", "r9", "r10", "r11");
	CHECK_EQ(result, 3);
}

/*
 *	loop:	mov $2,%eax; int $0x80		fork
 *		test %eax,%eax; jz child	at base+9
 *	parent:	mov $1,%eax; mov $1,%ebx; int $0x80	exit(1)
 *	child:	mov $1,%eax; mov $2,%ebx; int $0x80	exit(2)
 */
static const unsigned char fork_code[] = {
	0xb8, 2, 0, 0, 0, 0xcd, 0x80, 0x85, 0xc0, 0x74, 0x0c,
	0xb8, 1, 0, 0, 0, 0xbb, 1, 0, 0, 0, 0xcd, 0x80,
	0xb8, 1, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0xcd, 0x80,
};

TEST("does raw code at 0x10000000 that forks by int $0x80 go on in the parent and in the child?")
{
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	for (int i = 0; i < 20; i++) {
		int seen = 0, status;
		pid_t pid;

		CHILD(pid) {
			void *code =
				mmap((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

			CHECK(code == (void *)0x10000000);
			memcpy(code, fork_code, sizeof fork_code);
			((void (*)(void))code)();
		}
		/* Both the process and the orphan it left are ours to wait for. */
		for (int j = 0; j < 2; j++) {
			CHECK(wait(&status) > 0);
			CHECK(WIFEXITED(status));
			seen |= 1 << WEXITSTATUS(status);
		}
		CHECK_EQ(seen, 6);
	}
}

TEST("does set_tid_address give the tid and take any pointer?")
{
	CHECK_EQ(syscall(SYS_set_tid_address, NULL), syscall(SYS_gettid));
	CHECK_EQ(syscall(SYS_set_tid_address, (void *)-4096L), syscall(SYS_gettid));
	CHECK_EQ(syscall(SYS_set_tid_address, NULL), syscall(SYS_gettid));
}

TEST("is a tid pointer nobody can write ignored at exit and EFAULT nowhere?")
{
	pid_t pid = raw_clone(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, (void *)8);

	if (pid == 0)
		_exit(3);
	CHECK_OK(pid);
	CHECK_EXIT(pid, 3);
}
