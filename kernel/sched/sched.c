/*
 * Switching, waking and preempting threads. See sched.h, and cpu.h for the design.
 */
#include "kernel/sched/sched.h"
#include "abi/linux/errno.h"
#include "kernel/panic.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/cpu.h"
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/timer.h"
#include "lib/string.h"

#define SLICE_NS           4000000ull
#define STEAL_AGE_NS       4000ull    /* a waker that sleeps soon leaves the woken thread here */
#define STARVED_NS         8000000ull /* spent threads wait no longer for ready ones */
#define WAKE_PREEMPT_NS    1000000ull /* a run this long gives way to a thread that wakes */
#define BURST_NS           1000000ull /* runs up to this count as short */
#define LOOK_MIN_NS        WAKE_PREEMPT_NS
#define LOOK_MAX_NS        8000000ull
#define RETURN_INTERVAL_NS 100000000 /* between rounds of giving memory back */

LARGE_TABLE struct cpu sched_cpus[BOOT_MAX_CPUS];
uint32_t sched_cpus_online_limit = 1;
struct sched_tunables sched_ticks;
static bool others_stopped; /* the program is ending: only `stopper` continues */
static struct thread *stopper;

/* ---- queues -------------------------------------------------------------- */

static void note_head(struct cpu *cpu)
{
	struct list *head =
		list_first(&cpu->ready) ? list_first(&cpu->ready) : list_first(&cpu->spent);

	if (head)
		WRITE_ONCE(cpu->head_since, LIST_ENTRY(head, struct thread, run_link)->enqueued_at);
}

void sched_enqueue_locked(struct cpu *cpu, struct thread *thread, bool spent)
{
	thread->enqueued_at = arch_ticks();
	list_add_last(spent ? &cpu->spent : &cpu->ready, &thread->run_link);
	note_head(cpu);
	__atomic_store_n(&cpu->queued, cpu->queued + 1, __ATOMIC_RELEASE);
}

void sched_dequeue_locked(struct cpu *cpu, struct thread *thread)
{
	list_remove(&thread->run_link);
	WRITE_ONCE(cpu->queued, cpu->queued - 1);
	note_head(cpu);
}

static struct thread *take_next(struct cpu *cpu, uint64_t now)
{
	struct list *ready = list_first(&cpu->ready), *spent = list_first(&cpu->spent);
	struct thread *thread;

	if (!ready && !spent)
		return &cpu->idle;
	thread = LIST_ENTRY(ready ? ready : spent, struct thread, run_link);
	if (ready && spent) {
		struct thread *oldest = LIST_ENTRY(spent, struct thread, run_link);

		if (now - oldest->enqueued_at > sched_ticks.starved &&
			oldest->enqueued_at < thread->enqueued_at)
			thread = oldest;
	}
	sched_dequeue_locked(cpu, thread);
	return thread;
}

/* Locks the vcpu that a thread belongs to. */
static struct cpu *lock_cpu_of(struct thread *thread)
{
	for (;;) {
		struct cpu *cpu = &sched_cpus[__atomic_load_n(&thread->cpu, __ATOMIC_ACQUIRE)];

		spin_lock(&cpu->lock);
		if (cpu->index == thread->cpu)
			return cpu;
		spin_unlock(&cpu->lock);
	}
}

static bool may_run_on(const struct thread *thread, const struct cpu *cpu)
{
	return READ_ONCE(thread->affinity) >> cpu->index & 1;
}

/* ---- the hardware timer -------------------------------------------------- */

/* Makes sure that this vcpu is interrupted when the current thread's slice ends (if
 * others wait), at the next timer and at the next CPU-time timer. Setting the
 * hardware costs microseconds: an earlier setting is left, and looked at again when
 * it has fired.
 *
 * A thread whose sleep ends would not run before the current one has for WAKE_PREEMPT_NS,
 * and threads that serve a network run for some microseconds, idling in between, where
 * timers are looked at without an interrupt (which takes a hundred times as long with all
 * that belongs to it). Go's sysmon alone sleeps for 20 us again and again. So sleepers are
 * looked for after a while only, which grows as long as nobody is found that way. */
