/*
 * Do spaces that fork, write, unmap, remap and die in any order see the memory that a model sees?
 *
 * links: arch/host/memory.c arch/host/support.c core/percpu.c core/spinlock.c core/fail_point.c
 * links: lib/rbtree.c lib/radix.c lib/string.c lib/string_bounded.c
 * links: mem/boot_memory.c mem/buddy.c mem/page.c mem/slab.c mem/kmalloc.c mem/kvmap.c
 * links: vm/area_in_place.c vm/area_tree.c vm/fault.c vm/fault_anonymous.c vm/object.c
 * links: vm/object_reclaim.c vm/ptable_fold.c
 * links: vm/object_store.c vm/ptable.c
 * links: vm/ptable_copy.c vm/ptable_edit.c vm/ptable_pool.c vm/space.c vm/space_access.c
 * links: vm/fork_ahead.c vm/space_fork.c
 * links: vm/space_map.c
 * links: vm/space_object.c vm/space_protect.c vm/space_remap.c vm/space_tables.c vm/tlb.c
 * links: vm/space_usage.c
 * helpers: vm_world.c
 *
 * The model has, for each space and page: whether it is mapped, what kind, which rights, and the
 * value of its first word. Pages lie in clusters that share tables at each of the four levels or at
 * none. After each step a sample of the pages is read through modelled translation caches; now and
 * then all of them, and every reference count.
 */
#include <stdio.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/signal.h"
#include "host_test.h"
#include "mem/slab.h"
#include "sched/thread.h"
#include "vm/area_tree.h"
#include "vm/space_internal.h"
#include "vm_world.h"

#define SPACES 6
#define CLUSTERS 8
#define LARGE (CLUSTERS - 1)		/* this one lies in an area of 2 MiB */
#define LARGE_START 0x20000000UL
#define CLUSTER_PAGES 24
#define PAGES (CLUSTERS * CLUSTER_PAGES)
#define OBJECT_PAGES 64

enum kind { NONE, ANON, PRIVATE, SHARED };

struct page_model {
	enum kind kind;
	uint32_t rights;
	uint32_t fork_flags;
	uint64_t index;			/* in the object */
	uint64_t value;			/* ANON, and PRIVATE once written */
	bool own;			/* PRIVATE: written, the object's value no longer shows */
};

static const uint64_t cluster_base[CLUSTERS] = {
	0x10000000, 0x10000000 + CLUSTER_PAGES * PAGE_SIZE,	/* one leaf table */
	0x101f8000,						/* straddles two leaf tables */
	0x3ffff000 - 11 * PAGE_SIZE,				/* straddles 1 GiB */
	0x7ffffff000 - 11 * PAGE_SIZE,				/* straddles 512 GiB */
	0x555500000000, 0x7f0000000000,
	LARGE_START + 100 * PAGE_SIZE,
};

static struct space *spaces[SPACES];
static struct page_model model[SPACES][PAGES];
static struct object *object, *store;		/* memory; with a store behind it */
static uint64_t object_value[OBJECT_PAGES], store_value[OBJECT_PAGES];
static uint64_t next_value = 1;

static uint64_t address_of(unsigned int page)
{
	return cluster_base[page / CLUSTER_PAGES] + page % CLUSTER_PAGES * PAGE_SIZE;
}

/* --- a store ---------------------------------------------------------------------------------- */

static uint64_t disk[OBJECT_PAGES];

static int store_read(struct object *o, struct page *page)
{
	uint64_t *words = page_address(page);

	arch_page_clear(words);
	if (page->index < OBJECT_PAGES)
		words[0] = disk[page->index];
	return 0;
}

static int store_write(struct object *o, struct page *page, size_t bytes)
{
	disk[page->index] = *(uint64_t *)page_address(page);
	return 0;
}

static const struct object_ops store_ops = { .read_page = store_read, .write_page = store_write };

/* --- the model -------------------------------------------------------------------------------- */

static uint64_t *object_slot(const struct page_model *m)
{
	return m->fork_flags & AREA_HEAP ? &store_value[m->index] : &object_value[m->index];
}

static uint64_t expected_value(const struct page_model *m)
{
	if (m->kind == SHARED || (m->kind == PRIVATE && !m->own))
		return *object_slot(m);
	return m->value;
}

