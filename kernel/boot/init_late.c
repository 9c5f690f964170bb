/*
 * What may sleep: caches, file systems, devices. Runs in a kernel thread.
 */
#include "arch/arch_down.h"
#include "boot/boot_internal.h"
#include "dev/lab/explore_device.h"
#include "dev/tty/tty.h"
#include "dev/virtio/virtio.h"
#include "fs/devfs/devfs.h"
#include "fs/epoll/epoll.h"
#include "fs/eventfd.h"
#include "fs/inotify.h"
#include "fs/overlay/overlay.h"
#include "fs/p9/p9.h"
#include "fs/pipe.h"
#include "fs/procfs/procfs.h"
#include "fs/sysfs/sysfs.h"
#include "fs/timerfd.h"
#include "fs/tmpfs/tmpfs.h"
#include "net/socket.h"
#include "proc/monitor.h"
#include "proc/task.h"
#include "sched/worker.h"
#include "vfs/mount.h"
#include "vm/space.h"

#define CALL(f, why) { f, #f, why }

const struct init_call init_late[] = {
	CALL(log_thread_start, "from here on logging costs no time"),
	CALL(switch_log_start, "log=sync: as many switches as can be"),
	CALL(space_init, "address spaces and the page cache, which files live in"),
	CALL(vfs_init, "names, mounts and open files, before what registers with them"),
	CALL(tmpfs_init, "the first root's type, and devfs's store"),
	CALL(devfs_init, "before drivers make nodes"),
	CALL(pipe_init, "pipes are files"),
	CALL(eventfd_init, "counters as files"),
	CALL(timerfd_init, "timers as files"),
	CALL(inotify_init, "listens to the file layer"),
	CALL(epoll_init, "learns of files that go, so before there are any"),
	CALL(procfs_init, "a mount type"),
	CALL(sysfs_init, "a mount type"),
	CALL(overlay_init, "a mount type"),
	CALL(p9_init, "a mount type; its devices come with virtio_init"),
	CALL(net_init, "families of sockets"),
	CALL(tty_init, "terminals and the console's node"),
	CALL(explore_device_init, "a node, if the command line asks for it"),
	CALL(proc_init, "processes; needs files, and file systems know no process"),
	CALL(arch_join_processors, "they came up meanwhile; from here on all run"),
	CALL(trace_rings_complete, "their number is known only now"),
	CALL(worker_init, "deferred work, a thread for each processor; drivers use it"),
	CALL(virtio_init, "finds devices; their drivers make nodes"),
	CALL(monitor_start, "watches tasks; there are none yet"),
	CALL(root_mount, "the first root with the archive's files"),
	CALL(first_process_prepare, "reads its words before unknown ones are named"),
	{ NULL, NULL, NULL },
};
