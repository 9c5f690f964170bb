/*
 * ELF programs: the segments of the file and of its interpreter become areas of the new space.
 *
 * lib/elf.c has checked every number before one is used. Addresses of a position-independent
 * program (ET_DYN) get a base: a third from the top of user memory for the program, the place that
 * mmap would choose for the interpreter. Behind a segment's file bytes memory is zero: the rest of
 * its last page is cleared, whole pages beyond are anonymous.
 */
#include "lib/elf.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/exec_internal.h"
#include "proc/mapping.h"

#define PIE_BASE (USER_END / 3 * 2)
#define PIE_BASE_FIXED 0x555555554000UL

struct elf_image {
	struct file *file;
	struct abi_elf64_ehdr header;
	struct abi_elf64_phdr *segments;
	struct elf_summary summary;
	uint64_t base;			/* added to every address */
};

static void image_fini(struct elf_image *image)
{
	kfree(image->segments);
	image->segments = NULL;
}

/* `bytes` of the file's start are in `start`. */
static int image_read(struct elf_image *image, struct file *file, const char *start, size_t bytes)
{
	size_t size;
	ssize_t n;
	int error;

	memset(image, 0, sizeof(*image));
	image->file = file;
	error = elf_check_header(start, bytes, &image->header);
	if (error != 0)
		return error;
	size = (size_t)image->header.e_phnum * sizeof(*image->segments);
	image->segments = kmalloc(size);
	if (image->segments == NULL)
		return -ENOMEM;
	n = file_read_kernel(file, image->segments, size, (loff_t)image->header.e_phoff);
	if (n >= 0 && (size_t)n != size)
		n = -ENOEXEC;
	error = n < 0 ? (int)n :
		elf_check_segments(&image->header, image->segments, USER_END, &image->summary);
	if (error != 0)
		image_fini(image);
	return error;
}

static uint32_t area_flags(const struct abi_elf64_phdr *segment)
{
	return ((segment->p_flags & PF_R) != 0 ? AREA_READ : 0) |
	       ((segment->p_flags & PF_W) != 0 ? AREA_WRITE : 0) |
	       ((segment->p_flags & PF_X) != 0 ? AREA_EXEC : 0) | AREA_MAY_WRITE;
}

static int map_file_part(struct elf_image *image, struct space *space,
			 const struct abi_elf64_phdr *segment)
{
	uint64_t start = page_round_down(image->base + segment->p_vaddr);
	uint64_t end = page_round_up(image->base + segment->p_vaddr + segment->p_filesz);
	struct area area = {
		.start = start, .end = end, .flags = area_flags(segment),
		.offset = page_round_down(segment->p_offset),
	};

	return segment->p_filesz == 0 ? 0 : mapping_add_file(space, image->file, &area, MAP_AT);
}

static int zero_range(struct space *space, uint64_t start, uint64_t end)
{
	static const char zeros[256];

	while (start < end) {
		size_t part = MIN(end - start, sizeof(zeros));

		if (space_write(space, start, zeros, part, true) != part)
			return -ENOMEM;
		start += part;
	}
	return 0;
}

/* The memory behind the file's bytes. */
static int map_zero_part(struct elf_image *image, struct space *space,
			 const struct abi_elf64_phdr *segment)
{
	uint64_t file_end = image->base + segment->p_vaddr + segment->p_filesz;
	uint64_t memory_end = image->base + segment->p_vaddr + segment->p_memsz;
	uint64_t start = page_round_up(file_end), end = page_round_up(memory_end);
	struct area area = { .start = start, .end = end, .flags = area_flags(segment) };
	int error = 0;

	if (segment->p_filesz == 0)
		area.start = start = page_round_down(file_end);
	else if (memory_end > file_end)
		/* The page's rest too: ld.so's first allocations rely on it. */
		error = zero_range(space, file_end, start);
	if (error == 0 && end > start)
		error = space_map(space, &area, MAP_AT);
	return error;
}

static int image_map(struct elf_image *image, struct space *space)
{
	for (unsigned int i = 0; i < image->header.e_phnum; i++) {
		const struct abi_elf64_phdr *segment = &image->segments[i];
		int error;

		if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
			continue;
		error = map_file_part(image, space, segment);
		if (error == 0)
			error = map_zero_part(image, space, segment);
		if (error != 0)
			return error;
	}
	return 0;
}

