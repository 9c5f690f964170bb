/*
 * All that the kernel asks of a machine. Each architecture (x86_64; host, for tests) provides every
 * function here; inline ones come from arch/<name>/arch_inline.h through core/percpu.h.
 *
 * arch_up.h is the other direction: the few calls a machine makes into the kernel.
 */
#pragma once

#include "core/ipi.h"
#include "core/percpu.h"
#include "core/types.h"

struct thread;
struct trap_frame;			/* all user registers at entry; arch/<name>/trap_frame.h */

/* --- processors and time ------------------------------------------------------------------ */

void arch_idle(void);			/* interrupts off: turns them on and halts, atomically */
void arch_ipi_send(uint32_t cpu, enum ipi_kind kind);
/*
 * Halts this CPU while *word is `value`, whatever its interrupt flag, until arch_spin_wake() for
 * it, an interrupt, or for no reason. A wake-up that comes once *word was written first is never
 * lost.
 */
void arch_spin_halt(const uint32_t *word, uint32_t value);
void arch_spin_wake(uint32_t cpu);
uint64_t arch_clock_ns(void);		/* monotonic since boot */
/* ns since boot = (arch_cycles() - base) * mult >> 32. */
void arch_cycles_scale(uint64_t *base, uint64_t *mult);
uint64_t arch_wall_seconds_at_boot(void);
void arch_timer_arm(uint64_t delta_ns);	/* one-shot on this CPU; TIME_NEVER disarms */
void arch_power_off(int status) noreturn_fn;	/* 0: success; the emulator ends */
void arch_reboot(void) noreturn_fn;
void arch_stop_this_cpu(void) noreturn_fn;
void arch_panic_end(void) noreturn_fn;	/* tells the emulator of a panic, else resets */
void arch_console_write(const char *text, size_t n);	/* polled; used by the log only */
/* What came in on the console: up to n bytes, 0 when there are none; -ENODEV when it has no input.
 * Never waits; one caller at a time. */
must_check long arch_console_read(char *text, size_t n);
/* Fills pcs[] with return addresses from a frame pointer chain (0: the caller's); count found. */
size_t arch_backtrace(uint64_t frame_pointer, uint64_t *pcs, size_t max);

/* --- start-up, in this order, on the boot processor --------------------------------------- */

void arch_init_machine(void);		/* after mem_init(): tables, interrupt controllers, clock */
/*
 * Starts the other processors, and does not wait: they come up while the boot goes on. join waits
 * until all have come, or did not in time, raises cpu_count and lets them into
 * cpu_secondary_start(). Interrupts on.
 */
void arch_start_processors(void);
void arch_join_processors(void);

/* --- interrupt lines (core/irq.h) --------------------------------------------------------- */

struct msi_message;
must_check int arch_irq_route_line(uint32_t gsi, bool level, uint32_t vector);	/* -ENODEV */
/* A routed line delivers nothing while masked; a level that is up comes when it no longer is. */
void arch_irq_mask_line(uint32_t gsi, bool masked);
void arch_irq_msi(uint32_t vector, struct msi_message *out);

/* --- physical memory ---------------------------------------------------------------------- */

/* Every byte of RAM is mapped here, read-write, never executable. */
static inline void *phys_to_virt(phys_t p) { return (void *)(ARCH_DIRECT_MAP + p.value); }
static inline phys_t virt_to_phys(const void *v) { return phys((uint64_t)v - ARCH_DIRECT_MAP); }

/* A device's registers, uncached, mapped for ever; NULL when out of memory. */
void *arch_map_device(phys_t start, size_t bytes);

/*
 * One page of the kernel's window (ARCH_KERNEL_WINDOW, its lower half is mem's to give out), mapped
 * read-write in every space; -ENOMEM for a table. Unmapping flushes this CPU only, and tells what
 * was mapped: the caller flushes the others (ipi_call_wait) before the address is used again.
 */
must_check int arch_kernel_map(uint64_t address, phys_t p);
phys_t arch_kernel_unmap(uint64_t address);
/* Pages in the window's tables: made on demand, never freed. */
uint64_t arch_kernel_tables(void);

void arch_page_clear(void *page);
void arch_page_copy(void *to, const void *from);

/* --- kernel threads and switching --------------------------------------------------------- */

/*
 * What a switch saves. `stack_pointer` is the suspended kernel stack; everything else is reached
 * through `arch` (FPU area, FS and GS base), owned by arch_thread_create/destroy.
 */
