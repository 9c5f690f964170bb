/*
 * Where the file layer tells what happened to files: inotify listens (fs/inotify).
 *
 * Each function is a test of one counter while nobody watches anything. The events are IN_*.
 */
#pragma once

#include "abi/inotify.h"
#include "core/atomic.h"

struct dentry;
struct file;
struct inode;

struct notify_ops {
	/* `inode` is the watched object itself; `name` of the child concerned or NULL. */
	void (*event)(struct inode *inode, uint32_t mask, uint32_t cookie, const char *name);
};

extern atomic32_t notify_watch_count;		/* watches in the system */
void notify_register(const struct notify_ops *ops);

void notify_slow_dentry(struct dentry *dentry, uint32_t mask);
void notify_slow_child(struct inode *dir, const char *name, uint32_t mask, uint32_t cookie);
void notify_slow_inode(struct inode *inode, uint32_t mask);

/* Something happened to the file at `dentry`: its own watches and its directory's. */
static inline void notify_dentry(struct dentry *dentry, uint32_t mask)
{
	if (atomic32_load(&notify_watch_count) != 0)
		notify_slow_dentry(dentry, mask);
}

/* An entry of `dir` came or went. */
static inline void notify_child(struct inode *dir, const char *name, uint32_t mask, uint32_t cookie)
{
	if (atomic32_load(&notify_watch_count) != 0)
		notify_slow_child(dir, name, mask, cookie);
}

static inline void notify_inode(struct inode *inode, uint32_t mask)
{
	if (atomic32_load(&notify_watch_count) != 0)
		notify_slow_inode(inode, mask);
}

uint32_t notify_next_cookie(void);
