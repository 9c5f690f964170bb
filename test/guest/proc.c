/*
 * What /proc tells: a process about itself and others, and the machine; in the formats that
 * programs parse.
 */
#include "guest.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static char text[1 << 20];

static const char *read_text(const char *path)
{
	if (guest_read_file(path, text, sizeof text) < 0)
		FAIL("%s: %s", path, strerror(errno));
	return text;
}

/* The value after "KEY:" in a file of such lines, blanks skipped; fails when there is none. */
static const char *field(const char *path, const char *key)
{
	static char line[1000];
	char *at = (char *)read_text(path);
	size_t length = strlen(key);

	for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (strncmp(at, key, length) != 0 || (at[length] != ':' && at[length] != '\t'))
			continue;
		at += length + 1;
		at += strspn(at, " \t:");
		snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
		return line;
	}
	FAIL("%s has no line %s", path, key);
}

TEST("does /proc/self lead to the caller, and /proc/thread-self to its thread?")
{
	char link[64] = "", want[64];

	CHECK_OK(readlink("/proc/self", link, sizeof link - 1));
	CHECK_EQ(atoi(link), getpid());
	memset(link, 0, sizeof link);
	CHECK_OK(readlink("/proc/thread-self", link, sizeof link - 1));
	snprintf(want, sizeof want, "%d/task/%d", getpid(), getpid());
	CHECK_STR(link, want);
}

TEST("does /proc/self/stat have its 52 fields: pid, name, state, parent, group, session, start?")
{
	char *at, state;
	int pid, parent, group, session, fields = 0;
	unsigned long long start;

	CHECK_OK(prctl(PR_SET_NAME, "a )b( c", 0, 0, 0));
	read_text("/proc/self/stat");
	at = strrchr(text, ')');
	CHECK(at != NULL);
	CHECK_EQ(sscanf(at + 2, "%c %d %d %d", &state, &parent, &group, &session), 4);
	CHECK_EQ(sscanf(text, "%d (a )b( c)", &pid), 1);
	CHECK_EQ(pid, getpid());
	CHECK_EQ(state, 'R');
	CHECK_EQ(parent, getppid());
	CHECK_EQ(group, getpgrp());
	CHECK_EQ(session, getsid(0));
	CHECK_EQ(sscanf(at + 2,
			"%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			"%*d %llu",
			&start),
		 1);
	CHECK(start / sysconf(_SC_CLK_TCK) <= (unsigned long long)guest_now_ns() / 1000000000 + 1);
	for (char *word = strtok(at + 2, " \n"); word; word = strtok(NULL, " \n"))
		fields++;
	CHECK_EQ(fields, 50);
}

TEST("does /proc/self/status give name, ids, groups, threads, signals, memory and capabilities?")
{
	CHECK_OK(prctl(PR_SET_NAME, "status-name", 0, 0, 0));
	CHECK_STR(field("/proc/self/status", "Name"), "status-name");
	CHECK_EQ(atoi(field("/proc/self/status", "Tgid")), getpid());
	CHECK_EQ(atoi(field("/proc/self/status", "Pid")), getpid());
	CHECK_EQ(atoi(field("/proc/self/status", "PPid")), getppid());
	CHECK_EQ(field("/proc/self/status", "State")[0], 'R');
	CHECK_STR(field("/proc/self/status", "Uid"), "0\t0\t0\t0");
	CHECK_STR(field("/proc/self/status", "Gid"), "0\t0\t0\t0");
	CHECK_EQ(atoi(field("/proc/self/status", "Threads")), 1);
	CHECK(atoi(field("/proc/self/status", "VmSize")) > 0);
	CHECK(atoi(field("/proc/self/status", "VmRSS")) >= 0);
	CHECK_EQ(strlen(field("/proc/self/status", "SigBlk")), 16);
	CHECK_EQ(strlen(field("/proc/self/status", "CapEff")), 16);
	CHECK(field("/proc/self/status", "Cpus_allowed")[0] != 0);
	guest_catch(SIGUSR1, SIG_IGN, 0);
	CHECK_EQ(strtoul(field("/proc/self/status", "SigIgn"), NULL, 16) >> (SIGUSR1 - 1) & 1, 1);
}

