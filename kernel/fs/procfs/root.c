/*
 * /proc itself: the system as a whole, and the names of processes.
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/clock.h"
#include "core/cmdline.h"
#include "core/finding.h"
#include "core/irq.h"
#include "fs/procfs/procfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "proc/utsname.h"
#include "vfs/chardev.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

#define U(x) ((unsigned long long)(x))
#define TICK_NS 10000000ULL

/* --- memory ----------------------------------------------------------------------------------- */

static void put_kib(struct text *out, const char *name, uint64_t pages)
{
	text_printf(out, "%-15s %8llu kB\n", name, U(pages * (PAGE_SIZE / 1024)));
}

static int show_meminfo(struct text *out, const struct proc_subject *s)
{
	struct page_stats m;

	page_stats_get(&m);
	put_kib(out, "MemTotal:", m.total);
	put_kib(out, "MemFree:", m.free);
	put_kib(out, "MemAvailable:", m.free + m.cache);
	put_kib(out, "Buffers:", 0);
	put_kib(out, "Cached:", m.cache);
	put_kib(out, "SwapCached:", 0);
	put_kib(out, "Active:", m.anon);
	put_kib(out, "Inactive:", m.cache);
	put_kib(out, "SwapTotal:", 0);
	put_kib(out, "SwapFree:", 0);
	put_kib(out, "Dirty:", 0);
	put_kib(out, "Writeback:", 0);
	put_kib(out, "AnonPages:", m.anon);
	put_kib(out, "Mapped:", m.cache);
	put_kib(out, "Shmem:", m.cache);
	put_kib(out, "Slab:", m.slab);
	put_kib(out, "SReclaimable:", 0);
	put_kib(out, "SUnreclaim:", m.slab);
	put_kib(out, "KernelStack:", m.kernel);
	put_kib(out, "PageTables:", m.table);
	put_kib(out, "CommitLimit:", m.total);
	put_kib(out, "Committed_AS:", m.anon);
	put_kib(out, "VmallocTotal:", 1UL << 27);
	put_kib(out, "VmallocUsed:", m.kernel);
	text_printf(out, "HugePages_Total:       0\nHugePages_Free:        0\n"
			 "Hugepagesize:       2048 kB\n");
	return 0;
}

/* As Linux's SLUB: no tunables, and every slab counts as one in use. */
static void put_cache(void *arg, const struct slab_stats *c)
{
	const size_t all = c->slabs * c->objects_per_slab;

	text_printf(arg, "%-17s %6zu %6zu %6zu %4zu %4zu : tunables    0    0    0 : "
			 "slabdata %6zu %6zu      0\n",
		    c->name, c->live < all ? c->live : all, all, c->object_bytes,
		    c->objects_per_slab, c->pages_per_slab, c->slabs, c->slabs);
}

static int show_slabinfo(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> "
			 "<objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> "
			 "<sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	slab_for_each(put_cache, out);
	return 0;
}

static void put_leak_line(void *arg, const struct slab_stats *c)
{
	text_printf(arg, "objects %s %zu\npages %s %zu\n", c->name, c->live, c->name,
		    c->slabs * c->pages_per_slab);
}

/* What tests compare before and after. */
static int show_leaks(struct text *out, const struct proc_subject *s)
{
	struct page_stats m;

	page_drain_caches();
	page_stats_get(&m);
	/* The kernel window's tables grow to what the most stacks needed, and stay: no leak. */
	text_printf(out, "free_pages %llu\n", U(m.free + arch_kernel_tables()));
	text_printf(out, "pages anon %llu\npages cache %llu\npages table %llu\npages slab %llu\n"
			 "pages kernel %llu\n",
		    U(m.anon), U(m.cache), U(m.table), U(m.slab),
		    U(m.kernel - arch_kernel_tables()));
	slab_for_each(put_leak_line, out);
	return 0;
}

static int show_vmstat(struct text *out, const struct proc_subject *s)
{
	struct page_stats m;

	page_stats_get(&m);
	text_printf(out, "nr_free_pages %llu\nnr_anon_pages %llu\nnr_file_pages %llu\n"
			 "nr_page_table_pages %llu\n",
		    U(m.free), U(m.anon), U(m.cache), U(m.table));
	return 0;
}

/* --- processors and time ---------------------------------------------------------------------- */

static int show_cpuinfo(struct text *out, const struct proc_subject *s)
{
	char *buffer = kmalloc(4096);

	if (buffer == NULL)
		return -ENOMEM;
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		text_put(out, buffer, arch_cpuinfo(cpu, buffer, 4096));
	kfree(buffer);
	return 0;
}

