/*
 * The page that the kernel shares, read-only, with the vDSO code in the program.
 *
 * monotonic_ns = base_ns + ((tsc - base_tsc) * multiplier >> shift), with a 128-bit
 * product. Writers make `sequence` odd while they change the rest.
 */
#ifndef ABI_VDSO_DATA_H
#define ABI_VDSO_DATA_H

#include <stdint.h>

struct vdso_data {
	uint32_t sequence;
	uint32_t shift;
	uint64_t multiplier;
	uint64_t base_tsc;
	uint64_t base_ns;
	int64_t realtime_offset_ns; /* add to monotonic */
	uint64_t system_call;       /* address of the kernel's direct-call entry; rax = number */
};

_Static_assert(sizeof(struct vdso_data) == 48, "shared layout");

#endif
