# Burrow: one non-recursive Makefile; each room's files.mk names its sources.
#
#   make            build/$(MODE)/: burrow, burrow-monitor, kernel.elf
#   make run        install what is missing, build, boot examples/web
#   make test       all tests that fit in CI           make test-long   the rest
#   make test-unit  host unit tests with sanitizers    make fuzz        fuzzers, 10 s each
#   make test-go    Go's own tests in VMs              make bench       the README's numbers
#   make install    PREFIX=/usr/local                make deb        a Debian package
#   make check      headers alone, include rule, formatting, static analysis
#
# MODE=release (default) or asan for host tools; CC=gcc or clang.

.DEFAULT_GOAL := all

MODE  ?= release
BUILD := build/$(MODE)
CC    ?= gcc
ifeq ($(origin CC),default)
CC    := gcc
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wimplicit-fallthrough -Wconditional-uninitialized
else
WARNINGS += -Wimplicit-fallthrough=5 -Wnull-dereference
endif
KERNEL_WARNINGS := -Wframe-larger-than=1024

# The release is linked with musl where there is one: glibc's start-up runs CPUID some
# seventy times, which in a VM costs 0.25 ms, as much as the rest of starting the monitor.
HOST_CC := $(CC)
ifeq ($(MODE)-$(CC),release-gcc)
ifneq ($(shell command -v musl-gcc),)
HOST_CC := musl-gcc
HOST_INCLUDES := -idirafter /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch)
endif
endif

COMMON := -std=gnu17 -O2 -g -I. -ffile-prefix-map=$(CURDIR)=. -MMD -MP -fno-common
KERNEL_CFLAGS := $(COMMON) $(WARNINGS) $(KERNEL_WARNINGS) -ffreestanding -fno-pic -fno-pie \
	-mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-strict-aliasing -fcf-protection=none -DBURROW_KERNEL
HOST_CFLAGS := $(COMMON) $(WARNINGS) -D_GNU_SOURCE -fno-strict-aliasing $(HOST_INCLUDES)
HOST_LDFLAGS := -static
TEST_CFLAGS := $(COMMON) $(WARNINGS) -D_GNU_SOURCE -fno-strict-aliasing -O1 \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