/* The permissions in the line of /proc/self/maps that covers the address, or "" when none does. */
static const char *permissions_at(const void *where, char *name)
{
	static char permissions[8];
	char *rest = (char *)read_text("/proc/self/maps"), *line;
	unsigned long start, end, previous = 0;

	permissions[0] = 0;
	while ((line = strsep(&rest, "\n")) && *line) {
		char path[PATH_MAX] = "", found[8];

		CHECK(sscanf(line, "%lx-%lx %4s %*x %*x:%*x %*u %4000[^\n]", &start, &end, found,
			     path) >= 3);
		CHECK(start >= previous && end > start && start % PAGE == 0 && end % PAGE == 0);
		previous = end;
		if ((unsigned long)where >= start && (unsigned long)where < end) {
			strcpy(permissions, found);
			if (name)
				strcpy(name, path);
		}
	}
	return permissions;
}

TEST("does /proc/self/maps list every area in order, with rights and names?")
{
	char name[PATH_MAX], *memory = guest_private(4 * PAGE);
	int on_stack;

	CHECK_STR(permissions_at(memory, NULL), "rw-p");
	CHECK_OK(mprotect(memory + PAGE, PAGE, PROT_READ | PROT_EXEC));
	CHECK_STR(permissions_at(memory + PAGE, NULL), "r-xp");
	CHECK_STR(permissions_at(memory + 2 * PAGE, NULL), "rw-p");
	CHECK_OK(munmap(memory, 4 * PAGE));
	CHECK_STR(permissions_at(memory, NULL), "");
	CHECK_STR(permissions_at(&on_stack, name), "rw-p");
	CHECK_STR(name, "[stack]");
	CHECK_STR(permissions_at(read_text, name), "r-xp");
	CHECK_STR(name, guest_self());
	CHECK_STR(permissions_at(guest_shared(PAGE), NULL), "rw-s");
}

HELPER(describe)
{
	static char expected[100];
	ssize_t got = guest_read_file("/proc/self/cmdline", text, sizeof text);
	size_t length = snprintf(expected, sizeof expected, "%s", guest_self()) + 1;

	if (got < (ssize_t)length || strcmp(text, guest_self()) != 0)
		return 1;
	if (memcmp(text + length, "--helper\0describe\0two words\0", 28) != 0 ||
	    got != (ssize_t)length + 28)
		return 2;
	got = guest_read_file("/proc/self/environ", text, sizeof text);
	if (got != 8 || memcmp(text, "A=1\0BC=\0", 8) != 0)
		return 3;
	return guest_read_file("/proc/self/comm", text, sizeof text) > 0 ? 0 : 4;
}

TEST("are cmdline and environ as given to execve, ended by zeros?")
{
	char **args = guest_exec_args("describe", "two words", NULL),
	     *env[] = { "A=1", "BC=", NULL };
	pid_t pid;

	CHILD(pid)
		execve(args[0], args, env);
	CHECK_EXIT(pid, 0);
}

