/*
 * The slab allocator: caches of equal objects (Bonwick 1994; Bonwick and Adams 2001).
 *
 * Idea: a cache carves slabs (blocks of 1 to 4 pages) into objects and keeps partly used slabs on a
 * list. In front of that, each CPU has two magazines, arrays of free objects: allocation and
 * freeing are a pop and a push with interrupts off. Two, so that a program that alternates at the
 * edge of one does not go to the depot each time. Full magazines beyond that wait in the cache's
 * depot.
 *
 * Layout: a slab's header is in its first bytes, objects follow; each page's descriptor points at
 * the header, so kfree() finds the cache from any address. In debug builds each object has a word
 * behind it that says whether it is in use (double free, overrun), and free objects are filled and
 * checked when they are given out (write after free).
 *
 * Locking: per-CPU parts by their CPU with interrupts off; `lock` (irqsave) guards slabs and depot.
 * Pages are allocated and freed without it.
 */
#include "mem/slab.h"

#include "core/fail_point.h"
#include "core/spinlock.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/mem_internal.h"

#define MAGAZINE_ROUNDS 30		/* with its header, 256 bytes */
#define DEPOT_FULL_MAX 4
#define SLAB_ORDER_MAX 2
#define GUARD_IN_USE 0xa110ca7ed0b1ec75UL
#define GUARD_FREE 0xf4ee0b1ec7f4ee00UL
#define POISON 0x6b

struct magazine {
	struct magazine *next;
	uint32_t count;
	uint32_t unused;
	void *rounds[MAGAZINE_ROUNDS];
};

struct slab_cpu {
	struct magazine *loaded, *previous;	/* [c] NULL until the first free */
	int64_t live;				/* [c] allocated less freed here: sums are right */
} cache_aligned;

struct slab {
	struct list_head node;			/* partial list, when it has a free object */
	struct slab_cache *cache;
	void *free;				/* linked through the first word */
	uint32_t in_use;
	uint32_t unused;
};

struct slab_cache {
	const char *name;			/* [I] */
	uint32_t size;				/* [I] as asked */
	uint32_t stride;			/* [I] from object to object */
	uint32_t first;				/* [I] offset of the first object */
	uint16_t per_slab;			/* [I] */
	uint8_t order;				/* [I] */
	uint8_t rounds;				/* [I] used of a magazine; 0: no magazines */
	struct list_head all_node;
	struct spinlock lock;
	struct list_head partial;		/* lock */
	struct magazine *full;			/* lock: the depot */
	uint32_t full_count;			/* lock */
	uint32_t empty_slabs;			/* lock: on the partial list, nothing in use */
	uint64_t slabs;				/* lock */
	struct slab_cpu cpu[CPU_MAX];
};

static struct spinlock caches_lock = SPINLOCK_INIT(RANK_SLAB);
static struct list_head caches = LIST_HEAD_INIT(caches);
static struct slab_cache cache_cache, magazine_cache;

/* --- debug ------------------------------------------------------------------------------------ */

static uint64_t *guard_of(const struct slab_cache *cache, void *object)
{
	return (uint64_t *)((char *)object + cache->stride - sizeof(uint64_t));
}

/* The first word of a free object may be a link. */
static void debug_free(const struct slab_cache *cache, void *object)
{
	uint64_t *guard = guard_of(cache, object);

	if (*guard == GUARD_FREE)
		panic("slab %s: %p freed twice", cache->name, object);
	if (*guard != GUARD_IN_USE)
		panic("slab %s: %p overrun or not an object (%llx)", cache->name, object,
		      (unsigned long long)*guard);
	*guard = GUARD_FREE;
	memset(object, POISON, cache->size);
}

static void debug_allocate(const struct slab_cache *cache, void *object)
{
	uint64_t *guard = guard_of(cache, object);
	const uint8_t *bytes = object;

	if (*guard != GUARD_FREE)
		panic("slab %s: free object %p has guard %llx", cache->name, object,
		      (unsigned long long)*guard);
	for (size_t i = sizeof(void *); i < cache->size; i++)
		if (bytes[i] != POISON)
			panic("slab %s: %p written to after it was freed (offset %zu: %02x)",
			      cache->name, object, i, bytes[i]);
	*guard = GUARD_IN_USE;
}

/* --- slabs ------------------------------------------------------------------------------------ */

