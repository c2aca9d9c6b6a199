/*
 * The end of the kernel: for broken invariants of our own, never for anything a
 * program, file, packet, host or user sent.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "lib/compiler.h"

/* Prints the message, registers and a backtrace, and ends the VM. */
_Noreturn void panic(const char *format, ...) PRINTF_LIKE(1, 2);

#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (UNLIKELY(!(condition)))                                                        \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);      \
	} while (0)

#endif
