/*
 * Times of the program: struct timespec and its kin in user memory to nanoseconds and
 * back. Nanoseconds saturate at INT64_MAX (292 years), as in Linux.
 */
#ifndef KERNEL_SYSCALL_TIMESPEC_H
#define KERNEL_SYSCALL_TIMESPEC_H

#include "abi/linux/time.h"
#include "lib/compiler.h"

#define NS_PER_SECOND 1000000000ull

/* -EINVAL unless seconds >= 0 and 0 <= nanoseconds < 10^9. */
MUST_CHECK int timespec_to_ns(const struct linux_timespec *timespec, uint64_t *ns);
struct linux_timespec timespec_of_ns(uint64_t ns);
/* -EINVAL likewise, with microseconds. */
MUST_CHECK int timeval_to_ns(const struct linux_timeval *timeval, uint64_t *ns);
struct linux_timeval timeval_of_ns(uint64_t ns);

/* From and to the program: -EFAULT, -EINVAL. */
MUST_CHECK int timespec_read(uintptr_t address, uint64_t *ns);
MUST_CHECK int timespec_write(uintptr_t address, uint64_t ns);

/* The moment on CLOCK_MONOTONIC that is `ns` from now; never UINT64_MAX. */
uint64_t deadline_after(uint64_t ns);

#endif
