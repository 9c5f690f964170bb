/*
 * How an ioctl number is put together, and the numbers that belong to no single device.
 */
#pragma once

#include "abi/types.h"

#define IOC_NONE 0U
#define IOC_WRITE 1U
#define IOC_READ 2U
#define IOC(direction, type, number, size) \
	((direction) << 30 | (uint32_t)(size) << 16 | (uint32_t)(type) << 8 | (number))

#define FIONREAD 0x541b
#define FIONBIO 0x5421
#define FIONCLEX 0x5450
#define FIOCLEX 0x5451
#define FIOASYNC 0x5452
#define FIOQSIZE 0x5460
#define FIGETBSZ IOC(IOC_NONE, 0, 2, 0)
#define BLKGETSIZE IOC(IOC_NONE, 0x12, 96, 0)
#define BLKSSZGET IOC(IOC_NONE, 0x12, 104, 0)
#define BLKGETSIZE64 IOC(IOC_READ, 0x12, 114, 8)
#define FS_IOC_GETFLAGS IOC(IOC_READ, 'f', 1, 8)
#define FS_IOC_SETFLAGS IOC(IOC_WRITE, 'f', 2, 8)
#define FICLONE IOC(IOC_WRITE, 0x94, 9, 4)

/* network interfaces */
#define SIOCGIFNAME 0x8910
#define SIOCGIFCONF 0x8912
#define SIOCGIFFLAGS 0x8913
#define SIOCSIFFLAGS 0x8914
#define SIOCGIFADDR 0x8915
#define SIOCSIFADDR 0x8916
#define SIOCGIFDSTADDR 0x8917
#define SIOCGIFBRDADDR 0x8919
#define SIOCGIFNETMASK 0x891b
#define SIOCSIFNETMASK 0x891c
#define SIOCGIFMTU 0x8921
#define SIOCGIFHWADDR 0x8927
#define SIOCGIFINDEX 0x8933
#define SIOCGIFTXQLEN 0x8942
#define SIOCADDRT 0x890b
#define SIOCDELRT 0x890c
#define SIOCOUTQ 0x5411