include $(sort $(wildcard */files.mk */*/files.mk))

.PHONY: all objects
all: $(BUILD)/kernel.elf $(BUILD)/burrow-monitor $(BUILD)/burrow $(BUILD)/image-kernel.elf $(BUILD)/image-monitor $(BUILD)/image-monitor-net

# ---- kernel: C and assembly below lib kernel arch nucleus drivers platform ----
KERNEL_OBJECTS := $(patsubst %,$(BUILD)/kernel/%.o,$(KERNEL_SOURCES))
MONITOR_OBJECTS := $(patsubst %,$(BUILD)/host/%.o,$(MONITOR_SOURCES) $(HOST_SOURCES))
CLI_OBJECTS := $(patsubst %,$(BUILD)/host/%.o,$(CLI_SOURCES) $(HOST_SOURCES))

objects: $(KERNEL_OBJECTS) $(KERNEL_EXTRA_OBJECTS) $(MONITOR_OBJECTS) $(CLI_OBJECTS)

$(BUILD)/kernel/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(KERNEL_CFLAGS) -c $< -o $@

$(BUILD)/kernel/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(KERNEL_CFLAGS) -c $< -o $@

$(BUILD)/host/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOST_CC) $(HOST_CFLAGS) -c $< -o $@

$(BUILD)/kernel.elf: $(KERNEL_OBJECTS) $(KERNEL_EXTRA_OBJECTS) platform/vm/kernel.lds
	@echo "  LD      $@"
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
		-Wl,-T,platform/vm/kernel.lds -Wl,--no-warn-rwx-segments -o $@ $(KERNEL_OBJECTS) $(KERNEL_EXTRA_OBJECTS) -lgcc

$(BUILD)/burrow-monitor: $(MONITOR_OBJECTS)
	@echo "  LD      $@"
	@$(HOST_CC) $(HOST_LDFLAGS) -Wl,--build-id=none -o $@ $(MONITOR_OBJECTS) -lpthread

$(BUILD)/burrow: $(CLI_OBJECTS)
	@echo "  LD      $@"
	@$(HOST_CC) $(HOST_LDFLAGS) -Wl,--build-id=none -o $@ $(CLI_OBJECTS)

# What `burrow build` puts into files: without debugging information; the kernel keeps its
# symbols, for the trace of a panic.
$(BUILD)/image-kernel.elf: $(BUILD)/kernel.elf
	@objcopy --strip-debug $< $@

IMAGE_NET_SOURCES := $(filter-out $(MONITOR_DISK_SOURCES),$(MONITOR_SOURCES)) monitor/no_disk.c $(HOST_SOURCES)
IMAGE_PLAIN_SOURCES := $(filter-out $(MONITOR_NET_SOURCES) host/network% host/disk.c host/kvm.c \
	host/child.c lib/net_config.c,$(IMAGE_NET_SOURCES)) monitor/no_net.c

$(BUILD)/image-monitor: $(patsubst %,$(BUILD)/host/%.o,$(IMAGE_PLAIN_SOURCES))
$(BUILD)/image-monitor-net: $(patsubst %,$(BUILD)/host/%.o,$(IMAGE_NET_SOURCES))
$(BUILD)/image-monitor $(BUILD)/image-monitor-net:
	@echo "  LD      $@"
	@$(HOST_CC) $(HOST_LDFLAGS) -Wl,--build-id=none -Wl,--strip-all -o $@ $^ -lpthread

# ---- host unit tests: each X_test.c links the files its room's files.mk names ----
# UNIT_TESTS += kernel/mm/heap_test
# kernel/mm/heap_test_SOURCES := kernel/mm/heap.c arch/host/fakes.c
define unit_test
$(BUILD)/test/$(1): $(1).c $$($(1)_SOURCES) lib/test.h
	@mkdir -p $$(@D)
	@echo "  TESTCC  $(1)"
	@$$(CC) $$(TEST_CFLAGS) $$($(1)_CFLAGS) -MF $$@.d -MT $$@ -o $$@ $(1).c $$($(1)_SOURCES) -lpthread
endef
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_test,$(test))))

.PHONY: test-unit
test-unit: $(patsubst %,$(BUILD)/test/%,$(UNIT_TESTS))
	@scripts/run-unit-tests $(patsubst %,$(BUILD)/test/%,$(UNIT_TESTS))

# ---- fuzzers: X_fuzz.c with LLVMFuzzerTestOneInput, always built by clang ----
# FUZZERS += lib/elf_fuzz
# lib/elf_fuzz_SOURCES := lib/elf.c
# What was found interesting is kept in build/fuzz/X_fuzz.corpus, crashes beside it.
FUZZ_SECONDS ?= 10
FUZZ_CFLAGS := -std=gnu17 -O1 -g -I. -D_GNU_SOURCE -fno-strict-aliasing -fno-omit-frame-pointer \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
define fuzz_test
build/fuzz/$(1): $(1).c $$($(1)_SOURCES)
	@mkdir -p $$(@D)
	@echo "  FUZZCC  $(1)"
	@clang $$(FUZZ_CFLAGS) $$($(1)_CFLAGS) -MMD -MP -MF $$@.d -MT $$@ -o $$@ $(1).c $$($(1)_SOURCES)
endef
$(foreach test,$(FUZZERS),$(eval $(call fuzz_test,$(test))))

.PHONY: fuzz
fuzz: $(patsubst %,build/fuzz/%,$(FUZZERS))
	@scripts/run-fuzzers $(FUZZ_SECONDS) $^

# ---- running, testing, measuring: docs/testing.md ----
TEST_PROGRAMS := $(patsubst %,$(BUILD)/test/%,$(UNIT_TESTS)) tests/cli/cli_test tests/image/image_test

.PHONY: run test test-long test-native test-go test-tools bench bench-net bench-files bench-image bench-tools setup setup-build
setup:
	@scripts/setup

setup-build:
	@scripts/setup build

run: setup-build
	@$(MAKE) --no-print-directory all
	@scripts/run-web $(BUILD)/burrow

test-tools:
	@scripts/build-tools tests run gotest

# Everything that fits in CI, on every platform that this machine can use.
test: setup
	@$(MAKE) --no-print-directory all test-tools $(TEST_PROGRAMS)
	@build/tests/run $(TEST_FLAGS) $(TEST_PROGRAMS)

test-long: setup
	@$(MAKE) --no-print-directory all test-tools $(TEST_PROGRAMS)
	@build/tests/run -long $(TEST_FLAGS) $(TEST_PROGRAMS)

# The VM tests' programs as plain processes: tries the tests, not the kernel.
test-native: test-tools
	@build/tests/run -suites vm -platforms native $(TEST_FLAGS)

# Go's own tests: make test-go, make test-go PKG=strings, PKG=test/chan
test-go: setup
	@$(MAKE) --no-print-directory all test-tools
	@build/tests/gotest $(if $(PKG),-packages '$(PKG)') $(TEST_FLAGS)

bench: setup-build
	@$(MAKE) --no-print-directory all bench-tools
	@build/tests/bench $(BENCH_FLAGS)

# The network's figures; needs root for namespaces and taps.
bench-net: setup
	@$(MAKE) --no-print-directory all bench-tools
	@build/tests/bench-net $(BENCH_FLAGS)

# Files and disks; needs some 5 GiB where build/ is.
bench-files: setup
	@$(MAKE) --no-print-directory all bench-tools
	@build/tests/bench-files $(BENCH_FLAGS)

# Built files: size, first byte, many at once.
bench-image: setup-build
	@$(MAKE) --no-print-directory all
	@cd bench && CGO_ENABLED=0 GOFLAGS= GOWORK=off go build -buildvcs=false -o ../build/tests/bench-image ./image
	@build/tests/bench-image $(BENCH_FLAGS)

bench-tools:
	@scripts/build-tools bench bench
	@cd bench && CGO_ENABLED=0 GOFLAGS= GOWORK=off go build -buildvcs=false -o ../build/tests/bench-net ./net
	@cd bench && CGO_ENABLED=0 GOFLAGS= GOWORK=off go build -buildvcs=false -o ../build/tests/bench-files ./files

# ---- static checks ----
CHECKED_C = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')
.PHONY: check check-fast check-headers check-includes check-format check-clang check-tidy check-cppcheck
check: check-fast check-tidy check-cppcheck
check-fast: check-headers check-includes check-format check-clang
	@echo "check: headers, includes, format and the clang build are right"

check-headers: $(LWIP_UNPACKED)
	@scripts/check-headers gcc -std=gnu17 -D_GNU_SOURCE $(LWIP_INCLUDES) $(filter -W%,$(WARNINGS)) -Wno-unused-function
	@scripts/check-headers clang -std=gnu17 -D_GNU_SOURCE $(LWIP_INCLUDES) -Wall -Wextra -Werror -Wshadow -Wundef -Wstrict-prototypes

check-includes:
	@scripts/check-includes

check-format:
	@for file in $(CHECKED_C); do clang-format --dry-run -Werror $$file 2>/dev/null || \
		{ echo "check: run clang-format -i $$file" >&2; failed=1; }; done; [ -z "$$failed" ]

check-clang:
	@$(MAKE) --no-print-directory MODE=clang CC=clang objects

# What is left out, and why: .clang-tidy and scripts/cppcheck-suppressions.
ANALYSED_C = $(KERNEL_SOURCES:%.S=) $(MONITOR_SOURCES) $(CLI_SOURCES) $(HOST_SOURCES)
check-tidy: $(LWIP_UNPACKED)
	@printf '%s\n' $(sort $(filter %.c,$(ANALYSED_C))) | xargs -P $$(nproc) -n 8 sh -c \
		'clang-tidy --quiet "$$@" -- -std=gnu17 -I. -D_GNU_SOURCE $(LWIP_INCLUDES) 2>/dev/null' clang-tidy
	@echo "check: clang-tidy has no complaints"

check-cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,portability,performance --error-exitcode=1 \
		--inline-suppr -j $$(nproc) -I. --suppress=missingInclude \
		--suppressions-list=scripts/cppcheck-suppressions $(sort $(filter %.c,$(ANALYSED_C)))
	@echo "check: cppcheck has no complaints"

# ---- installing: make install PREFIX=/usr/local DESTDIR= ----
PREFIX ?= /usr/local
.PHONY: install
install: all
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/burrow $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/burrow $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/burrow-monitor $(DESTDIR)$(PREFIX)/libexec/burrow/
	install -m 644 $(BUILD)/kernel.elf $(BUILD)/image-kernel.elf $(BUILD)/image-monitor $(BUILD)/image-monitor-net $(DESTDIR)$(PREFIX)/libexec/burrow/
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -D -m 644 scripts/completion/burrow.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/burrow
	install -D -m 644 scripts/completion/_burrow $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_burrow
	install -D -m 644 scripts/completion/burrow.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/burrow.fish

# build/burrow_VERSION_amd64.deb, which needs nothing but a kernel.
.PHONY: deb
deb: all
	@scripts/make-deb build

.PHONY: clean
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
