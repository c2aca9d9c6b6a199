/*
 * Calls about where and how threads run. There is one policy: priorities and policies
 * that a program may set without privilege are kept and reported, as the hints they are.
 */
#include "abi/linux/errno.h"
#include "kernel/mm/uaccess.h"
#include "kernel/platform.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/timespec.h"

enum policy {
	SCHED_OTHER = 0,
	SCHED_FIFO = 1,
	SCHED_RR = 2,
	SCHED_BATCH = 3,
	SCHED_IDLE = 5,
	SCHED_DEADLINE = 6,
	SCHED_RESET_ON_FORK = 0x40000000,
};

#define SLICE_NS 4000000ull

/* The thread with this id, 0 being the caller, with a reference. NULL: -ESRCH. */
static struct thread *get_thread(uint64_t id)
{
	if ((int)id != 0)
		return thread_find((int)id);
	thread_acquire(thread_current());
	return thread_current();
}

long sys_sched_yield(void)
{
	sched_yield();
	return 0;
}

long sys_sched_setaffinity(uint64_t tid, uint64_t bytes, uint64_t mask)
{
	struct thread *thread;
	uint64_t bits = 0;
	int error;

	if (user_copy_in(&bits, mask, MIN((uint32_t)bytes, sizeof(bits))) != 0)
		return -LINUX_EFAULT;
	thread = get_thread(tid);
	if (!thread)
		return -LINUX_ESRCH;
	error = sched_set_affinity(thread, bits);
	thread_release(thread);
	return error;
}

/* Returns the bytes it wrote: a mask of 64 vcpus. */
long sys_sched_getaffinity(uint64_t tid, uint64_t bytes, uint64_t mask)
{
	struct thread *thread;
	uint64_t bits;

	if ((uint32_t)bytes * 8ull < sched_cpu_count() || ((uint32_t)bytes & 7))
		return -LINUX_EINVAL;
	thread = get_thread(tid);
	if (!thread)
		return -LINUX_ESRCH;
	bits = READ_ONCE(thread->affinity);
	thread_release(thread);
	if (user_copy_out(mask, &bits, sizeof(bits)) != 0)
		return -LINUX_EFAULT;
	return sizeof(bits);
}

long sys_getcpu(uint64_t cpu, uint64_t node, uint64_t cache)
{
	const uint32_t self = sched_cpu_self(), zero = 0;

	(void)cache;
	if (cpu && user_copy_out(cpu, &self, sizeof(self)) != 0)
		return -LINUX_EFAULT;
	if (node && user_copy_out(node, &zero, sizeof(zero)) != 0)
		return -LINUX_EFAULT;
	return 0;
}

/* ---- policies -------------------------------------------------------------- */

