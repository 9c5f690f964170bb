/*
 * A 9P connection: calls in flight by tag, fids, and the typed calls the file system makes.
 *
 * The transport (virtio) registers itself by the name that mount(2) gives as source.
 */
#pragma once

#include "core/annotate.h"
#include "core/spinlock.h"
#include "fs/p9/wire.h"
#include "lib/list.h"
#include "sched/wait.h"

struct page;
struct p9_call;

#define P9_CALL_BYTES 4608		/* a message with a path in it, either way */
#define P9_IO_PAGES 64			/* most pages in one read or write */
#define P9_MSIZE (P9_IO_PAGES * 4096 + 4096)
#define P9_TAGS 64

struct p9_call {
	struct list_head node;			/* client's spare calls */
	uint16_t tag;
	enum p9_type type;
	struct p9_buffer request, reply;
	struct page *const *pages;		/* data of a read or write, zero-copy */
	size_t page_count, data_bytes;		/* write: bytes of data */
	bool device_writes_pages;
	uint32_t reply_bytes;			/* set by the transport */
	bool done;				/* [a] */
	struct wait_queue wait;
	uint8_t request_data[P9_CALL_BYTES], reply_data[P9_CALL_BYTES];
};

struct p9_transport {
	struct list_head node;
	char name[64];
	/* Starts the call; p9_call_done() when the reply is in. May sleep for room. */
	int (*submit)(struct p9_transport *transport, struct p9_call *call);
};

void p9_transport_register(struct p9_transport *transport);
struct p9_transport *p9_transport_find(const char *name);
void p9_call_done(struct p9_call *call, uint32_t reply_bytes);	/* interrupt context */

struct p9_client {
	struct p9_transport *transport;		/* [I] */
	struct spinlock lock;
	uint64_t tags GUARDED_BY(&lock);	/* bit set: in use */
	struct list_head spare_calls GUARDED_BY(&lock);
	unsigned int spare_count GUARDED_BY(&lock);
	uint32_t next_fid GUARDED_BY(&lock);
	uint32_t *free_fids GUARDED_BY(&lock);
	size_t free_fid_count GUARDED_BY(&lock), free_fid_capacity GUARDED_BY(&lock);
	struct wait_queue tag_wait;
};

/* Connects and attaches `aname`; *root is a fid. */
must_check int p9_client_create(struct p9_transport *transport, const char *aname, uint32_t *root,
				struct p9_client **out);
void p9_client_destroy(struct p9_client *client);

/* Each: 0 or the server's -errno, -EIO for nonsense, -ENOMEM. Names are counted, not terminated. */
must_check int p9_walk(struct p9_client *c, uint32_t fid, const char *name, size_t length,
		       uint32_t *new_fid);		/* name NULL: clones fid */
must_check int p9_getattr(struct p9_client *c, uint32_t fid, struct p9_attr *attr);
struct p9_setattr { uint32_t valid, mode, uid, gid; uint64_t size, atime[2], mtime[2]; };
must_check int p9_setattr(struct p9_client *c, uint32_t fid, const struct p9_setattr *attr);
must_check int p9_open(struct p9_client *c, uint32_t fid, uint32_t flags);
must_check int p9_create(struct p9_client *c, uint32_t fid, const char *name, size_t length,
			 uint32_t flags, uint32_t mode, uint32_t gid);	/* fid becomes the file */
must_check int p9_mkdir(struct p9_client *c, uint32_t fid, const char *name, size_t length,
			uint32_t mode, uint32_t gid);
must_check int p9_mknod(struct p9_client *c, uint32_t fid, const char *name, size_t length,
			uint32_t mode, uint64_t rdev, uint32_t gid);
must_check int p9_symlink(struct p9_client *c, uint32_t fid, const char *name, size_t length,
			  const char *target, uint32_t gid);
must_check int p9_link(struct p9_client *c, uint32_t dir, uint32_t fid, const char *name,
		       size_t length);
must_check int p9_unlink(struct p9_client *c, uint32_t dir, const char *name, size_t length,
			 uint32_t flags);		/* AT_REMOVEDIR */
must_check int p9_rename(struct p9_client *c, uint32_t from, const char *old, size_t old_length,
			 uint32_t to, const char *name, size_t length);
must_check int p9_readlink(struct p9_client *c, uint32_t fid, char **out);	/* kmalloc'ed */
must_check int p9_fsync(struct p9_client *c, uint32_t fid, bool data_only);
struct p9_statfs {
	uint32_t type, bsize;
	uint64_t blocks, bfree, bavail, files, ffree;
	uint32_t namelen;
};
must_check int p9_statfs(struct p9_client *c, uint32_t fid, struct p9_statfs *out);
void p9_clunk(struct p9_client *c, uint32_t fid);
/* Whole pages; bytes moved (a short read is the end of the file) or -errno. */
must_check ssize_t p9_read_pages(struct p9_client *c, uint32_t fid, uint64_t offset,
				 struct page *const *pages, size_t count);
must_check ssize_t p9_write_pages(struct p9_client *c, uint32_t fid, uint64_t offset,
				  struct page *const *pages, size_t bytes);
/* Directory entries from `offset` into `page`; bytes valid, 0 at the end. */
must_check ssize_t p9_readdir(struct p9_client *c, uint32_t fid, uint64_t offset,
			      struct page *page);
