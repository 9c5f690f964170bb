/*
 * Virtual processors: interrupts, time, idling. A coroutine runs until it yields; an interrupt is
 * taken by the processor itself, at a schedule point or where it enables them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi/errno.h"
#include "arch/arch_up.h"
#include "arch/host/host_internal.h"
#include "core/assert.h"
#include "core/clock.h"
#include "core/timer.h"

struct cpu *host_cpu = &cpus[0];
bool host_irq_flag[CPU_MAX];
bool host_exploring;
struct host_processor host_processors[CPU_MAX];
uint32_t host_cpu_total = 1;
uint64_t host_time_ns = 1000;

static uint64_t tick_period_ns;
static uint64_t cycles;
static void (*idle_function)(void);

/* The first switch to a coroutine comes from host_resume(). */
static void idle_start(void)
{
	host_entered();
	idle_function();
}

void host_boot(uint32_t cpu_total, void (*init)(uint32_t cpu), void (*idle)(void))
{
	host_cpu_total = cpu_total;
	cpu_count = cpu_total;
	idle_function = idle;
	timer_system_init();
	for (uint32_t i = 0; i < cpu_total; i++) {
		struct host_processor *p = &host_processors[i];

		cpus[i].self = &cpus[i];
		cpus[i].id = i;
		cpus[i].online = true;
		p->idle_top = p->stack_top = host_stack_allocate();
		p->stack_pointer = host_plant((void *)p->idle_top, idle_start);
		p->timer_ns = p->tick_ns = TIME_NEVER;
		host_cpu = &cpus[i];
		init(i);
	}
	for (uint32_t i = 0; i < cpu_total; i++)
		host_resume(i);
	host_cpu = &cpus[0];
}

void (*host_console_hook)(const char *text, size_t n);

uint64_t host_cycles(void) { return ++cycles; }

void arch_cycles_scale(uint64_t *base, uint64_t *mult)
{
	*base = 0;
	*mult = 1UL << 32;
}


/* --- interrupts ------------------------------------------------------------------------------ */

bool host_has_interrupt(uint32_t cpu)
{
	const struct host_processor *p = &host_processors[cpu];

	return p->pending != 0 || p->timer_ns <= host_time_ns || p->tick_ns <= host_time_ns;
}

bool host_is_runnable(uint32_t cpu)
{
	const struct host_processor *p = &host_processors[cpu];

	if (p->state == HOST_HALTED)
		return host_has_interrupt(cpu);
	if (p->state == HOST_USER)
		return host_has_interrupt(cpu) || p->user_until_ns <= host_time_ns;
	return true;
}

static void take_one(struct host_processor *p)
{
	for (uint32_t kind = IPI_RESCHEDULE; kind <= IPI_STOP; kind++) {
		if ((p->pending & (1u << kind)) != 0) {
			p->pending &= ~(1u << kind);
			ipi_receive((enum ipi_kind)kind);
			return;
		}
	}
	if (p->timer_ns <= host_time_ns)
		p->timer_ns = TIME_NEVER;
	if (p->tick_ns <= host_time_ns)
		p->tick_ns = host_time_ns + tick_period_ns;
	timer_interrupt();
}

void host_take_interrupt(bool from_user)
{
	struct cpu *cpu = cpu_self();

	arch_irq_disable();
	cpu->preempt_count++;
	cpu->irq_depth++;
	take_one(&host_processors[cpu->id]);
	cpu->irq_depth--;
	cpu->preempt_count--;
	if (!from_user) {
		kernel_interrupt_return();
		/* Perhaps on another processor by now. */
		host_irq_flag[cpu_id()] = true;
	}
}

void host_irq_opened(void)
{
	while (host_irq_flag[cpu_id()] && host_has_interrupt(cpu_id()) && cpu_current() != NULL)
		host_take_interrupt(false);
}

void host_schedule_point(void)
{
	host_time_ns++;
	host_irq_opened();
	host_yield(HOST_READY);
	host_irq_opened();
}

void host_pause(void)
{
	if (!host_exploring) {
		fprintf(stderr, "# arch/host: a spin loop that nobody can end\n");
		abort();
	}
	host_time_ns++;
	host_irq_opened();
	host_yield(HOST_SPINNING);
	host_irq_opened();
}

void arch_idle(void)
{
	host_irq_flag[cpu_id()] = true;
	while (!host_has_interrupt(cpu_id()))
		host_yield(HOST_HALTED);
	host_irq_opened();
}

void host_raise(uint32_t cpu, enum ipi_kind kind) { host_processors[cpu].pending |= 1u << kind; }
void arch_ipi_send(uint32_t cpu, enum ipi_kind kind) { host_raise(cpu, kind); }

/* --- time ------------------------------------------------------------------------------------ */

uint64_t arch_clock_ns(void) { return host_time_ns; }
uint64_t arch_wall_seconds_at_boot(void) { return 1577836800; }

void arch_timer_arm(uint64_t delta_ns)
{
	bool never = delta_ns == TIME_NEVER || tick_period_ns != 0;

	host_processors[cpu_id()].timer_ns = never ? TIME_NEVER : host_time_ns + delta_ns;
}

void host_set_periodic_tick(uint64_t period_ns)
{
	tick_period_ns = period_ns;
	for (uint32_t i = 0; i < host_cpu_total; i++)
		host_processors[i].tick_ns = period_ns == 0 ? TIME_NEVER : host_time_ns + period_ns;
}

bool host_advance_to_event(void)
{
	uint64_t next = TIME_NEVER;

	for (uint32_t i = 0; i < host_cpu_total; i++) {
		const struct host_processor *p = &host_processors[i];

		if (p->state == HOST_USER && p->user_until_ns < next)
			next = p->user_until_ns;
		if (p->timer_ns < next)
			next = p->timer_ns;
		if (p->tick_ns < next)
			next = p->tick_ns;
	}
	if (next == TIME_NEVER)
		return false;
	if (next > host_time_ns)
		host_time_ns = next;
	return true;
}

void host_burn(uint64_t ns) { host_time_ns += ns; }

/* --- the rest of arch_down.h ----------------------------------------------------------------- */

void arch_power_off(int status) { exit(status); }
void arch_reboot(void) { exit(0); }
void arch_stop_this_cpu(void) { host_fail("a processor was stopped"); }
void arch_panic_end(void) { abort(); }
void arch_console_write(const char *text, size_t n)
{
	if (host_console_hook != NULL)
		host_console_hook(text, n);
	else
		fwrite(text, 1, n, stderr);
}

long arch_console_read(char *text, size_t n) { return -ENODEV; }
size_t arch_backtrace(uint64_t frame_pointer, uint64_t *pcs, size_t max) { return 0; }
void arch_init_machine(void) { }
void arch_start_processors(void) { }
void arch_join_processors(void) { }
uint64_t arch_random_seed(void) { return 42; }
uint64_t arch_hwcap(void) { return 0; }
size_t arch_vdso_image(phys_t *start) { return 0; }
phys_t arch_vdso_data(void) { return phys(0); }
void arch_vdso_set_wall_offset(uint64_t offset_ns) { }

void arch_cpu_topology(uint32_t cpu, struct arch_topology *out)
{
	*out = (struct arch_topology){ .package = 0, .core = cpu };
}

size_t arch_cpuinfo(uint32_t cpu, char *buf, size_t n)
{
	return (size_t)snprintf(buf, n, "processor\t: %u\n", cpu);
}
