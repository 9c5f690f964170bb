/*
 * read and write of files through their page cache: the same pages that mmap shows.
 *
 * Reading takes a reference to a page under the object's lock and copies from it without any lock;
 * a hole of a memory object reads as zeros without making a page. Size and content are not read as
 * one: a read beside a truncation may see zeros where the end was, as on Linux.
 *
 * Writing holds the inode's mutex, so that writes to a file are one behind the other. The program's
 * buffer may itself be a mapping of the very page that is written; so no page is locked while the
 * copy may fault. A page that is wholly overwritten need not be read or cleared first: the source
 * is touched, then copied without faulting into the locked new page; when that fails after all, the
 * slow way is taken.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/bits.h"
#include "sched/thread.h"
#include "vfs/file.h"
#include "vfs/inode.h"
#include "vfs/mount.h"
#include "vm/object.h"

#define FILE_OFFSET_MAX INT64_MAX

/* ---- reading --------------------------------------------------------------------------------- */

/* Up to n bytes of one page into `to`: bytes moved or -errno. */
static ssize_t read_piece(struct object *object, struct iobuf *to, uint64_t pos, size_t n)
{
	size_t offset = pos & (PAGE_SIZE - 1), moved;
	struct page *page = object_find_page(object, pos >> PAGE_SHIFT);

	n = MIN(n, PAGE_SIZE - offset);
	if (page == NULL) {
		int error = object_get_page(object, pos >> PAGE_SHIFT, false, &page);

		if (error != 0)
			return error;
	}
	if (page == NULL) {
		moved = iobuf_zero(to, n);
	} else {
		moved = iobuf_put(to, (char *)page_address(page) + offset, n);
		page_put(page);
	}
	return moved > 0 ? (ssize_t)moved : -EFAULT;
}

ssize_t page_cache_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	struct object *object = file->inode->object;
	ssize_t done = 0, moved = 0;

	while (to->left > 0) {
		uint64_t size = read_once(object->size_bytes), at = (uint64_t)*pos;

		if (at >= size || (done > 0 && thread_current()->pending_kill))
			break;
		moved = read_piece(object, to, at, MIN((uint64_t)to->left, size - at));
		if (moved < 0)
			break;
		*pos += moved;
		done += moved;
	}
	if ((file->flags & O_NOATIME) == 0 && (file->path.mount->flags & MS_NOATIME) == 0)
		inode_touch_atime(file->inode);
	return done > 0 || moved >= 0 ? done : moved;
}

/* ---- writing --------------------------------------------------------------------------------- */

/*
 * A whole page that is not there yet, without clearing or reading it first. 0: take the slow way.
 */
static ssize_t write_new_page(struct object *object, struct iobuf *from, uint64_t index)
{
	struct page *page;
	size_t moved;
	bool valid;

	page = object_find_page(object, index);
	if (page != NULL) {
		page_put(page);
		return 0;
	}
	if (!iobuf_fault_in(from, PAGE_SIZE))
		return 0;
	if (object_grab_page(object, index, &page) != 0)
		return 0;
	valid = (atomic32_load(&page->flags) & PAGE_UPTODATE) != 0;
	moved = iobuf_take_nofault(from, page_address(page), PAGE_SIZE);
	if (moved != PAGE_SIZE && !valid) {
		iobuf_rewind(from, moved);
		moved = 0;
	}
	if (moved > 0 && object->ops->write_page != NULL)
		object_mark_dirty(object, page);
	object_page_unlock(page, valid || moved == PAGE_SIZE);
	page_put(page);
	return (ssize_t)moved;
}

static ssize_t write_piece(struct object *object, struct iobuf *from, uint64_t pos, size_t n)
{
	size_t offset = pos & (PAGE_SIZE - 1), moved;
	struct page *page;
	ssize_t whole;
	int error;

	n = MIN(n, PAGE_SIZE - offset);
	if (n == PAGE_SIZE) {
		whole = write_new_page(object, from, pos >> PAGE_SHIFT);
		if (whole != 0)
			return whole;
	}
	error = object_get_page(object, pos >> PAGE_SHIFT, true, &page);
	if (error != 0)
		return error;
	moved = iobuf_take(from, (char *)page_address(page) + offset, n);
	if (moved > 0 && object->ops->write_page != NULL)
		object_mark_dirty(object, page);
	page_put(page);
	return moved > 0 ? (ssize_t)moved : -EFAULT;
}

/* Under the inode's mutex, from *pos on, which it advances. */
static ssize_t write_locked(struct object *object, struct iobuf *from, loff_t *pos)
{
	ssize_t done = 0, moved = 0;

	if ((uint64_t)*pos > object->size_bytes)
		object_zero_tail(object);
	while (from->left > 0) {
		uint64_t at = (uint64_t)*pos;

		if (at >= FILE_OFFSET_MAX) {
			moved = -EFBIG;
			break;
		}
		if (done > 0 && thread_current()->pending_kill)
			break;
		moved = write_piece(object, from, at, MIN((uint64_t)from->left,
							  FILE_OFFSET_MAX - at));
		if (moved < 0)
			break;
		*pos += moved;
		done += moved;
		if ((uint64_t)*pos > object->size_bytes)
			write_once(object->size_bytes, (uint64_t)*pos);
		moved = object_throttle(object);
		if (moved < 0)
			break;
	}
	return done > 0 || moved >= 0 ? done : moved;
}

ssize_t page_cache_write_locked(struct file *file, struct iobuf *from, loff_t *pos)
{
	struct inode *inode = file->inode;
	ssize_t done;

	ASSERT(mutex_is_held(&inode->mutex));
	if ((read_once(file->flags) & O_APPEND) != 0)
		*pos = (loff_t)inode->object->size_bytes;
	done = inode_remove_privileges(inode, file->cred);
	if (done == 0)
		done = write_locked(inode->object, from, pos);
	if (done > 0)
		inode_touch_mtime(inode);
	return done;
}

ssize_t page_cache_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	ssize_t done;

	if (from->left == 0)
		return 0;
	mutex_lock(&file->inode->mutex);
	done = page_cache_write_locked(file, from, pos);
	mutex_unlock(&file->inode->mutex);
	return done;
}
