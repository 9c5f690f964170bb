/*
 * Does any command line split inside its buffer?
 *
 * links: lib/words.c lib/number.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/number.h"
#include "lib/words.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	size_t room = size == 0 ? 1 : data[0] % 2 ? size + 1 : data[0];
	char *buffer = malloc(room + 1), *end = buffer + room;
	struct words words;
	struct word word;

	words_init(&words, (const char *)data, size, buffer, room);
	while (words_next(&words, &word)) {
		const char *last = word.value != NULL ? word.value : word.name;
		uint64_t number;
		int64_t negative;

		if (word.name < buffer || last + strlen(last) >= end)
			abort();
		(void)number_parse_size(last, strlen(last), &number);
		(void)number_parse_signed(last, strlen(last), 0, &negative);
	}
	free(buffer);
	return 0;
}