static void program_timer(struct cpu *cpu, struct thread *current)
{
	uint64_t needed = timer_next_ticks(cpu->index);

	if (timer_next_is_sleep(cpu->index))
		needed = MAX(needed, current->last_switch + cpu->look_ticks);
	if (READ_ONCE(cpu->queued)) {
		needed = MIN(needed, MIN(cpu->slice_end, cpu->help_at));
	}
	needed = MIN(needed, cpu_timer_deadline(current));
	if (needed < cpu->armed_at) {
		cpu->armed_at = needed;
		platform_timer_set(needed);
	}
}

void sched_timer_changed(void)
{
	struct cpu *cpu = cpu_self();
	struct thread *current = thread_current();

	/* The idle loop looks by itself before it halts. */
	if (current != &cpu->idle)
		program_timer(cpu, current);
}

void sched_on_timer(void)
{
	struct cpu *cpu = cpu_self();

	cpu->armed_at = UINT64_MAX;
	if (timer_run_expired())
		cpu->look_ticks = sched_ticks.look_min;
	else
		cpu->look_ticks = MIN(cpu->look_ticks * 2, sched_ticks.look_max);
	WRITE_ONCE(thread_current()->need_resched, true);
}

void sched_on_kick(void)
{
	/* Being interrupted was the purpose: kernel_on_return() and the idle loop look. */
}

/* ---- switching ----------------------------------------------------------- */

static void place_locked(struct cpu *cpu, struct thread *thread, bool spent);

/*
 * Kicks are sent when no lock is held: on the next return to the program, switch, or
 * round of the idle loop. Sending one makes the host wake the other vcpu's thread,
 * maybe in the place of this one, and whoever then wants the lock spins until the host
 * runs this vcpu again.
 */
static void want_kick(struct cpu *target)
{
	cpu_self()->kicks_wanted |= 1ull << target->index;
	WRITE_ONCE(thread_current()->need_resched, true);
}

void sched_send_kicks(struct cpu *cpu)
{
	uint64_t targets = cpu->kicks_wanted;

	cpu->kicks_wanted = 0;
	for (; targets; targets &= targets - 1) {
		cpu->kicks++;
		platform_kick((uint32_t)__builtin_ctzll(targets));
	}
}

/* Runs on the stack switched to, maybe on another vcpu than it last ran on. */
static void finish_switch(void)
{
	struct cpu *cpu = cpu_self();
	struct thread *previous = cpu->previous;
	bool is_dead = previous->state == THREAD_DEAD;
	bool must_move = previous != &cpu->idle && previous->state == THREAD_RUNNABLE &&
			 !list_is_linked(&previous->run_link);

	cpu->previous = NULL;
	__atomic_store_n(&previous->on_cpu, false, __ATOMIC_RELEASE);
	if (must_move)
		place_locked(cpu, previous, true);
	else
		spin_unlock(&cpu->lock);
	if (thread_current() != &cpu->idle)
		program_timer(cpu, thread_current());
	sched_send_kicks(cpu);
	if (is_dead)
		thread_release(previous);
}

void sched_thread_entered(void)
{
	finish_switch();
}

static void account(struct cpu *cpu, struct thread *from, uint64_t now)
{
	uint64_t ran = now - from->last_switch;

	if (from == &cpu->idle) {
		cpu->idle_ticks += ran;
		return;
	}
	from->run_ticks += ran;
	if (!from->is_kernel)
		cpu->busy_ticks += ran;
	if (from->state == THREAD_SLEEPING) {
		from->burst_ticks = ran;
		from->voluntary_switches++;
	} else {
		from->burst_ticks = sched_ticks.slice;
		from->involuntary_switches++;
	}
}

void sched_switch_locked(struct cpu *cpu)
{
	struct thread *from = cpu->current, *to;
	uint64_t now = arch_ticks();

	to = take_next(cpu, now);
	if (to == from) {
		spin_unlock(&cpu->lock);
		return;
	}
	account(cpu, from, now);
	cpu->switches++;
	cpu->slice_end = now + sched_ticks.slice;
	cpu->preempt_wanted = false;
	cpu->help_at = UINT64_MAX;
	to->last_switch = now;
	to->on_cpu = true;
	cpu->current = to;
	cpu->previous = from;
	if (to != &cpu->idle)
		WRITE_ONCE(cpu->idle_state, CPU_BUSY);
	arch_set_current_thread(to);
	arch_switch(from, to);
	finish_switch();
}

