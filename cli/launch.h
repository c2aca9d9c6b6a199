/* Starts the VM, on one platform or the other. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/file_images.h"
#include "cli/options.h"
#include "cli/program.h"

struct launch {
	struct options *options; /* its network is opened by each start */
	const struct program *program;
	const struct text_list *environment;
	const char *working_directory;
	struct machine_handle *machine; /* its record, for the monitor's counters; NULL: none */
	struct file_images files;
};

/* What became of the program; status is what the shell sees. */
struct launch_result {
	int status;
	int signal;     /* 0, or what killed the program */
	bool has_ended; /* false: the VM broke before the program ended */
};

/* Becomes the monitor. Only returns to fail the command. */
_Noreturn void launch_kvm_exec(const struct launch *launch);
/* As a child, forwarding signals, to know the result. */
struct launch_result launch_kvm_wait(const struct launch *launch);

/* Starts QEMU and carries the program's streams until it ends. */
struct launch_result launch_qemu(const struct launch *launch);

#endif
