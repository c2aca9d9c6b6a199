/*
 * Timers that repeat and send signals, on all clocks, on a machine of several vcpus.
 */
#include <stdlib.h>

#include "arch/host/fake_machine.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/posix_timer.h"
#include "lib/test.h"

#define MS 1000000ull

static void run(void (*fn)(void *))
{
	static bool is_started;
	size_t live;

	if (!is_started)
		fake_machine_start(2);
	is_started = true;
	live = heap_live_count();
	fake_machine_run(fn, NULL);
	CHECK_EQUAL(heap_live_count(), live);
}

static uint32_t sent(int signal)
{
	return __atomic_load_n(&fake_signals_sent[signal], __ATOMIC_SEQ_CST);
}

static void sleep_ns(uint64_t ns)
{
	uint64_t deadline = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < deadline)
		thread_sleep(deadline);
}

static int create(enum interval_clock clock, struct thread *thread, int signal)
{
	struct posix_timer_spec spec = {
		.clock = clock, .clock_thread = thread, .signal = signal, .value = 99};

	if (thread)
		thread_acquire(thread);
	return posix_timer_create(&spec);
}

static uint64_t total_expirations;

static void count_expirations(struct interval_timer *timer, uint64_t expirations)
{
	(void)timer;
	__atomic_add_fetch(&total_expirations, expirations, __ATOMIC_SEQ_CST);
}

static void keep_the_grid(void *unused)
{
	struct interval_setting setting = {.value_ns = 2 * MS, .interval_ns = 3 * MS}, left;
	struct interval_timer timer;
	uint64_t start = clock_monotonic_ns(), elapsed, expected;

	(void)unused;
	interval_timer_init(&timer, INTERVAL_MONOTONIC, NULL, count_expirations);
	interval_timer_set(&timer, &setting, false, NULL);
	sleep_ns(100 * MS);
	interval_timer_get(&timer, &left);
	CHECK_EQUAL(left.interval_ns, 3 * MS);
	CHECK(left.value_ns >= 1 && left.value_ns <= 3 * MS);
	interval_timer_set(&timer, &(struct interval_setting){0, 0}, false, &left);
	elapsed = clock_monotonic_ns() - start;
	expected = 1 + (elapsed - 2 * MS) / (3 * MS);
	CHECK(total_expirations >= 33 && total_expirations <= expected);
	interval_timer_get(&timer, &left);
	CHECK_EQUAL(left.value_ns, 0);
	/* A period of a nanosecond counts, but does not stop the machine. */
	total_expirations = 0;
	setting = (struct interval_setting){1, 1};
	start = clock_monotonic_ns();
	interval_timer_set(&timer, &setting, false, NULL);
	sleep_ns(20 * MS);
	interval_timer_cancel(&timer);
	CHECK(total_expirations > 10 * MS);
	CHECK(total_expirations <= clock_monotonic_ns() - start);
}

TEST(periods_stay_on_their_grid)
{
	run(keep_the_grid);
}

