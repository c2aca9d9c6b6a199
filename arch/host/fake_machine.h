/*
 * A machine for host unit tests of the scheduler: each vcpu is a pthread, each thread
 * of the program a context with its own stack, time is CLOCK_MONOTONIC in ns.
 *
 * Implements kernel/arch.h, the vcpu part of kernel/platform.h, and empty signals. A
 * test function runs as a thread of the program; instead of returning to the program
 * it calls fake_machine_return() where that may happen.
 */
#ifndef ARCH_HOST_FAKE_MACHINE_H
#define ARCH_HOST_FAKE_MACHINE_H

#include "kernel/sched/thread.h"
#include "abi/linux/signal.h"

/* Starts the machine, once: clocks, scheduler, vcpus. */
void fake_machine_start(uint32_t cpus);
/* Runs fn(argument) in a new thread of the program, for which the caller gets a reference. */
struct thread *fake_machine_spawn(void (*fn)(void *), void *argument);
/* Waits until it has ended, and gives the reference back. */
void fake_machine_join(struct thread *thread);
/* Runs fn(argument) in a new thread, and waits until it has ended. Called from outside of the
 * machine. */
void fake_machine_run(void (*fn)(void *), void *argument);
/* What happens at a return to the program: interrupts, preemption, timers. */
void fake_machine_return(void);
/* Uses CPU time: returns to the program again and again for so long. */
void fake_machine_compute(uint64_t ns);

/* Signals that were sent. */
extern uint32_t fake_signals_sent[LINUX_NSIG + 1];
extern struct linux_siginfo fake_signal_last;

#endif
