/*
 * lab_compare.c - `tine lab compare`: the two sides of fork at its commit, from the kernel's lines
 * (compare=fork): registers, roots, the entries of the tables that differ.
 */
#include "lab.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

#define ENTRY_PRESENT	1ull
#define ENTRY_WRITE	2ull
#define ENTRY_FRAME	0x000ffffffffff000ull
#define ENTRY_ACCESSED	0x60ull			/* and dirty: the processor's */
#define REGISTERS	23
#define LINES_SHOWN	4

/* The last fork in the log, which is the program's. */
struct sides {
	uint64_t parent, child, cr3[2], areas[2];
	unsigned int registers, register_differences;
	unsigned int vector_bytes, vector_differences;
	bool rax_only, areas_shared, has_end;
	unsigned int entries, below[5];		/* entries listed, by level */
	unsigned int same, other;		/* leads to the same frame, to one of its own */
	unsigned int leaves_same, leaves_other;
	unsigned int writable_same;		/* leads to the same frame, writable on a side */
	unsigned int flags_differ;
};

static void take_register(struct sides *s, const char *line)
{
	unsigned long long a, b;
	char name[16];

	if (sscanf(line, "register %15s %llx %llx", name, &a, &b) != 3)
		return;
	s->registers++;
	if (a == b)
		return;
	s->register_differences++;
	s->rax_only = s->register_differences == 1 && strcmp(name, "rax") == 0 && b == 0;
	lab_say("        %-8s parent %#llx, child %#llx%s", name, a, b, strcmp(name, "rax") == 0 ?
		": fork's result; in the parent still the call's number" : "");
}

static void take_entry(struct sides *s, const char *line, bool shows)
{
	unsigned long long address, a, b;
	unsigned int level, mine, its;
	bool same;

	if (sscanf(line, "level %u address %llx entry %llx %llx references %u %u", &level,
		   &address, &a, &b, &mine, &its) != 6 ||
	    level > 4)
		return;
	same = ((a ^ b) & ENTRY_FRAME) == 0;
	s->entries++;
	s->below[level]++;
	*(same ? &s->same : &s->other) += 1;
	if (level == 1)
		*(same ? &s->leaves_same : &s->leaves_other) += 1;
	if (same && ((a | b) & ENTRY_WRITE))
		s->writable_same++;
	if ((a ^ b) & ~(ENTRY_FRAME | ENTRY_ACCESSED))
		s->flags_differ++;
	if (shows)
		lab_say("        level %u 0x%012llx parent %#llx child %#llx: %s, held %u and %u "
			"times", level, address, a, b, same ? "same frame" : "own frames",
			mine, its);
}

static void read_sides(const char *log, struct sides *s, bool shows)
{
	char *text = text_format("%s", log), *line;
	const char *last = text;
	unsigned long long parent, child;

	*s = (struct sides){ 0 };
	for (const char *at = text; (at = strstr(at, "compare: fork ")); at++)
		last = at;
	text += last - text;
	while ((line = lab_line(&text)) && !s->has_end) {
		const char *what = strstr(line, "compare: ");

		if (!what)
			continue;
		what += strlen("compare: ");
		if (sscanf(what, "fork %llu -> %llu", &parent, &child) == 2)
			s->parent = parent, s->child = child;
		if (sscanf(what, "CR3 %llx %llx", &parent, &child) == 2)
			s->cr3[0] = parent, s->cr3[1] = child;
		if (sscanf(what, "areas %llu %llu", &parent, &child) == 2) {
			s->areas[0] = parent, s->areas[1] = child;
			s->areas_shared = strstr(what, "tree shared") != NULL;
		}
		sscanf(what, "vectors %u bytes, %u differ", &s->vector_bytes,
		       &s->vector_differences);
		take_register(s, what);
		take_entry(s, what, shows && s->entries < LINES_SHOWN);
		s->has_end = strncmp(what, "end", 3) == 0;
	}
}

/* Returns the log. */
static char *run(const char *words, struct sides *s, bool shows)
{
	const struct lab_machine machine = {
		.words = words, .command = "/bin/lab-report", .seconds = 60,
	};
	struct lab_result r;

	lab_say("%s", words);
	lab_run(&machine, &r);
	read_sides(r.log, s, shows);
	if (shows && s->entries > LINES_SHOWN)
		lab_say("        ... and %u more entries", s->entries - LINES_SHOWN);
	if (r.status != 0)
		lab_show_failure(&r, r.out);
	lab_check(r.status == 0 && s->has_end, "thread %llu forked %llu, both finish",
		  (unsigned long long)s->parent, (unsigned long long)s->child);
	lab_check(s->registers == REGISTERS && s->rax_only,
		  "of %u registers one differs: RAX, fork's result", s->registers);
	lab_check(s->vector_bytes >= 512 && s->vector_differences == 0,
		  "of %u bytes of FPU, SSE and AVX state %u differ", s->vector_bytes,
		  s->vector_differences);
	lab_check(s->cr3[0] != s->cr3[1] && s->cr3[0] && s->cr3[1],
		  "CR3 differs: %#llx and %#llx, each side has a root of its own",
		  (unsigned long long)s->cr3[0], (unsigned long long)s->cr3[1]);
	lab_check(s->areas_shared && s->areas[0] == s->areas[1],
		  "the areas do not: both hold the same tree of %llu",
		  (unsigned long long)s->areas[0]);
	lab_check(s->flags_differ == 0, "no entry's rights differ between the sides");
	return r.log;
}

int lab_compare(int argc, char **argv)
{
	const bool quick = lab_is_quick(argc, argv);
	uint64_t copied = 0, shared = 0;
	struct sides s;
	char *log;

	run("log=sync compare=fork", &s, true);
	lab_check(s.entries > 0 && s.same == s.below[4] && s.same == s.entries,
		  "all %u entries of the roots lead to the same tables: nothing was copied below",
		  s.entries);
	lab_check(s.writable_same == 0,
		  "none is writable on either side: the first write copies its path");
	log = run("log=sync compare=fork fork=eager", &s, !quick);
	for (char *at = log; (at = strstr(at, "fork=eager: ")); at++) {
		lab_number(at, "eager: ", &copied);
		lab_number(at, "copied, ", &shared);
	}
	lab_check(s.leaves_other == copied && s.leaves_same == shared && copied > 0 &&
			  s.other == s.entries - s.leaves_same,
		  "%u tables and %u pages are the child's own, %u pages the same, as fork counted",
		  s.other - s.leaves_other, s.leaves_other, s.leaves_same);
	lab_check(s.writable_same == 0, "no page that both have is writable");
	return lab_verdict("The sides differ in RAX and in the root. Below it they share all until "
			   "a write; with fork=eager\nthe tables and the private pages differ as "
			   "well. In registers and tables nothing else differs.");
}