void sched_exit_current(void)
{
	struct cpu *cpu = cpu_self();

	spin_lock(&cpu->lock);
	cpu->current->state = THREAD_DEAD;
	sched_switch_locked(cpu);
	panic("a dead thread runs");
}

/* ---- sleeping and waking ------------------------------------------------- */

static void sleep_until_woken(struct thread *self)
{
	struct cpu *cpu = cpu_self();

	spin_lock(&cpu->lock);
	if (self->wake_pending) {
		self->wake_pending = false;
		spin_unlock(&cpu->lock);
		return;
	}
	self->state = THREAD_SLEEPING;
	sched_switch_locked(cpu);
}

void thread_sleep(uint64_t deadline_ns)
{
	struct thread *self = thread_current();
	struct timer timeout;

	ASSERT(self != &cpu_self()->idle);
	if (deadline_ns == UINT64_MAX) {
		sleep_until_woken(self);
		return;
	}
	if (deadline_ns <= clock_monotonic_ns())
		return;
	timer_init_sleep(&timeout, self);
	timer_insert(&timeout, deadline_ns);
	sleep_until_woken(self);
	timer_cancel(&timeout);
}

static void kick_if_halted(struct cpu *target)
{
	uint32_t expected = CPU_HALTED;

	if (!__atomic_compare_exchange_n(&target->idle_state, &expected, CPU_KICKED, false,
		    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return;
	WRITE_ONCE(target->kicked_by, cpu_self()->index + 1);
	want_kick(target);
}

/* An idle vcpu where `thread` may run, polling ones first; NULL if there is none. */
static struct cpu *find_idle(const struct thread *thread)
{
	struct cpu *halted = NULL;

	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *cpu = &sched_cpus[i];
		uint32_t state = READ_ONCE(cpu->idle_state);

		if (state < CPU_POLLING || !may_run_on(thread, cpu))
			continue;
		if (state == CPU_POLLING && !READ_ONCE(cpu->queued))
			return cpu;
		if (state == CPU_HALTED && !halted)
			halted = cpu;
	}
	return halted;
}

static uint32_t load_of(const struct cpu *cpu)
{
	return READ_ONCE(cpu->queued) + (READ_ONCE(cpu->idle_state) == CPU_BUSY);
}

/* A vcpu that has at least two threads less than this one, or NULL. */
static struct cpu *find_less_loaded(const struct thread *thread, uint32_t load)
{
	struct cpu *best = NULL;

	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *cpu = &sched_cpus[i];

		if (READ_ONCE(cpu->idle_state) == CPU_OFFLINE || !may_run_on(thread, cpu) ||
			load_of(cpu) + 1 >= load)
			continue;
		load = load_of(cpu) + 1;
		best = cpu;
	}
	return best;
}

/*
 * Where a woken thread goes. To the waker's own queue, as a rule: a waker often
 * sleeps soon (a ping-pong, a hand-over), the next switch then costs a tenth of a
 * microsecond and caches are warm; and if it does not, an idle vcpu takes the thread
 * when it has waited STEAL_AGE_NS. To an idle vcpu at once, when a thread already
 * waits here: one sleep of the waker cannot serve two. Without an idle one, to the
 * vcpu with the least to do.
 */
static struct cpu *choose_cpu(const struct thread *thread)
{
	struct cpu *self = cpu_self(), *other;
	bool may_stay = may_run_on(thread, self);

	if (may_stay && (self->current == &self->idle || !READ_ONCE(self->queued)))
		return self;
	other = find_idle(thread);
	if (!other)
		other = find_less_loaded(thread, may_stay ? load_of(self) + 1 : UINT32_MAX);
	return other ? other : self; /* self: or its vcpus are not started yet */
}

/*
 * A thread waits behind the running one of this vcpu. A polling vcpu takes it by
 * itself. A halted one must be kicked, which costs this vcpu 2.4 us and is wasted
 * if the running thread sleeps before the other is awake (some 35 us). So while kicks
 * turn out useless they get rarer: at most one in `kick_patience`, which the kicked
 * vcpu doubles when it found nothing and resets when it did. The timer makes us
 * look again. With no idle vcpu at all, a thread that has run for long gives way.
 */