static void posix_calls(void *unused)
{
	struct interval_setting setting = {.value_ns = 5 * MS}, old;
	int first = create(INTERVAL_MONOTONIC, NULL, 40);
	int second = create(INTERVAL_MONOTONIC, NULL, 41);

	(void)unused;
	CHECK(first >= 0 && second >= 0 && first != second);
	CHECK_EQUAL(posix_timer_set(second + 100, &setting, false, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(posix_timer_get(-1, &old), -LINUX_EINVAL);
	CHECK_EQUAL(posix_timer_overrun(12345), -LINUX_EINVAL);
	CHECK_EQUAL(posix_timer_delete(12345), -LINUX_EINVAL);
	CHECK_EQUAL(posix_timer_set(first, &setting, false, &old), 0);
	CHECK_EQUAL(old.value_ns, 0);
	CHECK_EQUAL(posix_timer_get(first, &old), 0);
	CHECK(old.value_ns > 0 && old.value_ns <= 5 * MS);
	sleep_ns(8 * MS);
	CHECK_EQUAL(sent(40), 1);
	CHECK_EQUAL(fake_signal_last.code, LINUX_SI_TIMER);
	CHECK_EQUAL(fake_signal_last.timer.timer_id, first);
	CHECK_EQUAL(fake_signal_last.timer.value, 99);
	CHECK_EQUAL(posix_timer_get(first, &old), 0);
	CHECK_EQUAL(old.value_ns, 0);
	CHECK_EQUAL(posix_timer_set(second, &setting, false, NULL), 0);
	CHECK_EQUAL(posix_timer_delete(second), 0); /* while armed */
	CHECK_EQUAL(posix_timer_delete(first), 0);
	CHECK_EQUAL(posix_timer_delete(first), -LINUX_EINVAL);
	sleep_ns(8 * MS);
	CHECK_EQUAL(sent(41), 0);
}

TEST(timers_are_made_set_and_deleted)
{
	run(posix_calls);
}

static void wall_clock(void *unused)
{
	uint64_t now = clock_realtime_ns();
	struct interval_setting setting = {.value_ns = now + 3600000 * MS};
	int timer = create(INTERVAL_REALTIME, NULL, 42);

	(void)unused;
	CHECK_EQUAL(posix_timer_set(timer, &setting, true, NULL), 0);
	sleep_ns(5 * MS);
	CHECK_EQUAL(sent(42), 0);
	clock_set_realtime_ns(now + 3599000 * MS); /* not far enough */
	sleep_ns(5 * MS);
	CHECK_EQUAL(sent(42), 0);
	clock_set_realtime_ns(now + 3600001 * MS);
	sleep_ns(5 * MS);
	CHECK_EQUAL(sent(42), 1);
	/* Back again: a relative timer does not care. */
	setting.value_ns = 10 * MS;
	CHECK_EQUAL(posix_timer_set(timer, &setting, false, NULL), 0);
	clock_set_realtime_ns(now);
	sleep_ns(20 * MS);
	CHECK_EQUAL(sent(42), 2);
	CHECK_EQUAL(posix_timer_delete(timer), 0);
}

TEST(wall_clock_timers_follow_the_clock)
{
	run(wall_clock);
}

static void thread_time(void *unused)
{
	struct interval_setting setting = {.value_ns = 10 * MS, .interval_ns = 10 * MS};
	int timer = create(INTERVAL_CPU, thread_current(), 43);
	uint64_t used;
	uint32_t count;

	(void)unused;
	used = thread_cpu_ns(thread_current());
	CHECK_EQUAL(posix_timer_set(timer, &setting, false, NULL), 0);
	sleep_ns(40 * MS); /* uses none */
	CHECK(sent(43) <= 2);
	while (thread_cpu_ns(thread_current()) < used + 105 * MS)
		fake_machine_compute(MS);
	count = sent(43);
	CHECK(count >= 4 && count <= 11);
	CHECK_EQUAL(posix_timer_delete(timer), 0);
	fake_machine_compute(20 * MS);
	CHECK_EQUAL(sent(43), count);
}

TEST(thread_timers_count_cpu_time)
{
	run(thread_time);
}

static bool stop;

static void compute_until_stopped(void *unused)
{
	(void)unused;
	while (!READ_ONCE(stop))
		fake_machine_compute(MS);
}

static void program_time(void *unused)
{
	struct interval_setting setting = {.value_ns = 10 * MS, .interval_ns = 10 * MS}, old;
	struct thread *threads[2];
	uint64_t used = process_cpu_ns();
	uint32_t count;

	(void)unused;
	stop = false;
	CHECK_EQUAL(itimer_set(2, &setting, &old), 0);
	CHECK_EQUAL(old.value_ns, 0);
	for (int i = 0; i < 2; i++)
		threads[i] = fake_machine_spawn(compute_until_stopped, NULL);
	while (process_cpu_ns() < used + 200 * MS)
		sleep_ns(MS);
	count = sent(LINUX_SIGPROF);
	CHECK(count >= 5 && count <= 25);
	CHECK_EQUAL(fake_signal_last.code, LINUX_SI_KERNEL);
	CHECK_EQUAL(itimer_set(2, NULL, &old), 0);
	CHECK_EQUAL(old.interval_ns, 10 * MS);
	CHECK_EQUAL(itimer_set(2, &(struct interval_setting){0, 0}, &old), 0);
	WRITE_ONCE(stop, true);
	for (int i = 0; i < 2; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(itimer_set(3, &setting, &old), -LINUX_EINVAL);
	CHECK_EQUAL(itimer_set(-1, NULL, &old), -LINUX_EINVAL);
}

TEST(the_profiling_timer_counts_all_threads)
{
	run(program_time);
}

static void end_with_timer(void *argument)
{
	struct interval_setting setting = {.value_ns = 1000 * MS};
	int *timer = argument;

	*timer = create(INTERVAL_CPU, thread_current(), 44);
	CHECK_EQUAL(posix_timer_set(*timer, &setting, false, NULL), 0);
}

static void dead_clock(void *unused)
{
	struct interval_setting setting = {.value_ns = 1};
	int timer = -1;
	struct thread *thread = fake_machine_spawn(end_with_timer, &timer);

	(void)unused;
	while (READ_ONCE(thread->state) != THREAD_DEAD)
		sleep_ns(MS);
	thread_release(thread); /* the timer holds it now */
	CHECK_EQUAL(posix_timer_get(timer, &setting), 0);
	setting = (struct interval_setting){1, 0};
	CHECK_EQUAL(posix_timer_set(timer, &setting, false, NULL), 0);
	sleep_ns(3 * MS);
	CHECK_EQUAL(sent(44), 0);
	CHECK_EQUAL(posix_timer_delete(timer), 0);
}

TEST(the_clock_of_a_dead_thread_stands_still)
{
	run(dead_clock);
}

static void change_often(void *argument)
{
	int timer = *(int *)argument;

	for (int i = 0; i < 3000; i++) {
		struct interval_setting setting = {
			.value_ns = (uint64_t)(rand() % 50000),
			.interval_ns = (uint64_t)(rand() % 3) * 60000,
		};

		posix_timer_set(timer, &setting, rand() % 2, NULL);
		if (i % 16 == 0)
			sleep_ns((uint64_t)(rand() % 50000));
		fake_machine_return();
	}
}

static void races(void *unused)
{
	int timers[2] = {create(INTERVAL_MONOTONIC, NULL, 45), create(INTERVAL_CPU, NULL, 46)};
	struct thread *threads[4];

	(void)unused;
	for (int i = 0; i < 4; i++)
		threads[i] = fake_machine_spawn(change_often, &timers[i / 2]);
	for (int i = 0; i < 4; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(posix_timer_delete(timers[0]), 0);
	CHECK_EQUAL(posix_timer_delete(timers[1]), 0);
	CHECK(sent(45) > 10);
}

TEST(settings_race_with_expiries)
{
	run(races);
}

TEST_DEFINE_MAIN
