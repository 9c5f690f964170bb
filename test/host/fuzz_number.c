/*
 * Does every number that is accepted print back to what was parsed?
 *
 * links: lib/number.c lib/format.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/format.h"
#include "lib/number.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char text[32];
	uint64_t value, again;

	if (size == 0 || number_parse((const char *)data + 1, size - 1, data[0] % 37, &value) != 0)
		return 0;
	format_string(text, sizeof(text), "%lu", value);
	if (number_parse(text, strlen(text), 10, &again) != 0 || again != value)
		abort();
	format_string(text, sizeof(text), "%#lx", value);
	if (number_parse(text, strlen(text), 0, &again) != 0 || again != value)
		abort();
	return 0;
}
