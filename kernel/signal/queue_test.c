/* Order, coalescing, limits and memory of the queues of pending signals. */
#include "kernel/signal/queue.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"
#include "lib/test.h"

static struct signal_queue queue;

static struct linux_siginfo make(int signal, int code, uint64_t value)
{
	struct linux_siginfo info;

	memset(&info, 0, sizeof(info));
	info.signo = signal;
	info.code = code;
	info.sender.value = value;
	return info;
}

static enum signal_queue_result add(int signal, int code, uint64_t value)
{
	const struct linux_siginfo info = make(signal, code, value);

	return signal_queue_add(&queue, &info);
}

static void start(void)
{
	signal_queue_max_entries = 16384;
	heap_inject_failures(0);
	signal_queue_init(&queue);
}

static void expect(int signal, uint64_t value)
{
	struct linux_siginfo info;

	CHECK(signal_queue_take(&queue, UINT64_MAX, &info));
	CHECK_EQUAL(info.signo, signal);
	CHECK_EQUAL(info.sender.value, value);
}

static void expect_empty(void)
{
	struct linux_siginfo info;

	CHECK(!signal_queue_take(&queue, UINT64_MAX, &info));
	CHECK_EQUAL(queue.pending, 0);
	CHECK_EQUAL(heap_live_count(), 0);
	CHECK_EQUAL(signal_queue_entries, 0);
}

TEST(a_standard_signal_is_pending_once_with_its_first_information)
{
	start();
	CHECK_EQUAL(add(LINUX_SIGUSR1, LINUX_SI_QUEUE, 1), SIGNAL_QUEUED);
	CHECK_EQUAL(add(LINUX_SIGUSR1, LINUX_SI_QUEUE, 2), SIGNAL_ALREADY_PENDING);
	expect(LINUX_SIGUSR1, 1);
	expect_empty();
}

TEST(real_time_signals_come_as_often_as_sent_and_in_order)
{
	start();
	for (uint64_t i = 0; i < 100; i++) {
		CHECK_EQUAL(add(40, LINUX_SI_QUEUE, i), SIGNAL_QUEUED);
		CHECK_EQUAL(add(35, LINUX_SI_QUEUE, 1000 + i), SIGNAL_QUEUED);
	}
	for (uint64_t i = 0; i < 100; i++)
		expect(35, 1000 + i);
	for (uint64_t i = 0; i < 100; i++)
		expect(40, i);
	expect_empty();
}

TEST(faults_go_before_lower_numbers)
{
	start();
	add(LINUX_SIGHUP, LINUX_SI_USER, 0);
	add(LINUX_SIGSEGV, LINUX_SI_USER, 0);
	expect(LINUX_SIGSEGV, 0);
	expect(LINUX_SIGHUP, 0);
	expect_empty();
}

TEST(only_signals_of_the_set_are_taken)
{
	struct linux_siginfo info;

	start();
	add(LINUX_SIGTERM, LINUX_SI_USER, 0);
	CHECK(!signal_queue_take(&queue, ~SIGNAL_BIT(LINUX_SIGTERM), &info));
	CHECK(signal_queue_take(&queue, SIGNAL_BIT(LINUX_SIGTERM), &info));
	expect_empty();
}

TEST(one_pending_signal_allocates_nothing)
{
	start();
	for (int i = 0; i < 1000; i++) {
		add(LINUX_SIGURG, LINUX_SI_TKILL, 0);
		CHECK_EQUAL(heap_live_count(), 0);
		expect(LINUX_SIGURG, 0);
	}
	expect_empty();
}

TEST(the_limit_stops_real_time_signals_with_information_only)
{
	start();
	signal_queue_max_entries = 3;
	CHECK_EQUAL(add(40, LINUX_SI_QUEUE, 1), SIGNAL_QUEUED);
	CHECK_EQUAL(add(40, LINUX_SI_QUEUE, 2), SIGNAL_QUEUED);
	CHECK_EQUAL(add(40, LINUX_SI_QUEUE, 3), SIGNAL_QUEUED);
	CHECK_EQUAL(add(40, LINUX_SI_QUEUE, 4), SIGNAL_QUEUE_FULL);
	CHECK_EQUAL(add(41, LINUX_SI_USER, 5), SIGNAL_QUEUED);
	CHECK_EQUAL(add(LINUX_SIGUSR1, LINUX_SI_USER, 6), SIGNAL_QUEUED);
	expect(LINUX_SIGUSR1, 6);
	expect(40, 1);
	expect(40, 2);
	expect(40, 3);
	expect(41, 0); /* came, but lost who sent it */
	expect_empty();
}

