/*
 * Terminals. Every terminal is a pseudo-terminal: the one you sit at is a pty that init makes and
 * the launcher feeds, so that there is one kind, with one line discipline (ldisc.c).
 *
 *	master write -> ldisc_receive() -> input ring -> slave read
 *	slave write  -> ldisc_output()  -> output ring -> master read
 *
 * Locking: `lock` covers every field without a legend. Signals are collected under it and sent
 * after it is released, since sending takes the process tree's lock, which ranks above.
 */
#pragma once

#include "abi/termios.h"
#include "core/spinlock.h"
#include "lib/ring.h"
#include "sched/mutex.h"
#include "vfs/file.h"

#define TTY_INPUT_BYTES 4096
#define TTY_OUTPUT_BYTES 8192
#define PTY_MAX 1024
#define PTY_SLAVE_MAJOR 136
#define TTY_MAJOR 5			/* minor 0: /dev/tty, 1: console, 2: ptmx */

struct tty {
	struct refcount references;	/* the table (until the master closes), open files */
	uint32_t index;			/* [I] */
	uint64_t serial;		/* [I] tells it from an earlier tty with this index */
	struct spinlock lock;
	struct abi_termios2 termios;
	struct abi_winsize winsize;

	struct ring input;		/* bytes for readers, the unfinished line last */
	uint64_t line_end[TTY_INPUT_BYTES / 64];	/* canonical: this byte ends a line */
	uint64_t eof_mark[TTY_INPUT_BYTES / 64];	/* ... and is VEOF itself: not given */
	size_t lines;			/* line ends in the ring */
	size_t line_start;		/* ring position (free running) of the unfinished line */
	bool literal_next;		/* VLNEXT was typed */

	struct ring output;
	bool output_stopped;		/* ^S */
	uint32_t column, line_column;	/* of the cursor; where the unfinished line began */

	bool packet_mode;		/* TIOCPKT */
	uint8_t packet_status;		/* TIOCPKT_* to report */
	bool locked;			/* TIOCSPTLCK: slave cannot be opened */
	bool exclusive;
	bool master_open, slave_was_open;
	uint32_t slave_count;
	uint32_t hangups;		/* files opened before the last one are dead */

	uint32_t session, foreground;	/* ids; 0: none */
	uint32_t mode, uid, gid;	/* of the node in devpts */

	struct mutex read_mutex, write_mutex;	/* one slave reader, one slave writer at a time */
	struct wait_queue slave_wait, master_wait;
	unsigned char input_buffer[TTY_INPUT_BYTES];
	unsigned char output_buffer[TTY_OUTPUT_BYTES];
};

struct tty_file {			/* file->private of a slave */
	struct tty *tty;		/* counted */
	uint32_t hangups;		/* tty->hangups at open */
};

/* Signals to send to the foreground group once the lock is released: bit n - 1. */
typedef uint64_t tty_signals_t;

/* --- ldisc.c ---------------------------------------------------------------------------------- */

void ldisc_init_termios(struct abi_termios2 *t);
/* One byte from the master. False: no room now, nothing was done. */
bool ldisc_receive(struct tty *tty, unsigned char byte, tty_signals_t *signals)
	REQUIRES(&tty->lock);
/* One byte of a program's output, with OPOST. False: no room. */
bool ldisc_output(struct tty *tty, unsigned char byte) REQUIRES(&tty->lock);
/* Bytes for the reader: up to n, at most one line when canonical. *eof: a VEOF ended it. */
size_t ldisc_take(struct tty *tty, unsigned char *to, size_t n, bool *eof) REQUIRES(&tty->lock);
/* How many bytes a read could give now (canonical: whole lines). */
size_t ldisc_readable(const struct tty *tty) REQUIRES(&tty->lock);
bool ldisc_has_line(const struct tty *tty) REQUIRES(&tty->lock);
void ldisc_flush_input(struct tty *tty) REQUIRES(&tty->lock);
/* ICANON was switched: what is in the ring becomes readable. */
void ldisc_mode_changed(struct tty *tty, uint32_t old_lflag) REQUIRES(&tty->lock);

/* --- tty.c: the slave ------------------------------------------------------------------------- */

extern const struct file_ops tty_file_ops;
must_check int tty_open(struct tty *tty, struct file *file);
void tty_send_signals(struct tty *tty, tty_signals_t signals);	/* no lock held */
/* Everybody is told that the line is gone; open files become dead. */
void tty_hangup(struct tty *tty);
/* 0; or -ERESTARTSYS after stopping the background caller, -EIO. */
must_check int tty_check_foreground(struct tty *tty, int signo);
/* Makes it the terminal of the current session, which has none; -EPERM otherwise. */
must_check int tty_set_session(struct tty *tty);
bool tty_file_is_dead(const struct tty_file *tf);

/* --- tty_ioctl.c ------------------------------------------------------------------------------ */

long tty_ioctl(struct file *file, unsigned int command, uint64_t arg);
/* What master and slave have in common; -ENOIOCTLCMD: neither. */
long tty_ioctl_common(struct tty *tty, unsigned int command, uint64_t arg);

/* --- pty.c ------------------------------------------------------------------------------------ */

struct tty *pty_find(uint32_t index);		/* counted; NULL */
/* A reference to a terminal that may be going: false when it has left the table. */
must_check bool pty_try_get(struct tty *tty);
/* The first index >= from in use; -1: none. For devpts. */
int pty_next(uint32_t from);
static inline void tty_get(struct tty *tty) { refcount_get(&tty->references); }
void tty_put(struct tty *tty);
must_check int pty_open_master(struct file *file, uint32_t minor);
void tty_init(void);				/* all of dev/tty: devices, devpts */
void devpts_init(void);