static void slab_carve(struct slab_cache *cache, struct slab *slab)
{
	*slab = (struct slab){ .cache = cache };
	for (uint32_t i = cache->per_slab; i-- > 0;) {
		char *object = (char *)slab + cache->first + (size_t)i * cache->stride;

		if (CONFIG_DEBUG) {
			memset(object, POISON, cache->size);
			*guard_of(cache, object) = GUARD_FREE;
		}
		*(void **)object = slab->free;
		slab->free = object;
	}
}

static struct slab *slab_create(struct slab_cache *cache)
{
	struct page *page = page_allocate(cache->order, PAGE_SLAB, 0);

	if (page == NULL)
		return NULL;

	struct slab *slab = page_address(page);

	for (uint32_t i = 0; i < 1u << cache->order; i++) {
		page[i].kind = PAGE_SLAB;
		page[i].cache = cache;
		page[i].slab = slab;
	}
	slab_carve(cache, slab);
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	struct page *page = virt_to_page(slab);

	for (uint32_t i = 1; i < 1u << page->order; i++)
		page[i].kind = PAGE_FREE;
	page_put(page);
}

static struct slab *slab_of(const void *object)
{
	return virt_to_page(object)->slab;
}

static void *object_take_locked(struct slab_cache *cache) REQUIRES(&cache->lock)
{
	struct slab *slab = list_first(&cache->partial, struct slab, node);

	if (slab == NULL)
		return NULL;

	void *object = slab->free;

	slab->free = *(void **)object;
	if (slab->in_use++ == 0)
		cache->empty_slabs--;
	if (slab->free == NULL)
		list_remove(&slab->node);
	return object;
}

/* Gives an object back to its slab; returns the slab when its pages are to be freed. */
static struct slab *object_give_locked(struct slab_cache *cache, void *object)
	REQUIRES(&cache->lock)
{
	struct slab *slab = slab_of(object);

	if (slab->free == NULL)
		list_push_front(&cache->partial, &slab->node);
	*(void **)object = slab->free;
	slab->free = object;
	if (--slab->in_use > 0)
		return NULL;
	/* One empty slab stays: a cache that goes up and down by one object keeps its page. */
	if (cache->empty_slabs == 0) {
		cache->empty_slabs++;
		list_remove(&slab->node);
		list_push_back(&cache->partial, &slab->node);
		return NULL;
	}
	list_remove(&slab->node);
	cache->slabs--;
	return slab;
}

static void *object_take(struct slab_cache *cache)
{
	irq_state_t irq = spin_lock_irqsave(&cache->lock);
	void *object = object_take_locked(cache);

	spin_unlock_irqrestore(&cache->lock, irq);
	if (object != NULL)
		return object;

	struct slab *slab = slab_create(cache);

	if (slab == NULL)
		return NULL;
	irq = spin_lock_irqsave(&cache->lock);
	list_push_front(&cache->partial, &slab->node);
	cache->slabs++;
	cache->empty_slabs++;
	object = object_take_locked(cache);
	spin_unlock_irqrestore(&cache->lock, irq);
	return object;
}

static void object_give(struct slab_cache *cache, void *object)
{
	irq_state_t irq = spin_lock_irqsave(&cache->lock);
	struct slab *slab = object_give_locked(cache, object);

	spin_unlock_irqrestore(&cache->lock, irq);
	if (slab != NULL)
		slab_destroy(slab);
}

/* --- magazines -------------------------------------------------------------------------------- */

static void magazine_swap(struct slab_cpu *cpu)
{
	struct magazine *m = cpu->loaded;

	cpu->loaded = cpu->previous;
	cpu->previous = m;
}

/* A full magazine of the depot takes the place of the empty `previous`. Interrupts off. */
static bool depot_load(struct slab_cache *cache, struct slab_cpu *cpu)
{
	struct magazine *empty = NULL, *full;

	if (read_once(cache->full) == NULL)
		return false;
	spin_lock(&cache->lock);
	full = cache->full;
	if (full != NULL) {
		cache->full = full->next;
		cache->full_count--;
		empty = cpu->previous;
		cpu->previous = cpu->loaded;
		cpu->loaded = full;
	}
	spin_unlock(&cache->lock);
	if (empty != NULL)
		object_give(&magazine_cache, empty);
	return full != NULL;
}

/* Both magazines are full or missing: makes room, or says no. Interrupts off. */
static bool depot_store(struct slab_cache *cache, struct slab_cpu *cpu)
{
	struct magazine *fresh;

	if (cpu->previous != NULL && read_once(cache->full_count) >= DEPOT_FULL_MAX)
		return false;
	fresh = object_take(&magazine_cache);
	if (fresh == NULL)
		return false;
	fresh->count = 0;
	if (cpu->previous != NULL) {
		spin_lock(&cache->lock);
		cpu->previous->next = cache->full;
		cache->full = cpu->previous;
		cache->full_count++;
		spin_unlock(&cache->lock);
	}
	cpu->previous = cpu->loaded;
	cpu->loaded = fresh;
	return true;
}

