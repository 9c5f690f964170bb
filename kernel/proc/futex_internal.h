/*
 * What futex.c, futex_robust.c and futex_pi.c share. See futex.c for the theory.
 */
#pragma once

#include "mem/slab.h"
#include "proc/proc_internal.h"

struct futex_key {
	const void *base;		/* the space, or the object of a shared mapping */
	uint64_t offset;
};

struct futex_bucket {
	struct spinlock lock;
	struct list_head waiters;
} cache_aligned;

struct futex_waiter {
	struct list_head node;		/* bucket->lock */
	struct futex_key key;
	struct futex_bucket *bucket;	/* changed by requeue, under both locks */
	struct wait_queue *wait;
	struct task *task;
	uint32_t bitset;
	bool woken;			/* bucket->lock; read without to end the sleep */
	bool is_pi;			/* waits for ownership: woken by unlock_pi only, or as */
	bool owner_died;		/* the owner goes; bucket->lock */
	uint32_t owner;			/* whose lock it waits for: tid; bucket->lock */
};

must_check int futex_key_get(user_addr_t address, bool shared, struct futex_key *key);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
void futex_waiter_init(struct futex_waiter *w, const struct futex_key *key, uint32_t bitset);
struct futex_bucket *futex_waiter_lock(struct futex_waiter *w);
bool futex_waiter_leave(struct futex_waiter *w);
void futex_waiter_wake_locked(struct futex_waiter *w);
/* Wakes all who wait for a lock of this owner. */
void futex_wake_owned(uint32_t owner);
