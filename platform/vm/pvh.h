/*
 * Booting under a PVH loader (QEMU -kernel, Firecracker, Cloud Hypervisor, Xen).
 */
#ifndef PLATFORM_VM_PVH_H
#define PLATFORM_VM_PVH_H

#define AP_CODE_PAGE 8 /* real-mode code of secondary vcpus lies at this physical page */

#ifndef __ASSEMBLER__

#include "lib/compiler.h"

/* From nucleus/pvh.S, in ring 0 with the first page tables. */
_Noreturn void pvh_start(uint64_t start_info_phys);
_Noreturn void pvh_start_other(uint64_t cpu);

/* The vcpu that is being brought out of real mode. */
extern uint32_t ap_number;

#endif
#endif
