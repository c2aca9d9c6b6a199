/*
 * The arithmetic of timerfds on clocks that the test sets: expiries counted once each,
 * time left, overruns, the wall clock being set.
 */
#include "arch/host/fake_files.h"
#include "arch/host/fake_threads.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/timerfd.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/timer.h"
#include "abi/linux/fcntl.h"
#include "lib/test.h"

enum { REALTIME = 0, MONOTONIC = 1, BOOTTIME = 7 };
enum { ABSOLUTE = 1, CANCEL_ON_SET = 2 };

/* ---- clocks and the one kernel timer ----------------------------------------- */

static uint64_t wall_offset_ns;
static struct wait_queue clock_changed;
static struct timer *armed;

uint64_t clock_realtime_ns(void)
{
	return fake_now_ns + wall_offset_ns;
}

struct wait_queue *clock_change_queue(void)
{
	return &clock_changed;
}

void timer_init(struct timer *timer, timer_fn fn)
{
	*timer = (struct timer){.fn = fn};
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	CHECK(armed == NULL || armed == timer);
	timer->deadline_ns = deadline_ns;
	armed = timer;
}

bool timer_cancel(struct timer *timer)
{
	bool was_armed = armed == timer;

	if (was_armed)
		armed = NULL;
	return was_armed;
}

bool timer_cancel_wait(struct timer *timer)
{
	return timer_cancel(timer);
}

uint32_t sched_cpu_count(void)
{
	return 1;
}

void epoll_forget_file(struct file *file)
{
	(void)file;
}

static unsigned expiries;

/* Lets time pass, and what is due happen. */
static void go_to(uint64_t now_ns)
{
	while (armed != NULL && armed->deadline_ns <= now_ns) {
		struct timer *timer = armed;

		fake_now_ns = MAX(fake_now_ns, timer->deadline_ns);
		armed = NULL;
		expiries++;
		timer->fn(timer);
	}
	fake_now_ns = now_ns;
}

static void set_wall(uint64_t realtime_ns)
{
	wall_offset_ns = realtime_ns - fake_now_ns;
	wait_wake_all(&clock_changed);
}

static struct file *file;

static void start(int clock)
{
	fake_threads_reset();
	fake_now_ns = 1000;
	wall_offset_ns = 1000000;
	wait_queue_init(&clock_changed);
	armed = NULL;
	expiries = 0;
	CHECK_EQUAL(timerfd_create(clock, LINUX_O_NONBLOCK, &file), 0);
}

static void end(void)
{
	file_release(file);
	CHECK(armed == NULL);
	CHECK(list_is_empty(&clock_changed.waiters));
	CHECK_EQUAL(heap_live_count(), 0);
}

static void set(int flags, uint64_t value_ns, uint64_t interval_ns)
{
	struct timerfd_setting setting = {interval_ns, value_ns};

	CHECK_EQUAL(timerfd_set(file, flags, &setting, NULL), 0);
}

static int64_t ticks(void)
{
	uint64_t count = 0;
	long result = fake_file_read(file, &count, sizeof(count));

	return result == sizeof(count) ? (int64_t)count : result;
}

static uint64_t left(void)
{
	struct timerfd_setting setting;

	CHECK_EQUAL(timerfd_get(file, &setting), 0);
	return setting.value_ns;
}

/* ---- tests ------------------------------------------------------------------------ */

TEST(a_single_expiry)
{
	start(MONOTONIC);
	CHECK_EQUAL(left(), 0);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	set(0, 500, 0);
	CHECK_EQUAL(left(), 500);
	go_to(1400);
	CHECK_EQUAL(left(), 100);
	CHECK_EQUAL(file->ops->poll(file), 0);
	go_to(1500);
	CHECK_EQUAL(file->ops->poll(file), POLL_IN);
	CHECK_EQUAL(left(), 0);
	go_to(9999);
	CHECK_EQUAL(ticks(), 1);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	end();
}

TEST(periods_are_counted_without_work_in_between)
{
	start(BOOTTIME);
	set(0, 500, 100);
	go_to(1500 + 100 * 7 + 50);
	CHECK_EQUAL(expiries, 1);
	CHECK_EQUAL(ticks(), 8);
	CHECK_EQUAL(left(), 50);
	go_to(2299);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	go_to(2300);
	CHECK_EQUAL(ticks(), 1);
	CHECK_EQUAL(left(), 100);
	go_to(2400);
	CHECK_EQUAL(left(), 100); /* looking counts, and keeps the count */
	go_to(2500);
	CHECK_EQUAL(ticks(), 2);
	CHECK_EQUAL(expiries, 4);
	end();
}

