/*
 * Mounting, the table of inodes, attributes.
 */
#include "abi/errno.h"
#include "abi/mount.h"
#include "fs/p9/p9.h"
#include "lib/hash.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/mount.h"

#define P9_MAGIC 0x01021997

static struct slab_cache *inode_cache;

static struct hlist_head *inode_bucket(struct p9_super *super, uint64_t qid_path)
{
	return &super->inodes[hash_u64(qid_path) % P9_INODE_BUCKETS];
}

/* A dying inode (count 0) is passed over: its evict will take it off the list. */
static struct inode *inode_find(struct p9_super *super, uint64_t qid_path) REQUIRES(&super->lock)
{
	struct hlist_node *at = inode_bucket(super, qid_path)->first;

	assert_held(&super->lock);
	for (; at != NULL; at = at->next) {
		struct p9_inode *pi = container_of(at, struct p9_inode, hash_node);

		if (pi->inode.number == qid_path && refcount_try_get(&pi->inode.references))
			return &pi->inode;
	}
	return NULL;
}

static void inode_apply(struct p9_inode *pi, const struct p9_attr *attr)
{
	struct inode *inode = &pi->inode;

	spin_lock(&inode->lock);
	inode->mode = (inode->mode & S_IFMT) | (attr->mode & ~(uint32_t)S_IFMT);
	inode->uid = attr->uid;
	inode->gid = attr->gid;
	inode->nlink = (uint32_t)attr->nlink;
	inode->atime = (struct abi_timespec){ (int64_t)attr->atime_sec, (int64_t)attr->atime_nsec };
	inode->mtime = (struct abi_timespec){ (int64_t)attr->mtime_sec, (int64_t)attr->mtime_nsec };
	inode->ctime = (struct abi_timespec){ (int64_t)attr->ctime_sec, (int64_t)attr->ctime_nsec };
	inode->size = attr->size;		/* a regular file's is its object's */
	inode->blocks_512 = attr->blocks;
	spin_unlock(&inode->lock);
	__atomic_store_n(&pi->refreshed_ns, clock_ns(), __ATOMIC_RELAXED);
}

static struct inode *inode_make(struct p9_super *super, uint32_t fid, const struct p9_attr *attr)
{
	struct p9_inode *pi = slab_allocate_zeroed(inode_cache);

	if (pi == NULL)
		return NULL;
	inode_init(&pi->inode, &super->super, attr->mode);
	pi->inode.ops = &p9_inode_ops;
	if (S_ISDIR(attr->mode))
		pi->inode.file_ops = &p9_dir_ops;
	else if (S_ISREG(attr->mode))
		pi->inode.file_ops = &p9_file_ops;
	pi->inode.number = attr->qid.path;
	pi->inode.rdev = attr->rdev;
	pi->fid = fid;
	pi->read_fid = P9_NO_FID;
	pi->write_fid = P9_NO_FID;
	mutex_init(&pi->fid_mutex);
	inode_apply(pi, attr);
	if (S_ISREG(attr->mode)) {
		object_init(&pi->object, &p9_object_ops);
		pi->object.size_bytes = attr->size;
		pi->inode.object = &pi->object;
	}
	return &pi->inode;
}

/* The new inode goes into the table, unless somebody else was faster: then that one is returned. */
static struct inode *inode_publish(struct p9_super *super, struct inode *made)
{
	struct inode *other;

	spin_lock(&super->lock);
	other = inode_find(super, made->number);
	if (other == NULL)
		hlist_push_front(inode_bucket(super, made->number),
				 &p9_inode_of(made)->hash_node);
	spin_unlock(&super->lock);
	if (other == NULL)
		return made;
	inode_put(made);
	return other;
}

/* Met by a name: of its own fid's the host may have made something else. Consumes the fid. */
static void inode_take_fid(struct p9_inode *pi, uint32_t fid)
{
	uint32_t old = fid;

	if (!S_ISDIR(pi->inode.mode)) {
		mutex_lock(&pi->fid_mutex);
		old = pi->fid;
		pi->fid = fid;
		__atomic_store_n(&pi->name_lost, false, __ATOMIC_RELAXED);
		mutex_unlock(&pi->fid_mutex);
	}
	p9_clunk(p9_client_of(&pi->inode), old);
}

