/*
 * What a thread of the monitor gives up before the guest runs, so that a guest that takes the
 * monitor over has little from it: new rights by exec, capabilities, the file system, and all
 * system calls but those that are written beside the code that makes them (scripts/sandbox-calls).
 * A call that is not allowed ends the process (SIGSYS). docs/monitor.md, "Sandbox".
 */
#ifndef MONITOR_SANDBOX_H
#define MONITOR_SANDBOX_H

#include "lib/compiler.h"

#define SANDBOX_MAX_CALLS 128

struct sandbox_needs {
	bool has_net, has_disk;
};

/* Numbers of the system calls that are allowed, each once, at most SANDBOX_MAX_CALLS. */
size_t sandbox_calls(const struct sandbox_needs *needs, uint16_t *calls);

/* Once, before there are threads: no core files, no other process may look in. */
void sandbox_prepare(void);
/* For the calling thread, for good. What this host's Linux does not have is left out. */
void sandbox_enter(const struct sandbox_needs *needs);

#endif
