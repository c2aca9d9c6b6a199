/*
 * The scheduler on a machine of several vcpus (arch/host/fake_machine.c): wake-ups
 * that race with sleeps, preemption, affinity, mutexes, wait queues, thread ends.
 */
#include <stdlib.h>

#include "arch/host/fake_machine.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/wait.h"
#include "lib/test.h"

#define MS          1000000ull
#define MAX_THREADS 32

static void run(void (*fn)(void *), void *argument)
{
	static bool is_started;
	size_t live;

	if (!is_started)
		fake_machine_start(3);
	is_started = true;
	live = heap_live_count();
	fake_machine_run(fn, argument);
	CHECK_EQUAL(heap_live_count(), live);
	CHECK_EQUAL(thread_count(), 1);
}

static void spawn_and_join(uint32_t count, void (*fn)(void *), void *argument)
{
	struct thread *threads[MAX_THREADS];

	for (uint32_t i = 0; i < count; i++)
		threads[i] = fake_machine_spawn(fn, argument);
	for (uint32_t i = 0; i < count; i++)
		fake_machine_join(threads[i]);
}

/* ---- sleeping ---- */

static void sleep_is_exact(void *unused)
{
	(void)unused;
	for (uint64_t ns = 1000; ns < 20 * MS; ns *= 3) {
		uint64_t deadline = clock_monotonic_ns() + ns;

		while (clock_monotonic_ns() < deadline)
			thread_sleep(deadline);
		CHECK(clock_monotonic_ns() < deadline + 200 * MS);
	}
	thread_sleep(0); /* in the past */
}

TEST(sleeps_end_at_their_deadline)
{
	run(sleep_is_exact, NULL);
}

static void wake_before_sleep(void *unused)
{
	uint64_t start = clock_monotonic_ns();

	(void)unused;
	thread_wake(thread_current());
	thread_sleep(start + 1000 * MS); /* returns at once */
	CHECK(clock_monotonic_ns() < start + 900 * MS);
	start = clock_monotonic_ns();
	thread_sleep(start + 5 * MS); /* the wake-up was used up */
	CHECK(clock_monotonic_ns() >= start + 5 * MS);
}

TEST(a_wake_up_before_the_sleep_is_kept_once)
{
	run(wake_before_sleep, NULL);
}

static uint32_t order[16], order_length;

static void sleep_and_note(void *argument)
{
	uint64_t base = *(uint64_t *)argument;
	uint32_t me = __atomic_fetch_add(&order_length, 1, __ATOMIC_SEQ_CST);

	/* All on one vcpu: the host may stop the others at any time. */
	sched_set_affinity(thread_current(), 1);
	fake_machine_return();
	uint64_t deadline = base + (16 - me) * 10 * MS;

	while (clock_monotonic_ns() < deadline)
		thread_sleep(deadline);
	order[__atomic_fetch_add(&order_length, 1, __ATOMIC_SEQ_CST) - 16] = me;
}

static void ordered_sleepers(void *unused)
{
	uint64_t base = clock_monotonic_ns() + 100 * MS;

	(void)unused;
	spawn_and_join(16, sleep_and_note, &base);
	for (uint32_t i = 0; i < 16; i++)
		CHECK_EQUAL(order[i], 15 - i);
}

TEST(sleepers_wake_in_order_of_their_deadlines)
{
	run(ordered_sleepers, NULL);
}

/* ---- races of wake and sleep ---- */

struct ball {
	struct wait_queue queue;
	uint32_t turn;
	uint32_t players;
	uint32_t rounds;
	uint32_t next_player;
};

static void play(void *argument)
{
	struct ball *ball = argument;
	uint32_t me = __atomic_fetch_add(&ball->next_player, 1, __ATOMIC_SEQ_CST);

	for (uint32_t i = 0; i < ball->rounds; i++) {
		int error = WAIT_UNTIL(&ball->queue,
			__atomic_load_n(&ball->turn, __ATOMIC_ACQUIRE) % ball->players == me,
			clock_monotonic_ns() + 60000 * MS);

		CHECK_EQUAL(error, 0);
		if (rand() % 64 == 0)
			fake_machine_compute(20000);
		__atomic_add_fetch(&ball->turn, 1, __ATOMIC_RELEASE);
		wait_wake_all(&ball->queue);
		if (rand() % 16 == 0)
			fake_machine_return();
	}
}

