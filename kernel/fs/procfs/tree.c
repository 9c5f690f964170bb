/*
 * The tree: entries become inodes, directories list their entries and their dynamic names.
 */
#include "abi/capability.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mount.h"
#include "fs/procfs/procfs.h"
#include "lib/format.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/cred_change.h"
#include "proc/task_access.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

#define PROC_MAGIC 0x9fa0
#define WRITE_MAX 4096
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

static struct slab_cache *inode_cache;
static const struct inode_ops dir_ops, link_ops, magic_link_ops, file_inode_ops;
static const struct file_ops dir_file_ops, text_ops;

bool proc_parse_id(const char *name, size_t length, uint32_t *id)
{
	uint64_t value = 0;

	if (length == 0 || length > 9 || (name[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(name[i] - '0');
	}
	*id = (uint32_t)value;
	return true;
}

bool proc_subject_get(const struct proc_subject *s, struct process **p, struct task **t)
{
	*p = process_lookup(s->pid);
	if (*p == NULL)
		return false;
	*t = task_lookup(s->tid);
	if ((*p)->start_ns == s->start_ns && (*t == NULL || (*t)->process == *p))
		return true;
	proc_subject_put(*p, *t);
	return false;
}

void proc_subject_put(struct process *p, struct task *t)
{
	if (t != NULL)
		task_put(t);
	process_put(p);
}

struct space *proc_subject_space(const struct proc_subject *s)
{
	struct space *space = NULL;
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return NULL;
	if (t != NULL)
		space = task_get_space(t);
	proc_subject_put(p, t);
	return space;
}

int proc_subject_hold_space(struct proc_subject *s)
{
	struct space *space, *after;
	int error;

	/* The right must be one to this space: the subject had it before and after the check. */
	do {
		space = proc_subject_space(s);
		error = proc_subject_access(s);
		after = proc_subject_space(s);
		space_put(after);
		if (after != space)
			space_put(space);
	} while (after != space);
	if (space == NULL)
		return error;
	if (error == 0) {
		space_hold(space);
		s->space = space;
	}
	space_put(space);
	return error;
}

struct space *proc_subject_held_space(const struct proc_subject *s)
{
	return s->space != NULL && space_try_get(s->space) ? s->space : NULL;
}

struct fdtable *proc_subject_fdtable(const struct proc_subject *s)
{
	struct fdtable *table = NULL;
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return NULL;
	if (t != NULL)
		table = task_get_fdtable(t);
	proc_subject_put(p, t);
	return table;
}

/* --- inodes ----------------------------------------------------------------------------------- */

static bool task_is_dumpable(struct task *task)
{
	struct space *space = task_get_space(task);
	bool dumpable = space != NULL && space->dumpable;

	if (space != NULL)
		space_put(space);
	return dumpable;
}

/*
 * Who owns what is below /proc/PID: the process's effective ids; root what may tell more than the
 * folders that are open to all, of a process that was privileged (or has ended).
 */
static void inode_set_owner(struct inode *inode, const struct proc_subject *s)
{
	struct process *p;
	struct task *t;

	if (s->pid == 0 || !proc_subject_get(s, &p, &t))
		return;
	if (t != NULL) {
		bool open = inode->mode == (S_IFDIR | 0555) || task_is_dumpable(t);
		struct cred *cred = cred_of_task(t);

		inode->uid = open ? cred->euid : 0;
		inode->gid = open ? cred->egid : 0;
		cred_put(cred);
	}
	proc_subject_put(p, t);
}

static struct inode *proc_inode_make(struct super *super, const struct proc_entry *entry,
				     const struct proc_subject *subject)
{
	struct proc_inode *pi = slab_allocate_zeroed(inode_cache);
	struct inode *inode;

	if (pi == NULL)
		return NULL;
	inode = &pi->inode;
	inode_init(inode, super, entry->mode);
	pi->entry = entry;
	pi->subject = *subject;
	inode->number = hash_pair((uint64_t)(uintptr_t)entry,
				  hash_pair(subject->tid, (uint64_t)subject->fd)) >> 16 | 1;
	inode->nlink = S_ISDIR(entry->mode) ? 2 : 1;
	inode_set_owner(inode, subject);
	if (S_ISDIR(entry->mode)) {
		inode->ops = &dir_ops;
		inode->file_ops = &dir_file_ops;
	} else if (S_ISLNK(entry->mode)) {
		inode->ops = entry->follow != NULL ? &magic_link_ops : &link_ops;
	} else {
		inode->ops = &file_inode_ops;
		inode->file_ops = entry->file_ops != NULL ? entry->file_ops : &text_ops;
	}
	return inode;
}

static void proc_evict(struct inode *inode)
{
	slab_free(inode_cache, proc_inode_of(inode));
}

int proc_subject_access(const struct proc_subject *s)
{
	struct process *p;
	struct task *t;
	bool may;

	if (!proc_subject_get(s, &p, &t))
		return -ESRCH;
	may = t == NULL || p == process_current() || task_may_access(t);
	proc_subject_put(p, t);
	return may ? 0 : -EACCES;
}

int proc_subject_exists(const struct proc_subject *s)
{
	struct process *p;
	struct task *t;

	if (!proc_subject_get(s, &p, &t))
		return -ESRCH;
	proc_subject_put(p, t);
	return t != NULL ? 0 : -ESRCH;
}

static int proc_lookup(struct inode *dir, struct dentry *dentry)
{
	const struct proc_entry *entry = proc_inode_of(dir)->entry, *found = NULL;
	struct proc_subject subject = proc_inode_of(dir)->subject;
	struct inode *inode;

	for (const struct proc_entry *e = entry->children; e != NULL && e->name != NULL; e++) {
		if (strcmp(e->name, dentry->name) == 0)
			found = e;
	}
	if (found == NULL && entry->dynamic != NULL &&
	    entry->dynamic->find(&subject, dentry->name, dentry->name_length))
		found = entry->dynamic->entry;
	if (found == NULL)		/* nothing can be made here: not even a negative name */
		return -ENOENT;
	inode = proc_inode_make(dir->super, found, &subject);
	if (inode == NULL)
		return -ENOMEM;
	dentry_instantiate(dentry, inode);
	return 0;
}

/* Names of processes come and go: only the fixed ones outside /proc/PID may be kept. */
static bool proc_revalidate(struct dentry *dentry)
{
	const struct proc_subject *s;
	struct process *p;
	struct task *t;

	if (dentry->inode == NULL)
		return false;
	s = &proc_inode_of(dentry->inode)->subject;
	if (s->pid == 0)
		return true;
	if (s->fd >= 0 || !proc_subject_get(s, &p, &t))
		return false;
	inode_set_owner(dentry->inode, s);
	proc_subject_put(p, t);
	return true;
}

static int proc_getattr(struct inode *inode)
{
	inode_set_owner(inode, &proc_inode_of(inode)->subject);
	return 0;
}

/* Its own descriptors a process may always look up, also those of a folder that root owns. */
static int dir_permission(struct inode *inode, int mask, const struct vfs_cred *cred)
{
	const struct proc_inode *pi = proc_inode_of(inode);

	if (pi->entry->needs_access && pi->subject.pid == process_current()->pid &&
	    (mask & W_OK) == 0)
		return 0;
	return inode_permission_of_mode(inode, mask, cred);
}

static int proc_setattr(struct inode *inode, const struct inode_attr *attr)
{
	/* O_TRUNC on a writable file is accepted and means nothing. */
	return (attr->valid & ~(uint32_t)(ATTR_SIZE | ATTR_MTIME | ATTR_CTIME)) != 0 ? -EPERM : 0;
}

static int proc_readlink(struct inode *inode, char **out)
{
	const struct proc_inode *pi = proc_inode_of(inode);
	struct path path;
	char *buffer, *name;
	bool reachable;
	int error;

	error = pi->entry->needs_access ? proc_subject_access(&pi->subject) : 0;
	if (error != 0)
		return error;
	if (pi->entry->link != NULL)
		return pi->entry->link(&pi->subject, out);
	error = pi->entry->follow(&pi->subject, &path);
	if (error != 0)
		return error;
	buffer = kmalloc(PATH_MAX_BYTES);
	name = buffer != NULL ? path_name(&path, &task_current()->fs->root, buffer, PATH_MAX_BYTES,
					  &reachable) : NULL;
	path_put(&path);
	*out = name != NULL ? kstrdup(name) : NULL;
	if (*out == NULL)
		error = buffer != NULL && name == NULL ? -ENAMETOOLONG : -ENOMEM;
	kfree(buffer);
	return error;
}

static int proc_follow(struct inode *inode, struct path *out)
{
	const struct proc_inode *pi = proc_inode_of(inode);
	int error = pi->entry->needs_access ? proc_subject_access(&pi->subject) : 0;

	return error != 0 ? error : pi->entry->follow(&pi->subject, out);
}

/* --- files ------------------------------------------------------------------------------------ */

/* An open file with text: whose it is, as of the open. */
struct proc_file {
	struct text_file text;
	const struct proc_entry *entry;
	struct proc_subject subject;
};

/* Of what a process does the right is asked for at each making: it may have become another's. */
static int entry_make(struct text *t, void *arg)
{
	const struct proc_file *pf = arg;
	int error = 0;

	if (pf->entry->needs_access && !pf->entry->of_space)
		error = proc_subject_access(&pf->subject);
	/* Of one that is gone there is nothing to guard; what is left to say, the entry knows. */
	return error != 0 && error != -ESRCH ? error : pf->entry->show(t, &pf->subject);
}

static int text_open(const struct proc_inode *pi, struct file *file)
{
	struct proc_file *pf = kzalloc(sizeof(*pf));
	int error = 0;

	if (pf == NULL)
		return -ENOMEM;
	pf->entry = pi->entry;
	pf->subject = pi->subject;
	text_file_init(&pf->text, entry_make, pf);
	if (pf->entry->of_space)
		error = proc_subject_hold_space(&pf->subject);
	else if (pf->entry->of_root)
		error = proc_subject_hold_root(&pf->subject);
	if (error != 0)
		kfree(pf);
	else
		file->private = pf;
	return error;
}

static int proc_open(struct inode *inode, struct file *file)
{
	const struct proc_inode *pi = proc_inode_of(inode);
	int error = pi->entry->needs_access ? proc_subject_access(&pi->subject) : 0;

	if (error == 0 && pi->entry->open != NULL)
		return pi->entry->open(&pi->subject, file);
	if (error != 0 || pi->entry->file_ops != NULL || S_ISDIR(inode->mode))
		return error;
	return file->readable && pi->entry->show != NULL ? text_open(pi, file) : 0;
}

static ssize_t proc_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct proc_file *pf = file->private;

	return pf != NULL ? text_file_read(&pf->text, to, pos) : -EINVAL;
}

static ssize_t proc_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	const struct proc_inode *pi = proc_inode_of(file->inode);
	size_t n = from->left < WRITE_MAX ? from->left : WRITE_MAX;
	char *text;
	ssize_t done;

	if (pi->entry->write == NULL)
		return -EIO;
	text = kzalloc(n + 1);
	if (text == NULL)
		return -ENOMEM;
	if (iobuf_take(from, text, n) != n)
		done = -EFAULT;
	else
		done = pi->entry->write(&pi->subject, text, n);
	kfree(text);
	if (done > 0)
		*pos += done;
	return done;
}

