/*
 * The new program's first stack: strings, random bytes, auxiliary vector, pointers (System V ABI,
 * x86-64 supplement, section 3.4.1; getauxval(3)). From the top down:
 *
 *	the program's name, environment strings, argument strings, "x86_64", 16 random bytes,
 *	(aligned) auxv, envp[], argv[], argc  <- stack pointer, aligned to 16
 */
#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/personality.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "core/random.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/exec_internal.h"

#define STACK_TOP_MAX USER_END
#define STACK_INITIAL_BYTES (132 * 1024UL)
#define STACK_RANDOM_BITS 22		/* of pages: 16 GiB */
#define CODE_RANDOM_BITS 28		/* of mappings and of programs */
#define GAP_MIN (128UL << 20)
#define GAP_MAX (USER_END / 6 * 5)

uint64_t exec_random_pages(struct exec_load *load, unsigned int bits)
{
	return load->randomize ? random_u64() & (BIT64(bits) - 1) : 0;
}

/*
 * aslr=boot: where code lies is drawn once for all programs. For emulators, which translate code
 * that runs at another address anew: that is most of the time of a short dynamic program.
 */
static uint64_t boot_random[2];			/* [I] after boot */
static bool is_per_boot;			/* [I] */
bool exec_random_allowed;			/* [I] */

void exec_random_init(void)
{
	exec_random_allowed = !cmdline_flag("nokaslr") & !cmdline_flag("norandmaps");
	is_per_boot = cmdline_choice("aslr", "exec|boot") == 1;
	for (size_t i = 0; i < ARRAY_SIZE(boot_random); i++)
		boot_random[i] = random_u64();
}

uint64_t exec_random_code(struct exec_load *load, enum exec_code which)
{
	if (!load->randomize || !is_per_boot)
		return exec_random_pages(load, CODE_RANDOM_BITS);
	return boot_random[which] & (BIT64(CODE_RANDOM_BITS) - 1);
}

/* mmap grows down from below the room that the stack's limit keeps free. */
void exec_place_space(struct exec_load *load)
{
	struct space *space = load->space;
	uint64_t gap = process_limit(RLIMIT_STACK);
	uint64_t stack_random = load->randomize ? BIT64(STACK_RANDOM_BITS) << PAGE_SHIFT : 0;

	space->stack_top = STACK_TOP_MAX -
			   (exec_random_pages(load, STACK_RANDOM_BITS) << PAGE_SHIFT);
	gap = CLAMP(gap, GAP_MIN, GAP_MAX) + stack_random + (256UL << PAGE_SHIFT);
	gap = MIN(gap, GAP_MAX);
	space->mmap_top = page_round_down(STACK_TOP_MAX - gap) -
			  (exec_random_code(load, CODE_MAPPINGS) << PAGE_SHIFT);
}

static int map_stack(struct exec_load *load, uint64_t bytes)
{
	struct space *space = load->space;
	uint64_t size = page_round_up(MAX(bytes + PAGE_SIZE, STACK_INITIAL_BYTES));
	struct area area = {
		.start = space->stack_top - size,
		.end = space->stack_top,
		.flags = AREA_READ | AREA_WRITE | AREA_MAY_WRITE | AREA_GROWSDOWN | AREA_STACK |
			 (load->executable_stack ? AREA_EXEC : 0),
	};

	return space_map(space, &area, MAP_AT);
}

/* The vDSO's data pages with its code above them, placed by mmap's rules. */
static int map_vdso(struct exec_load *load)
{
	phys_t image;
	size_t bytes = page_round_up(arch_vdso_image(&image));
	struct area data = {
		.start = 0, .end = PAGE_SIZE + bytes, .flags = AREA_READ | AREA_SPECIAL,
		.offset = arch_vdso_data().value,
	}, code = {
		.flags = AREA_READ | AREA_EXEC | AREA_SPECIAL, .offset = image.value,
	};
	int error;

	if (bytes == 0)
		return 0;
	error = space_map(load->space, &data, MAP_ANYWHERE);
	if (error != 0)
		return error;
	code.start = data.start + PAGE_SIZE;
	code.end = code.start + bytes;
	load->vdso = code.start;
	return space_map(load->space, &code, MAP_AT);
}

struct stack_plan {
	uint64_t name, environment, arguments, platform, random, pointers;
	size_t argc, envc;
	size_t skip;			/* bytes of the user's argv[0] that a script replaces */
	size_t prefix_bytes;
};

static int put(struct exec_load *load, uint64_t address, const void *bytes, size_t n)
{
	return space_write(load->space, address, bytes, n, true) == n ? 0 : -ENOMEM;
}

static void add_auxv(struct space *space, uint64_t key, uint64_t value)
{
	ASSERT(space->auxv_words + 2 <= sizeof(space->auxv) / sizeof(space->auxv[0]));
	space->auxv[space->auxv_words++] = key;
	space->auxv[space->auxv_words++] = value;
}

