/*
 * uname.
 */
#pragma once

#include "abi/types.h"

#define NEW_UTS_LEN 64

struct abi_utsname {
	char sysname[NEW_UTS_LEN + 1];
	char nodename[NEW_UTS_LEN + 1];
	char release[NEW_UTS_LEN + 1];
	char version[NEW_UTS_LEN + 1];
	char machine[NEW_UTS_LEN + 1];
	char domainname[NEW_UTS_LEN + 1];
};
ABI_SIZE(abi_utsname, 390);
