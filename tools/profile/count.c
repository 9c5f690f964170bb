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
 * the file named by out=FILE: its address, how often it ran, its instructions, and those instructions
 * among them that cost much more than others under emulation.
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
enum { INLINE_ADD_U64 = 0, CALLBACK_NO_REGISTERS = 0 };

typedef void (*block_callback)(plugin_id id, struct qemu_plugin_tb *block);
typedef void (*run_callback)(unsigned int cpu, void *data);
typedef void (*exit_callback)(plugin_id id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, block_callback callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int operation, void *counter,
					      uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, run_callback callback, int registers,
					    void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, exit_callback callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

struct block {
	struct block *next;
	uint64_t address, count, begun_at, counted;
	unsigned int instructions;
	char dear[64];			/* names of the dear ones, each with a comma before */
};

static struct block *blocks;
static const char *out_path = "profile.out";
static bool counting, marked;

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
	};
	size_t skip = size > 0 && (code[0] & 0xf0) == 0x40 ? 1 : 0;	/* REX */

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (size == plain[i].size && memcmp(code, plain[i].bytes, size) == 0)
			return plain[i].name;
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
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &b->count, 1);
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
			fprintf(file, "%lx %lu %u %s\n", b->address, times, b->instructions, b->dear);
	}
	fclose(file);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "out=", 4) == 0)
			out_path = strdup(argv[i] + 4);
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, write_counts, NULL);
	return 0;
}
