/*
 * Scattered reads and writes.
 */
#pragma once

#include "abi/types.h"

struct abi_iovec {
	uint64_t iov_base; /* user address */
	uint64_t iov_len;
};
ABI_SIZE(abi_iovec, 16);

#define UIO_MAXIOV 1024
#define UIO_FASTIOV 8

/* One read or write moves at most this much: INT_MAX rounded down to a page. */
#define MAX_RW_COUNT 0x7ffff000UL

#define RWF_HIPRI 0x1
#define RWF_DSYNC 0x2
#define RWF_SYNC 0x4
#define RWF_NOWAIT 0x8
#define RWF_APPEND 0x10
