# Tine's build. Everything made goes to $(O), nothing is written beside the sources.
#
#   make                  kernel, kernel-debug and, where their makefiles exist, launcher and image
#   make kernel           $(O)/release/tine.elf
#   make kernel-debug     $(O)/debug/tine.elf: assertions, lock ranks, undefined behaviour trapped
#   make host-tests       the kernel's own code on the host; guest-tests: programs to run in the guest
#   make check            layers, style, thread-safety analysis, documents
#   make figures          the style figures of the sources
#
# Sources are found by wildcard: a new file needs no edit here. Other parts bring a build.mk of
# their own, which uses O, Q, KERNEL_* and DEPENDENCIES from here.
#
# What is made is written as $@.new and renamed when it is whole: a make that was killed, and deleted
# nothing, leaves no half of a file that the next one takes for made.

O ?= build
# The compiler writes it into the dependencies: by one name, whoever calls.
override O := $(abspath $(O))
Q := $(if $(V),,@)
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

# An object's dependencies, renamed before it: the next make reads them whole, and makes it again.
DEPENDENCIES = -MMD -MP -MT $@ -MF $(@:.o=.d).new

CC := gcc
ARCH := x86_64

KERNEL_INCLUDES := -Ikernel -DARCH_HEADER='"arch/$(ARCH)/inline.h"' -DARCH_PTE_HEADER='"arch/$(ARCH)/pte.h"'
KERNEL_WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wno-unused-parameter
# Frame pointers stay in release too: a panic shows a stack. No vector registers: they are the user's.
KERNEL_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mno-mmx -mno-sse -mno-sse2 -mno-80387 -fno-omit-frame-pointer -fno-stack-protector \
	-fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables -ffunction-sections \
	-fdata-sections -fcf-protection=none -fmacro-prefix-map=kernel/= \
	$(KERNEL_WARNINGS) $(KERNEL_INCLUDES)
# What is undefined ends in ud2, which the exception handler turns into a panic with a stack.
KERNEL_DEBUG_CFLAGS := -DTINE_DEBUG -fsanitize=bounds,shift,signed-integer-overflow,vla-bound,bool,enum,unreachable,integer-divide-by-zero \
	-fsanitize-undefined-trap-on-error

