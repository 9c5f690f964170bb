/*
 * An emulator plugin that counts the instructions executed at each address, for tools/profile/profile.
 *
 * QEMU hands each block of instructions to block_translated() once, when it translates it. There an
 * inline counter is hung on it, so counting costs an addition a block. A program marks what is to be
 * counted with two no-operations that nothing else uses (test/perf does around each measurement):
 *
 *	nopl 0x74696e01(%rax,%rax,1)	counting begins		0f 1f 84 00 01 6e 69 74
 *	nopl 0x74696e02(%rax,%rax,1)	it ends			0f 1f 84 00 02 6e 69 74
 *
 * Without marks all is counted. Each stretch adds to the same counts. At exit one line a block goes to
 * the file named by out=FILE: its address, how often it ran, its instructions, how often the emulator
 * had to look it up, how often it was not in the cache for that, and those instructions among
 * them that cost much more than others under emulation.
 *
 * With pages=on (slower) these look-ups are counted, and the pages: "page ADDRESS MODE TIMES BLOCK"
 * says how often a page was touched for the first time since a load of CR3, by which block, MODE being user, kernel or access
 * (the kernel with AC set: another table of translations). What is modelled is QEMU 7.2's TCG: a jump,
 * call or fall-through within a page is chained to its target; a return, an indirect one, one to
 * another page, and what follows an instruction that changes the processor's state, is looked up by
 * its address, in a cache that a load of CR3 empties along with all translations of pages. Of a page it
 * holds 64 blocks, so that two often want the same place; what misses takes several times as long.
 *
 * One processor: the counters are not atomic. The declarations below are those of the interface that is
 * used, in our words: its version is in what QEMU_PLUGIN_VERSION says.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define QEMU_PLUGIN_VERSION 1
#define MARK_BYTES 8

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { INLINE_ADD_U64 = 0, CALLBACK_NO_REGISTERS = 0, MEMORY_READ_AND_WRITE = 3 };

typedef uint32_t memory_info;
typedef void (*block_callback)(plugin_id id, struct qemu_plugin_tb *block);
typedef void (*run_callback)(unsigned int cpu, void *data);
typedef void (*memory_callback)(unsigned int cpu, memory_info info, uint64_t address, void *data);
typedef void (*exit_callback)(plugin_id id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, block_callback callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter,
					      uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, run_callback callback, int registers,
					    void *data);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, run_callback callback, int registers,
					  void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, memory_callback callback, int registers,
				      int which, void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, exit_callback callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

/* How a block ends, which says how its successor is found. */
enum ending { ENDS_CHAINED, ENDS_INDIRECT, ENDS_OUTSIDE, ENDS_CR3, ENDS_STAC, ENDS_CLAC };

struct block {
	struct block *next;
	uint64_t address, count, begun_at, counted;
	uint64_t looked_up, missed;
	unsigned int instructions;
	enum ending ending;
	char dear[64];			/* names of the dear ones, each with a comma before */
};

static struct block *blocks;
static const char *out_path = "profile.out";
static bool counting, marked, with_pages;

/* --- look-ups and pages ------------------------------------------------------------------------------ */

#define PAGE_SHIFT 12
#define PAGES_MAX (1u << 16)		/* a power of two: a table with open addressing */
enum mode { MODE_USER, MODE_KERNEL, MODE_ACCESS };

struct page { uint64_t key, epoch, first, by; };	/* by: the block that did it last */

static struct page pages[PAGES_MAX];
static uint64_t epoch = 1;		/* loads of CR3, and one */
static uint64_t accesses[3], outside;
static struct block *last;
static enum mode mode;
static bool access_is_open;		/* AC */

#define JUMP_BITS 6			/* of the address, and of its page */
static struct block *jumps[1u << 2 * JUMP_BITS];

static struct block **jump_slot(uint64_t address)
{
	uint64_t mixed = address ^ address >> (PAGE_SHIFT - JUMP_BITS);
	uint64_t page = mixed >> PAGE_SHIFT & ((1u << JUMP_BITS) - 1);

	return &jumps[page << JUMP_BITS | (mixed & ((1u << JUMP_BITS) - 1))];
}

static void touch(uint64_t address)
{
	uint64_t key = address >> PAGE_SHIFT << 2 | mode;
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 48) & (PAGES_MAX - 1);

	for (uint32_t looks = 0; pages[i].key != 0 && pages[i].key != key + 1; i = (i + 1) & (PAGES_MAX - 1))
		if (++looks == PAGES_MAX)
			return;
	pages[i].key = key + 1;
	if (pages[i].epoch == epoch)
		return;
	pages[i].epoch = epoch;
	if (!counting || last == NULL)
		return;
	pages[i].first++;
	pages[i].by = last->address;
}

