/*
 * The table of /sys: processors (cpu.c), memory settings, empty classes.
 */
#include "fs/sysfs/sysfs_internal.h"

#include "abi/errno.h"
#include "fs/sysfs/sysfs.h"
#include "lib/string.h"
#include "vfs/mount.h"
#include "vm/space.h"

#define SYSFS_MAGIC 0x62656572
#define R (S_IFREG | 0444)
#define RW (S_IFREG | 0644)
#define DIR (S_IFDIR | 0755)

static const char *const huge_modes[] = {
	[HUGE_ALWAYS] = "always", [HUGE_MADVISE] = "madvise", [HUGE_NEVER] = "never",
};

static int show_huge_mode(struct text *out, const struct proc_subject *s)
{
	for (unsigned int mode = HUGE_ALWAYS; mode <= HUGE_NEVER; mode++)
		text_printf(out, mode == space_huge_mode() ? "[%s]%c" : "%s%c", huge_modes[mode],
			    mode == HUGE_NEVER ? '\n' : ' ');
	return 0;
}

static ssize_t write_huge_mode(const struct proc_subject *s, char *text, size_t n)
{
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;

	for (unsigned int mode = HUGE_ALWAYS; mode <= HUGE_NEVER; mode++) {
		if (length != strlen(huge_modes[mode]) ||
		    strncmp(text, huge_modes[mode], length) != 0)
			continue;
		space_set_huge_mode((enum huge_mode)mode);
		return (ssize_t)n;
	}
	return -EINVAL;
}

static int show_huge_bytes(struct text *out, const struct proc_subject *s)
{
	text_printf(out, "2097152\n");
	return 0;
}

static const struct proc_entry system_children[] = {
	{ .name = "cpu", .mode = DIR, .children = sysfs_cpus,
	  .dynamic = &sysfs_cpu_dynamic },
	{ .name = NULL },
};

static const struct proc_entry devices_children[] = {
	{ .name = "system", .mode = DIR, .children = system_children }, { .name = NULL },
};

static const struct proc_entry hugepage_children[] = {
	{ .name = "enabled", .mode = RW, .show = show_huge_mode, .write = write_huge_mode },
	{ .name = "hpage_pmd_size", .mode = R, .show = show_huge_bytes },
	{ .name = NULL },
};

static const struct proc_entry mm_children[] = {
	{ .name = "transparent_hugepage", .mode = DIR, .children = hugepage_children },
	{ .name = NULL },
};

static const struct proc_entry kernel_children[] = {
	{ .name = "mm", .mode = DIR, .children = mm_children }, { .name = NULL },
};

static const struct proc_entry class_children[] = {
	{ .name = "block", .mode = DIR }, { .name = "net", .mode = DIR },
	{ .name = "tty", .mode = DIR }, { .name = NULL },
};

static const struct proc_entry fs_children[] = {
	{ .name = "cgroup", .mode = DIR }, { .name = NULL },
};

static const struct proc_entry root_children[] = {
	{ .name = "block", .mode = DIR },
	{ .name = "bus", .mode = DIR },
	{ .name = "class", .mode = DIR, .children = class_children },
	{ .name = "dev", .mode = DIR },
	{ .name = "devices", .mode = DIR, .children = devices_children },
	{ .name = "fs", .mode = DIR, .children = fs_children },
	{ .name = "kernel", .mode = DIR, .children = kernel_children },
	{ .name = "module", .mode = DIR },
	{ .name = NULL },
};

static const struct proc_entry root_entry = { .mode = DIR, .children = root_children };

static int sysfs_mount(const struct fs_type *type, const char *source, const char *options,
		       uint32_t flags, struct super **out)
{
	return proc_mount_tree(type, &root_entry, SYSFS_MAGIC, out);
}

static struct fs_type sysfs_type = { .name = "sysfs", .mount = sysfs_mount };

void sysfs_init(void)
{
	fs_type_register(&sysfs_type);
}
