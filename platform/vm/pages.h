/* Page tables of the VM; the interface for the kernel is in kernel/platform.h. */
#ifndef PLATFORM_VM_PAGES_H
#define PLATFORM_VM_PAGES_H

#include "abi/boot_info.h"

/* Takes over the tables that the launcher made. */
void pages_init(const struct boot_info *info);
/* This vcpu takes part in flushes. */
void pages_cpu_online(uint32_t cpu);

#endif
