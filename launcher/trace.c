/*
 * trace.c - the flight recorder's data: taken in, checked, put in order by time.
 */
#include "trace.h"

#include "scratch.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRACE_BYTES_MAX	(2ull << 30)

static FILE *store;
static uint64_t stored;

void trace_store(const void *piece, size_t length)
{
	if (!store)
		store = fdopen(scratch_file("tine-trace"), "w+");
	if (!store)
		die(STATUS_FAILED, "out of memory");
	stored += length;
	if (stored > TRACE_BYTES_MAX)
		die(STATUS_FAILED, "--trace: the guest sent more than any trace has");
	if (fwrite(piece, 1, length, store) != length)
		die(STATUS_FAILED, "--trace: a file in memory: %s", strerror(errno));
}

void trace_check_path(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file)
		die(STATUS_USAGE, "--trace %s: %s", path, strerror(errno));
	fclose(file);
}

void trace_init(struct trace *trace, const struct symbols *symbols)
{
	*trace = (struct trace){ .symbols = symbols };
}

uint64_t trace_ns(const struct trace *trace, uint64_t cycles)
{
	const uint64_t since = cycles - trace->head->cycles_base;

	return (uint64_t)((unsigned __int128)since * trace->head->cycles_mult >> 32);
}

/* --- threads ---------------------------------------------------------------------------- */

static struct trace_thread *slot_of(struct trace_thread *table, size_t room, uint32_t id)
{
	size_t at = id * 2654435761u % room;

	while (table[at].name[16] && table[at].id != id)
		at = (at + 1) % room;
	return &table[at];
}

static void grow(struct trace *trace)
{
	const size_t room = trace->threads_room ? 2 * trace->threads_room : 256;
	struct trace_thread *table = calloc(room, sizeof(*table));

	if (!table)
		die(STATUS_FAILED, "out of memory");
	for (size_t i = 0; i < trace->threads_room; i++) {
		if (trace->threads[i].name[16])
			*slot_of(table, room, trace->threads[i].id) = trace->threads[i];
	}
	free(trace->threads);
	trace->threads = table;
	trace->threads_room = room;
}

/* name[16] marks a place in use; it is not part of the name. The result is valid until the next
 * new thread. */
struct trace_thread *trace_thread(struct trace *trace, uint32_t id)
{
	struct trace_thread *thread;

	if (2 * (trace->threads_used + 1) > trace->threads_room)
		grow(trace);
	thread = slot_of(trace->threads, trace->threads_room, id);
	if (!thread->name[16]) {
		thread->name[16] = 1;
		thread->id = id;
		trace->threads_used++;
	}
	return thread;
}

static void set_name(struct trace *trace, uint32_t id, uint64_t process, const uint64_t words[2])
{
	struct trace_thread *thread = trace_thread(trace, id);

	thread->process = (uint32_t)process;
	memcpy(thread->name, words, 16);
	thread->name[15] = '\0';
	for (char *c = thread->name; *c; c++) {
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
			*c = '_';
	}
}

void trace_learn(struct trace *trace, const struct trace_record *record)
{
	if (record->id == TRACE_THREAD_NAME || record->id == TRACE_THREAD_EXIT)
		set_name(trace, (uint32_t)record->args[0], record->args[1], &record->args[2]);
	else if (record->id == TRACE_FORK_COMMIT)
		trace_thread(trace, (uint32_t)record->args[1])->process =
			(uint32_t)record->args[2];
}

/* --- the file --------------------------------------------------------------------------- */

static bool is_valid(const struct trace_record *record, uint32_t cpus)
{
	return record->id > TRACE_NONE && record->id < TRACE_COUNT && record->cpu < cpus;
}

static int by_time(const void *a, const void *b)
{
	const struct trace_record *x = *(const struct trace_record *const *)a;
	const struct trace_record *y = *(const struct trace_record *const *)b;

	if (x->cycles != y->cycles)
		return x->cycles < y->cycles ? -1 : 1;
	/* Of one ring: the order in which they were written, which is that of their addresses. */
	return x < y ? -1 : x > y;
}

/* False: what came is no trace. */
static bool collect(struct trace *trace, const uint8_t *data, uint64_t bytes)
{
	uint64_t at = sizeof(*trace->head);

	trace->head = (const struct trace_head *)data;
	if (bytes < at || trace->head->magic != TRACE_MAGIC ||
	    trace->head->record_bytes != sizeof(struct trace_record) ||
	    trace->head->cpus > TRACE_CPUS_MAX)
		return false;
	trace->records = calloc(bytes / sizeof(struct trace_record) + 1, sizeof(*trace->records));
	if (!trace->records)
		die(STATUS_FAILED, "out of memory");
	for (uint32_t cpu = 0; cpu < trace->head->cpus; cpu++) {
		const struct trace_ring_head *ring = (const void *)(data + at);

		if (bytes - at < sizeof(*ring))
			return false;
		at += sizeof(*ring);
		if (ring->records > (bytes - at) / sizeof(struct trace_record))
			return false;
		trace->lost += ring->lost;
		for (uint64_t i = 0; i < ring->records; i++) {
			const struct trace_record *record =
				(const struct trace_record *)(data + at) + i;

			if (is_valid(record, trace->head->cpus))
				trace->records[trace->count++] = record;
		}
		at += ring->records * sizeof(struct trace_record);
	}
	qsort(trace->records, trace->count, sizeof(*trace->records), by_time);
	return true;
}

/* A format is what FILE's name ends in, unless it was asked for by itself. */
static void print_as(struct trace *trace, const char *path, const char *format, FILE *out)
{
	const char *dot = strrchr(path, '.');

	if (!format)
		format = dot ? dot + 1 : "";
	if (strcmp(format, "txt") == 0)
		trace_print_all(trace, out);
	else if (strcmp(format, "html") == 0)
		trace_print_html(trace, out);
	else
		trace_print_json(trace, out);
}

bool trace_write(const char *path, const char *format, const struct symbols *symbols)
{
	struct trace trace;
	void *data;
	FILE *out;

	trace_init(&trace, symbols);
	if (!store) {
		complain("--trace %s: the guest sent no trace", path);
		return false;
	}
	fflush(store);
	data = mmap(NULL, stored, PROT_READ, MAP_PRIVATE, fileno(store), 0);
	if (data == MAP_FAILED || !collect(&trace, data, stored)) {
		complain("--trace %s: what the guest sent is not a trace", path);
		return false;
	}
	out = fopen(path, "we");
	if (!out) {
		complain("--trace %s: %s", path, strerror(errno));
		return false;
	}
	print_as(&trace, path, format, out);
	if (ferror(out) | fclose(out)) {
		complain("--trace %s: %s", path, strerror(errno));
		return false;
	}
	if (trace.lost)
		complain("--trace %s: %llu events; the %llu before them did not fit: "
			 "--append trace=SIZE keeps more", path, (unsigned long long)trace.count,
			 (unsigned long long)trace.lost);
	return true;
}
