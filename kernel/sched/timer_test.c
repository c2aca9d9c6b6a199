/*
 * The timer heaps against a sorted model: arming, re-arming, cancelling, firing, on
 * several vcpus with a clock that the test moves.
 */
#include <stdlib.h>

#include "kernel/lock.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "lib/test.h"

static uint64_t now = 1;
static uint32_t cpu, changes;

uint64_t arch_ticks(void)
{
	return now;
}

void arch_relax(void)
{
}

uint32_t arch_cpu_index(void)
{
	return cpu;
}

uint64_t clock_monotonic_ns(void)
{
	return now;
}

uint64_t clock_ticks_of_ns(uint64_t ns)
{
	return ns;
}

static uint32_t references = 1, woken;

void thread_acquire(struct thread *thread)
{
	(void)thread;
	references++;
}

void thread_release(struct thread *thread)
{
	(void)thread;
	references--;
}

void thread_wake(struct thread *thread)
{
	(void)thread;
	CHECK_EQUAL(references, 2); /* it may end as soon as it is awake */
	woken++;
}

void sched_timer_changed(void)
{
	changes++;
}

#define COUNT 200
#define CPUS  3

static struct timer timers[COUNT];
static struct {
	uint64_t deadline;
	uint32_t cpu;
	bool armed;
} model[COUNT];
static uint64_t last_fired;
static uint32_t fired, rearm_percent;

static void note_fired(struct timer *timer)
{
	size_t i = (size_t)(timer - timers);

	CHECK(model[i].armed);
	CHECK_EQUAL(model[i].cpu, cpu);
	CHECK(model[i].deadline <= now);
	CHECK(model[i].deadline >= last_fired); /* in order within one run */
	CHECK_EQUAL(timer->running, 1);
	last_fired = model[i].deadline;
	model[i].armed = false;
	fired++;
	if ((uint32_t)rand() % 100 < rearm_percent) {
		model[i].deadline = now + 1 + (uint64_t)(rand() % 1000);
		model[i].armed = true;
		timer_arm(timer, model[i].deadline);
	}
}

static uint64_t model_next(uint32_t of_cpu)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < COUNT; i++) {
		if (model[i].armed && model[i].cpu == of_cpu)
			next = MIN(next, model[i].deadline);
	}
	return next;
}

static void check_heaps(void)
{
	for (uint32_t i = 0; i < CPUS; i++)
		CHECK_EQUAL(timer_next_ticks(i), model_next(i));
}

static void run_due(void)
{
	for (cpu = 0; cpu < CPUS; cpu++) {
		last_fired = 0;
		timer_run_expired();
		CHECK(model_next(cpu) > now);
	}
	cpu = 0;
}

static void arm_random(int i)
{
	cpu = (uint32_t)(rand() % CPUS);
	/* Many equal deadlines, some in the past. */
	model[i].deadline = now + (uint64_t)(rand() % 64) * (uint64_t)(rand() % 64);
	model[i].deadline -= MIN(model[i].deadline, (uint64_t)(rand() % 100));
	model[i].cpu = cpu;
	model[i].armed = true;
	timer_arm(&timers[i], model[i].deadline);
}

static void random_walk(int steps)
{
	for (int step = 0; step < steps; step++) {
		int i = rand() % COUNT;

		switch (rand() % 8) {
		case 0:
		case 1:
			CHECK_EQUAL(timer_cancel_wait(&timers[i]), model[i].armed);
			model[i].armed = false;
			CHECK_EQUAL(timer_remaining_ns(&timers[i]), 0);
			break;
		case 2:
			now += (uint64_t)(rand() % 500);
			run_due();
			break;
		default:
			arm_random(i);
		}
		if (step % 16 == 0)
			check_heaps();
	}
}

static void empty(void)
{
	rearm_percent = 0;
	now += 1000000;
	run_due();
	check_heaps();
	for (int i = 0; i < COUNT; i++)
		CHECK(!timers[i].armed && !timers[i].running);
}

TEST(heaps_agree_with_the_model)
{
	for (int i = 0; i < COUNT; i++)
		timer_init(&timers[i], note_fired);
	srand(1);
	random_walk(60000);
	CHECK(fired > 1000);
	CHECK(changes > 1000);
	empty();
}

TEST(callbacks_arm_again)
{
	rearm_percent = 50;
	random_walk(60000);
	empty();
}

TEST(time_left_is_never_zero_while_armed)
{
	timer_arm(&timers[0], now + 10);
	model[0].cpu = cpu;
	model[0].armed = true;
	model[0].deadline = now + 10;
	CHECK_EQUAL(timer_remaining_ns(&timers[0]), 10);
	now += 20;
	CHECK_EQUAL(timer_remaining_ns(&timers[0]), 1);
	CHECK(timer_cancel(&timers[0]));
	CHECK(!timer_cancel(&timers[0]));
	model[0].armed = false;
	CHECK_EQUAL(timer_next_ticks(0), UINT64_MAX);
}

TEST(far_deadlines_do_not_wrap)
{
	timer_arm(&timers[1], UINT64_MAX);
	model[1].armed = true;
	model[1].cpu = cpu;
	model[1].deadline = UINT64_MAX;
	run_due();
	CHECK(timers[1].armed);
	CHECK(timer_cancel(&timers[1]));
	model[1].armed = false;
}

TEST(sleepers_are_woken_and_their_timers_left_alone)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	struct timer *timer = malloc(sizeof(*timer));

	timer_init_sleep(timer, thread);
	timer_insert(timer, now + 5);
	timer_run_expired();
	CHECK_EQUAL(woken, 0);
	now += 5;
	timer_run_expired();
	CHECK_EQUAL(woken, 1);
	CHECK_EQUAL(references, 1);
	CHECK(!timer_cancel(timer));
	timer_insert(timer, now + 5);
	CHECK(timer_cancel(timer));
	now += 10;
	timer_run_expired();
	CHECK_EQUAL(woken, 1);
	free(timer);
	free(thread);
}

TEST_DEFINE_MAIN