KERNEL_SOURCES := $(sort $(shell find kernel \( -path kernel/arch/host -o -path '*/vdso' \) -prune -o \
	\( -name '*.c' -o -name '*.S' \) -print) $(wildcard test/kernel/*.c))
KERNEL_LINK := kernel/arch/$(ARCH)/kernel.ld
VDSO_DIR := kernel/arch/$(ARCH)/vdso

.PHONY: all
all: kernel kernel-debug

.PHONY: kernel kernel-debug
kernel: $(O)/release/tine.elf
kernel-debug: $(O)/debug/tine.elf

# --- generated ------------------------------------------------------------------------------------

KERNEL_GENERATED :=
ifneq ($(wildcard kernel/syscall/table.tbl),)
KERNEL_GENERATED += $(O)/gen/syscall_table.inc
$(O)/gen/syscall_table.inc: $(wildcard kernel/syscall/*.tbl) tools/gen-syscalls
	@mkdir -p $(@D)
	$(Q)tools/gen-syscalls kernel/syscall/table.tbl $@
endif

# The vDSO is a shared object for programs; the kernel carries its bytes.
VDSO_CFLAGS := -std=gnu11 -O2 -g0 -fPIC -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -mno-sse -mno-mmx -fvisibility=hidden -fno-builtin $(KERNEL_WARNINGS) -Ikernel
$(O)/gen/vdso.so: $(wildcard $(VDSO_DIR)/*) kernel/arch/$(ARCH)/vdso_data.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_CFLAGS) -shared -nostdlib -Wl,-soname=linux-vdso.so.1 -Wl,--hash-style=both \
		-Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noseparate-code -Wl,--no-undefined -s \
		-T $(VDSO_DIR)/vdso.ld $(VDSO_DIR)/vdso.c -o $@.new
	$(Q)mv $@.new $@
KERNEL_GENERATED += $(O)/gen/vdso.so

# --- the kernel, once per variant -------------------------------------------------------------------

define KERNEL_VARIANT
$(1)_OBJECTS := $$(patsubst %,$(O)/$(1)/%.o,$$(KERNEL_SOURCES))

$(O)/$(1)/%.c.o: %.c Makefile | $$(KERNEL_GENERATED)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(KERNEL_CFLAGS) -I$(O)/gen $(2) $$(DEPENDENCIES) -c -o $$@.new $$<
	$$(Q)mv $$(@:.o=.d).new $$(@:.o=.d) && mv $$@.new $$@

$(O)/$(1)/%.S.o: %.S Makefile $(O)/gen/vdso.so
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(KERNEL_CFLAGS) -I$(O)/gen $(2) -D__ASSEMBLER__ $$(DEPENDENCIES) -c -o $$@.new $$<
	$$(Q)mv $$(@:.o=.d).new $$(@:.o=.d) && mv $$@.new $$@

# The list of objects, rewritten only when it changes: a removed source must relink.
$(O)/$(1)/objects: FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' $$($(1)_OBJECTS) > $$@.new
	@cmp -s $$@.new $$@ || mv $$@.new $$@

$(O)/$(1)/tine.elf: $$($(1)_OBJECTS) $(O)/$(1)/objects $$(KERNEL_LINK)
	$$(Q)$$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
		-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--gc-sections $(KERNEL_LDFLAGS) -T $$(KERNEL_LINK) -o $$@.full @$(O)/$(1)/objects
	$$(Q)objcopy --strip-debug $$@.full $$@.new
	$$(Q)mv $$@.new $$@

-include $$($(1)_OBJECTS:.o=.d)
endef

.PHONY: FORCE
FORCE:

$(eval $(call KERNEL_VARIANT,release,))
$(eval $(call KERNEL_VARIANT,debug,$(KERNEL_DEBUG_CFLAGS)))

# --- checks ------------------------------------------------------------------------------------------

.PHONY: check check-layers check-style check-tsa check-paths check-abi check-locks check-trace check-words check-layout figures
check: check-layers check-style check-tsa check-paths check-abi check-locks check-trace check-words check-layout
check-layers:
	$(Q)tools/check-layers
check-style:
	$(Q)tools/check-style
# The documents against the sources.
check-paths check-abi check-locks check-trace check-words:
	$(Q)tools/$@
check-layout: $(O)/release/tine.elf
	$(Q)tools/$@ $(O)/release/objects
figures:
	$(Q)tools/figures

# clang follows the lock annotations; the objects themselves come from gcc.
TSA_CLANG := $(firstword $(shell command -v clang-22 clang 2>/dev/null))
TSA_CFLAGS := $(filter-out -mno-80387 -W%,$(KERNEL_CFLAGS)) -DTINE_DEBUG -I$(O)/gen -Wno-everything \
	-Wthread-safety -Wthread-safety-beta -Werror -fsyntax-only
TSA_SOURCES := $(filter %.c,$(KERNEL_SOURCES))
check-tsa: $(KERNEL_GENERATED)
	$(Q)test -n "$(TSA_CLANG)" || { echo "check-tsa: clang-22 is missing: apt install clang-22" >&2; exit 1; }
	$(Q)printf '%s\n' $(TSA_SOURCES) | xargs -P $$(nproc) -n 8 $(TSA_CLANG) $(TSA_CFLAGS)

.PHONY: clean
clean:
	$(Q)rm -rf $(O)/release $(O)/debug $(O)/gen

-include launcher/build.mk user/build.mk test/host/build.mk test/guest/build.mk test/explore/build.mk test/perf/build.mk test/build.mk
