/*
 * See timerfd.h.
 *
 * The kernel timer fires once per read, as in Linux: the callback notes the first
 * expiry and stops; a read (or gettime) counts the periods that passed since and arms
 * the next. A timer nobody reads therefore costs nothing.
 */
#include "kernel/fs/timerfd.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/timer.h"
#include "kernel/sched/wait.h"
#include "abi/linux/fcntl.h"

enum {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_BOOTTIME = 7,
	CLOCK_REALTIME_ALARM = 8,
	CLOCK_BOOTTIME_ALARM = 9,
	TIMER_ABSTIME = 1,
	TIMER_CANCEL_ON_SET = 2,
};

struct timerfd {
	struct timer timer;
	struct spinlock lock; /* rank 36; guards what follows */
	struct wait_queue changed;
	uint64_t next_ns; /* coming (or noted) expiry; 0: disarmed */
	uint64_t interval_ns;
	uint64_t ticks; /* expiries not read yet */
	bool fired;     /* next_ns has passed and the timer is not armed */
	bool cancel_on_set;
	bool cancelled;             /* the clock was set: the next read says so */
	bool is_wall;               /* made on CLOCK_REALTIME; never changes */
	bool follows_wall;          /* next_ns is CLOCK_REALTIME: set absolute; else MONOTONIC */
	struct waiter clock_waiter; /* of a wall timer: on clock_change_queue() */
};

static const struct file_ops timerfd_ops;

static struct timerfd *of_file(const struct file *file)
{
	return file->ops == &timerfd_ops ? file->data : NULL;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t own_now(const struct timerfd *timer)
{
	return timer->follows_wall ? clock_realtime_ns() : clock_monotonic_ns();
}

/* Arms the kernel timer for next_ns. */
static void arm_locked(struct timerfd *timer)
{
	uint64_t now = own_now(timer);
	uint64_t left = timer->next_ns > now ? timer->next_ns - now : 0;

	timer->fired = false;
	timer_arm(&timer->timer, add_saturated(clock_monotonic_ns(), left));
}

static bool is_readable(const struct timerfd *timer)
{
	return READ_ONCE(timer->ticks) != 0 || READ_ONCE(timer->cancelled);
}

/* Notes the coming expiry if it is due. True if so: readers are to be woken. */
static bool expire_if_due_locked(struct timerfd *timer)
{
	if (timer->next_ns == 0 || timer->fired || own_now(timer) < timer->next_ns)
		return false;
	timer->fired = true;
	WRITE_ONCE(timer->ticks, timer->ticks + 1);
	return true;
}

static void on_expiry(struct timer *raw)
{
	struct timerfd *timer = CONTAINER_OF(raw, struct timerfd, timer);
	bool expired;

	spin_lock(&timer->lock);
	expired = expire_if_due_locked(timer);
	/* It may have been set anew, or the clock moved, since this expiry was due. */
	if (!expired && timer->next_ns != 0 && !timer->fired)
		arm_locked(timer);
	spin_unlock(&timer->lock);
	if (expired)
		wait_wake_events(&timer->changed, POLL_IN, 1);
}

/* CLOCK_REALTIME was set: the timer moves, or is cancelled if that was asked for. */
static bool on_clock_set(struct waiter *waiter, uint32_t events)
{
	struct timerfd *timer = CONTAINER_OF(waiter, struct timerfd, clock_waiter);

	(void)events;
	spin_lock(&timer->lock);
	if (timer->cancel_on_set)
		WRITE_ONCE(timer->cancelled, true);
	if (timer->next_ns != 0 && !timer->fired && timer->follows_wall)
		arm_locked(timer);
	spin_unlock(&timer->lock);
	wait_wake_events(&timer->changed, POLL_IN, 1);
	return true;
}

/* After an expiry of a periodic timer: counts the periods since, arms the next. */
static void advance_locked(struct timerfd *timer)
{
	uint64_t now, periods;

	if (!timer->fired || timer->interval_ns == 0)
		return;
	now = own_now(timer);
	periods = now >= timer->next_ns ? (now - timer->next_ns) / timer->interval_ns : 0;
	WRITE_ONCE(timer->ticks, timer->ticks + periods);
	timer->next_ns = add_saturated(timer->next_ns, (periods + 1) * timer->interval_ns);
	arm_locked(timer);
}

/* What a read gives: a count, -ECANCELED, or 0 for nothing. */
static int64_t take(struct timerfd *timer)
{
	int64_t result;

	spin_lock(&timer->lock);
	if (timer->cancelled) {
		timer->cancelled = false;
		timer->ticks = 0;
		result = -LINUX_ECANCELED;
	} else {
		if (timer->ticks != 0)
			advance_locked(timer);
		result = (int64_t)timer->ticks;
		WRITE_ONCE(timer->ticks, 0);
	}
	spin_unlock(&timer->lock);
	return result;
}

static long timerfd_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct timerfd *timer = file->data;
	int64_t ticks;