static void pass_the_ball(void *argument)
{
	struct ball ball = {.players = *(uint32_t *)argument, .rounds = 2000};

	wait_queue_init(&ball.queue);
	spawn_and_join(ball.players, play, &ball);
	CHECK_EQUAL(ball.turn, ball.players * ball.rounds);
}

TEST(two_threads_pass_a_ball)
{
	uint32_t players = 2;

	run(pass_the_ball, &players);
}

TEST(seven_threads_pass_a_ball)
{
	uint32_t players = 7;

	run(pass_the_ball, &players);
}

struct tokens {
	struct wait_queue queue;
	uint32_t count, taken;
};

static bool take_token(struct tokens *tokens)
{
	uint32_t count = __atomic_load_n(&tokens->count, __ATOMIC_ACQUIRE);

	while (count && !__atomic_compare_exchange_n(&tokens->count, &count, count - 1, false,
				__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	return count != 0;
}

#define TOKENS_EACH 1500

static void take_tokens(void *argument)
{
	struct tokens *tokens = argument;
	struct waiter waiter;

	for (int i = 0; i < TOKENS_EACH; i++) {
		waiter_init(&waiter);
		waiter.exclusive = true;
		wait_add(&tokens->queue, &waiter);
		while (!take_token(tokens))
			thread_sleep(WAIT_FOREVER);
		wait_remove(&tokens->queue, &waiter);
		__atomic_add_fetch(&tokens->taken, 1, __ATOMIC_RELAXED);
		/* An exclusive wake-up may have come for one that had its token already. */
		if (__atomic_load_n(&tokens->count, __ATOMIC_ACQUIRE))
			wait_wake_one(&tokens->queue);
	}
}

static void give_tokens(void *argument)
{
	struct tokens *tokens = argument;

	for (int i = 0; i < TOKENS_EACH; i++) {
		__atomic_add_fetch(&tokens->count, 1, __ATOMIC_RELEASE);
		wait_wake_one(&tokens->queue);
		if (rand() % 32 == 0)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 50000));
	}
}

static void exclusive_waiters(void *unused)
{
	struct tokens tokens = {.count = 0};
	struct thread *threads[8];

	(void)unused;
	wait_queue_init(&tokens.queue);
	for (int i = 0; i < 8; i++)
		threads[i] = fake_machine_spawn(i < 4 ? take_tokens : give_tokens, &tokens);
	for (int i = 0; i < 8; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(tokens.count, 0);
	CHECK_EQUAL(tokens.taken, 4 * TOKENS_EACH);
}

TEST(exclusive_wake_ups_are_not_lost)
{
	run(exclusive_waiters, NULL);
}

static void wait_with_limit(void *unused)
{
	struct wait_queue queue;
	uint64_t start = clock_monotonic_ns();

	(void)unused;
	wait_queue_init(&queue);
	CHECK_EQUAL(WAIT_UNTIL(&queue, false, start + 3 * MS), -LINUX_ETIMEDOUT);
	CHECK(clock_monotonic_ns() >= start + 3 * MS);
	CHECK_EQUAL(WAIT_UNTIL(&queue, true, 0), 0);
	thread_current()->signal.interrupted = true;
	CHECK_EQUAL(WAIT_UNTIL(&queue, false, WAIT_FOREVER), -LINUX_ERESTARTSYS);
	thread_current()->signal.interrupted = false;
	CHECK(list_is_empty(&queue.waiters));
}

TEST(waits_end_by_time_and_by_signal)
{
	run(wait_with_limit, NULL);
}

static void wait_for_signal(void *argument)
{
	struct wait_queue queue;

	wait_queue_init(&queue);
	*(int *)argument = WAIT_UNTIL(&queue, false, WAIT_FOREVER);
	thread_current()->signal.interrupted = false;
}

static void interrupt_sleeper(void *unused)
{
	(void)unused;
	for (int i = 0; i < 300; i++) {
		int result = 1;
		struct thread *thread = fake_machine_spawn(wait_for_signal, &result);

		if (i % 3)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 60000));
		WRITE_ONCE(thread->signal.interrupted, true);
		sched_interrupt_thread(thread);
		fake_machine_join(thread);
		CHECK_EQUAL(result, -LINUX_ERESTARTSYS);
	}
}

