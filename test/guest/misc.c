/*
 * The rest that programs rely on: uname, sysinfo, random bytes, personality, arch_prctl, rseq,
 * membarrier, host names, unknown system calls, and the state of a new thread's registers.
 */
#include "guest.h"

#include <linux/membarrier.h>
#include <linux/rseq.h>
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST("does uname say Linux on x86_64 with a release that begins with a number?")
{
	struct utsname name;

	CHECK_OK(uname(&name));
	CHECK_STR(name.sysname, "Linux");
	CHECK_STR(name.machine, "x86_64");
	CHECK(atoi(name.release) >= 4);
	CHECK_ERRNO(syscall(SYS_uname, 8), EFAULT);
}

TEST("do sethostname and setdomainname show in uname, and refuse long names and users?")
{
	struct utsname name;
	char longer[100];
	pid_t pid;

	/* In a namespace of its own where there is one, so that the host keeps its name. */
	if (unshare(CLONE_NEWUTS) < 0)
		CHECK_EQ(errno, EINVAL);
	CHECK_OK(sethostname("guest-test", 10));
	CHECK_OK(setdomainname("example", 7));
	CHECK_OK(uname(&name));
	CHECK_STR(name.nodename, "guest-test");
	CHECK_STR(name.domainname, "example");
	memset(longer, 'x', sizeof longer);
	CHECK_ERRNO(sethostname(longer, 65), EINVAL);
	CHECK_ERRNO(sethostname((char *)8, 5), EFAULT);
	CHILD(pid) {
		CHECK_OK(guest_become_user());
		CHECK_ERRNO(sethostname("x", 1), EPERM);
	}
	CHECK_EXIT(pid, 0);
}

TEST("does getrandom fill with bytes that differ, and refuse unknown flags?")
{
	unsigned char a[256], b[256];
	int seen[256] = { 0 }, distinct = 0;

	CHECK_EQ(syscall(SYS_getrandom, a, sizeof a, 0), sizeof a);
	CHECK_EQ(syscall(SYS_getrandom, b, sizeof b, GRND_NONBLOCK), sizeof b);
	CHECK(memcmp(a, b, sizeof a) != 0);
	for (int i = 0; i < 256; i++)
		distinct += seen[a[i]]++ == 0;
	CHECK_RANGE(distinct, 120, 210);
	CHECK_EQ(syscall(SYS_getrandom, a, 0, 0), 0);
	CHECK_ERRNO(syscall(SYS_getrandom, a, 1, 64), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrandom, 8, 16, 0), EFAULT);
}

TEST("does personality read with 0xffffffff, set, and keep over fork?")
{
	pid_t pid;

	CHECK_EQ(personality(0xffffffff), 0);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), 0);
	CHILD(pid)
		CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(personality(0), ADDR_NO_RANDOMIZE);
}

static long arch_prctl(int code, void *address)
{
	return syscall(SYS_arch_prctl, code, address);
}

