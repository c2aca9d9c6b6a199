/*
 * Signals, as in signal(7).
 *
 * Actions belong to the program, masks, alternate stack and directed signals to a
 * thread. All state below is guarded by one lock, `signal.lock`, rank 30, which may
 * be taken inside thread_for_each(), but for `interrupted`, which anybody may read:
 * true when the thread has something to do before it returns to the program or goes
 * on sleeping. Whoever has work for a thread sets it (sched_interrupt_thread wakes or
 * kicks the thread); only the thread itself clears it, in signal_deliver(). A call
 * that ended with -ERESTART* because of it can therefore rely on signal_deliver().
 *
 * signal.c, queue.c: state, sending, taking. kernel/syscall/signal_deliver.c and
 * signal_frame.c: what the program sees (default actions, handler frames, restarts).
 */
#ifndef KERNEL_SIGNAL_SIGNAL_H
#define KERNEL_SIGNAL_SIGNAL_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "arch/x86_64/trap_frame.h"
#include "abi/linux/signal.h"
#include "kernel/signal/queue.h"

struct thread;

/* What a call that returned -LINUX_ERESTART_RESTARTBLOCK left for restart_syscall(2):
 * used when no handler ran, so that a relative timeout is not waited for twice. */
struct signal_restart {
	long (*resume)(struct signal_restart *restart);
	uint64_t arguments[5];
};

/* A fault waiting to be delivered to the thread that made it. Own use of the thread. */
struct signal_fault {
	bool is_pending;
	int trap_number;
	uint64_t error;
	uintptr_t address; /* CR2 of the last fault, as sigcontext shows it */
	struct linux_siginfo info;
};

struct signal_thread {
	bool interrupted;
	bool is_released;  /* takes no more signals: it ends */
	bool restore_mask; /* sigsuspend, ppoll: saved_mask is put back at return */
	uint64_t blocked;  /* bit n-1: signal n */
	uint64_t saved_mask;
	uint64_t waiting_for;      /* sigtimedwait: signals to take, 0 when not in it */
	struct signal_queue queue; /* directed at the thread */
	/* Own use of the thread. */
	struct linux_stack alternate;
	struct signal_fault fault;
	struct signal_restart restart;
};

void signal_init(void);
/* A new thread inherits the mask of the current one; its alternate stack is none. */
void signal_thread_init(struct thread *thread);
/* Drops what is pending for the thread; process signals it was to take go to another.
 * Called by a thread that ends, after it has left the table of threads. Harmless when
 * called again. */
void signal_thread_release(struct thread *thread);

/* Sends to the program (any thread that does not block it) or to one thread.
 * Ignored signals vanish. -EAGAIN when the queue is full, -EINVAL. Any context. A
 * signal of a timer (SI_TIMER) that is still pending only counts an overrun. */
int signal_send_process(const struct linux_siginfo *info);
int signal_send_thread(struct thread *thread, const struct linux_siginfo *info);
/* A fault of the current thread: delivered even if blocked or ignored (then fatal). */
void signal_force_fault(int signal, int code, uintptr_t address, int trap_number, uint64_t error);

/* Before the return to the program: runs default actions, builds handler frames,
 * resolves -ERESTART* in frame->rax. Call it whenever `interrupted` is set. May sleep;
 * may not return. */
void signal_deliver(struct trap_frame *frame);

/* rt_sigprocmask with kernel values; how: LINUX_SIG_BLOCK... Cannot block KILL, STOP. */
int signal_set_mask(int how, uint64_t set, uint64_t *old);
/* Installs `mask` until the next return to the program (ppoll, epoll_pwait, sigsuspend);
 * a handler runs with `mask` and then the old mask comes back. */
void signal_set_temporary_mask(uint64_t mask);
/* Undo when the call ends without a signal. */
void signal_restore_temporary_mask(void);

/* For signalfd and sigtimedwait: takes one pending signal of `set`, the thread's own
 * before the program's; false if none. */
bool signal_take(uint64_t set, struct linux_siginfo *info);
/* Pending for the current thread or the program. */
uint64_t signal_pending(void);
/* The current thread sleeps in sigtimedwait for `set`, which it blocks; 0 ends that. */
void signal_set_waiting(uint64_t set);
/* Woken whenever a signal is sent (signalfd, sigtimedwait). */
struct wait_queue *signal_wait_queue(void);

/* rt_sigaction with kernel values. `action`, `old` may be NULL. -EINVAL. */
int signal_set_action(
	int signal, const struct linux_sigaction *action, struct linux_sigaction *old);

/* What a thread has to do about one signal, as taken by signal_next(). */
struct signal_delivery {
	struct linux_siginfo info;
	struct linux_sigaction action; /* handler is SIG_DFL: `info.signo` ends the program */
};

/* For signal_deliver(): the next signal of the current thread that has a handler or
 * ends the program; what is ignored is dropped, what stops the program waits inside.
 * SA_RESETHAND has been obeyed. False, with `interrupted` cleared, when there is none. */
bool signal_next(struct signal_delivery *delivery);
/* A handler was set up: blocks its mask, drops a saved mask. */
void signal_handler_entered(const struct signal_delivery *delivery);
/* The mask a handler frame must save: that from before a temporary one. */
uint64_t signal_mask_to_save(void);
/* Puts a mask in place, as rt_sigreturn does. KILL and STOP are left out. */
void signal_replace_mask(uint64_t mask);
/* No handler frame could be written for `signal`: SIGSEGV, fatal if it was one. */
void signal_force_bad_frame(int signal);

/* RLIMIT_SIGPENDING: how many signals may be queued at once. */
void signal_set_queue_limit(uint64_t limit);
uint64_t signal_queue_limit(void);
uint32_t signal_queued_count(void);

/* Masks for /proc/self/status. */
struct signal_masks {
	uint64_t ignored, caught, process_pending;
};
void signal_get_masks(struct signal_masks *masks);

#endif
