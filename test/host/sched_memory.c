/*
 * Memory for host tests of sched/ that do not link mem/: the host's allocator, so that the
 * sanitiser watches each object, and stacks with room for the sanitiser's frames.
 */
#include <stdlib.h>

#include "arch/host/host.h"
#include "core/cmdline.h"
#include "mem/kstack.h"
#include "mem/slab.h"

#define STACKS_KEPT 64

static char *kept[STACKS_KEPT];
static unsigned int kept_count;

/* The scheduler knows stacks of KSTACK_SIZE below their top; there is more underneath. */
void *kstack_allocate(void)
{
	char *top = kept_count != 0 ? kept[--kept_count] : host_stack_allocate();

	return top == NULL ? NULL : top - KSTACK_SIZE;
}

void kstack_free(void *stack)
{
	if (kept_count < STACKS_KEPT)
		kept[kept_count++] = (char *)stack + KSTACK_SIZE;
}

void *kmalloc(size_t bytes) { return malloc(bytes); }
void *kzalloc(size_t bytes) { return calloc(1, bytes); }
void kfree(void *p) { free(p); }
/* A machine without words, but for a test that links core/cmdline.c. */
#define STAND_IN __attribute__((weak))
STAND_IN const char *cmdline_get(const char *key) { return NULL; }
STAND_IN int cmdline_choice(const char *key, const char *choices) { return -1; }
STAND_IN void cmdline_reject(const char *key, const char *value, const char *expected) { }
