/*
 * Signals, as in signal(7).
 *
 * Actions belong to the program, masks, alternate stack and directed signals to a
 * thread. All state below is guarded by one lock, `signal.lock`, rank 30, but for
 * `interrupted`, which anybody may read: true when the thread has something to do
 * before it returns to the program or goes on sleeping.
 */
#ifndef KERNEL_SIGNAL_SIGNAL_H
#define KERNEL_SIGNAL_SIGNAL_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "arch/x86_64/trap_frame.h"
#include "abi/linux/signal.h"

struct thread;

struct signal_thread {
	bool interrupted;
	bool restore_mask;     /* sigsuspend, ppoll: saved_mask is put back at return */
	uint64_t blocked;      /* bit n-1: signal n */
	uint64_t saved_mask;
	uint64_t pending;      /* directed at the thread */
	struct list queue;     /* struct queued_signal, in order */
	struct linux_stack alternate;
	uint64_t waiting_for;  /* sigtimedwait: signals to take, 0 when not in it */
};

void signal_init(void);
/* A new thread inherits the mask of the current one; its alternate stack is none. */
void signal_thread_init(struct thread *thread);
void signal_thread_release(struct thread *thread);

/* Sends to the program (any thread that does not block it) or to one thread.
 * Ignored signals vanish. -EAGAIN when the queue is full, -EINVAL. Any context. */
int signal_send_process(const struct linux_siginfo *info);
int signal_send_thread(struct thread *thread, const struct linux_siginfo *info);
/* A fault of the current thread: delivered even if blocked or ignored (then fatal). */
void signal_force_fault(int signal, int code, uintptr_t address, int trap_number, uint64_t error);

/* Before the return to the program: runs default actions, builds handler frames,
 * resolves -ERESTART* in frame->rax. */
void signal_deliver(struct trap_frame *frame);

/* rt_sigprocmask with kernel values; how: LINUX_SIG_BLOCK... Cannot block KILL, STOP. */
int signal_set_mask(int how, uint64_t set, uint64_t *old);
/* Installs `mask` until the next return to the program (ppoll, epoll_pwait, sigsuspend);
 * a handler runs with `mask` and then the old mask comes back. */
void signal_set_temporary_mask(uint64_t mask);
/* Undo when the call ends without a signal. */
void signal_restore_temporary_mask(void);

/* For signalfd and sigtimedwait: takes one pending signal of `set`; false if none. */
bool signal_take(uint64_t set, struct linux_siginfo *info);
uint64_t signal_pending(void);
/* Woken whenever a signal is sent (signalfd, sigtimedwait). */
struct wait_queue *signal_wait_queue(void);

#endif
