/*
 * When things happened since the monitor was started, for --verbose.
 *
 * Marks cost one rdtsc; nothing is printed before timeline_print().
 */
#ifndef MONITOR_TIMELINE_H
#define MONITOR_TIMELINE_H

#include "lib/compiler.h"

enum timeline_mark {
	MARK_START, /* main() */
	MARK_OPTIONS,
	MARK_FILES,
	MARK_MEMORY,
	MARK_VM,
	MARK_SLOTS,
	MARK_IMAGE, /* kernel, program and tables are in place */
	MARK_VCPU,
	MARK_ENTER,  /* vcpu 0 runs */
	MARK_OUTPUT, /* first byte of the program's output written */
	MARK_COUNT
};

static inline uint64_t timeline_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

void timeline_mark(enum timeline_mark mark);
uint64_t timeline_at(enum timeline_mark mark);
/* `program_ticks`: TSC at the program's entry as the guest told, 0 if it did not. */
void timeline_print(uint64_t tsc_hz, uint64_t program_ticks);

#endif
