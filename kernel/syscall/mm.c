/*
 * Memory: mmap and its kin over vm/space.h.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "abi/personality.h"
#include "lib/bits.h"
#include "mem/slab.h"
#include "proc/mapping.h"
#include "proc/task.h"
#include "syscall/args.h"
#include "syscall/syscalls.h"
#include "vfs/mount.h"

#define MAP_LEGACY                                                                                \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE |  \
	 MAP_UNINITIALIZED | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE |          \
	 MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | MAP_FIXED_NOREPLACE |               \
	 (MAP_HUGE_MASK << MAP_HUGE_SHIFT))

/*
 * Where mappings that must have 31-bit addresses begin; a hint, as most such programs need no more.
 */
#define MAP_32BIT_HINT 0x40000000UL

struct map_request {
	uint64_t address, bytes, offset;
	uint32_t prot, flags;
};

static uint32_t prot_to_area(uint32_t prot)
{
	return ((prot & PROT_READ) != 0 ? AREA_READ : 0) |
	       ((prot & PROT_WRITE) != 0 ? AREA_WRITE | AREA_READ : 0) |
	       ((prot & PROT_EXEC) != 0 ? AREA_EXEC : 0);
}

static int map_anonymous(struct space *space, const struct map_request *r, struct area *area,
			 enum map_where where)
{
	int error;

	if ((area->flags & AREA_SHARED) != 0) {
		if ((area->flags & AREA_NORESERVE) == 0 &&
		    space_overcommits(r->bytes >> PAGE_SHIFT))
			return -ENOMEM;
		area->object = object_create_anonymous(area->end - area->start);
		if (area->object == NULL)
			return -ENOMEM;
	}
	area->flags |= AREA_MAY_WRITE;
	error = space_map(space, area, where);
	if (error != 0 && area->object != NULL)
		object_put(area->object);
	return error;
}

/* What the file's mode and mount allow, then the mapping. */
static int map_file(struct space *space, const struct map_request *r, struct area *area,
		    enum map_where where, struct file *file)
{
	bool shared = (area->flags & AREA_SHARED) != 0;

	if (!file->readable || (shared && (r->prot & PROT_WRITE) != 0 && !file->writable))
		return -EACCES;
	if (shared && (r->prot & PROT_WRITE) != 0 && (file->flags & 02000 /* O_APPEND */) != 0 &&
	    file->inode->ops == NULL)
		return -EACCES;
	if ((r->prot & PROT_EXEC) != 0 && (file->path.mount->flags & MS_NOEXEC) != 0)
		return -EPERM;
	if (!shared || file->writable)
		area->flags |= AREA_MAY_WRITE;
	area->offset = r->offset;
	return mapping_add_file(space, file, area, where);
}

static int check_flags(const struct map_request *r, bool has_file)
{
	uint32_t type = r->flags & MAP_TYPE;

	if (type == MAP_SHARED_VALIDATE) {
		if (!has_file)
			return -EINVAL;
		return (r->flags & ~(uint32_t)(MAP_LEGACY | MAP_SHARED_VALIDATE)) != 0 ?
		       -EOPNOTSUPP : 0;
	}
	return type == MAP_SHARED || type == MAP_PRIVATE ? 0 : -EINVAL;
}

static int check_range(struct map_request *r, bool fixed)
{
	if (r->bytes == 0)
		return -EINVAL;
	r->bytes = page_round_up(r->bytes);
	if (r->bytes == 0 || r->bytes > USER_END)
		return -ENOMEM;
	if (r->offset + r->bytes < r->offset)
		return -EOVERFLOW;
	if (!fixed) {
		r->address = page_round_down(r->address);
		if (r->address != 0 && r->address < USER_START)
			r->address = USER_START;
		if (r->address > USER_END - r->bytes)
			r->address = 0;
		return 0;
	}
	if (r->address > USER_END - r->bytes)
		return -ENOMEM;
	if ((r->address & ~PAGE_MASK) != 0)
		return -EINVAL;
	return r->address < USER_START && !capable(17 /* CAP_SYS_RAWIO */) ? -EPERM : 0;
}

