/*
 * One-shot timers on CLOCK_MONOTONIC.
 *
 * Callbacks run in kernel context on the vcpu that armed the timer, with no lock
 * held; they must not sleep. Sleeping threads do not use these (thread_sleep has
 * its own deadline). Wall-clock timers re-arm when the clock is set (clock.h).
 */
#ifndef KERNEL_SCHED_TIMER_H
#define KERNEL_SCHED_TIMER_H

#include "lib/compiler.h"

struct timer;
typedef void (*timer_fn)(struct timer *timer);

struct timer {
	uint64_t deadline_ns;
	timer_fn fn;
	struct timer *child, *sibling, **back; /* pairing heap; timer.c */
	uint32_t cpu;                          /* whose heap holds it */
	bool armed;
};

void timer_init(struct timer *timer, timer_fn fn);
/* (Re)arms. A deadline in the past fires soon. */
void timer_arm(struct timer *timer, uint64_t deadline_ns);
/* True if it was armed and now will not fire. When false it fired, or its callback
 * is running on another vcpu; timer_cancel_wait also waits for the callback's end. */
bool timer_cancel(struct timer *timer);
bool timer_cancel_wait(struct timer *timer);

#endif
