/*
 * Wait queues. See wait.h.
 *
 * Lost wake-ups: a waiter links itself, then reads the condition; a waker changes
 * the condition, then reads the list. A full barrier on either side between the
 * write and the read lets at least one of them see the other.
 */
#include "kernel/sched/wait.h"

static bool wake_thread(struct waiter *waiter, uint32_t events)
{
	(void)events;
	thread_wake(waiter->thread);
	return true;
}

void wait_queue_init(struct wait_queue *queue)
{
	spin_init(&queue->lock);
	list_init(&queue->waiters);
}

void waiter_init(struct waiter *waiter)
{
	list_init(&waiter->link);
	waiter->wake = wake_thread;
	waiter->thread = thread_current();
	waiter->exclusive = false;
}

void wait_add(struct wait_queue *queue, struct waiter *waiter)
{
	spin_lock(&queue->lock);
	/* Exclusive ones last: those who want every wake-up come before they stop it. */
	if (waiter->exclusive)
		list_add_last(&queue->waiters, &waiter->link);
	else
		list_add_first(&queue->waiters, &waiter->link);
	spin_unlock(&queue->lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void wait_remove(struct wait_queue *queue, struct waiter *waiter)
{
	spin_lock(&queue->lock);
	if (list_is_linked(&waiter->link))
		list_remove(&waiter->link);
	spin_unlock(&queue->lock);
}

void wait_wake_events(struct wait_queue *queue, uint32_t events, uint32_t max_exclusive)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (READ_ONCE(queue->waiters.next) == &queue->waiters)
		return;
	spin_lock(&queue->lock);
	LIST_FOR_EACH_SAFE (link, after, &queue->waiters) {
		struct waiter *waiter = LIST_ENTRY(link, struct waiter, link);
		bool exclusive = waiter->exclusive;

		if (waiter->wake(waiter, events) && exclusive && --max_exclusive == 0)
			break;
	}
	spin_unlock(&queue->lock);
}
