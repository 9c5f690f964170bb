/*
 * What is told about processors and machine: stacks, /proc/cpuinfo, auxiliary vector, entropy.
 */
#include "arch/arch_down.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "lib/format.h"

extern char image_start[], image_text_end[];

/* A frame pointer is followed while it points upwards into kernel memory that is surely mapped: the
 * same stack, whose size bounds the chain. */
size_t arch_backtrace(uint64_t frame_pointer, uint64_t *pcs, size_t max)
{
	uint64_t fp = frame_pointer != 0 ? frame_pointer : arch_frame_pointer();
	uint64_t end = fp + 16 * 1024;
	size_t n = 0;

	while (n < max && fp >= ARCH_DIRECT_MAP && fp < end && (fp & 7) == 0) {
		const uint64_t *frame = (const uint64_t *)fp;

		/* A chain that leads out of the stack's top page by page could meet a guard. */
		if (frame[1] < (uint64_t)image_start || frame[1] >= (uint64_t)image_text_end)
			break;
		pcs[n++] = frame[1];
		if (frame[0] <= fp)
			break;
		fp = frame[0];
	}
	return n;
}

uint64_t arch_random_seed(void)
{
	uint64_t v = arch_cycles();
	bool ok = false;

	if (cpu_features.rdseed)
		__asm__ volatile("rdseed %0" : "=r"(v), "=@ccc"(ok));
	for (int tries = 0; tries < 10 && !ok && cpu_features.rdrand; tries++)
		__asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(ok));
	return ok ? v ^ arch_cycles() : arch_cycles();
}

uint64_t arch_hwcap(void) { return cpuid(1, 0).d; }

/* HWCAP2_FSGSBASE: programs may use the instructions. */
uint64_t arch_hwcap2(void) { return cpu_features.fsgsbase ? 2 : 0; }

static const struct { const char *name; uint8_t leaf, reg, bit; } flags[] = {
	/* leaf 1: reg 0 is EDX, 1 is ECX; leaf 7: 2 is EBX; 0x80000001: 3 is EDX, 4 is ECX */
	{ "fpu", 1, 0, 0 }, { "tsc", 1, 0, 4 }, { "msr", 1, 0, 5 }, { "pae", 1, 0, 6 },
	{ "cx8", 1, 0, 8 }, { "apic", 1, 0, 9 }, { "cmov", 1, 0, 15 }, { "clflush", 1, 0, 19 },
	{ "mmx", 1, 0, 23 }, { "fxsr", 1, 0, 24 }, { "sse", 1, 0, 25 }, { "sse2", 1, 0, 26 },
	{ "syscall", 128, 3, 11 }, { "nx", 128, 3, 20 }, { "pdpe1gb", 128, 3, 26 },
	{ "rdtscp", 128, 3, 27 }, { "lm", 128, 3, 29 }, { "pni", 1, 1, 0 },
	{ "pclmulqdq", 1, 1, 1 }, { "ssse3", 1, 1, 9 }, { "fma", 1, 1, 12 }, { "cx16", 1, 1, 13 },
	{ "sse4_1", 1, 1, 19 }, { "sse4_2", 1, 1, 20 }, { "movbe", 1, 1, 22 },
	{ "popcnt", 1, 1, 23 }, { "aes", 1, 1, 25 }, { "xsave", 1, 1, 26 }, { "avx", 1, 1, 28 },
	{ "f16c", 1, 1, 29 }, { "rdrand", 1, 1, 30 }, { "hypervisor", 1, 1, 31 },
	{ "lahf_lm", 128, 4, 0 }, { "abm", 128, 4, 5 }, { "fsgsbase", 7, 2, 0 },
	{ "bmi1", 7, 2, 3 }, { "avx2", 7, 2, 5 }, { "smep", 7, 2, 7 }, { "bmi2", 7, 2, 8 },
	{ "erms", 7, 2, 9 }, { "rdseed", 7, 2, 18 }, { "adx", 7, 2, 19 }, { "smap", 7, 2, 20 },
};

static size_t format_flags(char *buf, size_t n)
{
	struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0), ext = cpuid(0x80000001, 0);
	uint32_t features = cpu_features.leaf_max >= 7 ? seven.b : 0;
	const uint32_t regs[] = { one.d, one.c, features, ext.d, ext.c };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if ((regs[flags[i].reg] >> flags[i].bit & 1) != 0)
			used += format_stored(buf + used, n - used, " %s", flags[i].name);
	return used;
}

/*
 * Bits of an APIC id that tell the threads of a core and the processors of a package apart: CPUID
 * leaf 11 (Intel SDM volume 2A). Without it, all are cores of one package.
 */
static void apic_id_bits(uint32_t *thread_bits, uint32_t *package_bits)
{
	*thread_bits = 0;
	*package_bits = 31;
	if (cpu_features.leaf_max < 11 || (cpuid(11, 0).b & 0xffff) == 0)
		return;
	*thread_bits = cpuid(11, 0).a & 31;
	*package_bits = cpuid(11, 1).a & 31;
}

void arch_cpu_topology(uint32_t cpu, struct arch_topology *out)
{
	uint32_t id = cpu_of(cpu_arch, cpu)->apic_id, thread_bits, package_bits;

	apic_id_bits(&thread_bits, &package_bits);
	out->package = id >> package_bits;
	out->core = (id & ((1u << package_bits) - 1)) >> thread_bits;
}

/* The processors of this one's package, and the cores that they are of. */
static void count_package(const struct arch_topology *mine, uint32_t *processors, uint32_t *cores)
{
	uint64_t seen = 0;

	*processors = *cores = 0;
	for (uint32_t cpu = 0; cpu < cpu_count; cpu++) {
		struct arch_topology other;

		arch_cpu_topology(cpu, &other);
		if (other.package != mine->package)
			continue;
		++*processors;
		*cores += (seen >> (other.core & 63) & 1) == 0;
		seen |= 1ULL << (other.core & 63);
	}
}

size_t arch_cpuinfo(uint32_t cpu, char *buf, size_t n)
{
	const struct cpu_features *f = &cpu_features;
	uint64_t khz = tsc_scale.mult != 0 ? (1000000ULL << 32) / tsc_scale.mult : 0;
	struct arch_topology place;
	uint32_t siblings, cores;
	size_t used;

	arch_cpu_topology(cpu, &place);
	count_package(&place, &siblings, &cores);
	used = format_stored(buf, n,
		"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
		"model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %llu.%03llu\n"
		"physical id\t: %u\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
		"apicid\t\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\n"
		"wp\t\t: yes\n"
		"flags\t\t:", cpu, f->vendor, f->family, f->model, f->brand, f->stepping,
		(unsigned long long)khz / 1000, (unsigned long long)khz % 1000, place.package,
		siblings, place.core, cores, cpu_of(cpu_arch, cpu)->apic_id, f->leaf_max);
	used += format_flags(buf + used, n - used);
	used += format_stored(buf + used, n - used,
		"\nbogomips\t: %llu.%02llu\nclflush size\t: 64\ncache_alignment\t: 64\n"
		"address sizes\t: 40 bits physical, 48 bits virtual\n\n",
		(unsigned long long)khz / 500, (unsigned long long)khz / 5 % 100);
	return used;
}
