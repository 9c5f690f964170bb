/*
 * Exceptions and interrupts: from a vector to the one call of arch_up.h that it means.
 *
 * States: arrives with interrupts off (all gates are interrupt gates). A trap from user mode turns
 * them on before anything that may sleep; a page fault inside a user copy does so when the copy ran
 * with them on. Handlers of interrupts keep them off.
 *
 * A fault in the kernel is legal only at the instructions listed in .fixups (user_copy.S).
 */
#include "arch/arch_up.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap_frame.h"
#include "abi/signal.h"
#include "core/irq.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "core/trace.h"
#include "lib/bits.h"
#include "lib/format.h"

enum {
	TRAP_DE = 0, TRAP_DB = 1, TRAP_NMI = 2, TRAP_BP = 3, TRAP_OF = 4, TRAP_BR = 5, TRAP_UD = 6,
	TRAP_DF = 8, TRAP_NP = 11, TRAP_SS = 12, TRAP_GP = 13, TRAP_PF = 14, TRAP_MF = 16,
	TRAP_AC = 17, TRAP_MC = 18, TRAP_XM = 19, TRAP_INT80 = 0x80,
};

#define ERROR_WRITE (1u << 1)
#define ERROR_USER (1u << 2)
#define ERROR_FETCH (1u << 4)

struct idt_gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, zero;
};

static struct idt_gate idt[256] __attribute__((aligned(16)));
extern char trap_stubs[], spin_halt_end[], syscall_entry[];

struct fixup { uint64_t from, to, target, kind; };
extern const struct fixup fixup_table[], fixup_table_end[];

void trap_dispatch(struct trap_frame *f);
void trap_paranoid(struct trap_frame *f);

static void gate_set(unsigned int vector, uint8_t ist, uint8_t dpl)
{
	uint64_t at = (uint64_t)trap_stubs + 16 * vector;

	idt[vector] = (struct idt_gate){
		.offset0 = (uint16_t)at, .selector = KERNEL_CS, .ist = ist,
		.type = (uint8_t)(0x8e | dpl << 5), .offset1 = (uint16_t)(at >> 16),
		.offset2 = (uint32_t)(at >> 32),
	};
}

void idt_init(void)
{
	for (unsigned int vector = 0; vector < 256; vector++)
		gate_set(vector, 0, 0);
	gate_set(TRAP_NMI, IST_NMI, 0);
	gate_set(TRAP_DF, IST_DOUBLE_FAULT, 0);
	gate_set(TRAP_MC, IST_MACHINE_CHECK, 0);
	gate_set(TRAP_DB, IST_DEBUG, 0);
	gate_set(TRAP_BP, 0, 3);
	gate_set(TRAP_OF, 0, 3);
	gate_set(TRAP_INT80, 0, 3);
}

