CLI_SOURCES += cli/main.c cli/run.c cli/exec.c cli/doctor.c cli/help.c cli/session.c \
	cli/options.c cli/flags.c cli/program.c cli/install.c \
	cli/pack.c cli/cpio.c cli/bundle.c \
	cli/launch_kvm.c cli/launch_qemu.c cli/qemu_bridge.c
CLI_SOURCES += cli/volume.c

CLI_SOURCES += cli/check.c cli/check_command.c cli/go.c cli/go_environment.c cli/toolexec.c cli/supervisor.c cli/machine_text.c \
	cli/ps.c cli/logs.c cli/stop.c cli/sample.c cli/stats.c cli/metrics.c

CLI_SOURCES += cli/build.c cli/image_write.c

UNIT_TESTS += cli/cpio_test cli/bundle_test \
	cli/qemu_bridge_test
cli/cpio_test_SOURCES := cli/cpio.c
cli/bundle_test_SOURCES := cli/bundle.c host/alloc.c
FUZZERS += cli/cpio_fuzz
cli/cpio_fuzz_SOURCES := cli/cpio.c
cli/qemu_bridge_test_SOURCES := cli/qemu_bridge.c host/alloc.c host/report.c host/json.c
