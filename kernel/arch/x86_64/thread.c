/*
 * Threads as this architecture sees them: planted stacks, the switch, FS and GS base.
 *
 * A suspended stack ends in what switch_stacks() pops: r15 r14 r13 r12 rbx rbp, return address.
 * A planted stack ends the same way, with the return address of one of entry.S's starts.
 */
#include "arch/arch_up.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/trap_frame.h"
#include "abi/errno.h"
#include "abi/prctl.h"
#include "core/assert.h"
#include "core/user_copy.h"

extern char user_thread_start[], kernel_thread_start[];
void switch_stacks(uint64_t *save_to, uint64_t load);

struct switch_frame { uint64_t r15, r14, r13, r12, rbx, rbp, rip; };

void arch_thread_prepare_kernel(struct arch_thread *at, void *stack_top, void (*entry)(void *arg),
				void *arg)
{
	/* One word free above, so that the start sees the stack aligned as for a call. */
	struct switch_frame *f = (struct switch_frame *)((uint64_t)stack_top - 16) - 1;

	*f = (struct switch_frame){ .r12 = (uint64_t)entry, .r13 = (uint64_t)arg,
				    .rip = (uint64_t)kernel_thread_start };
	at->stack_pointer = (uint64_t)f;
	at->fpu = NULL;
	at->fpu_cpu = CPU_MAX;
}

struct trap_frame *arch_user_frame(void *stack_top) { return (struct trap_frame *)stack_top - 1; }

void arch_thread_prepare_user(struct arch_thread *at, void *stack_top,
			      const struct trap_frame *frame)
{
	struct trap_frame *planted = arch_user_frame(stack_top);
	struct switch_frame *f = (struct switch_frame *)planted - 1;

	*planted = *frame;
	*f = (struct switch_frame){ .rip = (uint64_t)user_thread_start };
	at->stack_pointer = (uint64_t)f;
}

/* --- FS and GS base ----------------------------------------------------------------------- */

/*
 * With FSGSBASE a program changes its bases on its own: they are read back at each switch. In the
 * kernel the user's GS base is the one SWAPGS exchanges; reading it by a pair of SWAPGS is cheaper
 * than by MSR. Interrupts are off: an interrupt between the two would find a user's GS.
 */
static uint64_t user_gs_read(void)
{
	uint64_t base;

	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base) : : "memory");
	return base;
}

static void user_gs_write(uint64_t base)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(base) : "memory");
	else
		wrmsr(MSR_KERNEL_GS_BASE, base);
}

static void user_fs_write(uint64_t base)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" : : "r"(base) : "memory");
	else
		wrmsr(MSR_FS_BASE, base);
}

void segments_save(struct arch_thread *at)
{
	struct cpu_arch *cpu = cpu_arch_self();

	if (cpu_features.fsgsbase) {
		__asm__ volatile("rdfsbase %0" : "=r"(cpu->fs_base));
		cpu->gs_base = user_gs_read();
	}
	at->fs_base = cpu->fs_base;
	at->gs_base = cpu->gs_base;
}

void segments_load(const struct arch_thread *at)
{
	struct cpu_arch *cpu = cpu_arch_self();

	/* A program may have changed them since `cpu` was told. */
	if (cpu_features.fsgsbase || cpu->fs_base != at->fs_base)
		user_fs_write(at->fs_base);
	if (cpu_features.fsgsbase || cpu->gs_base != at->gs_base)
		user_gs_write(at->gs_base);
	cpu->fs_base = at->fs_base;
	cpu->gs_base = at->gs_base;
}

void arch_context_switch(struct arch_thread *prev, struct arch_thread *next)
{
	struct cpu_arch *cpu = cpu_arch_self();

	if (prev->fpu != NULL) {
		fpu_save_live();
		segments_save(prev);
	}
	if (next->fpu != NULL) {
		if (next->fs_base != cpu->fs_base)
			user_fs_write(next->fs_base);
		if (next->gs_base != cpu->gs_base)
			user_gs_write(next->gs_base);
		cpu->fs_base = next->fs_base;
		cpu->gs_base = next->gs_base;
	}
	cpu->running = next->fpu != NULL ? next : NULL;
	switch_stacks(&prev->stack_pointer, next->stack_pointer);
}

int arch_prctl(int code, uint64_t arg)
{
	struct arch_thread *at;
	irq_state_t state;
	uint64_t base;

	if ((code == ARCH_SET_FS || code == ARCH_SET_GS) && arg >= USER_END)
		return -EPERM;
	state = arch_irq_save();
	at = cpu_arch_self()->running;
	segments_save(at);
	if (code == ARCH_SET_FS)
		at->fs_base = arg;
	else if (code == ARCH_SET_GS)
		at->gs_base = arg;
	segments_load(at);
	base = code == ARCH_GET_FS ? at->fs_base : at->gs_base;
	arch_irq_restore(state);
	if (code == ARCH_GET_FS || code == ARCH_GET_GS)
		return copy_to_user(user_addr(arg), &base, sizeof(base));
	return code == ARCH_SET_FS || code == ARCH_SET_GS ? 0 : -EINVAL;
}

/* --- frames ------------------------------------------------------------------------------- */

void frame_set_pc(struct trap_frame *f, uint64_t pc) { f->rip = pc; }
void frame_set_sp(struct trap_frame *f, uint64_t sp) { f->rsp = sp; }
uint64_t frame_result(const struct trap_frame *f) { return f->rax; }
bool frame_is_user(const struct trap_frame *f) { return trap_frame_from_user(f); }

void frame_init_user(struct trap_frame *f, uint64_t pc, uint64_t sp)
{
	*f = (struct trap_frame){ .trap = TRAP_SYSCALL, .orig_rax = UINT64_MAX, .rip = pc,
		.cs = USER_CS, .rflags = RFLAGS_IF | RFLAGS_FIXED, .rsp = sp, .ss = USER_DS };
}

void frame_restart_syscall(struct trap_frame *f, int nr)
{
	f->rax = nr < 0 ? f->orig_rax : (uint64_t)nr;
	f->rip -= 2;			/* syscall and int 0x80 are two bytes each */
}

void frame_set_single_step(struct trap_frame *f, bool on)
{
	f->rflags = on ? f->rflags | RFLAGS_TF : f->rflags & ~RFLAGS_TF;
}
