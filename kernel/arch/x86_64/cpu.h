/*
 * One processor of this architecture: what it can do, its descriptor tables, what its registers
 * hold of user threads. Private to arch/x86_64.
 */
#pragma once

#include "arch/arch_down.h"
#include "arch/x86_64/cpu_offsets.h"
#include "core/percpu.h"

/* --- privileged instructions -------------------------------------------------------------- */

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_SYSENTER_CS 0x174
#define MSR_X2APIC 0x800
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE MSR_GS_BASE_NUMBER
#define MSR_KERNEL_GS_BASE 0xc0000102	/* the one that SWAPGS brings: the user's, in the kernel */
#define MSR_TSC_AUX 0xc0000103

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

struct cpuid { uint32_t a, b, c, d; };

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define DEFINE_CONTROL_REGISTER(name)                                                             \
static inline uint64_t read_##name(void)                                                          \
{ uint64_t v; __asm__ volatile("mov %%" #name ", %0" : "=r"(v) : : "memory"); return v; }         \
static inline void write_##name(uint64_t v)                                                       \
{ __asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory"); }

DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)

/* --- features ----------------------------------------------------------------------------- */

enum hypervisor { HYPERVISOR_NONE, HYPERVISOR_TCG, HYPERVISOR_KVM, HYPERVISOR_OTHER };

/* Read once on the boot processor; the others are taken to be its equals. */
struct cpu_features {
	bool smep, smap, umip, fsgsbase, xsave, xsaveopt, avx, pages_1g, x2apic, tsc_deadline;
	bool rdrand, rdseed, rdtscp, erms;
	enum hypervisor hypervisor;
	uint32_t hypervisor_leaf_max;
	uint32_t leaf_max;
	uint32_t xsave_bytes;		/* of the FPU area; 512 without XSAVE */
	uint64_t xsave_mask;		/* XCR0 */
	char vendor[13], brand[49];
	uint32_t family, model, stepping, signature;
};

extern struct cpu_features cpu_features;	/* [I] after the first processor's start */

/* --- per processor ------------------------------------------------------------------------ */

struct packed_struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
};

struct cpu_arch {
	struct tss tss __attribute__((aligned(16)));
	uint64_t gdt[10];
	uint32_t apic_id;		/* [I] */
	/* [c] interrupts off: what the registers hold */
	struct arch_thread *fpu_owner;	/* may be gone: compared, never followed unless they are
					 * live (struct cpu) */
	struct arch_thread *running;	/* the current thread's, NULL for kernel threads */
	uint64_t fs_base, gs_base;	/* as loaded */
};

PERCPU_DECLARE(struct cpu_arch, cpu_arch);

static inline struct cpu_arch *cpu_arch_self(void) { return cpu_self()->arch; }

void cpu_detect(void);			/* fills cpu_features */
/* GS, GDT, TSS of processor `id`, with a page for each IST stack: now per-CPU functions work. */
void cpu_init_tables(uint32_t id, uint32_t apic_id, void *const ist[IST_COUNT]);
/* CR4, EFER, system call MSRs, XCR0: after the final page tables are loaded. */
void cpu_init_features(void);
void cpu_patch_smap(void);		/* before the text becomes read-only */

void idt_init(void);			/* once */
void idt_load(void);			/* each processor */

void fpu_init(void);			/* once: sizes, the initial image */
void fpu_init_cpu(void);