struct arch_thread {
	uint64_t stack_pointer;
	uint64_t fs_base, gs_base;	/* the user's */
	void *fpu;			/* NULL for kernel threads */
	uint32_t fpu_cpu;		/* whose registers may still hold it; CPU_MAX: none */
};

/* Plants a stack from which the first switch enters entry(arg) with interrupts on. */
void arch_thread_prepare_kernel(struct arch_thread *at, void *stack_top,
				void (*entry)(void *arg), void *arg);
/*
 * Plants `frame` at the top of the stack, so that the first switch arrives in
 * thread_first_return() (arch_up.h) and from there in user mode through user_return().
 */
void arch_thread_prepare_user(struct arch_thread *at, void *stack_top,
			      const struct trap_frame *frame);
/* Allocates user state (FPU area): a copy of the current thread's (`inherit`) or the initial one.
 * -ENOMEM. */
must_check int arch_thread_init_user(struct arch_thread *at, bool inherit);
void arch_thread_fini(struct arch_thread *at);
size_t arch_fpu_bytes(void);			/* of machine_fpu_allocate()'s areas */
/*
 * Puts the current user thread's FPU state into the registers. user_return() calls it, interrupts
 * off, unless cpu->user_is_live, which it sets; after the last switch and before the slice is
 * armed, so that the cost is not the slice's.
 */
void arch_prepare_user(void);
/* exec: initial FPU, FS and GS base of the current thread. */
void arch_thread_reset_user(struct arch_thread *at);
/*
 * Saves prev's stack, FPU and segment bases, resumes next. Interrupts off, returns in `prev` later.
 */
void arch_context_switch(struct arch_thread *prev, struct arch_thread *next);
/* Sets the stack the next kernel entry from user mode uses on this CPU (TSS.RSP0, cpu->...). */
void arch_set_kernel_stack(void *stack_top);
/* The frame of the current thread's entry from user mode. */
struct trap_frame *arch_user_frame(void *stack_top);

/* --- trap frames -------------------------------------------------------------------------- */

uint64_t frame_pc(const struct trap_frame *f);
uint64_t frame_sp(const struct trap_frame *f);
void frame_set_pc(struct trap_frame *f, uint64_t pc);
void frame_set_sp(struct trap_frame *f, uint64_t sp);
/*
 * The way out of user_return(). frame_may_return(): no fault in the kernel would come of going to
 * frame_pc(); if one would, frame_refuse() gives the program the signal of it (interrupts on).
 * frame_prepare_return(), last, puts right what would give a program rights or make the way out
 * fault, whoever wrote the frame (sigreturn, ptrace, exec); the entry code wants its answer.
 */
bool frame_may_return(const struct trap_frame *f);
void frame_refuse(struct trap_frame *f);
bool frame_prepare_return(struct trap_frame *f);
uint64_t frame_result(const struct trap_frame *f);
void frame_set_result(struct trap_frame *f, uint64_t value);
uint64_t frame_syscall_arg(const struct trap_frame *f, unsigned int index);	/* 0..5 */
/* The same of an i386 call: 32 bits. */
uint64_t frame_syscall_arg_i386(const struct trap_frame *f, unsigned int index);
bool frame_is_user(const struct trap_frame *f);
/* A number that depends on each general register: two that differ come from different registers. */
uint64_t frame_sum(const struct trap_frame *f);
/* The frame of a fresh program: zero registers, entry, stack, interrupts on. */
void frame_init_user(struct trap_frame *f, uint64_t pc, uint64_t sp);
/* After a system call that a signal interrupted: goes back to the call instruction, with number
 * `nr` in place of the original one (restart_syscall) or the original when nr < 0. */
void frame_restart_syscall(struct trap_frame *f, int nr);
void frame_set_single_step(struct trap_frame *f, bool on);

/*
 * Registers for ptrace(2) and core dumps, in the ABI's form; the thread is the current one or does
 * not run. What is set is made harmless; -EIO for a base outside the user half.
 */
struct abi_user_regs;
void arch_regs_get(const struct trap_frame *f, const struct arch_thread *at,
		   struct abi_user_regs *out);
must_check int arch_regs_set(struct trap_frame *f, struct arch_thread *at,
			     const struct abi_user_regs *in);
