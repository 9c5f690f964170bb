/*
 * The ends of a pipe: pipe2(2), opens of FIFOs, closing.
 *
 * A pipe hangs on its inode while somebody has it open, counted by users under inode->lock. So an
 * open through /proc/self/fd of an anonymous pipe finds it the same way as the second open of a
 * FIFO.
 *
 * FIFO opens wait for the other side by counting opens, not open ends: a writer that came and went
 * before the waiting reader ran has still been there.
 */
#include "abi/errno.h"
#include "core/assert.h"
#include "core/fail_point.h"
#include "fs/pipe_internal.h"
#include "mem/slab.h"
#include "proc/cred.h"
#include "vfs/poll.h"

static struct slab_cache *pipe_cache;

static struct pipe *pipe_create(void)
{
	struct pipe *p;

	if (fail_point("pipe") || (p = slab_allocate_zeroed(pipe_cache)) == NULL)
		return NULL;
	p->slots = PIPE_DEFAULT_SLOTS;
	p->pages = kcalloc(p->slots, sizeof(*p->pages));
	if (p->pages == NULL) {
		slab_free(pipe_cache, p);
		return NULL;
	}
	mutex_init(&p->mutex);
	wait_queue_init(&p->read_wait);
	wait_queue_init(&p->write_wait);
	wait_queue_init(&p->open_wait);
	p->users = 1;
	return p;
}

static void pipe_destroy(struct pipe *p)
{
	for (uint32_t i = 0; i < p->slots; i++) {
		if (p->pages[i] != NULL)
			page_put(p->pages[i]);
	}
	kfree(p->pages);
	slab_free(pipe_cache, p);
}

/* The inode's pipe with a use for the caller, made if there is none; NULL: no memory. */
static struct pipe *pipe_get(struct inode *inode)
{
	struct pipe *p, *fresh = NULL;

	for (;;) {
		spin_lock(&inode->lock);
		p = inode->pipe;
		if (p != NULL)
			p->users++;
		else if (fresh != NULL)
			inode->pipe = p = fresh;
		spin_unlock(&inode->lock);
		if (p != NULL)
			break;
		fresh = pipe_create();
		if (fresh == NULL)
			return NULL;
	}
	if (fresh != NULL && p != fresh)
		pipe_destroy(fresh);
	return p;
}

static void pipe_put(struct inode *inode, struct pipe *p)
{
	bool last;

	spin_lock(&inode->lock);
	last = --p->users == 0;
	if (last)
		inode->pipe = NULL;
	spin_unlock(&inode->lock);
	if (last)
		pipe_destroy(p);
}

static void add_ends(struct pipe *p, const struct file *file)
{
	if (file->readable) {
		p->readers++;
		p->read_opens++;
	}
	if (file->writable) {
		p->writers++;
		p->write_opens++;
	}
}

/* Whoever waits for what can no longer come is woken to find that out. */
static void remove_ends(struct pipe *p, const struct file *file)
{
	bool ended;

	mutex_lock(&p->mutex);
	if (file->readable)
		p->readers--;
	if (file->writable)
		p->writers--;
	ended = p->readers == 0 || p->writers == 0;
	mutex_unlock(&p->mutex);
	if (ended) {
		wake_up_all(&p->read_wait);
		wake_up_all(&p->write_wait);
	}
}

void pipe_release(struct file *file)
{
	struct pipe *p = file->private;

	remove_ends(p, file);
	pipe_put(file->inode, p);
}

/* ---- FIFOs ----------------------------------------------------------------------------------- */

/* Until the other side's count of opens has moved on from `seen`. */
static int wait_for_partner(struct pipe *p, const uint32_t *opens, uint32_t seen)
{
	return wait_event_interruptible(&p->open_wait, read_once(*opens) != seen);
}

/* Both ends of an anonymous pipe have been there: its opens do not wait. */
static int fifo_connect(struct pipe *p, struct file *file, bool anonymous)
{
	bool nonblocking = (file->flags & O_NONBLOCK) != 0 || anonymous, partner;
	uint32_t seen_reads, seen_writes;

	mutex_lock(&p->mutex);
	if (file->writable && !file->readable && nonblocking && !anonymous && p->readers == 0) {
		mutex_unlock(&p->mutex);
		return -ENXIO;
	}
	seen_reads = p->read_opens;
	seen_writes = p->write_opens;
	add_ends(p, file);
	partner = file->readable ? p->writers > 0 : p->readers > 0;
	/* What a poll takes for "no writer yet". */
	file->pos = partner || anonymous ? (loff_t)p->write_opens - 1 : (loff_t)p->write_opens;
	mutex_unlock(&p->mutex);
	wake_up_all(&p->open_wait);
	if (partner || nonblocking)
		return 0;
	if (file->readable)
		return wait_for_partner(p, &p->write_opens, seen_writes);
	return wait_for_partner(p, &p->read_opens, seen_reads);
}

static int fifo_open(struct inode *inode, struct file *file)
{
	struct pipe *p;
	int error;

	if (!file->readable && !file->writable)
		return -EINVAL;
	p = pipe_get(inode);
	if (p == NULL)
		return -ENOMEM;
	error = fifo_connect(p, file, inode_is_anonymous(inode));
	if (error != 0) {
		if (error != -ENXIO)
			remove_ends(p, file);
		pipe_put(inode, p);
		return error;
	}
	file->ops = &pipe_ops;
	file->private = p;
	return 0;
}

/* ---- pipe2 ----------------------------------------------------------------------------------- */

/* One end of an inode's pipe, whose use moves into it. */
static int make_end(struct inode *inode, struct pipe *p, int flags, const char *name,
		    struct file **out)
{
	int error;

	inode_get(inode);
	error = file_create_on_inode(&pipe_ops, p, flags, inode, name, out);
	if (error != 0) {
		inode_put(inode);
		return error;
	}
	/* A writer has been there: a pipe without one is hung up. */
	(*out)->pos = -1;
	add_ends(p, *out);
	return 0;
}

int pipe_create_files(int flags, struct file **read_end, struct file **write_end)
{
	struct inode *inode;
	struct pipe *p;
	char name[32];
	int error;

	if ((flags & ~(O_NONBLOCK | O_CLOEXEC | O_DIRECT)) != 0)
		return -EINVAL;
	flags &= O_NONBLOCK | O_DIRECT;
	inode = inode_create_anonymous(S_IFIFO | 0600);
	if (inode == NULL)
		return -ENOMEM;
	inode->uid = cred_current()->fsuid;
	inode->gid = cred_current()->fsgid;
	p = pipe_create();
	if (p == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	inode->pipe = p;
	p->users = 2;
	file_anonymous_name(name, sizeof(name), "pipe", inode);
	error = make_end(inode, p, O_RDONLY | flags, name, read_end);
	if (error != 0)
		goto destroy;
	error = make_end(inode, p, O_WRONLY | flags, name, write_end);
	if (error != 0) {
		p->users = 1;
		file_put(*read_end);	/* and the pipe with it */
		inode_put(inode);
		return error;
	}
	inode_put(inode);
	return 0;
destroy:
	inode->pipe = NULL;
	pipe_destroy(p);
	inode_put(inode);
	return error;
}

void pipe_init(void)
{
	pipe_cache = slab_cache_create("pipe", sizeof(struct pipe), 8);
	file_register_special(S_IFIFO, fifo_open);
}
