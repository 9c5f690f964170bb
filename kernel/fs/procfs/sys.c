/*
 * /proc/sys: settings. Values that programs read are here; those that can be set keep what is set.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "core/random.h"
#include "fs/procfs/procfs.h"
#include "lib/number.h"
#include "lib/string.h"
#include "proc/utsname.h"
#include "vfs/path.h"

#define R (S_IFREG | 0444)
#define RW (S_IFREG | 0644)
#define DIR (S_IFDIR | 0555)

/* A number that may be set: what it means is up to who reads it. */
#define SETTING(name, initial)                                                                    \
static uint64_t name = (initial);                                                                 \
SETTING_OF(name)

/* The same for a number that lives elsewhere. */
#define SETTING_OF(name)                                                                          \
static int show_##name(struct text *out, const struct proc_subject *s)                            \
{                                                                                                 \
	text_printf(out, "%llu\n", (unsigned long long)name);                                     \
	return 0;                                                                                 \
}                                                                                                 \
static ssize_t write_##name(const struct proc_subject *s, char *text, size_t n)                   \
{                                                                                                 \
	return write_number(&name, text, n);                                                      \
}

static ssize_t write_number(uint64_t *to, const char *text, size_t n)
{
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;
	uint64_t value;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (number_parse(text, length, 10, &value) != 0)
		return -EINVAL;
	*to = value;
	return (ssize_t)n;
}

#define FIXED(name, value)                                                                         \
static int show_##name(struct text *out, const struct proc_subject *s)                            \
{                                                                                                 \
	text_printf(out, "%s\n", value);                                                          \
	return 0;                                                                                 \
}

FIXED(ostype, KERNEL_SYSNAME)
FIXED(osrelease, KERNEL_RELEASE)
FIXED(version, KERNEL_VERSION)
FIXED(pid_max, "4194304")
FIXED(threads_max, "63352")
FIXED(ngroups_max, "65536")
FIXED(cap_last_cap, "40")
FIXED(file_max, "9223372036854775807")
FIXED(nr_open, "1048576")
FIXED(pipe_max_size, "1048576")
FIXED(mmap_min_addr, "65536")
FIXED(file_nr, "0\t0\t9223372036854775807")
FIXED(max_user_watches, "65536")
FIXED(max_user_instances, "128")
FIXED(max_queued_events, "16384")
FIXED(core_pattern, "core")
FIXED(somaxconn, "4096")
FIXED(poolsize, "256")
FIXED(entropy_avail, "256")

SETTING(max_map_count, 65530)
SETTING(swappiness, 60)
SETTING(randomize_va_space, 2)
SETTING(yama_scope, 0)
SETTING(perf_paranoid, 2)
SETTING(dmesg_restrict, 0)
SETTING(core_uses_pid, 0)
SETTING(panic_setting, 0)
SETTING_OF(space_overcommit)
SETTING_OF(vfs_protected_symlinks)
SETTING_OF(vfs_protected_hardlinks)

/* In microseconds; -1 is no limit. */
static long long rt_us(uint64_t ns)
{
	return ns == UINT64_MAX ? -1 : (long long)(ns / NSEC_PER_USEC);
}

static int show_rt_period(struct text *out, const struct proc_subject *s)
{
	uint64_t period, runtime;

	sched_rt_limit_get(&period, &runtime);
	text_printf(out, "%lld\n", rt_us(period));
	return 0;
}

static int show_rt_runtime(struct text *out, const struct proc_subject *s)
{
	uint64_t period, runtime;

	sched_rt_limit_get(&period, &runtime);
	text_printf(out, "%lld\n", rt_us(runtime));
	return 0;
}

static ssize_t write_rt(const char *text, size_t n, bool is_period)
{
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;
	uint64_t period, runtime, ns;
	int64_t us;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (number_parse_signed(text, length, 10, &us) != 0 || us < -1 || us > INT32_MAX ||
	    (is_period && us < 1))
		return -EINVAL;
	sched_rt_limit_get(&period, &runtime);
	ns = us < 0 ? UINT64_MAX : (uint64_t)us * NSEC_PER_USEC;
	error = is_period ? sched_rt_limit_set(ns, runtime) : sched_rt_limit_set(period, ns);
	return error != 0 ? error : (ssize_t)n;
}

static ssize_t write_rt_period(const struct proc_subject *s, char *text, size_t n)
{
	return write_rt(text, n, true);
}

static ssize_t write_rt_runtime(const struct proc_subject *s, char *text, size_t n)
{
	return write_rt(text, n, false);
}

static int show_hostname(struct text *out, const struct proc_subject *s)
{
	char name[HOSTNAME_BYTES];

	hostname_get(name, false);
	text_printf(out, "%s\n", name);
	return 0;
}

