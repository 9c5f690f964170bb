/*
 * Restartable sequences. The area is the program's (glibc puts it into each thread's block): the
 * kernel writes the processor's number at each return to user and looks at rseq_cs when it
 * interrupted the thread.
 */
#pragma once

#include "abi/types.h"

struct abi_rseq {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs; /* user address of struct abi_rseq_cs, or 0 */
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t pad;
};
ABI_SIZE(abi_rseq, 32);
ABI_OFFSET(abi_rseq, rseq_cs, 8);

struct abi_rseq_cs {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t post_commit_offset;
	uint64_t abort_ip;
};
ABI_SIZE(abi_rseq_cs, 32);

#define RSEQ_ORIG_SIZE 32
#define RSEQ_FLAG_UNREGISTER 1
#define RSEQ_CPU_ID_UNINITIALIZED (-1)
#define RSEQ_CPU_ID_REGISTRATION_FAILED (-2)
#define RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT 0x1
#define RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL 0x2
#define RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE 0x4
