/*
 * Reading, setting and sleeping by clocks.
 */
#include "abi/linux/errno.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/wait.h"
#include "kernel/syscall/clock_id.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/timespec.h"

#define COARSE_RESOLUTION_NS 4000000ull
#define TICKS_PER_SECOND     100                                    /* of times(2) */
#define SETTABLE_LIMIT_NS    (UINT64_C(8277292036) * NS_PER_SECOND) /* as in Linux */

/* ---- reading ----------------------------------------------------------------- */

long sys_clock_gettime(uint64_t id, uint64_t time)
{
	struct clock_id clock;
	uint64_t now;
	int error;

	/* Without the references that other clocks need. */
	if ((int)id == LINUX_CLOCK_MONOTONIC)
		return timespec_write(time, clock_monotonic_ns());
	error = clock_id_get((int)id, &clock);
	if (error)
		return error;
	now = clock_id_now_ns(&clock);
	clock_id_release(&clock);
	return timespec_write(time, now);
}

long sys_clock_getres(uint64_t id, uint64_t resolution)
{
	struct clock_id clock;
	int error = clock_id_get((int)id, &clock);

	if (error)
		return error;
	clock_id_release(&clock);
	if (!resolution)
		return 0;
	return timespec_write(resolution, clock.is_coarse ? COARSE_RESOLUTION_NS : 1);
}

/* What settimeofday(2) was told; nothing else uses it. */
static struct linux_timezone timezone;

long sys_gettimeofday(uint64_t time, uint64_t zone)
{
	struct linux_timeval now = timeval_of_ns(clock_realtime_ns());

	if (time && user_copy_out(time, &now, sizeof(now)) != 0)
		return -LINUX_EFAULT;
	if (zone && user_copy_out(zone, &timezone, sizeof(timezone)) != 0)
		return -LINUX_EFAULT;
	return 0;
}

long sys_time(uint64_t address)
{
	int64_t now = (int64_t)(clock_realtime_ns() / NS_PER_SECOND);

	if (address && user_copy_out(address, &now, sizeof(now)) != 0)
		return -LINUX_EFAULT;
	return now;
}

/* All CPU time counts as the program's own: its system calls are function calls. */
long sys_times(uint64_t address)
{
	const uint64_t tick_ns = NS_PER_SECOND / TICKS_PER_SECOND;
	struct linux_tms tms = {.user = (int64_t)(process_cpu_ns() / tick_ns)};

	if (address && user_copy_out(address, &tms, sizeof(tms)) != 0)
		return -LINUX_EFAULT;
	return (long)(clock_monotonic_ns() / tick_ns);
}

/* ---- setting ------------------------------------------------------------------ */

static int set_realtime(uint64_t ns)
{
	/* Not before the machine was started, as Linux has it. */
	if (ns < clock_monotonic_ns() || ns >= SETTABLE_LIMIT_NS)
		return -LINUX_EINVAL;
	clock_set_realtime_ns(ns);
	return 0;
}

long sys_clock_settime(uint64_t id, uint64_t time)
{
	struct clock_id clock;
	uint64_t ns;
	int error;

	if ((int)id != LINUX_CLOCK_REALTIME) {
		error = clock_id_get((int)id, &clock);
		if (error)
			return error;
		clock_id_release(&clock);
		return clock.kind == CLOCK_KIND_PROCESS_CPU || clock.kind == CLOCK_KIND_THREAD_CPU
			       ? -LINUX_EPERM
			       : -LINUX_EINVAL;
	}
	error = timespec_read(time, &ns);
	return error ? error : set_realtime(ns);
}

long sys_settimeofday(uint64_t time, uint64_t zone)
{
	struct linux_timeval timeval;
	struct linux_timezone new_zone;
	uint64_t ns = 0;
	int error;

	if (time) {
		if (user_copy_in(&timeval, time, sizeof(timeval)) != 0)
			return -LINUX_EFAULT;
		error = timeval_to_ns(&timeval, &ns);
		if (error)
			return error;
	}
	if (zone) {
		if (user_copy_in(&new_zone, zone, sizeof(new_zone)) != 0)
			return -LINUX_EFAULT;
		if (new_zone.minutes_west > 15 * 60 || new_zone.minutes_west < -15 * 60)
			return -LINUX_EINVAL;
		timezone = new_zone;
	}
	return time ? set_realtime(ns) : 0;
}

/* The variables of adjtimex(2). The clock is the host's, which is disciplined there:
 * it can be stepped, not slewed. */
