/*
 * iovec arguments. struct io_piece has the layout of struct iovec, so the array is copied as it is.
 */
#include "syscall/user_iovec.h"

#include "abi/errno.h"
#include "mem/slab.h"

_Static_assert(sizeof(struct io_piece) == sizeof(struct abi_iovec) &&
	       offsetof(struct io_piece, bytes) == offsetof(struct abi_iovec, iov_len),
	       "io_piece is an iovec");

static int check_pieces(struct io_piece *pieces, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t left = MAX_RW_COUNT - sum;

		if ((int64_t)pieces[i].bytes < 0)
			return -EINVAL;
		if (!user_range_ok(user_addr(pieces[i].base), pieces[i].bytes))
			return -EFAULT;
		if (pieces[i].bytes > left)
			pieces[i].bytes = left;
		sum += pieces[i].bytes;
	}
	return 0;
}

int user_iovec_get(struct user_iovec *v, uint64_t address, uint64_t count)
{
	int error;

	count = (uint32_t)count;		/* as Linux: the upper half is not looked at */
	if (count > UIO_MAXIOV)
		return -EINVAL;
	v->pieces = v->fast;
	if (count > UIO_FASTIOV) {
		v->pieces = kcalloc(count, sizeof(*v->pieces));
		if (v->pieces == NULL)
			return -ENOMEM;
	}
	error = copy_from_user(v->pieces, user_addr(address), count * sizeof(*v->pieces));
	if (error == 0)
		error = check_pieces(v->pieces, count);
	if (error != 0) {
		user_iovec_put(v);
		return error;
	}
	iobuf_init_pieces(&v->io, v->pieces, count, true);
	return 0;
}

void user_iovec_put(struct user_iovec *v)
{
	if (v->pieces != v->fast)
		kfree(v->pieces);
}
