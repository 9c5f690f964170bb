/*
 * The user's FPU, SSE and AVX registers. The kernel itself never touches them.
 *
 * Saving and restoring are dear, under emulation above all, so neither happens without need:
 *
 *   restored   on the way to user mode, when this CPU's registers are not this thread's already
 *   saved      on a switch away, when the thread was in user mode since they were last saved
 *
 * A CPU's `fpu_owner` is the thread whose state its registers hold, and that thread's `fpu_cpu`
 * names the CPU: the registers are good when both agree. Running elsewhere changes fpu_cpu, running
 * another thread here changes fpu_owner. `user_is_live` (struct cpu) says that the registers are
 * the running thread's and may be newer than its memory.
 *
 * All of it is the CPU's own, with interrupts off.
 */
#include "arch/x86_64/fpu.h"

#include "arch/arch_up.h"
#include "arch/x86_64/cpu.h"
#include "abi/errno.h"
#include "core/assert.h"
#include "lib/string.h"

#define XCR0_X87_SSE 3UL
#define XCR0_AVX 4UL

struct fpu_image fpu_initial;
uint32_t fpu_mxcsr_mask = 0xffbf;	/* the processor's, from FXSAVE; this when it says 0 */

void fpu_init(void)
{
	struct cpu_features *f = &cpu_features;

	f->xsave_mask = XCR0_X87_SSE | (f->avx ? XCR0_AVX : 0);
	f->xsave_bytes = 512;
	fpu_initial.control = 0x37f;
	fpu_initial.mxcsr = 0x1f80;
}

static void xcr0_write(uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_init_cpu(void)
{
	static struct fpu_image probe;

	__asm__ volatile("clts; fninit");
	if (cpu_features.xsave) {
		xcr0_write(cpu_features.xsave_mask);
		/* The size for what XCR0 allows, in the standard format. */
		cpu_features.xsave_bytes = cpuid(0xd, 0).b;
		VERIFY(cpu_features.xsave_bytes <= sizeof(struct fpu_image));
	}
	if (cpu_id() == 0) {
		__asm__ volatile("fxsave64 %0" : "=m"(probe));
		if (probe.mxcsr_mask != 0)
			fpu_mxcsr_mask = probe.mxcsr_mask;
	}
}

size_t arch_fpu_bytes(void) { return cpu_features.xsave_bytes; }

static void fpu_save(struct fpu_image *area)
{
	uint32_t low = (uint32_t)cpu_features.xsave_mask;

	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 %0" : "+m"(*area) : "a"(low), "d"(0) : "memory");
	else if (cpu_features.xsave)
		__asm__ volatile("xsave64 %0" : "+m"(*area) : "a"(low), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*area) : : "memory");
}

static void fpu_load(const struct fpu_image *area)
{
	int error = cpu_features.xsave ? xrstor_checked(area) : fxrstor_checked(area);

	/* What comes from programs was checked; a refusal all the same gets the initial state. */
	if (unlikely(error != 0))
		(void)(cpu_features.xsave ? xrstor_checked(&fpu_initial)
					  : fxrstor_checked(&fpu_initial));
}

void fpu_save_live(void)
{
	struct cpu_arch *cpu = cpu_arch_self();

	if (!cpu_self()->user_is_live)
		return;
	fpu_save(cpu->fpu_owner->fpu);
	cpu_self()->user_is_live = false;
}

static never_inline void load_owner(struct cpu_arch *cpu, struct arch_thread *at)
{
	fpu_load(at->fpu);
	cpu->fpu_owner = at;
	at->fpu_cpu = cpu_id();
}

static bool registers_are_of(const struct cpu_arch *cpu, const struct arch_thread *at)
{
	return cpu->fpu_owner == at && at->fpu_cpu == cpu_id();
}

bool fpu_save_to_user(user_addr_t to)
{
	irq_state_t state = arch_irq_save();
	struct cpu_arch *cpu = cpu_arch_self();
	bool done = registers_are_of(cpu, cpu->running) &&
		    xsave_user((void *)to.value, (uint32_t)cpu_features.xsave_mask) == 0;

	arch_irq_restore(state);
	return done;
}

bool fpu_load_from_user(user_addr_t from)
{
	irq_state_t state = arch_irq_save();
	struct cpu_arch *cpu = cpu_arch_self();
	struct arch_thread *at = cpu->running;
	bool done;

	ASSERT(!cpu_self()->user_is_live || cpu->fpu_owner == at);
	fpu_forget(at);
	cpu->fpu_owner = NULL;		/* whosever they were: they may be lost half way */
	done = xrstor_user((const void *)from.value, (uint32_t)cpu_features.xsave_mask) == 0;
	if (done) {
		cpu->fpu_owner = at;
		at->fpu_cpu = cpu_id();
		cpu_self()->user_is_live = true;
	}
	arch_irq_restore(state);
	return done;
}

void arch_prepare_user(void)
{
	struct cpu_arch *cpu = cpu_arch_self();
	struct arch_thread *at = cpu->running;

	if (unlikely(!registers_are_of(cpu, at)))
		load_owner(cpu, at);
	cpu_self()->user_is_live = true;
}

