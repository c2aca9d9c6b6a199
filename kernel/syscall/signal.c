/*
 * System calls about signals: sigaction(2), sigprocmask(2), kill(2) and their kin.
 */
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"
#include "kernel/credentials.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/wait.h"
#include "abi/linux/stat.h"
#include "lib/string.h"

#define SIGSET_BYTES 8

#define NS_PER_SECOND 1000000000ull

long sys_rt_sigaction(uint64_t number, uint64_t action, uint64_t old_action, uint64_t set_bytes)
{
	struct linux_sigaction new, old;

	if (set_bytes != SIGSET_BYTES)
		return -LINUX_EINVAL;
	if (action != 0 && user_copy_in(&new, action, sizeof(new)) != 0)
		return -LINUX_EFAULT;
	int error = signal_set_action((int)number, action != 0 ? &new : NULL, &old);
	if (error == 0 && old_action != 0 && user_copy_out(old_action, &old, sizeof(old)) != 0)
		return -LINUX_EFAULT;
	return error;
}

long sys_rt_sigprocmask(uint64_t how, uint64_t set, uint64_t old_set, uint64_t set_bytes)
{
	uint64_t mask, old;

	if (set_bytes != SIGSET_BYTES)
		return -LINUX_EINVAL;
	if (set != 0) {
		if (user_copy_in(&mask, set, sizeof(mask)) != 0)
			return -LINUX_EFAULT;
		int error = signal_set_mask((int)how, mask, &old);
		if (error != 0)
			return error;
	} else {
		old = thread_current()->signal.blocked;
	}
	if (old_set != 0 && user_copy_out(old_set, &old, sizeof(old)) != 0)
		return -LINUX_EFAULT;
	return 0;
}

long sys_rt_sigreturn(void)
{
	struct trap_frame *frame = arch_thread_frame(thread_current());

	if (signal_frame_restore(frame) != 0) {
		frame->error = SYSCALL_NO_RESTART;
		signal_force_fault(LINUX_SIGSEGV, LINUX_SI_KERNEL, 0, 0, 0);
		return 0;
	}
	return (long)frame->rax;
}

long sys_restart_syscall(void)
{
	struct signal_restart *restart = &thread_current()->signal.restart;

	/* Nobody but signal_deliver() has reason to make this call. */
	if (restart->resume == NULL)
		return -LINUX_EINTR;
	long (*resume)(struct signal_restart *) = restart->resume;

	restart->resume = NULL;
	return resume(restart);
}

/* ---- sending --------------------------------------------------------------- */

static void fill_sender(struct linux_siginfo *info, int signal, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = signal;
	info->code = code;
	info->sender.pid = PROCESS_ID;
	info->sender.uid = credentials_get().uid;
}

/* Signal 0 only asks whether the addressee exists. */
static long send_to_process(const struct linux_siginfo *info)
{
	return info->signo == 0 ? 0 : signal_send_process(info);
}

long sys_kill(uint64_t pid_argument, uint64_t number)
{
	int pid = (int)pid_argument;
	struct linux_siginfo info;

	/* 0: the caller's group, which is the program. A negative number names another
	 * group, or with -1 every process but the caller: there is none. */
	if (!syscall_is_program(pid))
		return -LINUX_ESRCH;
	fill_sender(&info, (int)number, LINUX_SI_USER);
	return send_to_process(&info);
}

static long send_to_thread(int tid, const struct linux_siginfo *info)
{
	struct thread *thread = thread_find(tid);

	if (thread == NULL)
		return -LINUX_ESRCH;
	long result = info->signo == 0 ? 0 : signal_send_thread(thread, info);

	thread_release(thread);
	return result;
}

long sys_tkill(uint64_t tid, uint64_t number)
{
	struct linux_siginfo info;

	if ((int)tid <= 0)
		return -LINUX_EINVAL;
	fill_sender(&info, (int)number, LINUX_SI_TKILL);
	return send_to_thread((int)tid, &info);
}

long sys_tgkill(uint64_t pid, uint64_t tid, uint64_t number)
{
	struct linux_siginfo info;

	if ((int)pid <= 0 || (int)tid <= 0)
		return -LINUX_EINVAL;
	if ((int)pid != PROCESS_ID)
		return -LINUX_ESRCH;
	fill_sender(&info, (int)number, LINUX_SI_TKILL);
	return send_to_thread((int)tid, &info);
}

/* The program may claim anything to itself, as on Linux. */
static int copy_info(struct linux_siginfo *info, uint64_t address, int signal)
{
	if (user_copy_in(info, address, sizeof(*info)) != 0)
		return -LINUX_EFAULT;
	info->signo = signal;
	return 0;
}

long sys_rt_sigqueueinfo(uint64_t pid, uint64_t number, uint64_t address)
{
	struct linux_siginfo info;
	int error = copy_info(&info, address, (int)number);

	if (error != 0)
		return error;
	if ((int)pid != PROCESS_ID && (info.code >= 0 || info.code == LINUX_SI_TKILL))
		return -LINUX_EPERM;
	if ((int)pid == 0 || !syscall_is_program((int)pid))
		return -LINUX_ESRCH;
	return send_to_process(&info);
}

