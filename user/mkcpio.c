/*
 * mkcpio.c - writes an initramfs (cpio, newc) from a list of entries. Runs on the host.
 *
 *	mkcpio LIST > ARCHIVE
 *
 *	dir NAME MODE
 *	file NAME MODE SOURCE
 *	link NAME TARGET
 *	node NAME MODE c|b MAJOR MINOR
 *
 * Neither root nor device nodes are needed, and the same input gives the same bytes: times and
 * owners are 0, inode numbers count up.
 *
 * The data of each file begins at a multiple of 4096, so that a kernel may adopt the pages in place
 * instead of copying them. The room before it is made by NULs after the name, which the format
 * allows: a name ends at its first NUL. A kernel may refuse names of more than PATH_MAX, so longer
 * gaps begin with a repeated entry of the root directory.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_BYTES	4096u
#define HEAD_BYTES	110u
#define NAME_MAX_BYTES	4096u

struct entry {
	const char *name;
	unsigned int mode;
	unsigned int major, minor;
	size_t size;
	size_t name_bytes;	/* with the NULs after it */
};

static size_t written;
static unsigned int next_inode = 1;

_Noreturn static void die(const char *what, const char *detail)
{
	fprintf(stderr, "mkcpio: %s: %s\n", what, detail);
	exit(1);
}

static void put(const void *data, size_t length)
{
	if (length && fwrite(data, 1, length, stdout) != length)
		die("write", strerror(errno));
	written += length;
}

static void put_zeros(size_t length)
{
	static const char zeros[PAGE_BYTES];

	for (size_t part; length; length -= part) {
		part = length < sizeof(zeros) ? length : sizeof(zeros);
		put(zeros, part);
	}
}

static void pad_to_4(void)
{
	put_zeros(-written & 3);
}

/* The head and name; what follows, the data, starts where this ends. */
static void put_head(const struct entry *entry)
{
	char head[HEAD_BYTES + 1];
	const size_t length = strlen(entry->name) + 1;

	snprintf(head, sizeof(head),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 next_inode++, entry->mode, 0u, 0u, S_ISDIR(entry->mode) ? 2u : 1u, 0u,
		 (unsigned int)entry->size, 0u, 0u, entry->major, entry->minor,
		 (unsigned int)entry->name_bytes, 0u);
	put(head, HEAD_BYTES);
	put(entry->name, length);
	put_zeros(entry->name_bytes - length);
	pad_to_4();
}

static void put_plain(const char *name, unsigned int mode, unsigned int major, unsigned int minor)
{
	const struct entry entry = {
		.name = name, .mode = mode, .major = major, .minor = minor,
		.name_bytes = strlen(name) + 1,
	};

	put_head(&entry);
}

/* How long the name must be for the data to begin at a page, if the head were written now. */
static size_t aligned_name_bytes(const char *name)
{
	size_t bytes = -(written + HEAD_BYTES) & (PAGE_BYTES - 1);

	while (bytes < strlen(name) + 1)
		bytes += PAGE_BYTES;
	return bytes;
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	char *data;

	if (!file || fstat(fileno(file), &status) < 0)
		die(path, strerror(errno));
	if (status.st_size > UINT32_MAX)
		die(path, "too large for the format");
	*size = (size_t)status.st_size;
	data = malloc(*size + 1);
	if (!data || fread(data, 1, *size, file) != *size)
		die(path, "cannot be read whole");
	fclose(file);
	return data;
}

static void put_file(const char *name, unsigned int mode, const char *source)
{
	struct entry entry = { .name = name, .mode = S_IFREG | mode };
	char *data = read_file(source, &entry.size);

	/* An empty file has no pages, and a gap of more than a name's length needs a filler. */
	entry.name_bytes = entry.size ? aligned_name_bytes(name) : strlen(name) + 1;
	if (entry.name_bytes > NAME_MAX_BYTES) {
		put_plain(".", S_IFDIR | 0755, 0, 0);
		entry.name_bytes = aligned_name_bytes(name);
	}
	if (entry.name_bytes > NAME_MAX_BYTES)
		die(name, "name too long");
	put_head(&entry);
	put(data, entry.size);
	pad_to_4();
	free(data);
}

static void put_link(const char *name, const char *target)
{
	const struct entry entry = {
		.name = name, .mode = S_IFLNK | 0777, .size = strlen(target),
		.name_bytes = strlen(name) + 1,
	};

	put_head(&entry);
	put(target, entry.size);
	pad_to_4();
}

static void put_line(const char *line)
{
	char name[512], other[512], kind;
	unsigned int mode, major, minor;
	/* Names in an archive are relative to its root. */
	const char *relative = name + 1;

	if (sscanf(line, "dir %511s %o", name, &mode) == 2)
		put_plain(relative, S_IFDIR | mode, 0, 0);
	else if (sscanf(line, "file %511s %o %511s", name, &mode, other) == 3)
		put_file(relative, mode, other);
	else if (sscanf(line, "link %511s %511s", name, other) == 2)
		put_link(relative, other);
	else if (sscanf(line, "node %511s %o %c %u %u", name, &mode, &kind, &major, &minor) == 5)
		put_plain(relative, (kind == 'b' ? S_IFBLK : S_IFCHR) | mode, major, minor);
	else
		die("bad line", line);
}

int main(int argc, char **argv)
{
	char line[2048];
	FILE *list;

	if (argc != 2)
		die("usage", "mkcpio LIST > ARCHIVE");
	list = fopen(argv[1], "r");
	if (!list)
		die(argv[1], strerror(errno));
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			put_line(line);
	}
	put_plain("TRAILER!!!", 0, 0, 0);
	/* Archives may follow one another: each ends at a page. */
	put_zeros(-written & (PAGE_BYTES - 1));
	if (fflush(stdout) != 0)
		die("write", strerror(errno));
	return 0;
}
