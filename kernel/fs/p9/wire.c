/*
 * Encoding and decoding of 9P2000.L messages.
 */
#include "fs/p9/wire.h"

#include "abi/errno.h"
#include "lib/string.h"

static void put(struct p9_buffer *b, uint64_t v, size_t bytes)
{
	if (b->bad || b->capacity - b->at < bytes) {
		b->bad = true;
		return;
	}
	for (size_t i = 0; i < bytes; i++)
		b->data[b->at++] = (uint8_t)(v >> (8 * i));
}

static uint64_t get(struct p9_buffer *b, size_t bytes)
{
	uint64_t v = 0;

	if (b->bad || b->capacity - b->at < bytes) {
		b->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)b->data[b->at++] << (8 * i);
	return v;
}

void p9_put8(struct p9_buffer *b, uint8_t v) { put(b, v, 1); }
void p9_put16(struct p9_buffer *b, uint16_t v) { put(b, v, 2); }
void p9_put32(struct p9_buffer *b, uint32_t v) { put(b, v, 4); }
void p9_put64(struct p9_buffer *b, uint64_t v) { put(b, v, 8); }

uint8_t p9_get8(struct p9_buffer *b) { return (uint8_t)get(b, 1); }
uint16_t p9_get16(struct p9_buffer *b) { return (uint16_t)get(b, 2); }
uint32_t p9_get32(struct p9_buffer *b) { return (uint32_t)get(b, 4); }
uint64_t p9_get64(struct p9_buffer *b) { return get(b, 8); }

void p9_put_string(struct p9_buffer *b, const char *s, size_t length)
{
	if (length > UINT16_MAX) {
		b->bad = true;
		return;
	}
	p9_put16(b, (uint16_t)length);
	if (b->bad || b->capacity - b->at < length) {
		b->bad = true;
		return;
	}
	memcpy(b->data + b->at, s, length);
	b->at += length;
}

void p9_begin(struct p9_buffer *b, enum p9_type type)
{
	b->at = 0;
	b->bad = false;
	p9_put32(b, 0);
	p9_put8(b, (uint8_t)type);
	p9_put16(b, 0);
}

void p9_end(struct p9_buffer *b, uint16_t tag, size_t extra_bytes)
{
	size_t end = b->at;

	b->at = 0;
	p9_put32(b, (uint32_t)(end + extra_bytes));
	b->at = 5;
	p9_put16(b, tag);
	b->at = end;
}

const char *p9_get_string(struct p9_buffer *b, uint16_t *length)
{
	const char *s;

	*length = p9_get16(b);
	if (b->bad || b->capacity - b->at < *length) {
		b->bad = true;
		*length = 0;
		return NULL;
	}
	s = (const char *)b->data + b->at;
	b->at += *length;
	return s;
}

void p9_get_qid(struct p9_buffer *b, struct p9_qid *qid)
{
	qid->type = p9_get8(b);
	qid->version = p9_get32(b);
	qid->path = p9_get64(b);
}

void p9_get_attr(struct p9_buffer *b, struct p9_attr *attr)
{
	attr->valid = p9_get64(b);
	p9_get_qid(b, &attr->qid);
	attr->mode = p9_get32(b);
	attr->uid = p9_get32(b);
	attr->gid = p9_get32(b);
	attr->nlink = p9_get64(b);
	attr->rdev = p9_get64(b);
	attr->size = p9_get64(b);
	attr->block_size = p9_get64(b);
	attr->blocks = p9_get64(b);
	attr->atime_sec = p9_get64(b);
	attr->atime_nsec = p9_get64(b);
	attr->mtime_sec = p9_get64(b);
	attr->mtime_nsec = p9_get64(b);
	attr->ctime_sec = p9_get64(b);
	attr->ctime_nsec = p9_get64(b);
}

bool p9_get_dirent(struct p9_buffer *b, struct p9_dirent *entry)
{
	if (b->at >= b->capacity)
		return false;
	p9_get_qid(b, &entry->qid);
	entry->offset = p9_get64(b);
	entry->type = p9_get8(b);
	entry->name = p9_get_string(b, &entry->name_length);
	return !b->bad;
}

int p9_check_reply(struct p9_buffer *b, size_t bytes, enum p9_type type, uint16_t tag)
{
	uint32_t size, code;
	uint8_t got;

	b->at = 0;
	b->bad = false;
	/*
	 * What a device says that it wrote may be more than there is room for, and for a read it
	 * is: the data is elsewhere.
	 */
	if (bytes < b->capacity)
		b->capacity = bytes;
	size = p9_get32(b);
	got = p9_get8(b);
	if (p9_get16(b) != tag || b->bad || size < P9_HEADER_BYTES || size > bytes)
		return -EIO;
	if (size < b->capacity)
		b->capacity = size;
	if (got == (uint8_t)(type + 1))
		return 0;
	if (got != P9_RLERROR)
		return -EIO;
	code = p9_get32(b);
	return b->bad || code == 0 || code > 4095 ? -EIO : -(int)code;
}