TEST(without_memory_standard_signals_still_come)
{
	start();
	add(LINUX_SIGHUP, LINUX_SI_USER, 1); /* has the queue's own entry */
	heap_inject_failures(1);
	CHECK_EQUAL(add(LINUX_SIGTERM, LINUX_SI_QUEUE, 2), SIGNAL_QUEUED);
	CHECK_EQUAL(add(50, LINUX_SI_QUEUE, 3), SIGNAL_QUEUE_FULL);
	expect(LINUX_SIGHUP, 1);
	expect(LINUX_SIGTERM, 0);
	expect_empty();
}

TEST(expiries_of_one_timer_count_overruns)
{
	struct linux_siginfo info = make(40, LINUX_SI_TIMER, 7);
	struct linux_siginfo taken;

	start();
	info.timer.timer_id = 3;
	CHECK_EQUAL(signal_queue_add(&queue, &info), SIGNAL_QUEUED);
	CHECK_EQUAL(signal_queue_add(&queue, &info), SIGNAL_ALREADY_PENDING);
	CHECK_EQUAL(signal_queue_add(&queue, &info), SIGNAL_ALREADY_PENDING);
	info.timer.timer_id = 4;
	CHECK_EQUAL(signal_queue_add(&queue, &info), SIGNAL_QUEUED);
	CHECK(signal_queue_take(&queue, UINT64_MAX, &taken));
	CHECK_EQUAL(taken.timer.timer_id, 3);
	CHECK_EQUAL(taken.timer.overrun, 2);
	CHECK(signal_queue_take(&queue, UINT64_MAX, &taken));
	CHECK_EQUAL(taken.timer.timer_id, 4);
	CHECK_EQUAL(taken.timer.overrun, 0);
	expect_empty();
}

TEST(dropping_leaves_the_others)
{
	start();
	for (uint64_t i = 0; i < 10; i++)
		add(40 + (int)(i % 2), LINUX_SI_QUEUE, i);
	signal_queue_drop(&queue, SIGNAL_BIT(40));
	for (uint64_t i = 1; i < 10; i += 2)
		expect(41, i);
	expect_empty();
}

/* Against a plain model, with random operations and failing allocation. */
TEST(random_operations_agree_with_a_model)
{
	static unsigned counts[LINUX_NSIG + 1];
	struct linux_siginfo info;

	start();
	srandom(1);
	for (int step = 0; step < 200000; step++) {
		int signal = (int)((unsigned long)random() % LINUX_NSIG) + 1;
		uint64_t set = (uint64_t)random() << 33 ^ (uint64_t)random() << 11;

		heap_inject_failures(step % 1000 < 500 ? 0 : 3);
		if (random() % 2 == 0) {
			enum signal_queue_result result = add(signal, LINUX_SI_QUEUE, 0);

			if (result == SIGNAL_QUEUED)
				counts[signal]++;
			else if (result == SIGNAL_ALREADY_PENDING)
				CHECK(signal < LINUX_SIGRTMIN && counts[signal] == 1);
			else
				CHECK(signal >= LINUX_SIGRTMIN);
		} else if (random() % 50 == 0) {
			signal_queue_drop(&queue, set);
			for (int s = 1; s <= LINUX_NSIG; s++)
				if (set & SIGNAL_BIT(s))
					counts[s] = 0;
		} else if (signal_queue_take(&queue, set, &info)) {
			CHECK(set & SIGNAL_BIT(info.signo));
			CHECK(counts[info.signo]-- > 0);
		} else {
			CHECK((queue.pending & set) == 0);
		}
		CHECK_EQUAL((queue.pending & SIGNAL_BIT(signal)) != 0, counts[signal] != 0);
	}
	heap_inject_failures(0);
	signal_queue_drop(&queue, UINT64_MAX);
	expect_empty();
}

TEST_DEFINE_MAIN