static struct linux_timex discipline = {
	.max_error = 16000000,
	.estimated_error = 16000000,
	.status = LINUX_STA_UNSYNC,
	.constant = 2,
	.precision = 1,
	.tolerance = 32768000,
	.tick = 10000,
};

static int step(const struct linux_timex *timex)
{
	int64_t limit = timex->modes & LINUX_ADJ_NANO ? (int64_t)NS_PER_SECOND : 1000000;
	int64_t fraction = timex->time.microseconds, now = (int64_t)clock_realtime_ns();
	int64_t ns;

	if (fraction < 0 || fraction >= limit)
		return -LINUX_EINVAL;
	if (__builtin_mul_overflow(timex->time.seconds, (int64_t)NS_PER_SECOND, &ns) ||
		__builtin_add_overflow(ns, fraction * ((int64_t)NS_PER_SECOND / limit), &ns) ||
		__builtin_add_overflow(now, ns, &ns) || ns < 0)
		return -LINUX_EINVAL;
	return set_realtime((uint64_t)ns);
}

static int adjust(const struct linux_timex *timex)
{
	const uint32_t slewing = LINUX_ADJ_OFFSET | LINUX_ADJ_FREQUENCY | LINUX_ADJ_TICK;

	if ((timex->modes & LINUX_ADJ_TICK) && (timex->tick < 9000 || timex->tick > 11000))
		return -LINUX_EINVAL;
	if (timex->modes & slewing)
		return -LINUX_EPERM;
	if (timex->modes & LINUX_ADJ_SETOFFSET) {
		int error = step(timex);

		if (error)
			return error;
	}
	if (timex->modes & LINUX_ADJ_NANO)
		discipline.status |= LINUX_STA_NANO;
	if (timex->modes & LINUX_ADJ_MICRO)
		discipline.status &= ~LINUX_STA_NANO;
	if (timex->modes & LINUX_ADJ_MAXERROR)
		discipline.max_error = timex->max_error;
	if (timex->modes & LINUX_ADJ_ESTERROR)
		discipline.estimated_error = timex->estimated_error;
	if (timex->modes & LINUX_ADJ_STATUS)
		discipline.status =
			(discipline.status & LINUX_STA_NANO) | (timex->status & LINUX_STA_UNSYNC);
	return 0;
}

long sys_clock_adjtime(uint64_t id, uint64_t address)
{
	struct linux_timex timex;
	struct linux_timeval now;
	uint32_t modes;
	int error;

	if ((int)id != LINUX_CLOCK_REALTIME) {
		struct clock_id clock;

		error = clock_id_get((int)id, &clock);
		if (error)
			return error;
		clock_id_release(&clock);
		return -LINUX_EOPNOTSUPP;
	}
	if (user_copy_in(&timex, address, sizeof(timex)) != 0)
		return -LINUX_EFAULT;
	error = adjust(&timex);
	if (error)
		return error;
	now = timeval_of_ns(clock_realtime_ns());
	if (discipline.status & LINUX_STA_NANO)
		now.microseconds = (int64_t)(clock_realtime_ns() % NS_PER_SECOND);
	modes = timex.modes;
	timex = discipline;
	timex.modes = modes;
	timex.time = now;
	if (user_copy_out(address, &timex, sizeof(timex)) != 0)
		return -LINUX_EFAULT;
	return timex.status & LINUX_STA_UNSYNC ? LINUX_TIME_ERROR : LINUX_TIME_OK;
}

long sys_adjtimex(uint64_t address)
{
	return sys_clock_adjtime(LINUX_CLOCK_REALTIME, address);
}

/* ---- sleeping ------------------------------------------------------------------ */

/* Sleeps to a moment of CLOCK_MONOTONIC. 0 or -ERESTARTSYS. */
static int sleep_monotonic(uint64_t deadline_ns)
{
	struct thread *self = thread_current();

	while (clock_monotonic_ns() < deadline_ns) {
		if (thread_is_interrupted(self))
			return -LINUX_ERESTARTSYS;
		thread_sleep(deadline_ns);
	}
	return 0;
}

/* Sleeps to a moment of the wall clock, which may be set meanwhile. */
static int sleep_realtime(uint64_t deadline_ns)
{
	for (;;) {
		uint32_t count = clock_change_count();
		int error = WAIT_UNTIL(clock_change_queue(), clock_change_count() != count,
			clock_monotonic_of_realtime(deadline_ns));

		if (error == -LINUX_ERESTARTSYS)
			return error;
		if (clock_realtime_ns() >= deadline_ns)
			return 0;
	}
}

struct cpu_sleep {
	struct cpu_timer timer;
	struct wait_queue done;
	bool is_over;
};

