/*
 * symbols.h - names for addresses in an ELF file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols;

/* NULL when the file cannot be read or has no symbol table. */
struct symbols *symbols_open(const char *path);
/* The function that holds `address`, and how far into it. False when there is none. */
bool symbols_find(const struct symbols *symbols, uint64_t address, const char **name,
		  uint64_t *offset);
/* What the file holds for `length` bytes from an address on; NULL when it has not all of them. */
const uint8_t *symbols_code(const struct symbols *symbols, uint64_t address, size_t length);
