/*
 * kmalloc: sizes without a cache of their own. Up to 2 KiB from slab caches of graded sizes (four a
 * doubling wastes at most a fifth), above that whole pages, above the largest block nothing.
 *
 * kfree() tells the two apart by the kind of the page.
 */
#include "core/assert.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/mem_internal.h"
#include "mem/slab.h"

static const struct { uint16_t size; const char *name; } sizes[] = {
	{ 16, "kmalloc-16" }, { 32, "kmalloc-32" }, { 48, "kmalloc-48" }, { 64, "kmalloc-64" },
	{ 96, "kmalloc-96" }, { 128, "kmalloc-128" }, { 192, "kmalloc-192" },
	{ 256, "kmalloc-256" }, { 384, "kmalloc-384" }, { 512, "kmalloc-512" },
	{ 768, "kmalloc-768" }, { 1024, "kmalloc-1024" }, { 1536, "kmalloc-1536" },
	{ 2048, "kmalloc-2048" },
};

#define SIZE_MAX_SLAB 2048
#define SIZE_STEP 16

static struct slab_cache *kmalloc_caches[ARRAY_SIZE(sizes)];	/* [I] after boot */
static uint8_t size_class[SIZE_MAX_SLAB / SIZE_STEP + 1];	/* [I] by size in steps */

void *kmalloc(size_t bytes)
{
	if (bytes <= SIZE_MAX_SLAB)
		return slab_allocate(kmalloc_caches[size_class[DIV_ROUND_UP(bytes, SIZE_STEP)]]);
	if (bytes > SECTION_BYTES)
		return NULL;

	unsigned int order = ilog2_up(DIV_ROUND_UP(bytes, PAGE_SIZE));
	struct page *page = page_allocate(order, PAGE_KERNEL, 0);

	return page != NULL ? page_address(page) : NULL;
}

void *kzalloc(size_t bytes)
{
	void *p = kmalloc(bytes);

	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

void *kcalloc(size_t n, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(n, bytes, &total))
		return NULL;
	return kzalloc(total);
}

void kfree(void *p)
{
	if (p == NULL)
		return;

	struct page *page = virt_to_page(p);

	if (page->kind == PAGE_SLAB) {
		slab_free(page->cache, p);
		return;
	}
	VERIFY(page->kind == PAGE_KERNEL && ((uint64_t)p & ~PAGE_MASK) == 0);
	page_put(page);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n);

	if (copy != NULL)
		memcpy(copy, s, n);
	return copy;
}

void kmalloc_init(void)
{
	size_t class = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		kmalloc_caches[i] = slab_cache_create(sizes[i].name, sizes[i].size, 16);
	for (size_t step = 0; step <= SIZE_MAX_SLAB / SIZE_STEP; step++) {
		if (step * SIZE_STEP > sizes[class].size)
			class++;
		size_class[step] = (uint8_t)class;
	}
}