/* The loaded magazine is empty. Interrupts off. */
static void *magazine_pop_other(struct slab_cache *cache, struct slab_cpu *cpu)
{
	if (cpu->previous != NULL && cpu->previous->count > 0) {
		magazine_swap(cpu);
		return cpu->loaded->rounds[--cpu->loaded->count];
	}
	if (depot_load(cache, cpu))
		return cpu->loaded->rounds[--cpu->loaded->count];
	return NULL;
}

static bool magazine_push(struct slab_cache *cache, void *object)
{
	struct slab_cpu *cpu = &cache->cpu[cpu_id()];

	if (cpu->loaded == NULL || cpu->loaded->count == cache->rounds) {
		if (cpu->previous != NULL && cpu->previous->count == 0)
			magazine_swap(cpu);
		else if (!depot_store(cache, cpu))
			return false;
	}
	cpu->loaded->rounds[cpu->loaded->count++] = object;
	return true;
}

/* --- the interface ---------------------------------------------------------------------------- */

/* No magazine had one. */
static void *allocate_from_slabs(struct slab_cache *cache)
{
	void *object = object_take(cache);
	irq_state_t irq;

	if (object == NULL)
		return NULL;
	irq = arch_irq_save();
	cache->cpu[cpu_id()].live++;
	arch_irq_restore(irq);
	return object;
}

/* Part of both its callers: under emulation a return is looked up (doc/performance.md). */
static inline __attribute__((always_inline)) void *allocate(struct slab_cache *cache)
{
	if (fail_point("slab_alloc"))
		return NULL;

	irq_state_t irq = arch_irq_save();
	struct slab_cpu *cpu = &cache->cpu[cpu_id()];
	void *object;

	if (likely(cpu->loaded != NULL && cpu->loaded->count > 0))
		object = cpu->loaded->rounds[--cpu->loaded->count];
	else
		object = magazine_pop_other(cache, cpu);
	if (object != NULL)
		cpu->live++;
	arch_irq_restore(irq);
	if (unlikely(object == NULL))
		object = allocate_from_slabs(cache);
	if (CONFIG_DEBUG && object != NULL)
		debug_allocate(cache, object);
	return object;
}

void *slab_allocate(struct slab_cache *cache)
{
	return allocate(cache);
}

void *slab_allocate_zeroed(struct slab_cache *cache)
{
	void *object = allocate(cache);

	if (object != NULL)
		memset(object, 0, cache->size);
	return object;
}

void slab_free(struct slab_cache *cache, void *object)
{
	if (object == NULL)
		return;
	ASSERT(virt_to_page(object)->kind == PAGE_SLAB && virt_to_page(object)->cache == cache);
	if (CONFIG_DEBUG)
		debug_free(cache, object);

	irq_state_t irq = arch_irq_save();

	cache->cpu[cpu_id()].live--;
	if (!magazine_push(cache, object))
		object_give(cache, object);
	arch_irq_restore(irq);
}

/* Objects a slab of this order holds, and the bytes that are left over. */
static uint32_t fit(const struct slab_cache *cache, unsigned int order, uint32_t *waste)
{
	uint32_t room = (uint32_t)(PAGE_SIZE << order) - cache->first;

	*waste = room % cache->stride;
	return room / cache->stride;
}

/* The smallest slab that wastes less than an eighth, else the largest. */
static void choose_order(struct slab_cache *cache)
{
	uint32_t waste;

	for (cache->order = 0; cache->order < SLAB_ORDER_MAX; cache->order++)
		if (fit(cache, cache->order, &waste) >= 4 &&
		    waste <= (PAGE_SIZE << cache->order) / 8)
			break;
	cache->per_slab = (uint16_t)fit(cache, cache->order, &waste);
}

