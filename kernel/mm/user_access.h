/*
 * The instructions that touch the program's memory, and the table of what to do
 * when they fault. Implemented by arch/x86_64/uaccess.S, and for unit tests by
 * arch/host/fake_user_access.c. Callers have checked the address range.
 */
#ifndef KERNEL_MM_USER_ACCESS_H
#define KERNEL_MM_USER_ACCESS_H

#include "lib/compiler.h"

/* Return how many bytes were left when a fault ended the copy; 0 is success. */
size_t user_access_copy(void *dst, const void *src, size_t bytes);
size_t user_access_zero(void *dst, size_t bytes);
/* 0 or -1. */
int user_access_load_u32(uintptr_t address, uint32_t *value);
int user_access_exchange_u32(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *old);
int user_access_touch(uintptr_t address, bool write);

/* A fault at an instruction in [start, end) continues at `fixup`. */
struct user_access_entry {
	uintptr_t start, end, fixup;
	uint64_t atomic;
};

extern const struct user_access_entry user_access_entries[];
extern const uint64_t user_access_entry_count;

#endif
