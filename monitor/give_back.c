/* See give_back.h. */
#include "monitor/give_back.h"

#include <string.h>
#include <sys/mman.h>

/* Sandbox, base: madvise */

/* The rest is the monitor's: rings and page tables below, files mapped above. */
static bool is_free_ram(const struct layout *layout, uint64_t base)
{
	if (base < LAYOUT_HOLE_START)
		return base >= layout->reserved_end && layout->low_bytes >= HUGE_BYTES &&
		       base <= layout->low_bytes - HUGE_BYTES;
	return base >= LAYOUT_HOLE_END && layout->high_bytes >= HUGE_BYTES &&
	       base - LAYOUT_HOLE_END <= layout->high_bytes - HUGE_BYTES;
}

bool give_back_block(const struct layout *layout, uint32_t number)
{
	uint64_t base = number * HUGE_BYTES;
	uint8_t *host;

	if (!is_free_ram(layout, base))
		return false;
	host = layout_host(layout, base);
	/* Locked memory is not given back. It is zeroes all the same. */
	if (madvise(host, HUGE_BYTES, MADV_DONTNEED) != 0)
		memset(host, 0, HUGE_BYTES);
	return true;
}
