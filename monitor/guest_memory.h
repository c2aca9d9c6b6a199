/*
 * Guest-physical memory as the monitor sees it.
 *
 * The guest is not trusted: every address it gives is turned into a pointer by
 * guest_memory_at() and by nothing else. Ranges are added before the first vcpu
 * runs and never change. The guest may write what is behind a pointer at any time:
 * copy once, then check the copy.
 */
#ifndef MONITOR_GUEST_MEMORY_H
#define MONITOR_GUEST_MEMORY_H

#include "lib/compiler.h"

#define GUEST_MEMORY_MAX_RANGES 32

struct guest_range {
	uint64_t base; /* guest-physical */
	uint64_t bytes;
	uint8_t *host;
	bool writable; /* by the monitor: file-backed text is not */
};

struct guest_memory {
	struct guest_range ranges[GUEST_MEMORY_MAX_RANGES];
	unsigned range_count;
};

/* False when the table is full. Empty ranges are ignored. */
bool guest_memory_add(
	struct guest_memory *memory, uint64_t base, uint64_t bytes, void *host, bool writable);

/* Host address of [base, +bytes), or NULL if that is not inside one range that
 * allows the access. `bytes` of 0 gives NULL. */
void *guest_memory_at(
	const struct guest_memory *memory, uint64_t base, uint64_t bytes, bool for_writing);

/* Copies out of guest memory; false if the range is not memory. */
bool guest_memory_read(
	const struct guest_memory *memory, uint64_t base, void *buffer, uint64_t bytes);

/* Reads guest-virtual memory through the page tables at `root` (CR3). */
bool guest_memory_read_virtual(const struct guest_memory *memory, uint64_t root, uint64_t virt,
	void *buffer, uint64_t bytes);

#endif
