CLI_SOURCES += cli/main.c cli/run.c cli/exec.c cli/doctor.c cli/help.c cli/session.c \
	cli/options.c cli/flags.c cli/environment.c cli/program.c cli/child.c cli/install.c \
	cli/pack.c cli/cpio.c cli/bundle.c cli/size.c cli/alloc.c cli/report.c cli/json.c \
	cli/kvm.c cli/launch_kvm.c cli/launch_qemu.c cli/qemu_bridge.c
