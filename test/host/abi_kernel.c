/*
 * Constants and layouts as the kernel's own exported headers have them, where they can be included
 * without the C library's.
 */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/ucontext.h>
#include <asm/unistd_64.h>
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/elf.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/limits.h>
#include <linux/membarrier.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/ptrace.h>
#include <linux/reboot.h>
#include <linux/resource.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <linux/un.h>
#include <linux/utsname.h>
#include <linux/wait.h>

#include "abi_tables.h"

/*
 * Handler addresses are pointers, RLIM_INFINITY is a signed -1, and SIGRTMAX and NSIG are
 * leftovers.
 */
#undef SIGRTMAX
#undef NSIG
#undef SIG_DFL
#undef SIG_IGN
#undef RLIM_INFINITY

/* These are enumerators: made visible to #ifdef. */
#define MEMBARRIER_CMD_QUERY MEMBARRIER_CMD_QUERY
#define MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL
#define MEMBARRIER_CMD_GLOBAL_EXPEDITED MEMBARRIER_CMD_GLOBAL_EXPEDITED
#define MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED \
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE \
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
#define MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
#define MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ \
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ
#define PER_LINUX PER_LINUX
#define PER_LINUX32 PER_LINUX32
#define ADDR_NO_RANDOMIZE ADDR_NO_RANDOMIZE
#define READ_IMPLIES_EXEC READ_IMPLIES_EXEC
#define ADDR_COMPAT_LAYOUT ADDR_COMPAT_LAYOUT
#define STICKY_TIMEOUTS STICKY_TIMEOUTS
#define RSEQ_FLAG_UNREGISTER RSEQ_FLAG_UNREGISTER
#define RSEQ_CPU_ID_UNINITIALIZED RSEQ_CPU_ID_UNINITIALIZED
#define RSEQ_CPU_ID_REGISTRATION_FAILED RSEQ_CPU_ID_REGISTRATION_FAILED
#define RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT
#define RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL
#define RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE

const struct abi_constant abi_kernel[] = {
#include "abi_names.inc"
};
const size_t abi_kernel_count = ABI_TABLE_SIZE(abi_kernel);

#define MEMBER(host_type, host_member, type, member)                                             \
	ABI_MEMBER(#type "." #member, host_type, host_member),

const struct abi_member abi_kernel_members[] = {
#include "abi_members_kernel.def"
};
const size_t abi_kernel_members_count = ABI_TABLE_SIZE(abi_kernel_members);
