/*
 * text.h - strings for the launcher: formatted copies, lists of them, and the one-line error.
 *
 * The launcher is short-lived: what it formats is kept until it exits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Statuses of the launcher's own making; a program's status is passed on as it is. */
enum {
	STATUS_USAGE	= 2,	/* the command line makes no sense, or names what is not there */
	STATUS_TIMEOUT	= 124,
	STATUS_FAILED	= 125,	/* the machine, not the program, failed */
};

/* A list of strings, always ended by NULL. */
struct strings {
	char **items;
	size_t count;
};

char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void strings_add(struct strings *list, const char *text);
void strings_addf(struct strings *list, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The words of `text`, separated by spaces. */
void strings_add_words(struct strings *list, const char *text);
/* Prints the word, or the list as one line, so that a shell takes it back. */
void text_print_quoted(const char *text);
void strings_print_quoted(const struct strings *list);
/* Whether `words`, separated by spaces, contain `word`. */
bool text_has_word(const char *words, const char *word);

/* The decimal number that is all of `text`; ends us, naming `what`, when it is not in the range. */
unsigned int text_number(const char *what, const char *text, unsigned int lowest,
			 unsigned int highest);

/* Prints "tine: ..." on stderr, one line. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
