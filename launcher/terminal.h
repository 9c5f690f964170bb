/*
 * terminal.h - the host's terminal while a program in the guest has it.
 */
#pragma once

#include "../user/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the terminal on stdin pass every byte through; undone by terminal_restore(), or at exit. */
void terminal_raw(void);
/* What terminal_output() was sent; the modes that it has left changed are undone as well. */
void terminal_watch(const uint8_t *bytes, size_t count);
void terminal_restore(void);
/* The size of the terminal among our standard files; false when there is none. */
bool terminal_size(struct protocol_winsize *size);
/* The file to write the guest's terminal to: one of 0, 1 and 2, or -1. */
int terminal_output(void);
/* START flags for our three standard files. */
uint32_t terminal_flags(void);
