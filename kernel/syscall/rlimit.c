/*
 * Resource limits: getrlimit(2). Those that other rooms obey are handed to them; the
 * others are kept for the program to read back, as nothing here is ever short of them.
 */
#include "kernel/rlimit.h"
#include "kernel/credentials.h"
#include "kernel/lock.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"

#define INFINITE   UINT64_MAX
#define MAX_NOFILE 1048576ull /* Linux's fs.nr_open */

enum resource {
	RESOURCE_CPU,
	RESOURCE_FSIZE,
	RESOURCE_DATA,
	RESOURCE_STACK,
	RESOURCE_CORE,
	RESOURCE_RSS,
	RESOURCE_NPROC,
	RESOURCE_NOFILE,
	RESOURCE_MEMLOCK,
	RESOURCE_AS,
	RESOURCE_LOCKS,
	RESOURCE_SIGPENDING,
	RESOURCE_MSGQUEUE,
	RESOURCE_NICE,
	RESOURCE_RTPRIO,
	RESOURCE_RTTIME,
	RESOURCE_COUNT,
};

struct linux_rlimit {
	uint64_t soft, hard;
};

static struct spinlock lock; /* rank 55; guards limits */
static struct linux_rlimit limits[RESOURCE_COUNT] = {
	[RESOURCE_CPU] = {INFINITE, INFINITE},
	[RESOURCE_FSIZE] = {INFINITE, INFINITE},
	[RESOURCE_DATA] = {INFINITE, INFINITE},
	[RESOURCE_STACK] = {8 << 20, INFINITE},
	[RESOURCE_CORE] = {0, INFINITE},
	[RESOURCE_RSS] = {INFINITE, INFINITE},
	[RESOURCE_NPROC] = {INFINITE, INFINITE},
	[RESOURCE_NOFILE] = {MAX_NOFILE, MAX_NOFILE},
	[RESOURCE_MEMLOCK] = {INFINITE, INFINITE},
	[RESOURCE_AS] = {INFINITE, INFINITE},
	[RESOURCE_LOCKS] = {INFINITE, INFINITE},
	[RESOURCE_SIGPENDING] = {16384, 16384}, /* as kernel/signal/queue.c starts */
	[RESOURCE_MSGQUEUE] = {819200, 819200},
	[RESOURCE_NICE] = {0, 0},
	[RESOURCE_RTPRIO] = {0, 0},
	[RESOURCE_RTTIME] = {INFINITE, INFINITE},
};

uint64_t rlimit_nofile(void)
{
	return READ_ONCE(limits[RESOURCE_NOFILE].soft);
}

uint64_t rlimit_file_bytes(void)
{
	return READ_ONCE(limits[RESOURCE_FSIZE].soft);
}

void rlimit_file_exceeded(void)
{
	struct linux_siginfo info = {.signo = LINUX_SIGXFSZ, .code = LINUX_SI_USER};

	info.sender.pid = PROCESS_ID;
	signal_send_thread(thread_current(), &info);
}

static int check_locked(unsigned resource, const struct linux_rlimit *new)
{
	if (new->soft > new->hard)
		return -LINUX_EINVAL;
	if (resource == RESOURCE_NOFILE && new->hard > MAX_NOFILE)
		return -LINUX_EPERM;
	if (new->hard > limits[resource].hard && !credentials_has(CAPABILITY_SYS_RESOURCE))
		return -LINUX_EPERM;
	return 0;
}

/* `new` may be NULL. */
static int exchange(unsigned resource, const struct linux_rlimit *new, struct linux_rlimit *old)
{
	int error = 0;

	if (resource >= RESOURCE_COUNT)
		return -LINUX_EINVAL;
	spin_lock(&lock);
	*old = limits[resource];
	if (new != NULL)
		error = check_locked(resource, new);
	if (new != NULL && error == 0) {
		limits[resource] = *new;
		if (resource == RESOURCE_SIGPENDING)
			signal_set_queue_limit(new->soft);
	}
	spin_unlock(&lock);
	return error;
}

long sys_getrlimit(uint64_t resource, uint64_t address)
{
	struct linux_rlimit old;
	int error = exchange((unsigned)resource, NULL, &old);

	if (error != 0)
		return error;
	return user_copy_out(address, &old, sizeof(old)) != 0 ? -LINUX_EFAULT : 0;
}

long sys_setrlimit(uint64_t resource, uint64_t address)
{
	struct linux_rlimit new, old;

	if (user_copy_in(&new, address, sizeof(new)) != 0)
		return -LINUX_EFAULT;
	return exchange((unsigned)resource, &new, &old);
}

long sys_prlimit64(uint64_t pid, uint64_t resource, uint64_t new_address, uint64_t old_address)
{
	struct linux_rlimit new, old;

	if (new_address != 0 && user_copy_in(&new, new_address, sizeof(new)) != 0)
		return -LINUX_EFAULT;
	if (!syscall_is_program((int)pid))
		return -LINUX_ESRCH;
	int error = exchange((unsigned)resource, new_address != 0 ? &new : NULL, &old);

	if (error != 0)
		return error;
	if (old_address != 0 && user_copy_out(old_address, &old, sizeof(old)) != 0)
		return -LINUX_EFAULT;
	return 0;
}
