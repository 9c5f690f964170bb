/*
 * Registers in the form of ptrace(2).
 */
#include "abi/errno.h"
#include "abi/ptrace.h"
#include "arch/arch_down.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/trap_frame.h"
#include "lib/string.h"

/* The registers lie in a row, r15 to rdi (trap_frame.h). */
uint64_t frame_sum(const struct trap_frame *f)
{
	uint64_t sum = f->rsp ^ f->rflags;

	for (const uint64_t *r = &f->r15; r <= &f->rdi; r++)
		sum = (sum << 7 | sum >> 57) + *r;
	return sum;
}

void arch_regs_get(const struct trap_frame *f, const struct arch_thread *at,
		   struct abi_user_regs *out)
{
	irq_state_t state = arch_irq_save();

	if (cpu_arch_self()->running == at)
		segments_save(cpu_arch_self()->running);
	arch_irq_restore(state);
	memset(out, 0, sizeof(*out));
	out->r15 = f->r15, out->r14 = f->r14, out->r13 = f->r13, out->r12 = f->r12;
	out->bp = f->rbp, out->bx = f->rbx, out->r11 = f->r11, out->r10 = f->r10;
	out->r9 = f->r9, out->r8 = f->r8, out->ax = f->rax, out->cx = f->rcx;
	out->dx = f->rdx, out->si = f->rsi, out->di = f->rdi, out->orig_ax = f->orig_rax;
	out->ip = f->rip, out->cs = USER_CS, out->flags = f->rflags, out->sp = f->rsp;
	out->ss = USER_DS, out->fs_base = at->fs_base, out->gs_base = at->gs_base;
}

int arch_regs_set(struct trap_frame *f, struct arch_thread *at, const struct abi_user_regs *in)
{
	irq_state_t state;

	if (in->fs_base >= USER_END || in->gs_base >= USER_END)
		return -EIO;
	f->r15 = in->r15, f->r14 = in->r14, f->r13 = in->r13, f->r12 = in->r12;
	f->rbp = in->bp, f->rbx = in->bx, f->r11 = in->r11, f->r10 = in->r10;
	f->r9 = in->r9, f->r8 = in->r8, f->rax = in->ax, f->rcx = in->cx;
	f->rdx = in->dx, f->rsi = in->si, f->rdi = in->di, f->orig_rax = in->orig_ax;
	f->rip = in->ip, f->rsp = in->sp;
	f->rflags = (in->flags & RFLAGS_USER) | RFLAGS_IF | RFLAGS_FIXED;
	state = arch_irq_save();
	at->fs_base = in->fs_base;
	at->gs_base = in->gs_base;
	if (cpu_arch_self()->running == at)
		segments_load(at);
	arch_irq_restore(state);
	return 0;
}
