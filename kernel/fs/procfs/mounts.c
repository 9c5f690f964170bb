/*
 * /proc/PID/mounts, mountinfo, mountstats (proc(5)): the mounts that the subject's root leads to.
 */
#include "abi/errno.h"
#include "abi/mount.h"
#include "fs/procfs/procfs.h"
#include "lib/device_number.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

struct mount_listing {
	struct text *out;
	char *name, *word;		/* PATH_MAX_BYTES each */
	const struct path *root;
	void (*put_line)(const struct mount_listing *l, const struct mount *mount,
			 const char *mountpoint);
};

static void put_source(struct text *out, const struct mount *mount)
{
	text_put_escaped(out, mount->source != NULL ? mount->source : "none");
}

/* A mount's own flags; statfs_flags() tells the same. */
static void put_flags(struct text *out, uint32_t flags)
{
	text_printf(out, "%s%s%s%s%s%s", flags & MS_RDONLY ? "ro" : "rw",
		    flags & MS_NOSUID ? ",nosuid" : "", flags & MS_NODEV ? ",nodev" : "",
		    flags & MS_NOEXEC ? ",noexec" : "", flags & MS_NOATIME ? ",noatime" : "",
		    flags & MS_NODIRATIME ? ",nodiratime" : "");
	if ((flags & MS_NOATIME) == 0)
		text_printf(out, ",relatime");
}

/* The file system's own options. */
static void put_super_options(const struct mount_listing *l, struct super *super)
{
	if (super->ops->show_options == NULL)
		return;
	(void)super->ops->show_options(super, l->word, PATH_MAX_BYTES);
	text_put_escaped(l->out, l->word);
}

/* A line for what is mounted below the reader's root. */
static void put_reachable(void *arg, const struct mount *mount)
{
	const struct mount_listing *l = arg;
	struct path path = { (struct mount *)mount, mount->root };
	bool reachable = false;
	const char *name = path_name(&path, l->root, l->name, PATH_MAX_BYTES, &reachable);

	if (reachable && name != NULL)
		l->put_line(l, mount, name);
}

/* What of the file system is mounted. */
static void put_mount_root(const struct mount_listing *l, const struct mount *mount)
{
	struct mount whole = { .root = mount->super->root };
	const struct path top = { &whole, whole.root }, root = { &whole, mount->root };
	char *name = path_name(&root, &top, l->word, PATH_MAX_BYTES, NULL);

	text_put_escaped(l->out, name != NULL ? name : "/");
}

static void put_mounts_line(const struct mount_listing *l, const struct mount *mount,
			    const char *mountpoint)
{
	put_source(l->out, mount);
	text_putc(l->out, ' ');
	text_put_escaped(l->out, mountpoint);
	text_printf(l->out, " %s ", mount->super->type->name);
	put_flags(l->out, mount->flags | (mount->super->read_only ? MS_RDONLY : 0));
	put_super_options(l, mount->super);
	text_printf(l->out, " 0 0\n");
}

static void put_mountinfo_line(const struct mount_listing *l, const struct mount *mount,
			       const char *mountpoint)
{
	text_printf(l->out, "%u %u %u:%u ", mount->id,
		    mount->parent != NULL ? mount->parent->id : mount->id,
		    device_major(mount->super->device), device_minor(mount->super->device));
	put_mount_root(l, mount);
	text_putc(l->out, ' ');
	text_put_escaped(l->out, mountpoint);
	text_putc(l->out, ' ');
	put_flags(l->out, mount->flags);
	text_printf(l->out, " - %s ", mount->super->type->name);
	put_source(l->out, mount);
	text_printf(l->out, " %s", mount->super->read_only ? "ro" : "rw");
	put_super_options(l, mount->super);
	text_putc(l->out, '\n');
}

static void put_mountstats_line(const struct mount_listing *l, const struct mount *mount,
				const char *mountpoint)
{
	text_printf(l->out, "device ");
	put_source(l->out, mount);
	text_printf(l->out, " mounted on ");
	text_put_escaped(l->out, mountpoint);
	text_printf(l->out, " with fstype %s\n", mount->super->type->name);
}

static int show_mounts(struct text *out, const struct proc_subject *s,
		       void (*put_line)(const struct mount_listing *l, const struct mount *mount,
					const char *mountpoint))
{
	char *buffer = kmalloc(2 * PATH_MAX_BYTES);
	struct mount_listing l = {
		.out = out, .root = &s->root, .name = buffer, .word = buffer + PATH_MAX_BYTES,
		.put_line = put_line,
	};

	if (buffer == NULL)
		return -ENOMEM;
	mount_for_each(put_reachable, &l);
	kfree(buffer);
	return 0;
}

int proc_show_mounts(struct text *out, const struct proc_subject *s)
{
	return show_mounts(out, s, put_mounts_line);
}

int proc_show_mountinfo(struct text *out, const struct proc_subject *s)
{
	return show_mounts(out, s, put_mountinfo_line);
}

int proc_show_mountstats(struct text *out, const struct proc_subject *s)
{
	return show_mounts(out, s, put_mountstats_line);
}
