/*
 * What a vcpu does when it has no thread to run.
 *
 * It polls its queue, its timers and the other vcpus' queues for a while, since
 * being woken from a halt takes some 35 us, then halts. How long it polls adapts to
 * whether polling has been of use. Deadlines are kept to the microsecond: it halts
 * until a little before (as much as halts have lately ended too late) and spins up
 * to the deadline; a near one it does not halt for at all.
 */
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/timer.h"

#define RETURN_BLOCKS 64 /* 2 MiB blocks given back to the host in a round, at most */

/* The round after the last one: the vcpu that made that one sets its timer for it, any other
 * that is idle then may come first. */
static struct {
	uint64_t due_ticks;
	uint32_t cpu;
} next_return;

/* The first thread of `victim` that may run here and has waited for min_age. */
static struct thread *find_stealable(struct cpu *cpu, struct list *queue, uint64_t min_age)
{
	uint64_t now = arch_ticks();

	LIST_FOR_EACH (link, queue) {
		struct thread *thread = LIST_ENTRY(link, struct thread, run_link);

		if (thread->affinity >> cpu->index & 1 &&
			(int64_t)(now - thread->enqueued_at) >= (int64_t)min_age)
			return thread;
	}
	return NULL;
}

/* Takes a thread that waits elsewhere into this vcpu's queue. */
static bool steal_from(struct cpu *cpu, struct cpu *victim)
{
	struct thread *thread;

	if (!spin_trylock(&victim->lock))
		return false;
	thread = find_stealable(cpu, &victim->ready, sched_ticks.steal_age);
	if (!thread)
		thread = find_stealable(cpu, &victim->spent, sched_ticks.steal_age);
	if (thread) {
		sched_dequeue_locked(victim, thread);
		/* Between the locks it is runnable in no queue, like a thread being woken. */
		__atomic_store_n(&thread->cpu, cpu->index, __ATOMIC_RELEASE);
	}
	spin_unlock(&victim->lock);
	if (!thread)
		return false;
	spin_lock(&cpu->lock);
	cpu->steals++;
	sched_enqueue_locked(cpu, thread, false);
	spin_unlock(&cpu->lock);
	return true;
}

static bool steal(struct cpu *cpu, uint64_t now)
{
	for (uint32_t i = 1; i < sched_cpus_online_limit; i++) {
		struct cpu *victim = &sched_cpus[(cpu->index + i) % sched_cpus_online_limit];

		if (READ_ONCE(victim->queued) &&
			(int64_t)(now - READ_ONCE(victim->head_since)) >=
				(int64_t)sched_ticks.steal_age &&
			steal_from(cpu, victim))
			return true;
	}
	return false;
}

/* Does a thread wait elsewhere that this vcpu will take when it is old enough? */
static bool something_to_steal(struct cpu *cpu)
{
	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *victim = &sched_cpus[i];
		bool found = false;

		if (victim == cpu || !READ_ONCE(victim->queued))
			continue;
		if (!spin_trylock(&victim->lock))
			return true; /* look again */
		found = find_stealable(cpu, &victim->ready, 0) ||
			find_stealable(cpu, &victim->spent, 0);
		spin_unlock(&victim->lock);
		if (found)
			return true;
	}
	return false;
}

static bool find_work(struct cpu *cpu, uint64_t now)
{
	arch_take_interrupts();
	device_poll();
	if (timer_next_ticks(cpu->index) <= now)
		timer_run_expired();
	sched_send_kicks(cpu);
	return READ_ONCE(cpu->queued) || steal(cpu, now);
}

/* Sets the hardware timer for a halt: exactly, since a useless wake-up costs more. */
static void set_halt_timer(struct cpu *cpu, uint64_t target)
{
	if (target != cpu->armed_at) {
		cpu->armed_at = target;
		platform_timer_set(target);
	}
}

static void learn_wake_lead(struct cpu *cpu, uint64_t target)
{
	uint64_t now = arch_ticks(), late = now - target;

	if (now < target)
		return; /* the hardware was set for something earlier */
	cpu->wake_lead = (cpu->wake_lead * 3 + MIN(late, sched_ticks.lead_max)) / 4;
}

/* When to halt until: also for giving memory back, as long as there is any to give. */
static uint64_t halt_deadline(struct cpu *cpu)
{
	uint64_t deadline = timer_next_ticks(cpu->index);

	if (READ_ONCE(next_return.cpu) == cpu->index && page_alloc_has_returnable())
		deadline = MIN(deadline, READ_ONCE(next_return.due_ticks));
	return deadline;
}

