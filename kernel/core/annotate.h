/*
 * Locks and contexts in prototypes, checked by clang's thread-safety analysis (make check-tsa);
 * empty under gcc.
 *
 * preempt_off and irq_off are contexts written as capabilities: a function that may sleep says
 * EXCLUDES(&preempt_off), spin locks acquire it.
 */
#pragma once

#if defined(__clang__) && __clang_major__ >= 20 /* older ones reject a member as the lock */
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif

#define CAPABILITY(name) TSA(capability(name))
#define REENTRANT_CAPABILITY(name) TSA(capability(name)) TSA(reentrant_capability)
#define SCOPED_CAPABILITY TSA(scoped_lockable)
#define GUARDED_BY(x) TSA(guarded_by(x))
#define PT_GUARDED_BY(x) TSA(pt_guarded_by(x))
#define REQUIRES(...) TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) TSA(requires_shared_capability(__VA_ARGS__))
#define EXCLUDES(...) TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRES(...) TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRES_SHARED(...) TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASES(...) TSA(release_capability(__VA_ARGS__))
#define RELEASES_SHARED(...) TSA(release_shared_capability(__VA_ARGS__))
#define TRY_ACQUIRES(...) TSA(try_acquire_capability(__VA_ARGS__))
#define ASSERTS_HELD(...) TSA(assert_capability(__VA_ARGS__))
/* The function's locking cannot be followed by the analysis: say why beside each use. */
#define NO_LOCK_ANALYSIS TSA(no_thread_safety_analysis)
