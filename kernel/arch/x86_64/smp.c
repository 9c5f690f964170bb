/*
 * Starting the other processors (Intel SDM 3A, section 9.4): INIT, then a start-up IPI that names
 * a page below 1 MiB, where `trampoline` (boot.S) lies.
 *
 * All are started at once and come up in any order; each finds its number by its APIC id and its
 * stack by its number. Processors are numbered as the firmware lists them, the boot processor 0.
 * cpu_count is raised when they are joined: the numbers from the first that did not come on are
 * given to nobody, so online ones are 0..n-1.
 */
#include "arch/x86_64/smp.h"

#include "arch/arch_up.h"
#include "arch/boot_info.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/boot_info_x86.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "core/assert.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/klog.h"
#include "lib/string.h"

#define STACK_SIZE (16 * 1024UL)
#define PATIENCE_NS (2 * NSEC_PER_SEC)
#define INIT_WAIT_US 10000

/* Read by boot.S. */
uint8_t ap_number[256];
uint64_t ap_stacks[CPU_MAX];

extern const char trampoline[], trampoline_end[];
static uint64_t trampoline_page;
static atomic32_t arrived;		/* mask of processors that wait for `go` */
static atomic32_t go;
static uint32_t prepared = 1;		/* numbers given out; boot thread */
static void *ap_ist[CPU_MAX][IST_COUNT];

void ap_start(uint32_t id) noreturn_fn;

void smp_reserve_trampoline(void)
{
	trampoline_page = boot_info_take(PAGE_SIZE, PAGE_SIZE, 0xa0000);
}

void ap_start(uint32_t id)
{
	cpu_init_tables(id, cpu_of(cpu_arch, id)->apic_id, ap_ist[id]);
	cpus[id].kernel_stack_top = ap_stacks[id];
	cpu_init_features();
	apic_init_cpu();
	x86_clock_init_cpu();
	(void)atomic32_or(&arrived, 1u << id);
	/* Halted, not spinning: the others need the host's processors to come up. */
	arch_irq_disable();
	while (atomic32_load_acquire(&go) == 0) {
		arch_idle();
		arch_irq_disable();
	}
	if (!cpus[id].online)
		arch_stop_this_cpu();
	cpu_secondary_start();
}

/* Gives the processor what it needs to run; false when memory has ended. */
static bool prepare(uint32_t id, uint32_t apic_id)
{
	void *stack = machine_stack_allocate();

	if (stack == NULL)
		return false;
	for (uint32_t i = 0; i < IST_COUNT; i++) {
		ap_ist[id][i] = machine_page_allocate();
		if (ap_ist[id][i] == NULL)
			return false;
	}
	ap_stacks[id] = (uint64_t)stack + STACK_SIZE;
	ap_number[apic_id] = (uint8_t)id;
	cpu_of(cpu_arch, id)->apic_id = apic_id;
	return true;
}

/* Numbers the processors but this one; how many there are with it. */
static uint32_t prepare_all(void)
{
	uint32_t next = 1;

	for (uint32_t i = 0; i < machine.processor_count && next < CPU_MAX; i++) {
		if (machine.processors[i] == cpu_of(cpu_arch, 0)->apic_id)
			continue;
		if (!prepare(next, machine.processors[i]))
			break;
		next++;
	}
	return next;
}

static void wait_for(uint32_t mask, uint64_t ns)
{
	uint64_t end = clock_ns() + ns;

	while ((atomic32_load_acquire(&arrived) & mask) != mask && clock_ns() < end)
		arch_pause();
}

static void start(uint32_t count)
{
	for (uint32_t id = 1; id < count; id++)
		apic_send_init(cpu_of(cpu_arch, id)->apic_id);
	/* Real processors need the pause; emulated ones are ready at once. */
	if (cpu_features.hypervisor == HYPERVISOR_NONE)
		x86_delay_us(INIT_WAIT_US);
	for (uint32_t id = 1; id < count; id++)
		apic_send_startup(cpu_of(cpu_arch, id)->apic_id, (uint32_t)trampoline_page);
}

/* The second start-up IPI that real processors may need. */
static void start_again(uint32_t count)
{
	for (uint32_t id = 1; id < count; id++)
		if ((atomic32_load(&arrived) & 1u << id) == 0)
			apic_send_startup(cpu_of(cpu_arch, id)->apic_id, (uint32_t)trampoline_page);
}

void arch_start_processors(void)
{
	if (machine.processor_count <= 1)
		return;
	if (trampoline_page == 0) {
		log_warn("no page below 640 KiB: only one processor is used");
		return;
	}
	prepared = prepare_all();
	memcpy(phys_to_virt(phys(trampoline_page)), trampoline,
	       (size_t)(trampoline_end - trampoline));
	start(prepared);
}

void arch_join_processors(void)
{
	uint32_t online = 1;

	if (prepared <= 1)
		return;
	if (cpu_features.hypervisor == HYPERVISOR_NONE) {
		wait_for((1u << prepared) - 2, 200 * NSEC_PER_USEC);
		start_again(prepared);
	}
	wait_for((1u << prepared) - 2, PATIENCE_NS);
	while (online < prepared && (atomic32_load_acquire(&arrived) & 1u << online) != 0)
		cpus[online++].online = true;
	if (online < machine.processor_count)
		log_warn("%u of %u processors came up", online, machine.processor_count);
	store_release(&cpu_count, online);
	atomic32_store_release(&go, 1);
	for (uint32_t id = 1; id < prepared; id++)
		arch_ipi_send(id, IPI_CALL);
}
