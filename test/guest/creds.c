/*
 * User and group ids, capabilities, limits, and prctl.
 */
#include "guest.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* The calls themselves throughout: a library's wrappers act on all threads. */
static int set_res_uid(int r, int e, int s)
{
	return syscall(SYS_setresuid, r, e, s);
}

static void check_uids(unsigned r, unsigned e, unsigned s)
{
	unsigned rr, ee, ss;

	CHECK_OK(syscall(SYS_getresuid, &rr, &ee, &ss));
	CHECK_EQ(rr, r);
	CHECK_EQ(ee, e);
	CHECK_EQ(ss, s);
}

TEST("does setuid by root set all three ids for good?")
{
	check_uids(0, 0, 0);
	CHECK_OK(syscall(SYS_setuid, 1000));
	check_uids(1000, 1000, 1000);
	CHECK_EQ(getuid(), 1000);
	CHECK_ERRNO(syscall(SYS_setuid, 0), EPERM);
	CHECK_ERRNO(set_res_uid(-1, 0, -1), EPERM);
	CHECK_OK(syscall(SYS_setuid, 1000));
}

TEST("may the effective id go down, and come back through the saved one?")
{
	CHECK_OK(set_res_uid(-1, 1000, -1));
	check_uids(0, 1000, 0);
	CHECK_EQ(geteuid(), 1000);
	CHECK_OK(set_res_uid(-1, 0, -1));
	check_uids(0, 0, 0);
	CHECK_OK(set_res_uid(1, 2, 3));
	check_uids(1, 2, 3);
	CHECK_OK(set_res_uid(3, 1, 2));
	check_uids(3, 1, 2);
	CHECK_ERRNO(set_res_uid(4, -1, -1), EPERM);
	CHECK_ERRNO(set_res_uid(-1, -1, 0), EPERM);
	check_uids(3, 1, 2);
}

TEST("does setreuid follow its rules for the saved id?")
{
	CHECK_OK(syscall(SYS_setreuid, 5, 6));
	check_uids(5, 6, 6);
	CHECK_OK(syscall(SYS_setreuid, 6, 5));
	check_uids(6, 5, 5);
	CHECK_ERRNO(syscall(SYS_setreuid, 7, -1), EPERM);
	CHECK_ERRNO(syscall(SYS_setreuid, -1, 7), EPERM);
}

TEST("do group ids behave alike, and need root to be others?")
{
	unsigned r, e, s;

	CHECK_OK(syscall(SYS_setresgid, 10, 20, 30));
	CHECK_OK(syscall(SYS_getresgid, &r, &e, &s));
	CHECK_EQ(r, 10);
	CHECK_EQ(e, 20);
	CHECK_EQ(s, 30);
	CHECK_EQ(getegid(), 20);
	CHECK_OK(syscall(SYS_setresuid, 1000, 1000, 1000));
	CHECK_ERRNO(syscall(SYS_setresgid, 0, -1, -1), EPERM);
	CHECK_OK(syscall(SYS_setresgid, 30, 10, -1));
	CHECK_OK(syscall(SYS_setgid, 30));
	CHECK_OK(syscall(SYS_getresgid, &r, &e, &s));
	CHECK_EQ(e, 30);
	CHECK_EQ(s, 30);
}

TEST("are supplementary groups set by root, read back, counted and refused to others?")
{
	gid_t groups[] = { 7, 3, 5 }, got[10];

	CHECK_OK(syscall(SYS_setgroups, 3, groups));
	CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
	CHECK_EQ(syscall(SYS_getgroups, 10, got), 3);
	CHECK_EQ(got[0] + got[1] + got[2], 15);
	CHECK_ERRNO(syscall(SYS_getgroups, 2, got), EINVAL);
	CHECK_ERRNO(syscall(SYS_getgroups, -1, got), EINVAL);
	CHECK_ERRNO(syscall(SYS_setgroups, 70000, groups), EINVAL);
	CHECK_ERRNO(syscall(SYS_setgroups, 1, 8), EFAULT);
	CHECK_OK(syscall(SYS_setuid, 1000));
	CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
	CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
}

TEST("do setfsuid and setfsgid return the old id and change it only where allowed?")
{
	CHECK_EQ(syscall(SYS_setfsuid, 1000), 0);
	CHECK_EQ(syscall(SYS_setfsuid, -1), 1000);
	CHECK_EQ(syscall(SYS_setfsuid, 0), 1000);
	CHECK_OK(syscall(SYS_setuid, 1000));
	CHECK_EQ(syscall(SYS_setfsuid, 5), 1000);
	CHECK_EQ(syscall(SYS_setfsuid, -1), 1000);
	CHECK_EQ(syscall(SYS_setfsgid, -1), 0);
}

static int get_capabilities(struct __user_cap_data_struct *data)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return syscall(SYS_capget, &header, data);
}

