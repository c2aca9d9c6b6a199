/*
 * What happens to the program because of a signal, right before it continues. The
 * contract is in kernel/signal/signal.h.
 */
#include "kernel/signal/signal.h"
#include "kernel/log.h"
#include "kernel/sched/thread.h"
#include "kernel/syscall/numbers.h"
#include "kernel/syscall/signal_frame.h"
#include "kernel/syscall/syscall.h"

/* Lengths of what the program executes to make a call: it is executed again. */
#define CALL_BYTES    5 /* call rel32 at a rewritten site */
#define SYSCALL_BYTES 2

static bool wants_restart(const struct trap_frame *frame)
{
	if (frame->vector != TRAP_SYSCALL_CALL && frame->vector != TRAP_SYSCALL_TRAP)
		return false;
	if (frame->error == SYSCALL_NO_RESTART)
		return false;
	switch ((int64_t)frame->rax) {
	case -LINUX_ERESTARTSYS:
	case -LINUX_ERESTARTNOHAND:
	case -LINUX_ERESTART_RESTARTBLOCK:
		return true;
	default:
		return false;
	}
}

/* A handler is about to run: the call fails with EINTR or is made again afterwards. */
static void settle_call(struct trap_frame *frame, const struct linux_sigaction *action)
{
	if (!wants_restart(frame))
		return;
	if ((int64_t)frame->rax == -LINUX_ERESTARTSYS && (action->flags & LINUX_SA_RESTART)) {
		frame->rax = frame->error;
		frame->rip -= frame->vector == TRAP_SYSCALL_CALL ? CALL_BYTES : SYSCALL_BYTES;
	} else {
		frame->rax = (uint64_t)-LINUX_EINTR;
	}
}

/* No handler ran: the call is made again here, without a detour through the program
 * (whose rewritten site may have the number built in). */
static void make_call_again(struct trap_frame *frame)
{
	if ((int64_t)frame->rax == -LINUX_ERESTART_RESTARTBLOCK)
		frame->rax = SYSCALL_RESTART_SYSCALL;
	else
		frame->rax = frame->error;
	syscall_dispatch(frame);
}

static _Noreturn void end_program(
	const struct signal_delivery *delivery, const struct trap_frame *frame)
{
	const struct linux_siginfo *info = &delivery->info;

	log_verbose("killed by signal %d (code %d, address %#lx) at rip %#lx", info->signo,
		info->code, info->code > 0 ? (unsigned long)info->fault.address : 0,
		(unsigned long)frame->rip);
	process_exit(128 + info->signo, info->signo);
}

/* Returns whether a handler was set up. */
static bool run_actions(struct trap_frame *frame)
{
	struct signal_delivery delivery;
	bool has_handler = false;

	while (signal_next(&delivery)) {
		if (delivery.action.handler == LINUX_SIG_DFL)
			end_program(&delivery, frame);
		settle_call(frame, &delivery.action);
		if (signal_frame_build(frame, &delivery) != 0) {
			signal_force_bad_frame(delivery.info.signo);
			continue;
		}
		signal_handler_entered(&delivery);
		has_handler = true;
	}
	return has_handler;
}

void signal_deliver(struct trap_frame *frame)
{
	for (;;) {
		if (run_actions(frame))
			return;
		/* The mask first: with it a signal may be deliverable that was not. */
		signal_restore_temporary_mask();
		if (thread_is_interrupted(thread_current()))
			continue;
		if (!wants_restart(frame))
			return;
		make_call_again(frame);
	}
}
