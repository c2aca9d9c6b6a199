/*
 * Actions, masks, sending and taking of signals; the contract is in signal.h.
 *
 * Theory of operation. A signal waits in the queue of its thread or in that of the
 * program. Whoever adds it makes one thread that may take it look (`interrupted`).
 * That thread may block the signal or end before it looks: then it looks for another
 * one (retarget), so a process signal is never left with nobody told, unless all
 * threads block it; the first that unblocks it tells itself (update_locked).
 *
 * thread_for_each() takes the lock of the table of threads, which comes before
 * signal.lock: it is never called with signal.lock held.
 */
#include "kernel/signal/signal.h"
#include "kernel/lock.h"
#include "kernel/log.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/wait.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define UNBLOCKABLE (SIGNAL_BIT(LINUX_SIGKILL) | SIGNAL_BIT(LINUX_SIGSTOP))
#define IGNORED_BY_DEFAULT                                                                         \
	(SIGNAL_BIT(LINUX_SIGCHLD) | SIGNAL_BIT(LINUX_SIGCONT) | SIGNAL_BIT(LINUX_SIGURG) |        \
		SIGNAL_BIT(LINUX_SIGWINCH))
#define STOPS                                                                                      \
	(SIGNAL_BIT(LINUX_SIGSTOP) | SIGNAL_BIT(LINUX_SIGTSTP) | SIGNAL_BIT(LINUX_SIGTTIN) |       \
		SIGNAL_BIT(LINUX_SIGTTOU))

#define KNOWN_ACTION_FLAGS                                                                         \
	(LINUX_SA_NOCLDSTOP | LINUX_SA_NOCLDWAIT | LINUX_SA_SIGINFO | LINUX_SA_RESTORER |          \
		LINUX_SA_ONSTACK | LINUX_SA_RESTART | LINUX_SA_NODEFER | LINUX_SA_RESETHAND |      \
		LINUX_SA_EXPOSE_TAGBITS)

static struct {
	struct spinlock lock; /* signal.lock: all of this file, and struct signal_thread */
	struct signal_queue queue;
	struct linux_sigaction actions[LINUX_NSIG];
	uint64_t ignored;        /* signals whose present action does nothing */
	uint64_t leader_blocked; /* mask of the first thread: decides what may vanish */
	bool is_stopped;
	struct wait_queue sent;
	struct wait_queue continued;
} process;

void signal_init(void)
{
	spin_init(&process.lock);
	signal_queue_init(&process.queue);
	wait_queue_init(&process.sent);
	wait_queue_init(&process.continued);
	memset(process.actions, 0, sizeof(process.actions));
	process.ignored = IGNORED_BY_DEFAULT;
	process.leader_blocked = 0;
	process.is_stopped = false;
}

static bool is_valid(int signal)
{
	return signal >= 1 && signal <= LINUX_NSIG;
}

/* ---- telling threads ----------------------------------------------------- */

static void interrupt_locked(struct thread *thread)
{
	/* Set already: it was told and has not looked yet. While stopped it sleeps and
	 * must be woken each time. */
	if (thread->signal.interrupted && !process.is_stopped)
		return;
	WRITE_ONCE(thread->signal.interrupted, true);
	if (thread != thread_current())
		sched_interrupt_thread(thread);
}

/* Makes the thread take a signal of `set`, if it may. */
static bool tell_locked(struct thread *thread, uint64_t set)
{
	struct signal_thread *state = &thread->signal;

	if (state->is_released)
		return false;
	if (state->waiting_for & set) {
		thread_wake(thread);
		return true;
	}
	if ((set & ~state->blocked) == 0)
		return false;
	interrupt_locked(thread);
	return true;
}

static bool tell(struct thread *thread, uint64_t set)
{
	spin_lock(&process.lock);
	bool told = tell_locked(thread, set);
	spin_unlock(&process.lock);
	return told;
}

struct choice {
	uint64_t set;
	bool is_made;
};

static bool choose_leader(struct thread *thread, void *argument)
{
	struct choice *choice = argument;

	if (thread->tid != PROCESS_ID)
		return true;
	choice->is_made = tell(thread, choice->set);
	return false;
}

static bool choose_any(struct thread *thread, void *argument)
{
	struct choice *choice = argument;

	choice->is_made = tell(thread, choice->set);
	return !choice->is_made;
}

/* Tells one thread about a process signal: the first one, as Linux does, or any. */
static void choose_thread(uint64_t set)
{
	struct choice choice = {.set = set};

	thread_for_each(choose_leader, &choice);
	if (!choice.is_made)
		thread_for_each(choose_any, &choice);
}

/* The current thread no longer takes `set`: others must, if anything of it is pending. */
static void retarget(uint64_t set)
{
	while (set != 0) {
		uint64_t bit = set & -set;

		if (READ_ONCE(process.queue.pending) & bit)
			choose_thread(bit);
		set &= ~bit;
	}
}

