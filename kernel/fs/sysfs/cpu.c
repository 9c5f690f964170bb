/*
 * /sys/devices/system/cpu: which processors there are (sysconf, nproc) and how they belong together
 * (lscpu). All of them are online for the life of the machine.
 *
 * A set of processors is shown as a list of ranges and as a mask in hexadecimal digits, as many as
 * there are possible processors for. Levels that nothing tells apart here are those next to them:
 * a die is its package, a cluster its core.
 */
#include "fs/sysfs/sysfs_internal.h"

#include "arch/arch_down.h"
#include "core/percpu.h"
#include "lib/string.h"

#define R (S_IFREG | 0444)
#define DIR (S_IFDIR | 0755)

#define CLUSTER_UNKNOWN 0xffff		/* as Linux says it */

_Static_assert(CPU_MAX <= 32, "a set is a word");

static uint32_t all_processors(void)
{
	return (uint32_t)((1ULL << cpu_count) - 1);
}

static int show_all(struct text *out, const struct proc_subject *s)
{
	proc_put_cpu_list(out, all_processors());
	return 0;
}

static int show_none(struct text *out, const struct proc_subject *s)
{
	text_putc(out, '\n');
	return 0;
}

static int show_kernel_max(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%u\n", CPU_MAX - 1);
	return 0;
}

static int show_online(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "1\n");
	return 0;
}

/* ---- topology: the processor's number is the subject's descriptor ---------------------------- */

static struct arch_topology place_of(const struct proc_subject *s)
{
	struct arch_topology place;

	arch_cpu_topology((uint32_t)s->fd, &place);
	return place;
}

static uint32_t package_set(const struct proc_subject *s, bool same_core)
{
	const struct arch_topology mine = place_of(s);
	uint32_t set = 0;

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		struct arch_topology other;

		arch_cpu_topology(cpu, &other);
		if (other.package == mine.package && (!same_core || other.core == mine.core))
			set |= 1u << cpu;
	}
	return set;
}

static int show_core_mask(struct text *out, const struct proc_subject *s)
{
	proc_put_cpu_mask(out, package_set(s, true));
	return 0;
}

static int show_core_list(struct text *out, const struct proc_subject *s)
{
	proc_put_cpu_list(out, package_set(s, true));
	return 0;
}

static int show_package_mask(struct text *out, const struct proc_subject *s)
{
	proc_put_cpu_mask(out, package_set(s, false));
	return 0;
}

static int show_package_list(struct text *out, const struct proc_subject *s)
{
	proc_put_cpu_list(out, package_set(s, false));
	return 0;
}

static int show_core(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%u\n", place_of(s).core);
	return 0;
}

static int show_package(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%u\n", place_of(s).package);
	return 0;
}

static int show_die(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "0\n");
	return 0;
}

static int show_cluster(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%u\n", CLUSTER_UNKNOWN);
	return 0;
}

static const struct proc_entry topology[] = {
	{ .name = "cluster_cpus", .mode = R, .show = show_core_mask },
	{ .name = "cluster_cpus_list", .mode = R, .show = show_core_list },
	{ .name = "cluster_id", .mode = R, .show = show_cluster },
	{ .name = "core_cpus", .mode = R, .show = show_core_mask },
	{ .name = "core_cpus_list", .mode = R, .show = show_core_list },
	{ .name = "core_id", .mode = R, .show = show_core },
	{ .name = "core_siblings", .mode = R, .show = show_package_mask },
	{ .name = "core_siblings_list", .mode = R, .show = show_package_list },
	{ .name = "die_cpus", .mode = R, .show = show_package_mask },
	{ .name = "die_cpus_list", .mode = R, .show = show_package_list },
	{ .name = "die_id", .mode = R, .show = show_die },
	{ .name = "package_cpus", .mode = R, .show = show_package_mask },
	{ .name = "package_cpus_list", .mode = R, .show = show_package_list },
	{ .name = "physical_package_id", .mode = R, .show = show_package },
	{ .name = "thread_siblings", .mode = R, .show = show_core_mask },
	{ .name = "thread_siblings_list", .mode = R, .show = show_core_list },
	{ .name = NULL },
};

/* ---- the folder ------------------------------------------------------------------------------ */

static bool find_cpu(struct proc_subject *subject, const char *name, size_t length)
{
	uint32_t cpu;

	if (length < 4 || strncmp(name, "cpu", 3) != 0 ||
	    !proc_parse_id(name + 3, length - 3, &cpu) || cpu >= cpu_count)
		return false;
	subject->fd = (int)cpu;
	return true;
}

static int64_t next_cpu(const struct proc_subject *dir, uint64_t from)
{
	return from < cpu_count ? (int64_t)from : -1;
}

static const struct proc_entry cpu_children[] = {
	{ .name = "online", .mode = R, .show = show_online },
	{ .name = "topology", .mode = DIR, .children = topology },
	{ .name = NULL },
};
static const struct proc_entry one_cpu_entry = { .mode = DIR, .children = cpu_children };
const struct proc_dynamic sysfs_cpu_dynamic = { find_cpu, next_cpu, &one_cpu_entry, "cpu" };

const struct proc_entry sysfs_cpus[] = {
	{ .name = "isolated", .mode = R, .show = show_none },
	{ .name = "kernel_max", .mode = R, .show = show_kernel_max },
	{ .name = "offline", .mode = R, .show = show_none },
	{ .name = "online", .mode = R, .show = show_all },
	{ .name = "possible", .mode = R, .show = show_all },
	{ .name = "present", .mode = R, .show = show_all },
	{ .name = NULL },
};
