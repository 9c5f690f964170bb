/*
 * kernel.h - which kernel is started, with which initramfs, words and symbols.
 */
#pragma once

#include "options.h"

struct kernel {
	const char *path;
	const char *initramfs;
	const char *symbols;	/* ELF file to resolve addresses with; NULL when there is none */
	const char *words;	/* the whole command line */
	bool is_linux;		/* takes Linux's words, needs ACPI on microvm */
};

/* Fills in `kernel`, fetching Debian's Linux when it is asked for and not there yet. */
void kernel_choose(struct kernel *kernel, const struct options *options);

/* The tree this launcher belongs to, and its build output; no slash at the end. */
const char *source_directory(void);
const char *output_directory(void);
