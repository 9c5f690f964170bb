/*
 * core/user_copy.h for this architecture: the range checks around user_copy.S, which makes those of
 * the two commonest itself.
 *
 * Only addresses of the user half reach the instructions that may fault, so a fault there is always
 * about the program's memory.
 */
#include "core/user_copy.h"

#include "abi/errno.h"

size_t user_copy_bytes_nofault(void *to, const void *from, size_t n);
size_t user_clear_bytes(void *to, size_t n);
ssize_t user_copy_string(char *to, const char *from, size_t max);
int user_load32_raw(const uint32_t *from, uint32_t *out);
int user_load32_raw_nofault(const uint32_t *from, uint32_t *out);
int user_store32_raw(uint32_t *to, uint32_t value);
int user_store16_raw(uint16_t *to, uint16_t value);
int user_cmpxchg32_raw(uint32_t *at, uint32_t old, uint32_t value, uint32_t *seen);
int user_cmpxchg32_raw_nofault(uint32_t *at, uint32_t old, uint32_t value, uint32_t *seen);

/* The one place where a user address becomes a pointer. */
static void *raw(user_addr_t addr) { return (void *)addr.value; }

int clear_user(user_addr_t dst, size_t n)
{
	if (!user_range_ok(dst, n))
		return -EFAULT;
	return user_clear_bytes(raw(dst), n) == 0 ? 0 : -EFAULT;
}

ssize_t copy_string_from_user(char *dst, user_addr_t src, size_t max)
{
	size_t room;
	ssize_t length;

	if (src.value >= USER_END)
		return -EFAULT;
	room = USER_END - src.value;
	if (room > max)
		room = max;
	length = user_copy_string(dst, raw(src), room);
	if (length < 0)
		return -EFAULT;
	if ((size_t)length < room)
		return length;
	return room == max ? -ENAMETOOLONG : -EFAULT;
}

int copy_from_user_nofault(void *dst, user_addr_t src, size_t n)
{
	if (!user_range_ok(src, n))
		return -EFAULT;
	return user_copy_bytes_nofault(dst, raw(src), n) == 0 ? 0 : -EFAULT;
}

int copy_to_user_nofault(user_addr_t dst, const void *src, size_t n)
{
	if (!user_range_ok(dst, n))
		return -EFAULT;
	return user_copy_bytes_nofault(raw(dst), src, n) == 0 ? 0 : -EFAULT;
}

int user_load32_nofault(user_addr_t addr, uint32_t *out)
{
	return user_range_ok(addr, 4) && user_load32_raw_nofault(raw(addr), out) == 0 ? 0 : -EFAULT;
}

int user_load32(user_addr_t addr, uint32_t *out)
{
	return user_range_ok(addr, 4) && user_load32_raw(raw(addr), out) == 0 ? 0 : -EFAULT;
}

int user_store32(user_addr_t addr, uint32_t value)
{
	return user_range_ok(addr, 4) && user_store32_raw(raw(addr), value) == 0 ? 0 : -EFAULT;
}

int user_store16(user_addr_t addr, uint16_t value)
{
	return user_range_ok(addr, 2) && user_store16_raw(raw(addr), value) == 0 ? 0 : -EFAULT;
}

int user_compare_exchange32(user_addr_t addr, uint32_t old, uint32_t value, uint32_t *seen)
{
	if (!user_range_ok(addr, 4))
		return -EFAULT;
	return user_cmpxchg32_raw(raw(addr), old, value, seen) == 0 ? 0 : -EFAULT;
}

int user_compare_exchange32_nofault(user_addr_t addr, uint32_t old, uint32_t value, uint32_t *seen)
{
	if (!user_range_ok(addr, 4))
		return -EFAULT;
	return user_cmpxchg32_raw_nofault(raw(addr), old, value, seen) == 0 ? 0 : -EFAULT;
}
