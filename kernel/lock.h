/*
 * Spin locks between vcpus.
 *
 * The kernel is not preemptible and interrupt handlers never interrupt it, so a
 * spin lock only guards against other vcpus. A holder must not sleep, and must
 * not touch user memory except through uaccess functions that say they may be
 * called so. Each lock's declaration says what it guards and its rank; ranks are
 * listed in docs/locking.md and taken in ascending order.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include "lib/compiler.h"
#include "kernel/arch.h"

struct spinlock {
	uint32_t ticket; /* next to hand out */
	uint32_t serving;
};

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		0, 0                                                                               \
	}

static inline void spin_init(struct spinlock *lock)
{
	lock->ticket = 0;
	lock->serving = 0;
}

static inline void spin_lock(struct spinlock *lock)
{
	uint32_t mine = __atomic_fetch_add(&lock->ticket, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine)
		arch_relax();
}

static inline bool spin_trylock(struct spinlock *lock)
{
	uint32_t serving = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);
	uint32_t expected = serving;

	return __atomic_compare_exchange_n(
		&lock->ticket, &expected, serving + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *lock)
{
	return READ_ONCE(lock->ticket) != READ_ONCE(lock->serving);
}

#endif
