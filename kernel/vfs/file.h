/*
 * Open files. A struct file is what descriptors of one or more processes share: position, flags,
 * operations. Counted; the last put releases it.
 */
#pragma once

#include "core/spinlock.h"
#include "sched/mutex.h"
#include "vfs/iobuf.h"
#include "vfs/path.h"

struct file;
struct inode;
struct poll_table;
struct area;
struct wait_queue;
struct vfs_cred;
struct dir_context;

struct file_ops {
	const char *name;			/* an anonymous one's, for /proc/PID/fd: "pipe" */
	/* At *pos, which they advance; pos is NULL for streams (pipes, sockets, terminals).
	 * Bytes moved or -errno; a short count is no error. -EAGAIN when nonblocking. */
	ssize_t (*read)(struct file *file, struct iobuf *to, loff_t *pos);
	ssize_t (*write)(struct file *file, struct iobuf *from, loff_t *pos);
	loff_t (*seek)(struct file *file, loff_t offset, int whence);	/* NULL: generic by size */
	int (*getdents)(struct file *file, struct dir_context *ctx);
	/* Present events (POLLIN...); registers in `table` (NULL: only asks) with poll_wait(). */
	uint32_t (*poll)(struct file *file, struct poll_table *table);
	long (*ioctl)(struct file *file, unsigned int command, uint64_t arg);
	/*
	 * Fills area->object/offset/flags for a mapping of this file, or -ENODEV. NULL: inode's
	 * object.
	 */
	int (*mmap)(struct file *file, struct area *area);
	int (*fsync)(struct file *file, bool data_only);
	int (*flush)(struct file *file);		/* each close(2) */
	void (*release)(struct file *file);		/* last reference */
	bool stream;				/* no position: pos is NULL, lseek is ESPIPE */
};

struct file {
	const struct file_ops *ops;		/* [I] after open */
	struct refcount references;
	struct path path;			/* [I] counted */
	struct inode *inode;			/* [I] counted */
	uint32_t flags;				/* [a] O_*; F_SETFL changes some */
	bool readable, writable;		/* [I] */
	struct mutex pos_mutex;			/* around read/write/lseek that use pos */
	loff_t pos;
	int32_t owner_pid, owner_signal;	/* F_SETOWN, F_SETSIG */
	void *epoll_links;			/* epolls that watch it: vfs/epoll */
	struct file *next_released;		/* file_put() */
	void *private;				/* ops' own */
	bool holds_write;			/* counted in inode->writers */
	bool denies_write;			/* in inode->deny_write: a program's image */
	const struct vfs_cred *cred;		/* who opened it; counted by proc, through hooks */
};

/* Opens by name (open(2) semantics incl. O_CREAT, O_EXCL, O_TRUNC, O_PATH, O_TMPFILE,
 * O_NOFOLLOW, O_DIRECTORY); `mode` already masked with umask. Counted. The file holds ctx->cred by
 * proc's hooks: it must be a process's, or vfs_cred_kernel. */
must_check int file_open(const struct path_context *ctx, const char *name, int flags, uint32_t mode,
			 struct file **out);
/* As file_open with LOOKUP_* restrictions: openat2(2). */
must_check int file_open_lookup(const struct path_context *ctx, const char *name, int flags,
				uint32_t mode, unsigned int lookup_flags, struct file **out);
/* Opens an inode reached otherwise (takes its own references). */
must_check int file_open_path(const struct path *path, int flags, const struct vfs_cred *cred,
			      struct file **out);
/* A file without a name: pipes, sockets, eventfd, ... `inode_mode` S_IFIFO, S_IFSOCK or 0.
 * `private` becomes file->private. -ENOMEM; release() is not called on failure. */
must_check int file_create_anonymous(const struct file_ops *ops, void *private, int flags,
				     uint32_t inode_mode, struct file **out);
static inline void file_get(struct file *f) { refcount_get(&f->references); }
void file_put(struct file *file);
/*
 * Within a release: the file that this thread releases next, by the same file_put(); NULL: none.
 * What is needed once after many releases is left to the last.
 */
