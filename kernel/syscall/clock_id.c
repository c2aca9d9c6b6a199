/*
 * Clock ids. The contract is in clock_id.h.
 */
#include "kernel/syscall/clock_id.h"
#include "abi/linux/errno.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/thread.h"

/* Negative ids: ~pid << 3 | kind, see linux/posix-timers.h. */
#define CPU_CLOCK_KIND       3
#define CPU_CLOCK_KIND_LIMIT 3 /* PROF, VIRT, SCHED; 3 is a clock's descriptor */
#define CPU_CLOCK_THREAD     4

static int get_cpu_clock(int id, struct clock_id *clock)
{
	int pid = ~(id >> 3);

	if ((id & CPU_CLOCK_KIND) == CPU_CLOCK_KIND_LIMIT)
		return -LINUX_EINVAL;
	*clock = (struct clock_id){.kind = CLOCK_KIND_PROCESS_CPU, .can_sleep = true};
	if (!(id & CPU_CLOCK_THREAD))
		return pid == 0 || pid == PROCESS_ID ? 0 : -LINUX_EINVAL;
	clock->kind = CLOCK_KIND_THREAD_CPU;
	if (pid == 0) {
		clock->thread = thread_current();
		thread_acquire(clock->thread);
		return 0;
	}
	clock->thread = thread_find(pid);
	return clock->thread ? 0 : -LINUX_EINVAL;
}

int clock_id_get(int id, struct clock_id *clock)
{
	if (id < 0)
		return get_cpu_clock(id, clock);
	*clock = (struct clock_id){.kind = CLOCK_KIND_MONOTONIC, .can_sleep = true};
	switch (id) {
	case LINUX_CLOCK_REALTIME_COARSE:
		clock->is_coarse = true;
		clock->can_sleep = false;
		clock->kind = CLOCK_KIND_REALTIME;
		return 0;
	case LINUX_CLOCK_REALTIME:
	case LINUX_CLOCK_REALTIME_ALARM:
	case LINUX_CLOCK_TAI: /* its offset is 0, as on a Linux that was told none */
		clock->kind = CLOCK_KIND_REALTIME;
		return 0;
	case LINUX_CLOCK_MONOTONIC_COARSE:
		clock->is_coarse = true;
		clock->can_sleep = false;
		return 0;
	case LINUX_CLOCK_MONOTONIC_RAW:
		clock->can_sleep = false;
		return 0;
	case LINUX_CLOCK_MONOTONIC:
	case LINUX_CLOCK_BOOTTIME:
	case LINUX_CLOCK_BOOTTIME_ALARM:
		return 0;
	case LINUX_CLOCK_PROCESS_CPUTIME_ID:
		clock->kind = CLOCK_KIND_PROCESS_CPU;
		return 0;
	case LINUX_CLOCK_THREAD_CPUTIME_ID:
		clock->kind = CLOCK_KIND_THREAD_CPU;
		clock->thread = thread_current();
		thread_acquire(clock->thread);
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}

void clock_id_release(struct clock_id *clock)
{
	if (clock->thread)
		thread_release(clock->thread);
	clock->thread = NULL;
}

uint64_t clock_id_now_ns(const struct clock_id *clock)
{
	switch (clock->kind) {
	case CLOCK_KIND_REALTIME:
		return clock_realtime_ns();
	case CLOCK_KIND_PROCESS_CPU:
		return process_cpu_ns();
	case CLOCK_KIND_THREAD_CPU:
		return thread_cpu_ns(clock->thread);
	case CLOCK_KIND_MONOTONIC:
	default:
		return clock_monotonic_ns();
	}
}