TEST("do exe, cwd, root and fd lead to the files, and read as their names?")
{
	char link[PATH_MAX] = "", path[64];
	struct stat a, b;
	int fd, ends[2];

	guest_scratch();
	CHECK_OK(guest_file("f", "inside", 0600));
	CHECK_OK(readlink("/proc/self/exe", link, sizeof link - 1));
	CHECK_STR(link, guest_self());
	CHECK_OK(stat("/proc/self/cwd/f", &a));
	fd = CHECK_OK(open("f", O_RDONLY));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_OK(stat(path, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(unlink("f"));
	CHECK_EQ(guest_read_file(path, text, sizeof text), 6);
	memset(link, 0, sizeof link);
	CHECK_OK(readlink(path, link, sizeof link - 1));
	CHECK(strstr(link, "/f (deleted)") != NULL);
	CHECK_OK(pipe(ends));
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
	memset(link, 0, sizeof link);
	CHECK_OK(readlink(path, link, sizeof link - 1));
	CHECK(strncmp(link, "pipe:[", 6) == 0);
	memset(link, 0, sizeof link);
	CHECK_OK(readlink("/proc/self/root", link, sizeof link - 1));
	CHECK_STR(link, "/");
	CHECK_ERRNO(readlink("/proc/self/fd/999", link, sizeof link), ENOENT);
}

TEST("does /proc/self/fd list the open descriptors, and fdinfo their offset and flags?")
{
	int fd, count = 0;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	guest_scratch();
	CHECK_OK(guest_file("f", "0123456789", 0600));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(lseek(fd, 7, SEEK_SET), 7);
	dir = opendir("/proc/self/fd");
	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		count += atoi(entry->d_name) == fd && entry->d_name[0] != '.';
	closedir(dir);
	CHECK_EQ(count, 1);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	CHECK_EQ(atoi(field(path, "pos")), 7);
	CHECK_EQ(strtol(field(path, "flags"), NULL, 8) & O_ACCMODE, O_RDONLY);
}

static void *rest(void *arg)
{
	prctl(PR_SET_NAME, "resting", 0, 0, 0);
	*(volatile pid_t *)arg = syscall(SYS_gettid);
	guest_sleep_ms(10000);
	return arg;
}

TEST("does /proc/self/task list the threads, each with its own name and state?")
{
	volatile pid_t tid = 0;
	pthread_t thread;
	char path[64];
	int count = 0;
	struct dirent *entry;
	DIR *dir;

	CHECK_EQ(pthread_create(&thread, NULL, rest, (void *)&tid), 0);
	CHECK_SOON(tid != 0);
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
	CHECK_STR(read_text(path), "resting\n");
	CHECK_EQ(write(CHECK_OK(open(path, O_WRONLY)), "renamed", 7), 7);
	CHECK_STR(read_text(path), "renamed\n");
	dir = opendir("/proc/self/task");
	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	CHECK_EQ(count, 2);
	CHECK_EQ(atoi(field("/proc/self/status", "Threads")), 2);
	snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
	CHECK_EQ(atoi(field(path, "Pid")), tid);
	CHECK_EQ(atoi(field(path, "Tgid")), getpid());
}

TEST("does a child's folder come and go with it, listed in /proc, and show a zombie?")
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	pid_t pid;
	DIR *dir;

	CHILD(pid)
		guest_sleep_ms(100);
	dir = opendir("/proc");
	while ((entry = readdir(dir)))
		found |= atoi(entry->d_name) == pid;
	closedir(dir);
	CHECK(found);
	CHECK_SOON(guest_state(pid) == 'Z');
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	CHECK_EQ(field(path, "State")[0], 'Z');
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	CHECK_EQ(guest_read_file(path, text, sizeof text), 0);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(access(path, F_OK), ENOENT);
}

TEST("are others' secrets (environ, maps, fd, exe) closed to an ordinary user?")
{
	pid_t target = getpid(), pid;

	CHILD(pid) {
		char path[64], link[64];

		CHECK_OK(guest_become_user());
		snprintf(path, sizeof path, "/proc/%d/environ", (int)target);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/exe", (int)target);
		CHECK_ERRNO(readlink(path, link, sizeof link), EACCES);
		snprintf(path, sizeof path, "/proc/%d/fd", (int)target);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
		snprintf(path, sizeof path, "/proc/%d/stat", (int)target);
		CHECK_OK(open(path, O_RDONLY));
		CHECK_ERRNO(kill(target, 0), EPERM);
	}
	CHECK_EXIT(pid, 0);
}

static void check_owner(const char *path, unsigned uid)
{
	struct stat st;

	CHECK_OK(lstat(path, &st));
	CHECK_EQ(st.st_uid, uid);
}

TEST("do the files below /proc/self belong to root after setuid, but for the open folders?")
{
	static const char *const secret[] = { "mem", "environ", "auxv", "personality" };
	char path[64];

	CHECK_OK(guest_become_user());
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
		snprintf(path, sizeof path, "/proc/self/%s", secret[i]);
		check_owner(path, 0);
		CHECK_ERRNO(open(path, O_RDONLY), EACCES);
	}
	check_owner("/proc/self/fd", 0);
	check_owner("/proc/self/status", 0);
	check_owner("/proc/self/.", geteuid());
	check_owner("/proc/self/task", geteuid());
	check_owner("/proc/self/fdinfo", geteuid());
	/* Its own descriptors and maps stay open to it. */
	CHECK_OK(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof path, "/proc/self/fd/%d", CHECK_OK(open("/dev/null", O_RDONLY)));
	CHECK_OK(open(path, O_RDONLY));
	CHECK_OK(open("/proc/self/fdinfo/0", O_RDONLY));
	CHECK_OK(open("/proc/self/maps", O_RDONLY));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	check_owner("/proc/self/mem", geteuid());
	CHECK_OK(open("/proc/self/mem", O_RDWR));
}

TEST("does /proc/self/limits show what setrlimit set?")
{
	struct rlimit limit = { 123, 456 };
	int soft, hard;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	read_text("/proc/self/limits");
	CHECK(strstr(text, "Max open files") != NULL);
	CHECK_EQ(sscanf(strstr(text, "Max open files"), "Max open files %d %d files", &soft, &hard),
		 2);
	CHECK_EQ(soft, 123);
	CHECK_EQ(hard, 456);
}