static void ask_for_help(struct cpu *cpu, struct thread *waiting, uint64_t now)
{
	struct cpu *idle = find_idle(waiting);

	cpu->help_at = UINT64_MAX;
	if (!idle) {
		if (now - cpu->current->last_switch > sched_ticks.wake_preempt &&
			!list_is_empty(&cpu->ready)) {
			cpu->preempt_wanted = true;
			cpu->current->need_resched = true;
		}
	} else if (READ_ONCE(idle->idle_state) == CPU_HALTED) {
		if (now < cpu->next_kick) {
			cpu->help_at = cpu->next_kick;
			return;
		}
		cpu->next_kick = now + READ_ONCE(cpu->kick_patience);
		kick_if_halted(idle);
	}
}

/* `thread` was queued on `cpu`, whose lock is held and is released here. */
static void tell_cpu(struct cpu *cpu, struct thread *thread)
{
	bool is_self = cpu == cpu_self();
	bool is_busy = cpu->current != &cpu->idle;

	if (!is_self) {
		if (is_busy)
			WRITE_ONCE(cpu->current->need_resched, true);
		spin_unlock(&cpu->lock);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (is_busy)
			want_kick(cpu);
		else
			kick_if_halted(cpu);
		return;
	}
	if (is_busy)
		ask_for_help(cpu, thread, thread->enqueued_at);
	spin_unlock(&cpu->lock);
	if (is_busy)
		program_timer(cpu, cpu->current);
}

/* Queues a thread of `cpu` that is runnable, in no queue, and not running, where it
 * belongs. cpu's lock is held and is released. thread->cpu only ever changes under
 * the lock of the vcpu it names: else a waker could hold the wrong one. */
static void place_locked(struct cpu *cpu, struct thread *thread, bool spent)
{
	struct cpu *target;

	while ((target = choose_cpu(thread)) != cpu) {
		__atomic_store_n(&thread->cpu, target->index, __ATOMIC_RELEASE);
		spin_unlock(&cpu->lock);
		cpu = target;
		spin_lock(&cpu->lock);
		if (may_run_on(thread, cpu))
			break;
	}
	sched_enqueue_locked(cpu, thread, spent);
	tell_cpu(cpu, thread);
}

void thread_wake(struct thread *thread)
{
	struct cpu *cpu = lock_cpu_of(thread);

	if (thread->state != THREAD_SLEEPING) {
		thread->wake_pending = true;
		spin_unlock(&cpu->lock);
		return;
	}
	thread->state = THREAD_RUNNABLE;
	place_locked(cpu, thread, thread->burst_ticks > sched_ticks.burst);
}

void sched_add(struct thread *thread)
{
	struct cpu *cpu = lock_cpu_of(thread);

	thread->state = THREAD_RUNNABLE;
	place_locked(cpu, thread, false);
}

void sched_poke(struct thread *thread)
{
	struct cpu *cpu = lock_cpu_of(thread);
	bool runs_elsewhere = cpu->current == thread && cpu != cpu_self();

	WRITE_ONCE(thread->need_resched, true);
	spin_unlock(&cpu->lock);
	if (runs_elsewhere)
		want_kick(cpu);
}

void sched_poke_all(void)
{
	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *cpu = &sched_cpus[i];
		bool is_busy;

		spin_lock(&cpu->lock);
		is_busy = cpu->current != &cpu->idle;
		if (is_busy)
			WRITE_ONCE(cpu->current->need_resched, true);
		spin_unlock(&cpu->lock);
		if (is_busy && cpu != cpu_self())
			want_kick(cpu);
	}
}

void sched_interrupt_thread(struct thread *thread)
{
	struct cpu *cpu;
	bool runs_elsewhere;

	thread_wake(thread);
	cpu = lock_cpu_of(thread);
	runs_elsewhere = cpu->current == thread && cpu != cpu_self();
	spin_unlock(&cpu->lock);
	if (runs_elsewhere)
		want_kick(cpu);
}

/* ---- giving way ---------------------------------------------------------- */

