/*
 * The first C code: from the boot loader's state to kernel_start(), on the boot stack.
 */
#include "abi/errno.h"
#include "arch/arch_up.h"
#include "arch/boot_info.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/boot_info_x86.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/smp.h"
#include "arch/x86_64/space_switch.h"
#include "arch/x86_64/vdso.h"
#include "core/cmdline.h"

extern char boot_stack_top[];
static char boot_ist[IST_COUNT][IST_STACK_SIZE] __attribute__((aligned(IST_STACK_SIZE)));

void arch_start(uint32_t magic, uint32_t info) noreturn_fn;

/* Each line needs what is above it. */
void arch_start(uint32_t magic, uint32_t info)
{
	void *ist[IST_COUNT] = { boot_ist[0], boot_ist[1], boot_ist[2], boot_ist[3] };

	idt_init();
	cpu_init_tables(0, 0, ist);		/* per-CPU data: locks and panic() work from here */
	cpus[0].online = true;
	cpus[0].kernel_stack_top = (uint64_t)boot_stack_top;
	serial_init();
	cpu_detect();
	cpu_patch_smap();			/* while the text is writable */
	boot_info_read(magic, info);
	smp_reserve_trampoline();
	paging_init();
	fpu_init();
	cpu_init_features();
	cmdline_init(boot_info.cmdline);
	kernel_start();
}

void arch_init_machine(void)
{
	machine_read();
	apic_init(&machine);
	ioapic_init(&machine);
	x86_clock_init();
	x86_clock_init_cpu();
	serial_choose();
	space_switch_choose();
	vdso_init();
}
