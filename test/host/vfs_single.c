/*
 * One thread, one processor, memory from malloc.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library defines them too, in other words. */
#undef RENAME_NOREPLACE
#undef RENAME_EXCHANGE
#undef RENAME_WHITEOUT

#include "core/clock.h"
#include "core/fail_point.h"
#include "fs/tmpfs/tmpfs.h"
#include "mem/page.h"
#include "mem/slab.h"
#include "sched/mutex.h"
#include "vfs/mount.h"
#include "vfs_single.h"

uint32_t vfs_single_fail;
size_t vfs_single_live;

static unsigned spins_held, mutexes_held;
static struct cpu processor = {.self = &processor, .online = true};
struct cpu *host_cpu = &processor;
bool host_irq_flag[CPU_MAX] = {true};
bool host_exploring;

static void require(bool condition, const char *what)
{
	if (!condition) {
		fprintf(stderr, "vfs_single: %s\n", what);
		abort();
	}
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	abort();
}

/*
 * --- locks --------------------------------------------------------------------------------------
 */

/* A debug build takes every lock by these. */
void spin_lock_slow(struct spinlock *lock)
{
	require(atomic32_load(&lock->locked) == SPIN_FREE, "a spin lock is taken twice");
	atomic32_store(&lock->locked, SPIN_HELD);
	spins_held++;
}

void spin_note_released(struct spinlock *lock)
{
	require(atomic32_load(&lock->locked) == SPIN_HELD, "a free spin lock is released");
	spins_held--;
}

void spin_wake_halted(const struct spinlock *lock)
{
	(void)lock;
	require(false, "somebody waits for a spin lock");
}

/* Nobody to switch to, no schedule to choose. */
void preempt_enable_slow(void) { }
void host_schedule_point(void) { }

bool spin_is_held(const struct spinlock *lock) { return atomic32_load(&lock->locked) == 1; }

void mutex_init(struct mutex *m) { memset(m, 0, sizeof(*m)); }

void mutex_lock(struct mutex *m)
{
	require(spins_held == 0, "a mutex is taken under a spin lock");
	require(atomic32_load(&m->state) == 0, "a mutex is taken twice");
	atomic32_store(&m->state, 1);
	mutexes_held++;
}

int mutex_lock_killable(struct mutex *m)
{
	mutex_lock(m);
	return 0;
}

bool mutex_try_lock(struct mutex *m)
{
	if (atomic32_load(&m->state) != 0)
		return false;
	mutex_lock(m);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	require(atomic32_load(&m->state) == 1, "a free mutex is released");
	atomic32_store(&m->state, 0);
	mutexes_held--;
}

bool mutex_is_held(const struct mutex *m) { return atomic32_load(&m->state) == 1; }

void vfs_single_check(void)
{
	require(spins_held == 0, "a spin lock is left held");
	require(mutexes_held == 0, "a mutex is left held");
}

void wake_up(struct wait_queue *q) { (void)q; }
void wake_up_all(struct wait_queue *q) { (void)q; }

/*
 * --- memory --------------------------------------------------------------------------------------
 */

bool fail_point(const char *name)
{
	(void)name;
	return vfs_single_fail != 0 && --vfs_single_fail == 0;
}

void *kmalloc(size_t bytes)
{
	void *p = fail_point("kmalloc") ? NULL : malloc(bytes);

	vfs_single_live += p != NULL;
	return p;
}

void *kzalloc(size_t bytes)
{
	void *p = kmalloc(bytes);

	return p == NULL ? NULL : memset(p, 0, bytes);
}

void *kcalloc(size_t n, size_t bytes)
{
	size_t total;

	return __builtin_mul_overflow(n, bytes, &total) ? NULL : kzalloc(total);
}

void kfree(void *p)
{
	vfs_single_live -= p != NULL;
	free(p);
}

char *kstrdup(const char *s)
{
	char *copy = kmalloc(strlen(s) + 1);

	return copy == NULL ? NULL : strcpy(copy, s);
}

/* A cache is its size. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align)
{
	(void)name;
	(void)align;
	return (struct slab_cache *)size;
}

void *slab_allocate(struct slab_cache *cache) { return kmalloc((size_t)cache); }
void *slab_allocate_zeroed(struct slab_cache *cache) { return kzalloc((size_t)cache); }
void slab_free(struct slab_cache *cache, void *object)
{
	(void)cache;
	kfree(object);
}

void page_stats_get(struct page_stats *out) { *out = (struct page_stats){.total = 1U << 17}; }

/*
 * --- files' content: none ------------------------------------------------------------------------
 */

void object_init(struct object *object, const struct object_ops *ops)
{
	memset(object, 0, sizeof(*object));
	object->ops = ops;
	refcount_init(&object->references);
}

void object_put(struct object *object)
{
	if (refcount_put(&object->references))
		object->ops->destroy(object);
}

void object_truncate(struct object *object, uint64_t bytes) { object->size_bytes = bytes; }

/*
 * --- the rest ------------------------------------------------------------------------------------
 */

uint64_t arch_random_seed(void) { return 0x0123456789abcdef; }

atomic64_t clock_wall_offset_ns, clock_noted_ns;

uint64_t clock_wall_ns(void)
{
	static uint64_t now = 1600000000000000000;

	return now += 1000;
}

void vfs_single_boot(struct path *root)
{
	vfs_init();
	tmpfs_init();
	require(vfs_mount_root("tmpfs", root) == 0, "no root");
}
