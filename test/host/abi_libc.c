/*
 * Constants and layouts as the C library's headers have them.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <linux/reboot.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utime.h>

#include "abi_tables.h"

/*
 * Where the C library says something else than the kernel: its terminals have more control
 * characters, its real-time signals begin above its own two, its own limits are larger or computed,
 * and the pre-2.2 lock numbers are gone.
 */
#undef NCCS
#undef SIGRTMIN
#undef SIGRTMAX
#undef NSIG
#undef MINSIGSTKSZ
#undef SIGSTKSZ
#undef SIG_DFL
#undef SIG_IGN
#undef RLIM_INFINITY
#undef F_GETLK
#undef F_SETLK
#undef F_SETLKW
#undef O_LARGEFILE /* 0 on 64-bit */
#undef XATTR_NAME_MAX
#undef SCHED_FLAG_ALL
/* These need struct termios2, which only the kernel's headers have. */
#undef TCGETS2
#undef TCSETS2
#undef TCSETSW2
#undef TCSETSF2

const struct abi_constant abi_libc[] = {
#include "abi_names.inc"
};
const size_t abi_libc_count = ABI_TABLE_SIZE(abi_libc);

#define MEMBER(host_type, host_member, type, member)                                             \
	ABI_MEMBER(#type "." #member, host_type, host_member),

const struct abi_member abi_libc_members[] = {
#include "abi_members_libc.def"
};
const size_t abi_libc_members_count = ABI_TABLE_SIZE(abi_libc_members);
