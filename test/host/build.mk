# Tests on the host. test/host/X_test.c becomes $(O)/host/X_test, linked with the kernel files that its
# line ` * links: ...` names, under the address and undefined-behaviour sanitisers.
#
#   make host-tests            builds all of them;   make run-host-tests  also runs them
#   make fuzzers               builds $(O)/fuzz/X from test/host/fuzz_X.c, with libFuzzer
#   make run-fuzzers           runs each for FUZZ_SECONDS

HOST_CC := gcc
HOST_INCLUDES = -Ikernel -Itest/host -I$(O)/host -DTINE_DEBUG -DARCH_HEADER='"arch/host/inline.h"' \
	-DARCH_PTE_HEADER='"arch/host/pte.h"'
HOST_CFLAGS = -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-omit-frame-pointer -fno-strict-aliasing -Wall -Wextra -Werror \
	-Wno-unused-parameter -fsanitize=address,undefined -fno-sanitize-recover=all $(HOST_INCLUDES)

HOST_TESTS := $(filter-out host_test,$(patsubst test/host/%.c,%,$(wildcard test/host/*_test.c)))
HOST_FUZZERS := $(patsubst test/host/fuzz_%.c,%,$(wildcard test/host/fuzz_*.c))
# Of the installed clangs, the first that has libFuzzer.
FUZZ_CLANG = $(firstword $(foreach c,clang-22 clang-19 clang-16 clang-14 clang,$(if $(wildcard \
	$(shell $(c) --print-file-name=libclang_rt.fuzzer-x86_64.a 2>/dev/null) \
	$(shell $(c) --print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer-x86_64.a),$(c))))
FUZZ_SECONDS ?= 5
FUZZ_CFLAGS = -std=gnu11 -O1 -g -D_GNU_SOURCE -fno-strict-aliasing -Wno-unknown-attributes \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(HOST_INCLUDES)

# The files that a test's head comment names: kernel/ files, and helpers beside the test. All are read at
# once, as TEST.c:FILE, since every make pays for each command that it runs here.
HOST_LINKED := $(shell awk '/^ \* (links|helpers): / { \
	for (i = 3; i <= NF; i++) print FILENAME ":" ($$2 == "links:" ? "kernel/" : "test/host/") $$i }' test/host/*.c)
host_links = $(patsubst $(1):%,%,$(filter $(1):%,$(HOST_LINKED)))

.PHONY: host-tests run-host-tests fuzzers run-fuzzers
host-tests: $(HOST_TESTS:%=$(O)/host/%)

run-host-tests: host-tests
	$(Q)prove --exec '' $(HOST_TESTS:%=$(O)/host/%)

$(O)/host/%.c.o: %.c
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) $(DEPENDENCIES) -c -o $@.new $<
	$(Q)mv $(@:.o=.d).new $(@:.o=.d) && mv $@.new $@

define HOST_TEST
$(O)/host/$(1): $(patsubst %,$(O)/host/%.o,test/host/$(1).c test/host/host_test.c $(call host_links,test/host/$(1).c))
	$$(Q)$$(HOST_CC) $$(HOST_CFLAGS) -o $$@.new $$^ -lpthread
	$$(Q)mv $$@.new $$@
-include $(patsubst %,$(O)/host/%.d,test/host/$(1).c $(call host_links,test/host/$(1).c))
endef
$(foreach test,$(HOST_TESTS),$(eval $(call HOST_TEST,$(test))))

# A fuzzer is compiled whole: coverage needs every file built for it.
HOST_HEADERS := $(shell find kernel test/host -name '*.h')
define HOST_FUZZER
$(O)/fuzz/$(1): test/host/fuzz_$(1).c $(call host_links,test/host/fuzz_$(1).c) $(HOST_HEADERS)
	@mkdir -p $$(@D)
	$$(Q)test -n "$$(FUZZ_CLANG)" || { echo "fuzzers: no clang with libFuzzer: apt install clang-14 libclang-rt-14-dev" >&2; exit 1; }
	$$(Q)$$(FUZZ_CLANG) $$(FUZZ_CFLAGS) -o $$@.new $$(filter %.c,$$^)
	$$(Q)mv $$@.new $$@
endef
$(foreach fuzzer,$(HOST_FUZZERS),$(eval $(call HOST_FUZZER,$(fuzzer))))

fuzzers: $(HOST_FUZZERS:%=$(O)/fuzz/%)

# Findings are left in $(O)/fuzz as crash-*; the corpus grows in $(O)/fuzz/corpus.
run-fuzzers: fuzzers
	$(Q)cd $(O)/fuzz && for f in $(HOST_FUZZERS); do mkdir -p corpus/$$f; \
		./$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
			-print_final_stats=1 corpus/$$f > $$f.log 2>&1 || { tail -40 $$f.log; exit 1; }; \
		echo "fuzz $$f: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$f.log) inputs"; done

# The ABI's names, twice in one test: from our headers and from the host's.
$(O)/host/abi_names.inc: $(wildcard kernel/abi/*.h) test/host/abi-names
	@mkdir -p $(@D)
	$(Q)test/host/abi-names $(filter-out %/unistd_i386.h,$(filter %.h,$^)) > $@.new
	$(Q)mv $@.new $@
$(O)/host/abi_names_i386.inc: kernel/abi/unistd_i386.h test/host/abi-names
	@mkdir -p $(@D)
	$(Q)test/host/abi-names $(filter %.h,$^) > $@.new
	$(Q)mv $@.new $@
$(patsubst %,$(O)/host/test/host/abi_%.c.o,ours libc kernel i386 test): $(O)/host/abi_names.inc $(O)/host/abi_names_i386.inc
