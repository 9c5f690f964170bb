/*
 * Do names and paths behave as on Linux, errno for errno?
 *
 * Random operations are done twice: by our vfs on our tmpfs, and by the host's system calls in a
 * chroot on its tmpfs. What they return, and what stat says afterwards, must be the same, for root
 * and for another user.
 *
 * links: vfs/chardev.c vfs/dentry.c vfs/file.c vfs/file_open.c vfs/inode.c vfs/iobuf.c vfs/lock.c
 * links: vfs/mount.c vfs/mount_ops.c vfs/notify.c vfs/page_io.c vfs/path.c vfs/path_name.c
 * links: vfs/path_ops.c vfs/path_rename.c vfs/poll.c vfs/super.c vfs/text_file.c vfs/xattr.c
 * links: fs/tmpfs/dir.c fs/tmpfs/file.c fs/tmpfs/super.c fs/tmpfs/xattr.c
 * links: lib/hash.c lib/format.c lib/number.c lib/rbtree.c lib/string_bounded.c
 * helpers: vfs_host.c vfs_single.c vfs_unused.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library defines them too, in other words. */
#undef RENAME_NOREPLACE
#undef RENAME_EXCHANGE
#undef RENAME_WHITEOUT

#include "host_test.h"
#include "vfs/dentry.h"
#include "vfs_compare.h"
#include "vfs_single.h"

#define ROUNDS 200000U

static struct path root;
static const struct vfs_cred user_cred = {.uid = VFS_USER, .gid = VFS_USER};
static struct path_context context = {.root = &root, .base = &root};
static unsigned succeeded;
static char trail[4096]; /* the last operations, for a report */

static void become(bool user)
{
	context.cred = user ? &user_cred : &vfs_cred_kernel;
	vfs_host_become(user);
}

/*
 * --- paths ---------------------------------------------------------------------------------------
 */

static void append_component(char *to)
{
	static const char *const names[] = {"a", "b", "c", "d", "a", "b", ".", "..", ".."};
	uint64_t choice = host_test_below(120);

	if (choice == 0) /* one byte too long, or just fitting */
		memset(to + strlen(to), 'n', 255 + host_test_below(2));
	else
		strcat(to, names[choice % (sizeof(names) / sizeof(*names))]);
}

static void make_path(char *path)
{
	uint64_t components = 1 + host_test_below(4);

	memset(path, 0, 2048);
	if (host_test_below(100) == 0)
		return;
	if (host_test_below(3) == 0)
		strcat(path, host_test_below(4) ? "/" : "//");
	for (uint64_t i = 0; i < components; i++) {
		append_component(path);
		if (i + 1 < components || host_test_below(6) == 0)
			strcat(path, host_test_below(10) ? "/" : "//");
	}
}

/*
 * --- one operation on either side ----------------------------------------------------------------
 */

static int our_setattr(const char *name, struct inode_attr *attr)
{
	struct path path;
	int error = path_lookup(&context, name, LOOKUP_FOLLOW, &path);

	if (error != 0)
		return error;
	error = vfs_setattr(&path, attr, context.cred);
	path_put(&path);
	return error;
}

static int our_stat(const char *name, unsigned flags, struct abi_stat *stat)
{
	struct path path;
	int error = path_lookup(&context, name, flags, &path);

	if (error != 0)
		return error;
	error = inode_stat(path_inode(&path), stat);
	path_put(&path);
	return error;
}

static struct vfs_answer do_ours(const struct vfs_request *r)
{
	struct inode_attr mode = {.valid = ATTR_MODE, .mode = r->mode};
	struct inode_attr owner = {
	    .valid = ATTR_UID | ATTR_GID, .uid = r->flags * VFS_USER, .gid = VFS_USER};
	struct vfs_answer answer = {0};
	struct abi_stat stat = {0};

