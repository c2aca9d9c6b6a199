/*
 * Conversions of times. The contract is in timespec.h.
 */
#include "kernel/syscall/timespec.h"
#include "abi/linux/errno.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/clock.h"

static uint64_t saturate(int64_t seconds, uint64_t nanoseconds)
{
	if ((uint64_t)seconds >= INT64_MAX / NS_PER_SECOND)
		return INT64_MAX;
	return (uint64_t)seconds * NS_PER_SECOND + nanoseconds;
}

int timespec_to_ns(const struct linux_timespec *timespec, uint64_t *ns)
{
	if (timespec->seconds < 0 || (uint64_t)timespec->nanoseconds >= NS_PER_SECOND)
		return -LINUX_EINVAL;
	*ns = saturate(timespec->seconds, (uint64_t)timespec->nanoseconds);
	return 0;
}

struct linux_timespec timespec_of_ns(uint64_t ns)
{
	return (struct linux_timespec){
		(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};
}

int timeval_to_ns(const struct linux_timeval *timeval, uint64_t *ns)
{
	if (timeval->seconds < 0 || (uint64_t)timeval->microseconds >= 1000000)
		return -LINUX_EINVAL;
	*ns = saturate(timeval->seconds, (uint64_t)timeval->microseconds * 1000);
	return 0;
}

struct linux_timeval timeval_of_ns(uint64_t ns)
{
	return (struct linux_timeval){
		(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND / 1000)};
}

int timespec_read(uintptr_t address, uint64_t *ns)
{
	struct linux_timespec timespec;

	if (user_copy_in(&timespec, address, sizeof(timespec)) != 0)
		return -LINUX_EFAULT;
	return timespec_to_ns(&timespec, ns);
}

int timespec_write(uintptr_t address, uint64_t ns)
{
	struct linux_timespec timespec = timespec_of_ns(ns);

	return user_copy_out(address, &timespec, sizeof(timespec));
}

uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = clock_monotonic_ns();

	return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}
