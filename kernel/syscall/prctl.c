/*
 * prctl(2). Options that have no meaning in a machine with one program are refused as a
 * Linux built without them does.
 */
#include "abi/linux/errno.h"
#include "abi/linux/signal.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/prototypes.h"
#include "lib/string.h"

enum prctl_option {
	PR_SET_PDEATHSIG = 1,
	PR_GET_PDEATHSIG = 2,
	PR_GET_DUMPABLE = 3,
	PR_SET_DUMPABLE = 4,
	PR_GET_KEEPCAPS = 7,
	PR_SET_KEEPCAPS = 8,
	PR_GET_TIMING = 13,
	PR_SET_TIMING = 14,
	PR_SET_NAME = 15,
	PR_GET_NAME = 16,
	PR_GET_SECCOMP = 21,
	PR_CAPBSET_READ = 23,
	PR_GET_TSC = 25,
	PR_SET_TSC = 26,
	PR_GET_SECUREBITS = 27,
	PR_SET_TIMERSLACK = 29,
	PR_GET_TIMERSLACK = 30,
	PR_SET_CHILD_SUBREAPER = 36,
	PR_GET_CHILD_SUBREAPER = 37,
	PR_SET_NO_NEW_PRIVS = 38,
	PR_GET_NO_NEW_PRIVS = 39,
	PR_GET_TID_ADDRESS = 40,
	PR_SET_THP_DISABLE = 41,
	PR_GET_THP_DISABLE = 42,
};

#define LAST_CAPABILITY 40
#define TIMER_SLACK_NS  50000
#define PR_TSC_ENABLE   1

/* The program's settings; single words, last writer wins. */
static struct {
	int death_signal;
	int dumpable;
	int keep_capabilities;
	int child_subreaper;
	int no_new_privileges;
	uint64_t timer_slack_ns;
} settings = {.dumpable = 1, .timer_slack_ns = TIMER_SLACK_NS};

static long write_int(uintptr_t address, int value)
{
	return user_copy_out(address, &value, sizeof(value));
}

static long set_name(uintptr_t address)
{
	struct thread *self = thread_current();
	char name[sizeof(self->name)];
	long length = user_copy_string(name, address, sizeof(name));

	if (length == -LINUX_EFAULT)
		return -LINUX_EFAULT;
	name[sizeof(name) - 1] = 0; /* longer ones are cut */
	memset(self->name, 0, sizeof(self->name));
	memcpy(self->name, name, strnlen(name, sizeof(name) - 1));
	return 0;
}

/* Sets a setting that is 0 or 1. */
static long set_flag(int *setting, uint64_t value)
{
	if (value > 1)
		return -LINUX_EINVAL;
	WRITE_ONCE(*setting, (int)value);
	return 0;
}

static long get_option(int option, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	switch (option) {
	case PR_GET_PDEATHSIG:
		return write_int(a1, settings.death_signal);
	case PR_GET_DUMPABLE:
		return settings.dumpable;
	case PR_GET_KEEPCAPS:
		return settings.keep_capabilities;
	case PR_GET_TIMING:
	case PR_GET_SECCOMP:
	case PR_GET_SECUREBITS:
		return 0;
	case PR_GET_NAME:
		return user_copy_out(a1, thread_current()->name, sizeof(thread_current()->name));
	case PR_CAPBSET_READ:
		return a1 > LAST_CAPABILITY ? -LINUX_EINVAL : 1;
	case PR_GET_TSC:
		return write_int(a1, PR_TSC_ENABLE);
	case PR_GET_TIMERSLACK:
		return (long)settings.timer_slack_ns;
	case PR_GET_CHILD_SUBREAPER:
		return write_int(a1, settings.child_subreaper);
	case PR_GET_NO_NEW_PRIVS:
		return a1 || a2 || a3 || a4 ? -LINUX_EINVAL : settings.no_new_privileges;
	case PR_GET_TID_ADDRESS:
		return user_copy_out(a1, &thread_current()->clear_tid, sizeof(uint64_t));
	case PR_GET_THP_DISABLE:
		return a1 || a2 || a3 || a4 ? -LINUX_EINVAL : 0;
	default:
		return -LINUX_EINVAL;
	}
}

long sys_prctl(uint64_t option, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	switch ((int)option) {
	case PR_SET_PDEATHSIG:
		if (a1 > LINUX_NSIG)
			return -LINUX_EINVAL;
		settings.death_signal = (int)a1;
		return 0;
	case PR_SET_DUMPABLE:
		return set_flag(&settings.dumpable, a1);
	case PR_SET_KEEPCAPS:
		return set_flag(&settings.keep_capabilities, a1);
	case PR_SET_TIMING:
		return a1 ? -LINUX_EINVAL : 0;
	case PR_SET_NAME:
		return set_name(a1);
	case PR_SET_TSC:
		return a1 == PR_TSC_ENABLE ? 0 : -LINUX_EINVAL;
	case PR_SET_TIMERSLACK:
		settings.timer_slack_ns = (int64_t)a1 <= 0 ? TIMER_SLACK_NS : a1;
		return 0;
	case PR_SET_CHILD_SUBREAPER:
		settings.child_subreaper = a1 != 0;
		return 0;
	case PR_SET_NO_NEW_PRIVS:
		if (a1 != 1 || a2 || a3 || a4)
			return -LINUX_EINVAL;
		settings.no_new_privileges = 1;
		return 0;
	default:
		return get_option((int)option, a1, a2, a3, a4);
	}
}
