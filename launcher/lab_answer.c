/*
 * lab_answer.c - the lab's answers: checks, the verdict, and what is read out of a log.
 */
#include "lab.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_SHOWN 12

static unsigned int failures;

void lab_check(bool ok, const char *format, ...)
{
	va_list args;

	printf("  %-5s ", ok ? "yes" : "NO");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	if (!ok)
		failures++;
}

void lab_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

int lab_verdict(const char *format, ...)
{
	va_list args;

	if (failures) {
		printf("not shown: %u of what was to be observed was not\n", failures);
		return 1;
	}
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return 0;
}

void lab_show_failure(const struct lab_result *r, const char *said)
{
	const char *from = said + strlen(said), *end, *how = "by its time limit";

	if (r->status >= 0)
		how = text_format("with status %d", r->status);
	for (int lines = 0; from > said; from--)
		if (from[-1] == '\n' && from[0] && ++lines == LINES_SHOWN)
			break;
	fflush(stdout);
	fprintf(stderr, "        it ended %s after %.0f s%s\n", how, r->seconds,
		*from ? "; the last lines:" : "");
	for (; *from; from = *end ? end + 1 : end) {
		end = strchrnul(from, '\n');
		fprintf(stderr, "        | %.*s\n", (int)(end - from), from);
	}
}

static const char *more_words = "";

bool lab_is_quick(int argc, char **argv)
{
	bool quick = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quick") == 0)
			quick = true;
		else if (strcmp(argv[i], "--append") == 0 && i + 1 < argc)
			more_words = argv[++i];
		else
			die(STATUS_USAGE, "lab %s: %s: not known, or its value is missing; see "
			    "./tine lab %s --help", argv[0], argv[i], argv[0]);
	}
	return quick;
}

const char *lab_words(const char *words)
{
	const char *rest = strstr(words, " -- ");

	if (!rest)
		rest = words + strlen(words);
	return text_format("%.*s%s%s%s", (int)(rest - words), words, more_words[0] ? " " : "",
			   more_words, rest);
}

char *lab_line(char **text)
{
	char *line;

	do {
		line = strsep(text, "\n");
	} while (line && !line[0]);
	return line;
}

bool lab_number(const char *line, const char *key, uint64_t *value)
{
	const char *at = strstr(line, key);
	char *end;

	if (!at)
		return false;
	at += strlen(key);
	*value = strtoull(at, &end, 0);
	return end != at;
}

uint64_t lab_time_us(const char *line)
{
	unsigned long long seconds, us;

	return sscanf(line, "[%llu.%llu]", &seconds, &us) == 2 ? seconds * 1000000 + us : 0;
}

unsigned int lab_count(const char *text, const char *word)
{
	unsigned int n = 0;

	while ((text = strstr(text, word))) {
		n++;
		text += strlen(word);
	}
	return n;
}

bool lab_parse_switch(const char *line, struct lab_switch *s)
{
	const char *at = strstr(line, "] switch ");
	unsigned long long from, to;

	if (!at || sscanf(at, "] switch %llu -> %llu ", &from, &to) != 2)
		return false;
	*s = (struct lab_switch){ .time_us = lab_time_us(line), .from = from, .to = to };
	s->is_report = lab_number(line, "RIP=", &s->rip) && lab_number(line, "RSP=", &s->rsp) &&
		       s->rip >= 0x10000000 && s->rip < 0x10001000;
	at = strstr(line, "CR3=");
	if (at && (at = strstr(at, "-> ")))
		s->cr3 = strtoull(at + 3, NULL, 0);
	return true;
}
