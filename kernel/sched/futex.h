/*
 * Futexes: futex(2), keyed by address (private) or by page source and offset
 * (shared file mappings). Bucket locks, rank 32. User words are read with the
 * _atomic accessors; on a miss the lock is dropped, the page touched, and the
 * operation tried again.
 */
#ifndef KERNEL_SCHED_FUTEX_H
#define KERNEL_SCHED_FUTEX_H

#include "lib/compiler.h"

void futex_init(void);
/* Sleeps while *address == expected. deadline_ns on CLOCK_MONOTONIC (callers convert).
 * 0, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS, -EFAULT, -EINVAL. */
int futex_wait(
	uintptr_t address, bool shared, uint32_t expected, uint32_t bitset, uint64_t deadline_ns);
/* Returns how many were woken, or -EFAULT, -EINVAL. */
long futex_wake(uintptr_t address, bool shared, uint32_t count, uint32_t bitset);
/* FUTEX_CMP_REQUEUE; `compare` NULL for FUTEX_REQUEUE. Returns woken + requeued. */
long futex_requeue(uintptr_t from, uintptr_t to, bool shared, uint32_t wake_count,
	uint32_t requeue_count, const uint32_t *compare);
/* FUTEX_WAKE_OP with the encoded operation. */
long futex_wake_op(uintptr_t address, uintptr_t address2, bool shared, uint32_t wake_count,
	uint32_t wake2_count, uint32_t operation);
/* Walks a robust list at thread exit (set_robust_list(2)). */
void futex_exit_robust_list(uintptr_t head, int tid);

#endif
