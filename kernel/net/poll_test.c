/*
 * Vcpus that idle, halt and run the program, a device that brings frames at any time: each
 * frame is seen within a bounded time, and a machine at rest is halted and armed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "kernel/lock.h"
#include "kernel/net/device.h"
#include "kernel/net/net.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/timer.h"
#include "lib/test.h"

#define CPUS    3
#define FRAMES  60000u
#define LIMIT_S 5

static atomic_uint produced, consumed, event_at; /* of the device's ring */
static atomic_bool interrupt[CPUS];
static atomic_uint interrupts, halted, finished;
static _Thread_local uint32_t cpu_index = CPUS;

/* ---- what poll.c stands on ------------------------------------------------------------ */

static struct spinlock lock = SPINLOCK_INIT;
static struct timer *watchdog;
bool net_has_devices = true;

uint32_t arch_cpu_index(void)
{
	return cpu_index;
}

void net_lock(void)
{
	spin_lock(&lock);
}

void net_unlock(void)
{
	spin_unlock(&lock);
}

uint64_t clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void timer_init(struct timer *timer, timer_fn fn)
{
	*timer = (struct timer){.fn = fn};
	watchdog = timer;
}

void timer_arm(struct timer *timer, uint64_t deadline_ns)
{
	__atomic_store_n(&timer->deadline_ns, deadline_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&timer->armed, true, __ATOMIC_SEQ_CST);
}

bool timer_cancel(struct timer *timer)
{
	return __atomic_exchange_n(&timer->armed, false, __ATOMIC_SEQ_CST);
}

/* ---- the device -------------------------------------------------------------------------- */

static uint32_t poll(struct net_device *device, uint32_t budget)
{
	uint32_t frames = MIN(budget, produced - consumed);

	device->ops->disarm(device);
	consumed += frames;
	return frames;
}

static bool arm(struct net_device *device)
{
	(void)device;
	event_at = consumed;
	return produced != consumed;
}

static void disarm(struct net_device *device)
{
	(void)device;
	event_at = consumed - 0x80000000u;
}

static bool is_pending(struct net_device *device)
{
	(void)device;
	return produced != consumed;
}

static const struct net_device_ops ops = {
	.poll = poll, .arm = arm, .disarm = disarm, .is_pending = is_pending};
static struct net_device device = {.ops = &ops};

struct net_device *net_device_next(const struct net_device *before)
{
	return before == NULL ? &device : NULL;
}

static void bring_frame(void)
{
	if (atomic_fetch_add(&produced, 1) == event_at) {
		interrupts++;
		interrupt[0] = true;
	}
}

/* ---- vcpus --------------------------------------------------------------------------------- */

static bool take_interrupt(void)
{
	if (!atomic_exchange(&interrupt[cpu_index], false))
		return false;
	net_poll_interrupted();
	return true;
}

static void run_program(unsigned *seed)
{
	int steps = rand_r(seed) % 50;

	for (int i = 0; i < steps; i++) {
		take_interrupt();
		if (rand_r(seed) % 8 == 0)
			device_poll();
		for (int spin = rand_r(seed) % 300; spin > 0; spin--)
			__asm__ volatile("pause");
	}
}

static void halt(unsigned *seed)
{
	if (!sched_device_poll->prepare_halt())
		return;
	halted++;
	for (int i = 0; !interrupt[cpu_index] && !finished; i++) {
		usleep(20);
		if (i > 20 && rand_r(seed) % 16 == 0) /* another reason to wake up */
			break;
	}
	halted--;
	sched_device_poll->enter_idle();
}

static void *cpu_main(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument + 1;

	cpu_index = (uint32_t)(uintptr_t)argument;
	while (!finished) {
		sched_device_poll->enter_idle();
		for (int i = rand_r(&seed) % 200; i > 0 && !finished; i--) {
			if (take_interrupt() || device_poll())
				break;
			if (i == 1 && rand_r(&seed) % 4 != 0) {
				halt(&seed);
				i = rand_r(&seed) % 100;
			}
		}
		sched_device_poll->leave_idle();
		run_program(&seed);
	}
	return NULL;
}

static void *timer_main(void *argument)
{
	(void)argument;
	while (!finished) {
		if (__atomic_load_n(&watchdog->armed, __ATOMIC_SEQ_CST) &&
			clock_monotonic_ns() >=
				__atomic_load_n(&watchdog->deadline_ns, __ATOMIC_SEQ_CST) &&
			timer_cancel(watchdog))
			watchdog->fn(watchdog);
		usleep(50);
	}
	return NULL;
}

static void wait_until_seen(void)
{
	uint64_t start = clock_monotonic_ns();

	while (consumed != produced) {
		CHECK(clock_monotonic_ns() - start < LIMIT_S * 1000000000ull);
		usleep(10);
	}
}

TEST(no_frame_waits_unseen)
{
	pthread_t cpus[CPUS], timer;
	unsigned seed = 99;

	net_poll_init();
	CHECK(sched_device_poll != NULL);
	for (uintptr_t i = 0; i < CPUS; i++)
		CHECK_EQUAL(pthread_create(&cpus[i], NULL, cpu_main, (void *)i), 0);
	CHECK_EQUAL(pthread_create(&timer, NULL, timer_main, NULL), 0);
	while (produced < FRAMES) {
		for (int burst = rand_r(&seed) % 30; burst >= 0; burst--)
			bring_frame();
		if (rand_r(&seed) % 2 == 0)
			wait_until_seen();
		if (rand_r(&seed) % 64 == 0)
			usleep((unsigned)rand_r(&seed) % 3000);
	}
	wait_until_seen();
	finished = true;
	for (int i = 0; i < CPUS; i++)
		pthread_join(cpus[i], NULL);
	pthread_join(timer, NULL);
	printf("%u frames, %u interrupts\n", (unsigned)produced, (unsigned)interrupts);
}

/* One vcpu, step by step. */
TEST(a_machine_at_rest_is_armed_and_has_no_timer)
{
	cpu_index = 0;
	interrupt[0] = false;
	sched_device_poll->enter_idle();
	while (!sched_device_poll->prepare_halt()) /* what is left of the test before */
		net_poll();
	CHECK(!watchdog->armed);
	bring_frame();
	CHECK(interrupt[0]);
	sched_device_poll->enter_idle();
	net_poll_interrupted();
	CHECK_EQUAL(consumed, produced);
	interrupt[0] = false;
	bring_frame(); /* polled: no interrupt */
	CHECK(!interrupt[0]);
	CHECK(!sched_device_poll->prepare_halt());
	CHECK(net_poll());
	sched_device_poll->leave_idle(); /* armed while the program runs */
	CHECK(!watchdog->armed);
	bring_frame();
	CHECK(interrupt[0]);
	interrupt[0] = false;
	net_poll_interrupted(); /* load: from now on the watchdog looks */
	CHECK(watchdog->armed);
	bring_frame();
	CHECK(!interrupt[0]);
	CHECK(net_poll());
	CHECK(!net_poll());
	CHECK(watchdog->armed);
	timer_cancel(watchdog);
	bring_frame();
	watchdog->fn(watchdog);
	CHECK_EQUAL(consumed, produced);
	sched_device_poll->enter_idle();
	CHECK(sched_device_poll->prepare_halt());
	CHECK(!watchdog->armed);
	bring_frame();
	CHECK(interrupt[0]);
}

TEST_DEFINE_MAIN