/* ---- sending --------------------------------------------------------------- */

static bool drop_from_thread(struct thread *thread, void *argument)
{
	const uint64_t *set = argument;

	spin_lock(&process.lock);
	signal_queue_drop(&thread->signal.queue, *set);
	spin_unlock(&process.lock);
	return true;
}

static void drop_everywhere(uint64_t set)
{
	spin_lock(&process.lock);
	signal_queue_drop(&process.queue, set);
	spin_unlock(&process.lock);
	thread_for_each(drop_from_thread, &set);
}

/* SIGCONT and the stop signals cancel each other, whether blocked or ignored. */
static void prepare_job_control(int signal)
{
	if (signal == LINUX_SIGCONT) {
		drop_everywhere(STOPS);
		WRITE_ONCE(process.is_stopped, false);
		wait_wake_all(&process.continued);
	} else if (SIGNAL_BIT(signal) & STOPS) {
		drop_everywhere(SIGNAL_BIT(LINUX_SIGCONT));
	}
}

int signal_send_thread(struct thread *thread, const struct linux_siginfo *info)
{
	struct signal_thread *state = &thread->signal;
	enum signal_queue_result result = SIGNAL_ALREADY_PENDING;

	if (!is_valid(info->signo))
		return -LINUX_EINVAL;
	uint64_t bit = SIGNAL_BIT(info->signo);

	if (UNLIKELY(bit & (STOPS | SIGNAL_BIT(LINUX_SIGCONT))))
		prepare_job_control(info->signo);
	spin_lock(&process.lock);
	bool vanishes = (process.ignored & ~(state->blocked | state->waiting_for) & bit) != 0;

	if (!vanishes && !state->is_released) {
		result = signal_queue_add(&state->queue, info);
		if (result == SIGNAL_QUEUED)
			tell_locked(thread, bit);
	}
	spin_unlock(&process.lock);
	if (result == SIGNAL_QUEUED)
		wait_wake_all(&process.sent);
	return result == SIGNAL_QUEUE_FULL ? -LINUX_EAGAIN : 0;
}

int signal_send_process(const struct linux_siginfo *info)
{
	enum signal_queue_result result = SIGNAL_ALREADY_PENDING;

	if (!is_valid(info->signo))
		return -LINUX_EINVAL;
	uint64_t bit = SIGNAL_BIT(info->signo);

	if (UNLIKELY(bit & (STOPS | SIGNAL_BIT(LINUX_SIGCONT))))
		prepare_job_control(info->signo);
	spin_lock(&process.lock);
	if ((process.ignored & ~process.leader_blocked & bit) == 0)
		result = signal_queue_add(&process.queue, info);
	spin_unlock(&process.lock);
	if (result == SIGNAL_QUEUED) {
		choose_thread(bit);
		wait_wake_all(&process.sent);
	}
	return result == SIGNAL_QUEUE_FULL ? -LINUX_EAGAIN : 0;
}

void signal_force_fault(int signal, int code, uintptr_t address, int trap_number, uint64_t error)
{
	struct signal_thread *state = &thread_current()->signal;
	struct signal_fault *fault = &state->fault;

	memset(&fault->info, 0, sizeof(fault->info));
	fault->info.signo = signal;
	fault->info.code = code;
	fault->info.fault.address = address;
	fault->trap_number = trap_number;
	fault->error = error;
	fault->is_pending = true;
	WRITE_ONCE(state->interrupted, true);
}

/* ---- masks ----------------------------------------------------------------- */

/* The current thread's mask becomes `blocked`. Returns what it no longer takes. */
static uint64_t update_locked(struct thread *thread, uint64_t blocked)
{
	struct signal_thread *state = &thread->signal;
	uint64_t added = blocked & ~state->blocked;

	state->blocked = blocked;
	if (thread->tid == PROCESS_ID)
		process.leader_blocked = blocked;
	if ((state->queue.pending | process.queue.pending) & ~blocked)
		WRITE_ONCE(state->interrupted, true);
	return added & process.queue.pending;
}

static void set_blocked(uint64_t blocked)
{
	spin_lock(&process.lock);
	uint64_t left = update_locked(thread_current(), blocked & ~UNBLOCKABLE);
	spin_unlock(&process.lock);
	retarget(left);
}

int signal_set_mask(int how, uint64_t set, uint64_t *old)
{
	uint64_t blocked = thread_current()->signal.blocked;

	if (old != NULL)
		*old = blocked;
	switch (how) {
	case LINUX_SIG_BLOCK:
		blocked |= set;
		break;
	case LINUX_SIG_UNBLOCK:
		blocked &= ~set;
		break;
	case LINUX_SIG_SETMASK:
		blocked = set;
		break;
	default:
		return -LINUX_EINVAL;
	}
	set_blocked(blocked);
	return 0;
}

