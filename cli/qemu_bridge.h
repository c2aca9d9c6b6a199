/*
 * Carries a program's streams between this process and QEMU's consoles.
 *
 * Theory of operation. QEMU has three virtio consoles, each on a socket whose other
 * end is here: STDIO (our stdin to the guest, the guest's stdout to us), STDERR and
 * CONTROL (abi/control.h). One poll loop moves bytes, at most one buffer in each
 * direction, so that a slow reader slows the program and nothing grows. End of our
 * stdin, signals and a changed window size become control messages; EXIT, KILLED and
 * PANIC from the guest say how it ended. The guest is not trusted: a malformed
 * control stream ends the VM.
 */
#ifndef CLI_QEMU_BRIDGE_H
#define CLI_QEMU_BRIDGE_H

#include <signal.h>
#include <sys/types.h>

#include "cli/launch.h"

struct qemu_bridge {
	int stdio; /* sockets to QEMU's consoles */
	int error;
	int control;
	int diagnostics; /* pipe: serial port and QEMU's own messages */
	pid_t pid;       /* QEMU */
	bool verbose;    /* show diagnostics as they come */
};

/* Blocks the signals that become messages; call before QEMU is started. The mask
 * before goes to *before, for the child. */
void qemu_bridge_block_signals(sigset_t *before);

/* Runs until QEMU is gone and its output is delivered; reaps it. */
struct launch_result qemu_bridge_run(const struct qemu_bridge *bridge);

#endif
