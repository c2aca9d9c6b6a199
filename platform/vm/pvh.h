/*
 * Booting under a PVH loader (QEMU -kernel, Firecracker, Cloud Hypervisor, Xen).
 */
#ifndef PLATFORM_VM_PVH_H
#define PLATFORM_VM_PVH_H

#include "lib/compiler.h"

/* From nucleus/pvh.S, in ring 0 with the first page tables. */
_Noreturn void pvh_start(uint64_t start_info_phys);
_Noreturn void pvh_start_other(uint64_t cpu);

/* The vcpu that is being brought out of real mode. */
extern uint32_t ap_number;

#endif
