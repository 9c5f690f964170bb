/*
 * timer=pit hz=N: a periodic tick from the PIT (Intel 8254, channel 0) in place of one-shot timers,
 * as kernels of the 1990s had it. For the lab: with it a tick may be pending at the return to user
 * mode, which one-shot slices exclude.
 *
 * The divisor has 16 bits, so the chip cannot tick slower than 18.2 Hz: below that it ticks a whole
 * multiple faster and only each n-th tick counts. The other processors have no PIT: their APIC
 * timers tick at the same rate.
 */
#include "arch/x86_64/clock.h"

#include "arch/x86_64/cpu.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/klog.h"
#include "core/timer.h"
#include "lib/bits.h"
#include "lib/string.h"

#define PIT_HZ 1193182U
#define HZ_DEFAULT 100
#define HZ_MAX 10000

uint32_t periodic_hz;			/* [I] after x86_clock_init(); 0: one-shot */
static uint32_t ticks_per_tick;		/* the chip's, for one of ours */
static uint32_t ticks;			/* boot CPU */

static void pit_tick(void *arg)
{
	(void)arg;
	if (++ticks % ticks_per_tick == 0)
		timer_interrupt();
}

void pit_choose(void)
{
	const char *timer = cmdline_get("timer");
	uint64_t hz = HZ_DEFAULT;

	if (timer == NULL || strcmp(timer, "pit") != 0)
		return;
	(void)cmdline_get_uint("hz", &hz);
	periodic_hz = (uint32_t)CLAMP(hz, 1UL, (uint64_t)HZ_MAX);
}

void pit_start(void)
{
	uint32_t divisor;

	ticks_per_tick = DIV_ROUND_UP(19, periodic_hz);
	divisor = PIT_HZ / (periodic_hz * ticks_per_tick);
	if (irq_register_line(0, false, pit_tick, NULL) != 0) {
		log_error("timer=pit: there is no interrupt line for it");
		periodic_hz = 0;
		return;
	}
	outb(0x43, 0x34);		/* channel 0, both bytes, rate generator */
	outb(0x40, (uint8_t)divisor);
	outb(0x40, (uint8_t)(divisor >> 8));
}
