/*
 * Can any input make the decompressor read or write outside its memory, or run without end?
 *
 * links: lib/zstd.c lib/zstd_block.c lib/zstd_entropy.c lib/xxhash64.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "lib/zstd.h"

static int sink(void *context, const void *bytes, size_t size)
{
	size_t *total = context;

	(void)bytes;
	*total += size;
	return *total > (1U << 24) ? -ENOSPC : 0;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	/* Window 1 KiB, no checksum: half the inputs need not find the header. */
	static const unsigned char header[6] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00};
	static struct zstd zstd;
	unsigned char *input = malloc(size + sizeof(header)), *window;
	size_t total = 0, consumed = 0;
	uint64_t window_size;

	if (size > 0 && data[0] % 2) {
		memcpy(input, header, sizeof(header));
		memcpy(input + sizeof(header), data + 1, size - 1);
		size += sizeof(header) - 1;
	} else {
		memcpy(input, data, size);
	}
	if (zstd_window_size(input, size, &window_size) == 0 && window_size <= 1U << 22) {
		window = malloc(window_size);
		if (zstd_decompress(&zstd, window, window_size, input, size, &consumed, sink,
				    &total) == 0 &&
		    consumed > size)
			abort();
		free(window);
	}
	free(input);
	return 0;
}