	switch (r->operation) {
	case MKDIR:
		answer.error = vfs_mkdir(&context, r->a, r->mode);
		break;
	case MKNOD:
		answer.error = vfs_create(&context, r->a, S_IFREG | r->mode, 0);
		break;
	case SYMLINK:
		answer.error = vfs_symlink(&context, r->a, r->b);
		break;
	case LINK:
		answer.error =
		    vfs_link(&context, r->a, r->flags ? LOOKUP_FOLLOW : 0, &context, r->b);
		break;
	case UNLINK:
		answer.error = vfs_unlink(&context, r->a);
		break;
	case RMDIR:
		answer.error = vfs_rmdir(&context, r->a);
		break;
	case RENAME:
		answer.error = vfs_rename(&context, r->a, &context, r->b, r->flags);
		break;
	case CHMOD:
		answer.error = our_setattr(r->a, &mode);
		break;
	case CHOWN:
		answer.error = our_setattr(r->a, &owner);
		break;
	default:
		answer.error = our_stat(r->a, r->operation == STAT ? LOOKUP_FOLLOW : 0, &stat);
	}
	answer.mode = stat.st_mode;
	answer.nlink = stat.st_nlink;
	answer.uid = stat.st_uid;
	answer.gid = stat.st_gid;
	answer.size = S_ISDIR(stat.st_mode) ? 0 : stat.st_size;
	return answer;
}

/*
 * --- comparison ----------------------------------------------------------------------------------
 */

static const char *const operation_names[] = {"mkdir",  "mknod", "symlink", "link",
					      "unlink", "rmdir", "rename",  "chmod",
					      "chown",  "stat",  "lstat"};

static void note(const struct vfs_request *r, bool user)
{
	size_t length = strlen(trail);

	if (length > sizeof(trail) - 1200) {
		memmove(trail, trail + length / 2, length - length / 2 + 1);
		length = strlen(trail);
	}
	snprintf(trail + length, sizeof(trail) - length, "# %s%s %.300s %.300s mode %o flags %u\n",
		 operation_names[r->operation], user ? " (user)" : "", r->a, r->b, r->mode,
		 r->flags);
}

static bool same(const struct vfs_answer *a, const struct vfs_answer *b)
{
	return a->error == b->error && a->mode == b->mode && a->nlink == b->nlink &&
	       a->uid == b->uid && a->gid == b->gid && a->size == b->size;
}

static void print(const char *who, const struct vfs_answer *a)
{
	printf("# %s: %d mode %o nlink %lu uid %u gid %u size %ld\n", who, a->error, a->mode,
	       a->nlink, a->uid, a->gid, a->size);
}

static void make_request(struct vfs_request *r, bool user)
{
	static const unsigned rename_flags[] = {0, 0, 0, 0, 1, 2, 3, 8};

	r->operation = (enum vfs_operation)host_test_below(OPERATIONS);
	/* The host lets nobody link to what is not his, by a setting of its own. */
	if (user && r->operation == LINK)
		r->operation = LSTAT;
	make_path(r->a);
	make_path(r->b);
	r->mode = host_test_below(3) ? 0777 : (unsigned)host_test_below(010000);
	r->flags = (unsigned)host_test_below(2);
	if (r->operation == RENAME)
		r->flags = rename_flags[host_test_below(8)];
	/* Of a name too long and another fault in the other path, rename may report either. */
	while (r->operation == RENAME && strstr(r->a, "nn") != NULL)
		make_path(r->a);
	while (r->operation == RENAME && strstr(r->b, "nn") != NULL)
		make_path(r->b);
}

static bool compare_once(bool user)
{
	static struct vfs_request request;
	struct vfs_answer ours, host;

	make_request(&request, user);
	note(&request, user);
	become(user);
	ours = do_ours(&request);
	vfs_single_check();
	host = vfs_host_do(&request);
	succeeded += ours.error == 0;
	if (same(&ours, &host))
		return true;
	printf("%s", trail);
	print("ours", &ours);
	print("host", &host);
	return false;
}

/* Both sides with the same rule: distributions differ in what they switch on. */
static void follow_host_setting(const char *path, uint64_t *setting)
{
	FILE *file = fopen(path, "r");
	int digit = '1';

	if (file != NULL) {
		digit = fgetc(file);
		fclose(file);
	}
	*setting = digit != '0';
}

TEST(paths_are_as_on_linux)
{
	follow_host_setting("/proc/sys/fs/protected_symlinks", &vfs_protected_symlinks);
	if (!vfs_host_enter()) {
		printf("# SKIP not root, or no tmpfs at /dev/shm\n");
		return;
	}
	vfs_single_boot(&root);
	become(false);
	(void)our_setattr("/", &(struct inode_attr){.valid = ATTR_MODE, .mode = 01777});
	for (unsigned i = 0; i < ROUNDS; i++)
		if (!CHECK(compare_once(host_test_below(3) == 0)))
			break;
	become(false);
	vfs_host_leave();
	printf("# of %u operations %u succeeded\n", ROUNDS, succeeded);
	CHECK(succeeded > ROUNDS / 20);
}
