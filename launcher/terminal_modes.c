/*
 * terminal_modes.c - which modes a program's output has left changed (terminal_modes.h).
 *
 * The states are those of ECMA-48's control sequences, as far as they matter: ESC begins one
 * wherever it comes, CAN and SUB end one, other control characters inside one change nothing. So
 * the strings of OSC and DCS, which ESC ends too, need no states: what is in them begins nothing.
 */
#include "terminal_modes.h"

#include <stdbool.h>
#include <stdio.h>

#define NUMBER_MAX	65535	/* larger parameters are this one, which is no mode */
#define CAN		0x18
#define SUB		0x1a
#define ESC		0x1b
#define DEL		0x7f

/* Undone in this order: the screen last, since with it goes what the program drew. */
static const struct {
	uint16_t number;
	bool normally_on;
} followed[] = {
	{ 1, false },						/* cursor keys for programs */
	{ 9, false }, { 1000, false }, { 1002, false },		/* the mouse is reported */
	{ 1003, false }, { 1005, false }, { 1006, false }, { 1015, false },
	{ 1004, false },					/* the focus is reported */
	{ 2004, false },					/* pasted text is marked */
	{ 25, true },						/* the cursor */
	{ 47, false }, { 1047, false }, { 1049, false },	/* the alternate screen */
};

#define FOLLOWED	(sizeof(followed) / sizeof(followed[0]))
_Static_assert(FOLLOWED <= 32, "a bit each");
_Static_assert(FOLLOWED * sizeof("\033[?1049l") <= TERMINAL_UNDO_BYTES, "all of them fit");

static void end_number(struct terminal_modes *modes)
{
	for (size_t i = 0; i < FOLLOWED; i++) {
		if (followed[i].number == modes->number)
			modes->named |= 1u << i;
	}
	modes->number = 0;
}

static void apply(struct terminal_modes *modes, bool on)
{
	end_number(modes);
	for (size_t i = 0; i < FOLLOWED; i++) {
		if (!(modes->named & 1u << i))
			continue;
		if (on == followed[i].normally_on)
			modes->changed &= ~(1u << i);
		else
			modes->changed |= 1u << i;
	}
}

/* In ESC [ ?: a digit, the end of a number, or the end of all. */
static void take_private(struct terminal_modes *modes, uint8_t byte)
{
	if (byte >= '0' && byte <= '9') {
		modes->number = modes->number * 10 + (uint32_t)(byte - '0');
		if (modes->number > NUMBER_MAX)
			modes->number = NUMBER_MAX;
	} else if (byte == ';') {
		end_number(modes);
	} else if (byte < '@') {
		modes->state = MODES_OTHER;
	} else {
		if (byte == 'h' || byte == 'l')
			apply(modes, byte == 'h');
		modes->state = MODES_TEXT;
	}
}

static void take_escape(struct terminal_modes *modes, uint8_t byte)
{
	modes->state = byte == '[' ? MODES_CSI : MODES_TEXT;
	if (byte == 'c')		/* the terminal is reset */
		modes->changed = 0;
}

static void take_csi(struct terminal_modes *modes, uint8_t byte)
{
	modes->number = modes->named = 0;
	modes->state = byte == '?' ? MODES_PRIVATE : byte < '@' ? MODES_OTHER : MODES_TEXT;
}

static void take(struct terminal_modes *modes, uint8_t byte)
{
	if (byte == ESC)
		modes->state = MODES_ESCAPE;
	else if (byte == CAN || byte == SUB)
		modes->state = MODES_TEXT;
	else if (byte < ' ' || byte == DEL)
		return;
	else if (modes->state == MODES_ESCAPE)
		take_escape(modes, byte);
	else if (modes->state == MODES_CSI)
		take_csi(modes, byte);
	else if (modes->state == MODES_PRIVATE)
		take_private(modes, byte);
	else if (byte >= '@')
		modes->state = MODES_TEXT;
}

void terminal_modes_watch(struct terminal_modes *modes, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		take(modes, bytes[i]);
}

size_t terminal_modes_undo(struct terminal_modes *modes, char text[TERMINAL_UNDO_BYTES])
{
	size_t length = 0;

	for (size_t i = 0; i < FOLLOWED; i++) {
		if (modes->changed & 1u << i)
			length += (size_t)sprintf(text + length, "\033[?%u%c", followed[i].number,
						  followed[i].normally_on ? 'h' : 'l');
	}
	*modes = (struct terminal_modes){ 0 };
	return length;
}
