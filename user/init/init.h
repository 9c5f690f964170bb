/*
 * init.h - the parts of PID 1, the first program in the guest.
 *
 * The same static binary runs on Tine and on Linux. It mounts what programs expect, finds the port
 * to the launcher (port.c), takes the START frame, makes the root (mounts.c), starts the command
 * (spawn.c), carries its streams (session.c), reports how it ended, and powers the machine off.
 * Without a launcher (an image booted by itself) it gives a shell on the console (console.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../protocol.h"

/* What to run, decoded from START. The pointers reach into the frame, which is kept. */
struct command {
	uint32_t flags;
	struct protocol_winsize winsize;
	const char *directory;
	char **argv;
	char **envp;
};

/* The started command and our ends of its streams; an fd is -1 where there is none. */
struct child {
	pid_t pid;
	int input;		/* pipe to its stdin */
	int output[2];		/* pipes from its stdout and stderr */
	int terminal;		/* pty master */
};

/*
 * Frames in and out over the port. The port's file is non-blocking; nothing here blocks. It is
 * hung up until the host has opened its end, for PORT_WAIT_MS at most, and once the launcher has
 * gone: then the machine ends, whatever runs in it.
 */
struct port {
	int fd;
	int patience_ms;	/* so long it may still be hung up; 0 once it was not */
	size_t out_used;
	size_t in_used;
	size_t in_room;
	uint8_t *in;		/* grows for START only */
	uint8_t out[64 * 1024];
};

/* The host must answer before a port has a name, and is there; after this time there is none. */
#define PORT_WAIT_MS	3000

/* Room in port->out that data may not take, so that a control frame always finds place. */
#define PORT_RESERVE	8192u

void mounts_early(void);
void mounts_modules(const char *list);
/* Makes the root asked for and enters it. False: `why` says what failed, errno the cause. */
bool mounts_root(uint32_t flags, const char **why);

/* Looks for the port for up to PORT_WAIT_MS. False when there is none. */
bool port_open(struct port *port);
size_t port_data_room(const struct port *port);
/* Where a DATA payload may be read to directly; port_data_commit() then makes it a frame. */
uint8_t *port_data_space(struct port *port);
void port_data_commit(struct port *port, uint8_t stream, size_t length);
void port_send(struct port *port, uint8_t type, uint8_t stream, const void *data, size_t length);
void port_send_text(struct port *port, uint8_t type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Moves bytes between the buffers and the port until it would block. */
void port_write(struct port *port);
void port_read(struct port *port);
/*
 * The next whole frame, or NULL. It stays valid until port_frame_done(). A malformed frame ends
 * the machine: there is no telling where the next one starts.
 */
const struct protocol_head *port_frame(struct port *port);
void port_frame_done(struct port *port);
/* Blocks until all that was queued has gone out. */
void port_flush(struct port *port);
/* To be told what poll() says of the port, whoever asks: the machine may end there. */
void port_polled(struct port *port, short events);
/* Blocks until something can be done with the port, or `timeout_ms` has passed. */
void port_wait(struct port *port, int timeout_ms);

/* False when `frame` is not a well-formed START. */
bool command_decode(struct command *command, const struct protocol_head *frame);

/*
 * Starts the command. 0, or the exit status to report (126, 127, or 125 when the machine could
 * not provide for it), with the text for it already sent.
 */
int spawn(struct port *port, const struct command *command, struct child *child);

/* Carries the streams until the command has ended; fills in how. */
void session_run(struct port *port, const struct child *child, struct protocol_exit *result);
/* Must be called before the first child exists. */
void session_init(void);

/* Runs `argv`, or what suits the console when that is empty, and waits for its end. */
void console_run(struct port *port, char **argv);

/* The machine ends here. */
_Noreturn void power_off(void);
_Noreturn void fatal(const char *what);
