/*
 * Address spaces: two persistent trees, of page tables and of areas (design chapter 4).
 *
 * fork is space_fork(): the top-level table's user half is copied with the write bit cleared in
 * both, the subtrees and the root of the area tree are counted. Nothing below is visited.
 *
 * Locking: `lock` is held for reading by faults, for writing by what changes areas; `table_lock`
 * guards the page-table tree of this space. Neither is needed to look at nodes reached through a
 * counted root: shared nodes never change.
 */
#pragma once

#include "arch/arch_up.h"
#include "sched/mutex.h"
#include "vm/object.h"

struct area_node;

/* Area protection and kind, in the kernel's own bits (not PROT_*). */
#define AREA_READ	(1u << 0)
#define AREA_WRITE	(1u << 1)
#define AREA_EXEC	(1u << 2)
#define AREA_SHARED	(1u << 3)
#define AREA_GROWSDOWN	(1u << 4)	/* stack */
#define AREA_MAY_WRITE	(1u << 5)	/* mprotect may add write (shared: the file is writable) */
#define AREA_LOCKED	(1u << 6)
#define AREA_DONTFORK	(1u << 7)
#define AREA_WIPEONFORK	(1u << 8)
#define AREA_NOHUGE	(1u << 9)
#define AREA_HUGE	(1u << 10)
#define AREA_SPECIAL	(1u << 11)	/* vDSO, vvar: fixed frames, no object */
#define AREA_STACK	(1u << 12)	/* named [stack] */
#define AREA_HEAP	(1u << 13)	/* named [heap] */
#define AREA_NORESERVE	(1u << 14)	/* MAP_NORESERVE: may be larger than all memory */

/* What is mapped: filled by the caller of space_map, read by fault, /proc and msync. */
struct area {
	uint64_t start, end;		/* page aligned */
	uint32_t flags;
	struct object *object;		/* counted; NULL: private anonymous or AREA_SPECIAL */
	uint64_t offset;		/* byte offset of start in object; phys for AREA_SPECIAL */
	void *file;			/* counted struct file for /proc/PID/maps and fsync; NULL */
};

/* vfs registers how to count files that areas hold. */
void space_set_file_ops(void (*get)(void *file), void (*put)(void *file));

/* Pages copied for a space since it last forked, the first of them: fork_ahead.c. */
#define FORK_AHEAD_MAX 16u
struct write_set {
	uint32_t count, room;		/* room 0: nothing more is remembered */
	uint64_t pages[FORK_AHEAD_MAX];
};

struct space {
	struct refcount references;	/* threads and temporary users: they keep the memory */
	struct refcount holders;	/* who keeps the structure; all references count as one */
	struct rwlock lock;
	struct area_node *areas;	/* under lock; counted root */
	uint64_t area_count;
	struct spinlock table_lock;
	phys_t root;			/* [I] */
	atomic32_t cpus;		/* mask of CPUs that may hold translations of it */

	/* under lock for writing */
	uint64_t brk_start, brk_end, mmap_top, stack_top;
	uint64_t mapped_pages, locked_pages, data_pages, stack_pages;
	uint64_t arg_start, arg_end, env_start, env_end, code_start, code_end, data_start, data_end;
	void *exe_file;			/* counted; for /proc/PID/exe */
	uint64_t auxv[48];
	uint32_t auxv_words;
	bool dumpable;
	atomic64_t minor_faults, major_faults, copied_pages;
	uint64_t peak_resident;
	struct list_head all_node;	/* list of all spaces: truncation, OOM */
	uint64_t limit_as_bytes, limit_data_bytes, limit_stack_bytes, limit_memlock_bytes;
	bool huge_disabled;		/* prctl(PR_SET_THP_DISABLE); kept over fork and exec */
	struct write_set written;	/* table_lock */
	bool fork_flags;		/* an area was locked, DONTFORK or WIPEONFORK: fork looks */
};

must_check struct space *space_create(void);		/* NULL: no memory */
/*
 * -ENOMEM. `stack`: where the parent's stack pointer is, the page that it writes first; 0: unknown.
 */
must_check int space_fork(struct space *parent, uint64_t stack, struct space **out);
/* For the lab: the entries of two spaces' tables, down to what both share, as lines of the log. */
void space_log_difference(struct space *one, struct space *other);
static inline void space_get(struct space *s) { refcount_get(&s->references); }
void space_put(struct space *space);			/* last one tears it down */
/* For who must know this space again, but not keep its memory (/proc/PID/mem). */
static inline void space_hold(struct space *s) { refcount_get(&s->holders); }
void space_release(struct space *space);
/* A reference by a holder; false: it has been torn down. */
static inline must_check bool space_try_get(struct space *s)
{
	return refcount_try_get(&s->references);
}
void space_init(void);					/* boot */
struct space *space_current(void);	/* of the current thread, NULL in kernel threads */
/* The space of any thread, counted; NULL. thread->space changes under thread->lock. */
struct space *space_of_thread(struct thread *thread);
/* exec: the current thread leaves its space for `space` (its reference moves). */
void space_switch_current(struct space *space);