static int show_domainname(struct text *out, const struct proc_subject *s)
{
	char name[HOSTNAME_BYTES];

	hostname_get(name, true);
	text_printf(out, "%s\n", name);
	return 0;
}

static ssize_t write_hostname(const struct proc_subject *s, char *text, size_t n)
{
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = hostname_set(text, length, false);
	return error != 0 ? error : (ssize_t)n;
}

/* RFC 4122, version 4. */
static int show_uuid(struct text *out, const struct proc_subject *s)
{
	uint8_t b[16];

	random_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (int i = 0; i < 16; i++)
		text_printf(out, "%02x%s", b[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
	text_putc(out, '\n');
	return 0;
}

static int show_boot_id(struct text *out, const struct proc_subject *s)
{
	static char boot_id[40];
	struct text once = { 0 };

	/* Made by the first reader; two first readers may see two, later ones agree. */
	if (boot_id[0] == '\0' && show_uuid(&once, s) == 0 && !once.failed)
		memcpy(boot_id, once.data, 37);
	text_free(&once);
	text_put(out, boot_id, strlen(boot_id));
	return 0;
}

#define RO_ENTRY(file, name_) { .name = (file), .mode = R, .show = show_##name_ }
#define RW_ENTRY(file, name_)                                                                     \
	{ .name = (file), .mode = RW, .show = show_##name_, .write = write_##name_ }

static const struct proc_entry random_children[] = {
	RO_ENTRY("boot_id", boot_id), RO_ENTRY("entropy_avail", entropy_avail),
	RO_ENTRY("poolsize", poolsize), RO_ENTRY("uuid", uuid), { .name = NULL },
};

static const struct proc_entry yama_children[] = {
	RW_ENTRY("ptrace_scope", yama_scope), { .name = NULL },
};

static const struct proc_entry kernel_children[] = {
	RO_ENTRY("cap_last_cap", cap_last_cap), RO_ENTRY("core_pattern", core_pattern),
	RW_ENTRY("core_uses_pid", core_uses_pid), RW_ENTRY("dmesg_restrict", dmesg_restrict),
	RO_ENTRY("domainname", domainname), RW_ENTRY("hostname", hostname),
	RO_ENTRY("ngroups_max", ngroups_max), RO_ENTRY("osrelease", osrelease),
	RO_ENTRY("ostype", ostype), RW_ENTRY("panic", panic_setting),
	RW_ENTRY("perf_event_paranoid", perf_paranoid), RO_ENTRY("pid_max", pid_max),
	{ .name = "random", .mode = DIR, .children = random_children },
	RW_ENTRY("randomize_va_space", randomize_va_space),
	RW_ENTRY("sched_rt_period_us", rt_period), RW_ENTRY("sched_rt_runtime_us", rt_runtime),
	RO_ENTRY("threads-max", threads_max),
	RO_ENTRY("version", version),
	{ .name = "yama", .mode = DIR, .children = yama_children }, { .name = NULL },
};

static const struct proc_entry vm_children[] = {
	RW_ENTRY("max_map_count", max_map_count), RO_ENTRY("mmap_min_addr", mmap_min_addr),
	RW_ENTRY("overcommit_memory", space_overcommit), RW_ENTRY("swappiness", swappiness),
	{ .name = NULL },
};

static const struct proc_entry inotify_children[] = {
	RO_ENTRY("max_queued_events", max_queued_events),
	RO_ENTRY("max_user_instances", max_user_instances),
	RO_ENTRY("max_user_watches", max_user_watches), { .name = NULL },
};

static const struct proc_entry fs_children[] = {
	RO_ENTRY("file-max", file_max), RO_ENTRY("file-nr", file_nr),
	{ .name = "inotify", .mode = DIR, .children = inotify_children },
	RO_ENTRY("nr_open", nr_open), RO_ENTRY("pipe-max-size", pipe_max_size),
	RW_ENTRY("protected_hardlinks", vfs_protected_hardlinks),
	RW_ENTRY("protected_symlinks", vfs_protected_symlinks), { .name = NULL },
};

static const struct proc_entry core_children[] = {
	RO_ENTRY("somaxconn", somaxconn), { .name = NULL },
};

static const struct proc_entry net_children[] = {
	{ .name = "core", .mode = DIR, .children = core_children }, { .name = NULL },
};

const struct proc_entry proc_sys_children[] = {
	{ .name = "fs", .mode = DIR, .children = fs_children },
	{ .name = "kernel", .mode = DIR, .children = kernel_children },
	{ .name = "net", .mode = DIR, .children = net_children },
	{ .name = "vm", .mode = DIR, .children = vm_children },
	{ .name = NULL },
};
