/*
 * Threads: creation, lookup, end. See thread.h.
 */
#include "kernel/sched/thread.h"
#include "abi/linux/errno.h"
#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/panic.h"
#include "kernel/sched/clock.h"
#include "kernel/sched/cpu_timer.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/posix_timer.h"
#include "kernel/sched/sched.h"
#include "lib/string.h"

#define BUCKETS   256
#define TID_LIMIT 4194304 /* as Linux's largest pid_max */

/* Program threads by id. */
static struct {
	struct spinlock lock; /* rank 29 (before signal.lock); guards all of it */
	struct list buckets[BUCKETS];
	int last_tid;
	uint32_t count;
	int leader_status; /* of thread PROCESS_ID, once it ended */
	bool leader_ended;
} table = {.lock = SPINLOCK_INIT};

void thread_table_init(void)
{
	for (int i = 0; i < BUCKETS; i++)
		list_init(&table.buckets[i]);
	posix_timer_init();
}

static struct list *bucket_of(int tid)
{
	return &table.buckets[(uint32_t)tid % BUCKETS];
}

static struct thread *find_locked(int tid)
{
	LIST_FOR_EACH (link, bucket_of(tid)) {
		struct thread *thread = LIST_ENTRY(link, struct thread, table_link);

		if (thread->tid == tid)
			return thread;
	}
	return NULL;
}

/* The next id that no thread has. */
static int take_tid_locked(void)
{
	do
		table.last_tid =
			table.last_tid == TID_LIMIT - 1 ? PROCESS_ID + 1 : table.last_tid + 1;
	while (find_locked(table.last_tid));
	return table.last_tid;
}

static struct thread *allocate(const char *name)
{
	struct thread *thread = heap_zalloc(sizeof(*thread));

	if (!thread)
		return NULL;
	thread->references = 1;
	thread->state = THREAD_SLEEPING;
	thread->cpu = arch_cpu_index();
	thread->affinity = thread_current()->affinity;
	if (thread_current()->is_kernel)
		thread->affinity =
			sched_cpu_count() >= 64 ? UINT64_MAX : (1ull << sched_cpu_count()) - 1;
	thread->next_cpu_timer = UINT64_MAX;
	memcpy(thread->name, name, strnlen(name, sizeof(thread->name) - 1));
	list_init(&thread->run_link);
	list_init(&thread->table_link);
	list_init(&thread->cpu_timers);
	signal_thread_init(thread);
	return thread;
}

int thread_create(struct thread **result, const char *name)
{
	struct thread *thread = allocate(name);

	if (!thread)
		return -LINUX_ENOMEM;
	thread->nice = thread_current()->nice;
	thread->policy = thread_current()->policy;
	spin_lock(&table.lock);
	thread->tid = take_tid_locked();
	spin_unlock(&table.lock);
	*result = thread;
	return 0;
}

void thread_start(struct thread *thread)
{
	if (!thread->is_kernel) {
		spin_lock(&table.lock);
		list_add_last(bucket_of(thread->tid), &thread->table_link);
		table.count++;
		spin_unlock(&table.lock);
	}
	sched_add(thread);
}

int thread_start_kernel(const char *name, void (*entry)(void *), void *argument)
{
	struct thread *thread = allocate(name);
	int error;

	if (!thread)
		return -LINUX_ENOMEM;
	thread->is_kernel = true;
	error = arch_thread_init_kernel(thread, entry, argument);
	if (error) {
		thread_release(thread);
		return error;
	}
	thread_start(thread);
	return 0;
}

void thread_acquire(struct thread *thread)
{
	__atomic_add_fetch(&thread->references, 1, __ATOMIC_RELAXED);
}

void thread_release(struct thread *thread)
{
	uint32_t left = __atomic_sub_fetch(&thread->references, 1, __ATOMIC_ACQ_REL);

	if (left)
		return;
	signal_thread_release(thread);
	arch_thread_release(thread);
	heap_free(thread);
}

struct thread *thread_find(int tid)
{
	struct thread *thread;

	spin_lock(&table.lock);
	thread = find_locked(tid);
	if (thread)
		thread_acquire(thread);
	spin_unlock(&table.lock);
	return thread;
}

uint32_t thread_count(void)
{
	return READ_ONCE(table.count);
}

void thread_for_each(bool (*fn)(struct thread *thread, void *argument), void *argument)
{
	bool go_on = true;

	spin_lock(&table.lock);
	for (int i = 0; i < BUCKETS && go_on; i++) {
		LIST_FOR_EACH (link, &table.buckets[i]) {
			go_on = fn(LIST_ENTRY(link, struct thread, table_link), argument);
			if (!go_on)
				break;
		}
	}
	spin_unlock(&table.lock);
}

/* Takes the current thread out of the table. True if it was the last; then *status is
 * what the program ends with: the status of its first thread, as on Linux. */
static bool leave_table(struct thread *self, int *status)
{
	bool is_last;

	spin_lock(&table.lock);
	list_remove(&self->table_link);
	is_last = --table.count == 0;
	if (self->tid == PROCESS_ID) {
		table.leader_status = *status;
		table.leader_ended = true;
	} else if (table.leader_ended) {
		*status = table.leader_status;
	}
	spin_unlock(&table.lock);
	return is_last;
}

/* pthread_join(3) and Go wait for the word to become 0. The user stack may be gone. */
static void clear_tid_word(struct thread *self)
{
	const uint32_t zero = 0;
	uintptr_t address = self->clear_tid;

	if (!address)
		return;
	self->clear_tid = 0;
	if (user_copy_out(address, &zero, sizeof(zero)) == 0)
		futex_wake(address, true, 1, UINT32_MAX);
}

void thread_exit(int status)
{
	struct thread *self = thread_current();

	if (!self->is_kernel) {
		if (self->robust_list)
			futex_exit_robust_list(self->robust_list, self->tid);
		clear_tid_word(self);
		cpu_timer_thread_exit(self);
		if (leave_table(self, &status))
			process_exit(status, 0);
		signal_thread_release(self);
	}
	sched_exit_current();
}

uint64_t thread_cpu_ns(struct thread *thread)
{
	return clock_ns_of_ticks(sched_thread_ticks(thread));
}

uint64_t process_cpu_ns(void)
{
	return clock_ns_of_ticks(sched_process_ticks());
}
