/*
 * The last thing before the program continues. Entry code calls it only when
 * signal.interrupted or need_resched of the current thread is set.
 */
#include "kernel/platform.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/signal/signal.h"

void kernel_on_return(struct trap_frame *frame)
{
	struct thread *self = thread_current();

	sched_preempt_if_needed();
	if (thread_is_interrupted(self))
		signal_deliver(frame);
	/* Delivering may have taken long, or slept. */
	sched_preempt_if_needed();
}
