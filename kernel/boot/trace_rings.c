/*
 * Memory for the flight recorder: `trace` or `trace=SIZE` on the command line gives each processor
 * a ring of that size (4M by default, 512K to 64M, rounded down to a power of two) for ever, and
 * starts recording. What memory does not give, a smaller ring or none, is said in the log.
 */
#include "abi/errno.h"
#include "boot/boot_internal.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "core/percpu.h"
#include "core/trace.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mem/page.h"
#include "mem/slab.h"

#define CHUNK_BYTES (TRACE_CHUNK_RECORDS * sizeof(struct trace_record))
#define CHUNK_ORDER 7
_Static_assert(CHUNK_BYTES == PAGE_SIZE << CHUNK_ORDER, "a chunk is one block");

#define DEFAULT_BYTES (4UL << 20)
#define BYTES_MAX (TRACE_CHUNKS_MAX * CHUNK_BYTES)

/* How many chunks a ring has; 0: tracing is not asked for. */
static uint32_t chunks_wanted(void)
{
	const char *value = cmdline_get("trace");
	uint64_t bytes = DEFAULT_BYTES, wanted;
	uint32_t chunks = 1;

	if (value == NULL)
		return 0;
	if (value[0] != '\0' && (number_parse_size(value, strlen(value), &wanted) != 0 ||
				 wanted < CHUNK_BYTES || wanted > BYTES_MAX))
		cmdline_reject("trace", value, "a size from 512K to 64M");
	else if (value[0] != '\0')
		bytes = wanted;
	while (chunks < TRACE_CHUNKS_MAX && 2UL * chunks * CHUNK_BYTES <= bytes)
		chunks *= 2;
	return chunks;
}

static void ring_create(uint32_t cpu, uint32_t wanted)
{
	struct trace_record **chunks = kmalloc(wanted * sizeof(chunks[0]));
	uint32_t got = 0, used = 1;

	while (chunks != NULL && got < wanted) {
		struct page *pages = page_allocate(CHUNK_ORDER, PAGE_KERNEL, 0);

		if (pages == NULL)
			break;
		chunks[got++] = page_address(pages);
	}
	while (used * 2 <= got)
		used *= 2;
	while (got > used)
		page_put(virt_to_page(chunks[--got]));
	if (got < wanted)
		log_warn("trace: no memory for all of CPU %u's ring", cpu);
	if (got != 0)
		trace_set_ring(cpu, chunks, used);
}

/* The boot processor's; the number of the others is not known yet. */
void trace_rings_init(void)
{
	uint32_t wanted = chunks_wanted();

	if (wanted == 0)
		return;
	ring_create(0, wanted);
	if (trace_has_rings())
		trace_start();
}

void trace_rings_complete(void)
{
	for (uint32_t cpu = 1; trace_has_rings() && cpu < cpu_count; cpu++)
		ring_create(cpu, chunks_wanted());
}
