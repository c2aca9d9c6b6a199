/*
 * A lock whose holder may sleep. Not for interrupt handlers. Uninterruptible.
 * Holders never wait for the program (a pipe, a futex), only for devices and copies.
 */
#ifndef KERNEL_SCHED_MUTEX_H
#define KERNEL_SCHED_MUTEX_H

#include "kernel/sched/wait.h"

struct mutex {
	uint32_t state; /* 0 free, 1 held, 2 held and waited for */
	struct thread *owner;
	struct wait_queue waiters;
};

void mutex_init(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

#endif