static void inode_unpublish(struct p9_inode *pi)
{
	struct p9_super *super = p9_super_of(&pi->inode);

	spin_lock(&super->lock);
	if (hlist_is_linked(&pi->hash_node))
		hlist_remove(&pi->hash_node);
	spin_unlock(&super->lock);
}

/* A folder keeps its fid: after the host moved it, its fid leads nowhere. */
static bool dir_is_lost(struct inode *inode)
{
	return S_ISDIR(inode->mode) && (p9_inode_refresh(inode, true) != 0 ||
					p9_inode_has_lost_name(inode));
}

/* The known inode of what the server answered about, counted; NULL: none. One that is it no more
 * (the number was given to another kind) leaves the table. */
static struct inode *inode_meet(struct p9_super *super, const struct p9_attr *attr)
{
	struct inode *inode;

	spin_lock(&super->lock);
	inode = inode_find(super, attr->qid.path);
	spin_unlock(&super->lock);
	if (inode == NULL ||
	    (((inode->mode ^ attr->mode) & S_IFMT) == 0 && !dir_is_lost(inode)))
		return inode;
	inode_unpublish(p9_inode_of(inode));
	inode_put(inode);
	return NULL;
}

int p9_inode_get(struct p9_super *super, uint32_t fid, struct inode **out)
{
	struct p9_attr attr;
	struct inode *inode;
	int error = p9_getattr(super->client, fid, &attr);

	if (error == 0) {
		inode = inode_meet(super, &attr);
		if (inode != NULL) {
			/* A file's size may have changed: p9_inode_refresh() sees to its pages. */
			if (!S_ISREG(inode->mode))
				inode_apply(p9_inode_of(inode), &attr);
			*out = inode;
			inode_take_fid(p9_inode_of(inode), fid);
			return 0;
		}
		inode = inode_make(super, fid, &attr);
		error = inode != NULL ? 0 : -ENOMEM;
	}
	if (error != 0) {
		p9_clunk(super->client, fid);
		return error;
	}
	*out = inode_publish(super, inode);
	return 0;
}

void p9_inode_name_removed(struct inode *inode)
{
	struct p9_inode *pi = p9_inode_of(inode);
	bool last;

	spin_lock(&inode->lock);
	if (S_ISDIR(inode->mode))
		inode->nlink = 0;
	else if (inode->nlink > 0)
		inode->nlink--;
	last = inode->nlink == 0;
	spin_unlock(&inode->lock);
	inode_touch_ctime(inode);
	__atomic_store_n(&pi->name_lost, true, __ATOMIC_RELAXED);
	if (last)
		inode_unpublish(pi);
}

void p9_inode_evict(struct inode *inode)
{
	struct p9_inode *pi = p9_inode_of(inode);
	struct p9_client *c = p9_client_of(inode);

	inode_unpublish(pi);
	if (inode->object != NULL) {
		/* Errors were reported to whoever wrote; a mapping's late ones have no one left. */
		int error = object_sync(&pi->object, 0, UINT64_MAX);

		(void)error;
		object_fini(&pi->object);
	}
	if (pi->read_fid != P9_NO_FID)
		p9_clunk(c, pi->read_fid);
	if (pi->write_fid != P9_NO_FID)
		p9_clunk(c, pi->write_fid);
	p9_clunk(c, pi->fid);
	slab_free(inode_cache, pi);
}

/*
 * A file that was changed on the host: what is cached of it is dropped. Not while there is
 * something that the host does not have yet: then its size is not the file's.
 */
static void inode_follow_size(struct p9_inode *pi, const struct p9_attr *attr)
{
	struct inode *inode = &pi->inode;

	if (inode->object == NULL || atomic32_load(&pi->object.dirty_pages) > 0)
		return;
	if (inode->mtime.tv_sec != (int64_t)attr->mtime_sec ||
	    inode->mtime.tv_nsec != (int64_t)attr->mtime_nsec)
		object_follow_store(&pi->object, attr->size);
}

static bool is_of(const struct inode *inode, const struct p9_attr *attr)
{
	return attr->qid.path == inode->number && ((attr->mode ^ inode->mode) & S_IFMT) == 0;
}

