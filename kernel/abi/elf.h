/*
 * ELF64: file header, program header, section header, symbol, note, relocation.
 */
#pragma once

#include "abi/types.h"

struct abi_elf64_ehdr {
	uint8_t e_ident[16];
	uint16_t e_type;
	uint16_t e_machine;
	uint32_t e_version;
	uint64_t e_entry;
	uint64_t e_phoff;
	uint64_t e_shoff;
	uint32_t e_flags;
	uint16_t e_ehsize;
	uint16_t e_phentsize;
	uint16_t e_phnum;
	uint16_t e_shentsize;
	uint16_t e_shnum;
	uint16_t e_shstrndx;
};
ABI_SIZE(abi_elf64_ehdr, 64);
ABI_OFFSET(abi_elf64_ehdr, e_phoff, 32);
ABI_OFFSET(abi_elf64_ehdr, e_phnum, 56);

struct abi_elf64_phdr {
	uint32_t p_type;
	uint32_t p_flags;
	uint64_t p_offset;
	uint64_t p_vaddr;
	uint64_t p_paddr;
	uint64_t p_filesz;
	uint64_t p_memsz;
	uint64_t p_align;
};
ABI_SIZE(abi_elf64_phdr, 56);
ABI_OFFSET(abi_elf64_phdr, p_filesz, 32);

struct abi_elf64_shdr {
	uint32_t sh_name;
	uint32_t sh_type;
	uint64_t sh_flags;
	uint64_t sh_addr;
	uint64_t sh_offset;
	uint64_t sh_size;
	uint32_t sh_link;
	uint32_t sh_info;
	uint64_t sh_addralign;
	uint64_t sh_entsize;
};
ABI_SIZE(abi_elf64_shdr, 64);

struct abi_elf64_sym {
	uint32_t st_name;
	uint8_t st_info;
	uint8_t st_other;
	uint16_t st_shndx;
	uint64_t st_value;
	uint64_t st_size;
};
ABI_SIZE(abi_elf64_sym, 24);

struct abi_elf64_nhdr {
	uint32_t n_namesz;
	uint32_t n_descsz;
	uint32_t n_type;
};
ABI_SIZE(abi_elf64_nhdr, 12);

struct abi_elf64_rela {
	uint64_t r_offset;
	uint64_t r_info;
	int64_t r_addend;
};
ABI_SIZE(abi_elf64_rela, 24);

/* e_ident */
#define EI_MAG0 0
#define EI_CLASS 4
#define EI_DATA 5
#define EI_VERSION 6
#define EI_OSABI 7
#define ELFCLASS32 1
#define ELFCLASS64 2
#define ELFDATA2LSB 1
#define ELFDATA2MSB 2
#define EV_CURRENT 1
#define ELFOSABI_NONE 0
#define ELFOSABI_LINUX 3
#define ELFMAG "\177ELF"
#define SELFMAG 4

/* e_type, e_machine */
#define ET_NONE 0
#define ET_REL 1
#define ET_EXEC 2
#define ET_DYN 3
#define ET_CORE 4
#define EM_386 3
#define EM_X86_64 62

/* p_type, p_flags */
#define PT_NULL 0x0
#define PT_LOAD 0x1
#define PT_DYNAMIC 0x2
#define PT_INTERP 0x3
#define PT_NOTE 0x4
#define PT_SHLIB 0x5
#define PT_PHDR 0x6
#define PT_TLS 0x7
#define PT_GNU_EH_FRAME 0x6474e550
#define PT_GNU_STACK 0x6474e551
#define PT_GNU_RELRO 0x6474e552
#define PT_GNU_PROPERTY 0x6474e553
#define PF_X 0x1
#define PF_W 0x2
#define PF_R 0x4

/* sh_type, st_info, st_shndx */
#define SHT_NULL 0
#define SHT_PROGBITS 1
#define SHT_SYMTAB 2
#define SHT_STRTAB 3
#define SHT_NOBITS 8
#define SHT_DYNSYM 11
#define STT_NOTYPE 0
#define STT_OBJECT 1
#define STT_FUNC 2
#define STT_SECTION 3
#define STT_FILE 4
#define SHN_UNDEF 0
