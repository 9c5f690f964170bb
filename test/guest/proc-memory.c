/*
 * Do /proc/PID/status and statm say what a process's memory is, how many page tables it has, and
 * which processors it may use?
 */
#include "guest.h"

#include <sched.h>

static const char *text_of(const char *path)
{
	static char text[1 << 14];

	if (guest_read_file(path, text, sizeof text) < 0)
		FAIL("%s: %s", path, strerror(errno));
	return text;
}

/* What /proc/self/status has behind "KEY:", without the line's end. */
static const char *value(const char *key)
{
	static char line[1000];
	size_t length = strlen(key);

	for (const char *at = text_of("/proc/self/status"); at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, key, length) != 0 || at[length] != ':')
			continue;
		at += length + 1;
		at += strspn(at, " \t");
		snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
		return line;
	}
	FAIL("no line %s", key);
}

static long kib(const char *key) { return atol(value(key)); }

TEST("is resident memory anonymous, of files or shared, and statm's third column the latter two?")
{
	const long pages = 1024, more = 4 * pages;
	long anon = kib("RssAnon"), shmem = kib("RssShmem"), file = kib("RssFile");
	unsigned long resident, shared;
	char *private, *common, *mapped;
	int fd;

	private = guest_private(pages * PAGE);
	CHECK_OK(madvise(private, pages * PAGE, MADV_NOHUGEPAGE));
	memset(private, 1, pages * PAGE);
	CHECK_RANGE(kib("RssAnon") - anon, more * 3 / 4, more * 5 / 4);
	common = guest_shared(pages * PAGE);
	memset(common, 1, pages * PAGE);
	CHECK_RANGE(kib("RssShmem") - shmem, more * 3 / 4, more * 5 / 4);
	CHECK_RANGE(kib("RssAnon") - anon, more * 3 / 4, more * 5 / 4);

	/* A tmpfs's pages are shared memory, others' a file's; written privately neither. */
	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(fd, common, pages * PAGE), (ssize_t)(pages * PAGE));
	mapped = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(mapped != MAP_FAILED);
	for (long i = 0; i < pages; i++)
		(void)*(volatile char *)(mapped + i * PAGE);
	CHECK_RANGE(kib("RssShmem") + kib("RssFile") - shmem - file, 2 * more * 3 / 4,
		    2 * more * 5 / 4);
	CHECK_EQ(sscanf(text_of("/proc/self/statm"), "%*u %lu %lu", &resident, &shared), 2);
	CHECK_RANGE((long)shared * 4 - shmem - file, 2 * more * 3 / 4, 2 * more * 5 / 4);
	CHECK(resident > shared);
	memset(mapped, 2, pages * PAGE);
	CHECK_RANGE(kib("RssShmem") + kib("RssFile") - shmem - file, more * 3 / 4, more * 5 / 4);
	CHECK_RANGE(kib("RssAnon") - anon, 2 * more * 3 / 4, 2 * more * 5 / 4);
	CHECK_RANGE(kib("VmRSS") - kib("RssAnon") - kib("RssFile") - kib("RssShmem"), -64, 64);
}

TEST("does VmPTE count page tables, VmExe the program's code, and VmLib other code?")
{
	long tables = kib("VmPTE"), code = kib("VmExe"), other = kib("VmLib");
	const size_t span = 2 * 1024 * 1024, count = 64;
	char *memory;

	CHECK(tables >= 12 && tables < 1024);
	CHECK(code > 0 && other >= 0);
	memory = mmap(NULL, count * span, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_OK(madvise(memory, count * span, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < count; i++)
		memory[i * span] = 1;
	CHECK_RANGE(kib("VmPTE") - tables, (long)count * 4, (long)count * 4 + 16);
	CHECK_OK(munmap(memory, count * span));
	CHECK_RANGE(kib("VmPTE") - tables, 0, 16);
	CHECK(mmap(NULL, 16 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	      MAP_FAILED);
	CHECK_EQ(kib("VmLib") - other, 64);
	CHECK_EQ(kib("VmExe"), code);
}

TEST("do Cpus_allowed and its list say what sched_setaffinity set?")
{
	int last = guest_processors() - 1;
	cpu_set_t set;
	char list[16];

	CPU_ZERO(&set);
	CPU_SET(last, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		SKIP("the processors this may run on are not the first ones");
	CHECK_EQ(strtoul(value("Cpus_allowed"), NULL, 16), 1UL << last);
	snprintf(list, sizeof list, "%d", last);
	CHECK_STR(value("Cpus_allowed_list"), list);
}
