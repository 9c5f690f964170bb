/*
 * ELF validation. The order of checks follows the structures; each function says yes or -ENOEXEC
 * about one of them.
 */
#include "abi/errno.h"
#include "lib/bits.h"
#include "lib/elf.h"
#include "lib/string.h"

#define INTERPRETER_SIZE_MAX 4096 /* PATH_MAX */

int elf_check_header(const void *header, size_t size, struct abi_elf64_ehdr *copy)
{
	if (size < sizeof(*copy))
		return -ENOEXEC;
	memcpy(copy, header, sizeof(*copy));
	if (memcmp(copy->e_ident, ELFMAG, SELFMAG) != 0 ||
	    copy->e_ident[EI_CLASS] != ELFCLASS64 || copy->e_ident[EI_DATA] != ELFDATA2LSB ||
	    copy->e_ident[EI_VERSION] != EV_CURRENT)
		return -ENOEXEC;
	if ((copy->e_type != ET_EXEC && copy->e_type != ET_DYN) || copy->e_machine != EM_X86_64)
		return -ENOEXEC;
	if (copy->e_phentsize != sizeof(struct abi_elf64_phdr) || copy->e_phnum == 0 ||
	    copy->e_phnum > ELF_PHDRS_MAX)
		return -ENOEXEC;
	/* File offsets are signed 64-bit; leave room for the table behind the offset. */
	if (copy->e_phoff > INT64_MAX - 65536)
		return -ENOEXEC;
	return 0;
}

static int check_load(const struct abi_elf64_phdr *segment, uint64_t limit)
{
	uint64_t end;

	if (segment->p_filesz > segment->p_memsz ||
	    segment->p_offset > INT64_MAX - ELF_PAGE_SIZE ||
	    segment->p_filesz > INT64_MAX - ELF_PAGE_SIZE - segment->p_offset)
		return -ENOEXEC;
	if (__builtin_add_overflow(segment->p_vaddr, segment->p_memsz, &end) || end > limit)
		return -ENOEXEC;
	if (!is_aligned(segment->p_vaddr - segment->p_offset, ELF_PAGE_SIZE))
		return -ENOEXEC;
	if (segment->p_align > 1 && !is_power_of_two(segment->p_align))
		return -ENOEXEC;
	return 0;
}

static void add_load(struct elf_summary *summary, const struct abi_elf64_ehdr *header,
		     const struct abi_elf64_phdr *segment)
{
	uint64_t start = align_down(segment->p_vaddr, ELF_PAGE_SIZE);

	if (summary->load_count++ == 0 || start < summary->start)
		summary->start = start;
	summary->brk = MAX(summary->brk, segment->p_vaddr + segment->p_memsz);
	summary->align = MAX(summary->align, segment->p_align);
	if (summary->phdr_address == 0 && header->e_phoff >= segment->p_offset &&
	    header->e_phoff - segment->p_offset < segment->p_filesz)
		summary->phdr_address = header->e_phoff - segment->p_offset + segment->p_vaddr;
}

static int add_interpreter(struct elf_summary *summary, const struct abi_elf64_phdr *segment)
{
	if (summary->interpreter_size != 0)
		return 0; /* the first one counts */
	if (segment->p_filesz < 2 || segment->p_filesz > INTERPRETER_SIZE_MAX ||
	    segment->p_offset > INT64_MAX - INTERPRETER_SIZE_MAX)
		return -ENOEXEC;
	summary->interpreter_offset = segment->p_offset;
	summary->interpreter_size = segment->p_filesz;
	return 0;
}

static int check_one(const struct abi_elf64_ehdr *header, const struct abi_elf64_phdr *segment,
		     uint64_t limit, struct elf_summary *summary)
{
	int error = 0;

	switch (segment->p_type) {
	case PT_LOAD:
		if (segment->p_memsz == 0 && segment->p_filesz == 0)
			break;
		error = check_load(segment, limit);
		if (error == 0)
			add_load(summary, header, segment);
		break;
	case PT_INTERP:
		error = add_interpreter(summary, segment);
		break;
	case PT_GNU_STACK:
		summary->has_stack_flags = true;
		summary->executable_stack = (segment->p_flags & PF_X) != 0;
		break;
	default:
		break;
	}
	return error;
}

int elf_check_segments(const struct abi_elf64_ehdr *header, const struct abi_elf64_phdr *segments,
		       uint64_t limit, struct elf_summary *summary)
{
	memset(summary, 0, sizeof(*summary));
	summary->align = ELF_PAGE_SIZE;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		int error = check_one(header, &segments[i], limit, summary);

		if (error != 0)
			return error;
	}
	if (summary->load_count == 0)
		return -ENOEXEC;
	if (!align_up_checked(summary->brk, ELF_PAGE_SIZE, &summary->end) || summary->end > limit)
		return -ENOEXEC;
	return 0;
}
