/* See fake_threads.h. */
#include "arch/host/fake_threads.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/sched/clock.h"
#include "kernel/sched/sched.h"

struct fake_thread fake_threads[FAKE_THREADS_MAX];
uint64_t fake_now_ns;
void (*fake_sleep_hook)(uint64_t deadline_ns);
struct fake_exit fake_exit;
jmp_buf fake_exit_jump;

static int current;

static struct fake_thread *fake_of(struct thread *thread)
{
	return CONTAINER_OF(thread, struct fake_thread, thread);
}

void fake_threads_reset(void)
{
	memset(fake_threads, 0, sizeof(fake_threads));
	current = 0;
	fake_now_ns = 1;
	fake_sleep_hook = NULL;
	(void)fake_thread_start(0);
}

struct thread *fake_thread_start(int index)
{
	struct thread *thread = &fake_threads[index].thread;

	thread->tid = PROCESS_ID + index;
	thread->references = 1;
	fake_threads[index].is_started = true;
	return thread;
}

void fake_thread_end(int index)
{
	fake_threads[index].is_started = false;
}

void fake_thread_set_current(int index)
{
	current = index;
}

struct thread *arch_current_thread(void)
{
	return &fake_threads[current].thread;
}

struct trap_frame *arch_thread_frame(struct thread *thread)
{
	return &fake_of(thread)->frame;
}

struct thread *thread_find(int tid)
{
	int index = tid - PROCESS_ID;

	if (index < 0 || index >= FAKE_THREADS_MAX || !fake_threads[index].is_started)
		return NULL;
	fake_threads[index].thread.references++;
	return &fake_threads[index].thread;
}

void thread_acquire(struct thread *thread)
{
	thread->references++;
}

void thread_release(struct thread *thread)
{
	if (--thread->references == 0)
		abort();
}

uint32_t thread_count(void)
{
	uint32_t count = 0;

	for (int i = 0; i < FAKE_THREADS_MAX; i++)
		count += fake_threads[i].is_started;
	return count;
}

void thread_for_each(bool (*fn)(struct thread *thread, void *argument), void *argument)
{
	for (int i = 0; i < FAKE_THREADS_MAX; i++)
		if (fake_threads[i].is_started && !fn(&fake_threads[i].thread, argument))
			return;
}

void thread_wake(struct thread *thread)
{
	fake_of(thread)->wakes++;
}

void sched_interrupt_thread(struct thread *thread)
{
	fake_of(thread)->interrupts++;
}

void sched_preempt_if_needed(void)
{
}

uint64_t clock_monotonic_ns(void)
{
	return fake_now_ns;
}

void thread_sleep(uint64_t deadline_ns)
{
	if (fake_sleep_hook != NULL)
		fake_sleep_hook(deadline_ns);
	else if (deadline_ns != UINT64_MAX)
		fake_now_ns = deadline_ns;
	else
		abort(); /* the test would hang */
}

void process_exit(int status, int signal)
{
	fake_exit = (struct fake_exit){true, status, signal};
	longjmp(fake_exit_jump, 1);
}
