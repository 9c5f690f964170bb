/*
 * The initrd as a whole: plain and compressed archives, one behind the other, with zeros between.
 *
 * A plain archive is read in place. Where its packer aligned a file's content to pages, the pages
 * themselves become the file's page cache: the built-in image costs neither a copy nor a second
 * home. All that was not taken over is given to the page allocator at the end.
 */
#include "fs/initramfs/initramfs.h"

#include "abi/errno.h"
#include "arch/arch_down.h"
#include "arch/boot_info.h"
#include "core/klog.h"
#include "fs/initramfs/initramfs_internal.h"
#include "lib/inflate.h"
#include "lib/string.h"
#include "lib/zstd.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "vfs/inode.h"

/* A link's target is not terminated in the archive. */
static char *link_target(const struct cpio_entry *entry)
{
	char *target;

	if (entry->size >= PATH_MAX_BYTES)
		return NULL;
	target = kmalloc(entry->size + 1);
	if (target == NULL)
		return NULL;
	memcpy(target, entry->data, entry->size);
	target[entry->size] = '\0';
	return target;
}

static int unpack_one(struct unpack *u, const struct cpio_entry *entry)
{
	char *target = NULL;
	struct file *file;
	int error;

	if (S_ISLNK(entry->mode)) {
		target = link_target(entry);
		if (target == NULL)
			return -ENOMEM;
	}
	error = unpack_entry(u, entry, target, &file);
	kfree(target);
	if (error != 0 || file == NULL)
		return error;
	error = unpack_content(u, file, entry->data, entry->size);
	unpack_finish(entry, file);
	return error;
}

static int unpack_plain(struct unpack *u, const void *data, size_t size, size_t *consumed)
{
	struct cpio_entry entry;
	struct cpio cpio;
	int error;

	cpio_init(&cpio, data, size);
	while ((error = cpio_next(&cpio, &entry)) == 0) {
		error = unpack_one(u, &entry);
		if (error == -ENOMEM || error == -ENOSPC)
			return error;
		if (error != 0)
			log_warn("initramfs: %s: error %d", entry.name, error);
	}
	*consumed = (size_t)(cpio.at - (const unsigned char *)data);
	return error == -ENOENT ? 0 : error;
}

static int unpack_all(struct unpack *u, const unsigned char *data, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t consumed = 0;
		int error;

		if (data[at] == 0) {
			at++;
			continue;
		}
		if (inflate_is_gzip(data + at, size - at))
			error = unpack_gzip(u, data + at, size - at, &consumed);
		else if (zstd_is_zstd(data + at, size - at))
			error = unpack_zstd(u, data + at, size - at, &consumed);
		else
			error = unpack_plain(u, data + at, size - at, &consumed);
		if (error != 0)
			return error;
		if (consumed == 0) {
			log_error("initramfs: unknown format at offset %lu", (unsigned long)at);
			return -EINVAL;
		}
		at += consumed;
	}
	return 0;
}

int initramfs_unpack(const struct path *root)
{
	const struct boot_range *initrd = &boot_info.initrd;
	struct unpack u;
	int error;

	if (initrd->start >= initrd->end)
		return 0;
	unpack_init(&u, root);
	error = unpack_all(&u, phys_to_virt(phys(initrd->start)), initrd->end - initrd->start);
	unpack_fini(&u);
	page_free_range(initrd->start, initrd->end);
	log_info("initramfs: %lu entries, %lu pages taken over, %lu bytes copied, status %d",
		 (unsigned long)u.entries, (unsigned long)u.adopted_pages,
		 (unsigned long)u.copied_bytes, error);
	return error;
}