static void proc_release(struct file *file)
{
	struct proc_file *pf = file->private;

	if (pf == NULL)
		return;
	text_file_fini(&pf->text);
	if (pf->subject.space != NULL)
		space_release(pf->subject.space);
	if (pf->entry->of_root)
		path_put(&pf->subject.root);
	kfree(pf);
}

/* --- directories ------------------------------------------------------------------------------ */

/* Positions: 0 ".", 1 "..", then the table, then DYNAMIC_POS + id. */
#define DYNAMIC_POS 256

static bool emit_fixed(struct file *file, struct dir_context *ctx, const struct proc_entry *entry)
{
	static const char *const dots[] = { ".", ".." };
	loff_t at = file->pos;

	for (; at < 2; file->pos = ++at) {
		if (!ctx->emit(ctx, dots[at], (size_t)at + 1, file->inode->number, DT_DIR, at + 1))
			return false;
	}
	for (loff_t i = 0; entry->children != NULL && entry->children[i].name != NULL; i++) {
		const struct proc_entry *e = &entry->children[i];
		uint8_t type = S_ISDIR(e->mode) ? DT_DIR : S_ISLNK(e->mode) ? DT_LNK : DT_REG;

		if (i + 2 < at)
			continue;
		if (!ctx->emit(ctx, e->name, strlen(e->name), (uint64_t)(uintptr_t)e >> 3 | 1, type,
			       i + 3))
			return false;
		file->pos = at = i + 3;
	}
	return true;
}

