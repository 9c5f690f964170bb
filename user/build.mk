# The guest's programs and the built-in image. O and Q come from the top Makefile.

O ?= build
U := $(O)/user
USER_CC ?= musl-gcc
USER_CFLAGS := -std=gnu11 -Os -Wall -Wextra -Werror -static -s -ffunction-sections -fdata-sections \
	-fno-asynchronous-unwind-tables -Wl,--gc-sections -Wl,-z,noseparate-code
HOST_CC ?= gcc
BUSYBOX ?= /bin/busybox

INIT_SOURCES := $(wildcard user/init/*.c)
INIT_HEADERS := user/protocol.h user/init/init.h
IMAGE_FILES := $(wildcard user/image/etc/* user/image/bin/*)

$(U)/init: $(INIT_SOURCES) $(INIT_HEADERS) user/build.mk
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -o $@.new $(INIT_SOURCES)
	$(Q)mv $@.new $@

$(U)/forkcost $(U)/fault $(U)/first: $(U)/%: user/%.c user/build.mk
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -o $@.new $<
	$(Q)mv $@.new $@

# The programs of `tine lab`. The report's has its addresses from a script of its own.
$(U)/lab-report: user/lab/report.S user/lab/report.ld user/build.mk
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -c -o $@.o $<
	$(Q)ld -static -nostdlib -z max-page-size=4096 --no-warn-rwx-segments -T user/lab/report.ld -o $@.new $@.o
	$(Q)mv $@.new $@

$(U)/lab-latency $(U)/lab-spaces: $(U)/lab-%: user/lab/%.c user/build.mk
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(USER_CFLAGS) -o $@.new $<
	$(Q)mv $@.new $@

$(U)/mkcpio: user/mkcpio.c user/build.mk
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -std=gnu11 -O2 -Wall -Wextra -Werror -o $@.new $<
	$(Q)mv $@.new $@

# A link for each applet but those that are entries of their own.
$(U)/manifest: user/image/manifest user/build.mk $(BUSYBOX)
	@mkdir -p $(@D)
	$(Q)sed -e 's,@image@,user/image,; s,@out@,$(U),; s,@busybox@,$(BUSYBOX),' $< > $@.new
	$(Q)$(BUSYBOX) --list-full | LC_ALL=C sort | grep -vx -e bin/busybox -e sbin/init -e linuxrc | \
		sed 's,.*,link /& /bin/busybox,' >> $@.new
	$(Q)mv $@.new $@

$(O)/initramfs.cpio: $(U)/manifest $(U)/mkcpio $(U)/init $(U)/forkcost $(U)/fault $(U)/first \
		$(U)/lab-report $(U)/lab-latency $(U)/lab-spaces $(U)/explore $(U)/tiny $(IMAGE_FILES)
	$(Q)$(U)/mkcpio $< > $@.new
	$(Q)mv $@.new $@

# For tests of the kernel's decompressors.
$(O)/initramfs.cpio.gz: $(O)/initramfs.cpio
	$(Q)gzip -9nc $< > $@.new
	$(Q)mv $@.new $@

$(O)/initramfs.cpio.zst: $(O)/initramfs.cpio
	$(Q)zstd -q -19 -f -o $@.new $<
	$(Q)mv $@.new $@

.PHONY: image
image: $(O)/initramfs.cpio
all: image