/* An entry may have less than its area allows, never more. */
static void check_rights(int s, unsigned int page)
{
	uint32_t rights = model[s][page].rights;
	bool writable;
	pte_t e = ptable_lookup(space_root(spaces[s]), address_of(page), &writable);

	if (pte_is_none(e) || !pte_is_present(e))
		return;
	CHECK(!writable || (rights & AREA_WRITE) != 0);
	CHECK(!pte_is_exec(e) || (rights & AREA_EXEC) != 0);
}

static void check_page(int s, unsigned int page)
{
	const struct page_model *m = &model[s][page];
	uint64_t value;
	int error;

	check_rights(s, page);
	error = world_read(spaces[s], address_of(page), &value);

	if (m->kind == NONE || m->rights == 0) {
		CHECK_EQUAL(error, -EFAULT);
		return;
	}
	if (!CHECK_EQUAL(error, 0))
		return;
	if (!CHECK_EQUAL(value, expected_value(m)))
		printf("# space %d page %u kind %d cpu %u\n", s, page, m->kind, cpu_id());
}

static void check_all(bool through_caches)
{
	struct object *objects[] = { object, store };

	if (!through_caches)
		world_forget();
	for (int s = 0; s < SPACES; s++) {
		if (spaces[s] == NULL)
			continue;
		area_tree_check(spaces[s]->areas);
		for (unsigned int page = 0; page < PAGES; page++)
			check_page(s, page);
	}
	world_check_references(spaces, SPACES, objects, 2);
}

static void write_page(int s, unsigned int page)
{
	struct page_model *m = &model[s][page];
	uint64_t value = next_value++;
	int error = world_write(spaces[s], address_of(page), value);

	if (m->kind == NONE || (m->rights & AREA_WRITE) == 0) {
		CHECK_EQUAL(error, -EFAULT);
		return;
	}
	if (!CHECK_EQUAL(error, 0))
		return;
	if (m->kind == SHARED) {
		*object_slot(m) = value;
	} else {
		m->value = value;
		m->own = true;
	}
}

/* --- operations ------------------------------------------------------------------------------- */

/* A random run of pages inside a cluster. */
static void pick_run(unsigned int *from, unsigned int *to)
{
	unsigned int cluster = (unsigned int)host_test_below(CLUSTERS);
	unsigned int a = (unsigned int)host_test_below(CLUSTER_PAGES);
	unsigned int n = 1 + (unsigned int)host_test_below(CLUSTER_PAGES - a);

	*from = cluster * CLUSTER_PAGES + a;
	*to = *from + n;
}

static bool operation_failed(int error, uint64_t fail)
{
	world_fail_nth(0);
	if (error == 0)
		return false;
	CHECK_EQUAL(error, -ENOMEM);
	CHECK(fail != 0);
	return true;
}

static void do_map(int s, uint64_t fail)
{
	unsigned int from, to;
	uint64_t index = host_test_below(OBJECT_PAGES - CLUSTER_PAGES);
	enum kind kind = ANON + (enum kind)host_test_below(3);
	bool stored = host_test_below(2) == 0;
	struct area a = { .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE };

	pick_run(&from, &to);
	a.start = address_of(from);
	a.end = address_of(to - 1) + PAGE_SIZE;
	if (kind != ANON) {
		a.object = stored ? store : object;
		a.offset = index << PAGE_SHIFT;
		object_get(a.object);
	}
	if (kind == SHARED)
		a.flags |= AREA_SHARED;
	world_fail_nth(fail);
	if (operation_failed(space_map(spaces[s], &a, MAP_AT), fail)) {
		if (a.object != NULL)
			object_put(a.object);
		return;
	}
	for (unsigned int i = from; i < to; i++)
		model[s][i] = (struct page_model){ .kind = kind, .rights = AREA_READ | AREA_WRITE,
			.index = index + i - from, .fork_flags = stored ? AREA_HEAP : 0 };
}

