/*
 * The explorer's watcher: explores each scenario in a process of its own and sees when that hangs.
 *
 *	explore [--shard I/N] [--budget PAIRS] [--stride K] [--red] [--check] [--replay SCHEDULE]
 *		[SCENARIO...]
 *	explore --list
 *
 * --check only looks at the words, and --list tells the scenarios: both on any Linux. A word that
 * makes no sense is named on standard error, with status 2.
 *
 * Time is the number of instructions, and jumps when all processors are idle: a schedule in which
 * all threads sleep for ever shows at once.
 *
 * As the first process it explores before init serves the launcher, whose first word comes when the
 * host lets it and would find each machine in another state; first.c.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "explore.h"
#include "lib/number.h"

#define WATCH_SECONDS 1

int explore_fd = -1;

long ioctl_explore(unsigned int command, void *arg)
{
	return syscall(SYS_ioctl, explore_fd, command, arg);
}

/* All that is said, by whichever process; it goes out at the end. */
struct report {
	size_t used;
	char text[1 << 20];
};
static struct report *report;
static pid_t watcher;

void explore_line(const char *format, ...)
{
	size_t room = sizeof(report->text) - report->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(report->text + report->used, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n + 1 >= room)
		return;
	report->used += (size_t)n;
	report->text[report->used++] = '\n';
}

static void report_print(void)
{
	size_t done = 0;

	while (done < report->used) {
		ssize_t n = write(STDOUT_FILENO, report->text + done, report->used - done);

		if (n <= 0)
			_exit(3);
		done += (size_t)n;
	}
}

void fatal(const char *what)
{
	if (report == NULL)
		_exit(2);
	explore_line("fatal %s: %s", what, strerror(errno));
	if (getpid() == watcher)
		report_print();
	_exit(2);
}

static _Noreturn __attribute__((format(printf, 1, 2))) void usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\n", stderr);
	exit(2);
}

static const struct scenario *const families[] = {
	process_scenarios, ipc_scenarios, memory_scenarios, thread_scenarios,
};

/* The nth of all; NULL past the last. */
static const struct scenario *scenario_nth(unsigned int n)
{
	for (unsigned int f = 0; f < sizeof(families) / sizeof(families[0]); f++)
		for (const struct scenario *s = families[f]; s->name != NULL; s++)
			if (n-- == 0)
				return s;
	return NULL;
}

static const struct scenario *scenario_find(const char *name, size_t length)
{
	const struct scenario *s;

	for (unsigned int i = 0; (s = scenario_nth(i)) != NULL; i++)
		if (strlen(s->name) == length && strncmp(s->name, name, length) == 0)
			return s;
	usage("no scenario %.*s; --list names them", (int)length, name);
}

static void *share(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fatal("mmap");
	return p;
}

static _Noreturn void explorer_main(const struct scenario *s, const struct options *o)
{
	setpgid(0, 0);
	pin(FIRST);
	bystander_start();
	round_robin(10);
	sweep(s, o);
	partner_stop(s);
	progress->done = true;
	exit(0);
}

/*
 * Kills what is left of it, and gives its parts time to go. What hangs in the kernel stays: then
 * nothing more can be explored here.
 */
static void end_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	for (int tries = 0; tries < 100; tries++) {
		usleep(10000);
		if (waitpid(-pid, NULL, WNOHANG) < 0)
			return;
	}
	explore_line("fatal: what hangs does not die");
	report_print();
	_exit(2);
}

static void say_hung(const struct scenario *s, const char *how)
{
	progress->violations++;
	explore_line("violation %s:%s:%u,%u :: %s", s->name, progress->kind, progress->n,
		     progress->m, how);
}

/* Until it ends, or a second of the machine's time passes in one schedule. */
static void watch(const struct scenario *s, pid_t pid)
{
	unsigned long before = -1ul;
	int status;

	for (;;) {
		pid_t ended;

		sleep(WATCH_SECONDS);
		ended = waitpid(pid, &status, WNOHANG);
		if (ended == pid && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
			say_hung(s, WIFSIGNALED(status) ? "the explorer was killed" :
				 "the explorer failed");
		if (ended == pid)
			return;
		if (progress->schedules == before) {
			say_hung(s, "hangs: nothing moves for a second");
			return;
		}
		before = progress->schedules;
	}
}

static void explore_scenario(const struct scenario *s, const struct options *o)
{
	pid_t pid;

	memset(progress, 0, sizeof(*progress));
	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0)
		explorer_main(s, o);
	setpgid(pid, pid);
	watch(s, pid);
	end_group(pid);
	explore_line("end %s violations %lu", s->name, progress->violations);
}

