/*
 * A machine for tests of mem/ and vm/ on the host: memory, and processors whose translation caches
 * are modelled, so that a missing flush shows as a wrong value.
 *
 * Kernel code runs on the process's own stack, one call at a time; which processor runs is chosen
 * by world_use_cpu(). A call to other processors runs its function on each of them in turn.
 */
#pragma once

#include "arch/host/host.h"
#include "vm/space.h"

#define WORLD_CPUS 3

/* Once: mem_init(), space_init(), WORLD_CPUS processors. */
void world_boot(size_t memory_bytes);
void world_use_cpu(uint32_t cpu);
/* The program on this processor is one of `space` (NULL: the kernel's idle thread). */
void world_run(struct space *space);
/* From now on processors tag translations (PCID), `count` spaces each. No space is alive. */
void world_use_tags(uint32_t count);
/* Drops every cached translation of every processor: what tables say is what is seen. */
void world_forget(void);

/*
 * A program's access through this processor's caches, the tables and space_fault(): 0 or what the
 * program would get.
 */
int world_read(struct space *space, uint64_t address, uint64_t *value);
int world_write(struct space *space, uint64_t address, uint64_t value);

struct world_counts {
	uint64_t free, anon, table, cache, slab_objects;
};
void world_count(struct world_counts *out);
/* References to each page and table, as counted by walking the spaces (and `objects`, which hold
 * one for each of their pages), equal the counts in their descriptors. */
void world_check_references(struct space **spaces, size_t count, struct object **objects,
			    size_t object_count);
/* The Nth allocation from now on fails; 0: none. What is left of N afterwards. */
void world_fail_nth(uint64_t n);
uint64_t world_fail_left(void);
