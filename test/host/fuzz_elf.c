/*
 * Does what passes the ELF check keep its promises: bounded, no overflow?
 *
 * links: lib/elf.c lib/assert.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/elf.h"

#define LIMIT 0x7ffffffff000ULL

static void check_promises(const struct abi_elf64_ehdr *header,
			   const struct abi_elf64_phdr *segments, const struct elf_summary *summary)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const struct abi_elf64_phdr *s = &segments[i];

		if (s->p_type != PT_LOAD || s->p_memsz == 0)
			continue;
		if (s->p_vaddr + s->p_memsz < s->p_vaddr || s->p_vaddr + s->p_memsz > LIMIT ||
		    s->p_filesz > s->p_memsz || s->p_vaddr < summary->start ||
		    s->p_vaddr + s->p_memsz > summary->end)
			abort();
		if ((int64_t)(s->p_offset + s->p_filesz) < 0 ||
		    (s->p_vaddr - s->p_offset) % 4096 != 0)
			abort();
	}
	if (summary->end > LIMIT || !is_power_of_two(summary->align) ||
	    summary->interpreter_size > 4096)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct abi_elf64_ehdr header;
	struct elf_summary summary;
	struct abi_elf64_phdr *segments;
	size_t bytes;

	if (elf_check_header(data, size, &header) != 0)
		return 0;
	/* The program headers follow the file header, wherever e_phoff says they are. */
	bytes = header.e_phnum * sizeof(*segments);
	if (size - sizeof(header) < bytes)
		return 0;
	segments = malloc(bytes);
	memcpy(segments, data + sizeof(header), bytes);
	if (elf_check_segments(&header, segments, LIMIT, &summary) == 0)
		check_promises(&header, segments, &summary);
	free(segments);
	return 0;
}