static void cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align)
{
	size_t stride = size < sizeof(void *) ? sizeof(void *) : size;

	if (align < 16)
		align = 16;
	if (CONFIG_DEBUG)
		stride = align_up(stride, sizeof(uint64_t)) + sizeof(uint64_t);
	memset(cache, 0, sizeof(*cache));
	cache->name = name;
	cache->size = (uint32_t)size;
	cache->stride = (uint32_t)align_up(stride, align);
	cache->first = (uint32_t)align_up(sizeof(struct slab), align);
	choose_order(cache);
	VERIFY(is_power_of_two(align) && cache->per_slab > 0);
	cache->rounds = size <= 256 ? MAGAZINE_ROUNDS : size <= 1024 ? 14 : 6;
	spin_init(&cache->lock, RANK_SLAB);
	list_init(&cache->partial);

	irq_state_t irq = spin_lock_irqsave(&caches_lock);

	list_push_back(&caches, &cache->all_node);
	spin_unlock_irqrestore(&caches_lock, irq);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	struct slab_cache *cache = slab_allocate(&cache_cache);

	if (cache == NULL)
		panic("slab cache %s: no memory at boot", name);
	cache_init(cache, name, size, align);
	return cache;
}

/* --- shrinking and counting ------------------------------------------------------------------- */

/* The depot's magazines and the empty slabs; the CPUs' own magazines stay. */
static size_t cache_reap(struct slab_cache *cache)
{
	struct list_head dead = LIST_HEAD_INIT(dead);
	struct magazine *full, *next;
	struct slab *slab, *following;
	size_t freed = 0;
	irq_state_t irq = spin_lock_irqsave(&cache->lock);

	full = cache->full;
	cache->full = NULL;
	cache->full_count = 0;
	for (struct magazine *m = full; m != NULL; m = m->next)
		for (uint32_t i = 0; i < m->count; i++) {
			slab = object_give_locked(cache, m->rounds[i]);
			if (slab != NULL)
				list_push_back(&dead, &slab->node);
		}
	list_for_each_safe(slab, following, &cache->partial, node)
		if (slab->in_use == 0) {
			list_remove(&slab->node);
			list_push_back(&dead, &slab->node);
			cache->slabs--;
			cache->empty_slabs--;
		}
	spin_unlock_irqrestore(&cache->lock, irq);
	list_for_each_safe(slab, following, &dead, node) {
		list_remove(&slab->node);
		freed += 1UL << cache->order;
		slab_destroy(slab);
	}
	for (; full != NULL; full = next) {
		next = full->next;
		object_give(&magazine_cache, full);
	}
	return freed;
}

/* The magazines that a CPU holds of one cache go back to their slabs. Interrupts off. */
static void cache_drain_here(struct slab_cache *cache)
{
	struct slab_cpu *cpu = &cache->cpu[cpu_id()];
	struct magazine *both[2] = { cpu->loaded, cpu->previous };

	cpu->loaded = cpu->previous = NULL;
	for (int i = 0; i < 2; i++) {
		if (both[i] == NULL)
			continue;
		while (both[i]->count > 0)
			object_give(cache, both[i]->rounds[--both[i]->count]);
		object_give(&magazine_cache, both[i]);
	}
}

void slab_drain_here(void)
{
	irq_state_t irq = arch_irq_save();

	for (struct list_head *link = caches.next; link != &caches; link = link->next)
		cache_drain_here(list_entry(link, struct slab_cache, all_node));
	arch_irq_restore(irq);
}

/* Caches are never destroyed: the list only grows at its end and is walked without its lock. */
size_t slab_reap(void)
{
	size_t freed = 0;

	for (struct list_head *link = caches.next; link != &caches; link = link->next)
		freed += cache_reap(list_entry(link, struct slab_cache, all_node));
	/* The others' magazines came back to it after its turn. */
	return freed + cache_reap(&magazine_cache);
}

void slab_for_each(void (*fn)(void *arg, const struct slab_stats *stats), void *arg)
{
	for (struct list_head *link = caches.next; link != &caches; link = link->next) {
		struct slab_cache *cache = list_entry(link, struct slab_cache, all_node);
		struct slab_stats stats = {
			.name = cache->name, .slabs = (size_t)read_once(cache->slabs),
			.object_bytes = cache->stride, .objects_per_slab = cache->per_slab,
			.pages_per_slab = (size_t)1 << cache->order,
		};
		int64_t live = 0;

		for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
			live += read_once(cache->cpu[cpu].live);
		/* Counted while others take and give. */
		stats.live = live > 0 ? (size_t)live : 0;
		fn(arg, &stats);
	}
}

void slab_init(void)
{
	cache_init(&cache_cache, "slab_cache", sizeof(struct slab_cache), 64);
	/* Taken and given by object_take/give only: magazines of magazines would recurse. */
	cache_init(&magazine_cache, "magazine", sizeof(struct magazine), 16);
	kmalloc_init();
}