int p9_inode_refresh(struct inode *inode, bool now)
{
	struct p9_inode *pi = p9_inode_of(inode);
	uint64_t age = clock_ns() - __atomic_load_n(&pi->refreshed_ns, __ATOMIC_RELAXED);
	struct p9_attr attr;
	int error;

	if (!now && (p9_super_of(inode)->loose || age < P9_FRESH_NS))
		return 0;
	/* By no name, there is nothing to be asked for: what is known stays. */
	if (p9_inode_has_lost_name(inode))
		return 0;
	mutex_lock(&pi->fid_mutex);
	error = p9_getattr(p9_client_of(inode), pi->fid, &attr);
	/* The host took the name away, or gave it to another: no attributes of this one. */
	if (error == -ENOENT || (error == 0 && !is_of(inode, &attr))) {
		__atomic_store_n(&pi->name_lost, true, __ATOMIC_RELAXED);
		error = -ENOENT;
	}
	mutex_unlock(&pi->fid_mutex);
	if (error == -ENOENT)
		return 0;
	if (error == 0) {
		inode_follow_size(pi, &attr);
		inode_apply(pi, &attr);
	}
	return error;
}

int p9_inode_open_fid(struct p9_inode *pi, bool for_write, uint32_t *fid)
{
	struct p9_client *c = p9_client_of(&pi->inode);
	uint32_t *kept = for_write ? &pi->write_fid : &pi->read_fid;
	uint32_t made;
	int error = 0;

	mutex_lock(&pi->fid_mutex);
	if (*kept == P9_NO_FID) {
		error = p9_walk(c, pi->fid, NULL, 0, &made);
		if (error == 0) {
			error = p9_open(c, made, for_write ? 1 : 0);	/* O_WRONLY, O_RDONLY */
			if (error == 0)
				*kept = made;
			else
				p9_clunk(c, made);
		}
	}
	*fid = *kept;
	mutex_unlock(&pi->fid_mutex);
	return error;
}

static int p9_super_statfs(struct super *super, struct abi_statfs *out)
{
	struct p9_statfs s;
	int error = p9_statfs(((struct p9_super *)super)->client,
			      p9_inode_of(super->root->inode)->fid, &s);

	if (error != 0)
		return error;
	out->f_type = P9_MAGIC;
	out->f_bsize = s.bsize;
	out->f_frsize = s.bsize;
	out->f_blocks = s.blocks;
	out->f_bfree = s.bfree;
	out->f_bavail = s.bavail;
	out->f_files = s.files;
	out->f_ffree = s.ffree;
	out->f_namelen = s.namelen;
	return 0;
}

static void p9_super_destroy(struct super *super)
{
	p9_client_destroy(((struct p9_super *)super)->client);
	kfree(super);
}

static const struct super_ops p9_super_ops = {
	.statfs = p9_super_statfs,
	.destroy = p9_super_destroy,
};

static bool has_option(const char *options, const char *wanted)
{
	size_t n = strlen(wanted);

	for (const char *at = options; at != NULL; at = strchr(at, ',')) {
		if (*at == ',')
			at++;
		if (strncmp(at, wanted, n) == 0 && (at[n] == '\0' || at[n] == ','))
			return true;
	}
	return false;
}

static int p9_mount_client(struct p9_super *p, struct p9_transport *transport)
{
	struct inode *root;
	uint32_t fid;
	int error = p9_client_create(transport, "", &fid, &p->client);

	if (error != 0)
		return error;
	error = p9_inode_get(p, fid, &root);
	if (error == 0) {
		p->super.root = dentry_create_root(&p->super, root);
		if (p->super.root != NULL)
			return 0;
		inode_put(root);
		error = -ENOMEM;
	}
	p9_client_destroy(p->client);
	return error;
}

static int p9_mount(const struct fs_type *type, const char *source, const char *options,
		    uint32_t flags, struct super **out)
{
	struct p9_transport *transport = source != NULL ? p9_transport_find(source) : NULL;
	struct p9_super *p;
	int error;

	if (transport == NULL)
		return -ENOENT;
	p = kzalloc(sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	spin_init(&p->lock, RANK_DENTRY);
	p->loose = options != NULL && has_option(options, "cache=loose");
	super_init(&p->super, type, &p9_super_ops, P9_MAGIC);
	p->super.read_only = (flags & MS_RDONLY) != 0;
	error = p9_mount_client(p, transport);
	if (error != 0) {
		kfree(p);
		return error;
	}
	*out = &p->super;
	return 0;
}

static struct fs_type p9_type = { .name = "9p", .mount = p9_mount };

void p9_init(void)
{
	inode_cache = slab_cache_create("p9_inode", sizeof(struct p9_inode), 64);
	fs_type_register(&p9_type);
}
