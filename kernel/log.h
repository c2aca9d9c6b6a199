/*
 * Messages of the kernel itself, on the program's stderr stream, one line each,
 * prefixed "burrow: ". No newline in the format.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include "lib/compiler.h"

/* Always shown: something the user must know (a program tried to fork, out of memory). */
void log_notice(const char *format, ...) PRINTF_LIKE(1, 2);
/* Shown with --verbose. */
void log_verbose(const char *format, ...) PRINTF_LIKE(1, 2);
bool log_is_verbose(void);
/* A line as it is (newline included), without the prefix: --trace-syscalls. */
void log_write_line(const char *line, size_t bytes);

#endif
