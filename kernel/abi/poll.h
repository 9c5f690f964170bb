/*
 * poll and select.
 */
#pragma once

#include "abi/types.h"

#define POLLIN 0x1
#define POLLPRI 0x2
#define POLLOUT 0x4
#define POLLERR 0x8
#define POLLHUP 0x10
#define POLLNVAL 0x20
#define POLLRDNORM 0x40
#define POLLRDBAND 0x80
#define POLLWRNORM 0x100
#define POLLWRBAND 0x200
#define POLLMSG 0x400
#define POLLREMOVE 0x1000
#define POLLRDHUP 0x2000

struct abi_pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};
ABI_SIZE(abi_pollfd, 8);

#define FD_SETSIZE 1024
struct abi_fd_set {
	uint64_t bits[FD_SETSIZE / 64];
};
ABI_SIZE(abi_fd_set, 128);

/* The last argument of pselect6. */
struct abi_pselect_sigmask {
	uint64_t sigset; /* user address */
	uint64_t size;
};
ABI_SIZE(abi_pselect_sigmask, 16);
