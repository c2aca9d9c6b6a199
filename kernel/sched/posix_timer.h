/*
 * Timers that send signals: timer_create(2) and its kin, and setitimer(2).
 *
 * Ids are the program's. Lock: posix_timer.lock, rank 29, guards the list of timers;
 * a mutex serialises the calls that change one.
 */
#ifndef KERNEL_SCHED_POSIX_TIMER_H
#define KERNEL_SCHED_POSIX_TIMER_H

#include "kernel/sched/interval_timer.h"

struct posix_timer_spec {
	enum interval_clock clock;
	struct thread *clock_thread; /* INTERVAL_CPU: reference given away; NULL: the program */
	bool is_silent;              /* SIGEV_NONE */
	int signal;
	bool value_is_id; /* no sigevent was given: sigev_value is the timer's id */
	uint64_t value;
	struct thread *target; /* SIGEV_THREAD_ID: reference given away; NULL: the program */
};

void posix_timer_init(void);
/* The id, -EAGAIN, -ENOMEM; on failure the references stay with the caller. */
int posix_timer_create(const struct posix_timer_spec *spec);
/* -EINVAL: no such timer. May sleep. */
int posix_timer_set(int id, const struct interval_setting *setting, bool is_absolute,
	struct interval_setting *old);
int posix_timer_get(int id, struct interval_setting *setting);
int posix_timer_overrun(int id);
int posix_timer_delete(int id);

/* setitimer(2): `which` is 0 real, 1 virtual, 2 profiling. `setting` may be NULL (then
 * nothing changes), as may `old`. -EINVAL. May sleep. */
int itimer_set(int which, const struct interval_setting *setting, struct interval_setting *old);

#endif
