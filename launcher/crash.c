/*
 * crash.c - why a machine ended before its program did.
 *
 * The log is read back. A panic is printed from its first line on, each address of the form
 * [<ffffffff80001234>] followed by the name and offset it has in the kernel's ELF file, and the
 * last events of the flight recorder in the words of trace_text.c. Without a panic, the emulator's
 * own words are the reason, or that the guest switched itself off.
 */
#include "crash.h"

#include "symbols.h"
#include "trace.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_MAX	(256 * 1024)

/* The file's last REPORT_MAX bytes at most, as a string; control characters are made harmless. */
static char *read_text(int fd)
{
	struct stat status;
	char *text;
	off_t start;
	ssize_t got;

	if (fstat(fd, &status) < 0)
		return NULL;
	start = status.st_size > REPORT_MAX ? status.st_size - REPORT_MAX : 0;
	text = malloc(REPORT_MAX + 1);
	if (!text)
		return NULL;
	got = pread(fd, text, REPORT_MAX, start);
	if (got < 0)
		got = 0;
	text[got] = '\0';
	for (ssize_t i = 0; i < got; i++) {
		if (!isprint((unsigned char)text[i]) && text[i] != '\n' && text[i] != '\t')
			text[i] = text[i] == '\r' ? ' ' : '?';
	}
	return text;
}

/* Where the panic starts: a line with the mark at its start, or after a time stamp in brackets. */
static const char *find_panic(const char *log)
{
	for (const char *line = log; line; line = strchr(line, '\n')) {
		const char *at = line += *line == '\n';

		if (*at == '[') {
			at += strcspn(at, "]\n");
			at += *at == ']';
			at += strspn(at, " ");
		}
		if (strncmp(at, "panic:", 6) == 0 || strncmp(at, "Kernel panic", 12) == 0)
			return line;
	}
	return NULL;
}

static void print_line(const char *line, size_t length, const struct symbols *symbols)
{
	const char *end = line + length;
	const char *name;
	uint64_t offset;

	while (end > line && end[-1] == ' ')
		end--;
	while (line < end) {
		const char *at = memmem(line, (size_t)(end - line), "[<", 2);
		const char *close = at ? memmem(at, (size_t)(end - at), ">]", 2) : NULL;

		if (!close)
			break;
		close += 2;
		fwrite(line, 1, (size_t)(close - line), stderr);
		if (symbols && symbols_find(symbols, strtoull(at + 2, NULL, 16), &name, &offset))
			fprintf(stderr, " %s+0x%llx", name, (unsigned long long)offset);
		line = close;
	}
	fwrite(line, 1, (size_t)(end - line), stderr);
	fputc('\n', stderr);
}

/* "trace: cycles thread id cpu arguments", as core/panic.c prints it. False: the line is none. */
static bool print_event(const char *line, struct trace *trace)
{
	static struct trace_head head;
	struct trace_record r = { 0 };
	unsigned int id, cpu;

	if (sscanf(line, "trace scale: %" SCNx64 " %" SCNx64, &head.cycles_base,
		   &head.cycles_mult) == 2) {
		trace->head = &head;
		fputs("the last events:\n", stderr);
		return true;
	}
	if (!trace->head ||
	    sscanf(line, "trace: %" SCNx64 " %" SCNx32 " %x %x %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64 " %" SCNx64, &r.cycles, &r.thread, &id, &cpu,
		   &r.args[0], &r.args[1], &r.args[2], &r.args[3], &r.args[4], &r.args[5]) != 10 ||
	    id == TRACE_NONE || id >= TRACE_COUNT)
		return false;
	r.id = (uint16_t)id;
	r.cpu = (uint16_t)cpu;
	trace_print(trace, &r, stderr);
	return true;
}

static void print_panic(const char *panic, const struct kernel *kernel)
{
	struct symbols *symbols = kernel->symbols ? symbols_open(kernel->symbols) : NULL;

	struct trace trace;

	trace_init(&trace, symbols);
	while (*panic) {
		const size_t length = strcspn(panic, "\n");

		if (!print_event(panic, &trace))
			print_line(panic, length, symbols);
		panic += length + (panic[length] == '\n');
	}
}

void crash_report(const struct emulator *emulator, const struct kernel *kernel)
{
	const char *log = read_text(emulator->log);
	const char *panic = log ? find_panic(log) : NULL;
	char *errors;

	if (panic) {
		print_panic(panic, kernel);
		return;
	}
	errors = read_text(emulator->errors);
	if (errors && errors[0]) {
		errors[strcspn(errors, "\n")] = '\0';
		complain("the emulator failed: %s", errors);
	} else if (WIFSIGNALED(emulator->status)) {
		complain("the emulator was killed by signal %d", WTERMSIG(emulator->status));
	} else if (WIFEXITED(emulator->status) && WEXITSTATUS(emulator->status) == 0) {
		complain("the machine was reset or switched off (reboot, or a triple fault) before "
			 "the program ended; --log FILE keeps the kernel's log");
	} else {
		/* Tine's kernel ends the emulator through its debug-exit port: status * 2 + 1. */
		complain("the kernel switched the machine off with status %d before the program's "
			 "was known; --log FILE keeps the kernel's log",
			 WEXITSTATUS(emulator->status) / 2);
	}
}
