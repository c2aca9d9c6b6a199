/*
 * A timer that fires once or again and again, on any clock: what timer_create(2) and
 * setitimer(2) have in common.
 *
 * Periods are exact: expiries that were missed are counted, and the next one stays on
 * the grid. The callback runs in kernel context with no lock held and must not sleep.
 * The owner serialises the calls for one timer. Lock: one per timer, rank 36.
 */
#ifndef KERNEL_SCHED_INTERVAL_TIMER_H
#define KERNEL_SCHED_INTERVAL_TIMER_H

#include "kernel/lock.h"
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/timer.h"
#include "kernel/sched/wait.h"

enum interval_clock {
	INTERVAL_MONOTONIC,
	INTERVAL_REALTIME,
	INTERVAL_CPU, /* of one thread, or of the program */
};

struct interval_timer;
typedef void (*interval_timer_fn)(struct interval_timer *timer, uint64_t expirations);

struct interval_setting {
	uint64_t value_ns; /* until the next expiry, or when absolute its time; 0: disarmed */
	uint64_t interval_ns;
};

struct interval_timer {
	enum interval_clock clock;
	interval_timer_fn fn;
	struct timer timer;
	struct cpu_timer cpu_timer;
	struct waiter clock_change; /* queued while armed for a time of the wall clock */
	struct spinlock lock;       /* guards the rest */
	uint64_t deadline_ns;       /* on the timer's clock, or monotonic when relative */
	uint64_t interval_ns;
	bool is_armed;
	bool is_wall; /* deadline_ns is a time of the wall clock */
};

/* `thread`: for INTERVAL_CPU, whose clock (the owner holds a reference); NULL: the
 * program's. */
void interval_timer_init(struct interval_timer *timer, enum interval_clock clock,
	struct thread *thread, interval_timer_fn fn);
/* Replaces the setting; `old` may be NULL. Afterwards no callback of the old one runs. */
void interval_timer_set(struct interval_timer *timer, const struct interval_setting *setting,
	bool is_absolute, struct interval_setting *old);
void interval_timer_get(struct interval_timer *timer, struct interval_setting *setting);
/* Afterwards the callback is not running and will not run. */
void interval_timer_cancel(struct interval_timer *timer);

#endif
