/*
 * The flight recorder for programs. /proc/tine/trace is the newest events as text, and what is
 * written there becomes an event; /proc/tine/trace_data is all of it for the launcher's decoder
 * (core/trace.h has the format). Recording stands still while either is read: a reader sees one
 * state, and its own reading does not overwrite the oldest events. Names of the threads that are
 * there are recorded last, since those of long ago may be overwritten.
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "core/trace.h"
#include "fs/procfs/procfs.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "sched/mutex.h"
#include "vfs/file.h"
#include "vfs/iobuf.h"

#define TEXT_EVENTS 2000u

static struct mutex trace_mutex;	/* proc_trace_init() */
static uint32_t readers GUARDED_BY(&trace_mutex);	/* recording stands still for them */

void proc_trace_init(void) { mutex_init(&trace_mutex); }

static void name_process(struct process *p)
{
	struct task *t;

	for (uint32_t tid = 0; (t = process_next_task(p, tid)) != NULL; task_put(t)) {
		task_trace_name(t);
		tid = t->thread.id + 1;
	}
}

static void name_threads(void)
{
	struct process *p;
	uint32_t pid;

	for (pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		name_process(p);
		pid = p->pid + 1;
	}
}

static void hold_locked(void) REQUIRES(&trace_mutex)
{
	if (readers++ == 0) {
		name_threads();
		trace_stop();
	}
}

static void release(void)
{
	mutex_lock(&trace_mutex);
	if (--readers == 0)
		trace_start();
	mutex_unlock(&trace_mutex);
}

/* --- as text ---------------------------------------------------------------------------------- */

static void put_chars(struct text *out, uint64_t word)
{
	for (unsigned int i = 0; i < 8; i++) {
		char c = (char)(word >> 8 * i);

		if (c != '\0')
			text_putc(out, c > ' ' && c < 127 ? c : '_');
	}
}

static void put_record(void *arg, const struct trace_record *r)
{
	const struct trace_event_info *info = trace_event_find(r->id);
	struct text *out = arg;
	uint64_t base, mult, ns;

	arch_cycles_scale(&base, &mult);
	ns = (uint64_t)((unsigned __int128)(r->cycles - base) * mult >> 32);
	text_printf(out, "%5llu.%09llu cpu%u %u %s", (unsigned long long)(ns / NSEC_PER_SEC),
		    (unsigned long long)(ns % NSEC_PER_SEC), r->cpu, r->thread, info->name);
	for (unsigned int i = 0; i < info->args; i++) {
		text_printf(out, " %s=", info->arg_names[i]);
		if (r->id == TRACE_MARK || (r->id == TRACE_THREAD_NAME && i >= 2) ||
		    (r->id == TRACE_THREAD_EXIT && i >= 2))
			put_chars(out, r->args[i]);
		else
			text_printf(out, "%#llx", (unsigned long long)r->args[i]);
	}
	text_putc(out, '\n');
}

int proc_show_trace(struct text *out, const struct proc_subject *s)
{
	if (!trace_has_rings())
		return -ENODATA;
	mutex_lock(&trace_mutex);
	hold_locked();
	mutex_unlock(&trace_mutex);
	trace_for_each_last(TEXT_EVENTS, put_record, out);
	release();
	return 0;
}

ssize_t proc_write_trace(const struct proc_subject *s, char *text, size_t n)
{
	char note[40] = { 0 };
	uint64_t words[5];
	size_t length = n > 0 && text[n - 1] == '\n' ? n - 1 : n;

	length = MIN(length, sizeof(note));
	memcpy(note, text, length);
	/* To who reads it a zero is the end. */
	for (size_t i = 0; i < length; i++)
		if (note[i] == '\0')
			note[i] = '_';
	memcpy(words, note, sizeof(words));
	trace_mark(words[0], words[1], words[2], words[3], words[4]);
	return (ssize_t)n;
}

/* --- for the decoder ------------------------------------------------------------------------- */

/* The file's parts in order: the head, then each ring's head and records. */
struct part {
	const void *bytes;
	uint64_t length;
};

struct trace_image {
	struct trace_head head;
	struct trace_ring_head rings[CPU_MAX];
};

/* The first read makes the image; it stays until the file is closed. */
static int data_prepare_locked(struct file *file) REQUIRES(&trace_mutex)
{
	struct trace_image *image;

	if (file->private != NULL)
		return 0;
	if (!trace_has_rings())
		return -ENODATA;
	image = kmalloc(sizeof(*image));
	if (image == NULL)
		return -ENOMEM;
	hold_locked();
	*image = (struct trace_image){ .head = {
		.magic = TRACE_MAGIC, .cpus = cpu_count,
		.record_bytes = sizeof(struct trace_record),
	} };
	arch_cycles_scale(&image->head.cycles_base, &image->head.cycles_mult);
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		image->rings[cpu].cpu = cpu;
		image->rings[cpu].records = trace_held(cpu, &image->rings[cpu].lost);
	}
	file->private = image;
	return 0;
}

static void data_release(struct file *file)
{
	if (file->private == NULL)
		return;
	release();
	kfree(file->private);
}

/* What stands at an offset, up to where it is contiguous; length 0: the end. */
static struct part part_at(const struct trace_image *image, uint64_t at)
{
	if (at < sizeof(image->head))
		return (struct part){ (const char *)&image->head + at, sizeof(image->head) - at };
	at -= sizeof(image->head);
	for (uint32_t cpu = 0; cpu < image->head.cpus; cpu++) {
		const struct trace_ring_head *ring = &image->rings[cpu];
		uint64_t bytes = ring->records * sizeof(struct trace_record);
		uint64_t in_record;

		if (at < sizeof(*ring))
			return (struct part){ (const char *)ring + at, sizeof(*ring) - at };
		at -= sizeof(*ring);
		if (at < bytes) {
			in_record = at % sizeof(struct trace_record);
			return (struct part){
				(const char *)trace_at(cpu, at / sizeof(struct trace_record)) +
					in_record, sizeof(struct trace_record) - in_record };
		}
		at -= bytes;
	}
	return (struct part){ NULL, 0 };
}

static ssize_t data_read(struct file *file, struct iobuf *to, loff_t *pos)
{
	size_t done = 0;
	int error;

	mutex_lock(&trace_mutex);
	error = data_prepare_locked(file);
	mutex_unlock(&trace_mutex);
	if (error != 0)
		return error;
	while (to->left != 0) {
		struct part part = part_at(file->private, (uint64_t)*pos);
		size_t n = part.length < to->left ? (size_t)part.length : to->left;
		size_t put = n != 0 ? iobuf_put(to, part.bytes, n) : 0;

		done += put;
		*pos += (loff_t)put;
		if (n == 0)
			break;
		if (put < n)
			return done != 0 ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

const struct file_ops proc_trace_data_file_ops = {
	.release = data_release,
	.read = data_read,
};