long sys_sched_get_priority_max(uint64_t policy)
{
	switch ((int)policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return 99;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}

long sys_sched_get_priority_min(uint64_t policy)
{
	long max = sys_sched_get_priority_max(policy);

	return max > 0 ? 1 : max;
}

static int set_policy(uint64_t tid, int policy, int priority)
{
	struct thread *thread;
	int error = 0;

	if (policy == SCHED_FIFO || policy == SCHED_RR)
		error = priority < 1 || priority > 99 ? -LINUX_EINVAL : -LINUX_EPERM;
	else if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		error = -LINUX_EINVAL;
	else if (priority != 0)
		error = -LINUX_EINVAL;
	thread = get_thread(tid);
	if (!thread)
		return -LINUX_ESRCH;
	if (!error)
		WRITE_ONCE(thread->policy, policy);
	thread_release(thread);
	return error;
}

long sys_sched_setscheduler(uint64_t tid, uint64_t policy, uint64_t parameters)
{
	int priority;

	if ((int)policy < 0 || !parameters || (int)tid < 0)
		return -LINUX_EINVAL;
	if (user_copy_in(&priority, parameters, sizeof(priority)) != 0)
		return -LINUX_EFAULT;
	return set_policy(tid, (int)policy & ~SCHED_RESET_ON_FORK, priority);
}

static long get_policy(uint64_t tid)
{
	struct thread *thread;
	long policy;

	if ((int)tid < 0)
		return -LINUX_EINVAL;
	thread = get_thread(tid);
	if (!thread)
		return -LINUX_ESRCH;
	policy = READ_ONCE(thread->policy);
	thread_release(thread);
	return policy;
}

long sys_sched_getscheduler(uint64_t tid)
{
	return get_policy(tid);
}

long sys_sched_setparam(uint64_t tid, uint64_t parameters)
{
	int priority;
	long policy;

	if (!parameters || (int)tid < 0)
		return -LINUX_EINVAL;
	if (user_copy_in(&priority, parameters, sizeof(priority)) != 0)
		return -LINUX_EFAULT;
	policy = get_policy(tid);
	return policy < 0 ? policy : set_policy(tid, (int)policy, priority);
}

long sys_sched_getparam(uint64_t tid, uint64_t parameters)
{
	const int priority = 0;
	long policy;

	if (!parameters)
		return -LINUX_EINVAL;
	policy = get_policy(tid);
	if (policy < 0)
		return policy;
	return user_copy_out(parameters, &priority, sizeof(priority));
}

long sys_sched_rr_get_interval(uint64_t tid, uint64_t interval)
{
	long policy = get_policy(tid);

	if (policy < 0)
		return policy;
	return timespec_write(interval, SLICE_NS);
}

/* ---- nice ------------------------------------------------------------------- */

enum priority_target { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

#define NICE_MIN -20
#define NICE_MAX 19

struct nice_change {
	int nice;  /* to set */
	int least; /* found; NICE_MAX + 1: no thread */
	bool is_set;
};

static bool apply_nice(struct thread *thread, void *argument)
{
	struct nice_change *change = argument;

	change->least = MIN(change->least, READ_ONCE(thread->nice));
	if (change->is_set)
		WRITE_ONCE(thread->nice, change->nice);
	return true;
}

/* Visits one thread, or all of the program: its group and its user have no other. */
static int visit_nice(int which, int who, struct nice_change *change)
{
	struct thread *thread;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -LINUX_EINVAL;
	if (which != PRIO_PROCESS) {
		if (which == PRIO_PGRP ? who != 0 && who != PROCESS_ID : who != 0)
			return -LINUX_ESRCH;
		thread_for_each(apply_nice, change);
		return 0;
	}
	thread = get_thread((uint64_t)who);
	if (!thread)
		return -LINUX_ESRCH;
	apply_nice(thread, change);
	thread_release(thread);
	return 0;
}

long sys_getpriority(uint64_t which, uint64_t who)
{
	struct nice_change change = {.least = NICE_MAX + 1};
	int error = visit_nice((int)which, (int)who, &change);

	return error ? error : 20 - change.least;
}

long sys_setpriority(uint64_t which, uint64_t who, uint64_t nice)
{
	struct nice_change change = {.least = NICE_MAX + 1, .is_set = true};

	change.nice = MAX(NICE_MIN, MIN(NICE_MAX, (int)nice));
	return visit_nice((int)which, (int)who, &change);
}

/* ---- membarrier(2) ------------------------------------------------------------ */

enum membarrier_command {
	MEMBARRIER_QUERY = 0,
	MEMBARRIER_GLOBAL = 1,
	MEMBARRIER_GLOBAL_EXPEDITED = 2,
	MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 4,
	MEMBARRIER_PRIVATE_EXPEDITED = 8,
	MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16,
};

/* A flush of a page of the address space waits until every vcpu that runs the program
 * was interrupted, which orders its accesses. */
static void interrupt_everybody(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (sched_cpu_count() > 1)
		platform_flush(USER_START, PAGE_BYTES);
}

long sys_membarrier(uint64_t command, uint64_t flags, uint64_t cpu)
{
	static bool is_registered;

	(void)cpu;
	if ((uint32_t)flags)
		return -LINUX_EINVAL;
	switch ((int)command) {
	case MEMBARRIER_QUERY:
		return MEMBARRIER_GLOBAL | MEMBARRIER_GLOBAL_EXPEDITED |
		       MEMBARRIER_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_PRIVATE_EXPEDITED |
		       MEMBARRIER_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
		WRITE_ONCE(is_registered, true);
		return 0;
	case MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
		return 0;
	case MEMBARRIER_PRIVATE_EXPEDITED:
		if (!READ_ONCE(is_registered))
			return -LINUX_EPERM;
		interrupt_everybody();
		return 0;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		interrupt_everybody();
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}
