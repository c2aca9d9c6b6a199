/*
 * One-shot timers on CLOCK_MONOTONIC.
 *
 * Callbacks run in kernel context on the vcpu that armed the timer, with no lock
 * held; they must not sleep nor free the timer, and may arm it again. Calls for one
 * timer are serialised by its owner, but for timer_cancel(). Sleeping threads need
 * none of this (thread_sleep has its own deadline). Wall-clock timers re-arm when
 * the clock is set (clock_change_queue in clock.h). Locks: one per heap, rank 38.
 */
#ifndef KERNEL_SCHED_TIMER_H
#define KERNEL_SCHED_TIMER_H

#include "lib/compiler.h"

struct thread;
struct timer;
typedef void (*timer_fn)(struct timer *timer);

struct timer {
	uint64_t deadline_ns;
	timer_fn fn;
	struct thread *sleeper;                /* thread_sleep: woken in place of a call of fn */
	struct timer *child, *sibling, **back; /* pairing heap; timer.c */
	uint32_t cpu;                          /* whose heap holds it */
	uint32_t running;                      /* callbacks under way */
	bool armed;
};

void timer_init(struct timer *timer, timer_fn fn);
/* (Re)arms. A deadline in the past fires soon. */
void timer_arm(struct timer *timer, uint64_t deadline_ns);
/* True if it was armed and now will not fire (again). When false it fired, or its callback
 * is running on another vcpu; timer_cancel_wait also waits for the callback's end. */
bool timer_cancel(struct timer *timer);
bool timer_cancel_wait(struct timer *timer);
/* Nanoseconds until it fires, at least 1; 0 when not armed. */
uint64_t timer_remaining_ns(struct timer *timer);

/* For sched.c: a timer that wakes `sleeper`; it is not touched any more once it is out
 * of its heap, so timer_cancel() suffices. Arming without telling the scheduler; the tick count of
 * this vcpu's earliest deadline (UINT64_MAX: none), and whether it is a sleeper's; runs what is
 * due on this vcpu: true if anything was. */
void timer_init_sleep(struct timer *timer, struct thread *sleeper);
void timer_insert(struct timer *timer, uint64_t deadline_ns);
uint64_t timer_next_ticks(uint32_t cpu);
bool timer_next_is_sleep(uint32_t cpu);
bool timer_run_expired(void);

#endif
