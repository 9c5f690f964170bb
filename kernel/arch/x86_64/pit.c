/*
 * timer=pit hz=N: a periodic tick from the PIT (Intel 8254, channel 0) in place of one-shot timers,
 * as kernels of the 1990s had it. For the lab: with it a tick may be pending at the return to user
 * mode, which one-shot slices exclude.
 *
 * The divisor has 16 bits, so the chip cannot tick slower than 18.2 Hz: below that it ticks a whole
 * multiple faster and only each n-th tick counts. The other processors have no PIT: their APIC
 * timers tick at the same rate.
 *
 * divisor=N in place of hz= is what a kernel writes that does not know that: the chip gets the low
 * 16 bits. 10 Hz asks for 119318 and gets 53782, 22.19 Hz.
 */
#include "arch/x86_64/clock.h"

#include "arch/x86_64/cpu.h"
#include "core/cmdline.h"
#include "core/irq.h"
#include "core/klog.h"
#include "core/timer.h"
#include "lib/bits.h"

#define PIT_HZ 1193182U
#define HZ_DEFAULT 100
#define HZ_MAX 1000
#define DIVISOR_BITS 16

uint32_t periodic_hz;			/* [I] after x86_clock_init(); 0: one-shot */
static uint32_t divisor;		/* of the chip's clock */
static uint32_t ticks_per_tick;		/* the chip's, for one of ours */
static uint32_t ticks;			/* boot CPU */

static void pit_tick(void *arg)
{
	(void)arg;
	if (++ticks % ticks_per_tick == 0)
		timer_interrupt();
}

/* A divisor as a driver computes it, cut to what the chip takes; 0 means 65536 there. */
static void choose_divisor(uint64_t wanted)
{
	divisor = (uint32_t)(wanted & ((1u << DIVISOR_BITS) - 1));
	if (divisor == 0)
		divisor = 1u << DIVISOR_BITS;
	ticks_per_tick = 1;
	periodic_hz = DIV_ROUND_UP(PIT_HZ, divisor);
	log_warn("pit: divisor %lu is %u to the chip: %u.%02u Hz", wanted, divisor,
		 PIT_HZ / divisor, PIT_HZ % divisor * 100 / divisor);
}

static void choose_rate(uint64_t hz)
{
	periodic_hz = (uint32_t)hz;
	ticks_per_tick = DIV_ROUND_UP(19, periodic_hz);
	divisor = PIT_HZ / (periodic_hz * ticks_per_tick);
}

void pit_choose(void)
{
	uint64_t hz = HZ_DEFAULT, wanted;
	/* Read where nothing uses it too: else the log would not know the word. */
	const bool has_divisor = cmdline_get_uint("divisor", 0, UINT32_MAX, &wanted);

	if (cmdline_choice("timer", "pit") < 0)
		return;
	(void)cmdline_get_uint("hz", 1, HZ_MAX, &hz);
	if (has_divisor)
		choose_divisor(wanted);
	else
		choose_rate(hz);
}

void pit_start(void)
{
	if (irq_register_line(0, false, pit_tick, NULL) != 0) {
		log_error("timer=pit: there is no interrupt line for it");
		periodic_hz = 0;
		return;
	}
	outb(0x43, 0x34);		/* channel 0, both bytes, rate generator */
	outb(0x40, (uint8_t)divisor);
	outb(0x40, (uint8_t)(divisor >> 8));
	log_info("pit: divisor %u, %u ticks for one of ours", divisor, ticks_per_tick);
}
