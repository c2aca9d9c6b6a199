/*
 * Guest-physical memory for host unit tests: an anonymous mapping of the test.
 * Implements platform_phys_to_virt, platform_virt_to_phys and platform_give_back.
 */
#ifndef ARCH_HOST_FAKE_MEMORY_H
#define ARCH_HOST_FAKE_MEMORY_H

#include "kernel/platform.h"

/* Makes `bytes` of zeroed memory from physical address 0 on, replacing what was. */
void fake_memory_create(uint64_t bytes);
/* Same, and hands [base, +bytes) to page_alloc_init. `is_zero` false fills it with junk. */
void fake_memory_start(uint64_t base, uint64_t bytes, bool is_zero);

extern bool fake_memory_can_give_back;
extern uint64_t fake_memory_given_back_bytes;

#endif
