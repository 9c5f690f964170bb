/*
 * Validation of ELF64 executables for exec. Everything in the file is hostile.
 *
 * exec reads the file header, checks it with elf_check_header(), reads the program headers that it
 * names (their size is bounded), and has elf_check_segments() check them all and sum up what
 * matters. What passes can be mapped with plain arithmetic: no sum of two of its numbers overflows,
 * every segment lies below the given limit, and file offsets and addresses agree modulo the page.
 * Segments may be in any order and overlap, as Linux has it: a later one replaces what it covers.
 *
 * -ENOEXEC: it is not an executable that we can run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/elf.h"

/* As Linux: the program headers fit 64 KiB. */
#define ELF_PHDRS_MAX (65536 / sizeof(struct abi_elf64_phdr))
#define ELF_PAGE_SIZE 4096UL

struct elf_summary {
	uint64_t start; /* of the lowest loadable segment, rounded down to a page */
	uint64_t end;   /* of the highest, rounded up to a page */
	uint64_t align; /* the largest alignment asked for; a power of two, at least a page */
	uint64_t brk;   /* the first byte behind the highest segment's memory */
	/* Where the program headers lie in memory, to be told to the program; 0: in no segment. */
	uint64_t phdr_address;
	uint64_t interpreter_offset; /* of its path in the file */
	uint64_t interpreter_size;   /* with the terminator; 0: none */
	bool has_stack_flags;        /* PT_GNU_STACK is there */
	bool executable_stack;
	unsigned load_count;
};

/* size: how many bytes of header are there; less than a file header is -ENOEXEC. */
int elf_check_header(const void *header, size_t size, struct abi_elf64_ehdr *copy);

/*
 * limit: the first address that no segment may reach. For ET_DYN the addresses are relative, and
 * the caller adds a base for which end + base <= limit.
 */
int elf_check_segments(const struct abi_elf64_ehdr *header, const struct abi_elf64_phdr *segments,
		       uint64_t limit, struct elf_summary *summary);
