/*
 * text.c - strings for the launcher (text.h).
 */
#include "text.h"

#include "lib/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *format_copy(const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0) {
		fputs("tine: out of memory\n", stderr);
		exit(STATUS_FAILED);
	}
	return text;
}

char *text_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_copy(format, arguments);
	va_end(arguments);
	return text;
}

void strings_add(struct strings *list, const char *text)
{
	char **grown = realloc(list->items, (list->count + 2) * sizeof(*grown));

	if (!grown)
		die(STATUS_FAILED, "out of memory");
	list->items = grown;
	list->items[list->count++] = text_format("%s", text);
	list->items[list->count] = NULL;
}

void strings_addf(struct strings *list, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = format_copy(format, arguments);
	va_end(arguments);
	strings_add(list, text);
	free(text);
}

static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-_./=,:+@%";

	return text[0] && strspn(text, plain) == strlen(text);
}

void strings_add_words(struct strings *list, const char *text)
{
	char *copy = text_format("%s", text), *save = NULL;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		strings_add(list, word);
}

void text_print_quoted(const char *text)
{
	if (is_plain(text)) {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

void strings_print_quoted(const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (i)
			putchar(' ');
		text_print_quoted(list->items[i]);
	}
	putchar('\n');
}

bool text_has_word(const char *words, const char *word)
{
	const size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += length) {
		const bool starts = at == words || at[-1] == ' ';
		const bool ends = at[length] == '\0' || at[length] == ' ';

		if (starts && ends)
			return true;
	}
	return false;
}

unsigned int text_number(const char *what, const char *text, unsigned int lowest,
			 unsigned int highest)
{
	uint64_t value;

	if (number_parse(text, strlen(text), 10, &value) || value < lowest || value > highest)
		die(STATUS_USAGE, "%s %s: must be a number from %u to %u", what, text, lowest,
		    highest);
	return (unsigned int)value;
}

static void print_line(const char *format, va_list arguments)
{
	char *text = format_copy(format, arguments);

	fflush(stdout);
	fprintf(stderr, "tine: %s\n", text);
	free(text);
}

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(format, arguments);
	va_end(arguments);
}

void die(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_line(format, arguments);
	va_end(arguments);
	exit(status);
}
