/*
 * Extensible structures.
 */
#include "syscall/user_copy_struct.h"

#include "abi/errno.h"
#include "lib/string.h"

static int rest_is_zero(user_addr_t from, size_t bytes)
{
	uint8_t piece[64];
	int error;

	while (bytes > 0) {
		size_t n = bytes < sizeof(piece) ? bytes : sizeof(piece);

		error = copy_from_user(piece, from, n);
		if (error != 0)
			return error;
		for (size_t i = 0; i < n; i++) {
			if (piece[i] != 0)
				return -E2BIG;
		}
		from = user_add(from, n);
		bytes -= n;
	}
	return 0;
}

int user_struct_get(void *to, size_t bytes, size_t minimum, user_addr_t from, size_t user_bytes)
{
	size_t shared = user_bytes < bytes ? user_bytes : bytes;
	int error;

	if (user_bytes < minimum)
		return -EINVAL;
	if (user_bytes > PAGE_SIZE)
		return -E2BIG;
	error = user_bytes > bytes ? rest_is_zero(user_add(from, bytes), user_bytes - bytes) : 0;
	if (error != 0)
		return error;
	memset(to, 0, bytes);
	return copy_from_user(to, from, shared);
}