static void list(void)
{
	const struct scenario *s;

	for (unsigned int i = 0; (s = scenario_nth(i)) != NULL; i++)
		printf("%s\t%s\n", s->name, s->about);
	exit(0);
}

static unsigned int parse_number(const char *option, const char *text)
{
	uint64_t value;

	if (number_parse(text, strlen(text), 10, &value) != 0 || value > UINT_MAX)
		usage("%s %s: not a number", option, text);
	return (unsigned int)value;
}

static void parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "shard", required_argument, NULL, 's' },
		{ "budget", required_argument, NULL, 'b' },
		{ "stride", required_argument, NULL, 'k' },
		{ "replay", required_argument, NULL, 'r' },
		{ "red", no_argument, NULL, 'e' }, { "check", no_argument, NULL, 'c' },
		{ "list", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 's' && sscanf(optarg, "%u/%u", &o->shard, &o->shards) != 2)
			usage("--shard %s: not I/N", optarg);
		if (c == 'b')
			o->budget = parse_number("--budget", optarg);
		if (c == 'k')
			o->stride = parse_number("--stride", optarg);
		if (c == 'r')
			o->replay = optarg;
		o->red |= c == 'e';
		o->check |= c == 'c';
		if (c == 'l')
			list();
		if (c == '?')
			exit(2);
	}
	if (o->shards == 0 || o->shard >= o->shards || o->stride == 0)
		usage("--shard or --stride makes no sense");
}

/* The scenario of a schedule: "SCENARIO:KIND:n[,m]". */
static const struct scenario *replay_find(const struct options *o)
{
	const char *colon = strchrnul(o->replay, ':');
	const struct scenario *s = scenario_find(o->replay, (size_t)(colon - o->replay));
	struct schedule schedule;

	if (*colon == '\0' || !schedule_parse(s, colon + 1, &schedule))
		usage("--replay %s: not SCENARIO:KIND:n,m with a kind of %s (%s)", o->replay,
		      s->name, schedule_kinds(s));
	return s;
}

/* Before any machine is started for it. */
static void check(int argc, char **argv, const struct options *o)
{
	if (o->replay != NULL)
		replay_find(o);
	for (int i = optind; i < argc; i++)
		scenario_find(argv[i], strlen(argv[i]));
	if (o->check)
		exit(0);
}

/* Nobody but who is told to takes the processor from a real-time thread. */
static void no_limit(void)
{
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY);

	if (fd < 0 || write(fd, "-1\n", 3) != 3)
		fatal("sched_rt_runtime_us");
	close(fd);
}

/*
 * What comes from outside comes when it likes, and its interrupts would be counted: the end of the
 * input is awaited before, and nothing is printed until the end.
 */
static void await_quiet(void)
{
	char unused[64];

	while (read(STDIN_FILENO, unused, sizeof(unused)) > 0)
		continue;
	sleep(1);
}

int main(int argc, char **argv)
{
	struct options o = { .shard = 0, .shards = 1, .budget = 100000, .stride = 1 };
	const struct scenario *s;

	if (getpid() == 1)
		first_process();
	watcher = getpid();
	report = share(sizeof(*report));
	/* A page that came with a line would look like a leak. */
	memset(report, 0, sizeof(*report));
	parse(argc, argv, &o);
	check(argc, argv, &o);
	await_quiet();
	explore_fd = open("/dev/explore", O_RDWR | O_CLOEXEC);
	if (explore_fd < 0)
		fatal("/dev/explore");
	progress = share(4096);
	shared = share(4096);
	no_limit();
	/* Off the way: on the processor that idles. */
	pin(1);
	round_robin(50);
	if (o.replay != NULL)
		explore_scenario(replay_find(&o), &o);
	for (int i = optind; i < argc; i++)
		explore_scenario(scenario_find(argv[i], strlen(argv[i])), &o);
	if (optind == argc && o.replay == NULL)
		for (unsigned int i = 0; (s = scenario_nth(i)) != NULL; i++)
			explore_scenario(s, &o);
	report_print();
	return 0;
}