/* The interpreter goes where mmap would put it: a place is found by mapping and unmapping it. */
static int place_interpreter(struct exec_load *load, struct elf_image *image)
{
	uint64_t bytes = image->summary.end - image->summary.start;
	uint64_t slack = image->summary.align - PAGE_SIZE;
	struct area area = { .start = 0, .end = bytes + slack, .flags = AREA_READ };
	uint64_t start;
	int error;

	if (image->header.e_type != ET_DYN)
		return 0;
	error = space_map(load->space, &area, MAP_ANYWHERE);
	if (error != 0)
		return error;
	start = align_up(area.start, image->summary.align);
	error = space_unmap(load->space, area.start, area.end);
	image->base = start - image->summary.start;
	return error;
}

static void place_program(struct exec_load *load, struct elf_image *image, bool has_interpreter)
{
	uint64_t start = PIE_BASE_FIXED;

	if (image->header.e_type != ET_DYN)
		return;
	if (load->randomize)
		start = PIE_BASE + (exec_random_code(load, CODE_PROGRAM) << PAGE_SHIFT);
	start = align_down(start, image->summary.align);
	image->base = start - image->summary.start;
}

static void note_program(struct exec_load *load, const struct elf_image *image)
{
	struct space *space = load->space;
	uint64_t brk = page_round_up(image->base + image->summary.brk);

	load->program_entry = image->base + image->header.e_entry;
	load->program_headers = image->summary.phdr_address != 0 ?
				image->base + image->summary.phdr_address : 0;
	load->header_count = image->header.e_phnum;
	load->executable_stack = image->summary.has_stack_flags && image->summary.executable_stack;
	if (load->randomize)
		brk += (exec_random_pages(load, 13)) << PAGE_SHIFT;
	space->brk_start = space->brk_end = brk;
	for (unsigned int i = 0; i < image->header.e_phnum; i++) {
		const struct abi_elf64_phdr *segment = &image->segments[i];
		uint64_t start = image->base + segment->p_vaddr;
		uint64_t end = start + segment->p_filesz;

		if (segment->p_type != PT_LOAD)
			continue;
		if ((segment->p_flags & PF_X) != 0) {
			if (space->code_start == 0)
				space->code_start = start;
			space->code_end = end;
		} else {
			if (space->data_start == 0)
				space->data_start = start;
			space->data_end = end;
		}
	}
}

/* The path in PT_INTERP, opened; *out NULL when the program has none. */
static int open_interpreter(const struct elf_image *image, struct file **out)
{
	uint64_t size = image->summary.interpreter_size;
	char *path;
	ssize_t n;
	int error;

	*out = NULL;
	if (size == 0)
		return 0;
	if (size < 2 || size > PATH_MAX)
		return -ENOEXEC;
	path = kmalloc(size);
	if (path == NULL)
		return -ENOMEM;
	n = file_read_kernel(image->file, path, size, (loff_t)image->summary.interpreter_offset);
	if (n < 0)
		error = (int)n;
	else if ((size_t)n != size || path[size - 1] != '\0')
		error = (size_t)n != size ? -EIO : -ENOEXEC;
	else
		error = exec_open(AT_FDCWD, path, 0, out);
	kfree(path);
	return error;
}

static int load_interpreter(struct exec_load *load, struct file *file)
{
	char header[sizeof(struct abi_elf64_ehdr)];
	struct elf_image image;
	ssize_t n = file_read_kernel(file, header, sizeof(header), 0);
	int error;

	if (n < (ssize_t)sizeof(header))
		return n < 0 ? (int)n : -EIO;
	error = image_read(&image, file, header, sizeof(header));
	if (error != 0)
		return error == -ENOEXEC ? -ELIBBAD : error;
	error = place_interpreter(load, &image);
	if (error == 0)
		error = image_map(&image, load->space);
	load->interpreter_base = image.base;
	load->entry = image.base + image.header.e_entry;
	image_fini(&image);
	return error;
}

int elf_load(struct exec_load *load)
{
	struct file *interpreter = NULL;
	struct elf_image image;
	int error = image_read(&image, load->file, load->header, load->header_bytes);

	if (error != 0)
		return error;
	error = open_interpreter(&image, &interpreter);
	if (error == 0) {
		place_program(load, &image, interpreter != NULL);
		error = image_map(&image, load->space);
	}
	if (error == 0) {
		note_program(load, &image);
		load->entry = load->program_entry;
		if (interpreter != NULL)
			error = load_interpreter(load, interpreter);
	}
	if (interpreter != NULL)
		file_put(interpreter);
	image_fini(&image);
	return error;
}
