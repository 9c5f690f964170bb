/*
 * Files whose text the kernel makes (procfs, sysfs). As Linux's seq_file: the text is made whole at
 * the first read, so that a reader sees one state however small its reads, and anew at each read
 * that does not go on where the last one ended, or that is at offset 0.
 */
#pragma once

#include "core/types.h"
#include "sched/mutex.h"
#include "vfs/iobuf.h"

struct text {
	char *data;				/* kmalloc'ed */
	size_t length, capacity;
	bool failed;				/* memory ended: reading says -ENOMEM */
};

void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const void *bytes, size_t n);
void text_putc(struct text *t, char c);
/* The string with space, tab, newline and backslash as \ooo: mount tables, file names. */
void text_put_escaped(struct text *t, const char *s);
void text_free(struct text *t);

/* What an open file of this kind keeps: its opener's, who makes it ready and gives it back. */
struct text_file {
	int (*make)(struct text *t, void *arg);		/* [I] 0 or -errno, which the read gives */
	void *arg;					/* [I] */
	struct mutex mutex;		/* many may read one file at once; make is called with it */
	struct text text GUARDED_BY(&mutex);		/* of the last making */
	loff_t next GUARDED_BY(&mutex);			/* where the last read ended; -1: no text */
};

void text_file_init(struct text_file *f, int (*make)(struct text *t, void *arg), void *arg);
/* Bytes, 0 at and behind the end, -ENOMEM, -EFAULT or make's error. */
must_check ssize_t text_file_read(struct text_file *f, struct iobuf *to, loff_t *pos);
void text_file_fini(struct text_file *f);