static int proc_getdents(struct file *file, struct dir_context *ctx)
{
	const struct proc_inode *pi = proc_inode_of(file->inode);
	const struct proc_dynamic *dynamic = pi->entry->dynamic;
	int64_t id;

	if (file->pos < DYNAMIC_POS) {
		if (!emit_fixed(file, ctx, pi->entry))
			return 0;
		file->pos = DYNAMIC_POS;
	}
	while (dynamic != NULL &&
	       (id = dynamic->next(&pi->subject, (uint64_t)file->pos - DYNAMIC_POS)) >= 0) {
		char name[24];
		size_t length = format_string(name, sizeof(name), "%s%lld",
					      dynamic->prefix != NULL ? dynamic->prefix : "",
					      (long long)id);
		uint8_t type = S_ISDIR(dynamic->entry->mode) ? DT_DIR : DT_LNK;

		if (S_ISREG(dynamic->entry->mode))
			type = DT_REG;
		if (!ctx->emit(ctx, name, length, (uint64_t)id + DYNAMIC_POS, type,
			       id + DYNAMIC_POS + 1))
			return 0;
		file->pos = id + DYNAMIC_POS + 1;
	}
	return 0;
}

static const struct inode_ops dir_ops = {
	.lookup = proc_lookup,
	.permission = dir_permission,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.revalidate = proc_revalidate,
	.open = proc_open,
	.evict = proc_evict,
};

