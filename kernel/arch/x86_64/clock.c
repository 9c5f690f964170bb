/*
 * The clock is the TSC. How fast it runs is asked in this order, cheapest first:
 *
 *  1. CPUID 0x15 (crystal and ratio), hypervisor leaf 0x40000010 (kHz);
 *  2. KVM's clock page, which holds the scale of its own TSC;
 *  3. a comparison with a timer of known rate: QEMU's APIC timer (1 GHz under TCG), else HPET, else
 *     ACPI's PM timer (3.579545 MHz), else PIT channel 2 (1.193182 MHz).
 *
 * A comparison takes pairs of readings, each the tightest of a few tries, over a millisecond: the
 * error is that of one reading, 100 ns or so in a millisecond. Under instruction counting the
 * TSC equals the emulator's nanoseconds exactly, which shows after 20 us and ends it early.
 *
 * The APIC timer's own rate is known under an emulator or KVM (1 GHz), else measured by the TSC.
 */
#include "arch/x86_64/clock.h"

#include "arch/arch_down.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/machine.h"
#include "core/atomic.h"
#include "core/clock.h"
#include "core/klog.h"
#include "lib/bits.h"

#define PM_TIMER_HZ 3579545
#define PIT_HZ 1193182
#define GHZ 1000000000ULL
#define DEADLINE_MAX_NS (1UL << 40)	/* 18 minutes: longer waits are armed again */

struct tsc_scale tsc_scale;

static uint64_t tsc_hz;				/* [I] */
static uint64_t apic_timer_hz;			/* [I] 0: TSC deadline */

/* a * b / c without loss; the result must fit. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t high, low;

	__asm__("mulq %3; divq %4" : "=&a"(low), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
	return low;
}

uint64_t tsc_read(void)
{
	uint32_t low, high;

	/* Not before what was loaded earlier, so that two processors' readings are in order. */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t arch_clock_ns(void)
{
	return (uint64_t)((unsigned __int128)(tsc_read() - tsc_scale.base) * tsc_scale.mult >> 32);
}

void arch_cycles_scale(uint64_t *base, uint64_t *mult)
{
	*base = tsc_scale.base;
	*mult = tsc_scale.mult;
}

/* An emulator pays for a look at the time and a pause as for a hundred other instructions. */
#define STEPS_PER_LOOK 100

void x86_delay_us(uint64_t us)
{
	uint64_t end = tsc_read() + us * (tsc_hz != 0 ? tsc_hz : 4 * GHZ) / 1000000;

	while (tsc_read() < end) {
		arch_pause();
		for (int i = 0; i < STEPS_PER_LOOK; i++)
			__asm__ volatile("");
	}
}

/* --- reference timers --------------------------------------------------------------------- */

struct reference {
	const char *name;
	uint32_t (*read)(void);
	uint64_t hz;
	uint32_t mask;			/* of the counter */
	bool counts_down;
};

static volatile uint32_t *hpet;

static uint32_t read_pm_timer(void) { return inl(machine.pm_timer_port); }
static uint32_t read_hpet(void) { return hpet[0xf0 / 4]; }

static uint32_t read_pit(void)
{
	uint32_t low;

	outb(0x43, 0x80);		/* latch channel 2 */
	low = inb(0x42);
	return low | (uint32_t)inb(0x42) << 8;
}

static bool hpet_open(struct reference *r)
{
	uint32_t period;

	hpet = machine.hpet != 0 ? arch_map_device(phys(machine.hpet), 1024) : NULL;
	period = hpet != NULL ? hpet[1] : 0;	/* femtoseconds */
	if (period == 0 || period > 100000000)
		return false;
	hpet[0x10 / 4] |= 1;			/* count */
	*r = (struct reference){ "hpet", read_hpet, 1000000 * GHZ / period, UINT32_MAX, false };
	return true;
}

static bool reference_open(struct reference *r)
{
	if (cpu_features.hypervisor == HYPERVISOR_TCG) {
		apic_timer_start(UINT32_MAX);
		*r = (struct reference){ "apic", apic_timer_read, GHZ, UINT32_MAX, true };
		return true;
	}
	if (hpet_open(r))
		return true;
	if (machine.pm_timer_port != 0) {
		*r = (struct reference){ "pm", read_pm_timer, PM_TIMER_HZ,
			machine.pm_timer_32 ? UINT32_MAX : 0xffffff, false };
		return true;
	}
	outb(0x61, (uint8_t)((inb(0x61) & ~2) | 1));	/* gate on, speaker off */
	outb(0x43, 0xb4);				/* channel 2, both bytes, rate generator */
	outb(0x42, 0);
	outb(0x42, 0);
	*r = (struct reference){ "pit", read_pit, PIT_HZ, 0xffff, true };
	return true;
}

