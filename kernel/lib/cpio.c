/*
 * cpio reader. An entry is a header of 110 ASCII characters (magic, then 13 fields of 8 hexadecimal
 * digits), the name with its terminator, padding to 4, the data, padding to 4. The padding may be
 * missing at the very end.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/cpio.h"
#include "lib/string.h"

#define HEADER_SIZE 110
#define MAGIC_SIZE 6
#define TRAILER "TRAILER!!!"

enum field {
	FIELD_INO,
	FIELD_MODE,
	FIELD_UID,
	FIELD_GID,
	FIELD_NLINK,
	FIELD_MTIME,
	FIELD_FILESIZE,
	FIELD_DEV_MAJOR,
	FIELD_DEV_MINOR,
	FIELD_RDEV_MAJOR,
	FIELD_RDEV_MINOR,
	FIELD_NAMESIZE,
	FIELD_CHECK,
	FIELDS
};

void cpio_init(struct cpio *cpio, const void *archive, size_t size)
{
	cpio->start = archive;
	cpio->at = archive;
	cpio->end = cpio->at + size;
}

static size_t left(const struct cpio *cpio)
{
	return (size_t)(cpio->end - cpio->at);
}

static int parse_hex(const unsigned char *text, uint32_t *value)
{
	uint32_t sum = 0;

	for (int i = 0; i < 8; i++) {
		unsigned c = text[i], digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -EINVAL;
		sum = sum << 4 | digit;
	}
	*value = sum;
	return 0;
}

static int parse_header(const unsigned char *header, uint32_t field[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		if (parse_hex(header + MAGIC_SIZE + 8 * i, &field[i]) != 0)
			return -EINVAL;
	}
	return 0;
}

static int is_magic(const struct cpio *cpio)
{
	return left(cpio) >= MAGIC_SIZE && (memcmp(cpio->at, "070701", MAGIC_SIZE) == 0 ||
					    memcmp(cpio->at, "070702", MAGIC_SIZE) == 0);
}

/* Moves on by size and then to the next multiple of 4; to the end if that lies beyond. */
static void advance(struct cpio *cpio, size_t size)
{
	size_t offset = align_up((uint64_t)(cpio->at - cpio->start) + size, 4);
	size_t total = (size_t)(cpio->end - cpio->start);

	cpio->at = cpio->start + MIN(offset, total);
}

static void skip_zeros(struct cpio *cpio)
{
	while (cpio->at < cpio->end && *cpio->at == 0)
		cpio->at++;
	cpio->start = cpio->at;
}

static void fill_entry(struct cpio_entry *entry, const uint32_t field[FIELDS])
{
	entry->ino = field[FIELD_INO];
	entry->mode = field[FIELD_MODE];
	entry->uid = field[FIELD_UID];
	entry->gid = field[FIELD_GID];
	entry->nlink = field[FIELD_NLINK];
	entry->mtime = field[FIELD_MTIME];
	entry->dev_major = field[FIELD_DEV_MAJOR];
	entry->dev_minor = field[FIELD_DEV_MINOR];
	entry->rdev_major = field[FIELD_RDEV_MAJOR];
	entry->rdev_minor = field[FIELD_RDEV_MINOR];
	entry->size = field[FIELD_FILESIZE];
}

/* The entry at cpio->at, where there is a magic number. */
static int parse_entry(struct cpio *cpio, struct cpio_entry *entry)
{
	uint32_t field[FIELDS];
	size_t name_size;

	if (left(cpio) < HEADER_SIZE || parse_header(cpio->at, field) != 0)
		return -EINVAL;
	fill_entry(entry, field);
	name_size = field[FIELD_NAMESIZE];
	if (name_size == 0 || name_size > left(cpio) - HEADER_SIZE)
		return -EINVAL;
	entry->name = (const char *)cpio->at + HEADER_SIZE;
	if (entry->name[name_size - 1] != '\0')
		return -EINVAL;
	/* Some packers pad the name with more zero bytes, to align the data to a page. */
	entry->name_length = strlen(entry->name);
	advance(cpio, HEADER_SIZE + name_size);
	if (entry->size > left(cpio))
		return -EINVAL;
	entry->data = cpio->at;
	advance(cpio, entry->size);
	return 0;
}

int cpio_next(struct cpio *cpio, struct cpio_entry *entry)
{
	for (;;) {
		int error;

		if (cpio->at == cpio->start)
			skip_zeros(cpio);
		if (!is_magic(cpio)) {
			/* Between two entries of one archive nothing else is allowed. */
			return cpio->at == cpio->start || cpio->at == cpio->end ? -ENOENT : -EINVAL;
		}
		error = parse_entry(cpio, entry);
		if (error != 0)
			return error;
		if (strcmp(entry->name, TRAILER) != 0)
			return 0;
		skip_zeros(cpio);
	}
}