/* FXSAVE's 512 bytes, or with `extended` the whole XSAVE area; the size is arch_fpregs_bytes(). */
size_t arch_fpregs_bytes(bool extended);
void arch_fpregs_get(struct arch_thread *at, void *out, bool extended);
/* -EINVAL. */
must_check int arch_fpregs_set(struct arch_thread *at, const void *in, bool extended);

/* --- signals (arch/<name>/signal_frame.c) ------------------------------------------------- */

struct abi_siginfo;
struct signal_delivery {
	int signo;
	uint64_t handler, restorer, flags;	/* of the sigaction */
	uint64_t mask;				/* blocked set to restore on return */
	const struct abi_siginfo *info;
	uint64_t stack_base, stack_size;	/* alternate stack as set (for uc_stack) */
	uint32_t stack_flags;
	bool switch_stack;			/* run on the alternate stack */
	uint32_t trap_number;
	uint64_t error_code, fault_address;	/* cr2 */
};
/*
 * Writes the frame on the user's stack and points `f` at the handler. -EFAULT: cannot be written.
 */
must_check int arch_signal_push(struct trap_frame *f, const struct signal_delivery *d);
/* rt_sigreturn: restores registers from the user's stack; gives the mask and the stack_t fields
 * back. Everything in it is hostile. -EFAULT: the thread is to get SIGSEGV. */
struct signal_restore { uint64_t mask; uint64_t stack_base, stack_size; uint32_t stack_flags; };
must_check int arch_signal_pop(struct trap_frame *f, struct signal_restore *out);

/* arch_prctl(2): ARCH_SET_FS etc. on the current thread; -EINVAL, -EPERM, -EFAULT. */
must_check int arch_prctl(int code, uint64_t arg);

/* --- address spaces ----------------------------------------------------------------------- */

/*
 * pte_t and its inline functions are in arch/<name>/pte.h. A root (top-level table) is made with
 * the kernel's upper half in place.
 */
void arch_space_init_root(void *root_table);
void arch_space_load(phys_t root);		/* this CPU; flushes non-global entries */
phys_t arch_space_kernel_root(void);
/*
 * Tags keep the translations of several spaces apart (PCIDs): a processor has tags 1 to
 * arch_space_tags(), 0 when there are none or they are not wanted. With `keep` what it still holds
 * under the tag stays, which must be current. arch_space_load() uses tag 0. Flushes of this CPU
 * reach the loaded tag only.
 */
uint32_t arch_space_tags(void);
void arch_space_load_tagged(phys_t root, uint32_t tag, bool keep);
void arch_tlb_flush_page(uint64_t address);	/* this CPU: also all paging-structure caches */
void arch_tlb_flush_all(void);			/* this CPU, user entries */

/* --- the vDSO ----------------------------------------------------------------------------- */

/* The image (ELF, page-aligned, read-only) and the data page(s) mapped just below it. */
size_t arch_vdso_image(phys_t *start);		/* bytes; 0: none */
phys_t arch_vdso_data(void);
void arch_vdso_set_wall_offset(uint64_t offset_ns);	/* CLOCK_REALTIME less CLOCK_MONOTONIC */
/* Offset in the image of the signal return trampoline is not needed: programs bring a restorer. */

/* --- PCI configuration space (arch/<name>/pci_config.c) ----------------------------------- */

bool arch_has_pci(void);
/* 1, 2 or 4 bytes at an aligned offset below 256; all ones when nothing answers. */
uint32_t arch_pci_read(uint8_t bus, uint8_t device_function, unsigned int offset,
		       unsigned int bytes);
void arch_pci_write(uint8_t bus, uint8_t device_function, unsigned int offset, unsigned int bytes,
		    uint32_t value);

/* --- odds and ends ------------------------------------------------------------------------ */

uint64_t arch_random_seed(void);		/* best entropy at hand, maybe only the time */
/* Where a processor is; processors of one core of one package are threads of it. */
struct arch_topology { uint32_t package, core; };
void arch_cpu_topology(uint32_t cpu, struct arch_topology *out);
/* Text for /proc/cpuinfo about one processor; bytes written. */
size_t arch_cpuinfo(uint32_t cpu, char *buf, size_t n);
uint64_t arch_hwcap(void);			/* AT_HWCAP (CPUID 1 EDX) */
uint64_t arch_hwcap2(void);			/* AT_HWCAP2 */
uint64_t arch_signal_stack_min(void);		/* AT_MINSIGSTKSZ: bytes of the largest frame */
