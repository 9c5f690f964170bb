/*
 * protocol.h - what the launcher on the host and init in the guest say to each other.
 *
 * One virtio-serial port named PROTOCOL_PORT carries frames both ways: a head of eight bytes, then
 * `length` bytes. All numbers are little-endian; both ends are x86-64: structures go as they are.
 *
 *	guest                                   host
 *	                                    <-  START      (sent at once; the port holds it)
 *	HELLO       ->                              from here the host's terminal is raw
 *	DATA 1,2,3  ->                      <-  DATA 0 or 3, a DATA of length 0 ends the stream
 *	CREDIT      ->                      <-  CREDIT
 *	CLOSE       ->                      <-  CLOSE, WINSIZE, SIGNAL
 *	                                    <-  FINISH     (optional)
 *	ERROR       ->   (optional)
 *	TRACE       ->   (where START asked for it; not under credit: the host stores it)
 *	EXIT        ->                              the last frame
 *
 * Flow: each stream and direction starts with a credit of PROTOCOL_WINDOW bytes. A sender never has
 * more than its credit under way; the receiver gives credit back when it has passed bytes on. So
 * neither side blocks, and neither holds more than a window for each stream, whatever is sent.
 *
 * CLOSE says that the receiver of a stream wants no more of it: its reader has gone away. The
 * sender drops what it has and passes the condition on (SIGPIPE in the guest, no more reads of the
 * host's stdin). A machine whose host closes the port has no launcher any more, and ends.
 */
#pragma once

#include <stdint.h>

#define PROTOCOL_PORT		"tine"
#define PROTOCOL_VERSION	2u
#define PROTOCOL_WINDOW		(256u * 1024)
/* Payload of DATA; with its head it fits the 32 KiB that a virtio port takes in one write. */
#define PROTOCOL_DATA_MAX	(32u * 1024 - 8)
/* Payload of START, which carries argv and the environment. */
#define PROTOCOL_START_MAX	(4u * 1024 * 1024)
/* Payload of every other frame. */
#define PROTOCOL_TEXT_MAX	4096u

enum protocol_type {
	/* host to guest */
	PROTOCOL_START = 1,
	PROTOCOL_WINSIZE,
	PROTOCOL_SIGNAL,
	PROTOCOL_FINISH,	/* the program is given up: send the trace, then EXIT */
	/* both ways */
	PROTOCOL_DATA = 16,
	PROTOCOL_CREDIT,
	PROTOCOL_CLOSE,
	/* guest to host */
	PROTOCOL_HELLO = 32,
	PROTOCOL_ERROR,
	PROTOCOL_EXIT,
	PROTOCOL_TRACE,		/* a piece of /proc/tine/trace_data, before EXIT */
};

enum protocol_stream {
	STREAM_STDIN,
	STREAM_STDOUT,
	STREAM_STDERR,
	STREAM_TERMINAL,	/* the pty, both ways; replaces those that are a terminal */
	STREAM_COUNT,
};

struct protocol_head {
	uint32_t length;
	uint8_t type;
	uint8_t stream;		/* DATA, CREDIT and CLOSE; else 0 */
	uint16_t zero;
};

enum {
	START_STDIN_TERMINAL	= 1u << 0,
	START_STDOUT_TERMINAL	= 1u << 1,
	START_STDERR_TERMINAL	= 1u << 2,
	START_ANY_TERMINAL	= 7u,
	/* The host's terminal translates newlines itself: the pty must not do it again. */
	START_TERMINAL_PLAIN	= 1u << 3,
	/* The 9p share PROTOCOL_ROOT_TAG becomes the root: below an overlay, or written to. */
	START_ROOT_OVERLAY	= 1u << 4,
	START_ROOT_WRITE	= 1u << 5,
	/* stdout and stderr are one file on the host: one pipe keeps the order of writes. */
	START_STDERR_IS_STDOUT	= 1u << 6,
	/* The flight recorder's data is wanted at the end. */
	START_TRACE		= 1u << 7,
};

#define PROTOCOL_ROOT_TAG	"root"

struct protocol_winsize {
	uint16_t rows, columns, x_pixels, y_pixels;
};

/* Followed by NUL-terminated strings: the directory to start in, argv, then the environment. */
struct protocol_start {
	uint32_t flags;
	uint32_t argument_count;	/* at least 1 */
	uint32_t environment_count;
	struct protocol_winsize winsize;
};

struct protocol_credit {
	uint32_t bytes;
};

struct protocol_signal {
	uint32_t number;
};

struct protocol_hello {
	uint32_t version;
};

struct protocol_exit {
	uint32_t by_signal;	/* 0: value is an exit status; 1: value is a signal number */
	uint32_t value;
};

_Static_assert(sizeof(struct protocol_head) == 8, "frame head");
_Static_assert(sizeof(struct protocol_start) == 20, "start frame");
