/*
 * CPU-time timers. See cpu_timer.h.
 *
 * For the program's clock, `look_at` is the earliest moment at which the first of
 * its timers can be due: now + what is missing / number of vcpus. Every vcpu that
 * runs a thread looks then, and computes it anew if it was too early.
 */
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"

#define PROCESS_GRAIN_NS 250000ull

static struct {
	struct spinlock lock; /* guards the lists of all threads too */
	struct list process;
	uint64_t look_at; /* read without the lock; UINT64_MAX: nothing armed */
} cpu_timer = {SPINLOCK_INIT, LIST_INIT(cpu_timer.process), UINT64_MAX};

static struct cpu_timer *first_timer(struct list *list)
{
	struct list *link = list_first(list);

	return link ? LIST_ENTRY(link, struct cpu_timer, link) : NULL;
}

static struct list *list_of(struct cpu_timer *timer)
{
	return timer->thread ? &timer->thread->cpu_timers : &cpu_timer.process;
}

/* After the first timer of a clock changed. Lock held. */
static void note_thread_first(struct thread *thread)
{
	struct cpu_timer *first = first_timer(&thread->cpu_timers);

	WRITE_ONCE(thread->next_cpu_timer, first ? first->deadline_ticks : UINT64_MAX);
}

static void note_process_first(uint64_t process_ticks)
{
	struct cpu_timer *first = first_timer(&cpu_timer.process);
	uint64_t missing;

	if (!first) {
		WRITE_ONCE(cpu_timer.look_at, UINT64_MAX);
		return;
	}
	missing = first->deadline_ticks > process_ticks ? first->deadline_ticks - process_ticks : 0;
	missing = MAX(missing / sched_cpu_count(), clock_ticks_of_duration(PROCESS_GRAIN_NS));
	WRITE_ONCE(cpu_timer.look_at, arch_ticks() + missing);
}

void cpu_timer_init(struct cpu_timer *timer, struct thread *thread, cpu_timer_fn fn)
{
	*timer = (struct cpu_timer){.thread = thread, .fn = fn};
	list_init(&timer->link);
}

static uint64_t now_ticks(const struct cpu_timer *timer)
{
	return timer->thread ? sched_thread_ticks(timer->thread) : sched_process_ticks();
}

uint64_t cpu_timer_now_ns(const struct cpu_timer *timer)
{
	return clock_ns_of_ticks(now_ticks(timer));
}

static void insert(struct cpu_timer *timer)
{
	struct list *list = list_of(timer), *before = list;

	LIST_FOR_EACH (link, list) {
		if (LIST_ENTRY(link, struct cpu_timer, link)->deadline_ticks >
			timer->deadline_ticks)
			break;
		before = link;
	}
	list_add_first(before, &timer->link);
}

void cpu_timer_arm(struct cpu_timer *timer, uint64_t deadline_ns)
{
	uint64_t ticks = clock_ticks_of_duration(deadline_ns);
	uint64_t process_ticks = timer->thread ? 0 : sched_process_ticks();

	spin_lock(&cpu_timer.lock);
	if (timer->armed)
		list_remove(&timer->link);
	timer->deadline_ns = deadline_ns;
	timer->deadline_ticks = ticks < UINT64_MAX - 1 ? ticks + 1 : ticks;
	timer->armed = !timer->thread || timer->thread->state != THREAD_DEAD;
	if (timer->armed)
		insert(timer);
	if (timer->thread)
		note_thread_first(timer->thread);
	else
		note_process_first(process_ticks);
	spin_unlock(&cpu_timer.lock);
	if (timer->thread)
		sched_poke(timer->thread);
	else
		sched_poke_all();
}

static void disarm(struct cpu_timer *timer)
{
	spin_lock(&cpu_timer.lock);
	if (timer->armed) {
		timer->armed = false;
		list_remove(&timer->link);
		if (timer->thread)
			note_thread_first(timer->thread);
		else if (list_is_empty(&cpu_timer.process))
			WRITE_ONCE(cpu_timer.look_at, UINT64_MAX);
	}
	spin_unlock(&cpu_timer.lock);
}

void cpu_timer_cancel_wait(struct cpu_timer *timer)
{
	disarm(timer);
	/* A callback under way may have armed it again. */
	while (__atomic_load_n(&timer->running, __ATOMIC_ACQUIRE)) {
		arch_relax();
		if (!__atomic_load_n(&timer->running, __ATOMIC_ACQUIRE))
			disarm(timer);
	}
}

uint64_t cpu_timer_remaining_ns(struct cpu_timer *timer)
{
	uint64_t now = cpu_timer_now_ns(timer), remaining = 0;

	spin_lock(&cpu_timer.lock);
	if (timer->armed)
		remaining = timer->deadline_ns > now ? timer->deadline_ns - now : 1;
	spin_unlock(&cpu_timer.lock);
	return remaining;
}

uint64_t cpu_timer_deadline(const struct thread *thread)
{
	uint64_t next = READ_ONCE(thread->next_cpu_timer), deadline = UINT64_MAX;

	if (next != UINT64_MAX)
		deadline = thread->last_switch +
			   (next > thread->run_ticks ? next - thread->run_ticks : 0);
	return thread->is_kernel ? deadline : MIN(deadline, READ_ONCE(cpu_timer.look_at));
}

/* Runs the timers of `list` that are due at `ticks` of its clock. */
static void run_expired(struct list *list, uint64_t ticks)
{
	struct cpu_timer *timer;

	spin_lock(&cpu_timer.lock);
	while ((timer = first_timer(list)) && timer->deadline_ticks <= ticks) {
		list_remove(&timer->link);
		timer->armed = false;
		__atomic_add_fetch(&timer->running, 1, __ATOMIC_RELAXED);
		if (timer->thread)
			note_thread_first(timer->thread);
		spin_unlock(&cpu_timer.lock);
		timer->fn(timer);
		__atomic_sub_fetch(&timer->running, 1, __ATOMIC_RELEASE);
		spin_lock(&cpu_timer.lock);
	}
	if (list == &cpu_timer.process)
		note_process_first(ticks);
	spin_unlock(&cpu_timer.lock);
}

void cpu_timer_check(struct thread *self)
{
	if (READ_ONCE(self->next_cpu_timer) != UINT64_MAX) {
		uint64_t ticks = sched_thread_ticks(self);

		if (ticks >= READ_ONCE(self->next_cpu_timer))
			run_expired(&self->cpu_timers, ticks);
	}
	if (arch_ticks() >= READ_ONCE(cpu_timer.look_at))
		run_expired(&cpu_timer.process, sched_process_ticks());
}

void cpu_timer_thread_exit(struct thread *thread)
{
	struct cpu_timer *timer;

	spin_lock(&cpu_timer.lock);
	while ((timer = first_timer(&thread->cpu_timers))) {
		list_remove(&timer->link);
		timer->armed = false;
	}
	note_thread_first(thread);
	spin_unlock(&cpu_timer.lock);
}
