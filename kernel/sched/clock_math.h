/*
 * Multiplication by a ratio of two frequencies, as multiplier and shift. Pure.
 */
#ifndef KERNEL_SCHED_CLOCK_MATH_H
#define KERNEL_SCHED_CLOCK_MATH_H

#include "lib/compiler.h"

struct clock_scale {
	uint64_t multiplier; /* below 2^63 */
	uint32_t shift;      /* at most 63 */
};

/* x * to / from. Both at least 1; their ratio must lie below 2^63. */
static inline struct clock_scale clock_scale(uint64_t to, uint64_t from)
{
	struct clock_scale scale = {0, 63};
	unsigned __int128 multiplier = ((unsigned __int128)to << 63) / from;

	while (multiplier >> 63) {
		multiplier >>= 1;
		scale.shift--;
	}
	scale.multiplier = (uint64_t)multiplier;
	return scale;
}

/* Rounds down; UINT64_MAX where the result does not fit. */
static inline uint64_t clock_scale_apply(const struct clock_scale *scale, uint64_t value)
{
	unsigned __int128 result = (unsigned __int128)value * scale->multiplier >> scale->shift;

	return result >> 64 ? UINT64_MAX : (uint64_t)result;
}

static inline int64_t clock_scale_signed(const struct clock_scale *scale, int64_t value)
{
	return value < 0 ? -(int64_t)clock_scale_apply(scale, -(uint64_t)value)
			 : (int64_t)clock_scale_apply(scale, (uint64_t)value);
}

#endif
