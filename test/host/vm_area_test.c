/*
 * Does the persistent tree of areas say what a plain array says, in every version of it?
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
 * helpers: vm_world.c
 */
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "vm/area_tree.h"
#include "vm_world.h"

#define PAGES 200
#define BASE 0x100000UL
#define VERSIONS 6

/* The model: one entry a page. */
struct model { uint32_t flags[PAGES]; uint64_t offset[PAGES]; bool used[PAGES]; };

static struct area_node *tree[VERSIONS];
static struct model model[VERSIONS];
static struct object *object;

static void boot(void)
{
	static bool done;

	if (!done)
		world_boot(8 << 20);
	done = true;
}

static uint64_t address_of(unsigned int page) { return BASE + page * PAGE_SIZE; }

static void model_fill(struct model *m, unsigned int from, unsigned int to, const struct area *a)
{
	for (unsigned int i = from; i < to; i++) {
		m->used[i] = a != NULL;
		m->flags[i] = a != NULL ? a->flags : 0;
		m->offset[i] = a != NULL && a->object != NULL ?
			       a->offset + (i - from) * PAGE_SIZE : UINT64_MAX;
	}
}

static bool model_fits(const struct model *m, unsigned int a, unsigned int b)
{
	return m->used[a] && m->used[b] && m->flags[a] == m->flags[b] &&
	       (m->offset[a] == UINT64_MAX) == (m->offset[b] == UINT64_MAX) &&
	       (m->offset[a] == UINT64_MAX || m->offset[a] + PAGE_SIZE == m->offset[b]);
}

static unsigned int model_areas(const struct model *m)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		if (m->used[i] && (i == 0 || !model_fits(m, i - 1, i)))
			n++;
	return n;
}

static bool model_gap(const struct model *m, unsigned int pages, unsigned int *start)
{
	unsigned int run = 0;

	for (unsigned int i = PAGES; i-- > 0;) {
		run = m->used[i] ? 0 : run + 1;
		if (run == pages) {
			*start = i;
			return true;
		}
	}
	return false;
}

static void check_version(int v)
{
	const struct model *m = &model[v];

	area_tree_check(tree[v]);
	CHECK_EQUAL(area_tree_count(tree[v]), model_areas(m));
	for (unsigned int i = 0; i < PAGES; i++) {
		const struct area *a = area_tree_find(tree[v], address_of(i));
		bool inside = a != NULL && a->start <= address_of(i);

		CHECK_EQUAL(inside, m->used[i]);
		if (!inside)
			continue;
		CHECK_EQUAL(a->flags, m->flags[i]);
		if (a->object != NULL)
			CHECK_EQUAL(a->offset + (address_of(i) - a->start), m->offset[i]);
		else
			CHECK(m->offset[i] == UINT64_MAX);
	}
}

static void check_gaps(int v)
{
	for (unsigned int pages = 1; pages < 40; pages += 3) {
		unsigned int expected;
		uint64_t got;
		bool have = model_gap(&model[v], pages, &expected);

		CHECK_EQUAL(area_tree_find_gap(tree[v], BASE, address_of(PAGES),
					       pages * PAGE_SIZE, &got), have);
		if (have)
			CHECK_EQUAL(got, address_of(expected));
	}
}

static unsigned int done_in_place;

static bool operate_in_place(int v, uint64_t kind, const struct area *a)
{
	struct area_node *dead = NULL;
	bool done;

	if (host_test_below(4) == 0)
		return false;
	if (kind < 8)
		done = area_tree_replace_in_place(&tree[v], a->start, a->end, kind < 5 ? a : NULL,
						  &dead);
	else
		done = area_tree_change_in_place(tree[v], a->start, a->end, AREA_WRITE,
						 a->flags & AREA_WRITE);
	area_tree_put(dead);
	done_in_place += done;
	return done;
}

static void note(int v, uint64_t kind, unsigned int from, unsigned int to, const struct area *a)
{
	if (kind < 8)
		model_fill(&model[v], from, to, kind < 5 ? a : NULL);
	else
		for (unsigned int i = from; i < to; i++)
			if (model[v].used[i])
				model[v].flags[i] = AREA_READ | (a->flags & AREA_WRITE);
}

