/*
 * The frame of a signal handler, as Linux lays it out on x86-64 (arch/x86/kernel/signal_64.c), and
 * the way back.
 *
 * From high to low: 128 bytes of red zone (on the interrupted stack), the FPU state at an address
 * aligned to 64, closed by a magic number, then struct abi_rt_sigframe with its end on a 16-byte
 * boundary less 8, as after a call.
 *
 * Everything that comes back is hostile. Registers are taken over as they are, since any value is
 * one the program could have loaded itself, except RFLAGS (masked), CS and SS (ours), and RIP (what
 * lies outside the user half ends in SIGSEGV at the return). FPU state is checked in kernel memory,
 * so that the processor cannot refuse it later.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "abi/ucontext.h"
#include "arch/arch_down.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/trap_frame.h"
#include "core/user_copy.h"
#include "lib/bits.h"
#include "lib/string.h"

#define RED_ZONE 128

/* The flags a handler's return may change; the rest stays as it was. */
#define RFLAGS_RESTORED (RFLAGS_USER & ~RFLAGS_ID)

_Static_assert(offsetof(struct fpu_image, present) == 512, "the XSAVE header follows FXSAVE's 512");

/*
 * The current thread's part: its first member (sched/thread.h asserts it). One load: what the CPU
 * runs, read in several, could be another thread by the last of them.
 */
static struct arch_thread *running(void) { return (struct arch_thread *)cpu_current(); }

/* Bytes of FPU state on the user's stack, the closing magic number included. */
static uint32_t fpu_frame_bytes(void)
{
	return cpu_features.xsave_bytes + (cpu_features.xsave ? FP_XSTATE_MAGIC2_SIZE : 0);
}

/* Alignment may take 63 bytes below the FPU state, and 8 and 15 below the frame. */
uint64_t arch_signal_stack_min(void)
{
	return sizeof(struct abi_rt_sigframe) + fpu_frame_bytes() + 64 + 24;
}

/* --- to the handler ----------------------------------------------------------------------- */

/*
 * As Linux does: XSAVE, and x87 and SSE are said to be there whatever they hold. What the processor
 * does not write is at the end of the FXSAVE part, and the header.
 */
static bool push_fpu_at_once(const struct abi_fpx_sw_bytes *sw, uint64_t at)
{
	struct {
		struct abi_fpx_sw_bytes sw;
		struct abi_xstate_header header;
	} words = { .sw = *sw };
	user_addr_t present = user_addr(at + offsetof(struct fpu_image, present));
	uint32_t low;

	return cpu_features.xsave &&
	       copy_to_user(user_addr(at + offsetof(struct abi_fpstate, sw_reserved)), &words,
			    sizeof(words)) == 0 &&
	       fpu_save_to_user(user_addr(at)) && user_load32(present, &low) == 0 &&
	       ((low & 3) == 3 || user_store32(present, low | 3) == 0);
}

static int push_fpu_by_memory(const struct abi_fpx_sw_bytes *sw, uint64_t at)
{
	struct fpu_image *area = running()->fpu;
	irq_state_t state = arch_irq_save();

	fpu_save_live();
	/* What is changed in memory below means the same, so the registers may stay good. */
	arch_irq_restore(state);
	fpu_materialise(area);
	if (copy_to_user(user_addr(at), area, cpu_features.xsave_bytes) != 0)
		return -EFAULT;
	at += offsetof(struct abi_fpstate, sw_reserved);
	return copy_to_user(user_addr(at), sw, sizeof(*sw));
}

static int push_fpu(uint64_t at)
{
	uint32_t bytes = cpu_features.xsave_bytes;
	struct abi_fpx_sw_bytes sw = { .magic1 = FP_XSTATE_MAGIC1, .extended_size = bytes + 4,
		.xfeatures = cpu_features.xsave_mask, .xstate_size = bytes };

	if (!cpu_features.xsave)
		memset(&sw, 0, sizeof(sw));
	else if (user_store32(user_addr(at + bytes), FP_XSTATE_MAGIC2) != 0)
		return -EFAULT;
	return push_fpu_at_once(&sw, at) ? 0 : push_fpu_by_memory(&sw, at);
}

