/*
 * Processors: features, descriptor tables, control registers.
 *
 * CR4 is loaded whole from what CPUID says, never or-ed into what firmware left. A kernel for which
 * a feature is missing still runs: without SMAP the patch sites stay no-ops, without FSGSBASE the
 * segment bases go through MSRs, without XSAVE the FPU goes through FXSAVE.
 */
#include "arch/x86_64/cpu.h"

#include "arch/x86_64/space_switch.h"
#include "arch/x86_64/trap_frame.h"
#include "core/assert.h"
#include "lib/string.h"

struct cpu_features cpu_features;
PERCPU(struct cpu_arch, cpu_arch);

extern char syscall_entry[];
extern const struct { uint64_t at, opcode; } smap_sites[], smap_sites_end[];

#define CHECK_OFFSET(type, field, number)                                                         \
	_Static_assert(offsetof(type, field) == (number), "cpu_offsets.h: " #field)
CHECK_OFFSET(struct cpu, self, CPU_SELF);
CHECK_OFFSET(struct cpu, current, CPU_CURRENT);
CHECK_OFFSET(struct cpu, kernel_stack_top, CPU_KERNEL_STACK_TOP);
CHECK_OFFSET(struct cpu, user_sp_scratch, CPU_USER_SP_SCRATCH);
CHECK_OFFSET(struct trap_frame, r15, FRAME_R15);
CHECK_OFFSET(struct trap_frame, rbp, FRAME_RBP);
CHECK_OFFSET(struct trap_frame, r11, FRAME_R11);
CHECK_OFFSET(struct trap_frame, rax, FRAME_RAX);
CHECK_OFFSET(struct trap_frame, rdi, FRAME_RDI);
CHECK_OFFSET(struct trap_frame, trap, FRAME_TRAP);
CHECK_OFFSET(struct trap_frame, orig_rax, FRAME_ORIG_RAX);
CHECK_OFFSET(struct trap_frame, rip, FRAME_RIP);
CHECK_OFFSET(struct trap_frame, cs, FRAME_CS);
CHECK_OFFSET(struct trap_frame, rsp, FRAME_RSP);
CHECK_OFFSET(struct trap_frame, ss, FRAME_SS);
_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "cpu_offsets.h: FRAME_SIZE");
_Static_assert(sizeof(struct tss) == 104, "TSS");
_Static_assert(CPU_MAX == 16, "kernel.ld has room for 15 blocks beside the boot processor's");

#define BIT_OF(word, n) (((word) >> (n) & 1) != 0)

static void detect_hypervisor(void)
{
	struct cpuid r = cpuid(0x40000000, 0);
	char name[13];

	memcpy(name, &r.b, 4);
	memcpy(name + 4, &r.c, 4);
	memcpy(name + 8, &r.d, 4);
	name[12] = '\0';
	cpu_features.hypervisor_leaf_max = r.a;
	if (strcmp(name, "TCGTCGTCGTCG") == 0)
		cpu_features.hypervisor = HYPERVISOR_TCG;
	else if (strncmp(name, "KVMKVMKVM", 9) == 0)
		cpu_features.hypervisor = HYPERVISOR_KVM;
	else
		cpu_features.hypervisor = HYPERVISOR_OTHER;
}

static void detect_names(uint32_t extended_max)
{
	struct cpuid r = cpuid(0, 0);

	memcpy(cpu_features.vendor, &r.b, 4);
	memcpy(cpu_features.vendor + 4, &r.d, 4);
	memcpy(cpu_features.vendor + 8, &r.c, 4);
	for (uint32_t i = 0; i < 3 && extended_max >= 0x80000004; i++) {
		r = cpuid(0x80000002 + i, 0);
		memcpy(cpu_features.brand + 16 * i, &r, 16);
	}
	r = cpuid(1, 0);
	cpu_features.signature = r.a;
	cpu_features.stepping = r.a & 15;
	cpu_features.model = (r.a >> 4 & 15) | (r.a >> 12 & 0xf0);
	cpu_features.family = (r.a >> 8 & 15) + ((r.a >> 8 & 15) == 15 ? r.a >> 20 & 0xff : 0);
}

void cpu_detect(void)
{
	struct cpu_features *f = &cpu_features;
	struct cpuid one = cpuid(1, 0), seven = { 0 }, extended = { 0 };
	uint32_t extended_max = cpuid(0x80000000, 0).a;

	f->leaf_max = cpuid(0, 0).a;
	if (f->leaf_max >= 7)
		seven = cpuid(7, 0);
	if (extended_max >= 0x80000001)
		extended = cpuid(0x80000001, 0);
	f->smep = BIT_OF(seven.b, 7);
	f->smap = BIT_OF(seven.b, 20);
	f->umip = BIT_OF(seven.c, 2);
	f->fsgsbase = BIT_OF(seven.b, 0);
	f->erms = BIT_OF(seven.b, 9);
	f->rdseed = BIT_OF(seven.b, 18);
	f->xsave = BIT_OF(one.c, 26) && f->leaf_max >= 0xd;
	f->avx = f->xsave && BIT_OF(one.c, 28);
	f->xsaveopt = f->xsave && BIT_OF(cpuid(0xd, 1).a, 0);
	f->x2apic = BIT_OF(one.c, 21);
	f->tsc_deadline = BIT_OF(one.c, 24);
	f->rdrand = BIT_OF(one.c, 30);
	f->pages_1g = BIT_OF(extended.d, 26);
	f->rdtscp = BIT_OF(extended.d, 27);
	if (BIT_OF(one.c, 31))
		detect_hypervisor();
	detect_names(extended_max);
}