void signal_replace_mask(uint64_t mask)
{
	set_blocked(mask);
}

void signal_set_temporary_mask(uint64_t mask)
{
	struct signal_thread *state = &thread_current()->signal;

	if (!state->restore_mask) {
		state->saved_mask = state->blocked;
		state->restore_mask = true;
	}
	set_blocked(mask);
}

void signal_restore_temporary_mask(void)
{
	struct signal_thread *state = &thread_current()->signal;

	if (!state->restore_mask)
		return;
	state->restore_mask = false;
	set_blocked(state->saved_mask);
}

uint64_t signal_mask_to_save(void)
{
	const struct signal_thread *state = &thread_current()->signal;

	return state->restore_mask ? state->saved_mask : state->blocked;
}

/* ---- threads --------------------------------------------------------------- */

void signal_thread_init(struct thread *thread)
{
	struct signal_thread *state = &thread->signal;
	const struct thread *creator = thread_current();

	memset(state, 0, sizeof(*state));
	signal_queue_init(&state->queue);
	if (creator != NULL)
		state->blocked = creator->signal.blocked;
	state->alternate.flags = LINUX_SS_DISABLE;
}

void signal_thread_release(struct thread *thread)
{
	struct signal_thread *state = &thread->signal;

	spin_lock(&process.lock);
	bool was_released = state->is_released;

	state->is_released = true;
	signal_queue_drop(&state->queue, UINT64_MAX);
	uint64_t left = process.queue.pending & ~state->blocked;
	spin_unlock(&process.lock);
	if (!was_released)
		retarget(left);
}

/* ---- taking ---------------------------------------------------------------- */

bool signal_take(uint64_t set, struct linux_siginfo *info)
{
	struct signal_thread *state = &thread_current()->signal;

	/* Without the lock first: signalfd and sigtimedwait ask often and in vain. */
	if (((READ_ONCE(state->queue.pending) | READ_ONCE(process.queue.pending)) & set) == 0)
		return false;
	spin_lock(&process.lock);
	bool found = signal_queue_take(&state->queue, set, info) ||
		     signal_queue_take(&process.queue, set, info);
	spin_unlock(&process.lock);
	return found;
}

uint64_t signal_pending(void)
{
	return READ_ONCE(thread_current()->signal.queue.pending) | READ_ONCE(process.queue.pending);
}

void signal_set_waiting(uint64_t set)
{
	struct thread *thread = thread_current();

	spin_lock(&process.lock);
	uint64_t left = thread->signal.waiting_for & thread->signal.blocked & ~set;

	thread->signal.waiting_for = set;
	spin_unlock(&process.lock);
	retarget(left);
}

struct wait_queue *signal_wait_queue(void)
{
	return &process.sent;
}

/* ---- actions --------------------------------------------------------------- */

static void set_action_locked(int signal, const struct linux_sigaction *action)
{
	uint64_t bit = SIGNAL_BIT(signal);

	process.actions[signal - 1] = *action;
	if (action->handler == LINUX_SIG_IGN ||
		(action->handler == LINUX_SIG_DFL && (bit & IGNORED_BY_DEFAULT)))
		process.ignored |= bit;
	else
		process.ignored &= ~bit;
}

static void reset_action_locked(int signal)
{
	struct linux_sigaction action = process.actions[signal - 1];

	action.handler = LINUX_SIG_DFL;
	set_action_locked(signal, &action);
}

int signal_set_action(int signal, const struct linux_sigaction *action, struct linux_sigaction *old)
{
	bool ignores = false;

	if (!is_valid(signal) || (action != NULL && (SIGNAL_BIT(signal) & UNBLOCKABLE)))
		return -LINUX_EINVAL;
	spin_lock(&process.lock);
	if (old != NULL)
		*old = process.actions[signal - 1];
	if (action != NULL) {
		struct linux_sigaction kept = *action;

		kept.mask &= ~UNBLOCKABLE;
		kept.flags &= KNOWN_ACTION_FLAGS;
		set_action_locked(signal, &kept);
		ignores = (process.ignored & SIGNAL_BIT(signal)) != 0;
	}
	spin_unlock(&process.lock);
	/* POSIX: what is pending and now ignored is discarded, blocked or not. */
	if (ignores)
		drop_everywhere(SIGNAL_BIT(signal));
	return 0;
}

void signal_get_masks(struct signal_masks *masks)
{
	memset(masks, 0, sizeof(*masks));
	spin_lock(&process.lock);
	masks->process_pending = process.queue.pending;
	for (int signal = 1; signal <= LINUX_NSIG; signal++) {
		uint64_t handler = process.actions[signal - 1].handler;

		if (handler == LINUX_SIG_IGN)
			masks->ignored |= SIGNAL_BIT(signal);
		else if (handler != LINUX_SIG_DFL)
			masks->caught |= SIGNAL_BIT(signal);
	}
	spin_unlock(&process.lock);
}

