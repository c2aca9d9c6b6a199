/*
 * Interval timers. See interval_timer.h.
 */
#include "kernel/sched/interval_timer.h"
#include "kernel/sched/clock.h"

/* No timer fires more often: shorter periods are counted as several expiries. */
#define MIN_PERIOD_NS 50000ull

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum < a ? UINT64_MAX : sum;
}

static uint64_t now_on_clock(const struct interval_timer *timer)
{
	if (timer->clock == INTERVAL_CPU)
		return cpu_timer_now_ns(&timer->cpu_timer);
	return timer->is_wall ? clock_realtime_ns() : clock_monotonic_ns();
}

/* Sets the underlying timer for deadline_ns, not before now + min_ns. Lock held. */
static void start(struct interval_timer *timer, uint64_t now, uint64_t min_ns)
{
	uint64_t deadline = MAX(timer->deadline_ns, add_saturating(now, min_ns));

	timer->is_armed = true;
	if (timer->clock == INTERVAL_CPU)
		cpu_timer_arm(&timer->cpu_timer, deadline);
	else if (timer->is_wall)
		timer_arm(&timer->timer, clock_monotonic_of_realtime(deadline));
	else
		timer_arm(&timer->timer, deadline);
}

static void expire(struct interval_timer *timer)
{
	uint64_t now, expirations = 1;

	/* Read before the lock: the CPU clocks take locks of the scheduler. */
	now = now_on_clock(timer);
	spin_lock(&timer->lock);
	if (!timer->is_armed) {
		spin_unlock(&timer->lock);
		return;
	}
	if (now < timer->deadline_ns) {
		/* The wall clock went back, or the program's clock ran slower. */
		start(timer, now, 0);
		spin_unlock(&timer->lock);
		return;
	}
	timer->is_armed = false;
	if (timer->interval_ns) {
		expirations += (now - timer->deadline_ns) / timer->interval_ns;
		timer->deadline_ns =
			add_saturating(timer->deadline_ns, expirations * timer->interval_ns);
		start(timer, now, MIN_PERIOD_NS);
	}
	spin_unlock(&timer->lock);
	timer->fn(timer, expirations);
}

static void on_timer(struct timer *timer)
{
	expire(CONTAINER_OF(timer, struct interval_timer, timer));
}

static void on_cpu_timer(struct cpu_timer *timer)
{
	expire(CONTAINER_OF(timer, struct interval_timer, cpu_timer));
}

/* The wall clock was set. The lock of its wait queue is held. */
static bool on_clock_change(struct waiter *waiter, uint32_t events)
{
	struct interval_timer *timer = CONTAINER_OF(waiter, struct interval_timer, clock_change);

	(void)events;
	spin_lock(&timer->lock);
	if (timer->is_armed && timer->is_wall)
		start(timer, clock_realtime_ns(), 0);
	spin_unlock(&timer->lock);
	return false;
}

void interval_timer_init(struct interval_timer *timer, enum interval_clock clock,
	struct thread *thread, interval_timer_fn fn)
{
	*timer = (struct interval_timer){.clock = clock, .fn = fn};
	spin_init(&timer->lock);
	timer_init(&timer->timer, on_timer);
	cpu_timer_init(&timer->cpu_timer, thread, on_cpu_timer);
	list_init(&timer->clock_change.link);
	timer->clock_change.wake = on_clock_change;
}

void interval_timer_cancel(struct interval_timer *timer)
{
	wait_remove(clock_change_queue(), &timer->clock_change);
	spin_lock(&timer->lock);
	timer->is_armed = false;
	spin_unlock(&timer->lock);
	if (timer->clock == INTERVAL_CPU)
		cpu_timer_cancel_wait(&timer->cpu_timer);
	else
		timer_cancel_wait(&timer->timer);
}

void interval_timer_get(struct interval_timer *timer, struct interval_setting *setting)
{
	uint64_t now = now_on_clock(timer), deadline;

	spin_lock(&timer->lock);
	setting->interval_ns = timer->interval_ns;
	setting->value_ns = 0;
	deadline = timer->deadline_ns;
	if (timer->is_armed) {
		if (deadline <= now && timer->interval_ns)
			deadline +=
				((now - deadline) / timer->interval_ns + 1) * timer->interval_ns;
		setting->value_ns = deadline > now ? deadline - now : 1;
	}
	spin_unlock(&timer->lock);
}

void interval_timer_set(struct interval_timer *timer, const struct interval_setting *setting,
	bool is_absolute, struct interval_setting *old)
{
	uint64_t now;

	if (old)
		interval_timer_get(timer, old);
	interval_timer_cancel(timer);
	timer->is_wall = timer->clock == INTERVAL_REALTIME && is_absolute;
	timer->interval_ns = setting->interval_ns;
	if (!setting->value_ns)
		return;
	now = now_on_clock(timer);
	timer->deadline_ns =
		is_absolute ? setting->value_ns : add_saturating(now, setting->value_ns);
	if (timer->is_wall)
		wait_add(clock_change_queue(), &timer->clock_change);
	spin_lock(&timer->lock);
	start(timer, now, 0);
	spin_unlock(&timer->lock);
}
