/*
 * /proc/PID/maps and smaps, mem: the subject's address space.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "fs/procfs/procfs.h"
#include "lib/bits.h"
#include "lib/device_number.h"
#include "mem/slab.h"
#include "vfs/dentry.h"
#include "vfs/file.h"

#define NAME_COLUMN 73

static const char *special_name(const struct area *a)
{
	if (a->flags & AREA_STACK)
		return "[stack]";
	if (a->flags & AREA_HEAP)
		return "[heap]";
	if (a->flags & AREA_SPECIAL)
		return a->flags & AREA_EXEC ? "[vdso]" : "[vvar]";
	return NULL;
}

static void put_area_name(struct text *out, const struct area *a, size_t line_start, char *buffer)
{
	const struct file *file = a->file;
	const char *name = special_name(a);
	bool reachable;

	if (file != NULL) {
		name = path_name(&file->path, &task_current()->fs->root, buffer, PATH_MAX_BYTES,
				 &reachable);
	} else if (name == NULL && (a->flags & AREA_SHARED) && a->object != NULL) {
		name = "/dev/zero (deleted)";
	}
	if (name == NULL)
		return;
	/* Counted: when memory ends the text does not grow. */
	for (size_t column = out->length - line_start; column < NAME_COLUMN; column++)
		text_putc(out, ' ');
	text_printf(out, "%s", name);
}

static void put_area(struct text *out, const struct area *a, char *buffer)
{
	const struct file *file = a->file;
	uint64_t device = file != NULL ? file->inode->super->device : 0;
	uint64_t offset = a->object != NULL && file != NULL ? a->offset : 0;
	size_t line_start = out->length;

	text_printf(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
		    (unsigned long long)a->start, (unsigned long long)a->end,
		    a->flags & AREA_READ ? 'r' : '-', a->flags & AREA_WRITE ? 'w' : '-',
		    a->flags & AREA_EXEC ? 'x' : '-', a->flags & AREA_SHARED ? 's' : 'p',
		    (unsigned long long)offset, device_major(device), device_minor(device),
		    (unsigned long long)(file != NULL ? file->inode->number : 0));
	put_area_name(out, a, line_start, buffer);
	text_putc(out, '\n');
}

static void put_kib(struct text *out, const char *name, uint64_t pages)
{
	text_printf(out, "%-16s%8llu kB\n", name, (unsigned long long)pages * (PAGE_SIZE / 1024));
}

static void put_usage(struct text *out, const struct space_usage *u)
{
	put_kib(out, "Rss:", u->resident);
	text_printf(out, "%-16s%8llu kB\n", "Pss:", (unsigned long long)u->pss_bytes / 1024);
	put_kib(out, "Shared_Clean:", u->shared_clean);
	put_kib(out, "Shared_Dirty:", u->shared_dirty);
	put_kib(out, "Private_Clean:", u->private_clean);
	put_kib(out, "Private_Dirty:", u->private_dirty);
	put_kib(out, "Referenced:", u->resident);
	put_kib(out, "Anonymous:", u->anonymous);
	put_kib(out, "AnonHugePages:", u->huge);
	put_kib(out, "Swap:", 0);
}

static void add_usage(struct space_usage *sum, const struct space_usage *u)
{
	sum->resident += u->resident;
	sum->huge += u->huge;
	sum->anonymous += u->anonymous;
	sum->shared_clean += u->shared_clean;
	sum->shared_dirty += u->shared_dirty;
	sum->private_clean += u->private_clean;
	sum->private_dirty += u->private_dirty;
	sum->pss_bytes += u->pss_bytes;
}

/*
 * Walks the areas under the space's lock; detail: one usage block an area (smaps). -ESRCH: the
 * memory is gone.
 */
static int show_areas(struct text *out, const struct proc_subject *s, bool lines, bool detail,
		      struct space_usage *sum)
{
	struct space *space = proc_subject_held_space(s);
	char *buffer;
	struct area a;

	if (space == NULL)
		return -ESRCH;
	buffer = kmalloc(PATH_MAX_BYTES);
	if (buffer == NULL) {
		space_put(space);
		return -ENOMEM;
	}
	rwlock_read_lock(&space->lock);
	for (uint64_t at = 0; space_find_area(space, at, &a); at = a.end) {
		struct space_usage u = { 0 };

		if (detail)
			space_usage(space, a.start, a.end, &u);
		add_usage(sum, &u);
		if (lines)
			put_area(out, &a, buffer);
		if (lines && detail) {
			put_kib(out, "Size:", (a.end - a.start) / PAGE_SIZE);
			put_usage(out, &u);
		}
	}
	rwlock_read_unlock(&space->lock);
	space_put(space);
	kfree(buffer);
	return 0;
}

/* Of a process that is there, memory that is gone is an empty list. */
static int show_lines(struct text *out, const struct proc_subject *s, bool detail)
{
	struct space_usage sum = { 0 };
	int error = show_areas(out, s, true, detail, &sum);

	return error == -ESRCH ? proc_subject_exists(s) : error;
}

int proc_show_maps(struct text *out, const struct proc_subject *s)
{
	return show_lines(out, s, false);
}

int proc_show_smaps(struct text *out, const struct proc_subject *s)
{
	return show_lines(out, s, true);
}

int proc_show_smaps_rollup(struct text *out, const struct proc_subject *s)
{
	struct space_usage sum = { 0 };
	int error = show_areas(out, s, false, true, &sum);

	if (error == 0) {
		text_printf(out, "%08llx-%08llx ---p 00000000 00:00 0 [rollup]\n",
			    (unsigned long long)USER_START, (unsigned long long)USER_END);
		put_usage(out, &sum);
	}
	return error;
}

/*
 * --- mem: the position is the address ---------------------------------------------------------
 */

#define CHUNK 512UL

int proc_mem_open(const struct proc_subject *subject, struct file *file)
{
	struct proc_subject s = *subject;
	int error = proc_subject_hold_space(&s);

	file->private = s.space;
	return error;
}

static void mem_release(struct file *file)
{
	if (file->private != NULL)
		space_release(file->private);
}

static ssize_t mem_transfer(struct file *file, struct iobuf *io, loff_t *pos, bool write)
{
	struct space *space = file->private;
	char chunk[CHUNK];
	ssize_t total = 0, error = 0;

	if (space == NULL || !space_try_get(space))
		return 0;
	while (io->left > 0 && error == 0) {
		size_t want = MIN(io->left, CHUNK), done, theirs;

		if (write) {
			want = iobuf_take(io, chunk, want);
			theirs = done = space_write(space, (uint64_t)*pos, chunk, want, true);
		} else {
			theirs = space_read(space, (uint64_t)*pos, chunk, want);
			done = iobuf_put(io, chunk, theirs);
		}
		total += (ssize_t)done;
		*pos += (loff_t)done;
		if (theirs < want)
			error = -EIO;
		else if (done < want || want == 0)
			error = -EFAULT;
	}
	space_put(space);
	return total > 0 ? total : error;
}

static ssize_t mem_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	return mem_transfer(file, to, pos, false);
}

static ssize_t mem_write(struct file *file, struct iobuf *from, loff_t *pos)
{
	return mem_transfer(file, from, pos, true);
}

static loff_t mem_seek(struct file *file, loff_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += file->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	file->pos = offset;
	return offset;
}

const struct file_ops proc_mem_file_ops = {
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
	.release = mem_release,
};
