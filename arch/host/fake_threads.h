/*
 * Threads for host unit tests of one room: a table the test fills, a current thread it
 * chooses, a clock it sets, and a record of who was told what. Nothing runs by itself:
 * thread_sleep() calls the test's hook, which makes the awaited thing happen.
 * Implements what kernel/sched/thread.h, sched.h (interrupting) and clock_monotonic_ns
 * offer, arch_thread_frame(), and process_exit(), which comes back to the test.
 */
#ifndef ARCH_HOST_FAKE_THREADS_H
#define ARCH_HOST_FAKE_THREADS_H

#include <setjmp.h>

#include "arch/x86_64/trap_frame.h"
#include "kernel/sched/thread.h"

#define FAKE_THREADS_MAX 8

struct fake_thread {
	struct thread thread;
	struct trap_frame frame;
	bool is_started; /* in the table */
	unsigned interrupts, wakes;
};

extern struct fake_thread fake_threads[FAKE_THREADS_MAX];
extern uint64_t fake_now_ns;
/* Called by thread_sleep(); NULL advances the clock to the deadline. */
extern void (*fake_sleep_hook)(uint64_t deadline_ns);

/* Forgets everything; thread 0 is started, has PROCESS_ID and is current. */
void fake_threads_reset(void);
/* Starts thread `index` with tid PROCESS_ID + index; returns it. */
struct thread *fake_thread_start(int index);
void fake_thread_end(int index);
void fake_thread_set_current(int index);

struct fake_exit {
	bool happened;
	int status, signal;
};
extern struct fake_exit fake_exit;
extern jmp_buf fake_exit_jump;
/* Runs `statement`; true if it ended the program (see fake_exit). */
#define FAKE_EXITS(statement)                                                                      \
	(fake_exit.happened = false, setjmp(fake_exit_jump) == 0 ? ((statement), false) : true)

#endif