long sys_rt_tgsigqueueinfo(uint64_t pid, uint64_t tid, uint64_t number, uint64_t address)
{
	struct linux_siginfo info;
	int error = copy_info(&info, address, (int)number);

	if (error != 0)
		return error;
	if ((int)pid <= 0 || (int)tid <= 0)
		return -LINUX_EINVAL;
	if ((int)pid != PROCESS_ID)
		return (info.code >= 0 || info.code == LINUX_SI_TKILL) ? -LINUX_EPERM
								       : -LINUX_ESRCH;
	return send_to_thread((int)tid, &info);
}

/* ---- waiting --------------------------------------------------------------- */

long sys_rt_sigpending(uint64_t set, uint64_t set_bytes)
{
	uint64_t pending = signal_pending() & thread_current()->signal.blocked;

	if (set_bytes > SIGSET_BYTES)
		return -LINUX_EINVAL;
	return user_copy_out(set, &pending, set_bytes) != 0 ? -LINUX_EFAULT : 0;
}

static void sleep_until_interrupted(void)
{
	while (!thread_is_interrupted(thread_current()))
		thread_sleep(WAIT_FOREVER);
}

long sys_pause(void)
{
	sleep_until_interrupted();
	return -LINUX_ERESTARTNOHAND;
}

long sys_rt_sigsuspend(uint64_t set, uint64_t set_bytes)
{
	uint64_t mask;

	if (set_bytes != SIGSET_BYTES)
		return -LINUX_EINVAL;
	if (user_copy_in(&mask, set, sizeof(mask)) != 0)
		return -LINUX_EFAULT;
	signal_set_temporary_mask(mask);
	sleep_until_interrupted();
	return -LINUX_ERESTARTNOHAND;
}

/* A relative timeout as a deadline. */
static int copy_deadline(uint64_t address, uint64_t *deadline_ns)
{
	struct linux_timespec timeout;

	*deadline_ns = WAIT_FOREVER;
	if (address == 0)
		return 0;
	if (user_copy_in(&timeout, address, sizeof(timeout)) != 0)
		return -LINUX_EFAULT;
	if (timeout.seconds < 0 || (uint64_t)timeout.nanoseconds >= NS_PER_SECOND)
		return -LINUX_EINVAL;
	uint64_t now = clock_monotonic_ns();

	if ((uint64_t)timeout.seconds < (INT64_MAX - now) / NS_PER_SECOND - 1)
		*deadline_ns = now + (uint64_t)timeout.seconds * NS_PER_SECOND +
			       (uint64_t)timeout.nanoseconds;
	return 0;
}

static int wait_for_signal(uint64_t set, uint64_t deadline_ns, struct linux_siginfo *info)
{
	while (!signal_take(set, info)) {
		if (thread_is_interrupted(thread_current()))
			return -LINUX_EINTR;
		if (deadline_ns != WAIT_FOREVER && clock_monotonic_ns() >= deadline_ns)
			return -LINUX_EAGAIN;
		thread_sleep(deadline_ns);
	}
	return 0;
}

long sys_rt_sigtimedwait(uint64_t set, uint64_t info_address, uint64_t timeout, uint64_t set_bytes)
{
	struct linux_siginfo info;
	uint64_t wanted, deadline_ns;

	if (set_bytes != SIGSET_BYTES)
		return -LINUX_EINVAL;
	if (user_copy_in(&wanted, set, sizeof(wanted)) != 0)
		return -LINUX_EFAULT;
	int error = copy_deadline(timeout, &deadline_ns);
	if (error != 0)
		return error;
	wanted &= ~(SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP));
	signal_set_waiting(wanted);
	error = wait_for_signal(wanted, deadline_ns, &info);
	signal_set_waiting(0);
	/* One may have been sent to this thread, because it waited, after it gave up. */
	if (error != 0 && !signal_take(wanted, &info))
		return error;
	if (info_address != 0 && user_copy_out(info_address, &info, sizeof(info)) != 0)
		return -LINUX_EFAULT;
	return info.signo;
}

/* ---- alternate stack --------------------------------------------------------- */

long sys_sigaltstack(uint64_t stack, uint64_t old_stack)
{
	uint64_t sp = arch_thread_frame(thread_current())->rsp;
	struct linux_stack new, old;

	if (stack != 0 && user_copy_in(&new, stack, sizeof(new)) != 0)
		return -LINUX_EFAULT;
	signal_stack_get(&old, sp);
	if (stack != 0) {
		int error = signal_stack_set(&new, sp);

		if (error != 0)
			return error;
	}
	if (old_stack != 0 && user_copy_out(old_stack, &old, sizeof(old)) != 0)
		return -LINUX_EFAULT;
	return 0;
}
