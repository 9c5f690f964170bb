/*
 * Can any bytes make the cpio reader read outside the archive, or not come to an end?
 *
 * links: lib/cpio.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/cpio.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct cpio_entry entry;
	struct cpio cpio;
	size_t entries = 0;
	volatile unsigned char sum = 0;

	cpio_init(&cpio, data, size);
	while (cpio_next(&cpio, &entry) == 0) {
		sum += (unsigned char)strlen(entry.name);
		for (size_t i = 0; i < entry.size; i++)
			sum += ((const unsigned char *)entry.data)[i];
		if (strlen(entry.name) != entry.name_length || ++entries > size)
			abort();
	}
	return 0;
}
