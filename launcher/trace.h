/*
 * trace.h - the flight recorder's data on the host: taken from the guest, put in order, written as
 * text, as JSON for Perfetto and Chrome, or as a page that shows itself.
 *
 * The data comes from the guest and is not trusted: every number is checked before it is used.
 */
#pragma once

#include "symbols.h"

#include "../kernel/core/trace_format.h"

#include <stdbool.h>
#include <stdio.h>

#define TRACE_CPUS_MAX	16

/* What is known of a thread. Numbers of those that are gone may be used again: the last counts. */
struct trace_thread {
	uint32_t id;
	uint32_t process;	/* 0: of the kernel */
	char name[17];
	void *timeline;		/* trace_json.c's own */
};

struct trace {
	const struct trace_head *head;
	uint64_t lost;			/* records overwritten before they were read */
	uint64_t count;
	const struct trace_record **records;	/* of all processors, by time */
	struct trace_thread *threads;	/* open hash table by id */
	size_t threads_used, threads_room;
	const struct symbols *symbols;	/* or NULL */
};

/* Where the guest's pieces go. */
void trace_store(const void *piece, size_t length);
/* Writes what came to `path` as json, html or txt, or, without a format, as its name asks for; says
 * what was lost. False: there is nothing, or it cannot be written; the reason was said. */
bool trace_write(const char *path, const char *format, const struct symbols *symbols);
/* Complains and ends the program now if `path` cannot be written at the end. */
void trace_check_path(const char *path);

/* An empty one for records from elsewhere (a panic). */
void trace_init(struct trace *trace, const struct symbols *symbols);
struct trace_thread *trace_thread(struct trace *trace, uint32_t id);
/* Learns the name that a record tells. */
void trace_learn(struct trace *trace, const struct trace_record *record);
uint64_t trace_ns(const struct trace *trace, uint64_t cycles);

/* trace_text.c: one line, with its newline. */
void trace_print(struct trace *trace, const struct trace_record *record, FILE *out);
void trace_print_all(struct trace *trace, FILE *out);
const char *trace_event_name(uint16_t id);	/* NULL: none */
/* A call's name, or a number as text. In a buffer that the next call uses. */
const char *trace_syscall_name(uint64_t number);
const char *trace_signal_name(uint64_t number);
const char *trace_vector_name(uint64_t vector);
/* "pipe_read", without an offset, or NULL. */
const char *trace_symbol(const struct trace *trace, uint64_t address);
/* trace_json.c, trace_html.c */
void trace_print_json(struct trace *trace, FILE *out);
void trace_print_html(struct trace *trace, FILE *out);
