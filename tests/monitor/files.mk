# The monitor against a guest of its own; see guest.c.
GUEST := $(BUILD)/test/tests/monitor/guest.elf
UNIT_TESTS += tests/monitor/monitor_test
tests/monitor/monitor_test_SOURCES :=
tests/monitor/monitor_test_CFLAGS = -DMONITOR='"$(BUILD)/burrow-monitor"' -DGUEST='"$(GUEST)"' \
	-DPROGRAM='"$(BUILD)/test/tests/monitor/program"'

$(BUILD)/test/tests/monitor/monitor_test: $(GUEST) $(BUILD)/burrow-monitor $(BUILD)/test/tests/monitor/program

$(GUEST): tests/monitor/start.S tests/monitor/guest.c tests/monitor/guest.lds lib/string.c lib/format.c
	@mkdir -p $(@D)
	@echo "  GUEST   $@"
	@$(CC) $(filter-out -MMD -MP,$(KERNEL_CFLAGS)) -nostdlib -static -no-pie -Wl,--build-id=none \
		-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,-T,tests/monitor/guest.lds -o $@ \
		$(filter %.S %.c,$^)

# Any static executable: the guest does not run it.
$(BUILD)/test/tests/monitor/program: tests/monitor/program.c
	@mkdir -p $(@D)
	@$(CC) -static -nostdlib -Wl,--build-id=none -o $@ $<
