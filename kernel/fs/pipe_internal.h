/*
 * A pipe: what pipe.c (moving bytes) and pipe_open.c (ends coming and going) share.
 */
#pragma once

#include "fs/pipe.h"
#include "mem/page.h"
#include "sched/mutex.h"
#include "vfs/file.h"
#include "vfs/inode.h"

#define PIPE_DEFAULT_SLOTS 16
#define PIPE_MAX_BYTES (1UL << 20)	/* without privilege */

struct pipe {
	struct mutex mutex;			/* all below but users */
	struct wait_queue read_wait, write_wait;	/* readers, writers, polls */
	struct wait_queue open_wait;		/* FIFO opens that wait for the other side */
	uint64_t head, tail;			/* bytes read and written; both 0 when emptied */
	uint32_t slots;				/* capacity in pages: a power of two */
	uint32_t readers, writers;		/* open ends */
	uint32_t read_opens, write_opens;	/* opens ever: what open_wait waits for */
	uint32_t readers_waiting, writers_waiting;
	bool polled;				/* somebody asked for events: wake at each write */
	uint32_t users;				/* inode->lock: open files and opens under way */
	struct page **pages;			/* byte n is in pages[(n / PAGE_SIZE) % slots] */
};

extern const struct file_ops pipe_ops;

static inline uint64_t pipe_filled(const struct pipe *p) { return p->tail - p->head; }
static inline uint64_t pipe_capacity(const struct pipe *p)
{
	return (uint64_t)p->slots << PAGE_SHIFT;
}
static inline uint64_t pipe_room(const struct pipe *p) { return pipe_capacity(p) - pipe_filled(p); }

void pipe_release(struct file *file);
