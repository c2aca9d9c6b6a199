/*
 * Mutexes. See mutex.h.
 *
 * state 2 means that somebody may sleep on `waiters`: who takes the lock after
 * having waited leaves 2, since it cannot know whether others still wait.
 */
#include "kernel/sched/mutex.h"
#include "kernel/sched/sched.h"

#define SPIN_ROUNDS 200 /* a few microseconds: holders are short */

void mutex_init(struct mutex *mutex)
{
	mutex->state = 0;
	mutex->owner = NULL;
	wait_queue_init(&mutex->waiters);
}

bool mutex_trylock(struct mutex *mutex)
{
	uint32_t expected = 0;

	if (!__atomic_compare_exchange_n(
		    &mutex->state, &expected, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&mutex->owner, thread_current(), __ATOMIC_RELAXED);
	return true;
}

static NOINLINE void lock_slowly(struct mutex *mutex)
{
	struct waiter waiter;

	/* Somebody on another vcpu holds it, unless there is only one. */
	for (int i = 0; i < SPIN_ROUNDS && sched_cpu_count() > 1; i++) {
		if (READ_ONCE(mutex->state) == 0 && mutex_trylock(mutex))
			return;
		arch_relax();
	}
	waiter_init(&waiter);
	waiter.exclusive = true;
	wait_add(&mutex->waiters, &waiter);
	while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0)
		thread_sleep(WAIT_FOREVER);
	wait_remove(&mutex->waiters, &waiter);
	__atomic_store_n(&mutex->owner, thread_current(), __ATOMIC_RELAXED);
}

void mutex_lock(struct mutex *mutex)
{
	if (UNLIKELY(!mutex_trylock(mutex)))
		lock_slowly(mutex);
}

void mutex_unlock(struct mutex *mutex)
{
	__atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELAXED);
	if (UNLIKELY(__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2))
		wait_wake_one(&mutex->waiters);
}
