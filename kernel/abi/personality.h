/*
 * personality.
 */
#pragma once

#define PER_LINUX 0x0
#define PER_LINUX32 0x8
#define ADDR_NO_RANDOMIZE 0x40000
#define READ_IMPLIES_EXEC 0x400000
#define ADDR_COMPAT_LAYOUT 0x200000
#define STICKY_TIMEOUTS 0x4000000
