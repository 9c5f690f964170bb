/*
 * The splitter. Each word takes at most as many bytes in the buffer as in the text, its terminator
 * taking the separator's place, which is why a buffer of the text's length and one is always
 * enough.
 */
#include "lib/words.h"

void words_init(struct words *words, const char *text, size_t text_length, char *buffer,
		size_t buffer_size)
{
	words->text = text;
	words->end = text + text_length;
	words->buffer = buffer;
	words->buffer_end = buffer + buffer_size;
}

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* Keeps the last byte of the buffer for a terminator. */
static void store(struct words *words, char c)
{
	if (words->buffer_end - words->buffer > 1)
		*words->buffer++ = c;
}

bool words_next(struct words *words, struct word *word)
{
	bool quoted = false;

	while (words->text < words->end && is_separator(*words->text))
		words->text++;
	if (words->text == words->end || words->buffer >= words->buffer_end)
		return false;
	word->name = words->buffer;
	word->value = NULL;
	for (; words->text < words->end; words->text++) {
		char c = *words->text;

		if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && is_separator(c)) {
			break;
		} else if (!quoted && c == '=' && word->value == NULL &&
			   words->buffer_end - words->buffer > 1) {
			*words->buffer++ = '\0';
			word->value = words->buffer;
		} else {
			store(words, c);
		}
	}
	*words->buffer++ = '\0';
	return true;
}