/* Puts the current thread behind the others. Lock held; it is released. */
static void requeue_current(struct cpu *cpu)
{
	struct thread *self = cpu->current;

	/* Else finish_switch() moves it, once its stack is free. */
	if (may_run_on(self, cpu) && !find_less_loaded(self, cpu->queued + 1))
		sched_enqueue_locked(cpu, self, true);
	sched_switch_locked(cpu);
}

void sched_yield(void)
{
	struct cpu *cpu = cpu_self();

	if (!READ_ONCE(cpu->queued))
		return;
	spin_lock(&cpu->lock);
	requeue_current(cpu);
}

static void stop_if_asked(struct thread *self)
{
	while (UNLIKELY(READ_ONCE(others_stopped)) && self != stopper && !self->is_kernel)
		thread_sleep(UINT64_MAX);
}

void sched_preempt_if_needed(void)
{
	struct thread *self = thread_current();
	struct cpu *cpu;
	uint64_t now;

	if (!self->need_resched)
		return;
	WRITE_ONCE(self->need_resched, false);
	stop_if_asked(self);
	cpu_timer_check(self);
	cpu = cpu_self();
	now = arch_ticks();
	spin_lock(&cpu->lock);
	if (!may_run_on(self, cpu) ||
		(cpu->queued && (now >= cpu->slice_end || cpu->preempt_wanted))) {
		requeue_current(cpu);
		return;
	}
	if (cpu->queued) {
		struct list *head =
			list_first(&cpu->ready) ? list_first(&cpu->ready) : list_first(&cpu->spent);

		ask_for_help(cpu, LIST_ENTRY(head, struct thread, run_link), now);
	}
	spin_unlock(&cpu->lock);
	program_timer(cpu, self);
	sched_send_kicks(cpu);
}

static bool ask_to_stop(struct thread *thread, void *unused)
{
	(void)unused;
	WRITE_ONCE(thread->need_resched, true);
	return true;
}

void sched_stop_others(void)
{
	stopper = thread_current();
	__atomic_store_n(&others_stopped, true, __ATOMIC_SEQ_CST);
	thread_for_each(ask_to_stop, NULL);
	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		if (i != arch_cpu_index() && READ_ONCE(sched_cpus[i].idle_state) == CPU_BUSY)
			platform_kick(i);
	}
}

int sched_set_affinity(struct thread *thread, uint64_t mask)
{
	uint64_t all =
		sched_cpus_online_limit >= 64 ? UINT64_MAX : (1ull << sched_cpus_online_limit) - 1;
	struct cpu *cpu;

	if (!(mask & all))
		return -LINUX_EINVAL;
	cpu = lock_cpu_of(thread);
	WRITE_ONCE(thread->affinity, mask & all);
	if (may_run_on(thread, cpu) || thread->state != THREAD_RUNNABLE) {
		spin_unlock(&cpu->lock);
	} else if (cpu->current == thread) {
		WRITE_ONCE(thread->need_resched, true);
		spin_unlock(&cpu->lock);
		if (cpu != cpu_self())
			want_kick(cpu);
	} else if (list_is_linked(&thread->run_link)) {
		sched_dequeue_locked(cpu, thread);
		place_locked(cpu, thread, true);
	} else {
		/* Between two queues: if it arrives at the wrong one, it looks again. */
		WRITE_ONCE(thread->need_resched, true);
		spin_unlock(&cpu->lock);
	}
	return 0;
}

/* ---- start, and numbers -------------------------------------------------- */

static void init_tunables(void)
{
	struct sched_tunables *ticks = &sched_ticks;

	ticks->slice = clock_ticks_of_duration(SLICE_NS);
	ticks->steal_age = clock_ticks_of_duration(STEAL_AGE_NS);
	ticks->starved = clock_ticks_of_duration(STARVED_NS);
	ticks->wake_preempt = clock_ticks_of_duration(WAKE_PREEMPT_NS);
	ticks->burst = clock_ticks_of_duration(BURST_NS);
	ticks->spin = clock_ticks_of_duration(100000);
	ticks->poll_min = clock_ticks_of_duration(5000);
	/* A halt and its end take 40 to 140 us on hosts whose exits are slow; the device's side
	 * answers later than that now and then, and a halt then makes the next answer late too. */
	ticks->poll_max = clock_ticks_of_duration(300000);
	ticks->lead_max = clock_ticks_of_duration(80000);
	ticks->patience_min = clock_ticks_of_duration(50000);
	ticks->patience_max = clock_ticks_of_duration(1000000);
	ticks->return_interval = clock_ticks_of_duration(RETURN_INTERVAL_NS);
	ticks->look_min = clock_ticks_of_duration(LOOK_MIN_NS);
	ticks->look_max = clock_ticks_of_duration(LOOK_MAX_NS);
}