struct reading { uint64_t tsc, width; uint32_t count; };

/* A reading of both, the tightest of a few: TSC before and after enclose the count. */
static struct reading reading_take(const struct reference *r)
{
	struct reading best = { .width = UINT64_MAX };

	for (int i = 0; i < 5; i++) {
		uint64_t before = tsc_read();
		uint32_t count = r->read();
		uint64_t after = tsc_read();

		if (after - before < best.width)
			best = (struct reading){ (before + after) / 2, after - before, count };
	}
	return best;
}

static uint64_t elapsed(const struct reference *r, uint32_t from, uint32_t to)
{
	return (r->counts_down ? from - to : to - from) & r->mask;
}

static uint64_t rate(uint64_t tsc, uint64_t counts, uint64_t hz)
{
	return counts != 0 ? mul_div(tsc, hz, counts) : 0;
}

/* True when the TSC runs at 1 GHz to within the reading's error: instruction counting. */
static bool is_counted(uint64_t tsc, uint64_t counts, const struct reference *r,
		       const struct reading *at)
{
	uint64_t difference = tsc > counts ? tsc - counts : counts - tsc;

	return r->hz == GHZ && counts > 20000 && difference <= at->width &&
	       difference < counts / 50;
}

/* Compares for a millisecond; 0 when the reference stands still. */
static uint64_t compare(const struct reference *r)
{
	struct reading start = reading_take(r), now;
	uint64_t counts = 0, tsc = 0;

	while (counts < r->hz / 1000) {
		now = reading_take(r);
		counts = elapsed(r, start.count, now.count);
		tsc = now.tsc - start.tsc;
		if (is_counted(tsc, counts, r, &now))
			return GHZ;
		if (tsc > 20 * GHZ / 1000 && counts == 0)
			return 0;
	}
	return rate(tsc, counts, r->hz);
}

/* --- rates that are told ------------------------------------------------------------------ */

static uint64_t hz_from_cpuid(void)
{
	struct cpuid r;

	if (cpu_features.hypervisor_leaf_max >= 0x40000010 &&
	    cpu_features.hypervisor_leaf_max < 0x40010000)
		return cpuid(0x40000010, 0).a * 1000ULL;
	if (cpu_features.leaf_max < 0x15)
		return 0;
	r = cpuid(0x15, 0);
	return r.a != 0 && r.c != 0 ? (uint64_t)r.c * r.b / r.a : 0;
}

/* Documentation/virt/kvm/x86/msr.rst: struct pvclock_vcpu_time_info. */
struct packed_struct pvclock {
	uint32_t version, pad;
	uint64_t tsc, system;
	uint32_t mult;
	int8_t shift;
	uint8_t flags, pad2[2];
};

#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01

static uint64_t hz_from_kvm(void)
{
	static struct pvclock page __attribute__((aligned(64)));
	uint64_t at = (uint64_t)&page - ARCH_KERNEL_BASE;
	uint64_t hz;

	if (cpu_features.hypervisor != HYPERVISOR_KVM || (cpuid(0x40000001, 0).a & 1u << 3) == 0)
		return 0;
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, at | 1);
	compiler_barrier();
	if (page.mult == 0)
		return 0;
	hz = (GHZ << 32) / page.mult;
	hz = page.shift < 0 ? hz << -page.shift : hz >> page.shift;
	wrmsr(MSR_KVM_SYSTEM_TIME_NEW, 0);
	return hz;
}

static uint64_t measure_apic_timer(void)
{
	uint64_t start, end;
	uint32_t left;

	if (cpu_features.hypervisor == HYPERVISOR_TCG || cpu_features.hypervisor == HYPERVISOR_KVM)
		return GHZ;
	apic_timer_start(UINT32_MAX);
	start = tsc_read();
	x86_delay_us(2000);
	left = apic_timer_read();
	end = tsc_read();
	return rate(UINT32_MAX - left, end - start, tsc_hz);
}

