/*
 * The machine of vm_world.h: locks that nobody contends, calls between processors, translation
 * caches, counts.
 */
#include "vm_world.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/cmdline.h"
#include "core/fail_point.h"
#include "mem/kstack.h"
#include "mem/mem_internal.h"
#include "mem/slab.h"
#include "sched/sched.h"
#include "vm/ptable.h"
#include "vm/tlb.h"

/* --- what lies outside of mem/ and vm/ -------------------------------------------------------- */

static struct thread threads[WORLD_CPUS];
static void (*space_switch)(struct thread *prev, struct thread *next);
static uint64_t fail_count;

void sched_set_space_switch(void (*hook)(struct thread *prev, struct thread *next))
{
	space_switch = hook;
}

uint64_t clock_ns(void) { return 0; }
int cmdline_choice(const char *key, const char *choices) { return -1; }

void *kstack_allocate(void) { return NULL; }
void kstack_free(void *stack) { }
size_t kstack_reap(void) { return 0; }
void kstack_init(void) { }

/* Locks are never contended here: nobody runs between two calls. */
void rwlock_init(struct rwlock *l) { memset(l, 0, sizeof(*l)); }
void rwlock_read_lock_slow(struct rwlock *l)
{
	host_fail("a lock is waited for that nobody can release");
}
void rwlock_write_lock(struct rwlock *l)
{
	HOST_EXPECT(l->state.v == 0 && cpu_self()->preempt_count == 0);
	l->state.v = RWLOCK_WRITER;
}
void rwlock_write_unlock(struct rwlock *l)
{
	HOST_EXPECT(l->state.v == RWLOCK_WRITER);
	l->state.v = 0;
}

bool wait_queue_is_empty(struct wait_queue *q) { return true; }
void wake_up(struct wait_queue *q) { }
void wake_up_all(struct wait_queue *q) { }
void wait_entry_init(struct wait_entry *e, wait_callback_t callback) { }
void wait_prepare(struct wait_queue *q, struct wait_entry *e, enum wait_mode mode) { }
void wait_finish(struct wait_queue *q, struct wait_entry *e) { }
int wait_sleep(enum wait_mode mode, uint64_t deadline_ns)
{
	host_fail("a page lock is waited for that nobody can release");
}

void preempt_enable_slow(void) { }
void host_schedule_point(void) { }
void host_irq_opened(void) { }
void host_pause(void) { host_fail("a spin lock is waited for that nobody can release"); }

struct cpu *host_cpu = &cpus[0];
bool host_irq_flag[CPU_MAX];
bool host_exploring;

void ipi_call_wait(cpu_mask_t mask, void (*fn)(void *arg), void *arg)
{
	struct cpu *self = host_cpu;

	HOST_EXPECT(host_irq_flag[cpu_id()]);
	for (uint32_t cpu = 0; cpu < WORLD_CPUS; cpu++) {
		if ((mask & (1u << cpu)) == 0 || cpu == self->id)
			continue;
		host_cpu = &cpus[cpu];
		host_irq_flag[cpu] = false;
		fn(arg);
		host_irq_flag[cpu] = true;
	}
	host_cpu = self;
}

static uint64_t *fail_counter(void) { return &fail_count; }
void world_fail_nth(uint64_t n) { fail_count = n; }
uint64_t world_fail_left(void) { return fail_count; }

void world_boot(size_t memory_bytes)
{
	host_memory_init(memory_bytes);
	cpu_count = WORLD_CPUS;
	for (uint32_t i = 0; i < WORLD_CPUS; i++) {
		cpus[i].self = &cpus[i];
		cpus[i].id = i;
		cpus[i].current = &threads[i];
		host_irq_flag[i] = true;
	}
	fail_point_set_counter(fail_counter);
	mem_init();
	space_init();
}

void world_use_cpu(uint32_t cpu) { host_cpu = &cpus[cpu]; }

void world_run(struct space *space)
{
	struct thread prev = *cpu_current();

	cpu_current()->space = space;
	host_irq_flag[cpu_id()] = false;
	if (prev.space != space)
		space_switch(&prev, cpu_current());
	host_irq_flag[cpu_id()] = true;
}

/* --- translation caches ----------------------------------------------------------------------- */

#define TLB_ENTRIES 256
#define WALK_ENTRIES 32

struct translation { uint64_t page, frame; bool writable, huge; };
struct walk { uint64_t region; const pte_t *leaf_table; bool writable; };	/* 2 MiB */