TEST("does arch_prctl set and get FS and GS, and refuse kernel addresses?")
{
	static long words[2] = { 0x1234, 0x5678 };
	unsigned long fs, gs, got;

	CHECK_OK(arch_prctl(0x1003, &fs));
	CHECK(fs != 0);
	CHECK_OK(arch_prctl(0x1001, words));
	CHECK_OK(arch_prctl(0x1004, &gs));
	CHECK_EQ(gs, (uintptr_t)words);
	asm volatile("mov %%gs:8, %0" : "=r"(got));
	CHECK_EQ(got, 0x5678);
	sched_yield();
	asm volatile("mov %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, 0x1234);
	CHECK_ERRNO(arch_prctl(0x1001, (void *)0xffff888000000000), EPERM);
	CHECK_ERRNO(arch_prctl(0x1002, (void *)0x1234567800000000), EPERM);
	CHECK_ERRNO(arch_prctl(0x1003, (void *)8), EFAULT);
	CHECK_ERRNO(arch_prctl(0x9999, words), EINVAL);
}

TEST("is GS inherited by fork's child and apart afterwards?")
{
	static long words[2] = { 1, 2 };
	unsigned long gs;
	pid_t pid;

	CHECK_OK(arch_prctl(0x1001, &words[0]));
	CHILD(pid) {
		CHECK_OK(arch_prctl(0x1004, &gs));
		CHECK_EQ(gs, (uintptr_t)&words[0]);
		CHECK_OK(arch_prctl(0x1001, &words[1]));
		sched_yield();
		CHECK_OK(arch_prctl(0x1004, &gs));
		CHECK_EQ(gs, (uintptr_t)&words[1]);
	}
	sched_yield();
	CHECK_EXIT(pid, 0);
	CHECK_OK(arch_prctl(0x1004, &gs));
	CHECK_EQ(gs, (uintptr_t)&words[0]);
}

static void *with_rseq(void *arg)
{
	static __thread struct rseq area __attribute__((aligned(32)));
	unsigned here;

	/* The library's own registration, when it made one, makes this EBUSY or EINVAL: then there
	 * is nothing to see. */
	if (syscall(SYS_rseq, &area, 32, 0, 0x53053053) < 0)
		return (void *)(long)errno;
	for (int i = 0; i < 100; i++) {
		sched_yield();
		if (syscall(SYS_getcpu, &here, NULL, NULL) < 0 || area.cpu_id >= 4096)
			return (void *)1000;
	}
	if (syscall(SYS_rseq, &area, 32, 0, 0x53053053) != -1 || errno != EBUSY)
		return (void *)1001;
	if (syscall(SYS_rseq, &area, 32, 1, 0x12345678) != -1 || errno != EPERM)
		return (void *)1002;
	if (syscall(SYS_rseq, &area, 32, 1, 0x53053053) != 0)
		return (void *)1003;
	return arg;
}

TEST("does rseq register, keep the processor's number, refuse a second time, and unregister?")
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, with_rseq, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	if ((long)result == ENOSYS)
		SKIP("the kernel has no rseq");
	CHECK((long)result == 0 || (long)result == EBUSY || (long)result == EINVAL);
	CHECK_ERRNO(syscall(SYS_rseq, NULL, 7, 0, 0), EINVAL);
}

/* A critical section that sleeps in the kernel on its way: true when it was aborted. */
static bool sleep_in_section(struct rseq *area)
{
	static struct { uint32_t version, flags; uint64_t start, length, abort; }
		section __attribute__((aligned(32)));
	struct timespec time = { 0, 1000000 };
	long aborted, call = SYS_nanosleep;

	asm volatile("lea 1f(%%rip), %%rax\n\t"
		     "mov %%rax, 8(%[section])\n\t"
		     "lea 2f(%%rip), %%rcx\n\t"
		     "sub %%rax, %%rcx\n\t"
		     "mov %%rcx, 16(%[section])\n\t"
		     "lea 3f(%%rip), %%rax\n\t"
		     "mov %%rax, 24(%[section])\n\t"
		     "xor %%esi, %%esi\n\t"
		     "mov %[section], 8(%[area])\n"
		     "1:\tmov %[call], %%rax\n\t"
		     "syscall\n\t"
		     "nop\n"
		     "2:\txor %%eax, %%eax\n\t"
		     "jmp 4f\n\t"
		     ".long 0x53053053\n"
		     "3:\tmov $1, %%eax\n"
		     "4:"
		     : "=&a"(aborted)
		     : [section] "r"(&section), [area] "r"(area), [call] "r"(call), "D"(&time)
		     : "rcx", "rsi", "r11", "memory");
	return aborted == 1 && area->rseq_cs == 0;
}

static void *abort_by_sleep(void *arg __attribute__((unused)))
{
	static __thread struct rseq area __attribute__((aligned(32)));
	unsigned long aborted = 0;

	if (syscall(SYS_rseq, &area, 32, 0, 0x53053053) < 0)
		return (void *)(long)errno;
	for (int i = 0; i < 20; i++)
		aborted += sleep_in_section(&area);
	if (syscall(SYS_rseq, &area, 32, 1, 0x53053053) != 0)
		return (void *)1003;
	return (void *)(2000 + aborted);
}

