/*
 * timer_create(2) and its kin, setitimer(2), alarm(2).
 */
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/posix_timer.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/clock_id.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/timespec.h"

/* Fills in who is told, and how. */
static int read_notification(uintptr_t address, struct posix_timer_spec *spec)
{
	struct linux_sigevent event;

	if (!address) {
		spec->signal = LINUX_SIGALRM;
		spec->value_is_id = true;
		return 0;
	}
	if (user_copy_in(&event, address, sizeof(event)) != 0)
		return -LINUX_EFAULT;
	spec->signal = event.signo;
	spec->value = event.value;
	spec->is_silent = event.notify == LINUX_SIGEV_NONE;
	switch (event.notify) {
	case LINUX_SIGEV_NONE:
		return 0;
	case LINUX_SIGEV_SIGNAL | LINUX_SIGEV_THREAD_ID:
	case LINUX_SIGEV_SIGNAL:
	case LINUX_SIGEV_THREAD:
		break;
	default:
		return -LINUX_EINVAL;
	}
	if (event.signo < 1 || event.signo > LINUX_NSIG)
		return -LINUX_EINVAL;
	if (event.notify == LINUX_SIGEV_THREAD_ID) {
		spec->target = thread_find(event.tid);
		if (!spec->target)
			return -LINUX_EINVAL;
	}
	return 0;
}

static int read_clock(int id, struct posix_timer_spec *spec)
{
	struct clock_id clock;
	int error = clock_id_get(id, &clock);

	if (error)
		return error;
	spec->clock_thread = clock.thread;
	switch (clock.kind) {
	case CLOCK_KIND_REALTIME:
		spec->clock = INTERVAL_REALTIME;
		break;
	case CLOCK_KIND_MONOTONIC:
		spec->clock = INTERVAL_MONOTONIC;
		break;
	case CLOCK_KIND_PROCESS_CPU:
	case CLOCK_KIND_THREAD_CPU:
		spec->clock = INTERVAL_CPU;
		break;
	}
	return clock.can_sleep ? 0 : -LINUX_EOPNOTSUPP;
}

long sys_timer_create(uint64_t clock, uint64_t event, uint64_t result)
{
	struct posix_timer_spec spec = {0};
	int id = read_clock((int)clock, &spec);

	if (id >= 0)
		id = read_notification(event, &spec);
	if (id >= 0)
		id = posix_timer_create(&spec);
	if (id < 0) {
		if (spec.clock_thread)
			thread_release(spec.clock_thread);
		if (spec.target)
			thread_release(spec.target);
		return id;
	}
	if (user_copy_out(result, &id, sizeof(id)) != 0) {
		posix_timer_delete(id);
		return -LINUX_EFAULT;
	}
	return 0;
}

static long write_itimerspec(uintptr_t address, const struct interval_setting *setting)
{
	struct linux_itimerspec spec = {
		.interval = timespec_of_ns(setting->interval_ns),
		.value = timespec_of_ns(setting->value_ns),
	};

	return user_copy_out(address, &spec, sizeof(spec));
}

long sys_timer_settime(uint64_t id, uint64_t flags, uint64_t new_setting, uint64_t old_setting)
{
	struct interval_setting setting, old;
	struct linux_itimerspec spec;
	int error;

	if (!new_setting)
		return -LINUX_EINVAL;
	if (user_copy_in(&spec, new_setting, sizeof(spec)) != 0)
		return -LINUX_EFAULT;
	error = timespec_to_ns(&spec.interval, &setting.interval_ns);
	if (!error)
		error = timespec_to_ns(&spec.value, &setting.value_ns);
	if (!error)
		error = posix_timer_set(
			(int)id, &setting, (flags & LINUX_TIMER_ABSTIME) != 0, &old);
	if (error)
		return error;
	return old_setting ? write_itimerspec(old_setting, &old) : 0;
}

long sys_timer_gettime(uint64_t id, uint64_t result)
{
	struct interval_setting setting;
	int error = posix_timer_get((int)id, &setting);

	return error ? error : write_itimerspec(result, &setting);
}

long sys_timer_getoverrun(uint64_t id)
{
	return posix_timer_overrun((int)id);
}

long sys_timer_delete(uint64_t id)
{
	return posix_timer_delete((int)id);
}

/* ---- interval timers of the program ------------------------------------------- */

static long write_itimerval(uintptr_t address, const struct interval_setting *setting)
{
	struct linux_itimerval value = {
		.interval = timeval_of_ns(setting->interval_ns),
		.value = timeval_of_ns(setting->value_ns),
	};

	/* What is armed does not show as disarmed. */
	if (setting->value_ns && !value.value.seconds && !value.value.microseconds)
		value.value.microseconds = 1;
	return user_copy_out(address, &value, sizeof(value));
}

long sys_getitimer(uint64_t which, uint64_t result)
{
	struct interval_setting setting;
	int error = itimer_set((int)which, NULL, &setting);

	return error ? error : write_itimerval(result, &setting);
}

long sys_setitimer(uint64_t which, uint64_t new_value, uint64_t old_value)
{
	struct interval_setting setting = {0, 0}, old;
	struct linux_itimerval value;
	int error = 0;

	/* Linux takes NULL for zeroes here. */
	if (new_value) {
		if (user_copy_in(&value, new_value, sizeof(value)) != 0)
			return -LINUX_EFAULT;
		error = timeval_to_ns(&value.interval, &setting.interval_ns);
		if (!error)
			error = timeval_to_ns(&value.value, &setting.value_ns);
	}
	if (!error)
		error = itimer_set((int)which, &setting, &old);
	if (error)
		return error;
	return old_value ? write_itimerval(old_value, &old) : 0;
}

long sys_alarm(uint64_t seconds)
{
	struct interval_setting setting = {(uint32_t)seconds * NS_PER_SECOND, 0}, old;

	itimer_set(LINUX_ITIMER_REAL, &setting, &old);
	/* Rounded, and never 0 for what was armed. */
	if (old.value_ns && old.value_ns < NS_PER_SECOND / 2)
		return 1;
	return (long)((old.value_ns + NS_PER_SECOND / 2) / NS_PER_SECOND);
}