static void halt_until_timer(struct cpu *cpu)
{
	uint64_t deadline = halt_deadline(cpu);
	uint64_t target = deadline == UINT64_MAX ? deadline : deadline - cpu->wake_lead;

	set_halt_timer(cpu, target);
	/* Wakers queue a thread, then read idle_state; this writes idle_state, then
	 * reads the queues: one of the two sees the other. */
	__atomic_store_n(&cpu->idle_state, CPU_HALTED, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!READ_ONCE(cpu->queued) && !arch_interrupt_pending() && !something_to_steal(cpu)) {
		cpu->halts++;
		platform_idle();
		arch_take_interrupts();
		if (cpu->armed_at == UINT64_MAX && target != UINT64_MAX)
			learn_wake_lead(cpu, target);
	}
	__atomic_store_n(&cpu->idle_state, CPU_POLLING, __ATOMIC_SEQ_CST);
}

static void halt(struct cpu *cpu)
{
	if (!device_poll_prepare_halt())
		return;
	halt_until_timer(cpu);
	device_poll_enter_idle();
}

/* Gives memory that the program no longer uses back to the host, a little at a time. */
static void return_memory(struct cpu *cpu, uint64_t now)
{
	uint64_t due = READ_ONCE(next_return.due_ticks);

	if (now < due || !__atomic_compare_exchange_n(&next_return.due_ticks, &due,
				 now + sched_ticks.return_interval, false, __ATOMIC_SEQ_CST,
				 __ATOMIC_RELAXED))
		return;
	WRITE_ONCE(next_return.cpu, cpu->index);
	page_alloc_begin_return();
	for (int i = 0; i < RETURN_BLOCKS; i++) {
		if (READ_ONCE(cpu->queued) || arch_interrupt_pending() ||
			!page_alloc_return_free(1))
			break;
	}
}

/* A kick that woke this vcpu was worth its price, or not: tells who gave it. */
static void judge_kick(struct cpu *cpu, bool useful)
{
	uint32_t by = READ_ONCE(cpu->kicked_by);
	struct cpu *kicker;

	if (!by)
		return;
	cpu->kicked_by = 0;
	kicker = &sched_cpus[by - 1];
	if (useful)
		WRITE_ONCE(kicker->kick_patience, 0);
	else
		WRITE_ONCE(kicker->kick_patience,
			MIN(MAX(READ_ONCE(kicker->kick_patience) * 2, sched_ticks.patience_min),
				sched_ticks.patience_max));
}

/* Polling longer would have caught what ended this idle time, or it was in vain. */
static void adapt_polling(struct cpu *cpu, uint64_t idle_ticks, bool halted)
{
	if (!halted)
		return;
	if (idle_ticks <= sched_ticks.poll_max)
		cpu->poll_ticks = MIN(cpu->poll_ticks * 2, sched_ticks.poll_max);
	else
		cpu->poll_ticks = MAX(cpu->poll_ticks / 2, sched_ticks.poll_min);
}

/* One vcpu that polls sees what comes to all; more of them take the host's CPUs from what
 * they wait for. */
static bool another_polls(const struct cpu *cpu)
{
	for (uint32_t i = 0; i < cpu->index; i++) {
		if (READ_ONCE(sched_cpus[i].idle_state) == CPU_POLLING)
			return true;
	}
	return false;
}

/* How long to poll before a halt. */
static uint64_t patience(const struct cpu *cpu)
{
	uint64_t own = another_polls(cpu) ? sched_ticks.poll_min : cpu->poll_ticks;

	return MAX(own, device_poll_patience());
}

static void wait_for_work(struct cpu *cpu)
{
	uint64_t start = arch_ticks(), now = start, poll_start = start;
	bool halted = false;

	device_poll_enter_idle();
	while (!find_work(cpu, now)) {
		uint64_t deadline = timer_next_ticks(cpu->index);

		arch_relax();
		now = arch_ticks();
		if (now - poll_start < patience(cpu))
			continue;
		judge_kick(cpu, false);
		if (deadline != UINT64_MAX && deadline < now + sched_ticks.spin)
			continue;
		return_memory(cpu, now);
		halt(cpu);
		halted = true;
		poll_start = now = arch_ticks();
	}
	device_poll_leave_idle();
	judge_kick(cpu, true);
	adapt_polling(cpu, now - start, halted);
}

void sched_idle_loop(struct cpu *cpu)
{
	__atomic_store_n(&cpu->idle_state, CPU_POLLING, __ATOMIC_SEQ_CST);
	for (;;) {
		wait_for_work(cpu);
		spin_lock(&cpu->lock);
		sched_switch_locked(cpu);
		__atomic_store_n(&cpu->idle_state, CPU_POLLING, __ATOMIC_SEQ_CST);
	}
}