/* All around the last cluster, and 2 MiB leaves wanted. */
static void do_map_large(int s, uint64_t fail)
{
	struct area a = { .start = LARGE_START, .end = LARGE_START + FOLD_BYTES,
			  .flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | AREA_HUGE };

	world_fail_nth(fail);
	if (operation_failed(space_map(spaces[s], &a, MAP_AT), fail))
		return;
	for (unsigned int i = LARGE * CLUSTER_PAGES; i < PAGES; i++)
		model[s][i] = (struct page_model){ .kind = ANON,
						   .rights = AREA_READ | AREA_WRITE };
	write_page(s, LARGE * CLUSTER_PAGES + (unsigned int)host_test_below(CLUSTER_PAGES));
}

static void do_unmap(int s, uint64_t fail)
{
	unsigned int from, to;

	pick_run(&from, &to);
	world_fail_nth(fail);
	if (operation_failed(space_unmap(spaces[s], address_of(from),
					 address_of(to - 1) + PAGE_SIZE), fail))
		return;
	memset(&model[s][from], 0, (to - from) * sizeof(model[s][0]));
}

static void do_protect(int s, uint64_t fail)
{
	static const uint32_t choices[] = { 0, AREA_READ, AREA_READ | AREA_WRITE,
					    AREA_READ | AREA_WRITE, AREA_READ | AREA_EXEC };
	uint32_t rights = choices[host_test_below(5)];
	unsigned int from, to;

	pick_run(&from, &to);
	for (unsigned int i = from; i < to; i++)
		if (model[s][i].kind == NONE)
			return;
	world_fail_nth(fail);
	if (operation_failed(space_protect(spaces[s], address_of(from),
					   address_of(to - 1) + PAGE_SIZE, rights), fail))
		return;
	for (unsigned int i = from; i < to; i++)
		model[s][i].rights = rights;
}

static void do_discard(int s, uint64_t fail)
{
	unsigned int from, to;

	pick_run(&from, &to);
	for (unsigned int i = from; i < to; i++)
		if (model[s][i].kind == NONE)
			return;
	world_fail_nth(fail);
	if (operation_failed(space_advise(spaces[s], address_of(from),
					  address_of(to - 1) + PAGE_SIZE, MADV_DONTNEED), fail))
		return;
	for (unsigned int i = from; i < to; i++) {
		model[s][i].own = false;
		model[s][i].value = 0;
	}
}

static void do_fork_flags(int s, uint64_t fail)
{
	static const struct { int advice; uint32_t clear, set; } choices[] = {
		{ MADV_DONTFORK, 0, AREA_DONTFORK }, { MADV_DOFORK, AREA_DONTFORK, 0 },
		{ MADV_WIPEONFORK, 0, AREA_WIPEONFORK }, { MADV_KEEPONFORK, AREA_WIPEONFORK, 0 },
	};
	uint64_t choice = host_test_below(4);
	unsigned int from, to;

	pick_run(&from, &to);
	for (unsigned int i = from; i < to; i++)
		if (model[s][i].kind != ANON)
			return;
	world_fail_nth(fail);
	if (operation_failed(space_advise(spaces[s], address_of(from),
					  address_of(to - 1) + PAGE_SIZE,
					  choices[choice].advice), fail))
		return;
	for (unsigned int i = from; i < to; i++)
		model[s][i].fork_flags = (model[s][i].fork_flags & ~choices[choice].clear) |
					 choices[choice].set;
}

static bool in_one_area(int s, unsigned int from, unsigned int to)
{
	const struct area *a = area_tree_find(spaces[s]->areas, address_of(from));

	return a != NULL && a->start <= address_of(from) &&
	       a->end >= address_of(to - 1) + PAGE_SIZE;
}

