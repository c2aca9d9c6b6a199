/*
 * One vcpu: creation, its first state, and what it leaves the guest for.
 */
#ifndef MONITOR_VCPU_H
#define MONITOR_VCPU_H

#include <linux/kvm.h>

#include "monitor/machine.h"

struct vcpu {
	struct machine *machine;
	unsigned number;
	int fd;
	struct kvm_run *run;
};

/* Creates vcpu `number` and prepares its registers. Needs vm_ready and image_build(). */
void vcpu_create(struct vcpu *vcpu, struct machine *machine, unsigned number);

/* Runs the guest. Needs all gates. */
_Noreturn void vcpu_run(struct vcpu *vcpu);

#endif
