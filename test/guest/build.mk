# Guest test programs: $(O)/guest/NAME for each NAME.c here, linked with guest.c and leaks.c, static
# with musl (small enough to be sent through a pipe). Those in GUEST_GLIBC exist a second time as
# NAME-glibc, since glibc's start-up, threads and signal return use the kernel differently; those in
# GUEST_PIE as NAME-pie, static but loaded anywhere. Uses O and Q of the top Makefile;
# `make guest-tests` builds all.

GUEST_DIR := test/guest
GUEST_NAMES := $(filter-out guest leaks storm_rounds,$(patsubst $(GUEST_DIR)/%.c,%,$(wildcard $(GUEST_DIR)/*.c)))
GUEST_GLIBC := exec fork fork-clone fork-thread fpu futex mmap proc signal signal-fault signal-return \
	storm thread time wait
GUEST_PIE := exec misc
GUEST_PROGRAMS := $(patsubst %,$(O)/guest/%,$(GUEST_NAMES) $(GUEST_GLIBC:%=%-glibc) $(GUEST_PIE:%=%-pie))

GUEST_CFLAGS := -std=gnu11 -O1 -g1 -D_GNU_SOURCE -pthread -fno-strict-aliasing -fno-builtin-memcmp \
	-Wall -Wextra -Werror -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow
# The kernel headers of the C library's package come after musl's own, which lack linux/ and asm/.
GUEST_MUSL := musl-gcc -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
GUEST_GNU := gcc
GUEST_HEADERS := $(GUEST_DIR)/build.mk $(wildcard $(GUEST_DIR)/*.h)
# What all of them link is compiled once for each kind.
guest_shared = $(patsubst %,$(O)/guest-shared/$(1)/%.o,guest leaks)

.PHONY: guest-tests list-guest-tests
guest-tests: $(GUEST_PROGRAMS)
list-guest-tests:
	@echo $(GUEST_PROGRAMS)

# The one program of two files of its own.
$(O)/guest/storm $(O)/guest/storm-glibc: $(GUEST_DIR)/storm_rounds.c

define GUEST_KIND
$(O)/guest-shared/$(1)/%.o: $(GUEST_DIR)/%.c $(GUEST_HEADERS)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(GUEST_CFLAGS) -c -o $$@.new $$<
	$$(Q)mv $$@.new $$@

$(O)/guest/%$(3): $(GUEST_DIR)/%.c $(call guest_shared,$(1)) $(GUEST_HEADERS)
	@mkdir -p $$(@D)
	$$(Q)$(2) $(GUEST_CFLAGS) $(4) -o $$@.new $$(filter %.c %.o,$$^) $(5)
	$$(Q)mv $$@.new $$@
endef
$(eval $(call GUEST_KIND,glibc,$(GUEST_GNU),-glibc,-static,-lrt))
$(eval $(call GUEST_KIND,pie,$(GUEST_GNU) -fPIE,-pie,-static-pie))
$(eval $(call GUEST_KIND,musl,$(GUEST_MUSL),,-static -s))
