/*
 * Devices that are polled: how the scheduler and system calls that find nothing let the
 * network and disks look at their rings, without knowing of them. An interrupt costs some 20 us
 * where a look costs 0.1, so vcpus look before they sleep, and while they idle.
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
	/* How long, in ticks, an idle vcpu should poll at least before it halts: something is
	 * expected soon. NULL: as long as it likes. */
	uint64_t (*patience)(void);
	struct sched_device_poll *next; /* device_poll.c's */
};

/* The first; NULL: nothing to poll. Written at boot. */
extern struct sched_device_poll *sched_device_poll;

/* At boot. It stays for ever. */
void device_poll_add(struct sched_device_poll *device);

/* For what is about to find nothing and sleep. */
static inline bool device_poll(void)
{
	bool had_something = false;

	for (struct sched_device_poll *device = READ_ONCE(sched_device_poll); device != NULL;
		device = device->next)
		had_something |= device->poll();
	return had_something;
}

/* For the idle loop: of all devices. */
void device_poll_enter_idle(void);
void device_poll_leave_idle(void);
uint64_t device_poll_patience(void);
bool device_poll_prepare_halt(void); /* false: this vcpu goes on polling all of them */

#endif
