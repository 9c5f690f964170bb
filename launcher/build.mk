# The `tine` command of the host. O and Q come from the top Makefile.

O ?= build
HOST_CC ?= gcc
LAUNCHER_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Wshadow
LAUNCHER_SOURCES := $(wildcard launcher/*.c) kernel/lib/number.c
LAUNCHER_HEADERS := $(wildcard launcher/*.h) user/protocol.h kernel/core/trace_format.h \
	kernel/core/trace_events.def kernel/core/finding_kinds.def launcher/timeline.html kernel/lib/number.h

$(O)/launcher/tine: $(LAUNCHER_SOURCES) $(LAUNCHER_HEADERS) launcher/build.mk $(O)/gen/syscall_table.inc
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(LAUNCHER_CFLAGS) -I$(O)/gen -Ikernel -o $@.new $(LAUNCHER_SOURCES)
	$(Q)mv $@.new $@

# Loaded into the emulator, not linked with the command.
$(O)/launcher/special_files.so: launcher/preload/special_files.c launcher/build.mk
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(LAUNCHER_CFLAGS) -fPIC -shared -o $@.new $<
	$(Q)mv $@.new $@

.PHONY: launcher
launcher: $(O)/launcher/tine $(O)/launcher/special_files.so
all: launcher