#define TAGS_MAX 4

/* What a processor holds under one tag (PCID): 0 is that of loads without. */
struct cache {
	struct translation tlb[TLB_ENTRIES];	/* page 0: empty */
	struct walk walks[WALK_ENTRIES];	/* leaf_table NULL: empty */
};

static struct {
	phys_t root;
	uint32_t tag;
	struct cache tagged[TAGS_MAX + 1];
} caches[WORLD_CPUS];

static uint32_t tags;

static struct cache *cache(void) { return &caches[cpu_id()].tagged[caches[cpu_id()].tag]; }

static uint64_t kernel_root_page[512] __attribute__((aligned(4096)));

void arch_space_init_root(void *root_table) { }
phys_t arch_space_kernel_root(void) { return phys((uint64_t)kernel_root_page); }

void arch_space_load(phys_t root)
{
	arch_space_load_tagged(root, 0, false);
}

uint32_t arch_space_tags(void) { return tags; }

void arch_space_load_tagged(phys_t root, uint32_t tag, bool keep)
{
	HOST_EXPECT(tag <= tags);
	caches[cpu_id()].root = root;
	caches[cpu_id()].tag = tag;
	if (!keep)
		arch_tlb_flush_all();
}

/* As a load of CR3 and as INVLPG: under the tag that is loaded. */
void arch_tlb_flush_all(void) { memset(cache(), 0, sizeof(*cache())); }

void world_use_tags(uint32_t count)
{
	HOST_EXPECT(count <= TAGS_MAX);
	tags = count;
	tlb_init();
}

void arch_tlb_flush_page(uint64_t address)
{
	struct translation *tlb = cache()->tlb;

	memset(cache()->walks, 0, sizeof(cache()->walks));
	for (struct translation *t = tlb; t < tlb + TLB_ENTRIES; t++)
		if (t->page == page_round_down(address) ||
		    (t->huge && t->page / FOLD_BYTES == address / FOLD_BYTES))
			t->page = 0;
}

/* Translations of both sizes for one address make some processors go wrong. */
static void check_one_size(uint64_t address, bool huge)
{
	const struct translation *tlb = cache()->tlb;

	for (const struct translation *t = tlb; t < tlb + TLB_ENTRIES; t++)
		HOST_EXPECT(t->page == 0 || t->page / FOLD_BYTES != address / FOLD_BYTES ||
			    t->huge == huge);
}

void world_forget(void)
{
	uint32_t self = cpu_id();

	for (uint32_t i = 0; i < WORLD_CPUS; i++) {
		world_use_cpu(i);
		memset(caches[i].tagged, 0, sizeof(caches[i].tagged));
	}
	world_use_cpu(self);
}

/*
 * The upper levels, through the cache: the leaf table and whether all entries allow writing; for a
 * 2 MiB leaf NULL, and *folded is its entry.
 */
static const pte_t *walk_upper(uint64_t address, bool *writable, pte_t **folded)
{
	struct walk *w = &cache()->walks[(address >> 21) % WALK_ENTRIES];
	pte_t *table = phys_to_virt(caches[cpu_id()].root);

	if (w->leaf_table != NULL && w->region == address >> 21) {
		HOST_EXPECT(virt_to_page(w->leaf_table)->kind == PAGE_TABLE);
		*writable = w->writable;
		return w->leaf_table;
	}
	*writable = true;
	for (unsigned int level = PTE_LEVELS; level > 1; level--) {
		pte_t e = table[pte_index(address, level)];

		if (!pte_is_present(e))
			return NULL;
		*writable = *writable && pte_is_writable(e);
		if (pte_is_huge(e)) {
			*folded = &table[pte_index(address, level)];
			return NULL;
		}
		HOST_EXPECT(pte_page(e)->kind == PAGE_TABLE);
		table[pte_index(address, level)] = pte_with(e, PTE_ACCESSED);
		table = phys_to_virt(pte_phys(e));
	}
	*w = (struct walk){ address >> 21, table, *writable };
	return table;
}

