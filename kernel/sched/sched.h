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

uint32_t sched_cpu_self(void);
int sched_set_affinity(struct thread *thread, uint64_t mask); /* -EINVAL: no such vcpu */

struct sched_counts {
	uint64_t switches, steals, kicks, halts;
	uint64_t idle_ns; /* all vcpus together */
	uint32_t running, runnable;
};
void sched_counts(struct sched_counts *counts);

#endif
