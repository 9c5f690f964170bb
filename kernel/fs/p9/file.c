/*
 * Content: pages of regular files through the page cache, entries of directories.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/p9/p9.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vfs/file.h"

static struct p9_inode *inode_of_object(struct object *object)
{
	return container_of(object, struct p9_inode, object);
}

/* Fetches the missing neighbours that one call can carry, none of them waited for. */
static size_t gather_pages(struct object *object, struct page *first, struct page **pages)
{
	uint64_t end = (object->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t n = 1;

	pages[0] = first;
	while (n < P9_READ_AHEAD_PAGES && first->index + n < end) {
		struct page *next = object_grab_absent(object, first->index + n);

		if (next == NULL)
			break;
		pages[n++] = next;
	}
	return n;
}

/* Pages behind the first are ours to unlock; what the reply did not fill is beyond the end. */
static void settle_pages(struct page **pages, size_t n, ssize_t got)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t here = got - (ssize_t)(i * PAGE_SIZE);
		char *data = page_address(pages[i]);

		if (here < 0)
			here = 0;
		if (here < (ssize_t)PAGE_SIZE)
			memset(data + here, 0, PAGE_SIZE - (size_t)here);
		if (i > 0) {
			/* A whole page short may only be a short reply: let its own read ask. */
			object_page_unlock(pages[i], here > 0);
			page_put(pages[i]);
		}
	}
}

static int p9_read_page(struct object *object, struct page *page)
{
	struct p9_inode *pi = inode_of_object(object);
	struct page *pages[P9_READ_AHEAD_PAGES];
	uint32_t fid;
	ssize_t got;
	size_t n;
	int error = p9_inode_open_fid(pi, false, &fid);

	if (error != 0)
		return error;
	n = gather_pages(object, page, pages);
	got = p9_read_pages(p9_client_of(&pi->inode), fid, page->index << PAGE_SHIFT, pages, n);
	settle_pages(pages, n, got < 0 ? 0 : got);
	return got < 0 ? (int)got : 0;
}

static int p9_write_page(struct object *object, struct page *page, size_t bytes)
{
	struct p9_inode *pi = inode_of_object(object);
	uint32_t fid;
	ssize_t put;
	int error = p9_inode_open_fid(pi, true, &fid);

	if (error != 0)
		return error;
	put = p9_write_pages(p9_client_of(&pi->inode), fid, page->index << PAGE_SHIFT, &page,
			     bytes);
	if (put < 0)
		return (int)put;
	return (size_t)put == bytes ? 0 : -ENOSPC;
}

const struct object_ops p9_object_ops = {
	.read_page = p9_read_page,
	.write_page = p9_write_page,
};

/*
 * Write-through: what write(2) reported as written is on the host. The mutex is held until it is,
 * so that whoever holds it and asks the host for the size gets the file's (p9_op_getattr()).
 */
static ssize_t p9_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct inode *inode = file->inode;
	ssize_t put;
	int error;

	if (from->left == 0)
		return 0;
	mutex_lock(&inode->mutex);
	put = page_cache_write_locked(file, from, pos);
	if (put > 0) {
		error = object_sync(inode->object, (uint64_t)(*pos - put), (uint64_t)*pos);
		put = error != 0 ? error : put;
	}
	mutex_unlock(&inode->mutex);
	return put;
}

static int p9_fsync_file(struct file *file, bool data_only)
{
	struct p9_inode *pi = p9_inode_of(file->inode);
	int error = object_sync(&pi->object, 0, UINT64_MAX);

	if (error == 0 && pi->write_fid != P9_NO_FID)
		error = p9_fsync(p9_client_of(file->inode), pi->write_fid, data_only);
	return error;
}

/* Stores through a shared mapping reach the host at msync, fsync, or here. */
static int p9_flush_file(struct file *file)
{
	return file->writable ? object_sync(file->inode->object, 0, UINT64_MAX) : 0;
}

const struct file_ops p9_file_ops = {
	.read = page_cache_read,
	.write = p9_write,
	.fsync = p9_fsync_file,
	.flush = p9_flush_file,
};

/* An open directory keeps a fid of its own in file->private (fid + 1: NULL means none). */
int p9_file_open(struct inode *inode, struct file *file)
{
	struct p9_inode *pi = p9_inode_of(inode);
	uint32_t fid;
	int error = 0;

	if (S_ISREG(inode->mode)) {
		if (file->readable)
			error = p9_inode_open_fid(pi, false, &fid);
		if (error == 0 && file->writable)
			error = p9_inode_open_fid(pi, true, &fid);
		return error;
	}
	if (!S_ISDIR(inode->mode))
		return file_open_special(inode, file);
	error = p9_walk(p9_client_of(inode), pi->fid, NULL, 0, &fid);
	if (error != 0)
		return error;
	error = p9_open(p9_client_of(inode), fid, O_RDONLY | O_DIRECTORY);
	if (error != 0) {
		p9_clunk(p9_client_of(inode), fid);
		return error;
	}
	file->private = (void *)(uintptr_t)(fid + 1UL);
	return 0;
}

static uint32_t dir_fid(const struct file *file)
{
	return (uint32_t)((uintptr_t)file->private - 1);
}

static void p9_dir_release(struct file *file)
{
	p9_clunk(p9_client_of(file->inode), dir_fid(file));
}

/* Gives the entries of one reply on; false: the caller's buffer is full. */
static bool emit_entries(struct file *file, struct dir_context *ctx, struct p9_buffer *b)
{
	struct p9_dirent entry;

	while (p9_get_dirent(b, &entry)) {
		if (entry.name_length == 0 || entry.name_length > NAME_MAX_BYTES)
			continue;
		if (!ctx->emit(ctx, entry.name, entry.name_length, entry.qid.path, entry.type,
			       (loff_t)entry.offset))
			return false;
		file->pos = (loff_t)entry.offset;
	}
	return true;
}

static int p9_getdents(struct file *file, struct dir_context *ctx)
{
	struct page *page = page_allocate(0, PAGE_KERNEL, 0);
	ssize_t got;

	if (page == NULL)
		return -ENOMEM;
	for (;;) {
		struct p9_buffer b = { .data = page_address(page) };

		got = p9_readdir(p9_client_of(file->inode), dir_fid(file), (uint64_t)file->pos,
				 page);
		if (got <= 0)
			break;
		b.capacity = (size_t)got;
		if (!emit_entries(file, ctx, &b)) {
			got = 0;
			break;
		}
		if (b.at == 0)		/* nothing decodable: no progress would loop */
			break;
	}
	page_put(page);
	return got < 0 ? (int)got : 0;
}

const struct file_ops p9_dir_ops = {
	.getdents = p9_getdents,
	.release = p9_dir_release,
};