/*
 * Maps `what` at [start,end): `fixed` replaces what is there, otherwise start is a hint and the
 * area is placed. The object and file references are the callee's on success. -ENOMEM, -EINVAL,
 * -EEXIST (noreplace).
 */
enum map_where { MAP_ANYWHERE, MAP_AT, MAP_AT_NOREPLACE };
must_check int space_map(struct space *space, struct area *what, enum map_where where);
must_check int space_unmap(struct space *space, uint64_t start, uint64_t end);
/* /proc/sys/vm/overcommit_memory: 1 allows everything, else one request may not ask for more pages
 * than there is memory, unless it is AREA_NORESERVE. */
extern uint64_t space_overcommit;
bool space_overcommits(uint64_t pages);
/* `prot`: rights; with AREA_GROWSDOWN from the area's start on, which must be of that kind. */
must_check int space_protect(struct space *space, uint64_t start, uint64_t end, uint32_t prot);
/* mremap(2): returns the new address through *out. */
must_check int space_remap(struct space *space, uint64_t old, uint64_t old_bytes,
			   uint64_t new_bytes, int flags, uint64_t new_address, uint64_t *out);
must_check int space_set_brk(struct space *space, uint64_t address, uint64_t *out);
/* madvise(2) with Linux's numbers; mlock, munlock; mincore fills one byte a page. */
must_check int space_advise(struct space *space, uint64_t start, uint64_t end, int advice);
must_check int space_lock_range(struct space *space, uint64_t start, uint64_t end, bool lock);
must_check int space_mincore(struct space *space, uint64_t start, size_t pages, uint8_t *out);
must_check int space_sync(struct space *space, uint64_t start, uint64_t end, int flags);

/*
 * Handles a fault at a user address. 0: retry; else what the program gets: -EFAULT with *si_code
 * SEGV_MAPERR or SEGV_ACCERR, -EIO for SIGBUS (BUS_ADRERR), -ENOMEM when memory has ended.
 */
must_check int space_fault(struct space *space, uint64_t address, enum fault_access access,
			   int *si_code);
/* Faults pages of [start,end) in, for writing when the area allows: MAP_POPULATE. */
must_check int space_populate(struct space *space, uint64_t start, uint64_t end);

/* Access to another process's memory (ptrace, process_vm_*, /proc/PID/mem, exec's argument pages):
 * bytes copied, short when something is not mapped. May sleep. */
size_t space_read(struct space *space, uint64_t address, void *buf, size_t n);
size_t space_write(struct space *space, uint64_t address, const void *buf, size_t n, bool force);
/* What a shared futex is keyed by: the object and offset of a shared area; *object NULL (private)
 * otherwise. Takes no reference. -EFAULT when nothing is mapped. */
must_check int space_futex_key(struct space *space, uint64_t address, void **object,
			       uint64_t *offset);

/* A copy of the area that contains or follows `address`; false: none. The file and object are
 * valid while the caller holds space->lock for reading. */
bool space_find_area(struct space *space, uint64_t address, struct area *out);
uint64_t space_resident_pages(struct space *space);
/* What [start,end) has in memory: pages, and a page's share in bytes (space_usage.c). */
struct space_usage {
	uint64_t resident, huge, anonymous;	/* huge: by 2 MiB leaves */
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t pss_bytes;
};
/* Adds to *out; the caller holds space->lock. */
void space_usage(struct space *space, uint64_t start, uint64_t end, struct space_usage *out);
/* Page tables below the root, those that others share too. */
uint64_t space_table_pages(struct space *space);

/* /sys/kernel/mm/transparent_hugepage/enabled */
enum huge_mode { HUGE_ALWAYS, HUGE_MADVISE, HUGE_NEVER };
enum huge_mode space_huge_mode(void);
void space_set_huge_mode(enum huge_mode mode);

/*
 * Memory has ended in a fault and nothing could be reclaimed. The handler names a victim, sends it
 * SIGKILL and returns true: the fault is tried again (by the victim never). False: -ENOMEM.
 */
void vm_set_oom_handler(bool (*handler)(struct space *space));
/* Calls fn for each living space, with a reference, no lock held; false ends it. */
void space_for_each(bool (*fn)(void *arg, struct space *space), void *arg);

/* Called for every space that may map `object`: unmaps pages [first,last) of it. */
void space_unmap_object(struct object *object, uint64_t first_index, uint64_t last_index);
