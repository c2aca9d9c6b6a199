/*
 * Futexes on a machine of several vcpus: locks and conditions built on them as libc
 * does, requeueing, bit sets, wake-and-change, timeouts, faults, robust lists.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/host/fake_machine.h"
#include "arch/host/fake_user_access.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/wait.h"
#include "lib/test.h"

#define MS      1000000ull
#define FOREVER UINT64_MAX
#define ALL     UINT32_MAX

static void run(void (*fn)(void *))
{
	static bool is_started;
	size_t live;

	if (!is_started)
		fake_machine_start(3);
	is_started = true;
	live = heap_live_count();
	fake_machine_run(fn, NULL);
	CHECK_EQUAL(heap_live_count(), live);
}

static uintptr_t at(const void *word)
{
	return (uintptr_t)word;
}

/* ---- a mutex as in "Futexes are tricky" ---- */

static uint32_t lock_word;
static uint64_t counter;

static void lock(void)
{
	uint32_t old = 0;

	if (__atomic_compare_exchange_n(
		    &lock_word, &old, 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_SEQ_CST) != 0) {
		int error = futex_wait(at(&lock_word), false, 2, ALL, FOREVER);

		CHECK(error == 0 || error == -LINUX_EAGAIN);
	}
}

static void unlock(void)
{
	if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_SEQ_CST) == 2)
		CHECK(futex_wake(at(&lock_word), false, 1, ALL) >= 0);
}

static void count_up(void *unused)
{
	(void)unused;
	for (int i = 0; i < 4000; i++) {
		lock();
		counter++;
		if (rand() % 200 == 0)
			fake_machine_compute(30000);
		unlock();
		if (rand() % 50 == 0)
			fake_machine_return();
	}
}

static void contend(void *unused)
{
	struct thread *threads[6];

	(void)unused;
	for (int i = 0; i < 6; i++)
		threads[i] = fake_machine_spawn(count_up, NULL);
	for (int i = 0; i < 6; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(counter, 6 * 4000);
	CHECK_EQUAL(lock_word, 0);
}

TEST(a_lock_made_of_a_futex_excludes)
{
	run(contend);
}

/* ---- waiting and waking ---- */

static uint32_t word, other;

struct sleeper {
	uint32_t *word;
	uint32_t bitset;
	uint64_t timeout_ns; /* 0: none */
	int result;
	struct thread *thread;
};

static void sleep_on_word(void *argument)
{
	struct sleeper *sleeper = argument;
	uint64_t deadline =
		sleeper->timeout_ns ? clock_monotonic_ns() + sleeper->timeout_ns : FOREVER;

	sleeper->result = futex_wait(at(sleeper->word), false, 7, sleeper->bitset, deadline);
}

static void start_sleepers(struct sleeper *sleepers, int count)
{
	word = other = 7;
	for (int i = 0; i < count; i++) {
		sleepers[i].result = 1;
		if (!sleepers[i].word)
			sleepers[i].word = &word;
		if (!sleepers[i].bitset)
			sleepers[i].bitset = ALL;
		sleepers[i].thread = fake_machine_spawn(sleep_on_word, &sleepers[i]);
		/* One after the other, so that the order of waking is known. */
		while (READ_ONCE(sleepers[i].thread->state) != THREAD_SLEEPING)
			thread_sleep(clock_monotonic_ns() + 100000);
	}
}

static void end_sleepers(struct sleeper *sleepers, int count)
{
	for (int i = 0; i < count; i++)
		fake_machine_join(sleepers[i].thread);
}

static void wake_some(void *unused)
{
	struct sleeper sleepers[5] = {{0}};

	(void)unused;
	start_sleepers(sleepers, 5);
	CHECK_EQUAL(futex_wake(at(&other), false, 5, ALL), 0);
	CHECK_EQUAL(futex_wake(at(&word), false, 2, ALL), 2);
	end_sleepers(sleepers, 2); /* the first come first */
	CHECK_EQUAL(sleepers[0].result + sleepers[1].result, 0);
	CHECK_EQUAL(sleepers[2].result, 1);
	CHECK_EQUAL(futex_wake(at(&word), true, INT32_MAX, ALL), 3);
	end_sleepers(sleepers + 2, 3);
	CHECK_EQUAL(futex_wake(at(&word), false, 1, ALL), 0);
}

TEST(wakes_as_many_as_asked_in_order)
{
	run(wake_some);
}

static void bitsets(void *unused)
{
	struct sleeper sleepers[3] = {{.bitset = 1}, {.bitset = 2}, {.bitset = 6}};

	(void)unused;
	start_sleepers(sleepers, 3);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, 8), 0);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, 4), 1);
	end_sleepers(sleepers + 2, 1);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, 3), 2);
	end_sleepers(sleepers, 2);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, 0), -LINUX_EINVAL);
	CHECK_EQUAL(futex_wait(at(&word), false, 7, 0, FOREVER), -LINUX_EINVAL);
}