TEST("is a restartable sequence aborted when the thread was switched out inside the kernel?")
{
	pthread_t thread;
	void *result;

	CHECK_EQ(pthread_create(&thread, NULL, abort_by_sleep, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	if ((long)result == ENOSYS || (long)result == EBUSY || (long)result == EINVAL)
		SKIP("the kernel has no rseq, or the library uses it");
	CHECK_EQ((long)result, 2020);
}

TEST("does membarrier answer its query and run the commands it names?")
{
	int commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0 && errno == ENOSYS)
		SKIP("the kernel has no membarrier");
	CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	CHECK_ERRNO(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
}

TEST("does sysinfo give uptime and memory, and getcpu a processor that exists?")
{
	struct sysinfo info;
	unsigned cpu = -1;

	CHECK_OK(sysinfo(&info));
	CHECK(info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit > 0);
	CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
	CHECK(cpu < 4096);
	CHECK_ERRNO(syscall(SYS_sysinfo, 8), EFAULT);
}

TEST("are unknown system calls ENOSYS, and the upper half of the number ignored?")
{
	static const long numbers[] = { 400, 1000, 4096, 0x7fffffff, -1, -2 };

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		CHECK_ERRNO(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
	CHECK_EQ(syscall(1L << 32 | SYS_getpid), getpid());
}

TEST("do system calls keep all registers but rax, rcx and r11?")
{
	unsigned long out[14];

	asm volatile("mov $1, %%rbx; mov $2, %%rdx; mov $3, %%rsi; mov $4, %%rdi; mov $5, %%r8\n"
		     "mov $6, %%r9; mov $7, %%r10; mov $8, %%r12; mov $9, %%r13; mov $10, %%r14; "
		     "mov $11, %%r15\n"
		     "push %%rax; mov $39, %%eax; syscall; pop %%rcx\n"
		     "mov %%rbx, (%%rcx); mov %%rdx, 8(%%rcx); mov %%rsi, 16(%%rcx); mov %%rdi, "
		     "24(%%rcx)\n"
		     "mov %%r8, 32(%%rcx); mov %%r9, 40(%%rcx); mov %%r10, 48(%%rcx); mov %%r12, "
		     "56(%%rcx)\n"
		     "mov %%r13, 64(%%rcx); mov %%r14, 72(%%rcx); mov %%r15, 80(%%rcx); mov %%rax, "
		     "88(%%rcx)"
		     :
		     : "a"(out)
		     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
		       "r14", "r15", "memory", "cc");
	for (int i = 0; i < 11; i++)
		CHECK_EQ(out[i], i + 1);
	CHECK_EQ(out[11], getpid());
}

TEST("does a system call with the direction, alignment and nested flags set work?")
{
	long pid;

	asm volatile("pushfq; orl $0x44400, (%%rsp); popfq; syscall; pushfq; andl $~0x44400, "
		     "(%%rsp); popfq"
		     : "=a"(pid)
		     : "a"(SYS_getpid)
		     : "rcx", "r11", "memory", "cc");
	CHECK_EQ(pid, getpid());
}

TEST("do statfs and fstatfs tell the file system, and refuse what is not there?")
{
	struct statfs fs;

	CHECK_OK(statfs("/proc", &fs));
	CHECK_EQ(fs.f_type, 0x9fa0);
	CHECK_OK(statfs("/", &fs));
	CHECK(fs.f_bsize > 0 && fs.f_namelen >= 255);
	CHECK_ERRNO(statfs("/missing", &fs), ENOENT);
	CHECK_ERRNO(syscall(SYS_fstatfs, 999, &fs), EBADF);
	CHECK_ERRNO(syscall(SYS_statfs, "/", 8), EFAULT);
}

TEST("does pidfd_send_signal signal and pidfd_getfd fetch, where there are pidfds?")
{
	struct guest_gate gate = guest_gate();
	int fd;
	pid_t pid;

	CHILD(pid) {
		guest_gate_open(&gate);
		pause();
	}
	guest_gate_pass(&gate);
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == ENOSYS)
		SKIP("the kernel has no pidfd");
	CHECK_OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	CHECK_SIGNALED(pid, SIGTERM);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0), EBADF);
}
