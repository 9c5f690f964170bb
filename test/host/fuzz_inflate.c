/*
 * Can any input make the decompressor read or write outside its memory, or run without end?
 *
 * links: lib/inflate.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "lib/inflate.h"

static int sink(void *context, const void *bytes, size_t size)
{
	size_t *total = context;

	(void)bytes;
	*total += size;
	return *total > (1U << 24) ? -ENOSPC : 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const unsigned char header[10] = {0x1f, 0x8b, 8};
	struct inflate *inflate = malloc(sizeof(*inflate));
	unsigned char *input = malloc(size + sizeof(header));
	size_t total = 0, consumed = 0;

	/* Half the inputs get a valid header, so that the search does not have to find one. */
	if (size > 0 && data[0] % 2) {
		memcpy(input, header, sizeof(header));
		memcpy(input + sizeof(header), data, size);
		size += sizeof(header);
	} else {
		memcpy(input, data, size);
	}
	if (inflate_gzip(inflate, input, size, &consumed, sink, &total) == 0 && consumed > size)
		abort();
	free(input);
	free(inflate);
	return 0;
}
