/*
 * The command line's words, split once at boot. A lookup is a walk over at most WORDS_MAX words;
 * the last of several words with one key wins. Text is the boot loader's and may be anything.
 */
#include "core/cmdline.h"

#include "core/klog.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "lib/words.h"

#define TEXT_MAX 2048
#define WORDS_MAX 128

static char given[TEXT_MAX];
static char split[TEXT_MAX + WORDS_MAX];
static struct { const char *name, *value; bool known, rejected; } words[WORDS_MAX];
static unsigned int word_count;
static unsigned int words_dropped;
static const char *rest;		/* behind `--` */

void cmdline_init(const char *line)
{
	struct words cursor;
	struct word word;

	strlcpy(given, line, sizeof(given));
	words_init(&cursor, given, strlen(given), split, sizeof(split));
	while (words_next(&cursor, &word)) {
		if (strcmp(word.name, "--") == 0 && word.value == NULL) {
			rest = cursor.text;
			break;
		}
		if (word_count == WORDS_MAX) {
			words_dropped++;
			continue;
		}
		words[word_count].name = word.name;
		words[word_count].value = word.value != NULL ? word.value : "";
		word_count++;
	}
}

const char *cmdline_get_nth(const char *key, unsigned int nth)
{
	for (unsigned int i = 0; i < word_count; i++) {
		if (strcmp(words[i].name, key) != 0)
			continue;
		words[i].known = true;
		if (nth-- == 0)
			return words[i].value;
	}
	return NULL;
}

const char *cmdline_get(const char *key)
{
	const char *value, *last = NULL;

	for (unsigned int nth = 0; (value = cmdline_get_nth(key, nth)) != NULL; nth++)
		last = value;
	return last;
}

/* Who reads a word may do so more than once. */
static bool is_new(const char *value)
{
	for (unsigned int i = 0; i < word_count; i++)
		if (value >= words[i].value && value <= words[i].value + strlen(words[i].value)) {
			const bool again = words[i].rejected;

			words[i].rejected = true;
			return !again;
		}
	return true;
}

void cmdline_reject(const char *key, const char *value, const char *expected)
{
	if (is_new(value))
		log_warn("%s=%s on the command line: must be %s", key, value, expected);
}

bool cmdline_flag(const char *key)
{
	const char *value = cmdline_get(key);

	if (value != NULL && value[0] != '\0')
		cmdline_reject(key, value, "without a value");
	return value != NULL && value[0] == '\0';
}

int cmdline_choice_of(const char *key, const char *text, size_t n, const char *choices)
{
	const char *at = choices;

	for (int i = 0; *at != '\0'; i++) {
		const char *bar = strchr(at, '|');
		const size_t length = bar != NULL ? (size_t)(bar - at) : strlen(at);

		if (n == length && strncmp(at, text, n) == 0)
			return i;
		at += length + (bar != NULL);
	}
	cmdline_reject(key, text, choices);
	return -1;
}

int cmdline_choice(const char *key, const char *choices)
{
	const char *value = cmdline_get(key);

	return value != NULL ? cmdline_choice_of(key, value, strlen(value), choices) : -1;
}

bool cmdline_get_uint(const char *key, uint64_t low, uint64_t high, uint64_t *out)
{
	const char *value = cmdline_get(key);
	char expected[64];
	uint64_t number;

	if (value == NULL)
		return false;
	if (number_parse(value, strlen(value), 0, &number) == 0 && number >= low &&
	    number <= high) {
		*out = number;
		return true;
	}
	format_string(expected, sizeof(expected), "a number from %lu to %lu", low, high);
	cmdline_reject(key, value, expected);
	return false;
}

const char *cmdline_text(void) { return given; }
const char *cmdline_rest(void) { return rest; }

void cmdline_log_unknown(void)
{
	for (unsigned int i = 0; i < word_count; i++)
		if (!words[i].known)
			log_warn("unknown word on the command line: %s%s%s", words[i].name,
				 words[i].value[0] != '\0' ? "=" : "", words[i].value);
	if (words_dropped != 0)
		log_warn("%u words on the command line were not read", words_dropped);
}
