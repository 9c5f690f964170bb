/*
 * terminal_modes.h - which modes of the terminal a program's output has left changed.
 *
 * Fed with the bytes that the terminal was sent, in pieces of any size. Only DEC's private modes
 * (ESC [ ? NUMBERS h or l) that are a nuisance to whoever has the terminal next are followed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* All zeros: a terminal as it should be. */
struct terminal_modes {
	enum { MODES_TEXT, MODES_ESCAPE, MODES_CSI, MODES_PRIVATE, MODES_OTHER } state;
	uint32_t number;	/* the parameter that is being read */
	uint32_t named;		/* those of the sequence's modes that are followed, a bit each */
	uint32_t changed;	/* the modes that are not as they should be */
};

void terminal_modes_watch(struct terminal_modes *modes, const uint8_t *bytes, size_t count);

#define TERMINAL_UNDO_BYTES 128
/* What undoes the changes, and forgets them; its length, 0: there are none. */
size_t terminal_modes_undo(struct terminal_modes *modes, char text[TERMINAL_UNDO_BYTES]);
