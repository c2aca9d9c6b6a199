/*
 * What the monitor says to its user, and the statuses it ends with.
 *
 * Messages are one line on stderr: "burrow-monitor: what: why; what to do". In a built file
 * the first word is another.
 */
#ifndef MONITOR_MESSAGE_H
#define MONITOR_MESSAGE_H

#include "host/status.h"
#include "lib/compiler.h"

/* Kept, not copied. */
void message_set_speaker(const char *name);

void message_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints and ends the monitor at once. */
_Noreturn void message_fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);

/* Text as it is, to stderr; keeps trying until all is written or an error. */
void message_write(const char *text, size_t bytes);

#endif
