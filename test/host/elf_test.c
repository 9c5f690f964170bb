/*
 * Does the ELF check pass real programs, and refuse headers whose arithmetic would go wrong?
 *
 * links: lib/elf.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "host_test.h"
#include "lib/bits.h"
#include "lib/elf.h"

#define LIMIT 0x7ffffffff000ULL

static const struct abi_elf64_ehdr good_header = {
	.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	.e_type = ET_EXEC,
	.e_machine = EM_X86_64,
	.e_phoff = 64,
	.e_phentsize = sizeof(struct abi_elf64_phdr),
	.e_phnum = 1,
};

static const struct abi_elf64_phdr good_load = {
	.p_type = PT_LOAD,
	.p_flags = PF_R | PF_X,
	.p_offset = 0,
	.p_vaddr = 0x400000,
	.p_filesz = 0x1234,
	.p_memsz = 0x2345,
	.p_align = 4096,
};

TEST(elf_passes_this_program)
{
	FILE *file = fopen("/proc/self/exe", "r");
	struct abi_elf64_phdr segments[64];
	struct abi_elf64_ehdr header;
	struct elf_summary summary;
	char page[4096];

	CHECK_EQUAL(fread(page, 1, sizeof(page), file), sizeof(page));
	CHECK_EQUAL(elf_check_header(page, sizeof(page), &header), 0);
	CHECK(header.e_phnum <= ARRAY_SIZE(segments));
	memcpy(segments, page + header.e_phoff, header.e_phnum * sizeof(*segments));
	CHECK_EQUAL(elf_check_segments(&header, segments, LIMIT, &summary), 0);
	CHECK(summary.load_count >= 2);
	CHECK(summary.interpreter_size > 2);
	CHECK(summary.has_stack_flags && !summary.executable_stack);
	CHECK_EQUAL(summary.phdr_address, header.e_phoff);
	CHECK(summary.end > summary.start && is_aligned(summary.end, 4096));
	fclose(file);
}

static int header_with(size_t offset, uint64_t value, size_t size)
{
	struct abi_elf64_ehdr header = good_header, copy;

	memcpy((char *)&header + offset, &value, size);
	return elf_check_header(&header, sizeof(header), &copy);
}

#define HEADER_WITH(member, value)                                                               \
	header_with(offsetof(struct abi_elf64_ehdr, member), value, sizeof(good_header.member))

TEST(elf_refuses_bad_headers)
{
	struct abi_elf64_ehdr copy;

	CHECK_EQUAL(elf_check_header(&good_header, sizeof(good_header), &copy), 0);
	CHECK_EQUAL(elf_check_header(&good_header, sizeof(good_header) - 1, &copy), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_type, ET_DYN), 0);
	CHECK_EQUAL(HEADER_WITH(e_type, ET_REL), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_machine, EM_386), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_phentsize, 32), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_phnum, 0), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_phnum, ELF_PHDRS_MAX), 0);
	CHECK_EQUAL(HEADER_WITH(e_phnum, ELF_PHDRS_MAX + 1), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_phoff, UINT64_MAX), -ENOEXEC);
	CHECK_EQUAL(HEADER_WITH(e_phoff, INT64_MAX - 65535), -ENOEXEC);
	CHECK_EQUAL(header_with(0, 'X', 1), -ENOEXEC);
	CHECK_EQUAL(header_with(EI_CLASS, ELFCLASS32, 1), -ENOEXEC);
	CHECK_EQUAL(header_with(EI_DATA, ELFDATA2MSB, 1), -ENOEXEC);
}

static int check(const struct abi_elf64_phdr *segments, unsigned count)
{
	struct abi_elf64_ehdr header = good_header;
	struct elf_summary summary;

	header.e_phnum = (uint16_t)count;
	return elf_check_segments(&header, segments, LIMIT, &summary);
}

static int load_with(size_t offset, uint64_t value, size_t size)
{
	struct abi_elf64_phdr load = good_load;

	memcpy((char *)&load + offset, &value, size);
	return check(&load, 1);
}

#define LOAD_WITH(member, value)                                                                 \
	load_with(offsetof(struct abi_elf64_phdr, member), value, sizeof(good_load.member))

TEST(elf_refuses_bad_segments)
{
	CHECK_EQUAL(check(&good_load, 1), 0);
	CHECK_EQUAL(LOAD_WITH(p_type, PT_NOTE), -ENOEXEC); /* nothing to load */
	CHECK_EQUAL(LOAD_WITH(p_filesz, 0x2346), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_filesz, 0), 0);
	CHECK_EQUAL(LOAD_WITH(p_offset, 1), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_offset, 0x7ffffffffffff000), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_offset, 0xfffffffffffff000), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_memsz, UINT64_MAX), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_memsz, UINT64_MAX - 0x400000), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_memsz, LIMIT - 0x400000), 0);
	CHECK_EQUAL(LOAD_WITH(p_memsz, LIMIT - 0x400000 + 1), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_vaddr, 0xfffffffffffff000), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_vaddr, 0xffffffff80000000), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_align, 3), -ENOEXEC);
	CHECK_EQUAL(LOAD_WITH(p_align, 0), 0);
	CHECK_EQUAL(LOAD_WITH(p_align, 1ULL << 40), 0);
}

TEST(elf_takes_segments_in_any_order_and_overlapping)
{
	struct abi_elf64_phdr segments[3] = {good_load, good_load, good_load};
	struct abi_elf64_ehdr header = good_header;
	struct elf_summary summary;

	segments[1].p_vaddr = 0x402000;
	segments[1].p_offset = 0x2000;
	CHECK_EQUAL(check(segments, 2), 0); /* 0x402345 > 0x402000 */
	segments[1].p_vaddr = 0x403000;
	segments[1].p_offset = 0x3000;
	header.e_phnum = 3; /* the last is the first once more */
	CHECK_EQUAL(elf_check_segments(&header, segments, LIMIT, &summary), 0);
	CHECK_EQUAL(summary.start, 0x400000);
	CHECK_EQUAL(summary.brk, 0x405345);
	CHECK_EQUAL(summary.load_count, 3);
	segments[2].p_vaddr = 0x3ff000;
	segments[2].p_memsz = segments[2].p_filesz = 0;
	CHECK_EQUAL(elf_check_segments(&header, segments, LIMIT, &summary), 0);
	CHECK_EQUAL(summary.start, 0x400000);
	CHECK_EQUAL(summary.load_count, 2);
}

TEST(elf_interpreter)
{
	struct abi_elf64_phdr segments[3] = {
		good_load,
		{.p_type = PT_INTERP, .p_offset = 0x300, .p_filesz = 28},
	};
	struct abi_elf64_ehdr header = good_header;
	struct elf_summary summary;

	segments[2] = segments[1];
	segments[2].p_offset = 0x400;
	header.e_phnum = 3;
	CHECK_EQUAL(elf_check_segments(&header, segments, LIMIT, &summary), 0);
	CHECK_EQUAL(summary.interpreter_offset, 0x300);
	CHECK_EQUAL(summary.interpreter_size, 28);
	CHECK(!summary.has_stack_flags);
	CHECK_EQUAL(summary.brk, 0x402345);
	CHECK_EQUAL(summary.end, 0x403000);
	segments[1].p_filesz = 1;
	CHECK_EQUAL(check(segments, 2), -ENOEXEC);
	segments[1].p_filesz = 4097;
	CHECK_EQUAL(check(segments, 2), -ENOEXEC);
	segments[1].p_filesz = 10;
	segments[1].p_offset = UINT64_MAX;
	CHECK_EQUAL(check(segments, 2), -ENOEXEC);
}
