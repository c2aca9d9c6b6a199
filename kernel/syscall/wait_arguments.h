/*
 * What the waiting calls share: time limits and signal masks of the program.
 */
#ifndef KERNEL_SYSCALL_WAIT_ARGUMENTS_H
#define KERNEL_SYSCALL_WAIT_ARGUMENTS_H

#include "lib/compiler.h"

#define DEADLINE_NOW 0 /* only look */

/* A limit of milliseconds as a deadline on clock_monotonic_ns(): negative is never. */
uint64_t deadline_of_milliseconds(int milliseconds);
/* A limit from a user struct timespec; address 0 is never. -EFAULT, -EINVAL. */
int deadline_of_timespec(uintptr_t address, uint64_t *deadline_ns);
/* The same from a struct timeval, whose microseconds may exceed a second. */
int deadline_of_timeval(uintptr_t address, uint64_t *deadline_ns);
/* Stores what is left until the deadline, where a limit was given. Errors do not matter:
 * Linux ignores them too. True if it was stored. */
bool deadline_store_timespec(uintptr_t address, uint64_t deadline_ns);
bool deadline_store_timeval(uintptr_t address, uint64_t deadline_ns);

/* Installs a user's signal mask for the time of the call; address 0: none, then
 * *installed is false. -EINVAL, -EFAULT. */
int wait_mask_begin(uintptr_t address, uint64_t bytes, bool *installed);
/* Ends that, unless `result` says that a signal is about to be delivered, for whose
 * handler the mask stays. Returns result. */
long wait_mask_end(bool installed, long result);

#endif