TEST("has root its capabilities, loses them all with its id, and keeps permitted ones with "
	"KEEPCAPS?")
{
	struct __user_cap_data_struct data[2];
	pid_t pid;

	CHECK_OK(get_capabilities(data));
	CHECK(data[0].effective & 1 << CAP_KILL);
	CHECK(data[0].permitted & 1 << CAP_SETUID);
	CHILD(pid) {
		CHECK_OK(set_res_uid(1000, 1000, 1000));
		CHECK_OK(get_capabilities(data));
		CHECK_EQ(data[0].effective | data[0].permitted | data[1].permitted, 0);
	}
	CHECK_EXIT(pid, 0);
	CHILD(pid) {
		CHECK_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
		CHECK_OK(set_res_uid(1000, 1000, 1000));
		CHECK_OK(get_capabilities(data));
		CHECK_EQ(data[0].effective, 0);
		CHECK(data[0].permitted & 1 << CAP_KILL);
	}
	CHECK_EXIT(pid, 0);
	CHILD(pid) {
		CHECK_OK(set_res_uid(-1, 1000, -1));
		CHECK_OK(get_capabilities(data));
		CHECK_EQ(data[0].effective, 0);
		CHECK(data[0].permitted & 1 << CAP_KILL);
		CHECK_OK(set_res_uid(-1, 0, -1));
		CHECK_OK(get_capabilities(data));
		CHECK(data[0].effective & 1 << CAP_KILL);
	}
	CHECK_EXIT(pid, 0);
}

TEST("can capabilities be dropped, not regained, and do they decide?")
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	CHECK_OK(get_capabilities(data));
	data[0].effective &= ~(1u << CAP_SETUID);
	CHECK_OK(syscall(SYS_capset, &header, data));
	CHECK_ERRNO(set_res_uid(1000, 1000, 1000), EPERM);
	data[0].effective |= 1u << CAP_SETUID;
	CHECK_OK(syscall(SYS_capset, &header, data));
	data[0].effective &= ~(1u << CAP_SETUID);
	data[0].permitted &= ~(1u << CAP_SETUID);
	CHECK_OK(syscall(SYS_capset, &header, data));
	data[0].permitted |= 1u << CAP_SETUID;
	CHECK_ERRNO(syscall(SYS_capset, &header, data), EPERM);
	header.version = 1;
	CHECK_ERRNO(syscall(SYS_capget, &header, data), EINVAL);
	CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
	CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0), 1);
	CHECK_ERRNO(prctl(PR_CAPBSET_READ, 99, 0, 0, 0), EINVAL);
}

static volatile uid_t uid_in_thread;
static volatile bool go;

static void *look(void *arg)
{
	while (!go)
		guest_sleep_ms(1);
	uid_in_thread = syscall(SYS_getuid);
	return arg;
}

TEST("are ids each thread's own at the system call?")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, look, NULL), 0);
	CHECK_OK(set_res_uid(1000, 1000, 1000));
	go = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(uid_in_thread, 0);
}

TEST("are limits set, kept to, raised only up to the hard one, and refused when wrong?")
{
	struct rlimit limit, old;
	pid_t pid;

	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	CHECK(limit.rlim_cur <= limit.rlim_max);
	CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_NOFILE, &(struct rlimit){ 20, 10 }), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrlimit, 99, &limit), EINVAL);
	CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_CPU, 8), EFAULT);
	CHILD(pid) {
		limit = (struct rlimit){ 50, 100 };
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		CHECK_OK(guest_become_user());
		limit.rlim_cur = 100;
		CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
		limit.rlim_max = 200;
		CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
		limit.rlim_max = limit.rlim_cur = 100;
		CHECK_OK(prlimit(getpid(), RLIMIT_NOFILE, &limit, &old));
		CHECK_EQ(old.rlim_cur, 100);
		CHECK_ERRNO(prlimit(getppid(), RLIMIT_NOFILE, NULL, &old), EPERM);
		CHECK_ERRNO(prlimit(9999999, RLIMIT_NOFILE, NULL, &old), ESRCH);
	}
	CHECK_EXIT(pid, 0);
	CHILD(pid) {
		CHECK_OK(prlimit(getppid(), RLIMIT_CORE, &(struct rlimit){ 0, 0 }, NULL));
		CHECK_OK(getrlimit(RLIMIT_CORE, &limit));
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(getrlimit(RLIMIT_CORE, &limit));
	CHECK_EQ(limit.rlim_max, 0);
}

TEST("is RLIMIT_CPU enforced: SIGXCPU at the soft limit, SIGKILL at the hard one?")
{
	pid_t pid;

	CHILD(pid) {
		CHECK_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 5 }));
		for (;;)
			;
	}
	CHECK_SIGNALED(pid, SIGXCPU);
	CHILD(pid) {
		guest_catch(SIGXCPU, SIG_IGN, 0);
		CHECK_OK(setrlimit(RLIMIT_CPU, &(struct rlimit){ 1, 2 }));
		for (;;)
			;
	}
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("do the small prctl calls set, get and refuse?")
{
	char name[17] = "";
	int value = 0;

	CHECK_OK(prctl(PR_SET_NAME, "0123456789abcdefghij", 0, 0, 0));
	CHECK_OK(prctl(PR_GET_NAME, name, 0, 0, 0));
	CHECK_STR(name, "0123456789abcde");
	CHECK_ERRNO(prctl(PR_SET_NAME, 8, 0, 0, 0), EFAULT);
	CHECK_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 7, 0, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0));
	CHECK_OK(prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0));
	CHECK_EQ(value, SIGTERM);
	CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 99, 0, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0));
	CHECK_EQ(value, 1);
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_EQ(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0), 0);
	CHECK_OK(prctl(PR_SET_TIMERSLACK, 1234, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1234);
	CHECK_ERRNO(prctl(99999, 0, 0, 0, 0), EINVAL);
}

TEST("is the machine-check policy kept, inherited, and refused when unknown?")
{
	pid_t pid;

	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	CHILD(pid)
		CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_MCE_KILL, 2, 0, 0, 0), EINVAL);
	CHECK_OK(prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
	CHECK_EQ(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
}
