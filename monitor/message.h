/*
 * What the monitor says to its user, and the statuses it ends with.
 *
 * Messages are one line on stderr: "burrow-monitor: what: why; what to do".
 */
#ifndef MONITOR_MESSAGE_H
#define MONITOR_MESSAGE_H

#include "lib/compiler.h"

/* As env(1), timeout(1) and container runtimes; see docs/monitor.md. */
enum monitor_status {
	STATUS_VM_FAILED = 70,       /* kernel panic, triple fault, broken ring (EX_SOFTWARE) */
	STATUS_MONITOR_FAILED = 125, /* bad arguments, no KVM, no memory: nothing was run */
	STATUS_NOT_EXECUTABLE = 126, /* the program is not one that Burrow can run */
	STATUS_NOT_FOUND = 127,
};

void message_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints and ends the monitor at once. */
_Noreturn void message_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);

/* Text as it is, to stderr; keeps trying until all is written or an error. */
void message_write(const char *text, size_t bytes);

#endif
