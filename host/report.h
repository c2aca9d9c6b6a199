/*
 * What the tool itself says, as opposed to the program it runs.
 *
 * One line a message, on stderr: `burrow: run: what: why; what to do`. With --json
 * an error is one JSON object {"error": …, "status": …} on the descriptor asked for.
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "host/status.h"
#include "lib/compiler.h"

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
