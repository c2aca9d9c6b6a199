/*
 * The kernel's own heap: size classes up to 2 KiB from page slabs, larger sizes
 * from whole contiguous pages, at most 2 MiB. 16-byte aligned (64 for sizes that
 * are multiples of 64).
 * Never sleeps. Any context without the heap lock.
 */
#ifndef KERNEL_MM_HEAP_H
#define KERNEL_MM_HEAP_H

#include "lib/compiler.h"

/* NULL on failure. heap_alloc's memory is uninitialised, heap_zalloc's is zero. */
MUST_CHECK void *heap_alloc(size_t bytes);
MUST_CHECK void *heap_zalloc(size_t bytes);
/* Like realloc(3), but NULL leaves the old block as it was. */
MUST_CHECK void *heap_resize(void *block, size_t old_bytes, size_t new_bytes);
/* NULL is allowed. */
void heap_free(void *block);

/* Live allocations, for tests and the leak check at exit. */
size_t heap_live_count(void);

/* Fails one in `period` allocations at random (0: never), for fault-injection tests. */
void heap_inject_failures(uint32_t period);

#endif