TEST(signals_wake_sleepers)
{
	run(interrupt_sleeper, NULL);
}

/* ---- mutex ---- */

struct counter {
	struct mutex mutex;
	uint64_t value;
};

static void count_up(void *argument)
{
	struct counter *counter = argument;

	for (int i = 0; i < 5000; i++) {
		uint64_t value;

		mutex_lock(&counter->mutex);
		CHECK(counter->mutex.owner == thread_current());
		CHECK(!mutex_trylock(&counter->mutex));
		value = READ_ONCE(counter->value);
		if (rand() % 500 == 0)
			thread_sleep(clock_monotonic_ns() + 20000);
		WRITE_ONCE(counter->value, value + 1);
		mutex_unlock(&counter->mutex);
	}
}

static void contend(void *unused)
{
	struct counter counter = {.value = 0};

	(void)unused;
	mutex_init(&counter.mutex);
	spawn_and_join(6, count_up, &counter);
	CHECK_EQUAL(counter.value, 6 * 5000);
	CHECK(mutex_trylock(&counter.mutex));
	mutex_unlock(&counter.mutex);
}

TEST(mutexes_exclude)
{
	run(contend, NULL);
}

/* ---- preemption, yielding, affinity ---- */

static uint64_t progress[6];

static void be_busy(void *argument)
{
	uint64_t *stop_at = argument;
	static uint32_t next;
	uint32_t me = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 6;
	while (clock_monotonic_ns() < *stop_at) {
		fake_machine_return();
		progress[me]++;
	}
}

static void share_cpus(void *unused)
{
	uint64_t stop_at = clock_monotonic_ns() + 400 * MS, total = 0;

	(void)unused;
	spawn_and_join(6, be_busy, &stop_at);
	for (int i = 0; i < 6; i++)
		total += progress[i];
	for (int i = 0; i < 6; i++)
		CHECK(progress[i] > total / 60);
}

TEST(busy_threads_share_the_vcpus)
{
	struct sched_counts before, after;

	sched_counts(&before);
	run(share_cpus, NULL);
	sched_counts(&after);
	CHECK(after.switches > before.switches + 20);
}

static void sleep_among_busy(void *unused)
{
	uint64_t stop_at = clock_monotonic_ns() + 300 * MS, worst = 0;
	struct thread *threads[6];

	(void)unused;
	for (int i = 0; i < 6; i++)
		threads[i] = fake_machine_spawn(be_busy, &stop_at);
	while (clock_monotonic_ns() < stop_at) {
		uint64_t deadline = clock_monotonic_ns() + 2 * MS;

		thread_sleep(deadline);
		worst = MAX(worst, clock_monotonic_ns() - deadline);
	}
	for (int i = 0; i < 6; i++)
		fake_machine_join(threads[i]);
	CHECK(worst < 100 * MS);
}

TEST(a_sleeper_runs_among_busy_threads)
{
	run(sleep_among_busy, NULL);
}

static void stay_on_cpu(void *argument)
{
	uint32_t cpu = *(uint32_t *)argument;

	CHECK_EQUAL(sched_set_affinity(thread_current(), 1ull << cpu), 0);
	fake_machine_return();
	for (int i = 0; i < 200; i++) {
		CHECK_EQUAL(sched_cpu_self(), cpu);
		if (i % 5 == 0)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 30000));
		else
			sched_yield();
		fake_machine_return();
	}
}

