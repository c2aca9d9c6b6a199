/*
 * Threads of the program, and of the kernel.
 *
 * A thread is allocated with one reference for being alive and one for whoever
 * looked it up; it leaves the table of threads when it exits and is freed with
 * the last reference. `thread_current()` needs no lock and no reference.
 */
#ifndef KERNEL_SCHED_THREAD_H
#define KERNEL_SCHED_THREAD_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/arch.h"
#include "kernel/lock.h"
#include "kernel/signal/signal.h"

#define PROCESS_ID 1 /* the program's pid: it is the only process of its machine */

enum thread_state {
	THREAD_RUNNABLE, /* running, or in a run queue */
	THREAD_SLEEPING, /* until thread_wake() */
	THREAD_DEAD,
};

struct thread {
	struct arch_thread arch;

	int tid;
	uint32_t references;
	char name[16]; /* prctl(PR_SET_NAME); guarded by nothing: torn reads are harmless */
	bool is_kernel;

	/* Guarded by the lock of the run queue of `cpu`. */
	struct list run_link;
	enum thread_state state;
	uint32_t cpu;       /* where it runs or ran last */
	bool on_cpu;        /* its stack is in use; others wait for false before switching to it */
	bool wake_pending;  /* woken before it slept */
	uint64_t affinity;  /* one bit a vcpu */
	uint64_t run_ticks; /* CPU time up to last_switch */
	uint64_t last_switch;
	uint64_t enqueued_at;
	uint64_t burst_ticks; /* length of its last run that ended in a sleep */
	uint64_t voluntary_switches, involuntary_switches;

	/* Own use of the thread. */
	bool need_resched;     /* look at the run queue before returning to the program */
	uintptr_t clear_tid;   /* set_tid_address, CLONE_CHILD_CLEARTID; 0: none */
	uintptr_t robust_list; /* set_robust_list */
	int nice;              /* setpriority(2), sched_setscheduler(2): kept, not used */
	int policy;
	struct list table_link; /* guarded by thread_table.lock */

	struct signal_thread signal; /* kernel/signal/signal.h */
	/* CPU-time timers (timer_create THREAD_CPUTIME, ITIMER_PROF); sched/cpu_timer.c. */
	struct list cpu_timers;  /* struct cpu_timer; guarded by cpu_timer.lock */
	uint64_t next_cpu_timer; /* run_ticks value at which sched must look; UINT64_MAX none */
};

/* The thread running on this vcpu (its idle thread, when none does). */
static inline struct thread *thread_current(void)
{
	return arch_current_thread();
}

/* Part of sched_init(). */
void thread_table_init(void);

/* Allocates a program thread (state SLEEPING, not in the table) without stack or
 * registers: the caller calls arch_thread_init_user(), then thread_start(), or
 * thread_release() to give up. The first one gets PROCESS_ID. -ENOMEM. */
int thread_create(struct thread **result, const char *name);
/* Puts it in the table of threads (unless is_kernel) and makes it runnable. */
void thread_start(struct thread *thread);
/* Creates and starts a thread of the kernel. -ENOMEM. */
int thread_start_kernel(const char *name, void (*entry)(void *), void *argument);
/* Ends the current thread: clear_tid, robust list, timers; the last program thread
 * ends the program with `status`. */
_Noreturn void thread_exit(int status);
/* exit_group(2): ends the machine, after output is drained. `signal` is 0 or the
 * fatal signal. */
_Noreturn void process_exit(int status, int signal);

/* Program thread by id, with a reference; NULL if there is none. */
struct thread *thread_find(int tid);
void thread_acquire(struct thread *thread);
void thread_release(struct thread *thread);
uint32_t thread_count(void);
/* Calls fn for each program thread with the table locked (fn must not sleep or take
 * locks below rank thread_table). Stops when fn returns false. */
void thread_for_each(bool (*fn)(struct thread *thread, void *argument), void *argument);
/* CPU time of a thread and of all threads ever, in nanoseconds. */
uint64_t thread_cpu_ns(struct thread *thread);
uint64_t process_cpu_ns(void);

/*
 * Sleeping is always the same dance, which wait.h wraps:
 *     make yourself findable (queue) -> test the condition -> thread_sleep()
 * A thread_wake() between the first step and the sleep makes the sleep return at
 * once. thread_sleep() may return early; callers loop on their condition.
 * Returns when woken or at the deadline (clock_monotonic_ns(); UINT64_MAX never).
 */
void thread_sleep(uint64_t deadline_ns);
void thread_wake(struct thread *thread); /* any context; any vcpu; idempotent */

/* A signal (or exit) wants the thread's attention: sleeping interruptible waits end. */
static inline bool thread_is_interrupted(const struct thread *thread)
{
	return UNLIKELY(READ_ONCE(thread->signal.interrupted));
}

#endif
