/*
 * kernel.c - which kernel is started, with which initramfs, words and symbols.
 *
 * Ours is OUTPUT/CONFIG/tine.elf, where TINE_BUILD in the environment names the configuration.
 * Debian's is fetched and unpacked by tools/setup/linux on first use: the cloud kernel, or the
 * generic one where a host directory is the root, because only that has 9p. A path is taken as it
 * is; what it holds decides which words it gets.
 */
#include "kernel.h"
#include "machine.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/*
 * Linux at its best: what a comparison with it may not blame on its defaults. Without tsc=reliable
 * its clock may end up ticking every 4 ms, and does on two emulated processors.
 */
#define LINUX_WORDS	"console=ttyS0 panic=-1 mitigations=off init_on_alloc=0 " \
			"randomize_kstack_offset=off lsm=capability cryptomgr.notests tsc=reliable"

/* Either kernel reads 2,047 bytes; the rest is for the emulator's words about its devices. */
#define WORDS_BYTES	1536

/* 2020-01-01: what `-rtc base=` says too. */
#define ICOUNT_EPOCH	1577836800LL

/* A symbol's name that each Linux image carries for its modules, and ours does not. */
#define LINUX_MARK	"module_layout"

const char *output_directory(void)
{
	static char path[PATH_MAX];
	ssize_t length;

	if (path[0])
		return path;
	length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (length <= 0)
		die(STATUS_FAILED, "/proc/self/exe: %s", strerror(errno));
	path[length] = '\0';
	/* OUTPUT/launcher/tine */
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			die(STATUS_FAILED, "%s: not in a build's output", path);
		*slash = '\0';
	}
	return path;
}

const char *source_directory(void)
{
	const char *home = getenv("TINE_HOME");

	return home ? home : text_format("%s/..", output_directory());
}

static const char *require_file(const char *path, const char *remedy)
{
	if (access(path, R_OK) < 0)
		die(STATUS_FAILED, "%s: %s; %s", path, strerror(errno), remedy);
	return path;
}

/* Frequency of the time stamp counter, measured for 10 ms: Linux cannot find it out on microvm. */
static unsigned long tsc_khz(void)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	struct timespec start, end;
	unsigned long long ticks, elapsed_ns;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ticks = __rdtsc();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ticks = __rdtsc() - ticks;
	elapsed_ns = (unsigned long long)(end.tv_sec - start.tv_sec) * 1000000000ull +
		     (unsigned long long)end.tv_nsec - (unsigned long long)start.tv_nsec;
	return (unsigned long)(ticks * 1000000ull / elapsed_ns);
}

/*
 * An emulator translates code anew that runs at another address: with addresses drawn for each
 * program, most of a short dynamic program's time. Then Tine draws them once, and Linux, which
 * cannot, does without.
 */
static const char *linux_words(const struct options *options)
{
	/* With instructions as the clock, one of them is one nanosecond. */
	const unsigned long khz = options->icount ? 1000000 : tsc_khz();

	return text_format("%s tsc_early_khz=%lu%s%s%s", LINUX_WORDS, khz,
			   options->icount ? " nokaslr" : "",
			   machine_is_emulated(options) ? " norandmaps" : "",
			   options->log ? "" : " quiet");
}

/* The time of day comes as a word: reading the clock's chip takes longer than starting. */
static const char *tine_words(const struct options *options)
{
	/* A size of the user's own stands among his words. */
	const char *trace = options->trace && !strstr(options->append, "trace=") ? " trace" : "";
	const char *aslr = machine_is_emulated(options) ? " aslr=boot" : "";
	struct timespec now;

	if (options->icount)
		return text_format("epoch=%lld%s%s", ICOUNT_EPOCH, aslr, trace);
	clock_gettime(CLOCK_REALTIME, &now);
	return text_format("epoch=%lld.%09ld%s%s", (long long)now.tv_sec, now.tv_nsec, aslr, trace);
}

static bool is_older(const char *path, const char *than)
{
	struct stat a, b;

	if (stat(path, &a) < 0)
		return true;
	if (stat(than, &b) < 0)
		return false;
	return a.st_mtim.tv_sec < b.st_mtim.tv_sec ||
	       (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec < b.st_mtim.tv_nsec);
}

/* tools/setup/linux FLAVOUR OUTPUT, with its words on stderr: stdout is the program's. */
static void fetch_linux(const char *flavour)
{
	const char *script = text_format("%s/tools/setup/linux", source_directory());
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		const int null = open("/dev/null", O_RDONLY);

		dup2(null, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execl(script, script, flavour, output_directory(), (char *)NULL);
		fprintf(stderr, "tine: %s: %s\n", script, strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		die(STATUS_FAILED, "Debian's Linux could not be prepared by %s", script);
}

static void choose_linux(struct kernel *kernel, const struct options *options)
{
	const char *flavour = options->root ? "generic" : "cloud";
	const char *base = text_format("%s/initramfs.cpio", output_directory());

	kernel->path = text_format("%s/linux/%s/vmlinux", output_directory(), flavour);
	kernel->initramfs = text_format("%s/linux/%s/initramfs.cpio", output_directory(), flavour);
	if (access(kernel->path, R_OK) < 0 || is_older(kernel->initramfs, base))
		fetch_linux(flavour);
	kernel->is_linux = true;
}

/* A bzImage has "HdrS" in its setup header; an uncompressed Linux holds LINUX_MARK. */
static bool holds_linux(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool result = false;
	struct stat status;
	char *data;

	if (fd < 0 || fstat(fd, &status) < 0)
		die(STATUS_USAGE, "--kernel %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size < 0x1000)
		die(STATUS_USAGE, "--kernel %s: not a kernel: neither ELF nor bzImage", path);
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		die(STATUS_FAILED, "--kernel %s: %s", path, strerror(errno));
	if (memcmp(data + 0x202, "HdrS", 4) == 0)
		result = true;
	else if (memcmp(data, "\177ELF", 4) == 0)
		result = memmem(data, (size_t)status.st_size, LINUX_MARK, strlen(LINUX_MARK));
	else
		die(STATUS_USAGE, "--kernel %s: not a kernel: neither ELF nor bzImage", path);
	munmap(data, (size_t)status.st_size);
	return result;
}

static void choose_tine(struct kernel *kernel)
{
	const char *build = getenv("TINE_BUILD");

	if (!build || !build[0])
		build = "release";
	kernel->path = text_format("%s/%s/tine.elf", output_directory(), build);
	require_file(kernel->path, "build it with make");
	kernel->symbols = kernel->path;
}

void kernel_choose(struct kernel *kernel, const struct options *options)
{
	*kernel = (struct kernel){
		.initramfs = text_format("%s/initramfs.cpio", output_directory()),
	};
	require_file(kernel->initramfs, "build it with make");
	if (strcmp(options->kernel, "tine") == 0) {
		choose_tine(kernel);
	} else if (strcmp(options->kernel, "linux") == 0) {
		choose_linux(kernel, options);
	} else {
		kernel->path = options->kernel;
		kernel->is_linux = holds_linux(kernel->path);
		kernel->symbols = kernel->path;
	}
	if (options->trace && kernel->is_linux)
		die(STATUS_USAGE, "--trace: only our own kernel records");
	kernel->words = text_format("%s%s%s", kernel->is_linux ? linux_words(options) :
				    tine_words(options), options->append[0] ? " " : "",
				    options->append);
	if (strlen(kernel->words) > WORDS_BYTES)
		die(STATUS_USAGE, "--append: the kernel's command line would have %zu bytes, and "
		    "%d is the most: give fewer words", strlen(kernel->words), WORDS_BYTES);
}
