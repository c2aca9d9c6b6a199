/*
 * Clocks, from one invariant tick counter shared with the vDSO.
 */
#ifndef KERNEL_SCHED_CLOCK_H
#define KERNEL_SCHED_CLOCK_H

#include "lib/compiler.h"
#include "abi/vdso_data.h"

struct wait_queue;

void clock_init(void);
uint64_t clock_monotonic_ns(void); /* never 0, never goes back */
uint64_t clock_realtime_ns(void);
/* When CLOCK_MONOTONIC will read what CLOCK_REALTIME now calls `realtime_ns`. */
uint64_t clock_monotonic_of_realtime(uint64_t realtime_ns);
/* clock_settime(CLOCK_REALTIME): wakes absolute wall-clock sleepers and timers. */
void clock_set_realtime_ns(uint64_t ns);
/* Woken by clock_set_realtime_ns(): waiters compute their deadlines anew. The count
 * says how often that has happened. */
struct wait_queue *clock_change_queue(void);
uint32_t clock_change_count(void);
uint64_t clock_ticks_of_ns(uint64_t monotonic_ns); /* tick count at which the clock reads ns */
uint64_t clock_ns_of_ticks(uint64_t ticks);        /* duration */
uint64_t clock_ticks_of_duration(uint64_t ns);     /* the same, the other way */
/* The page shared with the vDSO: a whole page of the kernel's image. The loader fills
 * in system_call. */
struct vdso_data *clock_vdso_data(void);

#endif