static void memory_touched(unsigned int cpu, memory_info info, uint64_t address, void *data)
{
	(void)cpu, (void)info, (void)data;
	accesses[mode] += counting;
	touch(address);
}

static bool is_looked_up(const struct block *from, const struct block *to)
{
	return from == NULL || from->ending != ENDS_CHAINED ||
	       from->address >> PAGE_SHIFT != to->address >> PAGE_SHIFT;
}

static void block_runs(unsigned int cpu, void *data)
{
	struct block *b = data;

	(void)cpu;
	if (last != NULL) {
		if (last->ending == ENDS_CR3) {
			epoch++;
			memset(jumps, 0, sizeof(jumps));
		}
		if (last->ending == ENDS_STAC || last->ending == ENDS_CLAC)
			access_is_open = last->ending == ENDS_STAC;
		outside += counting && last->ending >= ENDS_OUTSIDE;
	}
	mode = b->address >> 47 == 0 ? MODE_USER : access_is_open ? MODE_ACCESS : MODE_KERNEL;
	if (is_looked_up(last, b)) {
		b->looked_up += counting;
		if (*jump_slot(b->address) != b) {
			*jump_slot(b->address) = b;
			b->missed += counting;
			touch(b->address);
		}
	}
	last = b;
}

/* By the last instruction of a block. */
static enum ending ending_of(const uint8_t *code, size_t size)
{
	size_t skip = size > 0 && (code[0] & 0xf0) == 0x40 ? 1 : 0;	/* REX */
	const uint8_t *c = code + skip;

	size -= skip;
	if (c[0] == 0xc3 || c[0] == 0xc2 || (size >= 2 && c[0] == 0xf3 && c[1] == 0xc3) ||
	    (size >= 2 && c[0] == 0xff && ((c[1] >> 3 & 7) == 2 || (c[1] >> 3 & 7) == 4)))
		return ENDS_INDIRECT;
	/* STI, POPF, IRET, HLT */
	if (c[0] == 0xfb || c[0] == 0x9d || c[0] == 0xcf || c[0] == 0xf4)
		return ENDS_OUTSIDE;
	if (size < 2 || c[0] != 0x0f)
		return ENDS_CHAINED;
	if (c[1] == 0x05 || c[1] == 0x07 || c[1] == 0x30)		/* SYSCALL, SYSRET, WRMSR */
		return ENDS_OUTSIDE;
	if (size >= 3 && c[1] == 0x22)
		return (c[2] >> 3 & 7) == 3 ? ENDS_CR3 : ENDS_OUTSIDE;
	if (size >= 3 && c[1] == 0x01 && (c[2] == 0xca || c[2] == 0xcb))
		return c[2] == 0xcb ? ENDS_STAC : ENDS_CLAC;
	if (size >= 3 && c[1] == 0x01 && c[2] < 0xc0 && (c[2] >> 3 & 7) == 7)	/* INVLPG */
		return ENDS_OUTSIDE;
	if (size >= 3 && c[1] == 0xae && c[2] < 0xc0 && (c[2] >> 3 & 7) == 5)	/* XRSTOR */
		return ENDS_OUTSIDE;
	return ENDS_CHAINED;
}

/* --- counting ---------------------------------------------------------------------------------------- */

static void begin(unsigned int cpu, void *data)
{
	(void)cpu, (void)data;
	for (struct block *b = blocks; b != NULL; b = b->next)
		b->begun_at = b->count;
	counting = marked = true;
}

static void end(unsigned int cpu, void *data)
{
	(void)cpu, (void)data;
	for (struct block *b = blocks; counting && b != NULL; b = b->next)
		b->counted += b->count - b->begun_at;
	counting = false;
}

