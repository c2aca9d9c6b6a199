/*
 * Pending signals of a thread or of the program.
 *
 * A signal below SIGRTMIN is pending once, with the siginfo of its first sender; a
 * real-time signal as often as it was sent, oldest first. One entry lives in the
 * queue itself, so that the usual case (one signal at a time) allocates nothing.
 * Callers hold signal.lock.
 */
#ifndef KERNEL_SIGNAL_QUEUE_H
#define KERNEL_SIGNAL_QUEUE_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "abi/linux/signal.h"

struct queued_signal {
	struct list link;
	struct linux_siginfo info;
};

struct signal_queue {
	uint64_t pending;    /* bit n-1: signal n */
	struct list entries; /* struct queued_signal, in order */
	bool first_in_use;
	struct queued_signal first;
};

#define SIGNAL_BIT(signal) (1ull << ((signal)-1))

void signal_queue_init(struct signal_queue *queue);

enum signal_queue_result {
	SIGNAL_QUEUED,
	SIGNAL_ALREADY_PENDING, /* nothing to tell anybody */
	SIGNAL_QUEUE_FULL,      /* only of real-time signals that carry information */
};

enum signal_queue_result signal_queue_add(
	struct signal_queue *queue, const struct linux_siginfo *info);
/* Takes the first signal of `set` in the order of signal(7): faults, then by number. */
bool signal_queue_take(struct signal_queue *queue, uint64_t set, struct linux_siginfo *info);
/* Drops all signals of `set`. */
void signal_queue_drop(struct signal_queue *queue, uint64_t set);

/* Entries of all queues together, and how many there may be. */
extern uint32_t signal_queue_entries;
extern uint64_t signal_queue_max_entries;

#endif
