/*
 * machine.c - the emulator's command line for a run.
 *
 * microvm is the default: it starts fastest, and has all the devices there are. Its devices are
 * found by the virtio_mmio.device words that the emulator adds to the command line, its processors
 * by the MP table that the firmware leaves; so it needs no ACPI, except for Linux, which reads
 * neither. q35 and pc start from the same small firmware, with the devices on PCI.
 *
 * The one way off is isa-debug-exit at port 0xf4. Every run has it.
 */
#include "machine.h"

#include "../user/protocol.h"

#include <cpuid.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SMALL_FIRMWARE	"qboot.rom"
#define FIRMWARE_PATH	"/usr/share/qemu/" SMALL_FIRMWARE

/* REP MOVSB is slow under emulation: say that it is not fast, and kernels move words instead. */
#define EMULATED_CPU	"max,-erms,-fsrm"

/* Bits of CPUID's feature words. */
#define CPUID_VMX		(1u << 5)
#define CPUID_SVM		(1u << 2)

/* VMX or SVM: without them /dev/kvm is itself an emulation, and not one that runs any kernel. */
static bool has_virtualization(void)
{
	unsigned int a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c & CPUID_VMX))
		return true;
	return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & CPUID_SVM);
}

/* /dev/kvm may exist and open, and yet give no machine. TINE_ACCEL=tcg does without it. */
static bool kvm_works(void)
{
	const char *wanted = getenv("TINE_ACCEL");
	int fd, machine;

	if ((wanted && strcmp(wanted, "tcg") == 0) || !has_virtualization())
		return false;
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	machine = ioctl(fd, KVM_CREATE_VM, 0);
	if (machine >= 0)
		close(machine);
	close(fd);
	return machine >= 0;
}

bool machine_is_emulated(const struct options *options)
{
	return options->icount || !kvm_works();
}

/* A comma separates the emulator's suboptions; within a value it is doubled. */
static char *escape_commas(const char *text)
{
	char *escaped = malloc(2 * strlen(text) + 1);
	char *end = escaped;

	if (!escaped)
		die(STATUS_FAILED, "out of memory");
	for (; *text; text++) {
		*end++ = *text;
		if (*text == ',')
			*end++ = ',';
	}
	*end = '\0';
	return escaped;
}

static void add_machine(struct strings *command, const struct options *options,
			const struct kernel *kernel)
{
	const char *pit = text_has_word(options->append, "timer=pit") ? "on" : "off";
	const char *firmware = kernel->is_linux ? "on" : "off";

	strings_add(command, "-machine");
	switch (options->machine) {
	case MACHINE_MICROVM:
		strings_addf(command, "microvm,acpi=%s,pic=%s,pit=%s,rtc=%s", firmware, pit, pit,
			     firmware);
		/* Left alone, the emulator offers the form of virtio before 1.0 there. */
		strings_add(command, "-global");
		strings_add(command, "virtio-mmio.force-legacy=false");
		return;
	case MACHINE_Q35:
		strings_add(command, "q35,sata=off,smbus=off,vmport=off,usb=off");
		break;
	case MACHINE_PC:
		strings_add(command, "pc,vmport=off,usb=off");
		break;
	}
	if (access(FIRMWARE_PATH, R_OK) == 0) {
		strings_add(command, "-bios");
		strings_add(command, SMALL_FIRMWARE);
	}
}

static void add_processors(struct strings *command, const struct options *options)
{
	const bool kvm = !machine_is_emulated(options);

	strings_add(command, "-accel");
	strings_add(command, kvm ? "kvm" : "tcg");
	strings_add(command, "-cpu");
	strings_add(command, kvm ? "host" : EMULATED_CPU);
	strings_add(command, "-smp");
	strings_addf(command, "%u", options->processors);
	strings_add(command, "-m");
	strings_addf(command, "%uM", options->memory_mib);
	if (options->icount) {
		strings_add(command, "-icount");
		strings_add(command, "shift=0,sleep=off");
		strings_add(command, "-rtc");
		strings_add(command, "base=2020-01-01,clock=vm");
		strings_add(command, "-seed");
		strings_add(command, "1");
	}
}

/*
 * A virtio device in the form that the machine has a bus for. What the guest tells it is usually
 * done by another thread of the emulator, when the host lets it: with instructions as the clock, by
 * the processor that tells it, at once.
 */
static void add_virtio(struct strings *command, const struct options *options, const char *name,
		       const char *settings)
{
	const bool mmio = options->machine == MACHINE_MICROVM;

	strings_add(command, "-device");
	strings_addf(command, "%s-%s%s%s", name, mmio ? "device" : "pci",
		     mmio ? "" : ",disable-legacy=on", settings);
	if (!options->icount)
		return;
	strings_add(command, "-global");
	strings_addf(command, mmio ? "virtio-mmio.ioeventfd=off" : "%s-pci.ioeventfd=off", name);
}

static void add_devices(struct strings *command, const struct options *options,
			const struct machine_files *files)
{
	strings_add(command, "-device");
	strings_add(command, "isa-debug-exit,iobase=0xf4,iosize=4");
	strings_add(command, "-chardev");
	strings_addf(command, "file,id=log,append=on,path=%s", escape_commas(files->log));
	strings_add(command, "-serial");
	strings_add(command, "chardev:log");
	strings_add(command, "-chardev");
	strings_addf(command, "socket,id=port,fd=%d", files->port);
	add_virtio(command, options, "virtio-serial", ",max_ports=2");
	strings_add(command, "-device");
	strings_add(command, "virtserialport,chardev=port,nr=1,name=" PROTOCOL_PORT);
	/* The host's random bytes would make each run another; RDRAND has what -seed says. */
	if (!options->icount)
		add_virtio(command, options, "virtio-rng", "");
	if (options->root) {
		/* none: owners and modes are the host's own, and a chown that fails is forgiven. */
		strings_add(command, "-fsdev");
		strings_addf(command, "local,id=root,path=%s,security_model=none,readonly=%s,"
			     "multidevs=remap", escape_commas(options->root),
			     options->write ? "off" : "on");
		add_virtio(command, options, "virtio-9p",
			   ",fsdev=root,mount_tag=" PROTOCOL_ROOT_TAG);
	}
}

void machine_command(struct strings *command, const struct options *options,
		     const struct kernel *kernel, const struct machine_files *files)
{
	strings_add(command, "qemu-system-x86_64");
	strings_add(command, "-nodefaults");
	strings_add(command, "-no-user-config");
	strings_add(command, "-no-reboot");
	strings_add(command, "-display");
	strings_add(command, "none");
	add_machine(command, options, kernel);
	add_processors(command, options);
	strings_add(command, "-kernel");
	strings_add(command, kernel->path);
	strings_add(command, "-initrd");
	strings_add(command, kernel->initramfs);
	strings_add(command, "-append");
	strings_add(command, kernel->words);
	add_devices(command, options, files);
	if (options->emulator)
		strings_add_words(command, options->emulator);
	if (options->gdb_port) {
		strings_add(command, "-gdb");
		strings_addf(command, "tcp:127.0.0.1:%u", options->gdb_port);
		strings_add(command, "-S");
	}
}
