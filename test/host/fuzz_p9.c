/*
 * Can any reply of a 9P server make the decoder read outside it, or walk a directory without end?
 *
 * links: fs/p9/wire.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "fs/p9/wire.h"

static volatile uint64_t sink;

static void use_string(const char *string, uint16_t length)
{
	if (string == NULL && length != 0)
		abort();
	for (uint16_t i = 0; i < length; i++)
		sink += (unsigned char)string[i];
}

static void walk_directory(struct p9_buffer *reply)
{
	struct p9_dirent entry;
	size_t before = reply->at;

	while (p9_get_dirent(reply, &entry)) {
		use_string(entry.name, entry.name_length);
		if (reply->at <= before || reply->at > reply->capacity)
			abort();
		before = reply->at;
	}
}

/* The request's type is the fuzzer's choice, so that any reply can be the right one. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const enum p9_type types[] = {P9_TGETATTR, P9_TREADDIR, P9_TREADLINK, P9_TVERSION,
					     P9_TSTATFS,  P9_TWALK,    P9_TREAD};
	enum p9_type type;
	struct p9_buffer reply;
	struct p9_attr attr;
	uint16_t length;
	uint8_t *copy;

	if (size < 3)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(*types))];
	copy = malloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	reply = (struct p9_buffer){.data = copy, .capacity = size - 1};
	/* The device may claim to have written more than the buffer, or less than a header. */
	if (p9_check_reply(&reply, data[1] == 0xff ? size * 2 : size - 1, type, 0) == 0) {
		switch (type) {
		case P9_TGETATTR:
			p9_get_attr(&reply, &attr);
			break;
		case P9_TREADDIR:
			(void)p9_get32(&reply);
			walk_directory(&reply);
			break;
		case P9_TREADLINK:
		case P9_TVERSION:
			sink += p9_get32(&reply);
			use_string(p9_get_string(&reply, &length), length);
			break;
		default:
			while (!reply.bad)
				sink += p9_get16(&reply) + p9_get64(&reply);
		}
	}
	if (reply.at > reply.capacity)
		abort();
	free(copy);
	return 0;
}