TEST("does statm count pages, of size and resident, as memory is touched?")
{
	unsigned long size, resident;
	char *memory;

	CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%lu %lu", &size, &resident), 2);
	memory = guest_private(1000 * PAGE);
	memset(memory, 1, 1000 * PAGE);
	{
		unsigned long size2, resident2;

		CHECK_EQ(sscanf(read_text("/proc/self/statm"), "%lu %lu", &size2, &resident2), 2);
		CHECK_RANGE(size2 - size, 1000, 1100);
		CHECK_RANGE(resident2 - resident, 800, 1300);
	}
}

TEST("does meminfo give total, free and available memory that fit together, and sysinfo agree?")
{
	long total = atol(field("/proc/meminfo", "MemTotal")),
	     free = atol(field("/proc/meminfo", "MemFree"));
	long available = atol(field("/proc/meminfo", "MemAvailable"));
	struct sysinfo info;

	CHECK(total > 8192);
	CHECK(free > 0 && free < total);
	CHECK(available > 0 && available <= total);
	field("/proc/meminfo", "Cached");
	field("/proc/meminfo", "SwapTotal");
	CHECK_OK(sysinfo(&info));
	CHECK_EQ(info.totalram * info.mem_unit / 1024, total);
	CHECK(info.procs > 0);
}

TEST("does cpuinfo have one entry a processor, with flags, and stat a line for each?")
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN), entries = 0, lines = 0;

	read_text("/proc/cpuinfo");
	for (char *at = text; (at = strstr(at, "processor\t:")); at++)
		entries++;
	CHECK_EQ(entries, processors);
	CHECK(strstr(field("/proc/cpuinfo", "flags"), "sse2") != NULL);
	read_text("/proc/stat");
	CHECK(strncmp(text, "cpu  ", 5) == 0);
	for (char *at = text; (at = strstr(at, "\ncpu")); at++)
		lines++;
	CHECK_EQ(lines, processors);
	CHECK(atol(strstr(text, "btime ") + 6) > 1600000000);
	CHECK(strstr(text, "ctxt ") != NULL);
}

