/*
 * A door that is opened once: threads wait for a stage of start-up to be reached.
 */
#ifndef MONITOR_GATE_H
#define MONITOR_GATE_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/compiler.h"

struct gate {
	uint32_t is_open;
};

static inline void gate_open(struct gate *gate)
{
	__atomic_store_n(&gate->is_open, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &gate->is_open, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static inline void gate_wait(struct gate *gate)
{
	while (!__atomic_load_n(&gate->is_open, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &gate->is_open, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

#endif