static void fill_auxv(struct exec_load *load, const struct stack_plan *plan)
{
	struct space *space = load->space;
	const struct cred *cred = load->cred;

	space->auxv_words = 0;
	if (load->vdso != 0)
		add_auxv(space, AT_SYSINFO_EHDR, load->vdso);
	add_auxv(space, AT_HWCAP, arch_hwcap());
	add_auxv(space, AT_PAGESZ, PAGE_SIZE);
	add_auxv(space, AT_CLKTCK, 100);
	add_auxv(space, AT_PHDR, load->program_headers);
	add_auxv(space, AT_PHENT, sizeof(struct abi_elf64_phdr));
	add_auxv(space, AT_PHNUM, load->header_count);
	add_auxv(space, AT_BASE, load->interpreter_base);
	add_auxv(space, AT_FLAGS, 0);
	add_auxv(space, AT_ENTRY, load->program_entry);
	add_auxv(space, AT_UID, cred->uid);
	add_auxv(space, AT_EUID, cred->euid);
	add_auxv(space, AT_GID, cred->gid);
	add_auxv(space, AT_EGID, cred->egid);
	add_auxv(space, AT_SECURE, load->privileged);
	add_auxv(space, AT_RANDOM, plan->random);
	add_auxv(space, AT_HWCAP2, arch_hwcap2());
	add_auxv(space, AT_EXECFN, plan->name);
	add_auxv(space, AT_PLATFORM, plan->platform);
	add_auxv(space, AT_MINSIGSTKSZ, arch_signal_stack_min());
	add_auxv(space, AT_RSEQ_FEATURE_SIZE, 28);
	add_auxv(space, AT_RSEQ_ALIGN, 32);
	add_auxv(space, AT_NULL, 0);
}

static void plan_layout(struct exec_load *load, struct stack_plan *plan)
{
	uint64_t at = load->space->stack_top - 8;
	size_t words;

	plan->envc = load->envp.count;
	plan->argc = load->argv.count;
	for (size_t i = 0; i < load->prefix_count; i++)
		plan->prefix_bytes += strlen(load->prefix[i]) + 1;
	if (load->prefix_count > 0) {
		plan->skip = exec_strings_length(&load->argv, 0);
		plan->argc += load->prefix_count - 1;
	}
	plan->name = at -= strlen(load->name) + 1;
	plan->environment = at -= load->envp.bytes;
	plan->arguments = at -= load->argv.bytes - plan->skip + plan->prefix_bytes;
	plan->platform = at -= sizeof("x86_64");
	at = align_down(at, 16) - exec_random_pages(load, 8) * 16;
	plan->random = at -= 16;
	words = 1 + plan->argc + 1 + plan->envc + 1 + load->space->auxv_words;
	plan->pointers = align_down(at - words * 8, 16);
}

/* One page of pointers at a time goes to the new stack. */
struct pointer_writer {
	struct exec_load *load;
	uint64_t address;
	size_t used;
	int error;
	uint64_t words[128];
};

static void writer_flush(struct pointer_writer *w)
{
	if (w->error == 0 && w->used > 0)
		w->error = put(w->load, w->address, w->words, w->used * 8);
	w->address += w->used * 8;
	w->used = 0;
}

static void writer_add(struct pointer_writer *w, uint64_t word)
{
	w->words[w->used++] = word;
	if (w->used == sizeof(w->words) / sizeof(w->words[0]))
		writer_flush(w);
}

/* Pointers to the strings of s from byte `from` on, which lie at `address`. */
static void write_pointers(struct pointer_writer *w, const struct exec_strings *s, size_t from,
			   uint64_t address)
{
	for (size_t offset = from; offset < s->bytes;) {
		writer_add(w, address + (offset - from));
		offset += exec_strings_length(s, offset);
	}
}

static int write_vectors(struct exec_load *load, const struct stack_plan *plan)
{
	struct pointer_writer *w = kzalloc(sizeof(*w));
	uint64_t at = plan->arguments;
	int error;

	if (w == NULL)
		return -ENOMEM;
	w->load = load;
	w->address = plan->pointers;
	writer_add(w, plan->argc);
	for (size_t i = 0; i < load->prefix_count; i++) {
		writer_add(w, at);
		at += strlen(load->prefix[i]) + 1;
	}
	write_pointers(w, &load->argv, plan->skip, at);
	writer_add(w, 0);
	write_pointers(w, &load->envp, 0, plan->environment);
	writer_add(w, 0);
	for (uint32_t i = 0; i < load->space->auxv_words; i++)
		writer_add(w, load->space->auxv[i]);
	writer_flush(w);
	error = w->error;
	kfree(w);
	return error;
}

static int write_strings(struct exec_load *load, const struct stack_plan *plan)
{
	uint64_t at = plan->arguments;
	uint8_t random[16];
	int error = 0;

	random_bytes(random, sizeof(random));
	for (size_t i = 0; i < load->prefix_count && error == 0; i++) {
		size_t n = strlen(load->prefix[i]) + 1;

		error = put(load, at, load->prefix[i], n);
		at += n;
	}
	if (error == 0)
		error = exec_strings_write(&load->argv, plan->skip, load->space, at);
	if (error == 0)
		error = exec_strings_write(&load->envp, 0, load->space, plan->environment);
	if (error == 0)
		error = put(load, plan->name, load->name, strlen(load->name) + 1);
	if (error == 0)
		error = put(load, plan->platform, "x86_64", sizeof("x86_64"));
	if (error == 0)
		error = put(load, plan->random, random, sizeof(random));
	return error;
}

int exec_build_stack(struct exec_load *load)
{
	struct stack_plan plan = { 0 };
	struct space *space = load->space;
	int error = map_vdso(load);

	if (error != 0)
		return error;
	fill_auxv(load, &plan);		/* once for its size, */
	plan_layout(load, &plan);
	fill_auxv(load, &plan);		/* once with the addresses */
	error = map_stack(load, space->stack_top - plan.pointers);
	if (error == 0)
		error = write_strings(load, &plan);
	if (error == 0)
		error = write_vectors(load, &plan);
	space->arg_start = plan.arguments;
	space->arg_end = space->env_start = plan.environment;
	space->env_end = plan.name;
	load->stack_pointer = plan.pointers;
	return error;
}
