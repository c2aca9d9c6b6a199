/*
 * The only way to touch the program's memory.
 *
 * Kernel and program share an address space, so these are plain copies whose
 * faults are caught: a fault on lazily backed memory is served, any other ends
 * the copy with -EFAULT. They may sleep (a fault can read a file), so they are
 * not called with a spin lock held, except the _atomic forms, which give -EFAULT
 * where the page is not there (the caller drops its lock, touches, retries).
 * Addresses at or above USER_END are refused.
 */
#ifndef KERNEL_MM_UACCESS_H
#define KERNEL_MM_UACCESS_H

#include "lib/compiler.h"

#define USER_START 0x10000ull /* lowest address a mapping may have */
#define USER_END   0x7ffffffff000ull

MUST_CHECK int user_copy_in(void *dst, uintptr_t src, size_t bytes);
MUST_CHECK int user_copy_out(uintptr_t dst, const void *src, size_t bytes);
MUST_CHECK int user_zero(uintptr_t dst, size_t bytes);
/* Up to the first byte that cannot be accessed. Return how many bytes were done. */
MUST_CHECK size_t user_copy_some_in(void *dst, uintptr_t src, size_t bytes);
MUST_CHECK size_t user_copy_some_out(uintptr_t dst, const void *src, size_t bytes);
MUST_CHECK size_t user_zero_some(uintptr_t dst, size_t bytes);
/* Copies a string with its NUL. Returns its length, -EFAULT, or -ENAMETOOLONG. */
MUST_CHECK long user_copy_string(char *dst, uintptr_t src, size_t capacity);

MUST_CHECK int user_load_u32_atomic(uintptr_t address, uint32_t *value);
/* *old receives what was there; the store happened if *old == expected. */
MUST_CHECK int user_exchange_u32_atomic(
	uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *old);
/* Makes the page present (and writable if asked), sleeping if need be. */
MUST_CHECK int user_touch(uintptr_t address, bool write);

/* True if [address, +bytes) lies below USER_END without wrapping. */
static inline bool user_range_ok(uintptr_t address, size_t bytes)
{
	return address <= USER_END && bytes <= USER_END - address;
}

/*
 * For the fault handler: if `rip` is one of the copy instructions above, returns
 * where to continue so that the copy reports -EFAULT; else 0. `atomic` tells
 * whether the fault may be served (it may not for the _atomic forms).
 */
uintptr_t user_access_fixup(uintptr_t rip, bool *atomic);

#endif
