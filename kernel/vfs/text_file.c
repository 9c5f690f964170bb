/*
 * Text made by the kernel: a growing buffer, and reading from it.
 */
#include "vfs/text_file.h"

#include "abi/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mem/slab.h"

#define TEXT_FIRST 1024
#define TEXT_LIMIT (16UL << 20)

/* Room for n more bytes and a NUL. */
static bool text_reserve(struct text *t, size_t n)
{
	size_t capacity = t->capacity != 0 ? t->capacity : TEXT_FIRST;
	char *data;

	if (t->failed || n > TEXT_LIMIT - t->length - 1) {
		t->failed = true;
		return false;
	}
	if (t->length + n < t->capacity)
		return true;
	while (capacity <= t->length + n)
		capacity *= 2;
	data = kmalloc(capacity);
	if (data == NULL) {
		t->failed = true;
		return false;
	}
	if (t->length > 0)
		memcpy(data, t->data, t->length);
	kfree(t->data);
	t->data = data;
	t->capacity = capacity;
	return true;
}

void text_put(struct text *t, const void *bytes, size_t n)
{
	if (!text_reserve(t, n))
		return;
	memcpy(t->data + t->length, bytes, n);
	t->length += n;
}

void text_putc(struct text *t, char c)
{
	text_put(t, &c, 1);
}

void text_printf(struct text *t, const char *format, ...)
{
	__builtin_va_list arguments;
	size_t needed;

	if (!text_reserve(t, 256))
		return;
	__builtin_va_start(arguments, format);
	needed = format_string_v(t->data + t->length, t->capacity - t->length, format, arguments);
	__builtin_va_end(arguments);
	if (needed >= t->capacity - t->length) {
		if (!text_reserve(t, needed))
			return;
		__builtin_va_start(arguments, format);
		needed = format_string_v(t->data + t->length, t->capacity - t->length, format,
					 arguments);
		__builtin_va_end(arguments);
	}
	t->length += needed;
}

void text_put_escaped(struct text *t, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			text_printf(t, "\\%03o", (unsigned char)*s);
		else
			text_putc(t, *s);
	}
}

void text_free(struct text *t)
{
	kfree(t->data);
	*t = (struct text){ 0 };
}

void text_file_init(struct text_file *f, int (*make)(struct text *t, void *arg), void *arg)
{
	*f = (struct text_file){ .make = make, .arg = arg, .next = -1 };
	mutex_init(&f->mutex);
}

/* The memory of the last text is used again. */
static int text_file_make_locked(struct text_file *f) REQUIRES(&f->mutex)
{
	int error;

	f->next = -1;
	f->text.length = 0;
	f->text.failed = false;
	error = f->make(&f->text, f->arg);
	return error == 0 && f->text.failed ? -ENOMEM : error;
}

static ssize_t text_file_copy_locked(struct text_file *f, struct iobuf *to, loff_t *pos)
	REQUIRES(&f->mutex)
{
	const struct text *t = &f->text;
	size_t n, moved;

	f->next = *pos;
	if ((uint64_t)*pos >= t->length)
		return 0;
	n = t->length - (size_t)*pos;
	if (n > to->left)
		n = to->left;
	moved = iobuf_put(to, t->data + *pos, n);
	*pos += (loff_t)moved;
	f->next = *pos;
	return moved == 0 && n > 0 ? -EFAULT : (ssize_t)moved;
}

ssize_t text_file_read(struct text_file *f, struct iobuf *to, loff_t *pos)
{
	ssize_t result = 0;

	if (*pos < 0)
		return -EINVAL;
	mutex_lock(&f->mutex);
	if (*pos == 0 || *pos != f->next)
		result = text_file_make_locked(f);
	if (result == 0)
		result = text_file_copy_locked(f, to, pos);
	mutex_unlock(&f->mutex);
	return result;
}

void text_file_fini(struct text_file *f)
{
	text_free(&f->text);
}