void idt_load(void)
{
	struct packed_struct { uint16_t limit; uint64_t base; } pointer = {
		sizeof(idt) - 1, (uint64_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static const struct fixup *fixup_find(uint64_t pc)
{
	for (const struct fixup *x = fixup_table; x < fixup_table_end; x++)
		if (pc >= x->from && pc < x->to)
			return x;
	return NULL;
}

static noreturn_fn void die(struct trap_frame *f, const char *what, uint64_t address)
{
	static char text[512];

	if (panic_is_under_way())
		panic("again");
	format_stored(text, sizeof(text),
		"rip %016llx rsp %016llx flags %08llx error %llx cr2 %016llx cr3 %llx\n"
		"rax %016llx rbx %016llx rcx %016llx rdx %016llx rsi %016llx rdi %016llx\n"
		"rbp %016llx r8 %016llx r9 %016llx r10 %016llx r11 %016llx r12 %016llx\n"
		"r13 %016llx r14 %016llx r15 %016llx\n",
		(unsigned long long)f->rip, (unsigned long long)f->rsp,
		(unsigned long long)f->rflags, (unsigned long long)f->orig_rax,
		(unsigned long long)read_cr2(), (unsigned long long)read_cr3(),
		(unsigned long long)f->rax, (unsigned long long)f->rbx, (unsigned long long)f->rcx,
		(unsigned long long)f->rdx, (unsigned long long)f->rsi, (unsigned long long)f->rdi,
		(unsigned long long)f->rbp, (unsigned long long)f->r8, (unsigned long long)f->r9,
		(unsigned long long)f->r10, (unsigned long long)f->r11, (unsigned long long)f->r12,
		(unsigned long long)f->r13, (unsigned long long)f->r14, (unsigned long long)f->r15);
	panic_set_details(text);
	panic_at(f->rip, f->rbp, "%s at %#llx in the kernel, address %#llx", what,
		 (unsigned long long)f->rip, (unsigned long long)address);
}

/* --- page faults -------------------------------------------------------------------------- */

static enum fault_access access_of(uint64_t error)
{
	if ((error & ERROR_FETCH) != 0)
		return FAULT_EXEC;
	return (error & ERROR_WRITE) != 0 ? FAULT_WRITE : FAULT_READ;
}

static void user_page_fault(struct trap_frame *f, uint64_t address, uint64_t error)
{
	/*
	 * Without the user bit the processor touched the address on the kernel's behalf, though for
	 * the program (QEMU reads a far return's frame so). SMAP refuses that whatever the tables
	 * say: there is nothing to repair.
	 */
	bool refused = (error & ERROR_USER) == 0 && cpu_features.smap;

	arch_irq_enable();
	if (address < USER_END && !refused) {
		(void)page_fault_enter(f, address, access_of(error), true, error);
		return;
	}
	exception_enter(f, &(struct exception){ .signo = SIGSEGV,
		.code = refused ? SEGV_ACCERR : SEGV_MAPERR,
		.address = address, .trap_number = TRAP_PF, .error_code = error });
}

static void kernel_page_fault(struct trap_frame *f, uint64_t address, uint64_t error)
{
	const struct fixup *fixup = fixup_find(f->rip);

	if (fixup == NULL || address >= USER_END)
		die(f, "page fault", address);
	/* Who holds a spin lock may not sleep: then every form is the no-fault form. */
	if (fixup->kind == FIXUP_MAY_FAULT && preempt_count() == 0) {
		bool handled;

		if ((f->rflags & RFLAGS_IF) != 0)
			arch_irq_enable();
		handled = page_fault_enter(f, address, access_of(error), false, error);
		arch_irq_disable();
		if (handled)
			return;
	}
	f->rip = fixup->target;
}

static inline void page_fault_by_mode(struct trap_frame *f, uint64_t address, uint64_t error)
{
	if (trap_frame_from_user(f)) {
		f->orig_rax = UINT64_MAX;
		user_page_fault(f, address, error);
	} else {
		kernel_page_fault(f, address, error);
	}
}

/* Sampled, or while the flight recorder is on any. A fault in a system call is in its sample. */
static never_inline void page_fault_rare(struct trap_frame *f, uint64_t address, uint64_t error)
{
	uint32_t *count = &cpu_self()->faults;
	bool due = *count % TRACE_RARE == 0, sample = due && trap_frame_from_user(f);

	if (due)
		*count += trace_rare_skip(*count);
	trace_page_fault(address, error, f->rip);
	if (sample)
		kernel_sample_begin();
	page_fault_by_mode(f, address, error);
	if (sample)
		kernel_sample_end();
	trace_page_fault_done(address, f->rip);
}

static void page_fault(struct trap_frame *f)
{
	uint64_t address = read_cr2();
	uint64_t error = f->orig_rax;

	if (likely((++cpu_self()->faults & trace_rare_mask) != 0))
		page_fault_by_mode(f, address, error);
	else
		page_fault_rare(f, address, error);
}

/* --- other exceptions --------------------------------------------------------------------- */

/* The si_code of a floating-point exception from its flag bits (the same six in x87 and SSE). */
static int fpe_code(uint32_t raised)
{
	if ((raised & 0x01) != 0)
		return FPE_FLTINV;
	if ((raised & 0x04) != 0)
		return FPE_FLTDIV;
	if ((raised & 0x08) != 0)
		return FPE_FLTOVF;
	if ((raised & 0x12) != 0)		/* denormal, underflow */
		return FPE_FLTUND;
	return (raised & 0x20) != 0 ? FPE_FLTRES : FPE_FLTINV;
}

static int x87_code(void)
{
	uint16_t status, control;

	__asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
	return fpe_code(status & ~control & 0x3f);
}

static int sse_code(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
}

static int debug_code(void)
{
	uint64_t status;

	__asm__ volatile("mov %%dr6, %0" : "=r"(status));
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0UL));
	if ((status & 1UL << 14) != 0)
		return TRAP_TRACE;
	return (status & 15) != 0 ? TRAP_HWBKPT : TRAP_BRKPT;
}

/* Signal, code and address as Linux gives them (arch/x86/kernel/traps.c). Runs before interrupts
 * are turned on: DR6 and the FPU's status are this CPU's. */
static struct exception exception_of(struct trap_frame *f)
{
	struct exception e = { .signo = SIGSEGV, .code = SI_KERNEL,
		.trap_number = (uint32_t)f->trap, .error_code = f->orig_rax };

	switch (f->trap) {
	case TRAP_DE:
		e.signo = SIGFPE, e.code = FPE_INTDIV, e.address = f->rip;
		break;
	case TRAP_DB:
		e.signo = SIGTRAP, e.code = debug_code(), e.address = f->rip;
		break;
	case TRAP_BP:
		e.signo = SIGTRAP;
		break;
	case TRAP_UD:
		e.signo = SIGILL, e.code = ILL_ILLOPN, e.address = f->rip;
		break;
	case TRAP_NP:
	case TRAP_SS:
		e.signo = SIGBUS;
		break;
	case TRAP_MF:
		e.signo = SIGFPE, e.code = x87_code(), e.address = f->rip;
		break;
	case TRAP_AC:
		e.signo = SIGBUS, e.code = BUS_ADRALN;
		break;
	case TRAP_XM:
		e.signo = SIGFPE, e.code = sse_code(), e.address = f->rip;
		break;
	}
	return e;
}

static void exception(struct trap_frame *f)
{
	static const char *const names[] = { "divide error", "debug trap", "NMI", "breakpoint",
		"overflow", "bound", "invalid opcode", "no FPU", "double fault", "segment overrun",
		"invalid TSS", "segment not present", "stack fault", "general protection fault",
		"page fault", "trap 15", "x87 exception", "alignment check", "machine check",
		"SIMD exception" };
	struct exception e;

	trace_exception(f->trap, f->rip);
	if (!trap_frame_from_user(f)) {
		const struct fixup *fixup = fixup_find(f->rip);

		if (fixup == NULL)
			die(f, f->trap < ARRAY_SIZE(names) ? names[f->trap] : "trap", 0);
		f->rip = fixup->target;
		return;
	}
	e = exception_of(f);
	f->orig_rax = UINT64_MAX;
	arch_irq_enable();
	exception_enter(f, &e);
}

/* --- interrupts --------------------------------------------------------------------------- */

static void interrupt_by_vector(const struct trap_frame *f, uint32_t vector)
{
	if (unlikely(timer_shot_is_armed()))
		timer_shot(frame_pc(f), trap_frame_from_user(f), vector == VECTOR_TIMER);
	switch (vector) {
	case VECTOR_TIMER:
		timer_interrupt();
		break;
	case VECTOR_RESCHEDULE:
		ipi_receive(IPI_RESCHEDULE);
		break;
	case VECTOR_CALL:
		ipi_receive(IPI_CALL);
		break;
	default:
		if (vector >= IRQ_VECTOR_FIRST && vector < IRQ_VECTOR_END)
			irq_receive(vector);
	}
}

/* A trap between arch_spin_halt()'s look and its halt may be the wake-up: it must not halt then. */
static void spin_halt_leave(struct trap_frame *f)
{
	if (f->rip >= (uint64_t)arch_spin_halt && f->rip < (uint64_t)spin_halt_end)
		f->rip = (uint64_t)spin_halt_end;
}

static void interrupt(struct trap_frame *f)
{
	struct cpu *cpu = cpu_self();
	uint32_t vector = (uint32_t)f->trap;

	f->orig_rax = UINT64_MAX;
	preempt_count_inc();
	cpu->irq_depth++;
	cpu->irq_pc = f->rip;
	cpu->interrupts++;
	trace_irq_enter(vector, f->rip, trap_frame_from_user(f));
	interrupt_by_vector(f, vector);
	trace_irq_exit(vector);
	cpu->irq_depth--;
	/* Not acknowledged: the APIC's spurious vector and the masked PIC's. */
	if (vector >= IRQ_VECTOR_FIRST && vector != VECTOR_SPURIOUS)
		apic_eoi();
	preempt_count_dec();
	if (!trap_frame_from_user(f)) {
		spin_halt_leave(f);
		kernel_interrupt_return();
	}
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->trap >= IRQ_VECTOR_FIRST) {
		interrupt(f);
	} else if (f->trap == TRAP_PF) {
		page_fault(f);
	} else if (f->trap == TRAP_INT80 && trap_frame_from_user(f)) {
		f->orig_rax = f->rax & 0xffffffff;
		arch_irq_enable();
		syscall_enter_i386(f, f->orig_rax);
	} else if (f->trap >= 0x20) {
		interrupt(f);			/* a spurious one of the PIC's */
	} else {
		exception(f);
	}
}

/* On a stack of its own, maybe in the middle of anything: takes no lock, does not return to C code
 * that could tell. */
void trap_paranoid(struct trap_frame *f)
{
	if (f->trap == TRAP_NMI) {
		/* Sent by a processor that panics, to stop the others, and to wake halted ones. */
		if (panic_is_under_way())
			arch_stop_this_cpu();
		spin_halt_leave(f);
		return;
	}
	/* The step of a program's SYSCALL: it belongs to the program's next instruction. */
	if (f->trap == TRAP_DB && f->rip == (uint64_t)syscall_entry) {
		(void)debug_code();
		return;
	}
	if (f->trap == TRAP_DB)
		die(f, "debug exception", 0);
	die(f, f->trap == TRAP_DF ? "double fault (stack overflow?)" : "machine check", read_cr2());
}

/* IRET would fault in the kernel: the program gets the signal of a jump to there. */
void frame_refuse(struct trap_frame *f)
{
	exception_enter(f, &(struct exception){ .signo = SIGSEGV, .code = SI_KERNEL,
		.trap_number = TRAP_GP });
}
