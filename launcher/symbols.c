/*
 * symbols.c - names for addresses in an ELF file.
 *
 * The file is mapped and its symbol table searched as it is: a panic has a few dozen addresses, so
 * sorting a copy first would not pay. Every offset is checked against the file's size.
 */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct symbols {
	const uint8_t *file;
	size_t size;
	const Elf64_Sym *table;
	size_t count;
	const char *names;
	size_t names_bytes;
};

static const void *range(const uint8_t *file, size_t size, uint64_t offset, uint64_t length)
{
	if (offset > size || length > size - offset)
		return NULL;
	return file + offset;
}

static bool find_tables(struct symbols *symbols, const uint8_t *file, size_t size)
{
	const Elf64_Ehdr *header = range(file, size, 0, sizeof(*header));
	const Elf64_Shdr *sections;

	if (!header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_shentsize != sizeof(*sections))
		return false;
	sections = range(file, size, header->e_shoff,
			 (uint64_t)header->e_shnum * sizeof(*sections));
	if (!sections)
		return false;
	for (size_t i = 0; i < header->e_shnum; i++) {
		const Elf64_Shdr *names;

		if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum)
			continue;
		names = &sections[sections[i].sh_link];
		symbols->table = range(file, size, sections[i].sh_offset, sections[i].sh_size);
		symbols->count = sections[i].sh_size / sizeof(*symbols->table);
		symbols->names = range(file, size, names->sh_offset, names->sh_size);
		symbols->names_bytes = names->sh_size;
		return symbols->table && symbols->names && symbols->names_bytes > 0 &&
		       symbols->names[symbols->names_bytes - 1] == '\0';
	}
	return false;
}

struct symbols *symbols_open(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct symbols *symbols;
	struct stat status;
	void *file;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0 || status.st_size <= 0) {
		close(fd);
		return NULL;
	}
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return NULL;
	symbols = calloc(1, sizeof(*symbols));
	if (symbols && find_tables(symbols, file, (size_t)status.st_size)) {
		symbols->file = file;
		symbols->size = (size_t)status.st_size;
		return symbols;
	}
	free(symbols);
	munmap(file, (size_t)status.st_size);
	return NULL;
}

bool symbols_find(const struct symbols *symbols, uint64_t address, const char **name,
		  uint64_t *offset)
{
	const Elf64_Sym *best = NULL;

	for (size_t i = 0; i < symbols->count; i++) {
		const Elf64_Sym *symbol = &symbols->table[i];
		const unsigned int type = ELF64_ST_TYPE(symbol->st_info);

		if ((type != STT_FUNC && type != STT_NOTYPE) || symbol->st_value > address ||
		    symbol->st_name == 0 || symbol->st_name >= symbols->names_bytes)
			continue;
		/* Assembly labels have no size; what has one must hold the address. */
		if (symbol->st_size && address - symbol->st_value > symbol->st_size)
			continue;
		if (!best || symbol->st_value > best->st_value ||
		    (symbol->st_value == best->st_value && type == STT_FUNC))
			best = symbol;
	}
	if (!best || address - best->st_value > 1024 * 1024)
		return false;
	*name = symbols->names + best->st_name;
	*offset = address - best->st_value;
	return true;
}

const uint8_t *symbols_code(const struct symbols *symbols, uint64_t address, size_t length)
{
	const Elf64_Ehdr *header = range(symbols->file, symbols->size, 0, sizeof(*header));
	const Elf64_Phdr *segments = range(symbols->file, symbols->size, header->e_phoff,
					   (uint64_t)header->e_phnum * sizeof(*segments));

	for (size_t i = 0; segments && i < header->e_phnum; i++) {
		const Elf64_Phdr *s = &segments[i];

		if (s->p_type == PT_LOAD && address >= s->p_vaddr &&
		    address - s->p_vaddr < s->p_filesz &&
		    length <= s->p_filesz - (address - s->p_vaddr))
			return range(symbols->file, symbols->size,
				     s->p_offset + (address - s->p_vaddr), length);
	}
	return NULL;
}
