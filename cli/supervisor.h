/*
 * A VM in the background: `burrow run --detach`.
 *
 * A process of its own session starts the VM, keeps what it writes in its log, and starts it
 * again as the restart policy says. It ends with the VM, or at SIGTERM, which it passes on.
 */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "host/machines.h"

enum restart_kind { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct restart_policy {
	enum restart_kind kind;
	uint32_t most; /* restarts; 0: no limit */
};

/* "no", "always", "on-failure" or "on-failure:N"; false if it is none of these. */
bool restart_parse(const char *text, struct restart_policy *policy);

/*
 * Called in a child of its own at each start: makes the VM, calls `started` just before it
 * runs, and returns the exit status. What it says before `started` goes to the user.
 */
typedef int (*supervisor_start)(void *context, void (*started)(void));

/*
 * Starts it in the background and returns 0 when it runs, or the status with which the first
 * start ended before. `machine` belongs to the supervisor from then on.
 */
int supervisor_run(struct machine_handle *machine, struct restart_policy policy,
	supervisor_start start, void *context);

#endif
