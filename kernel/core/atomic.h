/*
 * Atomic variables as wrapper structs, with the memory order in each operation's name.
 *
 * Counts use relaxed increments and acquire-release decrements: whoever brings a count to zero sees
 * all that was done under the other references.
 */
#pragma once

#include "core/types.h"

typedef struct { uint32_t v; } atomic32_t;
typedef struct { uint64_t v; } atomic64_t;

#define ATOMIC32_INIT(x) ((atomic32_t){ (x) })
#define ATOMIC64_INIT(x) ((atomic64_t){ (x) })

#define ATOMIC_OPS(bits)                                                                          \
static inline uint##bits##_t atomic##bits##_load(const atomic##bits##_t *a)                       \
{ return __atomic_load_n(&a->v, __ATOMIC_RELAXED); }                                              \
static inline uint##bits##_t atomic##bits##_load_acquire(const atomic##bits##_t *a)               \
{ return __atomic_load_n(&a->v, __ATOMIC_ACQUIRE); }                                              \
static inline void atomic##bits##_store(atomic##bits##_t *a, uint##bits##_t x)                    \
{ __atomic_store_n(&a->v, x, __ATOMIC_RELAXED); }                                                 \
static inline void atomic##bits##_store_release(atomic##bits##_t *a, uint##bits##_t x)            \
{ __atomic_store_n(&a->v, x, __ATOMIC_RELEASE); }                                                 \
static inline uint##bits##_t atomic##bits##_add(atomic##bits##_t *a, uint##bits##_t x)            \
{ return __atomic_add_fetch(&a->v, x, __ATOMIC_RELAXED); }                                        \
static inline uint##bits##_t atomic##bits##_sub_acq_rel(atomic##bits##_t *a, uint##bits##_t x)    \
{ return __atomic_sub_fetch(&a->v, x, __ATOMIC_ACQ_REL); }                                        \
static inline uint##bits##_t atomic##bits##_or(atomic##bits##_t *a, uint##bits##_t x)             \
{ return __atomic_fetch_or(&a->v, x, __ATOMIC_ACQ_REL); }                                         \
static inline uint##bits##_t atomic##bits##_and(atomic##bits##_t *a, uint##bits##_t x)            \
{ return __atomic_fetch_and(&a->v, x, __ATOMIC_ACQ_REL); }                                        \
static inline uint##bits##_t atomic##bits##_exchange(atomic##bits##_t *a, uint##bits##_t x)       \
{ return __atomic_exchange_n(&a->v, x, __ATOMIC_ACQ_REL); }                                       \
/* True when *a was `old` and is now `x`. */                                                      \
static inline bool atomic##bits##_compare_exchange(atomic##bits##_t *a, uint##bits##_t old,       \
						   uint##bits##_t x)                              \
{ return __atomic_compare_exchange_n(&a->v, &old, x, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE); }

ATOMIC_OPS(32)
ATOMIC_OPS(64)

#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define read_once(x) (*(const volatile __typeof__(x) *)&(x))
#define write_once(x, val) (*(volatile __typeof__(x) *)&(x) = (val))

static inline void compiler_barrier(void) { __asm__ volatile("" ::: "memory"); }
static inline void full_barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A counted reference. get on a dead object is our bug; put returns true for the last one. */
struct refcount {
	atomic32_t n;
};

static inline void refcount_init(struct refcount *r) { atomic32_store(&r->n, 1); }
static inline void refcount_get(struct refcount *r) { atomic32_add(&r->n, 1); }

static inline uint32_t refcount_read(const struct refcount *r)
{
	return atomic32_load_acquire(&r->n);
}

static inline must_check bool refcount_put(struct refcount *r)
{
	return atomic32_sub_acq_rel(&r->n, 1) == 0;
}

/* Takes a reference unless the object is already dying; false then. */
static inline must_check bool refcount_try_get(struct refcount *r)
{
	for (;;) {
		uint32_t n = atomic32_load(&r->n);

		if (n == 0)
			return false;
		if (atomic32_compare_exchange(&r->n, n, n + 1))
			return true;
	}
}