void cpu_patch_smap(void)
{
	if (!cpu_features.smap)
		return;
	for (uint64_t i = 0; &smap_sites[i] < smap_sites_end; i++) {
		uint8_t *at = (uint8_t *)smap_sites[i].at;

		at[0] = 0x0f;
		at[1] = 0x01;
		at[2] = (uint8_t)smap_sites[i].opcode;
	}
}

static void load_segments(struct cpu_arch *arch, uint32_t id)
{
	struct packed_struct { uint16_t limit; uint64_t base; } pointer = {
		sizeof(arch->gdt) - 1, (uint64_t)arch->gdt };
	uint64_t tss = (uint64_t)&arch->tss;

	arch->gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
	arch->gdt[KERNEL_DS / 8] = 0x00cf93000000ffff;
	arch->gdt[USER_CS32 / 8] = 0x00cffb000000ffff;
	arch->gdt[USER_DS / 8] = 0x00cff3000000ffff;
	arch->gdt[USER_CS / 8] = 0x00affb000000ffff;
	arch->gdt[TSS_SELECTOR / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
		0x89UL << 40 | (tss >> 24 & 0xff) << 56;
	arch->gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl %2, %%ss\n\t"
			 "xorl %%eax, %%eax\n\t"
			 "movl %%eax, %%ds\n\t"
			 "movl %%eax, %%es\n\t"
			 "movl %%eax, %%fs\n\t"
			 "movl %%eax, %%gs\n\t"
			 "ltr %w3"
			 : : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(TSS_SELECTOR)
			 : "rax", "memory");
	/* Loading a null selector cleared the base on some processors: GS comes last. */
	wrmsr(MSR_GS_BASE, (uint64_t)&cpus[id]);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(MSR_FS_BASE, 0);
}

void cpu_init_tables(uint32_t id, uint32_t apic_id, void *const ist[IST_COUNT])
{
	struct cpu *cpu = &cpus[id];
	struct cpu_arch *arch = cpu_of(cpu_arch, id);

	cpu->self = cpu;
	cpu->id = id;
	cpu->arch = arch;
	cpu->percpu_offset = id * (uint64_t)percpu_bytes;
	arch->apic_id = apic_id;
	arch->tss.io_map_base = sizeof(struct tss);	/* no port is the user's */
	for (uint32_t i = 0; i < IST_COUNT; i++) {
		uint64_t top = (uint64_t)ist[i] + IST_STACK_SIZE;

		((struct cpu **)top)[-1] = cpu;
		arch->tss.ist[i] = top - 16;
	}
	load_segments(arch, id);
	idt_load();
}

#define CR4_DE (1UL << 3)
#define CR4_PAE (1UL << 5)
#define CR4_MCE (1UL << 6)
#define CR4_PGE (1UL << 7)
#define CR4_OSFXSR (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_UMIP (1UL << 11)
#define CR4_FSGSBASE (1UL << 16)
#define CR4_OSXSAVE (1UL << 18)
#define CR4_SMEP (1UL << 20)
#define CR4_SMAP (1UL << 21)

void cpu_init_features(void)
{
	const struct cpu_features *f = &cpu_features;

	write_cr4(CR4_DE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT |
		  (f->umip ? CR4_UMIP : 0) | (f->fsgsbase ? CR4_FSGSBASE : 0) |
		  (f->xsave ? CR4_OSXSAVE : 0) | (f->smep ? CR4_SMEP : 0) |
		  (f->smap ? CR4_SMAP : 0) | space_switch_cr4);
	wrmsr(MSR_STAR, (uint64_t)USER_CS32 << 48 | (uint64_t)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_SFMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL |
	      RFLAGS_RF | RFLAGS_ID | RFLAGS_CF);
	wrmsr(MSR_SYSENTER_CS, 0);		/* SYSENTER is then a #GP */
	if (f->rdtscp)
		wrmsr(MSR_TSC_AUX, cpu_id());	/* getcpu() of the vDSO */
	fpu_init_cpu();
}

void arch_set_kernel_stack(void *stack_top)
{
	cpu_self()->kernel_stack_top = (uint64_t)stack_top;
	cpu_arch_self()->tss.rsp[0] = (uint64_t)stack_top;
}
