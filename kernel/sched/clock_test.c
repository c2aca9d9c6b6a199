/*
 * Arithmetic of clocks over all frequencies, and the wall clock's setting.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/lock.h"
#include "kernel/platform.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/clock_math.h"
#include "kernel/sched/wait.h"
#include "lib/test.h"

#define SECOND 1000000000ull

static uint64_t ticks, hz = SECOND;
static struct boot_info boot;
static uint32_t woken;

uint64_t arch_ticks(void)
{
	return ticks;
}

void arch_relax(void)
{
}

uint64_t platform_ticks_hz(void)
{
	return hz;
}

const struct boot_info *platform_boot_info(void)
{
	return &boot;
}

struct thread *arch_current_thread(void)
{
	return NULL;
}

void thread_wake(struct thread *thread)
{
	(void)thread;
	woken++;
}

static void start(uint64_t frequency, uint64_t now)
{
	hz = frequency;
	ticks = now;

	boot = (struct boot_info){.wall_ns = 1700000000 * SECOND, .wall_tsc = now};
	clock_init();
}

static const uint64_t frequencies[] = {1000000, 24000000, 999999937, SECOND, 1800000001, 2595124000,
	3000000000, 3700000000, 5000000000, 10000000000};

TEST(scales_are_exact_for_half_a_century)
{
	const uint64_t half_century_s = 50ull * 365 * 86400;

	for (size_t i = 0; i < ARRAY_SIZE(frequencies); i++) {
		struct clock_scale scale = clock_scale(SECOND, frequencies[i]);
		uint64_t ns = clock_scale_apply(&scale, half_century_s * frequencies[i]);

		CHECK(scale.multiplier >> 63 == 0);
		CHECK(ns <= half_century_s * SECOND);
		CHECK(ns >= half_century_s * SECOND - 2);
	}
}

TEST(scales_saturate_and_take_signs)
{
	struct clock_scale up = clock_scale(SECOND, 1000000), same = clock_scale(5, 5);

	CHECK_EQUAL(clock_scale_apply(&up, UINT64_MAX), UINT64_MAX);
	CHECK_EQUAL(clock_scale_apply(&up, 7), 7000);
	CHECK_EQUAL(clock_scale_apply(&same, UINT64_MAX), UINT64_MAX);
	CHECK_EQUAL(clock_scale_signed(&up, -7), -7000);
	CHECK_EQUAL(clock_scale_signed(&up, 7), 7000);
	CHECK_EQUAL(clock_scale_apply(&up, 0), 0);
}

TEST(time_starts_above_zero_and_never_goes_back)
{
	for (size_t i = 0; i < ARRAY_SIZE(frequencies); i++) {
		uint64_t last;

		start(frequencies[i], 12345678901);
		last = clock_monotonic_ns();
		CHECK_EQUAL(last, 1);
		ticks--; /* another vcpu, a little behind */
		CHECK_EQUAL(clock_monotonic_ns(), 1);
		for (int step = 0; step < 20000; step++) {
			ticks += (uint64_t)(rand() % 1000);
			CHECK(clock_monotonic_ns() >= last);
			last = clock_monotonic_ns();
		}
	}
}

TEST(deadlines_in_ticks_are_not_early_and_hardly_late)
{
	for (size_t i = 0; i < ARRAY_SIZE(frequencies); i++) {
		start(frequencies[i], 777);
		for (int step = 0; step < 20000; step++) {
			uint64_t ns = (uint64_t)rand() * (uint64_t)rand() >> (8 + rand() % 50);

			ticks = clock_ticks_of_ns(ns);
			CHECK(clock_monotonic_ns() >= ns);
			if (ns > 1) {
				ticks -= 4;
				CHECK(ticks < 777 || clock_monotonic_ns() <= ns);
			}
		}
		CHECK_EQUAL(clock_ticks_of_ns(0), 777);
	}
	start(3000000000, 777);
	CHECK_EQUAL(clock_ticks_of_ns(UINT64_MAX), UINT64_MAX);
}

TEST(the_wall_clock_follows_the_launchers)
{
	/* Read before, and after, the kernel started. */
	hz = 2 * SECOND;
	ticks = 100 * SECOND;
	boot = (struct boot_info){.wall_ns = 5000 * SECOND, .wall_tsc = 98 * SECOND};
	clock_init();
	CHECK_EQUAL(clock_realtime_ns(), 5001 * SECOND);
	boot.wall_tsc = 102 * SECOND;
	clock_init();
	CHECK_EQUAL(clock_realtime_ns(), 4999 * SECOND);
	ticks += 2 * SECOND;
	CHECK_EQUAL(clock_realtime_ns(), 5000 * SECOND);
	boot.start_tsc = 96 * SECOND;
	clock_init();
	CHECK_EQUAL(clock_monotonic_ns(), 3 * SECOND + 1);
	CHECK_EQUAL(clock_realtime_ns(), 5000 * SECOND);
}

TEST(setting_the_wall_clock_moves_it_alone)
{
	struct waiter waiter;
	uint32_t count;
	uint64_t now;

	start(SECOND, 1000);
	ticks += 50 * SECOND;
	now = clock_monotonic_ns();
	count = clock_change_count();
	waiter_init(&waiter);
	wait_add(clock_change_queue(), &waiter);
	clock_set_realtime_ns(1234567 * SECOND + 89);
	CHECK_EQUAL(woken, 1);
	wait_remove(clock_change_queue(), &waiter);
	CHECK_EQUAL(clock_realtime_ns(), 1234567 * SECOND + 89);
	CHECK_EQUAL(clock_monotonic_ns(), now);
	CHECK(clock_change_count() != count);
	CHECK_EQUAL(clock_vdso_data()->sequence & 1, 0);
	CHECK_EQUAL(clock_monotonic_of_realtime(1234568 * SECOND + 89), now + SECOND);
	CHECK_EQUAL(clock_monotonic_of_realtime(0), 1);
	/* Before the machine was started: an offset below zero. */
	clock_set_realtime_ns(SECOND);
	CHECK_EQUAL(clock_realtime_ns(), SECOND);
	CHECK_EQUAL(clock_monotonic_of_realtime(2 * SECOND), now + SECOND);
	CHECK_EQUAL(clock_monotonic_of_realtime(UINT64_MAX), UINT64_MAX);
}

TEST_DEFINE_MAIN