static long do_map(struct map_request *r, struct file *file)
{
	struct space *space = space_current();
	bool fixed = (r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
	enum map_where where = (r->flags & MAP_FIXED_NOREPLACE) != 0 ? MAP_AT_NOREPLACE :
			       fixed ? MAP_AT : MAP_ANYWHERE;
	struct area area = { .flags = prot_to_area(r->prot) };
	int error;

	if ((process_current()->personality & READ_IMPLIES_EXEC) != 0 && (r->prot & PROT_READ) != 0)
		area.flags |= AREA_EXEC;
	error = check_range(r, fixed);
	if (error == 0 && file != NULL && S_ISREG(file->inode->mode) &&
	    r->offset + r->bytes > INT64_MAX)
		error = -EOVERFLOW;
	if (error == 0)
		error = check_flags(r, file != NULL);
	if (error != 0)
		return error;
	if ((r->flags & MAP_TYPE) != MAP_PRIVATE)
		area.flags |= AREA_SHARED;
	if ((r->flags & MAP_GROWSDOWN) != 0 && file == NULL)
		area.flags |= AREA_GROWSDOWN;
	/* As Linux since 6.7: a stack is touched at its end, 2 MiB there are wasted. */
	if ((r->flags & MAP_STACK) != 0 && file == NULL)
		area.flags |= AREA_NOHUGE;
	if ((r->flags & MAP_LOCKED) != 0)
		area.flags |= AREA_LOCKED;
	if ((r->flags & MAP_NORESERVE) != 0)
		area.flags |= AREA_NORESERVE;
	if ((r->flags & MAP_32BIT) != 0 && r->address == 0)
		r->address = MAP_32BIT_HINT;
	area.start = r->address;
	area.end = r->address + r->bytes;
	error = file != NULL ? map_file(space, r, &area, where, file) :
			       map_anonymous(space, r, &area, where);
	if (error != 0)
		return error;
	if ((r->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ||
	    (area.flags & AREA_LOCKED) != 0)
		(void)!space_populate(space, area.start, area.start + r->bytes);
	return (long)area.start;
}

long sys_mmap(uint64_t address, uint64_t bytes, uint64_t prot, uint64_t flags, uint64_t fd,
	      uint64_t offset)
{
	struct map_request r = { address, bytes, offset, (uint32_t)prot, (uint32_t)flags };
	struct fd_ref ref;
	long result;

	if ((offset & ~PAGE_MASK) != 0)
		return -EINVAL;
	if ((flags & MAP_ANONYMOUS) != 0) {
		r.offset = 0;
		return (flags & MAP_HUGETLB) != 0 ? -ENOMEM : do_map(&r, NULL);
	}
	if (!fd_get((int)fd, &ref))
		return -EBADF;
	result = (flags & MAP_HUGETLB) != 0 ? -EINVAL : do_map(&r, ref.file);
	fd_put(&ref);
	return result;
}

long sys_i386_mmap2(uint64_t address, uint64_t bytes, uint64_t prot, uint64_t flags, uint64_t fd,
		    uint64_t offset_pages)
{
	return sys_mmap(address, bytes, prot, flags | MAP_32BIT, fd, offset_pages << PAGE_SHIFT);
}

/*
 * [address, address + bytes) with the address page-aligned: 0, -EINVAL, or `wrap` when it wraps. As
 * on Linux nearly 2^64 bytes are rounded up to none.
 */
static int range_get(uint64_t address, uint64_t bytes, int wrap, uint64_t *end)
{
	if ((address & ~PAGE_MASK) != 0)
		return -EINVAL;
	*end = address + page_round_up(bytes);
	return *end < address ? wrap : 0;
}

long sys_munmap(uint64_t address, uint64_t bytes)
{
	uint64_t end;

	if ((address & ~PAGE_MASK) != 0 || address > USER_END || bytes > USER_END - address)
		return -EINVAL;
	end = address + page_round_up(bytes);
	return bytes == 0 || end > USER_END ? -EINVAL : space_unmap(space_current(), address, end);
}

long sys_mprotect(uint64_t address, uint64_t bytes, uint64_t prot)
{
	uint32_t grows = (uint32_t)prot & (PROT_GROWSDOWN | PROT_GROWSUP);
	uint64_t end;
	int error;

	prot &= ~(uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if ((address & ~PAGE_MASK) != 0)
		return -EINVAL;
	if (bytes == 0)
		return 0;
	error = range_get(address, bytes, -ENOMEM, &end);
	if (error != 0)
		return error;
	if (end <= address)
		return -ENOMEM;
	if ((prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | 8 /* PROT_SEM */)) != 0)
		return -EINVAL;
	if (grows == PROT_GROWSUP)
		return -EINVAL;
	return space_protect(space_current(), address, end, prot_to_area((uint32_t)prot) |
			     (grows != 0 ? AREA_GROWSDOWN : 0));
}

long sys_brk(uint64_t address)
{
	struct space *space = space_current();
	uint64_t result = 0;

	if (space_set_brk(space, address, &result) != 0)
		result = space->brk_end;
	return (long)result;
}

long sys_mremap(uint64_t old, uint64_t old_bytes, uint64_t new_bytes, uint64_t flags,
		uint64_t new_address)
{
	uint64_t result;
	int error;

	if (((int)flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) != 0 && (flags & MREMAP_MAYMOVE) == 0)
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) != 0 &&
	    ((flags & MREMAP_MAYMOVE) == 0 || old_bytes != new_bytes))
		return -EINVAL;
	if ((old & ~PAGE_MASK) != 0)
		return -EINVAL;
	old_bytes = page_round_up(old_bytes);
	new_bytes = page_round_up(new_bytes);
	if (new_bytes == 0)
		return -EINVAL;
	error = space_remap(space_current(), old, old_bytes, new_bytes, (int)flags, new_address,
			    &result);
	return error != 0 ? error : (long)result;
}

