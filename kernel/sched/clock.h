/*
 * Clocks, from one invariant tick counter shared with the vDSO.
 */
#ifndef KERNEL_SCHED_CLOCK_H
#define KERNEL_SCHED_CLOCK_H

#include "lib/compiler.h"
#include "abi/vdso_data.h"

void clock_init(void);
uint64_t clock_monotonic_ns(void); /* never 0, never goes back */
uint64_t clock_realtime_ns(void);
/* clock_settime(CLOCK_REALTIME): wakes absolute wall-clock sleepers and timers. */
void clock_set_realtime_ns(uint64_t ns);
uint64_t clock_ticks_of_ns(uint64_t monotonic_ns); /* tick count at which the clock reads ns */
uint64_t clock_ns_of_ticks(uint64_t ticks);        /* duration */
/* The page shared with the vDSO. */
struct vdso_data *clock_vdso_data(void);

#endif