static void obey_affinity(void *unused)
{
	static uint32_t cpus[] = {0, 1, 2, 2, 1, 0};
	struct thread *threads[6];

	(void)unused;
	for (int i = 0; i < 6; i++)
		threads[i] = fake_machine_spawn(stay_on_cpu, &cpus[i]);
	for (int i = 0; i < 6; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(sched_set_affinity(thread_current(), 0), -LINUX_EINVAL);
	CHECK_EQUAL(sched_set_affinity(thread_current(), 1ull << 60), -LINUX_EINVAL);
}

TEST(threads_stay_on_their_vcpus)
{
	run(obey_affinity, NULL);
}

static bool stop_wandering;

static void wander(void *unused)
{
	(void)unused;
	while (!READ_ONCE(stop_wandering)) {
		if (rand() % 4 == 0)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 30000));
		fake_machine_compute(5000);
		CHECK(READ_ONCE(thread_current()->cpu) == sched_cpu_self());
	}
}

static void herd(void *unused)
{
	struct thread *threads[5];

	(void)unused;
	stop_wandering = false;
	for (int i = 0; i < 5; i++)
		threads[i] = fake_machine_spawn(wander, NULL);
	for (int i = 0; i < 3000; i++) {
		CHECK_EQUAL(sched_set_affinity(threads[rand() % 5], 1 + (uint64_t)(rand() % 7)), 0);
		if (i % 10 == 0)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 100000));
		fake_machine_return();
	}
	WRITE_ONCE(stop_wandering, true);
	for (int i = 0; i < 5; i++)
		fake_machine_join(threads[i]);
}

TEST(affinity_changes_at_any_moment)
{
	run(herd, NULL);
}

/* ---- threads ---- */

static void end_at_once(void *argument)
{
	__atomic_add_fetch((uint32_t *)argument, 1, __ATOMIC_RELAXED);
}

static void many_threads(void *unused)
{
	uint32_t ended = 0;

	(void)unused;
	for (int i = 0; i < 40; i++)
		spawn_and_join(MAX_THREADS, end_at_once, &ended);
	CHECK_EQUAL(ended, 40 * MAX_THREADS);
}

TEST(threads_come_and_go)
{
	run(many_threads, NULL);
}

static bool count_one(struct thread *thread, void *argument)
{
	CHECK(thread->tid >= PROCESS_ID);
	return ++*(uint32_t *)argument < 3;
}

static void wait_for_wake(void *unused)
{
	(void)unused;
	thread_sleep(UINT64_MAX);
}

static void table_of_threads(void *unused)
{
	struct thread *threads[4], *found;
	uint32_t count = 0;

	(void)unused;
	for (int i = 0; i < 4; i++)
		threads[i] = fake_machine_spawn(wait_for_wake, NULL);
	CHECK_EQUAL(thread_count(), 6);
	found = thread_find(threads[2]->tid);
	CHECK(found == threads[2]);
	thread_release(found);
	CHECK(!thread_find(0));
	CHECK(!thread_find(-1));
	CHECK(!thread_find(4000000));
	thread_for_each(count_one, &count);
	CHECK_EQUAL(count, 3);
	for (int i = 0; i < 4; i++) {
		int tid = threads[i]->tid;

		thread_wake(threads[i]);
		fake_machine_join(threads[i]);
		CHECK(!thread_find(tid));
	}
}

TEST(threads_are_found_by_id)
{
	run(table_of_threads, NULL);
}

static void use_time(void *unused)
{
	uint64_t before = thread_cpu_ns(thread_current()), process_before = process_cpu_ns();

	(void)unused;
	fake_machine_compute(10 * MS);
	CHECK(thread_cpu_ns(thread_current()) >= before + 2 * MS);
	CHECK(process_cpu_ns() >= process_before + 2 * MS);
	before = thread_cpu_ns(thread_current());
	thread_sleep(clock_monotonic_ns() + 30 * MS);
	CHECK(thread_cpu_ns(thread_current()) < before + 20 * MS);
}

TEST(cpu_time_is_counted)
{
	run(use_time, NULL);
}

TEST_DEFINE_MAIN
