/*
 * Can any sequence of operations on any names, with any allocation failing, break vfs: crash, a
 * lock left held, an object leaked?
 *
 * The input is a program: an allocation to fail, then operations, each with one or two paths, all
 * inside a tmpfs that is mounted for the run and taken away at its end. What is allocated then must
 * be what was before.
 *
 * links: vfs/chardev.c vfs/dentry.c vfs/file.c vfs/file_open.c vfs/inode.c vfs/iobuf.c vfs/lock.c
 * links: vfs/mount.c vfs/mount_ops.c vfs/notify.c vfs/page_io.c vfs/path.c vfs/path_name.c
 * links: vfs/path_ops.c vfs/path_rename.c vfs/poll.c vfs/super.c vfs/text_file.c vfs/xattr.c
 * links: fs/tmpfs/dir.c fs/tmpfs/file.c fs/tmpfs/super.c fs/tmpfs/xattr.c
 * links: lib/hash.c lib/format.c lib/number.c lib/rbtree.c lib/string_bounded.c
 * links: lib/assert.c
 * helpers: vfs_single.c vfs_unused.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef RENAME_NOREPLACE
#undef RENAME_EXCHANGE
#undef RENAME_WHITEOUT

#include "abi/errno.h"
#include "abi/mount.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs_single.h"

struct input {
	const unsigned char *at, *end;
};

static struct path boot_root;
static const struct vfs_cred other = {.uid = 1000, .gid = 1000};

static unsigned take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* Up to the next byte above 0xf0, each byte a component or literally itself. */
static void take_path(struct input *in, char *to)
{
	static const char *const parts[] = {"a",  "b",    "c",    "d/", "/", ".",
					    "..", "/../", "a/b/", "./", "//"};
	size_t length = 0;

	while (in->at < in->end && *in->at < 0xf0 && length < 1000) {
		unsigned byte = take(in);

		if (byte == 0xef) {
			memset(to + length, 'x', 250);
			length += 250;
		} else if (byte % 2) {
			strcpy(to + length, parts[byte / 2 % (sizeof(parts) / sizeof(*parts))]);
			length += strlen(to + length);
		} else if (byte != 0) {
			to[length++] = (char)byte;
		}
	}
	to[length] = '\0';
	(void)take(in);
}

static void look_up(const struct path_context *context, const char *name, unsigned flags)
{
	char buffer[300];
	struct path path;
	bool reachable;

	if (path_lookup(context, name, flags & 0x1ff, &path) != 0)
		return;
	(void)path_name(&path, context->root, buffer, 1 + flags % sizeof(buffer), &reachable);
	path_put(&path);
}

static void change_mode(const struct path_context *context, const char *name, unsigned mode)
{
	struct inode_attr attr = {.valid = ATTR_MODE, .mode = mode};
	struct path path;

	if (path_lookup(context, name, LOOKUP_FOLLOW, &path) != 0)
		return;
	(void)!vfs_setattr(&path, &attr, context->cred);
	path_put(&path);
}

static void run_one(struct input *in, struct path_context *context)
{
	unsigned operation = take(in), argument = take(in);
	char a[2048], b[2048];

	take_path(in, a);
	take_path(in, b);
	context->cred = operation & 0x80 ? &other : &vfs_cred_kernel;
	switch (operation % 12) {
	case 0:
		(void)!vfs_mkdir(context, a, 0777);
		break;
	case 1:
		(void)!vfs_create(context, a, argument << 8, 0);
		break;
	case 2:
		(void)!vfs_symlink(context, a, b);
		break;
	case 3:
		(void)!vfs_link(context, a, argument & LOOKUP_FOLLOW, context, b);
		break;
	case 4:
		(void)!vfs_unlink(context, a);
		break;
	case 5:
		(void)!vfs_rmdir(context, a);
		break;
	case 6:
		(void)!vfs_rename(context, a, context, b, argument % 8);
		break;
	case 7:
		change_mode(context, a, argument << 4);
		break;
	case 8:
		(void)!vfs_mount(context, a, b, "tmpfs", argument % 4 ? 0 : MS_BIND, NULL);
		break;
	case 9:
		(void)!vfs_umount(context, a, argument % 4 ? MNT_DETACH : 0);
		break;
	case 10:
		(void)dentry_shrink(argument, SIZE_MAX);
		break;
	default:
		look_up(context, a, argument | (operation & 0x10) << 4);
	}
}

static void boot(void)
{
	struct path_context context = {&boot_root, &boot_root, &vfs_cred_kernel};

	vfs_single_boot(&boot_root);
	if (vfs_mkdir(&context, "/w", 0777) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct path_context outside = {&boot_root, &boot_root, &vfs_cred_kernel}, inside;
	struct input in = {data, data + size};
	struct path root;
	size_t live;

	if (boot_root.mount == NULL)
		boot();
	(void)dentry_shrink(SIZE_MAX, SIZE_MAX);
	live = vfs_single_live;
	if (vfs_mount(&outside, "none", "/w", "tmpfs", 0, NULL) != 0 ||
	    path_lookup(&outside, "/w", 0, &root) != 0)
		abort();
	inside = (struct path_context){&root, &root, NULL};
	vfs_single_fail = take(&in);
	while (in.at < in.end) {
		run_one(&in, &inside);
		vfs_single_check();
	}
	vfs_single_fail = 0;
	path_put(&root);
	/* The program may have unmounted it itself, or mounted more on top. */
	while (vfs_umount(&outside, "/w", MNT_DETACH) == 0)
		;
	(void)dentry_shrink(SIZE_MAX, SIZE_MAX);
	if (vfs_single_live != live) {
		fprintf(stderr, "%zu objects before, %zu after\n", live, vfs_single_live);
		abort();
	}
	return 0;
}
