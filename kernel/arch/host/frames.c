/*
 * Trap frames, signal frames and planted user threads of the host architecture: no program runs on
 * them, but what the kernel does to them can be looked at.
 */
#include <string.h>

#include "abi/errno.h"
#include "arch/arch_up.h"
#include "arch/host/host_internal.h"
#include "core/user_copy.h"

uint64_t frame_pc(const struct trap_frame *f) { return f->pc; }
uint64_t frame_sp(const struct trap_frame *f) { return f->sp; }
void frame_set_pc(struct trap_frame *f, uint64_t pc) { f->pc = pc; }
void frame_set_sp(struct trap_frame *f, uint64_t sp) { f->sp = sp; }
uint64_t frame_result(const struct trap_frame *f) { return f->result; }
void frame_set_result(struct trap_frame *f, uint64_t value) { f->result = value; }
uint64_t frame_syscall_arg(const struct trap_frame *f, unsigned int i) { return f->args[i]; }
uint64_t frame_sum(const struct trap_frame *f) { return f->sp * 3 + f->result; }
bool frame_is_user(const struct trap_frame *f) { return f->user; }
void frame_set_single_step(struct trap_frame *f, bool on) { f->single_step = on; }

void frame_init_user(struct trap_frame *f, uint64_t pc, uint64_t sp)
{
	*f = (struct trap_frame){ .pc = pc, .sp = sp, .user = true };
}

/* The call instruction has two bytes here, too. */
void frame_restart_syscall(struct trap_frame *f, int nr)
{
	f->pc -= 2;
	if (nr >= 0)
		f->call_number = (uint64_t)nr;
}

void arch_thread_prepare_user(struct arch_thread *at, void *stack_top,
			      const struct trap_frame *frame)
{
	host_plant_user(at, stack_top, frame, thread_first_return);
}

/* --- signals --------------------------------------------------------------------------------- */

struct signal_frame {
	uint64_t restorer;
	struct trap_frame frame;
	struct signal_restore restore;
};

int arch_signal_push(struct trap_frame *f, const struct signal_delivery *d)
{
	struct signal_frame s = {
		.restorer = d->restorer,
		.frame = *f,
		.restore = { d->mask, d->stack_base, d->stack_size, d->stack_flags },
	};
	uint64_t sp = d->switch_stack ? d->stack_base + d->stack_size : f->sp - 128;

	sp = ((sp - sizeof(s)) & ~15UL) - 8;
	if (copy_to_user(user_addr(sp), &s, sizeof(s)) != 0)
		return -EFAULT;
	f->sp = sp;
	f->pc = d->handler;
	f->args[0] = (uint64_t)d->signo;
	return 0;
}

/* Called when the handler has returned through the restorer: sp is past its address. */
int arch_signal_pop(struct trap_frame *f, struct signal_restore *out)
{
	struct signal_frame s;

	if (copy_from_user(&s, user_addr(f->sp - 8), sizeof(s)) != 0)
		return -EFAULT;
	*f = s.frame;
	f->user = true;
	*out = s.restore;
	return 0;
}

int arch_prctl(int code, uint64_t arg) { return -EINVAL; }
