/*
 * Clock ids of the program: the fixed ones, and those of one thread's or the program's
 * CPU time (clock_getcpuclockid(3), pthread_getcpuclockid(3)).
 */
#ifndef KERNEL_SYSCALL_CLOCK_ID_H
#define KERNEL_SYSCALL_CLOCK_ID_H

#include "abi/linux/time.h"
#include "lib/compiler.h"

struct thread;

enum clock_kind {
	CLOCK_KIND_REALTIME,
	CLOCK_KIND_MONOTONIC,
	CLOCK_KIND_PROCESS_CPU,
	CLOCK_KIND_THREAD_CPU,
};

struct clock_id {
	enum clock_kind kind;
	bool is_coarse;
	bool can_sleep;        /* clock_nanosleep and timer_create take it */
	struct thread *thread; /* THREAD_CPU: whose, with a reference */
};

/* -EINVAL: no such clock or thread. clock_id_release() when done. */
MUST_CHECK int clock_id_get(int id, struct clock_id *clock);
void clock_id_release(struct clock_id *clock);
uint64_t clock_id_now_ns(const struct clock_id *clock);

#endif
