/*
 * Futexes: waiting on a word of user memory (futex(2)).
 */
#pragma once

#include "abi/futex.h"
#include "core/types.h"

struct task;

/* `shared`: keyed by the object behind the mapping, not by the space and address. */
must_check int futex_wait(user_addr_t address, bool shared, uint32_t value, uint32_t bitset,
			  uint64_t deadline_ns);
/* How many were woken, or -errno. */
long futex_wake(user_addr_t address, bool shared, uint32_t count, uint32_t bitset);
/*
 * Wakes `wake`, moves up to `move` more to `to`; with `compare`, only while the word is *compare.
 */
long futex_requeue(user_addr_t from, user_addr_t to, bool shared, uint32_t wake, uint32_t move,
		   const uint32_t *compare);
long futex_wake_op(user_addr_t address, user_addr_t other, bool shared, uint32_t wake,
		   uint32_t wake_other, uint32_t operation);
struct futex_wait_one { user_addr_t address; uint32_t value; bool shared; };
/* futex_waitv(2): the index of one that was woken. */
must_check long futex_wait_many(const struct futex_wait_one *words, size_t count,
				uint64_t deadline_ns);
must_check int futex_lock_pi(user_addr_t address, bool shared, uint64_t deadline_ns, bool try);
must_check int futex_unlock_pi(user_addr_t address, bool shared);
void futex_init(void);
