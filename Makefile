# Burrow: one non-recursive Makefile; each room's files.mk names its sources.
#
#   make            build/$(MODE)/: burrow, burrow-monitor, kernel.elf
#   make run        install what is missing, build, boot examples/hello
#   make test       all tests that fit in CI           make test-long   the rest
#   make test-unit  host unit tests with sanitizers    make fuzz        fuzzers, 10 s each
#   make test-go    Go's own tests in VMs              make bench       the README's numbers
#   make check      headers alone, include rule, formatting, static analysis
#
# MODE=release (default) or asan for host tools; CC=gcc or clang.

MODE  ?= release
BUILD := build/$(MODE)
CC    ?= gcc
ifeq ($(origin CC),default)
CC    := gcc
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wimplicit-fallthrough -Wconditional-uninitialized -Wframe-larger-than=1024
else
WARNINGS += -Wimplicit-fallthrough=5 -Wnull-dereference
KERNEL_WARNINGS := -Wframe-larger-than=1024
endif

COMMON := -std=gnu17 -O2 -g -I. -ffile-prefix-map=$(CURDIR)=. -MMD -MP -fno-common
KERNEL_CFLAGS := $(COMMON) $(WARNINGS) $(KERNEL_WARNINGS) -ffreestanding -fno-pic -fno-pie \
	-mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-strict-aliasing -fcf-protection=none -DBURROW_KERNEL
HOST_CFLAGS := $(COMMON) $(WARNINGS) -D_GNU_SOURCE -fno-strict-aliasing
HOST_LDFLAGS := -static
TEST_CFLAGS := $(COMMON) $(WARNINGS) -D_GNU_SOURCE -fno-strict-aliasing -O1 \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

include $(sort $(wildcard */files.mk kernel/*/files.mk platform/*/files.mk))

.PHONY: all objects
all: $(BUILD)/kernel.elf $(BUILD)/burrow-monitor $(BUILD)/burrow

# ---- kernel: C and assembly below lib kernel arch nucleus drivers platform ----
KERNEL_OBJECTS := $(patsubst %,$(BUILD)/kernel/%.o,$(KERNEL_SOURCES))
MONITOR_OBJECTS := $(patsubst %,$(BUILD)/host/%.o,$(MONITOR_SOURCES))
CLI_OBJECTS := $(patsubst %,$(BUILD)/host/%.o,$(CLI_SOURCES))

objects: $(KERNEL_OBJECTS) $(MONITOR_OBJECTS) $(CLI_OBJECTS)

$(BUILD)/kernel/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(KERNEL_CFLAGS) -c $< -o $@

$(BUILD)/kernel/%.S.o: %.S
	@mkdir -p $(@D)
	@echo "  AS      $<"
	@$(CC) $(KERNEL_CFLAGS) -D__ASSEMBLY__ -c $< -o $@

$(BUILD)/host/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(CC) $(HOST_CFLAGS) -c $< -o $@

$(BUILD)/kernel.elf: $(KERNEL_OBJECTS) platform/vm/kernel.lds
	@echo "  LD      $@"
	@$(CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
		-Wl,-T,platform/vm/kernel.lds -Wl,--no-warn-rwx-segments -o $@ $(KERNEL_OBJECTS) -lgcc

$(BUILD)/burrow-monitor: $(MONITOR_OBJECTS)
	@echo "  LD      $@"
	@$(CC) $(HOST_LDFLAGS) -Wl,--build-id=none -o $@ $(MONITOR_OBJECTS) -lpthread

$(BUILD)/burrow: $(CLI_OBJECTS)
	@echo "  LD      $@"
	@$(CC) $(HOST_LDFLAGS) -Wl,--build-id=none -o $@ $(CLI_OBJECTS)

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

.PHONY: clean
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
