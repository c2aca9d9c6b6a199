CLI_SOURCES += cli/main.c cli/run.c cli/exec.c cli/doctor.c cli/help.c cli/session.c \
	cli/options.c cli/flags.c cli/program.c cli/install.c \
	cli/archive.c cli/cpio.c cli/bundle.c \
	cli/launch_kvm.c cli/launch_qemu.c cli/qemu_bridge.c
CLI_SOURCES += cli/volume.c

CLI_SOURCES += cli/check.c cli/check_command.c cli/built_file.c cli/go.c cli/go_environment.c cli/toolexec.c cli/supervisor.c cli/machine_text.c \
	cli/ps.c cli/logs.c cli/stop.c cli/sample.c cli/stats.c cli/metrics.c

CLI_SOURCES += cli/build.c cli/image_write.c cli/image_inspect.c

UNIT_TESTS += cli/cpio_test cli/bundle_test \
	cli/qemu_bridge_test
cli/cpio_test_SOURCES := cli/cpio.c
cli/bundle_test_SOURCES := cli/bundle.c host/alloc.c
FUZZERS += cli/cpio_fuzz
cli/cpio_fuzz_SOURCES := cli/cpio.c
cli/qemu_bridge_test_SOURCES := cli/qemu_bridge.c host/alloc.c host/report.c host/json.c

# Trees of files for a VM, and their images.
FILE_TREE_SOURCES := cli/file_tree.c cli/file_tree_host.c cli/default_files.c cli/erofs_write.c \
	cli/go_root.c cli/tar.c cli/zip.c
CLI_SOURCES += $(FILE_TREE_SOURCES) cli/file_images.c cli/image_command.c cli/image_map.c
UNIT_TESTS += cli/file_tree_test
cli/file_tree_test_SOURCES := $(FILE_TREE_SOURCES) host/alloc.c host/child.c host/report.c \
	host/json.c lib/erofs.c
FUZZERS += cli/tar_fuzz
cli/tar_fuzz_SOURCES := $(FILE_TREE_SOURCES) host/alloc.c host/child.c