TEST(setting_forgets_what_was_and_tells_it)
{
	struct timerfd_setting setting = {70, 800}, old;

	start(MONOTONIC);
	set(0, 100, 30);
	go_to(1110);
	CHECK_EQUAL(timerfd_set(file, 0, &setting, &old), 0);
	CHECK_EQUAL(old.interval_ns, 30);
	CHECK_EQUAL(old.value_ns, 20);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	CHECK_EQUAL(left(), 800);
	set(0, 0, 70); /* an interval alone arms nothing */
	CHECK_EQUAL(left(), 0);
	go_to(100000);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	set(ABSOLUTE, 5, 0); /* in the past: at once */
	go_to(100000);
	CHECK_EQUAL(ticks(), 1);
	set(ABSOLUTE, 100050, 0);
	CHECK_EQUAL(left(), 50);
	end();
}

TEST(absurd_times_do_not_wrap)
{
	start(MONOTONIC);
	set(0, INT64_MAX, INT64_MAX);
	CHECK_EQUAL(left(), INT64_MAX);
	go_to(1000000000);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	set(ABSOLUTE, 1, INT64_MAX);
	go_to(1000000001);
	CHECK_EQUAL(ticks(), 1);
	go_to(2000000000);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	set(ABSOLUTE, 1, 1); /* a period of a nanosecond */
	go_to(2000000001);
	CHECK_EQUAL(ticks(), 2000000001);
	end();
}

TEST(absolute_wall_times_follow_the_wall)
{
	start(REALTIME); /* 1001000 on the wall */
	set(ABSOLUTE, 1002000, 0);
	CHECK_EQUAL(left(), 1000);
	set_wall(1001900);
	CHECK_EQUAL(left(), 100);
	go_to(1100);
	CHECK_EQUAL(ticks(), 1);
	set(ABSOLUTE, 1002500, 0);
	set_wall(1000000);
	go_to(2000);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	go_to(3600);
	CHECK_EQUAL(ticks(), 1);
	set(0, 100, 0); /* relative ones do not */
	set_wall(9000000);
	CHECK_EQUAL(left(), 100);
	go_to(3699);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	go_to(3700);
	CHECK_EQUAL(ticks(), 1);
	end();
}

TEST(setting_the_wall_cancels_if_asked)
{
	start(REALTIME);
	set(ABSOLUTE | CANCEL_ON_SET, 1002000, 0);
	set_wall(1000500);
	CHECK_EQUAL(file->ops->poll(file), POLL_IN);
	CHECK_EQUAL(ticks(), -LINUX_ECANCELED);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	set(CANCEL_ON_SET, 100, 0); /* only of absolute times */
	set_wall(1000500);
	CHECK_EQUAL(ticks(), -LINUX_EAGAIN);
	end();
}

TEST(errors)
{
	struct timerfd_setting setting = {0, 0};
	struct file *other = file_create(&(struct file_ops){.kind = "other"}, 0, NULL), *none;

	start(MONOTONIC);
	CHECK_EQUAL(timerfd_create(2, 0, &none), -LINUX_EINVAL);
	CHECK_EQUAL(timerfd_create(-1, 0, &none), -LINUX_EINVAL);
	CHECK_EQUAL(timerfd_set(file, 4, &setting, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(timerfd_set(other, 0, &setting, NULL), -LINUX_EINVAL);
	CHECK_EQUAL(timerfd_get(other, &setting), -LINUX_EINVAL);
	uint32_t small;
	CHECK_EQUAL(fake_file_read(file, &small, sizeof(small)), -LINUX_EINVAL);
	file_release(other);
	end();
}

/* Random settings and readings against plain counting. */
TEST(random_settings_follow_the_model)
{
	uint64_t next = 0, interval = 0;

	srandom(1);
	start(MONOTONIC);
	for (int step = 0; step < 100000; step++) {
		uint64_t expected = 0;

		switch (random() % 4) {
		case 0:
			next = random() % 10 == 0 ? 0 : 1 + (uint64_t)random() % 1000;
			interval = (uint64_t)(random() % 3 ? 0 : random() % 200);
			set(0, next, interval);
			next += next != 0 ? fake_now_ns : 0;
			break;
		case 1:
			if (next == 0 || next <= fake_now_ns)
				break;
			CHECK_EQUAL(left(), next - fake_now_ns);
			break;
		case 2:
			go_to(fake_now_ns + (uint64_t)random() % 300);
			break;
		default:
			while (next != 0 && next <= fake_now_ns) {
				expected++;
				next = interval != 0 ? next + interval : 0;
			}
			CHECK_EQUAL(ticks(), expected != 0 ? (int64_t)expected : -LINUX_EAGAIN);
		}
		go_to(fake_now_ns);
	}
	end();
}

TEST_DEFINE_MAIN
