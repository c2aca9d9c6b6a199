/*
 * Devices that are polled: how the scheduler and system calls that find nothing let the
 * network look at its rings, without knowing of it. An interrupt costs some 20 us where a
 * look costs 0.1, so vcpus look before they sleep, and while they idle.
 */
#ifndef KERNEL_SCHED_DEVICE_POLL_H
#define KERNEL_SCHED_DEVICE_POLL_H

#include "lib/compiler.h"

struct sched_device_poll {
	/* Serves what has come; true if anything had. Cheap when nothing has. No lock held. */
	bool (*poll)(void);
	/* This vcpu begins to poll in its idle loop, and ends it to run something. */
	void (*enter_idle)(void);
	void (*leave_idle)(void);
	/* It is about to halt. True: an interrupt will come; false: look again. After a halt
	 * comes enter_idle(). */
	bool (*prepare_halt)(void);
};

/* Set once, at boot. NULL: nothing to poll. */
extern const struct sched_device_poll *sched_device_poll;

/* For what is about to find nothing and sleep. */
static inline bool device_poll(void)
{
	const struct sched_device_poll *device = READ_ONCE(sched_device_poll);

	return device != NULL && device->poll();
}

#endif