/* One random operation on a version; with `fail`, its Nth allocation fails. */
static void operate(int v, uint64_t fail)
{
	unsigned int from = (unsigned int)host_test_below(PAGES);
	unsigned int to = from + 1 + (unsigned int)host_test_below(12);
	struct area a = { .flags = AREA_READ | (uint32_t)host_test_below(2) * AREA_WRITE };
	struct area_node *next;
	uint64_t kind = host_test_below(10);
	int error;

	if (to > PAGES)
		to = PAGES;
	a.start = address_of(from);
	a.end = address_of(to);
	if (host_test_below(2) == 0) {
		a.object = object;
		a.offset = host_test_below(3) == 0 ? 0 : from * PAGE_SIZE;
	}
	world_fail_nth(fail);
	if (operate_in_place(v, kind, &a)) {
		world_fail_nth(0);
		note(v, kind, from, to, &a);
		return;
	}
	if (kind < 5)
		error = area_tree_replace(tree[v], a.start, a.end, &a, &next);
	else if (kind < 8)
		error = area_tree_replace(tree[v], a.start, a.end, NULL, &next);
	else
		error = area_tree_change(tree[v], a.start, a.end, AREA_WRITE,
					 a.flags & AREA_WRITE, &next);
	world_fail_nth(0);
	if (error != 0) {
		CHECK(fail != 0 && error == -ENOMEM);
		return;
	}
	area_tree_put(tree[v]);
	tree[v] = next;
	note(v, kind, from, to, &a);
}

static void run(uint64_t fail_below)
{
	struct world_counts before, after;

	boot();
	object = object_create_anonymous(1 << 20);
	world_count(&before);
	memset(model, 0, sizeof(model));
	done_in_place = 0;
	for (int step = 0; step < 12000; step++) {
		int v = (int)host_test_below(VERSIONS);

		if (host_test_below(step % 4000 < 2000 ? 20 : 1000) == 0) {
			int from = (int)host_test_below(VERSIONS);
			struct area_node *old = tree[v];

			tree[v] = area_tree_get(tree[from]);
			model[v] = model[from];
			area_tree_put(old);
		} else {
			operate(v, fail_below != 0 ? host_test_below(fail_below) : 0);
		}
		if (step % 50 == 0)
			for (int i = 0; i < VERSIONS; i++)
				check_version(i);
		if (step % 200 == 0)
			check_gaps(v);
	}
	for (int i = 0; i < VERSIONS; i++) {
		check_version(i);
		area_tree_put(tree[i]);
		tree[i] = NULL;
	}
	CHECK(done_in_place > 300);
	world_count(&after);
	CHECK_EQUAL(before.slab_objects, after.slab_objects);
	CHECK_EQUAL(atomic32_load(&object->mapped), 0);
	CHECK_EQUAL(refcount_read(&object->references), 1);
	object_put(object);
}

TEST(random_operations_on_many_versions) { run(0); }

TEST(a_failed_operation_changes_nothing) { run(12); }

TEST(resize_in_place_only_when_the_path_is_not_shared)
{
	struct area a = { .start = BASE, .end = BASE + PAGE_SIZE, .flags = AREA_READ };
	struct area_node *root = NULL, *next;

	boot();
	for (int i = 0; i < 10; i++) {
		a.start = address_of((unsigned int)i * 4);
		a.end = a.start + PAGE_SIZE;
		CHECK_EQUAL(area_tree_replace(root, a.start, a.end, &a, &next), 0);
		area_tree_put(root);
		root = next;
	}
	CHECK(area_tree_resize(root, BASE, BASE, BASE + 2 * PAGE_SIZE));
	area_tree_check(root);
	CHECK_EQUAL(area_tree_find(root, BASE)->end, BASE + 2 * PAGE_SIZE);
	next = area_tree_get(root);
	CHECK(!area_tree_resize(root, BASE, BASE, BASE + 3 * PAGE_SIZE));
	area_tree_put(next);
	area_tree_put(root);
}

TEST(a_growing_stack_keeps_its_guard)
{
	struct area a = { .start = BASE + (2 << 20), .end = BASE + (3 << 20),
			  .flags = AREA_READ | AREA_GROWSDOWN };
	struct area_node *root;
	uint64_t start;

	boot();
	CHECK_EQUAL(area_tree_replace(NULL, a.start, a.end, &a, &root), 0);
	CHECK(area_tree_find_gap(root, BASE, a.end, PAGE_SIZE, &start));
	CHECK_EQUAL(start, a.start - STACK_GUARD_BYTES - PAGE_SIZE);
	area_tree_put(root);
}
