/*
 * What the tool itself says, as opposed to the program it runs.
 *
 * One line a message, on stderr: `burrow: run: what: why; what to do`. With --json
 * an error is one JSON object {"error": …, "status": …} on the descriptor asked for.
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "lib/compiler.h"

/* Exit statuses of the tool; everything else is the program's own. */
enum report_status {
	STATUS_VM_FAILED = 70,     /* the VM broke; the monitor ends so as well */
	STATUS_TOOL_FAILED = 125,  /* wrong usage, or the machine lacks something */
	STATUS_NOT_RUNNABLE = 126, /* PROGRAM exists but cannot be run */
	STATUS_NOT_FOUND = 127,    /* no such PROGRAM */
};

/* The subcommand that speaks; NULL for none. */
void report_set_command(const char *command);
/* Errors become JSON on `fd`. */
void report_set_json(int fd);

void report_note(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void report_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);

/* At the end of a command that prints on stdout: 0, or a failure when that did not
 * take it all. */
int report_finish_output(void);

#endif
