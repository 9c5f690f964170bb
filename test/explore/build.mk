# The explorer's program and what it executes; both are in the built-in image. O and Q come from the
# top Makefile.

EXPLORE_CFLAGS := -std=gnu11 -O1 -g1 -D_GNU_SOURCE -pthread -Wall -Wextra -Werror -Ikernel \
	-idirafter /usr/include/x86_64-linux-gnu -idirafter /usr/include
EXPLORE_SOURCES := $(wildcard test/explore/*.c) kernel/lib/number.c

$(O)/user/explore: $(EXPLORE_SOURCES) test/explore/explore.h kernel/sched/explore_abi.h \
		kernel/lib/number.h test/explore/build.mk
	@mkdir -p $(@D)
	$(Q)musl-gcc $(EXPLORE_CFLAGS) -static -s -o $@.new $(EXPLORE_SOURCES)
	$(Q)mv $@.new $@

$(O)/user/tiny: test/explore/tiny.S test/explore/build.mk
	@mkdir -p $(@D)
	$(Q)gcc -nostdlib -static -s -Wl,--build-id=none -Wl,-z,noseparate-code -o $@.new $<
	$(Q)mv $@.new $@
