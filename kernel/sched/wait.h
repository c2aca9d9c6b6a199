/*
 * Wait queues: threads (or callbacks, for epoll) waiting for something to change.
 *
 * The usual use, where `condition` may take spin locks but not sleep:
 *
 *     error = WAIT_UNTIL(&pipe->readable, pipe_has_data(pipe), deadline_ns);
 *
 * and on the other side, after changing what the condition reads:
 *
 *     wait_wake_all(&pipe->readable);
 *
 * wait_wake_* is cheap when nobody waits. Lock: queue lock, rank 35; callbacks run
 * with it held and may only take run-queue locks, or locks ranked above it.
 */
#ifndef KERNEL_SCHED_WAIT_H
#define KERNEL_SCHED_WAIT_H

#include "lib/compiler.h"
#include "abi/linux/errno.h"
#include "lib/list.h"
#include "kernel/lock.h"
#include "kernel/sched/thread.h"

#define WAIT_FOREVER UINT64_MAX

struct wait_queue {
	struct spinlock lock;
	struct list waiters;
};

struct waiter;
/* Returns true if it consumed an exclusive wake-up. `events` are POLL bits (fs/poll.h),
 * 0 when the waker did not say. */
typedef bool (*waiter_fn)(struct waiter *waiter, uint32_t events);

struct waiter {
	struct list link;
	waiter_fn wake;
	struct thread *thread; /* for wait_wake_thread, the default callback */
	bool exclusive;        /* stop after this one consumed the wake-up */
};

void wait_queue_init(struct wait_queue *queue);
/* A waiter that wakes the current thread. */
void waiter_init(struct waiter *waiter);
void wait_add(struct wait_queue *queue, struct waiter *waiter);
/* Afterwards the callback is not running and will not run. Safe if not queued. */
void wait_remove(struct wait_queue *queue, struct waiter *waiter);

/* Full barrier inside: a waiter that did not see the change is woken. */
void wait_wake_events(struct wait_queue *queue, uint32_t events, uint32_t max_exclusive);
static inline void wait_wake_all(struct wait_queue *queue)
{
	wait_wake_events(queue, 0, UINT32_MAX);
}
static inline void wait_wake_one(struct wait_queue *queue)
{
	wait_wake_events(queue, 0, 1);
}

uint64_t clock_monotonic_ns(void);

/* 0 when the condition came true, -LINUX_ERESTARTSYS on a signal, -LINUX_ETIMEDOUT. */
#define WAIT_UNTIL(queue, condition, deadline_ns)                                                  \
	({                                                                                         \
		int wait_result_ = 0;                                                              \
		if (!(condition)) {                                                                \
			struct wait_queue *wait_queue_ = (queue);                                  \
			uint64_t wait_deadline_ = (deadline_ns);                                   \
			struct waiter waiter_;                                                     \
			waiter_init(&waiter_);                                                     \
			wait_add(wait_queue_, &waiter_);                                           \
			for (;;) {                                                                 \
				if (condition)                                                     \
					break;                                                     \
				if (thread_is_interrupted(thread_current())) {                     \
					wait_result_ = -LINUX_ERESTARTSYS;                         \
					break;                                                     \
				}                                                                  \
				if (wait_deadline_ != WAIT_FOREVER &&                              \
					clock_monotonic_ns() >= wait_deadline_) {                  \
					wait_result_ = -LINUX_ETIMEDOUT;                           \
					break;                                                     \
				}                                                                  \
				thread_sleep(wait_deadline_);                                      \
			}                                                                          \
			wait_remove(wait_queue_, &waiter_);                                        \
		}                                                                                  \
		wait_result_;                                                                      \
	})

#endif
