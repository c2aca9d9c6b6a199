/* What entry.S calls, and where devices attach their interrupts. */
#ifndef ARCH_X86_64_TRAP_H
#define ARCH_X86_64_TRAP_H

#include "abi/kernel_image.h"
#include "abi/linux/errno.h"
#include "arch/x86_64/trap_frame.h"
#include "kernel/platform.h"

/* A fault of the program or of a user copy in the kernel. May sleep. */
void trap_fault(struct trap_frame *frame);
/* A system call; true if the frame must be restored whole (return_retry). */
bool trap_system_call(struct trap_frame *frame);
/* Interrupts, signals and preemption before the program continues. May sleep. */
void trap_return(struct trap_frame *frame);

/* Calls handler for this vector from now on. -EINVAL, -EBUSY. */
int trap_attach(uint32_t vector, platform_interrupt_fn handler, void *argument);

#endif
