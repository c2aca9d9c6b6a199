/* What files ask of the scheduler, for host unit tests with arch/host/fake_threads.h. */
#include <time.h>

#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"

uint64_t clock_realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sched_yield(void)
{
}

uint32_t sched_cpu_count(void)
{
	return 1;
}

/* Tests do what the kernel's threads would. */
int thread_start_kernel(const char *name, void (*entry)(void *), void *argument)
{
	(void)name;
	(void)entry;
	(void)argument;
	return 0;
}
