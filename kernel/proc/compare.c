/*
 * compare=fork (proc/compare.h). The registers are in ptrace's order; the names are for the reader,
 * `tine lab compare`.
 */
#include "proc/compare.h"

#include "abi/ptrace.h"
#include "arch/arch_down.h"
#include "core/cmdline.h"
#include "core/klog.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/proc_internal.h"

bool compares_forks;

static const char *const names[] = {
	"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx",
	"rsi", "rdi", "orig_rax", "rip", "cs", "rflags", "rsp", "ss", "fs_base", "gs_base",
};

void compare_init(void)
{
	compares_forks = cmdline_choice("compare", "fork") == 0;
}

static void compare_registers(const struct task *child, const struct trap_frame *frame)
{
	const struct thread *self = thread_current();
	struct abi_user_regs mine, its;
	uint64_t a, b;

	arch_regs_get(frame, &self->arch, &mine);
	arch_regs_get(arch_user_frame(thread_stack_top(&child->thread)), &child->thread.arch, &its);
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		memcpy(&a, (const char *)&mine + i * sizeof(a), sizeof(a));
		memcpy(&b, (const char *)&its + i * sizeof(b), sizeof(b));
		log_info("compare: register %s %#lx %#lx", names[i], a, b);
	}
}

/* FPU, SSE, AVX as a debugger gets them: what XSAVE left out as initial is written out. */
static void compare_vectors(struct task *child)
{
	const size_t bytes = arch_fpregs_bytes(true);
	uint8_t *mine = kmalloc(2 * bytes), *its = mine + bytes;
	uint32_t differ = 0;

	if (mine == NULL)
		return;
	arch_fpregs_get(&thread_current()->arch, mine, true);
	arch_fpregs_get(&child->thread.arch, its, true);
	for (size_t i = 0; i < bytes; i++)
		differ += mine[i] != its[i];
	log_info("compare: vectors %lu bytes, %u differ", bytes, differ);
	kfree(mine);
}

void compare_sides(struct task *child, const struct trap_frame *frame)
{
	struct space *mine = thread_current()->space;

	log_info("compare: fork %u -> %u", thread_current()->id, child->thread.id);
	compare_registers(child, frame);
	compare_vectors(child);
	space_log_difference(mine, child->thread.space);
}
