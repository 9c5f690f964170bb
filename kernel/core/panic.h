/*
 * The end: where going on would corrupt. panic() itself is in core/assert.h.
 */
#pragma once

#include "core/assert.h"

/* As panic(), with the stack shown from `pc` and the frame pointer chain `frame_pointer` on: for an
 * exception, whose own frames say nothing. */
void panic_at(uint64_t pc, uint64_t frame_pointer, const char *format, ...) noreturn_fn
	__attribute__((format(printf, 3, 4)));
/* True after the first panic began: handlers keep out of its way. */
bool panic_is_under_way(void);
/* Text printed behind the stack (registers); it must stay. */
void panic_set_details(const char *text);
/*
 * Asked at the end for a line more, whoever panicked: with interrupts off, other processors
 * stopped. It fills `text`, to be ended by a newline.
 */
void panic_set_note(void (*note)(char *text, size_t size));
