/* See wait_arguments.h. */
#include "kernel/syscall/wait_arguments.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/wait.h"
#include "kernel/signal/signal.h"
#include "abi/linux/stat.h"

#define NS_PER_S  1000000000ull
#define NS_PER_US 1000ull

static uint64_t deadline_after(uint64_t seconds, uint64_t nanoseconds)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t ns;

	if (seconds == 0 && nanoseconds == 0)
		return DEADLINE_NOW;
	if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
		__builtin_add_overflow(ns, nanoseconds, &ns) ||
		__builtin_add_overflow(ns, now, &ns))
		return WAIT_FOREVER;
	return ns;
}

uint64_t deadline_of_milliseconds(int milliseconds)
{
	if (milliseconds < 0)
		return WAIT_FOREVER;
	return deadline_after(0, (uint64_t)milliseconds * 1000000);
}

int deadline_of_timespec(uintptr_t address, uint64_t *deadline_ns)
{
	struct linux_timespec limit;

	*deadline_ns = WAIT_FOREVER;
	if (address == 0)
		return 0;
	if (user_copy_in(&limit, address, sizeof(limit)) != 0)
		return -LINUX_EFAULT;
	if (limit.seconds < 0 || (uint64_t)limit.nanoseconds >= NS_PER_S)
		return -LINUX_EINVAL;
	*deadline_ns = deadline_after((uint64_t)limit.seconds, (uint64_t)limit.nanoseconds);
	return 0;
}

int deadline_of_timeval(uintptr_t address, uint64_t *deadline_ns)
{
	int64_t limit[2];

	*deadline_ns = WAIT_FOREVER;
	if (address == 0)
		return 0;
	if (user_copy_in(limit, address, sizeof(limit)) != 0)
		return -LINUX_EFAULT;
	if (limit[0] < 0 || limit[1] < 0)
		return -LINUX_EINVAL;
	limit[0] += limit[1] / 1000000;
	if (limit[0] < 0)
		return -LINUX_EINVAL;
	*deadline_ns =
		deadline_after((uint64_t)limit[0], (uint64_t)(limit[1] % 1000000) * NS_PER_US);
	return 0;
}

static bool store_left(uintptr_t address, uint64_t deadline_ns, uint64_t ns_per_unit)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
	int64_t limit[2] = {(int64_t)(left / NS_PER_S), (int64_t)(left % NS_PER_S / ns_per_unit)};

	if (address == 0 || deadline_ns == WAIT_FOREVER)
		return true;
	return user_copy_out(address, limit, sizeof(limit)) == 0;
}

bool deadline_store_timespec(uintptr_t address, uint64_t deadline_ns)
{
	return store_left(address, deadline_ns, 1);
}

bool deadline_store_timeval(uintptr_t address, uint64_t deadline_ns)
{
	return store_left(address, deadline_ns, NS_PER_US);
}

int wait_mask_begin(uintptr_t address, uint64_t bytes, bool *installed)
{
	uint64_t mask;

	*installed = false;
	if (address == 0)
		return 0;
	if (bytes != sizeof(mask))
		return -LINUX_EINVAL;
	if (user_copy_in(&mask, address, sizeof(mask)) != 0)
		return -LINUX_EFAULT;
	signal_set_temporary_mask(mask);
	*installed = true;
	return 0;
}

long wait_mask_end(bool installed, long result)
{
	if (installed && result != -LINUX_EINTR && result != -LINUX_ERESTARTNOHAND)
		signal_restore_temporary_mask();
	return result;
}
