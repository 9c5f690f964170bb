/*
 * Splits a command line into words, each a name with an optional value: `log=debug quiet
 * init="/bin/a b"`.
 *
 * Words are separated by spaces, tabs and newlines. Double quotes protect separators anywhere in a
 * word and are dropped; an unclosed quote runs to the end. A word is cut at its first `=` outside
 * quotes. The bare word `--` ends the kernel's own words: what follows belongs to init.
 *
 * The text is copied into a buffer of the caller's as it is split, so the words are terminated
 * strings and the original may be read-only memory of the boot loader's. No allocation; hostile
 * text is fine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct words {
	const char *text; /* what is left */
	const char *end;
	char *buffer; /* where the next word is put */
	char *buffer_end;
};

struct word {
	const char *name;
	const char *value; /* NULL without `=` */
};

/* buffer_size > text_length holds every text; a shorter buffer cuts words. */
void words_init(struct words *words, const char *text, size_t text_length, char *buffer,
		size_t buffer_size);

/* False at the end. */
bool words_next(struct words *words, struct word *word);