/* Instructions whose emulation leaves the fast path: the processor's state or its tables change. */
static const char *dear_name(const uint8_t *code, size_t size)
{
	static const struct { const char *name; uint8_t size, bytes[4]; } plain[] = {
		{ "wrmsr", 2, { 0x0f, 0x30 } }, { "rdmsr", 2, { 0x0f, 0x32 } }, { "rdtsc", 2, { 0x0f, 0x31 } },
		{ "cpuid", 2, { 0x0f, 0xa2 } }, { "syscall", 2, { 0x0f, 0x05 } }, { "sysret", 3, { 0x48, 0x0f, 0x07 } },
		{ "iret", 2, { 0x48, 0xcf } }, { "swapgs", 3, { 0x0f, 0x01, 0xf8 } }, { "out", 1, { 0xee } },
		{ "out", 1, { 0xef } }, { "in", 1, { 0xec } }, { "in", 1, { 0xed } }, { "hlt", 1, { 0xf4 } },
		{ "sti", 1, { 0xfb } }, { "popf", 1, { 0x9d } }, { "cli", 1, { 0xfa } }, { "pushf", 1, { 0x9c } },
		{ "stac", 3, { 0x0f, 0x01, 0xcb } }, { "clac", 3, { 0x0f, 0x01, 0xca } },
	};
	size_t skip = size > 0 && (code[0] & 0xf0) == 0x40 ? 1 : 0;	/* REX */

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (size == plain[i].size && memcmp(code, plain[i].bytes, size) == 0)
			return plain[i].name;
	if (code[0] == 0xf0)
		return "lock";
	if (size < skip + 2)
		return NULL;
	if (code[skip] == 0x87 && code[skip + 1] < 0xc0)
		return "xchg";
	if (size < skip + 3 || code[skip] != 0x0f)
		return NULL;
	if (code[skip + 1] == 0x22)
		return (code[skip + 2] >> 3 & 7) == 3 ? "mov-cr3" : "mov-cr";
	if (code[skip + 1] == 0x01 && (code[skip + 2] >> 3 & 7) == 7 && code[skip + 2] < 0xc0)
		return "invlpg";
	if (code[skip + 1] == 0xae && code[skip + 2] < 0xc0) {
		static const char *const names[8] = { "fxsave", "fxrstor", NULL, NULL, "xsave", "xrstor", "xsaveopt", NULL };

		return names[code[skip + 2] >> 3 & 7];
	}
	return NULL;
}

static int mark_of(const uint8_t *code, size_t size)
{
	static const uint8_t tail[3] = { 0x6e, 0x69, 0x74 }, head[4] = { 0x0f, 0x1f, 0x84, 0x00 };

	if (size != MARK_BYTES || memcmp(code, head, sizeof(head)) != 0 || memcmp(code + 5, tail, sizeof(tail)) != 0)
		return 0;
	return code[4];
}

static void look_at(struct block *b, struct qemu_plugin_insn *insn)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	const char *name = dear_name(code, size);
	int mark = mark_of(code, size);

	if (name != NULL && strlen(b->dear) + strlen(name) + 2 < sizeof(b->dear))
		strcat(strcat(b->dear, ","), name);
	if (with_pages)
		qemu_plugin_register_vcpu_mem_cb(insn, memory_touched, CALLBACK_NO_REGISTERS, MEMORY_READ_AND_WRITE,
						 NULL);
	if (mark == 1 || mark == 2)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark == 1 ? begin : end, CALLBACK_NO_REGISTERS, NULL);
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *b = calloc(1, sizeof(*b));

	(void)id;
	if (b == NULL)
		abort();
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = (unsigned int)qemu_plugin_tb_n_insns(tb);
	for (size_t i = 0; i < b->instructions; i++)
		look_at(b, qemu_plugin_tb_get_insn(tb, i));
	if (with_pages) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, b->instructions - 1);

		b->ending = ending_of(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
		qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, CALLBACK_NO_REGISTERS, b);
	}
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->count, 1);
}

static void write_pages(FILE *file)
{
	static const char *const names[] = { "user", "kernel", "access" };

	for (uint32_t i = 0; i < PAGES_MAX; i++)
		if (pages[i].first != 0)
			fprintf(file, "page %lx %s %lu %lx\n", (pages[i].key - 1) >> 2 << PAGE_SHIFT,
				names[(pages[i].key - 1) & 3], pages[i].first, pages[i].by);
	for (uint32_t i = 0; i < 3 && with_pages; i++)
		fprintf(file, "accesses %s %lu\n", names[i], accesses[i]);
	if (with_pages)
		fprintf(file, "outside %lu\n", outside);
}

static void write_counts(plugin_id id, void *data)
{
	FILE *file = fopen(out_path, "w");

	(void)id, (void)data;
	if (file == NULL) {
		perror(out_path);
		return;
	}
	end(0, NULL);
	for (struct block *b = blocks; b != NULL; b = b->next) {
		uint64_t times = marked ? b->counted : b->count;

		if (times != 0)
			fprintf(file, "%lx %lu %u %lu %lu %s\n", b->address, times, b->instructions, b->looked_up,
				b->missed, b->dear);
	}
	write_pages(file);
	fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out_path = strdup(argv[i] + 4);
		else if (strcmp(argv[i], "pages=on") == 0)
			with_pages = true;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, write_counts, NULL);
	return 0;
}