static int show_uptime(struct text *out, const struct proc_subject *s)
{
	uint64_t now = clock_ns() / TICK_NS, idle = 0;
	struct sched_cpu_times t;

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		sched_cpu_times_get(cpu, &t);
		idle += t.idle_ns;
	}
	idle /= TICK_NS;

	text_printf(out, "%llu.%02llu %llu.%02llu\n", U(now / 100), U(now % 100), U(idle / 100),
		    U(idle % 100));
	return 0;
}

/* user, nice, system, idle; none for iowait, irq, softirq, steal, guest and guest_nice. */
static void put_cpu_line(struct text *out, const struct sched_cpu_times *t)
{
	text_printf(out, " %llu %llu %llu %llu 0 0 0 0 0 0\n", U(t->user_ns / TICK_NS),
		    U(t->nice_ns / TICK_NS), U(t->system_ns / TICK_NS), U(t->idle_ns / TICK_NS));
}

static void put_cpu_lines(struct text *out)
{
	struct sched_cpu_times t[CPU_MAX], sum = { 0 };

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		sched_cpu_times_get(cpu, &t[cpu]);
		sum.user_ns += t[cpu].user_ns;
		sum.nice_ns += t[cpu].nice_ns;
		sum.system_ns += t[cpu].system_ns;
		sum.idle_ns += t[cpu].idle_ns;
	}
	text_printf(out, "cpu ");
	put_cpu_line(out, &sum);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		text_printf(out, "cpu%u", cpu);
		put_cpu_line(out, &t[cpu]);
	}
}

static uint64_t interrupts_total(void)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < cpu_count; cpu++)
		sum += read_once(cpus[cpu].interrupts);
	return sum;
}

static int show_stat(struct text *out, const struct proc_subject *s)
{
	struct sched_stats st;
	struct task_counts tasks;

	sched_stats_get(&st);
	task_counts_get(&tasks);
	put_cpu_lines(out);
	text_printf(out, "intr %llu\nctxt %llu\nbtime %llu\nprocesses %llu\n",
		    U(interrupts_total()), U(st.switches),
		    U((clock_wall_ns() - clock_ns()) / NSEC_PER_SEC), U(tasks.forks));
	text_printf(out, "procs_running %llu\nprocs_blocked %u\n", U(st.runnable),
		    tasks.blocked);
	return 0;
}

static int show_loadavg(struct text *out, const struct proc_subject *s)
{
	struct sched_stats st;
	struct task_counts tasks;

	sched_stats_get(&st);
	task_counts_get(&tasks);
	/* load[] has 11 fraction bits, as in sysinfo(2) without its shift. */
	for (int i = 0; i < 3; i++)
		text_printf(out, "%llu.%02llu ", U(st.load[i] >> 11),
			    U(((st.load[i] & 2047) * 100) >> 11));
	text_printf(out, "%llu/%u %u\n", U(st.runnable), tasks.tasks, tasks.last_id);
	return 0;
}

static int show_interrupts(struct text *out, const struct proc_subject *s)
{
	struct irq_stats st;

	for (uint32_t i = 0; irq_stats_get(i, &st); i++) {
		if (st.gsi >= 0)
			text_printf(out, "%3u: %10llu  gsi %d\n", st.vector, U(st.count), st.gsi);
		else
			text_printf(out, "%3u: %10llu  msi\n", st.vector, U(st.count));
	}
	return 0;
}

/* What the monitor and its kin found (core/finding.h). */
static int show_findings(struct text *out, const struct proc_subject *s)
{
	struct finding f;
	char evidence[80];

	for (uint32_t i = 0; finding_get(i, &f); i++)
		text_printf(out, "%s count=%llu thread=%u pc=%#llx %s first_ns=%llu last_ns=%llu "
			    "cause=%s\n", finding_name(f.kind), U(f.count), f.thread, U(f.pc),
			    finding_evidence(&f, evidence, sizeof(evidence)), U(f.first_ns),
			    U(f.last_ns), f.cause);
	return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

static int show_version(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%s version %s %s\n", KERNEL_SYSNAME, KERNEL_RELEASE, KERNEL_VERSION);
	return 0;
}

static int show_cmdline(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "%s\n", cmdline_text());
	return 0;
}

