/*
 * mounts.c - the file systems that programs expect, and the root that was asked for.
 *
 * The built-in image is the initramfs itself. With a host directory, that directory is the lower
 * layer of an overlay whose upper layer is a tmpfs, so nothing on the host changes; or it is the
 * root itself when writing was asked for. A mount point that a given root lacks is created only
 * where that leaves no mark on the host.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOWER	"/mnt/lower"
#define LAYER	"/mnt/layer"
#define MERGED	"/mnt/root"

struct mount_entry {
	const char *point;
	const char *type;
	unsigned long flags;
	const char *data;
};

static const struct mount_entry standard_mounts[] = {
	{ "/dev", "devtmpfs", MS_NOSUID, "mode=755" },
	{ "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,gid=5,ptmxmode=666" },
	{ "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" },
	{ "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
	{ "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755" },
	{ "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" },
};

static const struct {
	const char *target;
	const char *path;
} device_links[] = {
	{ "/proc/self/fd", "/dev/fd" },
	{ "/proc/self/fd/0", "/dev/stdin" },
	{ "/proc/self/fd/1", "/dev/stdout" },
	{ "/proc/self/fd/2", "/dev/stderr" },
	{ "pts/ptmx", "/dev/ptmx" },
};

/*
 * Mounts the standard file systems below `root` ("" for the present one). A root on the host keeps
 * its own /tmp: what it holds there is part of it. Whatever cannot be mounted is left out: a
 * program that needs it will say so more to the point than we could.
 */
static void mount_standard(const char *root, bool create, bool own_tmp)
{
	char path[64];

	for (size_t i = 0; i < sizeof(standard_mounts) / sizeof(standard_mounts[0]); i++) {
		const struct mount_entry *entry = &standard_mounts[i];
		const bool on_device_fs = strncmp(entry->point, "/dev/", 5) == 0;

		if (!own_tmp && strcmp(entry->point, "/tmp") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s", root, entry->point);
		if (create || on_device_fs)
			mkdir(path, 0755);
		mount(entry->type, path, entry->type, entry->flags, entry->data);
	}
	for (size_t i = 0; i < sizeof(device_links) / sizeof(device_links[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", root, device_links[i].path);
		/* Fails where the kernel's devtmpfs has the name already, which is as good. */
		(void)!symlink(device_links[i].target, path);
	}
}

void mounts_early(void)
{
	umask(0);
	mount_standard("", true, true);
	umask(022);
}

static void load_module(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/lib/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		fprintf(stderr, "init: %s: %s\n", name, strerror(errno));
	close(fd);
}

/* Loads the modules named in `list`, one a line, in that order. No such list: nothing to load. */
void mounts_modules(const char *list)
{
	char line[128];
	FILE *file = fopen(list, "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			load_module(line);
	}
	fclose(file);
}

static bool mount_share(uint32_t flags)
{
	/*
	 * What lies below an overlay does not change while we run, so it may be cached freely.
	 * Shared with a host that sees our writes, nothing may.
	 */
	const bool writable = flags & START_ROOT_WRITE;
	const char *options = writable ?
		"trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=client" :
		"trans=virtio,version=9p2000.L,msize=512000,cache=loose,access=client";
	const unsigned long mount_flags = writable ? 0 : MS_RDONLY;

	return mount(PROTOCOL_ROOT_TAG, writable ? MERGED : LOWER, "9p", mount_flags, options) == 0;
}

static bool mount_overlay(const char **why)
{
	*why = "tmpfs for the upper layer";
	if (mount("tmpfs", LAYER, "tmpfs", 0, "mode=755") < 0)
		return false;
	*why = "directories of the upper layer";
	if (mkdir(LAYER "/upper", 0755) < 0 || mkdir(LAYER "/work", 0755) < 0)
		return false;
	*why = "overlay";
	return mount("overlay", MERGED, "overlay", 0, "lowerdir=" LOWER ",upperdir=" LAYER
		     "/upper,workdir=" LAYER "/work") == 0;
}

static bool enter(const char *root)
{
	if (chdir(root) < 0)
		return false;
	/* Makes the mount table look as a booted system's does; chroot alone would do to run. */
	(void)mount(".", "/", NULL, MS_MOVE, NULL);
	return chroot(".") == 0 && chdir("/") == 0;
}

bool mounts_root(uint32_t flags, const char **why)
{
	const bool writable = flags & START_ROOT_WRITE;

	if (!(flags & (START_ROOT_OVERLAY | START_ROOT_WRITE)))
		return true;
	mounts_modules("/lib/modules/root.list");
	mkdir("/mnt", 0755);
	mkdir(LOWER, 0755);
	mkdir(LAYER, 0755);
	mkdir(MERGED, 0755);
	*why = "the shared directory";
	if (!mount_share(flags))
		return false;
	if (!writable && !mount_overlay(why))
		return false;
	umask(0);
	mount_standard(MERGED, !writable, false);
	umask(022);
	*why = "the new root";
	return enter(MERGED);
}
