/*
 * The bytes of 9P2000.L messages (diod's protocol.md; 9P2000: intro(5) of Plan 9): little-endian
 * integers, counted strings, qids. Pure: also compiled on the host, where replies are fuzzed.
 *
 * A buffer remembers its first error, so that callers check once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TATTACH = 104,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
};

#define P9_HEADER_BYTES 7		/* size[4] type[1] tag[2] */
#define P9_IO_HEADER_BYTES 11		/* Rread: header and count[4] */
#define P9_NO_TAG 0xffff
#define P9_NO_FID 0xffffffffu

struct p9_buffer {
	uint8_t *data;
	size_t capacity;		/* of data; for a reply: its valid bytes */
	size_t at;
	bool bad;			/* ran over the end */
};

struct p9_qid {
	uint8_t type;			/* 0x80: directory, 0x02: symlink */
	uint32_t version;
	uint64_t path;
};

struct p9_attr {			/* Rgetattr */
	uint64_t valid;
	struct p9_qid qid;
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, size, block_size, blocks;
	uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
};

struct p9_dirent {
	struct p9_qid qid;
	uint64_t offset;
	uint8_t type;
	const char *name;		/* in the buffer, not terminated */
	uint16_t name_length;
};

void p9_put8(struct p9_buffer *b, uint8_t v);
void p9_put16(struct p9_buffer *b, uint16_t v);
void p9_put32(struct p9_buffer *b, uint32_t v);
void p9_put64(struct p9_buffer *b, uint64_t v);
void p9_put_string(struct p9_buffer *b, const char *s, size_t length);
/* Starts a message; p9_end() writes its size. */
void p9_begin(struct p9_buffer *b, enum p9_type type);
void p9_end(struct p9_buffer *b, uint16_t tag, size_t extra_bytes);

uint8_t p9_get8(struct p9_buffer *b);
uint16_t p9_get16(struct p9_buffer *b);
uint32_t p9_get32(struct p9_buffer *b);
uint64_t p9_get64(struct p9_buffer *b);
/* A string in place; NULL and length 0 when the buffer ends. */
const char *p9_get_string(struct p9_buffer *b, uint16_t *length);
void p9_get_qid(struct p9_buffer *b, struct p9_qid *qid);
void p9_get_attr(struct p9_buffer *b, struct p9_attr *attr);
/* The next entry of a directory reply's data; false at the end or when it is cut. */
bool p9_get_dirent(struct p9_buffer *b, struct p9_dirent *entry);

/*
 * Checks the header of a reply of `bytes` bytes to a message of `type` with `tag`, and leaves the
 * buffer behind it. 0; the server's errno, negative; -EIO for what is no reply to it.
 */
int p9_check_reply(struct p9_buffer *b, size_t bytes, enum p9_type type, uint16_t tag);