/* As the processor: false is a page fault, which drops what is cached for the address. */
static bool translate(uint64_t address, bool write, uint64_t *frame)
{
	struct translation *t = &cache()->tlb[(address >> PAGE_SHIFT) % TLB_ENTRIES];
	uint64_t page = page_round_down(address);
	const pte_t *table;
	pte_t *slot = NULL;
	bool writable, huge;

	if (t->page == page && (!write || t->writable)) {
		*frame = t->frame;
		return true;
	}
	table = walk_upper(address, &writable, &slot);
	huge = slot != NULL;
	if (table != NULL)
		slot = (pte_t *)&table[pte_index(address, 1)];
	if (slot != NULL) {
		pte_t e = *slot;

		writable = writable && pte_is_writable(e);
		if (pte_is_present(e) && (!write || writable)) {
			*slot = pte_with(e, PTE_ACCESSED | (write ? PTE_DIRTY : 0));
			*frame = pte_phys(e).value + (huge ? page % FOLD_BYTES : 0);
			check_one_size(address, huge);
			*t = (struct translation){ page, *frame, writable, huge };
			return true;
		}
	}
	arch_tlb_flush_page(address);
	return false;
}

static int access(struct space *space, uint64_t address, bool write, uint64_t *value)
{
	uint64_t frame, *word;

	world_run(space);
	HOST_EXPECT(caches[cpu_id()].root.value == space->root.value);
	for (int tries = 0; !translate(address, write, &frame); tries++) {
		int si_code;
		int error = space_fault(space, address, write ? FAULT_WRITE : FAULT_READ, &si_code);

		if (error != 0)
			return error;
		HOST_EXPECT(tries < 10);
	}
	HOST_EXPECT(phys_to_page(phys(frame))->kind != PAGE_FREE);
	word = phys_to_virt(phys(frame + (address & 0xff8)));
	if (write)
		*word = *value;
	else
		*value = *word;
	return 0;
}

int world_read(struct space *space, uint64_t address, uint64_t *value)
{
	return access(space, address, false, value);
}

int world_write(struct space *space, uint64_t address, uint64_t value)
{
	return access(space, address, true, &value);
}

/* --- counting --------------------------------------------------------------------------------- */

/* Caches of vm/ only: magazines and slabs of mem/ itself come and go. */
static void add_live(void *arg, const struct slab_stats *stats)
{
	struct world_counts *c = arg;
	const char *name = stats->name;

	if (strcmp(name, "area_node") == 0 || strcmp(name, "space") == 0 ||
	    strcmp(name, "radix_node") == 0 || strcmp(name, "shared_memory") == 0)
		c->slab_objects += stats->live;
}

void world_count(struct world_counts *out)
{
	struct page_stats s;

	page_drain_caches();
	page_stats_get(&s);
	*out = (struct world_counts){ s.free, s.anon, s.table, s.cache, 0 };
	slab_for_each(add_live, out);
}

static uint32_t *expected;		/* by frame */

static void count_below(struct page *table)
{
	const pte_t *entries = page_address(table);
	unsigned int n = table->level == PTE_LEVELS ? PTE_USER_ENTRIES : PTE_ENTRIES;

	for (unsigned int i = 0; i < n; i++) {
		pte_t e = entries[i];

		if (pte_is_none(e) || (table->level == 1 && pte_is_special(e)))
			continue;

		struct page *child = pte_page(e);

		if (pte_is_huge(e))
			child = &page_array[page_folds[(child - page_array) >> PAGE_HUGE_ORDER]];

		if (expected[child - page_array]++ == 0 && table->level > 1)
			count_below(child);
	}
	if (table->base != 0 && expected[table->base]++ == 0)
		count_below(&page_array[table->base]);
}

void world_check_references(struct space **spaces, size_t count, struct object **objects,
			    size_t object_count)
{
	expected = calloc(page_array_end, sizeof(*expected));
	for (size_t i = 0; i < count; i++) {
		if (spaces[i] == NULL)
			continue;
		ptable_check(phys_to_page(spaces[i]->root));
		expected[spaces[i]->root.value >> PAGE_SHIFT]++;
		count_below(phys_to_page(spaces[i]->root));
	}
	for (size_t i = 0; i < object_count; i++) {
		uint64_t index = 0;
		struct page *page;

		radix_for_each(page, &objects[i]->pages, index)
			expected[page - page_array]++;
	}
	for (uint64_t i = 0; i < page_array_end; i++) {
		const struct page *p = &page_array[i];

		if (p->kind == PAGE_TABLE || p->kind == PAGE_ANON || p->kind == PAGE_CACHE)
			HOST_EXPECT(page_count(p) == expected[i]);
		else
			HOST_EXPECT(expected[i] == 0);
	}
	free(expected);
}