struct file *file_released_next(void);

must_check ssize_t file_read(struct file *file, struct iobuf *to, loff_t *pos);	/* checks mode */
must_check ssize_t file_write(struct file *file, struct iobuf *from, loff_t *pos);
must_check loff_t file_seek(struct file *file, loff_t offset, int whence);
/* read(2), write(2): at the file's own position, under pos_mutex; streams have none. */
must_check ssize_t file_read_here(struct file *file, struct iobuf *to);
must_check ssize_t file_write_here(struct file *file, struct iobuf *from);
/* From and to kernel memory, at an offset (ignored by streams). */
must_check ssize_t file_read_kernel(struct file *file, void *buf, size_t n, loff_t offset);
must_check ssize_t file_write_kernel(struct file *file, const void *buf, size_t n, loff_t offset);
uint32_t file_poll(struct file *file, struct poll_table *table);
/* Fills area->object and area->file, both counted for the area. -ENODEV. */
must_check int file_map(struct file *file, struct area *area);
must_check int file_fsync(struct file *file, bool data_only);

/* For a regular file with an object: the generic page cache read and write (vfs/page_io.c). */
ssize_t page_cache_read(struct file *file, struct iobuf *to, loff_t *pos);
ssize_t page_cache_write(struct file *file, struct iobuf *from, loff_t *pos);
/* The same with the inode's mutex held. */
ssize_t page_cache_write_locked(struct file *file, struct iobuf *from, loff_t *pos);

/* getdents: file systems call dir_emit for each entry from file->pos on. False: full, stop. */
struct dir_context {
	bool (*emit)(struct dir_context *ctx, const char *name, size_t length, uint64_t inode,
		     uint8_t type, loff_t next_pos);
};

/* Reads the directory from file->pos on: 0 (also at the end) or -errno. Takes the mutexes. */
must_check int file_getdents(struct file *file, struct dir_context *ctx);
must_check int file_truncate(struct file *file, uint64_t size);
must_check int file_fallocate(struct file *file, int mode, uint64_t offset, uint64_t bytes);
/* close(2) of one descriptor: flush, record locks of `lock_owner` go. */
int file_close(struct file *file, const void *lock_owner);
/* For /proc/PID/fd and maps: the path, or "pipe:[1]" and the like for files without a name. */
char *file_name(struct file *file, const struct path *root, char *buf, size_t n);
/* As file_create_anonymous on an inode of the caller's (its reference moves on success). */
must_check int file_create_on_inode(const struct file_ops *ops, void *private, int flags,
				    struct inode *inode, const char *name, struct file **out);
/* A new inode without a name, for the above; NULL: no memory. */
must_check struct inode *inode_create_anonymous(uint32_t mode);
bool inode_is_anonymous(const struct inode *inode);

/* "pipe:[17]": what such a dentry is called. */
void file_anonymous_name(char *buf, size_t n, const char *kind, const struct inode *inode);

/* How an open of a FIFO, device or socket inode goes on; fs/ and dev/ register by S_IFMT type.
 * As inode_ops.open: sets file->ops and private; 0 or -errno. Without: -ENXIO. */
void file_register_special(uint32_t mode_type, int (*open)(struct inode *inode, struct file *file));
/* For an inode_ops.open that leaves special inodes to them. */
must_check int file_open_special(struct inode *inode, struct file *file);
/* proc counts credentials: file->cred is get(cred) from open to release. */
void file_set_cred_hooks(const struct vfs_cred *(*get)(const struct vfs_cred *cred),
			 void (*put)(const struct vfs_cred *cred));
/* epoll's: called once when the last descriptor of a watched file is gone. */
extern void (*file_epoll_release)(struct file *file);

loff_t file_seek_generic(struct file *file, loff_t offset, int whence, uint64_t size);
uint32_t mode_to_dirent_type(uint32_t mode);		/* DT_* */
uint64_t file_count(void);				/* open now, for /proc/sys/fs/file-nr */