static void put_type(void *arg, const struct fs_type *type)
{
	text_printf(arg, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
}

static int show_filesystems(struct text *out, const struct proc_subject *s)
{
	fs_type_for_each(put_type, out);
	return 0;
}

static int show_devices(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n"
			 "  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
	return 0;
}

static int show_nothing(struct text *out, const struct proc_subject *s)
{
	return 0;
}

static int show_swaps(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int show_partitions(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "major minor  #blocks  name\n\n");
	return 0;
}

static int link_self(const struct proc_subject *s, char **out)
{
	char name[16];

	format_string(name, sizeof(name), "%u", process_current()->pid);
	*out = kstrdup(name);
	return *out != NULL ? 0 : -ENOMEM;
}

static int link_thread_self(const struct proc_subject *s, char **out)
{
	char name[40];

	format_string(name, sizeof(name), "%u/task/%u", process_current()->pid,
		      thread_current()->id);
	*out = kstrdup(name);
	return *out != NULL ? 0 : -ENOMEM;
}

static int link_mounts(const struct proc_subject *s, char **out)
{
	*out = kstrdup("self/mounts");
	return *out != NULL ? 0 : -ENOMEM;
}

/* --- processes -------------------------------------------------------------------------------- */

static bool find_process(struct proc_subject *subject, const char *name, size_t length)
{
	struct process *p;
	struct task *t;
	uint32_t id;

	if (!proc_parse_id(name, length, &id))
		return false;
	p = process_lookup(id);
	if (p == NULL) {
		/* A thread's number works too, though it is not listed. */
		t = task_lookup(id);
		if (t == NULL)
			return false;
		p = t->process;
		process_get(p);
		task_put(t);
	}
	*subject = (struct proc_subject){ .pid = p->pid, .tid = id, .fd = -1,
					  .start_ns = p->start_ns };
	write_once(p->was_looked_up, true);
	process_put(p);
	return true;
}

static int64_t next_process(const struct proc_subject *dir, uint64_t from)
{
	struct process *p = from <= UINT32_MAX ? process_next((uint32_t)from) : NULL;
	int64_t id = p != NULL ? (int64_t)p->pid : -1;

	if (p != NULL)
		process_put(p);
	return id;
}

static const struct proc_dynamic process_dynamic = {
	find_process, next_process, &proc_pid_entry, NULL,
};

#define R (S_IFREG | 0444)

static const struct proc_entry tine_children[] = {
	{ .name = "leaks", .mode = R, .show = show_leaks },
	{ .name = "trace", .mode = S_IFREG | 0600, .show = proc_show_trace,
	  .write = proc_write_trace },
	{ .name = "trace_data", .mode = S_IFREG | 0400,
	  .file_ops = &proc_trace_data_file_ops },
	{ .name = NULL },
};

static const struct proc_entry root_children[] = {
	{ .name = "cmdline", .mode = R, .show = show_cmdline },
	{ .name = "cpuinfo", .mode = R, .show = show_cpuinfo },
	{ .name = "devices", .mode = R, .show = show_devices },
	{ .name = "diskstats", .mode = R, .show = show_nothing },
	{ .name = "filesystems", .mode = R, .show = show_filesystems },
	{ .name = "headway", .mode = R, .show = show_findings },
	{ .name = "interrupts", .mode = R, .show = show_interrupts },
	{ .name = "loadavg", .mode = R, .show = show_loadavg },
	{ .name = "meminfo", .mode = R, .show = show_meminfo },
	{ .name = "modules", .mode = R, .show = show_nothing },
	{ .name = "mounts", .mode = S_IFLNK | 0777, .link = link_mounts },
	{ .name = "partitions", .mode = R, .show = show_partitions },
	{ .name = "self", .mode = S_IFLNK | 0777, .link = link_self },
	{ .name = "slabinfo", .mode = S_IFREG | 0400, .show = show_slabinfo },
	{ .name = "stat", .mode = R, .show = show_stat },
	{ .name = "swaps", .mode = R, .show = show_swaps },
	{ .name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_children },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .link = link_thread_self },
	{ .name = "tine", .mode = S_IFDIR | 0555, .children = tine_children },
	{ .name = "uptime", .mode = R, .show = show_uptime },
	{ .name = "version", .mode = R, .show = show_version },
	{ .name = "vmstat", .mode = R, .show = show_vmstat },
	{ .name = NULL },
};

const struct proc_entry proc_root_entry = {
	.mode = S_IFDIR | 0555, .children = root_children, .dynamic = &process_dynamic,
};
