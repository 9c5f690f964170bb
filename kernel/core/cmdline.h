/*
 * The kernel's command line (doc/command-line.md). A word is declared where it is used, by one of
 * these calls with its name as a literal (tools/check-words reads them), and before
 * cmdline_log_unknown(). Words that nobody declared and values that a word does not take are named
 * in the log. Of several words with one name the last counts. Values live as long as the kernel.
 */
#pragma once

#include "core/types.h"

/* The value of key=VALUE, "" for the bare word, NULL when absent. */
const char *cmdline_get(const char *key);
/* The value of the nth (from 0) word with this name; NULL past the last. */
const char *cmdline_get_nth(const char *key, unsigned int nth);
/* True when the bare word is there. */
bool cmdline_flag(const char *key);
/* The place of the value in `choices`, "one|or|another"; -1: it is none, or the word is absent. */
int cmdline_choice(const char *key, const char *choices);
/* The same for a part of a value: the `n` bytes at `text`. */
int cmdline_choice_of(const char *key, const char *text, size_t n, const char *choices);
/* Decimal, 0x or 0; false, and *out as it was, when absent or not from `low` to `high`. */
bool cmdline_get_uint(const char *key, uint64_t low, uint64_t high, uint64_t *out);
/* Says in the log that `value` is not `expected`; once of a value. */
void cmdline_reject(const char *key, const char *value, const char *expected);

void cmdline_init(const char *line);
const char *cmdline_text(void);		/* as given, for /proc/cmdline */
void cmdline_log_unknown(void);
/* What stands behind `--`: the first program's. NULL when there is none. */
const char *cmdline_rest(void);
