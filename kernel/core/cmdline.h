/*
 * The kernel's command line: options are declared where they are used; words that nobody declared
 * are named in the log. Values live as long as the kernel.
 */
#pragma once

#include "core/types.h"

/* The value of key=VALUE, "" for the bare word, NULL when absent. Marks the word as known. */
const char *cmdline_get(const char *key);
/* The value of the nth word with this key, from 0; NULL when there are no more. */
const char *cmdline_get_nth(const char *key, unsigned int nth);
static inline bool cmdline_has(const char *key) { return cmdline_get(key) != NULL; }
/* The nth (from 0) value of a key given more than once; NULL past the last. */
const char *cmdline_get_nth(const char *key, unsigned int n);
bool cmdline_get_uint(const char *key, uint64_t *out);
void cmdline_init(const char *line);
const char *cmdline_text(void);		/* as given, for /proc/cmdline */
void cmdline_log_unknown(void);
/* What stands behind `--`: the first program's. NULL when there is none. */
const char *cmdline_rest(void);
