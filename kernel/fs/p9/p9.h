/*
 * 9p: a directory of the host as a file system (mount type "9p", source: the device's mount tag).
 *
 * Inodes are known by the server's qid path: hard links meet in one inode, and with it in a FIFO's
 * pipe or a socket. The server knows a fid by the name it was walked by, which the guest or the
 * host may remove or give to another file: the inode takes the fid of each name it is met by;
 * without a name it leaves the table, since the host may give its number to the next file.
 * Attributes and names are cached; `cache=loose` never asks again (nobody else changes the tree),
 * otherwise they are asked for after P9_FRESH_NS. Writes go through: when write(2) returns, the
 * host has the bytes.
 */
#pragma once

#include "fs/p9/client.h"
#include "lib/hlist.h"
#include "vfs/inode.h"

#define P9_FRESH_NS 1000000000ULL
#define P9_INODE_BUCKETS 256
#define P9_READ_AHEAD_PAGES 32

struct p9_super {
	struct super super;
	struct p9_client *client;
	bool loose;
	struct spinlock lock;
	struct hlist_head inodes[P9_INODE_BUCKETS] GUARDED_BY(&lock);
};

struct p9_inode {
	struct inode inode;
	struct hlist_node hash_node;		/* super's lock */
	struct mutex fid_mutex;
	uint32_t fid;				/* walked, never opened; a directory's: [I] */
	uint32_t read_fid, write_fid;		/* P9_NO_FID: not opened yet */
	const struct dentry *name;		/* [a] a file's, fid was walked by; only compared */
	bool name_lost;				/* [a] fid's name is gone, until it has another */
	uint64_t refreshed_ns;			/* [a] when the attributes were asked for */
	struct object object;
};

static inline struct p9_inode *p9_inode_of(const struct inode *inode)
{
	return (struct p9_inode *)inode;	/* first member */
}

static inline bool p9_inode_has_lost_name(const struct inode *inode)
{
	return __atomic_load_n(&p9_inode_of(inode)->name_lost, __ATOMIC_RELAXED);
}

static inline struct p9_super *p9_super_of(const struct inode *inode)
{
	return (struct p9_super *)inode->super;
}

static inline struct p9_client *p9_client_of(const struct inode *inode)
{
	return p9_super_of(inode)->client;
}

extern const struct inode_ops p9_inode_ops;
extern const struct file_ops p9_file_ops, p9_dir_ops;
extern const struct object_ops p9_object_ops;

/* The inode of a walked fid, which it takes over (also on failure: clunked). Counted. */
must_check int p9_inode_get(struct p9_super *super, uint32_t fid, struct inode **out);
/* After a name of it was removed: one link less, and perhaps none. */
void p9_inode_name_removed(struct inode *inode);
void p9_inode_evict(struct inode *inode);
/*
 * Asks the server for the attributes when they are older than allowed (or `now`). Where the host
 * gave the name to another file, or to none, they stay, and the inode has lost its name.
 */
must_check int p9_inode_refresh(struct inode *inode, bool now);
/* The fid for reading or writing pages, opened on first use. */
must_check int p9_inode_open_fid(struct p9_inode *pi, bool for_write, uint32_t *fid);
must_check int p9_file_open(struct inode *inode, struct file *file);
void p9_init(void);