static void init_cpu(struct cpu *cpu, uint32_t index)
{
	cpu->index = index;
	list_init(&cpu->ready);
	list_init(&cpu->spent);
	cpu->armed_at = cpu->help_at = UINT64_MAX;
	cpu->poll_ticks = sched_ticks.poll_min;
	cpu->look_ticks = sched_ticks.look_min;
	cpu->current = &cpu->idle;
	cpu->idle.cpu = index;
	cpu->idle.is_kernel = true;
	cpu->idle.references = 1;
	cpu->idle.affinity = 1ull << index;
	cpu->idle.next_cpu_timer = UINT64_MAX;
	cpu->idle.on_cpu = true;
	cpu->idle.last_switch = arch_ticks();
	memcpy(cpu->idle.name, "idle", 5);
	list_init(&cpu->idle.run_link);
	list_init(&cpu->idle.table_link);
	list_init(&cpu->idle.cpu_timers);
}

void sched_init(void)
{
	sched_cpus_online_limit = platform_cpu_count();
	ASSERT(sched_cpus_online_limit >= 1 && sched_cpus_online_limit <= BOOT_MAX_CPUS);
	init_tunables();
	for (uint32_t i = 0; i < sched_cpus_online_limit; i++)
		init_cpu(&sched_cpus[i], i);
	thread_table_init();
	arch_set_current_thread(&cpu_self()->idle);
}

void sched_start(void)
{
	for (uint32_t i = 1; i < sched_cpus_online_limit; i++) {
		int error = platform_cpu_start(i);

		if (error)
			panic("vcpu %u does not start: %d", i, error);
	}
	sched_idle_loop(cpu_self());
}

void sched_cpu_main(uint32_t index)
{
	arch_set_current_thread(&sched_cpus[index].idle);
	sched_idle_loop(&sched_cpus[index]);
}

uint32_t sched_cpu_self(void)
{
	return arch_cpu_index();
}

uint32_t sched_cpu_count(void)
{
	return sched_cpus_online_limit;
}

uint64_t sched_thread_ticks(struct thread *thread)
{
	struct cpu *cpu = lock_cpu_of(thread);
	uint64_t ticks = thread->run_ticks;

	if (cpu->current == thread)
		ticks += arch_ticks() - thread->last_switch;
	spin_unlock(&cpu->lock);
	return ticks;
}

uint64_t sched_process_ticks(void)
{
	uint64_t ticks = 0;

	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *cpu = &sched_cpus[i];

		spin_lock(&cpu->lock);
		ticks += cpu->busy_ticks;
		if (!cpu->current->is_kernel)
			ticks += arch_ticks() - cpu->current->last_switch;
		spin_unlock(&cpu->lock);
	}
	return ticks;
}

void sched_counts(struct sched_counts *counts)
{
	uint64_t idle_ticks = 0;

	*counts = (struct sched_counts){0};
	for (uint32_t i = 0; i < sched_cpus_online_limit; i++) {
		struct cpu *cpu = &sched_cpus[i];

		spin_lock(&cpu->lock);
		counts->switches += cpu->switches;
		counts->steals += cpu->steals;
		counts->kicks += READ_ONCE(cpu->kicks);
		counts->halts += READ_ONCE(cpu->halts);
		idle_ticks += cpu->idle_ticks;
		if (cpu->current == &cpu->idle)
			idle_ticks += arch_ticks() - cpu->idle.last_switch;
		else
			counts->running++;
		counts->runnable += cpu->queued;
		spin_unlock(&cpu->lock);
	}
	counts->idle_ns = clock_ns_of_ticks(idle_ticks);
}
