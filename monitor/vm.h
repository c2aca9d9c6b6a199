/*
 * The VM as a whole, by the KVM API.
 */
#ifndef MONITOR_VM_H
#define MONITOR_VM_H

#include "monitor/machine.h"

/* Opens /dev/kvm; ends the monitor with a message that says what to do. */
void vm_open(struct machine *machine);
/* Creates the VM and opens machine->vm_ready. */
void vm_create(struct machine *machine);
/* Gives it its memory; opens machine->slots_ready. */
void vm_set_memory(struct machine *machine);

#endif
