# Which host system calls are allowed is written in the sources.
GENERATED := $(BUILD)/generated
$(GENERATED)/monitor/sandbox_calls.h: scripts/sandbox-calls $(wildcard monitor/*.c)
	@mkdir -p $(@D)
	@scripts/sandbox-calls $(filter %.c,$^) >$@
$(BUILD)/host/monitor/sandbox.c.o: $(GENERATED)/monitor/sandbox_calls.h
$(BUILD)/host/monitor/sandbox.c.o: HOST_CFLAGS += -I$(GENERATED)
$(BUILD)/test/monitor/sandbox_test: $(GENERATED)/monitor/sandbox_calls.h
UNIT_TESTS += monitor/sandbox_test
monitor/sandbox_test_SOURCES := monitor/sandbox.c
monitor/sandbox_test_CFLAGS := -I$(GENERATED)

MONITOR_SOURCES += monitor/sandbox.c monitor/main.c monitor/built.c monitor/built_net.c monitor/options.c monitor/message.c monitor/timeline.c \
	monitor/kernel_file.c monitor/layout.c monitor/give_back.c monitor/guest_memory.c monitor/image.c \
	monitor/vm.c monitor/cpuid.c monitor/vcpu.c monitor/ring.c monitor/stream.c \
	monitor/block.c monitor/block_log.c monitor/block_threads.c monitor/io_disk.c \
	monitor/control.c monitor/signals.c monitor/teardown.c monitor/io.c monitor/net.c \
	monitor/net_stream.c monitor/net_capture.c monitor/net_decode.c monitor/record.c monitor/report.c

# Monitors of built files: without the code of devices that their manifests do not name.
MONITOR_DISK_SOURCES := monitor/block.c monitor/block_log.c monitor/block_threads.c monitor/io_disk.c
MONITOR_NET_SOURCES := monitor/built_net.c monitor/net.c monitor/net_stream.c monitor/net_capture.c \
	monitor/net_decode.c

UNIT_TESTS += monitor/give_back_test
monitor/give_back_test_SOURCES := monitor/give_back.c monitor/layout.c monitor/ring.c \
	monitor/guest_memory.c monitor/message.c monitor/timeline.c lib/boot_tables.c \
	lib/format.c

UNIT_TESTS += monitor/ring_test monitor/control_test
monitor/ring_test_SOURCES := monitor/ring.c monitor/guest_memory.c
monitor/control_test_SOURCES := monitor/control.c monitor/ring.c monitor/guest_memory.c \
	monitor/stream.c monitor/message.c monitor/timeline.c lib/format.c

FUZZERS += monitor/ring_fuzz monitor/control_fuzz
monitor/ring_fuzz_SOURCES := monitor/ring.c monitor/guest_memory.c
monitor/control_fuzz_SOURCES := $(monitor/control_test_SOURCES)

UNIT_TESTS += monitor/net_test
monitor/net_test_SOURCES := monitor/net.c monitor/net_stream.c monitor/net_capture.c \
	monitor/net_decode.c monitor/record.c monitor/ring.c monitor/guest_memory.c monitor/message.c lib/format.c
FUZZERS += monitor/net_fuzz
monitor/net_fuzz_SOURCES := $(monitor/net_test_SOURCES)

FS_SERVER_SOURCES := monitor/fs_server.c monitor/fs_node.c monitor/fs_names.c \
	monitor/fs_attributes.c monitor/fs_data.c monitor/fs_directory.c
MONITOR_SOURCES += $(FS_SERVER_SOURCES) monitor/io_share.c monitor/fs_confine.c
UNIT_TESTS += monitor/fs_test
monitor/fs_test_SOURCES := $(FS_SERVER_SOURCES)
FUZZERS += monitor/fs_fuzz
monitor/fs_fuzz_SOURCES := $(FS_SERVER_SOURCES)

UNIT_TESTS += monitor/block_test
monitor/block_test_SOURCES := monitor/block.c monitor/block_log.c monitor/ring.c \
	monitor/guest_memory.c monitor/message.c lib/format.c
FUZZERS += monitor/block_fuzz
monitor/block_fuzz_SOURCES := $(monitor/block_test_SOURCES)
