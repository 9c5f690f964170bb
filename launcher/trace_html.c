/*
 * trace_html.c - a trace as one page that shows itself: timeline.html with the JSON inside.
 */
#include "trace.h"

#include <string.h>

/* The page up to where the data goes, and the rest. */
extern const char timeline_page[], timeline_page_end[];

__asm__(".section .rodata\n"
	".globl timeline_page, timeline_page_end\n"
	"timeline_page: .incbin \"launcher/timeline.html\"\n"
	"timeline_page_end: .byte 0\n"
	".previous\n");

static const char mark[] = "@TRACE@";

void trace_print_html(struct trace *trace, FILE *out)
{
	const size_t length = (size_t)(timeline_page_end - timeline_page);
	const char *at = memmem(timeline_page, length, mark, sizeof(mark) - 1);
	const char *rest = at + sizeof(mark) - 1;

	fwrite(timeline_page, 1, (size_t)(at - timeline_page), out);
	trace_print_json(trace, out);
	fwrite(rest, 1, (size_t)(timeline_page_end - rest), out);
}