static void fill_context(struct abi_ucontext *uc, const struct trap_frame *f,
			 const struct signal_delivery *d, uint64_t fpstate)
{
	struct abi_sigcontext *c = &uc->uc_mcontext;

	uc->uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
		       (cpu_features.xsave ? UC_FP_XSTATE : 0);
	uc->uc_stack.ss_sp = d->stack_base;
	uc->uc_stack.ss_flags = (int32_t)d->stack_flags;
	uc->uc_stack.ss_size = d->stack_size;
	c->r8 = f->r8, c->r9 = f->r9, c->r10 = f->r10, c->r11 = f->r11;
	c->r12 = f->r12, c->r13 = f->r13, c->r14 = f->r14, c->r15 = f->r15;
	c->di = f->rdi, c->si = f->rsi, c->bp = f->rbp, c->bx = f->rbx;
	c->dx = f->rdx, c->ax = f->rax, c->cx = f->rcx, c->sp = f->rsp;
	c->ip = f->rip, c->flags = f->rflags;
	c->cs = USER_CS, c->ss = USER_DS;
	c->err = d->error_code, c->trapno = d->trap_number;
	c->oldmask = d->mask, c->cr2 = d->fault_address;
	c->fpstate = fpstate;
	memcpy(&uc->uc_sigmask, &d->mask, sizeof(d->mask));
}

/* Where the FPU state and the frame go; false when there is no room. */
static bool place(const struct trap_frame *f, const struct signal_delivery *d, uint64_t *fpstate,
		  uint64_t *frame)
{
	uint64_t top = d->switch_stack ? d->stack_base + d->stack_size : f->rsp - RED_ZONE;
	uint64_t need = fpu_frame_bytes() + 64 + sizeof(struct abi_rt_sigframe) + 16;

	/* Also when the handler already runs on the alternate stack: it must not leave it below. */
	bool on_alternate = d->stack_size != 0 && f->rsp > d->stack_base &&
			    f->rsp - d->stack_base <= d->stack_size;

	if (top < need || !user_range_ok(user_addr(top - need), need))
		return false;
	*fpstate = (top - fpu_frame_bytes()) & ~63UL;
	*frame = ((*fpstate - sizeof(struct abi_rt_sigframe)) & ~15UL) - 8;
	return !(d->switch_stack || on_alternate) || *frame > d->stack_base;
}

int arch_signal_push(struct trap_frame *f, const struct signal_delivery *d)
{
	struct abi_rt_sigframe frame;
	uint64_t fpstate, at;

	if ((d->flags & SA_RESTORER) == 0 || !place(f, d, &fpstate, &at))
		return -EFAULT;
	memset(&frame, 0, sizeof(frame));
	frame.restorer = d->restorer;
	fill_context(&frame.uc, f, d, fpstate);
	memcpy(&frame.info, d->info, sizeof(frame.info));
	if (push_fpu(fpstate) != 0 || copy_to_user(user_addr(at), &frame, sizeof(frame)) != 0)
		return -EFAULT;

	/* Nothing below can fail. The handler starts with a clean FPU. */
	fpu_reset(running());
	f->rdi = (uint64_t)d->signo;
	f->rsi = at + offsetof(struct abi_rt_sigframe, info);
	f->rdx = at + offsetof(struct abi_rt_sigframe, uc);
	f->rax = 0;
	f->rsp = at;
	f->rip = d->handler;
	f->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	f->orig_rax = UINT64_MAX;
	return 0;
}

/* --- and back ----------------------------------------------------------------------------- */

/* True when the user's FPU frame says, consistently, that it holds XSAVE state. */
static bool has_xstate(const struct abi_fpx_sw_bytes *sw, uint64_t at)
{
	uint32_t magic2;

	if (!cpu_features.xsave || sw->magic1 != FP_XSTATE_MAGIC1 ||
	    sw->xstate_size < 512 + sizeof(struct abi_xstate_header) ||
	    sw->xstate_size > cpu_features.xsave_bytes || sw->xstate_size > sw->extended_size)
		return false;
	return user_load32(user_addr(at + sw->xstate_size), &magic2) == 0 &&
	       magic2 == FP_XSTATE_MAGIC2;
}

/*
 * The usual frame, as push_fpu() made it: the processor loads it from where it is and checks it.
 * MXCSR is looked at here too, since the emulator does not refuse bits that do not exist.
 */
