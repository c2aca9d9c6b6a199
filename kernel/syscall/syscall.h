/*
 * System calls: the one place that knows Linux numbers and user pointers.
 *
 * kernel/syscall/SUBJECT.def lists the calls of a subject, each once:
 *     SYSCALL(number, name, argument_count, "argument kinds for --trace-syscalls")
 * (the number in decimal) and each call is a function
 *     long sys_NAME(uint64_t a0, ... );   (as many as argument_count)
 * in SUBJECT.c, which includes "kernel/syscall/prototypes.h". It returns a result or
 * -E. Subjects: memory, thread, time, signal, identity, system, file, event, refused; table.c
 * includes them all. What is in no table returns -ENOSYS and is counted (shown at
 * exit with --verbose). A call that needs the registers of the program (rt_sigreturn,
 * clone) finds them with arch_thread_frame(thread_current()).
 *
 * Argument kinds, one letter each: d int, u unsigned, x hex, o octal, p pointer,
 * s string, f descriptor, b buffer (length is the next argument), t timespec.
 */
#ifndef KERNEL_SYSCALL_SYSCALL_H
#define KERNEL_SYSCALL_SYSCALL_H

#include "lib/compiler.h"
#include "abi/linux/errno.h"
#include "arch/x86_64/trap_frame.h"

#define SYSCALL_TABLE_SIZE 512

/*
 * While a call is served and until the return to the program, frame->error holds the
 * call's number, so that it can be restarted; SYSCALL_NO_RESTART where rax must be
 * left alone (rt_sigreturn put it there).
 */
#define SYSCALL_NO_RESTART UINT64_MAX

typedef long (*syscall_handler)(
	uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

struct syscall_description {
	const char *name; /* NULL: not implemented */
	const char *kinds;
	unsigned argument_count;
};

/* Every entry may be called; those not implemented return -ENOSYS (and are counted). */
extern const syscall_handler syscall_handlers[SYSCALL_TABLE_SIZE];
extern const struct syscall_description syscall_descriptions[SYSCALL_TABLE_SIZE];

/* Serves the call in frame->rax and puts the result there. */
void syscall_dispatch(struct trap_frame *frame);
/* From now on every call is shown on stderr (BOOT_TRACE_SYSCALLS). */
void syscall_trace_enable(void);
/* One line per unimplemented number that was called, with its count. */
void syscall_report_unimplemented(void);

/* What the table holds for numbers nobody implements. */
long syscall_unimplemented(void);

/* Whether `pid` names the program: by its id, by that of one of its threads (as on
 * Linux) or as 0, the caller. */
bool syscall_is_program(int pid);

/* ---- trace.c ---- */

/* True for calls that do not come back: they are shown before they run. */
bool syscall_trace_is_final(uint64_t number);
/* Shows a call with the arguments it had and, unless `is_final`, its result. */
void syscall_trace_show(uint64_t number, const uint64_t arguments[6], long result, bool is_final);

#endif
