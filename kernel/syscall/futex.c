/*
 * futex(2): decodes the operation, and restarts timed waits.
 */
#include "kernel/sched/futex.h"
#include "abi/linux/errno.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/timespec.h"

enum futex_operation {
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256,
};

/* Linux wakes one where asked for none or fewer. */
static uint32_t wake_count(uint64_t value)
{
	return (int32_t)value < 1 ? 1 : (uint32_t)value;
}

static long wait_until(
	uintptr_t address, bool shared, uint32_t expected, uint32_t bitset, uint64_t deadline_ns);

static long resume_wait(struct signal_restart *restart)
{
	const uint64_t *saved = restart->arguments;

	return wait_until(
		saved[0], saved[1] != 0, (uint32_t)saved[2], (uint32_t)saved[3], saved[4]);
}

/* After a handler a timed wait fails with EINTR; without one it goes on to the same
 * deadline. */
static long wait_until(
	uintptr_t address, bool shared, uint32_t expected, uint32_t bitset, uint64_t deadline_ns)
{
	struct signal_restart *restart = &thread_current()->signal.restart;
	int error = futex_wait(address, shared, expected, bitset, deadline_ns);

	if (error != -LINUX_ERESTARTSYS || deadline_ns == UINT64_MAX)
		return error;
	restart->resume = resume_wait;
	restart->arguments[0] = address;
	restart->arguments[1] = shared;
	restart->arguments[2] = expected;
	restart->arguments[3] = bitset;
	restart->arguments[4] = deadline_ns;
	return -LINUX_ERESTART_RESTARTBLOCK;
}

/* The deadline of a wait operation; `timeout` 0: none. */
static int read_deadline(uintptr_t timeout, uint32_t operation, uint64_t *deadline_ns)
{
	uint64_t ns;
	int error;

	*deadline_ns = UINT64_MAX;
	if (!timeout)
		return 0;
	error = timespec_read(timeout, &ns);
	if (error)
		return error;
	if ((operation & 127) == FUTEX_WAIT)
		*deadline_ns = deadline_after(ns);
	else
		*deadline_ns =
			operation & FUTEX_CLOCK_REALTIME ? clock_monotonic_of_realtime(ns) : ns;
	return 0;
}

static long wait(uintptr_t address, uint32_t operation, uint32_t expected, uintptr_t timeout,
	uint32_t bitset)
{
	uint64_t deadline_ns;
	int error = read_deadline(timeout, operation, &deadline_ns);

	if (error)
		return error;
	return wait_until(
		address, !(operation & FUTEX_PRIVATE_FLAG), expected, bitset, deadline_ns);
}

long sys_futex(uint64_t address, uint64_t operation, uint64_t value, uint64_t timeout,
	uint64_t address2, uint64_t value3)
{
	bool shared = !(operation & FUTEX_PRIVATE_FLAG);
	uint32_t command = operation & 127, compare = (uint32_t)value3;

	if ((operation & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
		return -LINUX_ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return wait(address, (uint32_t)operation, (uint32_t)value, timeout, UINT32_MAX);
	case FUTEX_WAIT_BITSET:
		return wait(address, (uint32_t)operation, (uint32_t)value, timeout, compare);
	case FUTEX_WAKE:
		return futex_wake(address, shared, wake_count(value), UINT32_MAX);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, shared, wake_count(value), compare);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((int32_t)value < 0 || (int32_t)timeout < 0)
			return -LINUX_EINVAL;
		return futex_requeue(address, address2, shared, (uint32_t)value, (uint32_t)timeout,
			command == FUTEX_CMP_REQUEUE ? &compare : NULL);
	case FUTEX_WAKE_OP:
		return futex_wake_op(
			address, address2, shared, wake_count(value), wake_count(timeout), compare);
	default:
		return -LINUX_ENOSYS; /* the priority-inheriting ones among them */
	}
}
