/*
 * Arguments and environment on their way from the old program's memory to the new one's: copied
 * page by page into kernel memory, so that their number and size are known before anything of the
 * new program is laid out. Bounded as on Linux: a quarter of the stack limit, at most 6 MiB in all,
 * 128 KiB a string; -E2BIG.
 */
#include "abi/errno.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/exec_internal.h"

static int check_limit(const struct exec_strings *s, size_t more)
{
	size_t pointers = (s->count + 1) * 8;

	return s->bytes + more + pointers > s->limit_bytes ? -E2BIG : 0;
}

/* The room at the end of the last page; makes one when it is full. NULL: no memory. */
static char *room(struct exec_strings *s, size_t *left)
{
	size_t offset = s->bytes % PAGE_SIZE;

	if (s->bytes == s->page_count * PAGE_SIZE) {
		char *page;

		if (s->page_count == s->page_capacity) {
			size_t capacity = MAX(s->page_capacity * 2, (size_t)8);
			char **pages = kcalloc(capacity, sizeof(*pages));

			if (pages == NULL)
				return NULL;
			if (s->page_count > 0)
				memcpy(pages, s->pages, s->page_count * sizeof(*pages));
			kfree(s->pages);
			s->pages = pages;
			s->page_capacity = capacity;
		}
		page = kmalloc(PAGE_SIZE);
		if (page == NULL)
			return NULL;
		s->pages[s->page_count++] = page;
	}
	*left = PAGE_SIZE - offset;
	return s->pages[s->page_count - 1] + offset;
}

static int add_user_string(struct exec_strings *s, user_addr_t string)
{
	size_t copied = 0;

	for (;;) {
		size_t left;
		char *to = room(s, &left);
		ssize_t length;

		if (to == NULL)
			return -ENOMEM;
		length = copy_string_from_user(to, user_add(string, copied), left);
		if (length >= 0) {
			s->bytes += (size_t)length + 1;
			s->count++;
			copied += (size_t)length + 1;
			return copied > EXEC_STRING_MAX ? -E2BIG : check_limit(s, 0);
		}
		if (length != -ENAMETOOLONG)
			return (int)length;
		s->bytes += left;
		copied += left;
		if (copied >= EXEC_STRING_MAX || check_limit(s, 0) != 0)
			return -E2BIG;
	}
}

int exec_strings_add_user(struct exec_strings *s, user_addr_t vector, size_t pointer_bytes)
{
	if (vector.value == 0)
		return 0;
	for (size_t i = 0;; i++) {
		uint64_t pointer = 0;
		int error;

		if (copy_from_user(&pointer, user_add(vector, i * pointer_bytes),
				   pointer_bytes) != 0)
			return -EFAULT;
		if (pointer == 0)
			return 0;
		error = add_user_string(s, user_addr(pointer));
		if (error == 0 && read_once(thread_current()->pending_kill))
			error = -ERESTARTNOHAND;
		if (error != 0)
			return error;
	}
}

int exec_strings_add_kernel(struct exec_strings *s, const char *string)
{
	size_t n = strlen(string) + 1;

	while (n > 0) {
		size_t left, part;
		char *to = room(s, &left);

		if (to == NULL)
			return -ENOMEM;
		part = MIN(left, n);
		memcpy(to, string, part);
		s->bytes += part;
		string += part;
		n -= part;
	}
	s->count++;
	return check_limit(s, 0);
}

void exec_strings_fini(struct exec_strings *s)
{
	for (size_t i = 0; i < s->page_count; i++)
		kfree(s->pages[i]);
	kfree(s->pages);
	memset(s, 0, sizeof(*s));
}

int exec_strings_write(const struct exec_strings *s, size_t from, struct space *space,
		       uint64_t address)
{
	while (from < s->bytes) {
		size_t offset = from % PAGE_SIZE;
		size_t part = MIN(PAGE_SIZE - offset, s->bytes - from);

		if (space_write(space, address, s->pages[from / PAGE_SIZE] + offset, part, true) !=
		    part)
			return -ENOMEM;
		from += part;
		address += part;
	}
	return 0;
}

size_t exec_strings_length(const struct exec_strings *s, size_t offset)
{
	size_t start = offset;

	for (;;) {
		size_t in_page = offset % PAGE_SIZE;
		size_t part = MIN(PAGE_SIZE - in_page, s->bytes - offset);
		const char *page = s->pages[offset / PAGE_SIZE] + in_page;
		const char *end = memchr(page, 0, part);

		if (end != NULL)
			return offset - start + (size_t)(end - page) + 1;
		offset += part;
		ASSERT(offset < s->bytes);
	}
}