TEST(bit_sets_select)
{
	run(bitsets);
}

static void refuse(void *unused)
{
	uint64_t start = clock_monotonic_ns();
	uint32_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	word = 3;
	CHECK_EQUAL(futex_wait(at(&word), false, 4, ALL, FOREVER), -LINUX_EAGAIN);
	CHECK_EQUAL(futex_wait(at(&word) + 1, false, 3, ALL, FOREVER), -LINUX_EINVAL);
	CHECK_EQUAL(futex_wake(at(&word) + 2, false, 1, ALL), -LINUX_EINVAL);
	CHECK_EQUAL(futex_wake(1ull << 63, false, 1, ALL), -LINUX_EFAULT);
	CHECK_EQUAL(futex_wait(at(&word), false, 3, ALL, start), -LINUX_ETIMEDOUT);
	CHECK_EQUAL(futex_wait(at(&word), false, 3, ALL, start + 4 * MS), -LINUX_ETIMEDOUT);
	CHECK(clock_monotonic_ns() >= start + 4 * MS);
	fake_user_forbid(at(page), 4096);
	CHECK_EQUAL(futex_wait(at(page), false, 0, ALL, FOREVER), -LINUX_EFAULT);
	CHECK_EQUAL(futex_wake(at(page), false, 1, ALL), 0);
	CHECK_EQUAL(futex_wake_op(at(&word), at(page), false, 1, 1, 0), -LINUX_EFAULT);
	CHECK_EQUAL(futex_requeue(at(page), at(&word), false, 1, 1, &(uint32_t){0}), -LINUX_EFAULT);
	fake_user_forbid(0, 0);
	munmap(page, 4096);
	thread_current()->signal.interrupted = true;
	CHECK_EQUAL(futex_wait(at(&word), false, 3, ALL, clock_monotonic_ns() + MS),
		-LINUX_ERESTARTSYS);
	thread_current()->signal.interrupted = false;
}

TEST(errors_are_those_of_linux)
{
	run(refuse);
}

/* ---- requeue ---- */

static void requeue(void *unused)
{
	struct sleeper sleepers[6] = {{0}};
	uint32_t expected = 8;

	(void)unused;
	start_sleepers(sleepers, 6);
	CHECK_EQUAL(futex_requeue(at(&word), at(&other), false, 1, 9, &expected), -LINUX_EAGAIN);
	expected = 7;
	CHECK_EQUAL(futex_requeue(at(&word), at(&other), false, 1, 3, &expected), 4);
	end_sleepers(sleepers, 1);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, ALL), 2);
	end_sleepers(sleepers + 4, 2);
	CHECK_EQUAL(futex_requeue(at(&other), at(&other), false, 0, 9, NULL), 3);
	CHECK_EQUAL(futex_wake(at(&other), false, 9, ALL), 3);
	end_sleepers(sleepers + 1, 3);
}

TEST(requeueing_moves_sleepers)
{
	run(requeue);
}

/* Words that share a bucket, to be found by trying: requeue among all pairs. */
static void requeue_many(void *unused)
{
	static uint32_t words[300];

	(void)unused;
	for (int i = 0; i < 300; i += 2) {
		struct sleeper sleepers[3] = {
			{.word = &words[i]}, {.word = &words[i]}, {.word = &words[i]}};

		words[i] = words[i + 1] = 7;
		start_sleepers(sleepers, 3);
		CHECK_EQUAL(futex_requeue(at(&words[i]), at(&words[i + 1]), false, 1, 1, NULL), 2);
		CHECK_EQUAL(futex_wake(at(&words[i + 1]), false, 9, ALL), 1);
		CHECK_EQUAL(futex_wake(at(&words[i]), false, 9, ALL), 1);
		end_sleepers(sleepers, 3);
	}
}

TEST(requeueing_works_within_a_bucket_and_across)
{
	run(requeue_many);
}

static bool stop;

static void wait_shortly(void *unused)
{
	(void)unused;
	while (!READ_ONCE(stop)) {
		int error = futex_wait(at(&word), false, 7, ALL,
			clock_monotonic_ns() + (uint64_t)(rand() % 100000));

		CHECK(error == 0 || error == -LINUX_ETIMEDOUT);
	}
}

