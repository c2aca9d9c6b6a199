/* See device_poll.h. */
#include "kernel/sched/device_poll.h"

struct sched_device_poll *sched_device_poll;

void device_poll_add(struct sched_device_poll *device)
{
	device->next = sched_device_poll;
	sched_device_poll = device;
}

/* Up to `end`, which is left out. */
static void enter_idle_until(const struct sched_device_poll *end)
{
	for (struct sched_device_poll *device = sched_device_poll; device != end;
		device = device->next)
		device->enter_idle();
}

void device_poll_enter_idle(void)
{
	enter_idle_until(NULL);
}

void device_poll_leave_idle(void)
{
	for (struct sched_device_poll *device = sched_device_poll; device != NULL;
		device = device->next)
		device->leave_idle();
}

uint64_t device_poll_patience(void)
{
	uint64_t ticks = 0;

	for (struct sched_device_poll *device = sched_device_poll; device != NULL;
		device = device->next) {
		if (device->patience != NULL)
			ticks = MAX(ticks, device->patience());
	}
	return ticks;
}

bool device_poll_prepare_halt(void)
{
	for (struct sched_device_poll *device = sched_device_poll; device != NULL;
		device = device->next) {
		if (device->prepare_halt())
			continue;
		enter_idle_until(device);
		return false;
	}
	return true;
}
