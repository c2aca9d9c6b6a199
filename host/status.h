/*
 * The statuses that the command and the monitor end with when it is not the program's own: as
 * env(1), timeout(1) and container runtimes; see docs/monitor.md.
 */
#ifndef HOST_STATUS_H
#define HOST_STATUS_H

enum exit_status {
	STATUS_VM_FAILED = 70, /* kernel panic, triple fault, broken ring (EX_SOFTWARE) */
	/* Nothing was run: wrong usage, or the machine lacks something. */
	STATUS_TOOL_FAILED = 125,
	STATUS_MONITOR_FAILED = STATUS_TOOL_FAILED,
	STATUS_NOT_RUNNABLE = 126, /* the program exists but cannot be run */
	STATUS_NOT_EXECUTABLE = STATUS_NOT_RUNNABLE,
	STATUS_NOT_FOUND = 127, /* no such program */
};

#endif