static void cpu_sleep_is_over(struct cpu_timer *timer)
{
	struct cpu_sleep *sleep = CONTAINER_OF(timer, struct cpu_sleep, timer);

	WRITE_ONCE(sleep->is_over, true);
	wait_wake_all(&sleep->done);
}

static int sleep_cpu(struct thread *clock_thread, uint64_t deadline_ns)
{
	struct cpu_sleep sleep = {.is_over = false};
	int error;

	cpu_timer_init(&sleep.timer, clock_thread, cpu_sleep_is_over);
	wait_queue_init(&sleep.done);
	cpu_timer_arm(&sleep.timer, deadline_ns);
	error = WAIT_UNTIL(&sleep.done, READ_ONCE(sleep.is_over), WAIT_FOREVER);
	cpu_timer_cancel_wait(&sleep.timer);
	return error;
}

static int sleep_until(const struct clock_id *clock, uint64_t deadline_ns)
{
	switch (clock->kind) {
	case CLOCK_KIND_REALTIME:
		return sleep_realtime(deadline_ns);
	case CLOCK_KIND_MONOTONIC:
		return sleep_monotonic(deadline_ns);
	case CLOCK_KIND_PROCESS_CPU:
	case CLOCK_KIND_THREAD_CPU:
	default:
		return sleep_cpu(clock->thread, deadline_ns);
	}
}

static long sleep_relative(int id, uint64_t deadline_ns, uintptr_t remaining);

static long resume_sleep(struct signal_restart *restart)
{
	return sleep_relative(
		(int)restart->arguments[0], restart->arguments[1], restart->arguments[2]);
}

/* `deadline_ns` on the clock; a relative sleep by the wall clock is one by the
 * monotonic clock. On a signal tells what is left, and goes on if no handler runs. */
static long sleep_relative(int id, uint64_t deadline_ns, uintptr_t remaining)
{
	struct signal_restart *restart = &thread_current()->signal.restart;
	struct clock_id clock;
	uint64_t now;
	int error = clock_id_get(id, &clock);

	if (error)
		return error;
	error = sleep_until(&clock, deadline_ns);
	now = clock_id_now_ns(&clock);
	clock_id_release(&clock);
	if (error != -LINUX_ERESTARTSYS)
		return error;
	if (now >= deadline_ns)
		return 0;
	if (remaining && timespec_write(remaining, deadline_ns - now) != 0)
		return -LINUX_EFAULT;
	restart->resume = resume_sleep;
	restart->arguments[0] = (uint64_t)id;
	restart->arguments[1] = deadline_ns;
	restart->arguments[2] = remaining;
	return -LINUX_ERESTART_RESTARTBLOCK;
}

long sys_nanosleep(uint64_t time, uint64_t remaining)
{
	uint64_t ns;
	int error = timespec_read(time, &ns);

	if (error)
		return error;
	return sleep_relative(LINUX_CLOCK_MONOTONIC, deadline_after(ns), remaining);
}

static long sleep_absolute(const struct clock_id *clock, uint64_t deadline_ns)
{
	int error = sleep_until(clock, deadline_ns);

	return error == -LINUX_ERESTARTSYS ? -LINUX_ERESTARTNOHAND : error;
}

long sys_clock_nanosleep(uint64_t id, uint64_t flags, uint64_t time, uint64_t remaining)
{
	struct clock_id clock;
	uint64_t ns, now;
	long result;
	int error;

	if ((int)id == LINUX_CLOCK_THREAD_CPUTIME_ID)
		return -LINUX_EINVAL;
	error = clock_id_get((int)id, &clock);
	if (error)
		return error;
	if (!clock.can_sleep) {
		result = -LINUX_EOPNOTSUPP;
		goto out;
	}
	result = timespec_read(time, &ns);
	if (result)
		goto out;
	if (clock.kind == CLOCK_KIND_THREAD_CPU && clock.thread == thread_current()) {
		result = -LINUX_EINVAL; /* its own clock stands still while it sleeps */
	} else if (flags & LINUX_TIMER_ABSTIME) {
		result = sleep_absolute(&clock, ns);
	} else if (clock.kind == CLOCK_KIND_REALTIME || clock.kind == CLOCK_KIND_MONOTONIC) {
		result = sleep_relative(LINUX_CLOCK_MONOTONIC, deadline_after(ns), remaining);
	} else {
		now = clock_id_now_ns(&clock);
		result = sleep_relative(
			(int)id, ns > INT64_MAX - now ? INT64_MAX : now + ns, remaining);
	}
out:
	clock_id_release(&clock);
	return result;
}
