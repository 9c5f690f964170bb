/*
 * Constants and layouts as kernel/abi has them.
 */
#include "abi/auxv.h"
#include "abi/capability.h"
#include "abi/dirent.h"
#include "abi/elf.h"
#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/eventfd.h"
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/inotify.h"
#include "abi/ioctl.h"
#include "abi/membarrier.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "abi/personality.h"
#include "abi/poll.h"
#include "abi/prctl.h"
#include "abi/ptrace.h"
#include "abi/random.h"
#include "abi/reboot.h"
#include "abi/resource.h"
#include "abi/rseq.h"
#include "abi/sched.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "abi/stat.h"
#include "abi/sysinfo.h"
#include "abi/termios.h"
#include "abi/time.h"
#include "abi/types.h"
#include "abi/ucontext.h"
#include "abi/uio.h"
#include "abi/uname.h"
#include "abi/unistd.h"
#include "abi/wait.h"
#include "abi/unistd_i386.h"
#include "abi_tables.h"

#define ABI_OURS 1
const struct abi_constant abi_ours[] = {
#include "abi_names.inc"
};
const size_t abi_ours_count = ABI_TABLE_SIZE(abi_ours);

const struct abi_constant abi_ours_i386[] = {
#include "abi_names_i386.inc"
};
const size_t abi_ours_i386_count = ABI_TABLE_SIZE(abi_ours_i386);

#define MEMBER(host_type, host_member, type, member)                                             \
	ABI_MEMBER(#type "." #member, struct type, member),

const struct abi_member abi_ours_libc_members[] = {
#include "abi_members_libc.def"
};
const size_t abi_ours_libc_members_count = ABI_TABLE_SIZE(abi_ours_libc_members);

const struct abi_member abi_ours_kernel_members[] = {
#include "abi_members_kernel.def"
};
const size_t abi_ours_kernel_members_count = ABI_TABLE_SIZE(abi_ours_kernel_members);
