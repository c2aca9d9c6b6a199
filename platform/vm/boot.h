/* Entry of every vcpu into C (from arch/x86_64/entry.S). */
#ifndef PLATFORM_VM_BOOT_H
#define PLATFORM_VM_BOOT_H

#include "lib/compiler.h"

_Noreturn void vm_start(uint64_t boot_info_phys, uint64_t cpu);

#endif
