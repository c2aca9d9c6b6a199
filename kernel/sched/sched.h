/*
 * Scheduling: a run queue per vcpu, stealing, and idling.
 *
 * Wake-ups go to the waking vcpu's queue or to an idle one; idle vcpus poll for a
 * short adaptive time, then halt. A one-shot timer preempts only when something
 * else is runnable, so an idle machine takes no timer interrupts. Lock: one per
 * run queue, rank 40; two are taken in order of vcpu number.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "lib/compiler.h"

struct thread;

/* After clock_init(): from here on there is a current thread (the idle thread of vcpu 0)
 * and threads can be made. */
void sched_init(void);
/* Turns the boot context of vcpu 0 into its idle thread; starts the others. Never
 * returns: runs whatever is runnable. */
_Noreturn void sched_start(void);

/* sched_yield(2). */
void sched_yield(void);
/* Runs something else if the current thread has used its slice or was asked to. */
void sched_preempt_if_needed(void);
/* The current thread is dead: switch away for good. */
_Noreturn void sched_exit_current(void);

/* First call of a fresh thread, made by the architecture on its new stack: ends the
 * switch to it (releases the run-queue lock that arch_switch() was entered with). */
void sched_thread_entered(void);

/* Makes `thread` notice soon that it is interrupted, wherever it is: wakes it if it
 * sleeps, kicks its vcpu if it runs. The caller has set what there is to notice. */
void sched_interrupt_thread(struct thread *thread);

/* Makes a thread, or whatever runs on each vcpu, look at its CPU-time timers soon. */
void sched_poke(struct thread *thread);
void sched_poke_all(void);

/* The earliest deadline of this vcpu's timers changed (timer.c, cpu_timer.c). */
void sched_timer_changed(void);

/* CPU time in ticks: of one thread, and of all program threads ever. */
uint64_t sched_thread_ticks(struct thread *thread);
uint64_t sched_process_ticks(void);

/* Stops all program threads but the current one at their next return to the program. */
void sched_stop_others(void);

/* For thread.c: first run of a thread. */
void sched_add(struct thread *thread);

uint32_t sched_cpu_self(void);
uint32_t sched_cpu_count(void);
int sched_set_affinity(struct thread *thread, uint64_t mask); /* -EINVAL: no such vcpu */

struct sched_counts {
	uint64_t switches, steals, kicks, halts;
	uint64_t idle_ns; /* all vcpus together */
	uint32_t running, runnable;
};
void sched_counts(struct sched_counts *counts);

#endif
