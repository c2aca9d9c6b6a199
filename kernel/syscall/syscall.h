/*
 * System calls: the one place that knows Linux numbers and user pointers.
 *
 * kernel/syscall/table.def lists every call once:
 *     SYSCALL(number, name, argument_count, "argument kinds for --trace-syscalls")
 * and each implemented call is a function
 *     long sys_NAME(uint64_t a0, ... );   (as many as argument_count)
 * in the file of its subject (file.c, memory.c, thread.c, signal.c, time.c,
 * poll.c, identity.c, system.c, event.c). It returns a result or -E. What is not
 * in the table returns -ENOSYS and is counted (shown at exit with --verbose).
 *
 * Argument kinds, one letter each: d int, u unsigned, x hex, o octal, p pointer,
 * s string, f descriptor, b buffer (length is the next argument), t timespec.
 */
#ifndef KERNEL_SYSCALL_SYSCALL_H
#define KERNEL_SYSCALL_SYSCALL_H

#include "lib/compiler.h"
#include "abi/linux/errno.h"
#include "arch/x86_64/trap_frame.h"

/* Serves the call in frame->rax and puts the result there. */
void syscall_dispatch(struct trap_frame *frame);
/* One line per unimplemented number that was called, with its count. */
void syscall_report_unimplemented(void);

#endif
