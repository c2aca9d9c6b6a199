/*
 * Timers on CPU time: of one thread, or of the program.
 *
 * They are looked at when a thread is about to return to the program; the hardware
 * timer of a vcpu is set for them while it runs a thread. A thread's timer fires
 * within microseconds of its time; the program's within PROCESS_GRAIN_NS, as several
 * vcpus may add to its clock at once. Callbacks run in the context of a program thread
 * with no lock held; they must not sleep nor free the timer, and may arm it again.
 * Lock: cpu_timer.lock, rank 37.
 */
#ifndef KERNEL_SCHED_CPU_TIMER_H
#define KERNEL_SCHED_CPU_TIMER_H

#include "lib/compiler.h"
#include "lib/list.h"

struct thread;
struct cpu_timer;
typedef void (*cpu_timer_fn)(struct cpu_timer *timer);

struct cpu_timer {
	struct list link;      /* in the list of its clock, by deadline */
	struct thread *thread; /* whose clock (the owner holds a reference); NULL: the program's */
	uint64_t deadline_ns;  /* on that clock */
	uint64_t deadline_ticks;
	cpu_timer_fn fn;
	uint32_t running;
	bool armed;
};

void cpu_timer_init(struct cpu_timer *timer, struct thread *thread, cpu_timer_fn fn);
/* Now, on the timer's clock. */
uint64_t cpu_timer_now_ns(const struct cpu_timer *timer);
/* (Re)arms. On the clock of a dead thread it never fires. */
void cpu_timer_arm(struct cpu_timer *timer, uint64_t deadline_ns);
/* Afterwards the callback is not running and will not run. */
void cpu_timer_cancel_wait(struct cpu_timer *timer);
/* Nanoseconds until it fires, at least 1; 0 when not armed. */
uint64_t cpu_timer_remaining_ns(struct cpu_timer *timer);

/* For sched.c: the tick count at which `thread`, which runs, must look; looking. */
uint64_t cpu_timer_deadline(const struct thread *thread);
void cpu_timer_check(struct thread *self);
/* For thread.c: disarms the timers on the clock of a thread that ends. */
void cpu_timer_thread_exit(struct thread *thread);

#endif
