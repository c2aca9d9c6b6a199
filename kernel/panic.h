/*
 * The end of the kernel: for broken invariants of our own, never for anything a
 * program, file, packet, host or user sent.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include "lib/compiler.h"
#include "arch/x86_64/trap_frame.h"

/* Prints the message, registers and a backtrace, and ends the VM. */
_Noreturn void panic(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same for a fault of the kernel itself, with the registers at that point. */
_Noreturn void panic_at_fault(const struct trap_frame *frame, uintptr_t address);

#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (UNLIKELY(!(condition)))                                                        \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);      \
	} while (0)

#endif