/* Moves a run to the same place of another cluster. */
static void do_remap(int s, uint64_t fail)
{
	unsigned int from, to, target, i;
	uint64_t got, bytes;

	pick_run(&from, &to);
	target = (unsigned int)host_test_below(CLUSTERS) * CLUSTER_PAGES + from % CLUSTER_PAGES;
	if (target == from || !in_one_area(s, from, to))
		return;
	bytes = address_of(to - 1) + PAGE_SIZE - address_of(from);
	world_fail_nth(fail);
	if (operation_failed(space_remap(spaces[s], address_of(from), bytes, bytes,
					 MREMAP_MAYMOVE | MREMAP_FIXED, address_of(target),
					 &got), fail)) {
		/* The target may be gone, or as before. */
		if (model[s][target].kind != NONE &&
		    space_resident_pages(spaces[s]) == UINT64_MAX)
			return;
		for (i = target; i < target + (to - from); i++) {
			const struct area *a = area_tree_find(spaces[s]->areas, address_of(i));

			if (a == NULL || a->start > address_of(i))
				model[s][i] = (struct page_model){ .kind = NONE };
		}
		return;
	}
	CHECK_EQUAL(got, address_of(target));
	for (i = 0; i < to - from; i++) {
		model[s][target + i] = model[s][from + i];
		model[s][from + i] = (struct page_model){ .kind = NONE };
	}
}

static void do_fork(int s, uint64_t fail)
{
	int t = (int)host_test_below(SPACES);
	struct space *child;

	if (spaces[t] != NULL)
		return;
	world_run(spaces[s]);
	world_fail_nth(fail);
	if (operation_failed(space_fork(spaces[s], 0, &child), fail))
		return;
	spaces[t] = child;
	for (unsigned int i = 0; i < PAGES; i++) {
		struct page_model *m = &model[t][i];

		*m = model[s][i];
		if ((m->fork_flags & AREA_DONTFORK) != 0)
			*m = (struct page_model){ .kind = NONE };
		else if ((m->fork_flags & AREA_WIPEONFORK) != 0)
			m->value = 0;
	}
}

static void leave(int s)
{
	uint32_t self = cpu_id();

	for (uint32_t i = 0; i < WORLD_CPUS; i++) {
		world_use_cpu(i);
		/* Sometimes the processor keeps the dying space loaded, as a kernel thread does. */
		if (cpu_current()->space == spaces[s])
			world_run(NULL);
	}
	world_use_cpu(self);
}

static void do_exit(int s)
{
	int living = 0;

	for (int i = 0; i < SPACES; i++)
		living += spaces[i] != NULL;
	if (living <= 1)
		return;
	leave(s);
	space_put(spaces[s]);
	spaces[s] = NULL;
	memset(model[s], 0, sizeof(model[s]));
}

/* Write-back cleans mappings: what is on the disk is then what is seen, and later writes count. */
static void do_sync(void)
{
	CHECK_EQUAL(object_sync(store, 0, UINT64_MAX), 0);
	for (unsigned int i = 0; i < OBJECT_PAGES; i++)
		CHECK_EQUAL(disk[i], store_value[i]);
	if (host_test_below(2) == 0)
		object_reclaim(1000);
}

static void do_punch(void)
{
	uint64_t from = host_test_below(OBJECT_PAGES), to = from + host_test_below(10);

	if (to > OBJECT_PAGES)
		to = OBJECT_PAGES;
	object_punch(object, from << PAGE_SHIFT, to << PAGE_SHIFT);
	for (uint64_t i = from; i < to; i++)
		object_value[i] = 0;
}

/* Another process's memory, by frames. */
static void do_poke(int s)
{
	unsigned int page = (unsigned int)host_test_below(PAGES);
	struct page_model *m = &model[s][page];
	uint64_t value = next_value++, seen;
	bool force = host_test_below(2) == 0;
	bool allowed = m->kind != NONE && ((m->rights & AREA_WRITE) != 0 ||
					   (force && m->kind != SHARED));

	CHECK_EQUAL(space_write(spaces[s], address_of(page), &value, 8, force), allowed ? 8 : 0);
	if (!allowed)
		return;
	if (m->kind == SHARED) {
		*object_slot(m) = value;
	} else {
		m->value = value;
		m->own = true;
	}
	if (m->rights != 0) {
		CHECK_EQUAL(space_read(spaces[s], address_of(page), &seen, 8), 8);
		CHECK_EQUAL(seen, value);
	}
}

/* Mostly one of a few hot pages: what the caches hold is then used again. */
static unsigned int pick_page(void)
{
	static unsigned int hot;

	if (host_test_below(40) == 0)
		hot = (unsigned int)host_test_below(PAGES);
	if (host_test_below(3) == 0)
		return (unsigned int)host_test_below(PAGES);
	return (hot + (unsigned int)host_test_below(4)) % PAGES;
}