static bool pop_fpu_at_once(const struct abi_fpx_sw_bytes *sw, uint64_t at)
{
	uint64_t all = cpu_features.xsave_mask;
	uint32_t mxcsr;

	return sw->xstate_size == cpu_features.xsave_bytes && (sw->xfeatures & all) == all &&
	       (at & 63) == 0 && user_range_ok(user_addr(at), cpu_features.xsave_bytes) &&
	       user_load32(user_addr(at + offsetof(struct fpu_image, mxcsr)), &mxcsr) == 0 &&
	       (mxcsr & ~fpu_mxcsr_mask) == 0 && fpu_load_from_user(user_addr(at));
}

static int pop_fpu_by_memory(const struct abi_fpx_sw_bytes *sw, bool xstate, uint64_t at)
{
	struct arch_thread *at_thread = running();
	struct fpu_image image;
	irq_state_t state;

	if (copy_from_user(&image, user_addr(at), xstate ? sw->xstate_size : 512) != 0)
		return -EFAULT;
	if (xstate)
		memset((char *)&image + sw->xstate_size, 0, sizeof(image) - sw->xstate_size);
	if (fpu_check(&image, xstate ? sw->xstate_size : 512) != 0)
		return -EFAULT;
	image.present &= xstate ? sw->xfeatures : image.present;
	state = arch_irq_save();
	fpu_forget(at_thread);
	memcpy(at_thread->fpu, &image, cpu_features.xsave_bytes);
	arch_irq_restore(state);
	return 0;
}

/* What is refused leaves the initial state, as on Linux: part of it may have been loaded. */
static int pop_fpu(uint64_t at)
{
	struct abi_fpx_sw_bytes sw;
	bool xstate;

	if (at == 0) {
		/* A frame without FPU state: the handler's return starts with a clean one. */
		fpu_reset(running());
		return 0;
	}
	if (copy_from_user(&sw, user_addr(at + offsetof(struct abi_fpstate, sw_reserved)),
			   sizeof(sw)) != 0)
		return -EFAULT;
	xstate = has_xstate(&sw, at);
	if ((xstate && pop_fpu_at_once(&sw, at)) || pop_fpu_by_memory(&sw, xstate, at) == 0)
		return 0;
	fpu_reset(running());
	return -EFAULT;
}

/*
 * Selectors get the user's privilege, whatever they say; but then 64-bit code and the flat stack
 * are all there is, and others would fault at IRET. Old programs leave ss 0 and do not ask for it.
 */
static bool selectors_ok(const struct abi_ucontext *uc)
{
	return (uc->uc_mcontext.cs | 3) == USER_CS &&
	       ((uc->uc_flags & UC_STRICT_RESTORE_SS) == 0 || (uc->uc_mcontext.ss | 3) == USER_DS);
}

static void take_registers(struct trap_frame *f, const struct abi_sigcontext *c)
{
	f->r8 = c->r8, f->r9 = c->r9, f->r10 = c->r10, f->r11 = c->r11;
	f->r12 = c->r12, f->r13 = c->r13, f->r14 = c->r14, f->r15 = c->r15;
	f->rdi = c->di, f->rsi = c->si, f->rbp = c->bp, f->rbx = c->bx;
	f->rdx = c->dx, f->rax = c->ax, f->rcx = c->cx, f->rsp = c->sp;
	f->rip = c->ip;
	f->rflags = (f->rflags & ~RFLAGS_RESTORED) | (c->flags & RFLAGS_RESTORED);
	f->cs = USER_CS;
	f->ss = USER_DS;
	f->orig_rax = UINT64_MAX;	/* no call to restart */
}

int arch_signal_pop(struct trap_frame *f, struct signal_restore *out)
{
	struct abi_ucontext uc;
	uint64_t frame = f->rsp - 8;		/* `ret` took the restorer's address */

	if (copy_from_user(&uc, user_addr(frame + offsetof(struct abi_rt_sigframe, uc)),
			   sizeof(uc)) != 0)
		return -EFAULT;
	if (!selectors_ok(&uc) || pop_fpu(uc.uc_mcontext.fpstate) != 0)
		return -EFAULT;

	/* Nothing below can fail. */
	take_registers(f, &uc.uc_mcontext);
	memcpy(&out->mask, &uc.uc_sigmask, sizeof(out->mask));
	out->stack_base = uc.uc_stack.ss_sp;
	out->stack_size = uc.uc_stack.ss_size;
	out->stack_flags = (uint32_t)uc.uc_stack.ss_flags;
	return 0;
}
