/*
 * Files whose text the kernel makes when they are opened (procfs, sysfs): the whole text is made
 * once, so that a reader sees one state however small its reads.
 */
#pragma once

#include "core/types.h"
#include "vfs/file.h"

struct text {
	char *data;				/* kmalloc'ed */
	size_t length, capacity;
	bool failed;				/* memory ended: text_make says -ENOMEM */
};

void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_put(struct text *t, const void *bytes, size_t n);
void text_putc(struct text *t, char c);
/* The string with space, tab, newline and backslash as \ooo: mount tables, file names. */
void text_put_escaped(struct text *t, const char *s);
void text_free(struct text *t);

/* Fills file->private with the text that `make` writes; -ENOMEM or make's error. */
must_check int text_file_open(struct file *file, int (*make)(struct text *t, void *arg), void *arg);
ssize_t text_file_read(struct file *file, struct iobuf *to, loff_t *pos);
void text_file_release(struct file *file);
