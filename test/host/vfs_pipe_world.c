/*
 * Files and inodes for pipes, from pools in the program's own data, so that the explorer puts them
 * back; page frames at the direct map.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "arch/host/host.h"
#include "explore.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "proc/cred.h"
#include "vfs_pipe_world.h"

#define FRAMES 64
#define FILES 16

static struct page frames[FRAMES];
struct page *page_array = frames;
static int live_pages, live_objects, live_files, live_inodes;
static struct file files[FILES];
static struct inode inodes[FILES], fifo;
static int (*open_fifo)(struct inode *inode, struct file *file);
static struct cred nobody;

struct cred *cred_current(void) { return &nobody; }
bool capable(int capability) { return true; }

/* --- memory ----------------------------------------------------------------------------------- */

void world_boot_pipes(void)
{
	explore_memory_bytes = FRAMES * PAGE_SIZE;
	explore_memory = mmap((void *)ARCH_DIRECT_MAP, explore_memory_bytes,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (explore_memory != (void *)ARCH_DIRECT_MAP)
		abort();
	inode_init(&fifo, NULL, S_IFIFO | 0600);
}

struct page *page_allocate(unsigned int order, enum page_kind kind, unsigned int flags)
{
	for (int i = 0; i < FRAMES; i++) {
		if (atomic32_compare_exchange(&frames[i].count, 0, 1)) {
			__atomic_add_fetch(&live_pages, 1, __ATOMIC_SEQ_CST);
			frames[i].private = 0;
			return &frames[i];
		}
	}
	return NULL;
}

void page_put_last(struct page *p, uint32_t left)
{
	if (left != 0)
		abort();
	__atomic_sub_fetch(&live_pages, 1, __ATOMIC_SEQ_CST);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	return (struct slab_cache *)size;
}

void *slab_allocate_zeroed(struct slab_cache *cache)
{
	__atomic_add_fetch(&live_objects, 1, __ATOMIC_SEQ_CST);
	return calloc(1, (size_t)cache);
}

void *slab_allocate(struct slab_cache *cache)
{
	return slab_allocate_zeroed(cache);
}

void slab_free(struct slab_cache *cache, void *object)
{
	if (object != NULL)
		__atomic_sub_fetch(&live_objects, 1, __ATOMIC_SEQ_CST);
	free(object);
}

void *kcalloc(size_t n, size_t bytes) { return calloc(n, bytes); }

/* --- user memory: never asked for ------------------------------------------------------------- */

int copy_from_user_nofault(void *to, user_addr_t from, size_t n) { abort(); }
int clear_user(user_addr_t to, size_t n) { abort(); }
size_t copy_from_user_partial(void *to, user_addr_t from, size_t n) { abort(); }
size_t copy_to_user_partial(user_addr_t to, const void *from, size_t n) { abort(); }

/* --- inodes and files ------------------------------------------------------------------------- */

void inode_init(struct inode *inode, struct super *super, uint32_t mode)
{
	memset(inode, 0, sizeof(*inode));
	refcount_init(&inode->references);
	spin_init(&inode->lock, RANK_INODE);
	inode->mode = mode;
}

struct inode *inode_create_anonymous(uint32_t mode)
{
	for (int i = 0; i < FILES; i++) {
		if (refcount_read(&inodes[i].references) == 0) {
			inode_init(&inodes[i], NULL, mode);
			live_inodes++;
			return &inodes[i];
		}
	}
	return NULL;
}

/* What a test opens by inode stands for a FIFO. */
bool inode_is_anonymous(const struct inode *inode)
{
	(void)inode;
	return false;
}

void inode_put(struct inode *inode)
{
	if (refcount_put(&inode->references))
		__atomic_sub_fetch(&live_inodes, 1, __ATOMIC_SEQ_CST);
}

static struct file *file_new(int flags)
{
	for (int i = 0; i < FILES; i++) {
		if (atomic32_compare_exchange(&files[i].references.n, 0, 1)) {
			struct file *f = &files[i];

			f->flags = (uint32_t)flags;
			f->readable = (flags & O_ACCMODE) != O_WRONLY;
			f->writable = (flags & O_ACCMODE) != O_RDONLY;
			f->pos = 0;
			__atomic_add_fetch(&live_files, 1, __ATOMIC_SEQ_CST);
			return f;
		}
	}
	return NULL;
}

int file_create_on_inode(const struct file_ops *ops, void *private, int flags,
			 struct inode *inode, const char *name, struct file **out)
{
	struct file *f = file_new(flags);

	f->ops = ops;
	f->private = private;
	f->inode = inode;
	*out = f;
	return 0;
}

int file_create_anonymous(const struct file_ops *ops, void *private, int flags,
			  uint32_t inode_mode, struct file **out)
{
	return file_create_on_inode(ops, private, flags, inode_create_anonymous(inode_mode), "",
				    out);
}

void file_anonymous_name(char *buf, size_t n, const char *kind, const struct inode *inode)
{
	buf[0] = '\0';
}

void file_register_special(uint32_t mode_type, int (*open)(struct inode *inode, struct file *file))
{
	open_fifo = open;
}

void file_put(struct file *f)
{
	struct inode *inode = f->inode;

	/* The last reference: the slot is free for others only when all is done. */
	if (refcount_read(&f->references) > 1) {
		if (!refcount_put(&f->references))
			return;
		refcount_init(&f->references);
	}
	f->ops->release(f);
	inode_put(inode);
	__atomic_sub_fetch(&live_files, 1, __ATOMIC_SEQ_CST);
	(void)!refcount_put(&f->references);
}

uint32_t file_poll(struct file *f, struct poll_table *table)
{
	return f->ops->poll(f, table);
}

void world_close(struct file *file)
{
	file_put(file);
}

int world_open_fifo(int flags, struct file **out)
{
	struct file *f = file_new(flags);
	int error;

	f->inode = &fifo;
	inode_get(&fifo);
	error = open_fifo(&fifo, f);
	*out = f;
	return error;
}

void world_check_empty(void)
{
	HOST_EXPECT(live_files == 0 && live_inodes == 0 && live_pages == 0 && live_objects == 0);
	HOST_EXPECT(fifo.pipe == NULL);
}