TEST("do uptime, loadavg, version, filesystems and mounts have their formats?")
{
	double up, idle, load;
	struct utsname name;

	CHECK_EQ(sscanf(read_text("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK(up > 0);
	CHECK_RANGE(up - guest_now_ns() / 1e9, -5, 5);
	CHECK_EQ(sscanf(read_text("/proc/loadavg"), "%lf %lf %lf %*d/%*d %*d", &load, &load, &load),
		 3);
	CHECK_OK(uname(&name));
	read_text("/proc/version");
	CHECK(strstr(text, name.release) != NULL);
	read_text("/proc/filesystems");
	CHECK(strstr(text, "nodev\ttmpfs\n") != NULL);
	CHECK(strstr(text, "nodev\tproc\n") != NULL);
	read_text("/proc/mounts");
	CHECK(strstr(text, " / ") != NULL);
	CHECK(strstr(text, " /proc proc ") != NULL);
	read_text("/proc/self/mountinfo");
	CHECK(strstr(text, " - proc ") != NULL);
}

TEST("do the /proc/sys/kernel files agree with uname, and have the usual knobs?")
{
	struct utsname name;
	char line[300];

	CHECK_OK(uname(&name));
	snprintf(line, sizeof line, "%s\n", name.release);
	CHECK_STR(read_text("/proc/sys/kernel/osrelease"), line);
	snprintf(line, sizeof line, "%s\n", name.nodename);
	CHECK_STR(read_text("/proc/sys/kernel/hostname"), line);
	CHECK_STR(read_text("/proc/sys/kernel/ostype"), "Linux\n");
	CHECK(atol(read_text("/proc/sys/kernel/pid_max")) >= 300);
	CHECK_EQ(strlen(read_text("/proc/sys/kernel/random/boot_id")), 37);
	CHECK_EQ(strlen(read_text("/proc/sys/kernel/random/uuid")), 37);
	CHECK(atol(read_text("/proc/sys/fs/pipe-max-size")) >= 65536);
	CHECK(atol(read_text("/proc/sys/fs/nr_open")) >= 1024);
	CHECK(atoi(read_text("/proc/sys/vm/overcommit_memory")) >= 0);
}

TEST("do reads in small pieces give the same text, and is writing to what is read-only refused?")
{
	char whole[4096], pieces[4096];
	ssize_t have = 0, got, length = guest_read_file("/proc/self/limits", whole, sizeof whole);
	int fd = CHECK_OK(open("/proc/self/limits", O_RDONLY));

	while ((got = read(fd, pieces + have, 7)) > 0)
		have += got;
	CHECK_EQ(have, length);
	CHECK_EQ(memcmp(whole, pieces, length), 0);
	CHECK_EQ(lseek(fd, 10, SEEK_SET), 10);
	CHECK_EQ(read(fd, pieces, 10), 10);
	CHECK_EQ(memcmp(whole + 10, pieces, 10), 0);
	CHECK_ERRNO(open("/proc/new", O_WRONLY | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(unlink("/proc/self/stat"), EPERM);
	CHECK_ERRNO(mkdir("/proc/new", 0700), ENOENT);
	CHECK_ERRNO(access("/proc/nothing", F_OK), ENOENT);
	CHECK_ERRNO(access("/proc/9999999", F_OK), ENOENT);
}

TEST("can a process read another's memory by /proc/PID/mem when it may?")
{
	char *memory = guest_private(PAGE), got[8] = "";
	struct guest_gate gate = guest_gate();
	char path[64];
	pid_t pid;
	int fd;

	strcpy(memory, "parent");
	CHILD(pid) {
		strcpy(memory, "child!");
		guest_gate_open(&gate);
		pause();
	}
	guest_gate_pass(&gate);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(pread(fd, got, 6, (off_t)memory), 6);
	CHECK_STR(got, "child!");
	CHECK_ERRNO(pread(fd, got, 6, 16), EIO);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_SIGNALED(pid, SIGKILL);
}

TEST("does a write by /proc/self/mem fail, and not end with 0, where nothing can be written?")
{
	char *memory = guest_private(2 * PAGE), *gone = guest_private(PAGE);
	int fd = CHECK_OK(open("/proc/self/mem", O_RDWR)), file;
	char *fixed;

	CHECK_OK(guest_file("mem", "o", 0600));
	file = CHECK_OK(open("mem", O_RDONLY));
	fixed = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
	CHECK(fixed != MAP_FAILED);
	CHECK_OK(munmap(gone, PAGE));
	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_ERRNO(pwrite(fd, "x", 1, (off_t)fixed), EIO);
	CHECK_ERRNO(pwrite(fd, "x", 1, (off_t)gone), EIO);
	CHECK_EQ(pwrite(fd, "abcd", 4, (off_t)(memory + PAGE - 2)), 2);
	CHECK_ERRNO(pwrite(fd, gone, 1, (off_t)memory), EFAULT);
	CHECK_ERRNO(pread(fd, gone, 1, (off_t)memory), EFAULT);
	CHECK_EQ(pwrite(fd, "", 0, (off_t)fixed), 0);
	CHECK_EQ(*fixed, 'o');
}

TEST("does an open /proc/PID/mem keep its right, but not the next program's memory?")
{
	struct guest_gate ready = guest_gate(), go = guest_gate();
	char *memory = guest_private(PAGE), got[8] = "";
	int executed[2], fd;
	char path[64];
	pid_t pid;

	CHECK_OK(pipe2(executed, O_CLOEXEC));
	strcpy(memory, "shared");
	CHILD(pid) {
		guest_gate_open(&ready);
		guest_gate_pass(&go);
		execve("/proc/self/exe", guest_exec_args("pauses", NULL), environ);
	}
	close(executed[1]);
	guest_gate_pass(&ready);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = CHECK_OK(open(path, O_RDWR));
	CHECK_OK(guest_become_user());
	CHECK_EQ(pread(fd, got, 6, (off_t)memory), 6);
	CHECK_STR(got, "shared");
	CHECK_ERRNO(open(path, O_RDWR), EACCES);
	guest_gate_open(&go);
	CHECK_EQ(read(executed[0], got, 1), 0);
	CHECK_EQ(pread(fd, got, 6, (off_t)memory), 0);
	CHECK_EQ(pwrite(fd, got, 6, (off_t)memory), 0);
}

HELPER(pauses)
{
	return pause();
}

TEST("do /dev and /sys have what programs look for?")
{
	static const char *const names[] = {
		"/dev/null",
		"/dev/zero",
		"/dev/full",
		"/dev/random",
		"/dev/urandom",
		"/dev/tty",
		"/dev/ptmx",
		"/dev/pts",
		"/dev/console",
		"/sys/devices/system/cpu/online",
		"/sys/devices/system/cpu",
	};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (access(names[i], F_OK) < 0)
			FAIL("%s: %s", names[i], strerror(errno));
	}
	CHECK(read_text("/sys/devices/system/cpu/online")[0] == '0');
}