void x86_clock_init(void)
{
	const char *from = "cpuid";
	struct reference reference;

	tsc_scale.base = tsc_read();
	tsc_hz = hz_from_cpuid();
	if (tsc_hz == 0) {
		from = "kvm";
		tsc_hz = hz_from_kvm();
	}
	if (tsc_hz == 0 && reference_open(&reference)) {
		from = reference.name;
		tsc_hz = compare(&reference);
	}
	if (tsc_hz == 0) {
		log_warn("clock: nothing to calibrate the TSC with; it is taken to run at 1 GHz");
		tsc_hz = GHZ;
	}
	tsc_scale.mult = mul_div(GHZ, 1UL << 32, tsc_hz);
	pit_choose();
	if (!cpu_features.tsc_deadline || periodic_hz != 0)
		apic_timer_hz = measure_apic_timer();
	apic_timer_start(0);
	log_info("clock: TSC %llu kHz (%s), timer %llu kHz", (unsigned long long)tsc_hz / 1000,
		 from, (unsigned long long)apic_timer_hz / 1000);
}

void x86_clock_init_cpu(void)
{
	if (periodic_hz != 0 && cpu_id() == 0)
		pit_start();
	if (periodic_hz != 0 && cpu_id() != 0)
		apic_timer_periodic((uint32_t)(apic_timer_hz / periodic_hz));
	else if (apic_timer_hz == 0)
		apic_timer_use_deadline();
	else
		apic_timer_unmask();
}

void arch_timer_arm(uint64_t delta_ns)
{
	uint64_t count;

	if (periodic_hz != 0)
		return;			/* the next tick looks at what is due */
	if (apic_timer_hz == 0) {
		count = mul_div(MIN(delta_ns, DEADLINE_MAX_NS), tsc_hz, GHZ);
		apic_timer_deadline(delta_ns == TIME_NEVER ? 0 : tsc_read() + count);
		return;
	}
	if (delta_ns == TIME_NEVER) {
		apic_timer_start(0);
		return;
	}
	/* A deadline beyond the counter's range fires early, and is armed again by the handler. */
	count = apic_timer_hz == GHZ ? delta_ns :
		mul_div(MIN(delta_ns, DEADLINE_MAX_NS), apic_timer_hz, GHZ);
	apic_timer_start((uint32_t)CLAMP(count, 1UL, (uint64_t)UINT32_MAX));
}

/* --- wall time ---------------------------------------------------------------------------- */

static uint8_t cmos_read(uint8_t index)
{
	outb(0x70, index);
	return inb(0x71);
}

static uint32_t from_bcd(uint8_t v, bool binary) { return binary ? v : (v >> 4) * 10u + (v & 15); }

/* Days from 1970 of a date (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static uint64_t days_from_civil(uint32_t year, uint32_t month, uint32_t day)
{
	uint32_t y = month <= 2 ? year - 1 : year;
	uint32_t era = y / 400, year_of_era = y % 400;
	uint32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097ULL + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

/* The MC146818's time; 0 when there is no such chip. */
static uint64_t rtc_seconds(void)
{
	uint8_t f[6], again[6];
	static const uint8_t index[6] = { 0, 2, 4, 7, 8, 9 };
	bool binary, same = false;
	uint32_t hour, year;

	for (int tries = 0; tries < 8 && !same; tries++) {
		same = true;
		for (int i = 0; i < 6; i++)
			f[i] = cmos_read(index[i]);
		for (int i = 0; i < 6; i++) {
			again[i] = cmos_read(index[i]);
			same = same && again[i] == f[i];
		}
	}
	if (!same || (f[0] == 0xff && f[1] == 0xff))
		return 0;
	binary = (cmos_read(0x0b) & 4) != 0;
	hour = from_bcd(f[2] & 0x7f, binary);
	if ((cmos_read(0x0b) & 2) == 0)		/* 12 hours, bit 7: afternoon */
		hour = hour % 12 + ((f[2] & 0x80) != 0 ? 12 : 0);
	year = from_bcd(f[5], binary);
	return days_from_civil(year + (year < 70 ? 2000 : 1900), from_bcd(f[4], binary),
			       from_bcd(f[3], binary)) * 86400 +
	       hour * 3600ULL + from_bcd(f[1], binary) * 60ULL + from_bcd(f[0], binary);
}

uint64_t arch_wall_seconds_at_boot(void) { return rtc_seconds(); }
