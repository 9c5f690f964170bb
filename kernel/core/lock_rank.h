/*
 * The order of all spin locks: a lock may be taken only while every lock held has a lower rank.
 * Outermost first. One line of reason a rank. Sleeping locks come before all of these.
 */
#pragma once

enum lock_rank {
	RANK_NONE,
	RANK_MOUNT,		/* mount tree: looked up first on every path */
	RANK_DENTRY,		/* children of a dentry: takes inode locks below */
	RANK_DENTRY_BUCKET,	/* one chain of the name cache: found under it alone */
	RANK_INODE,		/* an inode's small fields */
	RANK_FDTABLE,		/* descriptor tables: a file is got under it */
	RANK_FILE,		/* position, flags, owner of an open file */
	RANK_OBJECT_LIST,	/* all reclaimable objects: their pages are looked at under it */
	RANK_OBJECT,		/* page cache tree of one object: pages are got under it */
	RANK_PROCESS_TREE,	/* parents, children, groups, sessions */
	RANK_PROCESS,		/* one process: threads, limits, counters */
	RANK_SIGHAND,		/* signal actions and queues: sent under the tree lock */
	RANK_SOCKET_TABLE,	/* names bound */
	RANK_SOCKET,		/* one socket's state and queues */
	RANK_PIPE,		/* one pipe */
	RANK_TTY,		/* line discipline: echo takes the driver's lock */
	RANK_EPOLL,		/* ready lists: filled from wait queue callbacks */
	RANK_FUTEX,		/* futex buckets: wake queues below */
	RANK_DRIVER,		/* a device's queues */
	RANK_SPACE,		/* page tables of one space */
	RANK_WAIT_QUEUE,	/* wait queues: woken threads go to run queues */
	RANK_WAIT_QUEUE_NESTED,	/* a wait queue woken from another's callback (epoll) */
	/* ... and the same for epoll watched by epoll, five deep at most (fs/epoll) */
	RANK_WAIT_QUEUE_NESTED_LAST = RANK_WAIT_QUEUE_NESTED + 5,
	RANK_POLL_WAIT,		/* one poll(2) asleep: woken from any of the above */
	RANK_EPOLL_READY,	/* an epoll's ready list: filled from wait queue callbacks */
	RANK_THREAD,		/* a thread's state and its wake-up */
	RANK_RUNQUEUE,		/* a processor's run queue: two are taken in address order */
	RANK_TIMER,		/* timer queues: callbacks run without it; run queues arm slices */
	RANK_IPI,		/* cross calls */
	RANK_SLAB,		/* a cache's lists: takes pages */
	RANK_KVMAP,		/* kernel virtual ranges */
	RANK_KERNEL_TABLE,	/* the kernel's own page tables: takes pages */
	RANK_BUDDY,		/* free pages */
	RANK_TRACE,
	RANK_CONSOLE,		/* from the log ring to the serial port: anything may log */
	RANK_LOG,		/* the log ring */
	RANK_PCI_CONFIG,	/* the address and data ports of configuration space */
	RANK_COUNT,
};