static void requeue_races(void *unused)
{
	struct thread *threads[5];

	(void)unused;
	word = other = 7;
	stop = false;
	for (int i = 0; i < 5; i++)
		threads[i] = fake_machine_spawn(wait_shortly, NULL);
	for (int i = 0; i < 8000; i++) {
		switch (rand() % 3) {
		case 0:
			futex_requeue(at(&word), at(&other), false, 0, 2, NULL);
			break;
		case 1:
			futex_wake(at(&other), false, 1, ALL);
			break;
		default:
			futex_wake_op(at(&word), at(&other), false, 1, 1, 4u << 24);
			word = other = 7;
		}
		if (i % 8 == 0)
			thread_sleep(clock_monotonic_ns() + (uint64_t)(rand() % 20000));
	}
	WRITE_ONCE(stop, true);
	for (int i = 0; i < 5; i++)
		fake_machine_join(threads[i]);
	CHECK_EQUAL(futex_wake(at(&other), false, 9, ALL), 0);
	CHECK_EQUAL(futex_wake(at(&word), false, 9, ALL), 0);
}

TEST(requeueing_races_with_timeouts)
{
	run(requeue_races);
}

/* ---- FUTEX_WAKE_OP ---- */

static uint32_t operation(uint32_t op, uint32_t argument, uint32_t compare, uint32_t value)
{
	return op << 28 | compare << 24 | (argument & 0xfff) << 12 | (value & 0xfff);
}

static uint32_t operate(uint32_t old, uint32_t code, long expected)
{
	other = old;
	CHECK_EQUAL(futex_wake_op(at(&word), at(&other), false, 1, 1, code), expected);
	return other;
}

static void wake_op(void *unused)
{
	struct sleeper sleepers[2] = {{0}, {.word = &other}};

	(void)unused;
	CHECK_EQUAL(operate(5, operation(0, 9, 0, 0), 0), 9);
	CHECK_EQUAL(operate(5, operation(1, 9, 0, 0), 0), 14);
	CHECK_EQUAL(operate(5, operation(1, 0xfff, 0, 0), 0), 4);
	CHECK_EQUAL(operate(5, operation(2, 10, 0, 0), 0), 15);
	CHECK_EQUAL(operate(7, operation(3, 2, 0, 0), 0), 5);
	CHECK_EQUAL(operate(7, operation(4, 2, 0, 0), 0), 5);
	CHECK_EQUAL(operate(0, operation(8, 31, 0, 0), 0), 0x80000000);
	CHECK_EQUAL(operate(5, operation(5, 0, 0, 0), -LINUX_ENOSYS), 5);
	operate(5, operation(0, 0, 6, 0), -LINUX_ENOSYS);
	start_sleepers(sleepers, 2);
	/* 7 > 6 holds: wakes both. */
	CHECK_EQUAL(operate(7, operation(0, 0, 4, 6), 2), 0);
	end_sleepers(sleepers, 2);
	start_sleepers(sleepers, 2);
	/* 7 < -1 does not. */
	CHECK_EQUAL(operate(7, operation(0, 1, 2, 0xfff), 1), 1);
	CHECK_EQUAL(futex_wake(at(&other), false, 1, ALL), 1);
	end_sleepers(sleepers, 2);
}

TEST(wake_op_changes_compares_and_wakes)
{
	run(wake_op);
}

/* ---- robust lists ---- */

struct robust_head {
	uint64_t next;
	int64_t offset;
	uint64_t pending;
};

struct robust_lock {
	uint64_t next;
	uint32_t word;
};

static void robust(void *unused)
{
	struct robust_lock locks[3], stray;
	struct robust_head head = {.offset = offsetof(struct robust_lock, word)};
	struct sleeper sleepers[1] = {{.word = &locks[1].word}};

	(void)unused;
	for (int i = 0; i < 3; i++) {
		locks[i].next = i < 2 ? at(&locks[i + 1]) : at(&head);
		locks[i].word = 42;
	}
	head.next = at(&locks[0]);
	locks[1].word = 7;
	start_sleepers(sleepers, 1);
	locks[1].word = 42 | 0x80000000;
	locks[2].word = 43; /* another thread's */
	stray.word = 42;
	head.pending = at(&stray);
	futex_exit_robust_list(at(&head), 42);
	CHECK_EQUAL(locks[0].word, 0x40000000);
	CHECK_EQUAL(locks[1].word, 0xc0000000);
	CHECK_EQUAL(locks[2].word, 43);
	CHECK_EQUAL(stray.word, 0x40000000);
	end_sleepers(sleepers, 1);
	/* Hostile lists end: a ring that misses the head, addresses out of range. */
	locks[2].next = at(&locks[0]);
	futex_exit_robust_list(at(&head), 42);
	head.next = 8;
	head.pending = UINT64_MAX - 7;
	futex_exit_robust_list(at(&head), 42);
	futex_exit_robust_list(UINT64_MAX - 3, 42);
}

TEST(robust_lists_are_walked)
{
	run(robust);
}

TEST_DEFINE_MAIN
