/*
 * The end of a machine, and of a processor's part in it.
 *
 * Under QEMU the launcher adds isa-debug-exit at port 0xf4: it ends with status (value << 1) | 1.
 * Without it: ACPI's S5 where the tables named it, Bochs's port, and last a triple fault, which an
 * emulator started with -no-reboot takes as the end.
 */
#include "abi/errno.h"
#include "arch/arch_down.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "arch/x86_64/serial.h"
#include "core/clock.h"
#include "core/klog.h"

#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_PANIC 0x3f
#define BOCHS_SHUTDOWN_PORT 0x8900

static noreturn_fn void triple_fault(void)
{
	struct packed_struct { uint16_t limit; uint64_t base; } none = { 0, 0 };

	__asm__ volatile("lidt %0; int3" : : "m"(none));
	arch_stop_this_cpu();
}

static void acpi_power_off(void)
{
	if (machine.sleep_register != 0) {
		volatile uint8_t *r = arch_map_device(phys(machine.sleep_register), 1);

		if (r != NULL)
			*r = (uint8_t)(machine.sleep_value << 2 | 1 << 5);
	}
	if (machine.sleep_port != 0)
		outw(machine.sleep_port, (uint16_t)(machine.sleep_value << 10 | 1 << 13));
}

void arch_power_off(int status)
{
	static const char shutdown[] = "Shutdown";

	arch_irq_disable();
	klog_flush();
	serial_drain();
	outb(DEBUG_EXIT_PORT, (uint8_t)status);
	acpi_power_off();
	for (const char *c = shutdown; *c != '\0'; c++)
		outb(BOCHS_SHUTDOWN_PORT, (uint8_t)*c);
	triple_fault();
}

void arch_reboot(void)
{
	arch_irq_disable();
	klog_flush();
	outb(0x64, 0xfe);		/* the keyboard controller's reset line */
	triple_fault();
}

void arch_panic_end(void)
{
	outb(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
	triple_fault();
}

void arch_stop_this_cpu(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void arch_idle(void)
{
	/* STI holds interrupts back for one instruction: none comes before the halt. */
	__asm__ volatile("sti; hlt" : : : "memory");
}