static uint64_t folds_seen;		/* steps that began with a 2 MiB leaf in the space */

static void look_at_usage(struct space *space)
{
	struct space_usage u = { 0 };

	space_usage(space, 0, USER_END, &u);
	folds_seen += u.huge != 0;
	CHECK_EQUAL(u.resident, space_resident_pages(space));
	CHECK_EQUAL(u.shared_clean + u.shared_dirty + u.private_clean + u.private_dirty,
		    u.resident);
	CHECK(u.pss_bytes <= u.resident * PAGE_SIZE && u.anonymous <= u.resident);
}

static void step(uint64_t fail_below)
{
	static int s;
	uint64_t kind = host_test_below(100);
	uint64_t fail = fail_below != 0 ? host_test_below(fail_below) : 0;

	if (host_test_below(5) == 0)
		s = (int)host_test_below(SPACES);
	if (host_test_below(6) == 0)
		world_use_cpu((uint32_t)host_test_below(WORLD_CPUS));
	if (spaces[s] == NULL)
		return;
	look_at_usage(spaces[s]);
	if (kind < 8)
		do_map(s, fail);
	else if (kind < 13)
		do_unmap(s, fail);
	else if (kind < 18)
		do_protect(s, fail);
	else if (kind < 21)
		do_discard(s, fail);
	else if (kind < 24)
		do_remap(s, fail);
	else if (kind < 32)
		do_fork(s, fail);
	else if (kind < 36)
		do_exit(s);
	else if (kind < 38)
		do_sync();
	else if (kind < 39)
		do_punch();
	else if (kind < 42)
		do_poke(s);
	else if (kind < 44)
		do_fork_flags(s, fail);
	else if (kind < 46)
		do_map_large(s, fail);
	else if (kind < 75)
		write_page(s, pick_page());
	else
		check_page(s, pick_page());
}

static void boot(void)
{
	static bool done;

	if (!done)
		world_boot(64 << 20);
	done = true;
}

static void run(int steps, uint64_t fail_below)
{
	struct world_counts before, after;

	boot();
	world_count(&before);
	object = object_create_anonymous(OBJECT_PAGES << PAGE_SHIFT);
	store = kmalloc(sizeof(*store));
	object_init(store, &store_ops);
	store->size_bytes = OBJECT_PAGES << PAGE_SHIFT;
	memset(model, 0, sizeof(model));
	memset(object_value, 0, sizeof(object_value));
	for (unsigned int i = 0; i < OBJECT_PAGES; i++)
		disk[i] = store_value[i] = next_value++;
	spaces[0] = space_create();
	for (int i = 0; i < steps; i++) {
		step(fail_below);
		if (i % 100 == 0)
			check_all(i % 200 == 0);
	}
	check_all(false);
	CHECK(folds_seen > (uint64_t)steps / 100);
	printf("# %llu of %d steps met a 2 MiB leaf\n", (unsigned long long)folds_seen, steps);
	folds_seen = 0;
	for (int s = 0; s < SPACES; s++) {
		if (spaces[s] == NULL)
			continue;
		leave(s);
		space_put(spaces[s]);
		spaces[s] = NULL;
	}
	CHECK_EQUAL(atomic32_load(&object->mapped), 0);
	CHECK_EQUAL(atomic32_load(&store->mapped), 0);
	object_put(object);
	object_fini(store);
	kfree(store);
	world_count(&after);
	CHECK_EQUAL(before.anon, after.anon);
	CHECK_EQUAL(before.table, after.table);
	CHECK_EQUAL(before.cache, after.cache);
	CHECK_EQUAL(before.slab_objects, after.slab_objects);
}

TEST(random_life_of_many_spaces) { run(60000, 0); }

/* More spaces than tags: they are given away, and changed while not loaded. */
TEST(random_life_under_tags)
{
	world_use_tags(2);
	run(60000, 0);
	world_use_tags(0);
}

TEST(failures_at_every_allocation_change_nothing) { run(40000, 10); }

TEST(eager_fork_gives_the_same_memory)
{
	fork_is_eager = true;
	run(4000, 0);
	fork_is_eager = false;
}