	(void)offset;
	if (uio->bytes_left < sizeof(ticks))
		return -LINUX_EINVAL;
	while ((ticks = take(timer)) == 0) {
		int error;

		if (file_is_nonblocking(file))
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(&timer->changed, is_readable(timer), WAIT_FOREVER);
		if (error != 0)
			return error;
	}
	return ticks < 0 ? (long)ticks : uio_copy_to(uio, &ticks, sizeof(ticks));
}

static uint32_t timerfd_poll(struct file *file)
{
	return is_readable(file->data) ? POLL_IN : 0u;
}

static struct wait_queue *timerfd_poll_queue(struct file *file)
{
	struct timerfd *timer = file->data;

	return &timer->changed;
}

/* Stops the kernel timer for good or until armed again. Not from its callback. */
static void disarm(struct timerfd *timer)
{
	spin_lock(&timer->lock);
	timer->next_ns = 0;
	spin_unlock(&timer->lock);
	timer_cancel_wait(&timer->timer);
}

static void timerfd_release(struct file *file)
{
	struct timerfd *timer = file->data;

	if (timer->is_wall)
		wait_remove(clock_change_queue(), &timer->clock_waiter);
	disarm(timer);
	heap_free(timer);
}

static const struct file_ops timerfd_ops = {
	.kind = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.poll_queue = timerfd_poll_queue,
	.release = timerfd_release,
};

static bool clock_is_known(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
	       clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;
}

int timerfd_create(int clock, uint32_t flags, struct file **file)
{
	struct timerfd *timer;

	if (!clock_is_known(clock))
		return -LINUX_EINVAL;
	timer = heap_zalloc(sizeof(*timer));
	if (timer == NULL)
		return -LINUX_ENOMEM;
	timer_init(&timer->timer, on_expiry);
	spin_init(&timer->lock);
	wait_queue_init(&timer->changed);
	timer->is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM;
	*file = file_create(&timerfd_ops, flags | LINUX_O_RDWR, timer);
	if (*file == NULL) {
		heap_free(timer);
		return -LINUX_ENOMEM;
	}
	if (timer->is_wall) {
		waiter_init(&timer->clock_waiter);
		timer->clock_waiter.wake = on_clock_set;
		wait_add(clock_change_queue(), &timer->clock_waiter);
	}
	return 0;
}

static void get_locked(struct timerfd *timer, struct timerfd_setting *setting)
{
	uint64_t now;

	advance_locked(timer);
	now = own_now(timer);
	setting->interval_ns = timer->interval_ns;
	setting->value_ns = 0;
	/* An armed timer that is just due still has a nanosecond left. */
	if (timer->next_ns != 0 && !timer->fired)
		setting->value_ns = timer->next_ns > now ? timer->next_ns - now : 1;
}

static void set_locked(struct timerfd *timer, int flags, const struct timerfd_setting *setting)
{
	/* As POSIX has it: relative timers do not notice that the wall clock is set. */
	timer->follows_wall = timer->is_wall && (flags & TIMER_ABSTIME) != 0;
	timer->cancel_on_set = timer->follows_wall && (flags & TIMER_CANCEL_ON_SET) != 0;
	timer->cancelled = false;
	timer->fired = false;
	WRITE_ONCE(timer->ticks, 0);
	timer->interval_ns = setting->interval_ns;
	timer->next_ns = setting->value_ns;
	if (setting->value_ns == 0)
		return;
	if ((flags & TIMER_ABSTIME) == 0)
		timer->next_ns = add_saturated(own_now(timer), setting->value_ns);
	arm_locked(timer);
}

int timerfd_set(struct file *file, int flags, const struct timerfd_setting *setting,
	struct timerfd_setting *old)
{
	struct timerfd *timer = of_file(file);
	bool expired;

	if (timer == NULL || (flags & ~(TIMER_ABSTIME | TIMER_CANCEL_ON_SET)) != 0)
		return -LINUX_EINVAL;
	timer_cancel(&timer->timer);
	spin_lock(&timer->lock);
	if (old != NULL)
		get_locked(timer, old);
	set_locked(timer, flags, setting);
	expired = expire_if_due_locked(timer); /* a time in the past: not only soon */
	spin_unlock(&timer->lock);
	if (expired)
		wait_wake_events(&timer->changed, POLL_IN, 1);
	return 0;
}

int timerfd_get(struct file *file, struct timerfd_setting *setting)
{
	struct timerfd *timer = of_file(file);

	if (timer == NULL)
		return -LINUX_EINVAL;
	spin_lock(&timer->lock);
	get_locked(timer, setting);
	spin_unlock(&timer->lock);
	return 0;
}