static const struct inode_ops link_ops = {
	.readlink = proc_readlink,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.evict = proc_evict,
};

static const struct inode_ops magic_link_ops = {
	.readlink = proc_readlink,
	.follow = proc_follow,
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.evict = proc_evict,
};

static const struct inode_ops file_inode_ops = {
	.getattr = proc_getattr,
	.setattr = proc_setattr,
	.open = proc_open,
	.evict = proc_evict,
};

static const struct file_ops dir_file_ops = { .getdents = proc_getdents };

static const struct file_ops text_ops = {
	.read = proc_read,
	.write = proc_write,
	.release = proc_release,
};

/* --- mounting --------------------------------------------------------------------------------- */

static int proc_statfs(struct super *super, struct abi_statfs *out)
{
	out->f_type = super->magic;
	out->f_bsize = PAGE_SIZE;
	out->f_namelen = NAME_MAX_BYTES;
	return 0;
}

static void proc_destroy(struct super *super)
{
	kfree(super);
}

static const struct super_ops proc_super_ops = { .statfs = proc_statfs, .destroy = proc_destroy };

int proc_mount_tree(const struct fs_type *type, const struct proc_entry *entry, uint32_t magic,
		    struct super **out)
{
	static const struct proc_subject none = { .fd = -1 };
	struct super *super = kzalloc(sizeof(*super));
	struct inode *root;

	if (super == NULL)
		return -ENOMEM;
	super_init(super, type, &proc_super_ops, magic);
	root = proc_inode_make(super, entry, &none);
	if (root != NULL) {
		root->number = 1;
		super->root = dentry_create_root(super, root);
		if (super->root == NULL)
			inode_put(root);
	}
	if (super->root == NULL) {
		kfree(super);
		return -ENOMEM;
	}
	*out = super;
	return 0;
}

/*
 * One instance for all mounts, made with the first and kept: so the names of a process that is gone
 * are found in one place.
 */
static struct super *proc_super;
static struct mutex proc_super_mutex;

static int proc_mount(const struct fs_type *type, const char *source, const char *options,
		      uint32_t flags, struct super **out)
{
	struct super *super;
	int error = 0;

	mutex_lock(&proc_super_mutex);
	if (proc_super == NULL) {
		error = proc_mount_tree(type, &proc_root_entry, PROC_MAGIC, &super);
		if (error == 0)
			store_release(&proc_super, super);
	}
	if (error == 0) {
		refcount_get(&proc_super->references);
		*out = proc_super;
	}
	mutex_unlock(&proc_super_mutex);
	return error;
}

/* A process was reaped: nobody will ask for the cached names below its number again. */
static void forget_process(uint32_t pid)
{
	struct super *super = load_acquire(&proc_super);
	struct dentry *d;
	char name[12];
	size_t length;

	if (super == NULL)
		return;
	length = format_string(name, sizeof(name), "%u", pid);
	d = dentry_find_child(super->root, name, length);
	if (d == NULL)
		return;
	dentry_drop_tree(d);
	dentry_put(d);
}

static struct fs_type proc_type = { .name = "proc", .mount = proc_mount };

void procfs_init(void)
{
	proc_trace_init();
	inode_cache = slab_cache_create("proc_inode", sizeof(struct proc_inode), 64);
	mutex_init(&proc_super_mutex);
	process_set_gone_hook(forget_process);
	fs_type_register(&proc_type);
}
