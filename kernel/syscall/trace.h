/* The text of a traced system call, apart from where it goes. */
#ifndef KERNEL_SYSCALL_TRACE_H
#define KERNEL_SYSCALL_TRACE_H

#include "lib/compiler.h"

/* Writes a line with its newline (no NUL), cut to `capacity`; returns its length. */
size_t syscall_trace_format(char *buffer, size_t capacity, int tid, uint64_t number,
	const uint64_t arguments[6], long result, bool is_final);

/* "ENOENT" for 2, also for the numbers of restarts; NULL for what is no error. */
const char *syscall_error_name(int number);

#endif
