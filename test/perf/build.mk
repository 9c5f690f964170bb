# The measuring programs of `tine bench`, and the archive that brings them into a machine. Uses O and Q
# of the top Makefile; `make perf` builds all.

PERF_DIR := test/perf
PERF_CFLAGS := -std=gnu11 -O2 -D_GNU_SOURCE -pthread -Wall -Wextra -Werror -Wno-missing-field-initializers
PERF_MUSL := musl-gcc -idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
PERF_SOURCES := $(filter-out $(PERF_DIR)/nothing.c,$(wildcard $(PERF_DIR)/*.c))
PERF_PROGRAMS := $(addprefix $(O)/perf/,perf nothing dynamic)

.PHONY: perf
perf: $(O)/perf/perf.tar

$(O)/perf/perf: $(PERF_SOURCES) $(PERF_DIR)/perf.h $(PERF_DIR)/build.mk
	@mkdir -p $(@D)
	$(Q)$(PERF_MUSL) $(PERF_CFLAGS) -static -s -o $@.new $(PERF_SOURCES)
	$(Q)mv $@.new $@

# What fork-exec and exec-dynamic execute: the same source, static with musl and dynamic with glibc.
$(O)/perf/nothing: $(PERF_DIR)/nothing.c $(PERF_DIR)/build.mk
	@mkdir -p $(@D)
	$(Q)$(PERF_MUSL) $(PERF_CFLAGS) -static -s -o $@.new $<
	$(Q)mv $@.new $@

$(O)/perf/dynamic: $(PERF_DIR)/nothing.c $(PERF_DIR)/build.mk
	@mkdir -p $(@D)
	$(Q)gcc $(PERF_CFLAGS) -s -o $@.new $<
	$(Q)mv $@.new $@

$(O)/perf/perf.tar: $(PERF_PROGRAMS) $(PERF_DIR)/pack
	$(Q)$(PERF_DIR)/pack $@ perf $(PERF_PROGRAMS)