void fpu_forget(struct arch_thread *at)
{
	struct cpu_arch *cpu = cpu_arch_self();

	at->fpu_cpu = CPU_MAX;
	if (cpu->fpu_owner == at) {
		cpu->fpu_owner = NULL;
		cpu_self()->user_is_live = false;
	}
}

/* With XSAVE, components that are not present are loaded in their initial state: only MXCSR is
 * always read. What lies in them is not looked at before fpu_materialise(). */
static void image_reset(struct fpu_image *image)
{
	if (!cpu_features.xsave) {
		memcpy(image, &fpu_initial, cpu_features.xsave_bytes);
		return;
	}
	image->mxcsr = fpu_initial.mxcsr;
	image->present = 0;
}

int arch_thread_init_user(struct arch_thread *at, bool inherit)
{
	struct cpu_arch *cpu;
	irq_state_t state;

	at->fpu = machine_fpu_allocate();
	if (at->fpu == NULL)
		return -ENOMEM;
	at->fpu_cpu = CPU_MAX;
	at->fs_base = 0;
	at->gs_base = 0;
	state = arch_irq_save();
	cpu = cpu_arch_self();
	if (inherit && cpu->running != NULL) {
		segments_save(cpu->running);
		at->fs_base = cpu->running->fs_base;
		at->gs_base = cpu->running->gs_base;
		fpu_save_live();
		memcpy(at->fpu, cpu->running->fpu, cpu_features.xsave_bytes);
	} else {
		memset(at->fpu, 0, cpu_features.xsave_bytes);
		image_reset(at->fpu);
	}
	arch_irq_restore(state);
	return 0;
}

void arch_thread_fini(struct arch_thread *at)
{
	if (at->fpu != NULL)
		machine_fpu_free(at->fpu);
	at->fpu = NULL;
}

void fpu_reset(struct arch_thread *at)
{
	irq_state_t state = arch_irq_save();

	fpu_forget(at);
	image_reset(at->fpu);
	arch_irq_restore(state);
}

void arch_thread_reset_user(struct arch_thread *at)
{
	irq_state_t state = arch_irq_save();

	fpu_reset(at);
	at->fs_base = 0;
	at->gs_base = 0;
	segments_load(at);
	arch_irq_restore(state);
}

/* --- state in memory, for signal frames and ptrace ---------------------------------------- */

void fpu_materialise(struct fpu_image *area)
{
	if (!cpu_features.xsave)
		return;
	if ((area->present & 1) == 0) {
		memset(area, 0, offsetof(struct fpu_image, mxcsr));
		area->control = fpu_initial.control;
		memset(area->registers, 0, 128);
	}
	if ((area->present & 2) == 0)
		memset(area->registers + 128, 0, 256);
	if ((area->present & 4) == 0 && cpu_features.avx)
		memset(area->avx, 0, sizeof(area->avx));
	area->present |= XCR0_X87_SSE;
}

int fpu_check(struct fpu_image *image, size_t bytes)
{
	if ((image->mxcsr & ~fpu_mxcsr_mask) != 0)
		return -EINVAL;
	if (bytes < offsetof(struct fpu_image, avx)) {
		memset(&image->present, 0, sizeof(*image) - offsetof(struct fpu_image, present));
		image->present = XCR0_X87_SSE;
		return 0;
	}
	for (unsigned int i = 0; i < 6; i++)
		if (image->reserved1[i] != 0)
			return -EINVAL;
	if (image->compacted != 0 || (image->present & ~cpu_features.xsave_mask) != 0)
		return -EINVAL;
	/* State that the image is too short for cannot be present. */
	if (bytes < sizeof(*image))
		image->present &= XCR0_X87_SSE;
	return 0;
}

size_t arch_fpregs_bytes(bool extended) { return extended ? cpu_features.xsave_bytes : 512; }

/* The current thread's registers go to memory first; any other's are there. */
static void bring_to_memory(struct arch_thread *at)
{
	irq_state_t state = arch_irq_save();

	if (cpu_arch_self()->running == at)
		fpu_save_live();
	arch_irq_restore(state);
}

void arch_fpregs_get(struct arch_thread *at, void *out, bool extended)
{
	struct fpu_image *area = at->fpu;

	bring_to_memory(at);
	fpu_materialise(area);
	memcpy(out, area, arch_fpregs_bytes(extended));
	/* Where debuggers look for what the area may hold: sw_reserved, as in a signal frame. */
	if (extended)
		memcpy((char *)out + 464, &cpu_features.xsave_mask, sizeof(uint64_t));
}

int arch_fpregs_set(struct arch_thread *at, const void *in, bool extended)
{
	struct fpu_image image;
	irq_state_t state;

	memset(&image, 0, sizeof(image));
	memcpy(&image, in, arch_fpregs_bytes(extended));
	if (fpu_check(&image, arch_fpregs_bytes(extended)) != 0)
		return -EINVAL;
	state = arch_irq_save();
	fpu_forget(at);
	memcpy(at->fpu, &image, cpu_features.xsave_bytes);
	arch_irq_restore(state);
	return 0;
}