void signal_set_queue_limit(uint64_t limit)
{
	WRITE_ONCE(signal_queue_max_entries, limit);
}

uint64_t signal_queue_limit(void)
{
	return READ_ONCE(signal_queue_max_entries);
}

uint32_t signal_queued_count(void)
{
	return READ_ONCE(signal_queue_entries);
}

/* ---- delivery -------------------------------------------------------------- */

static bool interrupt_any(struct thread *thread, void *argument)
{
	(void)argument;
	spin_lock(&process.lock);
	if (!thread->signal.is_released)
		interrupt_locked(thread);
	spin_unlock(&process.lock);
	return true;
}

static void stop_program(void)
{
	log_notice("the program was stopped by SIGSTOP; SIGCONT continues it");
	thread_for_each(interrupt_any, NULL);
}

static bool is_killed(const struct thread *thread)
{
	return ((READ_ONCE(thread->signal.queue.pending) | READ_ONCE(process.queue.pending)) &
		       SIGNAL_BIT(LINUX_SIGKILL)) != 0;
}

static void wait_while_stopped(struct thread *thread)
{
	struct waiter waiter;

	waiter_init(&waiter);
	wait_add(&process.continued, &waiter);
	while (READ_ONCE(process.is_stopped) && !is_killed(thread))
		thread_sleep(WAIT_FOREVER);
	wait_remove(&process.continued, &waiter);
}

/* The thread's own fault goes first, and cannot be put off. */
static bool take_next_locked(struct signal_thread *state, struct linux_siginfo *info)
{
	if (state->fault.is_pending) {
		*info = state->fault.info;
		state->fault.is_pending = false;
		uint64_t bit = SIGNAL_BIT(info->signo);

		if ((state->blocked & bit) ||
			process.actions[info->signo - 1].handler == LINUX_SIG_IGN) {
			reset_action_locked(info->signo);
			state->blocked &= ~bit;
		}
		return true;
	}
	return signal_queue_take(&state->queue, ~state->blocked, info) ||
	       signal_queue_take(&process.queue, ~state->blocked, info);
}

/* Whether the program or its end is concerned; if not, the signal is done with. */
static bool concerns_program_locked(struct signal_delivery *delivery)
{
	int signal = delivery->info.signo;
	uint64_t bit = SIGNAL_BIT(signal);

	delivery->action = process.actions[signal - 1];
	if (delivery->action.handler == LINUX_SIG_IGN)
		return false;
	if (delivery->action.handler == LINUX_SIG_DFL) {
		/* The program leads a session without a parent that could continue it: an
		 * orphaned process group, in which only SIGSTOP stops (setpgid(2)). */
		if (signal == LINUX_SIGSTOP)
			WRITE_ONCE(process.is_stopped, true);
		return (bit & (IGNORED_BY_DEFAULT | STOPS)) == 0;
	}
	if (delivery->action.flags & LINUX_SA_RESETHAND)
		reset_action_locked(signal);
	return true;
}

bool signal_next(struct signal_delivery *delivery)
{
	struct thread *thread = thread_current();

	for (;;) {
		if (UNLIKELY(READ_ONCE(process.is_stopped)))
			wait_while_stopped(thread);
		spin_lock(&process.lock);
		bool was_stopped = process.is_stopped;

		if (was_stopped && !is_killed(thread)) {
			spin_unlock(&process.lock);
			continue;
		}
		if (!take_next_locked(&thread->signal, &delivery->info)) {
			WRITE_ONCE(thread->signal.interrupted, false);
			spin_unlock(&process.lock);
			return false;
		}
		bool concerns = concerns_program_locked(delivery);
		bool stops = process.is_stopped && !was_stopped;

		spin_unlock(&process.lock);
		if (concerns)
			return true;
		if (stops)
			stop_program();
	}
}

void signal_handler_entered(const struct signal_delivery *delivery)
{
	struct signal_thread *state = &thread_current()->signal;
	uint64_t blocked = state->blocked | delivery->action.mask;

	if ((delivery->action.flags & LINUX_SA_NODEFER) == 0)
		blocked |= SIGNAL_BIT(delivery->info.signo);
	state->restore_mask = false;
	set_blocked(blocked);
}

void signal_force_bad_frame(int signal)
{
	if (signal == LINUX_SIGSEGV) {
		spin_lock(&process.lock);
		reset_action_locked(LINUX_SIGSEGV);
		spin_unlock(&process.lock);
	}
	signal_force_fault(LINUX_SIGSEGV, LINUX_SI_KERNEL, 0, 0, 0);
}
