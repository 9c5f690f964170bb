# Guest test programs: $(O)/guest/NAME for each NAME.c here, linked with guest.c, static with musl (small enough to
# be sent through a pipe). Those in GUEST_GLIBC exist a second time as NAME-glibc, since glibc's start-up, threads
# and signal return use the kernel differently. Uses O and Q of the top Makefile; `make guest-tests` builds all.

GUEST_DIR := test/guest
GUEST_NAMES := $(filter-out guest storm_rounds,$(patsubst $(GUEST_DIR)/%.c,%,$(wildcard $(GUEST_DIR)/*.c)))
GUEST_GLIBC := exec fork fork-clone fork-thread fpu futex signal signal-fault signal-return thread time wait \
	mmap storm proc
GUEST_PROGRAMS := $(GUEST_NAMES:%=$(O)/guest/%) \
	$(patsubst %,$(O)/guest/%-glibc,$(filter $(GUEST_GLIBC),$(GUEST_NAMES)))

# The host's kernel headers come after musl's own, which lack linux/ and asm/.
GUEST_CFLAGS := -std=gnu11 -O1 -g1 -Wall -Wextra -Werror -Wno-nonnull -Wno-stringop-overread -Wno-stringop-overflow -D_GNU_SOURCE -fno-strict-aliasing \
	-fno-builtin-memcmp -pthread -static
GUEST_MUSL := musl-gcc -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
GUEST_GNU := gcc
GUEST_DEPS := $(GUEST_DIR)/guest.c $(GUEST_DIR)/build.mk $(wildcard $(GUEST_DIR)/*.h)

# The one program of two files.
$(O)/guest/storm $(O)/guest/storm-glibc: $(GUEST_DIR)/storm_rounds.c

.PHONY: guest-tests
guest-tests: $(GUEST_PROGRAMS)

$(O)/guest/%-glibc: $(GUEST_DIR)/%.c $(GUEST_DEPS)
	@mkdir -p $(@D)
	$(Q)$(GUEST_GNU) $(GUEST_CFLAGS) -o $@ $(filter %.c,$^) -lrt

$(O)/guest/%: $(GUEST_DIR)/%.c $(GUEST_DEPS)
	@mkdir -p $(@D)
	$(Q)$(GUEST_MUSL) $(GUEST_CFLAGS) -s -o $@ $(filter %.c,$^)
