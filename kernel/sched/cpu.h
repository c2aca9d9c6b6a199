/*
 * A vcpu, as sched.c and idle.c see it. Nobody else includes this.
 *
 * Theory of operation. Each vcpu has two queues of runnable threads: `ready` for
 * those that woke up and whose last run was short, `spent` for those that used up
 * their slice, yielded or run long. `ready` goes first, unless the head of `spent`
 * has waited too long. The lock of a vcpu is held across arch_switch(): whoever
 * gets it finds no thread half switched, so a sleeping or queued thread's stack is
 * never in use.
 */
#ifndef KERNEL_SCHED_CPU_H
#define KERNEL_SCHED_CPU_H

#include "abi/boot_info.h"
#include "kernel/lock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"

enum idle_state {
	CPU_OFFLINE, /* not started yet */
	CPU_BUSY,
	CPU_POLLING, /* sees a queued thread by itself, steals old ones of others */
	CPU_HALTED,  /* needs a kick */
	CPU_KICKED,  /* has been given one */
};

struct cpu {
	struct spinlock lock; /* rank 40; two of them: never at once */
	uint32_t index;

	/* Guarded by lock; `queued` and `head_since` are read without it. */
	struct list ready;
	struct list spent;
	uint32_t queued;
	uint64_t head_since; /* when the thread that would run next was queued */
	struct thread *current;
	struct thread *previous; /* during a switch */
	uint64_t slice_end;
	uint64_t busy_ticks; /* of program threads, up to the last switch */
	uint64_t switches, steals, idle_ticks;

	/* Used by this vcpu only. */
	bool preempt_wanted;   /* a waiting thread deserves to run before the slice ends */
	uint64_t armed_at;     /* tick count the hardware timer is set to, or UINT64_MAX */
	uint64_t look_ticks;   /* how long a thread may run before sleepers' timers interrupt it */
	uint64_t next_kick;    /* not before: earlier kicks were of no use */
	uint64_t help_at;      /* a kick was put off until then, or UINT64_MAX */
	uint64_t kicks_wanted; /* vcpus to kick when no lock is held, one bit each */
	uint64_t poll_ticks;   /* how long to poll before halting */
	uint64_t wake_lead;    /* how much too late halts have ended */
	uint64_t kicks, halts;
	struct thread idle;

	/* Written by several: kept from the rest. */
	uint32_t idle_state ALIGNED(64); /* enum idle_state */
	uint32_t kicked_by;              /* number of the vcpu that kicked, plus 1 */
	uint64_t kick_patience;          /* between kicks; grows while they find nothing to do */
} ALIGNED(64);

struct sched_tunables {
	uint64_t slice, steal_age, starved, wake_preempt, burst;
	uint64_t spin, poll_min, poll_max, lead_max, patience_min, patience_max, return_interval;
	uint64_t look_min, look_max;
};

extern struct cpu sched_cpus[BOOT_MAX_CPUS];
extern uint32_t sched_cpus_online_limit;  /* number of vcpus of this machine */
extern struct sched_tunables sched_ticks; /* constants of sched.c in ticks */

static inline struct cpu *cpu_self(void)
{
	return &sched_cpus[arch_cpu_index()];
}

/* Take the next thread of this vcpu and switch to it. Lock held; it is released. */
void sched_switch_locked(struct cpu *cpu);
/* Unlinks a queued thread. Lock held. */
void sched_dequeue_locked(struct cpu *cpu, struct thread *thread);
/* Links a runnable thread. Lock held. `spent`: behind those that woke up. */
void sched_enqueue_locked(struct cpu *cpu, struct thread *thread, bool spent);
/* Sends the kicks that are due. No lock held. */
void sched_send_kicks(struct cpu *cpu);
/* The idle loop: the body of each vcpu's idle thread. */
_Noreturn void sched_idle_loop(struct cpu *cpu);

#endif
