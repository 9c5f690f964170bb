/*
 * Job control as terminals see it: process groups, sessions, the controlling terminal.
 */
#pragma once

#include "proc/task.h"

/* setpgid(2), getpgid(2), setsid(2), getsid(2): ids or -errno. */
must_check long process_set_group(uint32_t pid, uint32_t pgid);
must_check long process_get_group(uint32_t pid);
must_check long process_set_session(void);
must_check long process_get_session(uint32_t pid);

/* The terminal layer, which lies above; called without a lock, for a terminal that may have gone
 * meanwhile. May not sleep. */
struct session_tty_ops {
	void (*hangup)(struct tty *tty);	/* a session leader exits or leaves */
	/* The device number and the foreground group; nothing when it has gone. */
	void (*identify)(struct tty *tty, uint64_t *device, int64_t *foreground);
};
void session_set_tty_ops(const struct session_tty_ops *ops);

/* The ids of the current process. */
uint32_t process_current_group_id(void);
uint32_t process_current_session_id(void);
bool process_current_is_session_leader(void);
/* The controlling terminal of the current session (not counted; the terminal layer keeps its
 * terminals until session_clear_tty()); NULL. */
struct tty *session_current_tty(void);
/* The device number of a process's controlling terminal and the group in its foreground, as
 * /proc/PID/stat has them: 0 and -1 without one. */
void process_identify_tty(struct process *p, uint64_t *device, int64_t *foreground);
/* Makes `tty` the controlling terminal: -EPERM unless the current process leads a session without
 * one. */
must_check int session_set_tty(struct tty *tty);
/* No session has `tty` as its terminal any more. */
void session_clear_tty(struct tty *tty);
/* The session of a group, 0 when there is no such group. */
uint32_t process_group_session_id(uint32_t pgid);
/* True when nobody outside the group but in its session could continue it: it is not stopped. */
bool process_current_group_is_orphaned(void);
/* A background process touches its terminal: sends `signo` (SIGTTIN, SIGTTOU) to its group and says
 * -ERESTARTSYS; -EIO when the group is orphaned; when it ignores or blocks the signal -EIO for
 * SIGTTIN and 0 for SIGTTOU: then it may. */
must_check int job_stop_background(int signo);
