/*
 * Who looks at the devices' rings, and when they interrupt. Theory of operation:
 *
 * At any time one of these holds, so that no frame waits unseen:
 *   - the devices are armed: they interrupt at the next frame;
 *   - a vcpu polls them in its idle loop (its bit in `pollers` is set);
 *   - the watchdog timer is armed, which looks a little later.
 * Whoever ends such a state sees to it that another begins: first it takes back its own
 * part, then it looks for the others' (both with full barriers).
 *
 * A vcpu that idles disarms the devices and polls. Before it runs something again, if no
 * other polls, it arms them: a few stores. If they then interrupt while the program runs,
 * the machine is under load: interrupts, at some 20 us each, would eat it up. So then they
 * stay off; system calls that find nothing look at the rings, and the watchdog does every
 * millisecond, for programs that make no calls. The load is over when the watchdog finds
 * that next to nothing came, or when a vcpu halts.
 *
 * `busy` is taken by whoever polls or arms; others do not wait for it, but for the
 * watchdog's sake they see that the taker looks at the state after they changed it.
 */
#include "kernel/arch.h"
#include "kernel/net/device.h"
#include "kernel/net/net.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/timer.h"

#define BUDGET      16u /* frames from a device before others have their turn */
#define WATCHDOG_NS 1000000ull
#define LOAD_FRAMES 4u /* a watchdog period with fewer ends the load */
#define ARM_TRIES   4

static struct {
	bool busy;
	bool is_armed;         /* by busy; cleared by interrupts; read by others */
	bool is_loaded;        /* by busy */
	uint32_t frames;       /* since the watchdog looked; by busy */
	uint64_t pollers;      /* vcpus in their idle loop, one bit each; atomic */
	struct timer watchdog; /* armed by busy */
} state;

static bool try_take(void)
{
	return !READ_ONCE(state.busy) && !__atomic_exchange_n(&state.busy, true, __ATOMIC_SEQ_CST);
}

static void give(void)
{
	__atomic_store_n(&state.busy, false, __ATOMIC_SEQ_CST);
}

static bool is_anything_pending(void)
{
	for (struct net_device *device = net_device_next(NULL); device != NULL;
		device = net_device_next(device)) {
		if (device->ops->poll != NULL && device->ops->is_pending(device))
			return true;
	}
	return false;
}

/* With busy. */
static uint32_t poll_all(void)
{
	uint32_t frames = 0;

	net_lock();
	for (struct net_device *device = net_device_next(NULL); device != NULL;
		device = net_device_next(device)) {
		if (device->ops->poll == NULL)
			continue;
		frames += device->ops->poll(device, BUDGET);
	}
	net_unlock();
	__atomic_store_n(&state.is_armed, false, __ATOMIC_SEQ_CST);
	state.frames += frames;
	return frames;
}

/* With busy. True: something is there already. */
static bool arm_all(void)
{
	bool is_pending = false;

	/* First, so that an interrupt of the first device armed comes after it. */
	__atomic_store_n(&state.is_armed, true, __ATOMIC_SEQ_CST);
	net_lock();
	for (struct net_device *device = net_device_next(NULL); device != NULL;
		device = net_device_next(device)) {
		if (device->ops->arm != NULL && device->ops->arm(device))
			is_pending = true;
	}
	net_unlock();
	return is_pending;
}

static void disarm_all(void)
{
	net_lock();
	for (struct net_device *device = net_device_next(NULL); device != NULL;
		device = net_device_next(device)) {
		if (device->ops->disarm != NULL)
			device->ops->disarm(device);
	}
	net_unlock();
	__atomic_store_n(&state.is_armed, false, __ATOMIC_SEQ_CST);
}

static bool is_watched(void)
{
	return __atomic_load_n(&state.is_armed, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&state.pollers, __ATOMIC_SEQ_CST) != 0 ||
	       READ_ONCE(state.watchdog.armed);
}

/* With busy. Arms the devices, or the watchdog when they would interrupt all the time. */
static void watch(void)
{
	for (int i = 0; i < ARM_TRIES && !state.is_loaded; i++) {
		if (!arm_all())
			return;
		poll_all();
	}
	state.is_loaded = true;
	timer_arm(&state.watchdog, clock_monotonic_ns() + WATCHDOG_NS);
}

/* After a change, without busy: who holds it does this too, after giving it up. */
static void see_to_watching(void)
{
	while (!is_watched() && try_take()) {
		if (!is_watched())
			watch();
		give();
	}
}

bool net_poll(void)
{
	uint32_t frames;

	if (!net_has_devices || !is_anything_pending() || !try_take())
		return false;
	frames = poll_all();
	give();
	see_to_watching();
	return frames != 0;
}

static bool polls_here(void)
{
	return __atomic_load_n(&state.pollers, __ATOMIC_RELAXED) >> arch_cpu_index() & 1;
}

void net_poll_interrupted(void)
{
	/* The device will not interrupt again: whoever holds `busy` sees this when giving it up. */
	__atomic_store_n(&state.is_armed, false, __ATOMIC_SEQ_CST);
	if (!polls_here() && try_take()) {
		state.is_loaded = true;
		poll_all();
		give();
	} else {
		net_poll();
	}
	see_to_watching();
}

static void on_watchdog(struct timer *timer)
{
	(void)timer;
	if (try_take()) {
		if (is_anything_pending())
			poll_all();
		if (state.frames < LOAD_FRAMES)
			state.is_loaded = false;
		state.frames = 0;
		give();
	}
	see_to_watching();
}

/* ---- the idle loop ---------------------------------------------------------------------- */

static void enter_idle(void)
{
	__atomic_fetch_or(&state.pollers, 1ull << arch_cpu_index(), __ATOMIC_SEQ_CST);
	if (READ_ONCE(state.is_armed) && try_take()) {
		if (state.is_armed)
			disarm_all();
		give();
		see_to_watching();
	}
}

static void stop_polling(void)
{
	__atomic_fetch_and(&state.pollers, ~(1ull << arch_cpu_index()), __ATOMIC_SEQ_CST);
}

static void leave_idle(void)
{
	stop_polling();
	see_to_watching();
}

static bool prepare_halt(void)
{
	bool is_pending = true;

	stop_polling();
	if (try_take()) {
		if (__atomic_load_n(&state.pollers, __ATOMIC_SEQ_CST) != 0) {
			is_pending = false; /* another vcpu polls */
		} else {
			is_pending = !state.is_armed ? arm_all() : is_anything_pending();
			state.is_loaded = false;
			if (!is_pending)
				timer_cancel(&state.watchdog);
		}
		give();
	}
	if (is_pending)
		__atomic_fetch_or(&state.pollers, 1ull << arch_cpu_index(), __ATOMIC_SEQ_CST);
	else
		see_to_watching();
	return !is_pending;
}

static struct sched_device_poll device_poll_of_network = {
	.poll = net_poll,
	.enter_idle = enter_idle,
	.leave_idle = leave_idle,
	.prepare_halt = prepare_halt,
};

void net_poll_init(void)
{
	if (!net_has_devices)
		return;
	timer_init(&state.watchdog, on_watchdog);
	device_poll_add(&device_poll_of_network);
}