static bool advice_is_known(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) ||
	       (advice >= MADV_FREE && advice <= MADV_COLLAPSE);
}

long sys_madvise(uint64_t address, uint64_t bytes, uint64_t advice)
{
	uint64_t end;
	int error;

	if (!advice_is_known((int)advice))
		return -EINVAL;
	error = range_get(address, bytes, -EINVAL, &end);
	if (error != 0)
		return error;
	if (bytes != 0 && end == address)
		return -EINVAL;
	return end == address ? 0 : space_advise(space_current(), address, end, (int)advice);
}

long sys_msync(uint64_t address, uint64_t bytes, uint64_t flags)
{
	uint64_t end;
	int error;

	if (((int)flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
	    (address & ~PAGE_MASK) != 0)
		return -EINVAL;
	if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0)
		return -EINVAL;
	error = range_get(address, bytes, -ENOMEM, &end);
	if (error != 0)
		return error;
	return end == address ? 0 : space_sync(space_current(), address, end, (int)flags);
}

/* Each mapping is answered before the next one is looked at: a hole shows only after that. */
static size_t pages_in_area(uint64_t address)
{
	struct space *space = space_current();
	struct area area;
	bool found;

	rwlock_read_lock(&space->lock);
	found = space_find_area(space, address, &area);
	rwlock_read_unlock(&space->lock);
	return found && area.start <= address ? (area.end - address) >> PAGE_SHIFT : 1;
}

long sys_mincore(uint64_t address, uint64_t bytes, uint64_t user_vector)
{
	uint8_t *out;
	size_t pages;
	int error = 0;

	if ((address & ~PAGE_MASK) != 0)
		return -EINVAL;
	if (!user_range_ok(user_addr(address), bytes))
		return -ENOMEM;
	pages = page_round_up(bytes) >> PAGE_SHIFT;
	if (!user_range_ok(user_addr(user_vector), pages))
		return -EFAULT;
	out = kmalloc(PAGE_SIZE);
	if (out == NULL)
		return -EAGAIN;
	while (pages > 0 && error == 0) {
		size_t n = MIN(MIN(pages, PAGE_SIZE), pages_in_area(address));

		error = space_mincore(space_current(), address, n, out);
		if (error == 0)
			error = copy_to_user(user_addr(user_vector), out, n);
		address += n * PAGE_SIZE;
		user_vector += n;
		pages -= n;
	}
	kfree(out);
	return error;
}

/* --- locking: every page is resident until it is unmapped ------------------------------------- */

static long lock_range(uint64_t address, uint64_t bytes, bool lock)
{
	uint64_t start = page_round_down(address);
	uint64_t end;
	int error;

	if (lock && process_limit(RLIMIT_MEMLOCK) == 0 && !capable(14 /* CAP_IPC_LOCK */))
		return -EPERM;
	error = range_get(start, bytes + (address - start), -EINVAL, &end);
	if (error != 0)
		return error;
	return end > USER_END ? -ENOMEM : space_lock_range(space_current(), start, end, lock);
}

long sys_mlock(uint64_t address, uint64_t bytes) { return lock_range(address, bytes, true); }
long sys_munlock(uint64_t address, uint64_t bytes) { return lock_range(address, bytes, false); }

long sys_mlock2(uint64_t address, uint64_t bytes, uint64_t flags)
{
	return ((int)flags & ~MLOCK_ONFAULT) != 0 ? -EINVAL : lock_range(address, bytes, true);
}

long sys_mlockall(uint64_t flags)
{
	if (flags == 0 || ((int)flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 ||
	    (int)flags == MCL_ONFAULT)
		return -EINVAL;
	if (process_limit(RLIMIT_MEMLOCK) == 0 && !capable(14 /* CAP_IPC_LOCK */))
		return -EPERM;
	return 0;		/* there is no swap, and clean file pages in use stay */
}

long sys_munlockall(void) { return 0; }
