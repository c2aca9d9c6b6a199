/*
 * What our own monitor does for the kernel and a PVH loader does not: measuring the
 * clocks, and bringing other vcpus from real mode to the kernel's entry.
 */
#ifndef PLATFORM_VM_STARTUP_H
#define PLATFORM_VM_STARTUP_H

#include "abi/boot_info.h"

/* Fills in tsc_hz and lapic_hz where they are 0. Takes some milliseconds. */
void startup_calibrate(struct boot_info *info);
/* INIT and STARTUP interrupts (SDM volume 3, 9.4.4). */
void startup_wake_cpu(uint32_t cpu);

#endif
