/*
 * The frame a signal handler finds on its stack, and the way back from it: layout of
 * Linux on x86-64 (struct rt_sigframe), which programs and Go's runtime rely on.
 */
#ifndef KERNEL_SYSCALL_SIGNAL_FRAME_H
#define KERNEL_SYSCALL_SIGNAL_FRAME_H

#include "kernel/signal/signal.h"

/* What lies at the handler's rsp; the vector state follows at the next 64 bytes. */
struct signal_frame {
	uint64_t restorer; /* return address of the handler */
	struct linux_ucontext context;
	struct linux_siginfo info;
};

_Static_assert(sizeof(struct signal_frame) == 8 + 304 + 128, "Linux layout");

/* Writes the frame for `delivery` to the current thread's stack (or alternate stack)
 * and points `frame` at the handler. -EFAULT: `frame` is as it was. May sleep. */
MUST_CHECK int signal_frame_build(struct trap_frame *frame, const struct signal_delivery *delivery);
/* rt_sigreturn: takes registers, mask and alternate stack from the frame at rsp - 8. */
MUST_CHECK int signal_frame_restore(struct trap_frame *frame);

/* sigaltstack(2) for the current thread whose stack pointer is `sp`. `old` may be NULL. */
int signal_stack_set(const struct linux_stack *stack, uint64_t sp);
void signal_stack_get(struct linux_stack *stack, uint64_t sp);

#endif
