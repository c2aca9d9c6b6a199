CLI_SOURCES += cli/main.c cli/run.c cli/exec.c cli/doctor.c cli/help.c cli/session.c \
	cli/options.c cli/flags.c cli/environment.c cli/program.c cli/child.c cli/install.c \
	cli/pack.c cli/cpio.c cli/bundle.c cli/size.c cli/alloc.c cli/report.c cli/json.c \
	cli/network.c cli/network_tap.c cli/network_passt.c cli/kvm.c cli/launch_kvm.c cli/launch_qemu.c cli/qemu_bridge.c

UNIT_TESTS += cli/size_test cli/cpio_test cli/bundle_test cli/environment_test cli/json_test \
	cli/qemu_bridge_test
cli/size_test_SOURCES := cli/size.c
cli/cpio_test_SOURCES := cli/cpio.c
cli/bundle_test_SOURCES := cli/bundle.c cli/alloc.c
cli/environment_test_SOURCES := cli/environment.c cli/alloc.c
cli/json_test_SOURCES := cli/json.c
FUZZERS += cli/cpio_fuzz
cli/cpio_fuzz_SOURCES := cli/cpio.c
cli/qemu_bridge_test_SOURCES := cli/qemu_bridge.c cli/alloc.c cli/report.c cli/json.c
