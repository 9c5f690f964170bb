/*
 * What exec.c, exec_strings.c, exec_stack.c, elf_load.c and script.c share: a program on its way
 * into a new address space. Nothing of it is visible until exec.c commits.
 */
#pragma once

#include "abi/elf.h"
#include "proc/proc_internal.h"

#define EXEC_HEADER_BYTES 256		/* of the file, read first: #! lines end in it */
#define EXEC_SCRIPT_DEPTH 5
#define EXEC_PREFIX_MAX (2 * EXEC_SCRIPT_DEPTH + 1)
#define EXEC_STRING_MAX (32 * PAGE_SIZE)	/* Linux's MAX_ARG_STRLEN */

/* Strings in the order in which they will lie in memory, with their NULs, in pages. */
struct exec_strings {
	char **pages;
	size_t page_count, page_capacity;
	size_t bytes;
	size_t count;			/* strings */
	size_t limit_bytes;		/* strings and the pointers to them */
};

struct exec_load {
	struct file *file;		/* counted, denies writing */
	char *name;			/* as given to the program (AT_EXECFN) */
	char header[EXEC_HEADER_BYTES];
	size_t header_bytes;

	/* #!: what stands before argv[1], in place of argv[0]. */
	char *prefix[EXEC_PREFIX_MAX];
	size_t prefix_count;
	struct exec_strings argv, envp;

	struct cred *cred;		/* the new one, unpublished */
	bool privileged;		/* ids came from the file: AT_SECURE */
	struct space *space;
	bool randomize;
	bool executable_stack;

	/* elf_load() */
	uint64_t entry;			/* where to begin: the interpreter's or the program's */
	uint64_t program_entry, program_headers, header_count, interpreter_base;
	uint64_t vdso;

	uint64_t stack_pointer;		/* exec_build_stack() */
};

/* exec_strings.c */
/* `pointer_bytes`: 8, or 4 for a vector of the i386 call. */
must_check int exec_strings_add_user(struct exec_strings *s, user_addr_t vector,
				     size_t pointer_bytes);
must_check int exec_strings_add_kernel(struct exec_strings *s, const char *string);
void exec_strings_fini(struct exec_strings *s);
/* Copies bytes [from, bytes) to `address` of the new space; -EFAULT, -ENOMEM. */
must_check int exec_strings_write(const struct exec_strings *s, size_t from, struct space *space,
				  uint64_t address);
/* The length of the string at byte `offset`, with its NUL. */
size_t exec_strings_length(const struct exec_strings *s, size_t offset);

/* exec_open.c */
must_check int exec_open(int dirfd, const char *name, int flags, struct file **out);
must_check int exec_read_header(struct exec_load *load);

/* script.c: 1: it was a script, load->file is its interpreter now; 0: it is none; -errno. */
must_check int script_resolve(struct exec_load *load);

/* elf_load.c: maps the program and its interpreter into load->space. -ENOEXEC, ... */
must_check int elf_load(struct exec_load *load);

/* exec_stack.c */
extern bool exec_random_allowed;	/* not with nokaslr or norandmaps on the command line */
void exec_place_space(struct exec_load *load);	/* stack_top, mmap_top */
must_check int exec_build_stack(struct exec_load *load);
uint64_t exec_random_pages(struct exec_load *load, unsigned int bits);
/* The same for the place of a program, or of its mappings (libraries): 28 bits; aslr=boot. */
enum exec_code { CODE_PROGRAM, CODE_MAPPINGS };
uint64_t exec_random_code(struct exec_load *load, enum exec_code which);

/* exec.c: for PID 1, whose strings are the kernel's. */
must_check int process_exec_kernel(const char *name, const char *const argv[],
				   const char *const envp[]);
