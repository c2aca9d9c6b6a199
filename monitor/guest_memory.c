/*
 * The one bounds-checked accessor of guest memory; see guest_memory.h.
 */
#include <string.h>

#include "monitor/guest_memory.h"

#define PTE_PRESENT 1ull
#define PTE_LARGE   (1ull << 7)
#define PTE_ADDRESS 0x000ffffffffff000ull

bool guest_memory_add(
	struct guest_memory *memory, uint64_t base, uint64_t bytes, void *host, bool writable)
{
	if (bytes == 0)
		return true;
	if (memory->range_count == GUEST_MEMORY_MAX_RANGES)
		return false;
	memory->ranges[memory->range_count++] = (struct guest_range){base, bytes, host, writable};
	return true;
}

void *guest_memory_at(
	const struct guest_memory *memory, uint64_t base, uint64_t bytes, bool for_writing)
{
	if (bytes == 0)
		return NULL;
	for (unsigned i = 0; i < memory->range_count; i++) {
		const struct guest_range *range = &memory->ranges[i];
		uint64_t offset = base - range->base;

		if (base < range->base || offset >= range->bytes)
			continue;
		if (bytes > range->bytes - offset || (for_writing && !range->writable))
			return NULL;
		return range->host + offset;
	}
	return NULL;
}

bool guest_memory_read(
	const struct guest_memory *memory, uint64_t base, void *buffer, uint64_t bytes)
{
	const void *host = guest_memory_at(memory, base, bytes, false);

	if (!host)
		return false;
	memcpy(buffer, host, bytes);
	return true;
}

static bool translate(
	const struct guest_memory *memory, uint64_t root, uint64_t virt, uint64_t *phys)
{
	uint64_t table = root & PTE_ADDRESS;

	for (int level = 3; level >= 0; level--) {
		unsigned shift = 12 + 9 * (unsigned)level;
		uint64_t entry;

		if (!guest_memory_read(memory, table + ((virt >> shift) % 512) * 8, &entry, 8) ||
			!(entry & PTE_PRESENT))
			return false;
		if (level == 0 || (level < 3 && (entry & PTE_LARGE))) {
			uint64_t offset_mask = (1ull << shift) - 1;

			*phys = (entry & PTE_ADDRESS & ~offset_mask) | (virt & offset_mask);
			return true;
		}
		table = entry & PTE_ADDRESS;
	}
	return false;
}

bool guest_memory_read_virtual(const struct guest_memory *memory, uint64_t root, uint64_t virt,
	void *buffer, uint64_t bytes)
{
	uint8_t *to = buffer;

	while (bytes > 0) {
		uint64_t part = MIN(bytes, 4096 - virt % 4096), phys;

		if (!translate(memory, root, virt, &phys) ||
			!guest_memory_read(memory, phys, to, part))
			return false;
		virt += part;
		to += part;
		bytes -= part;
	}
	return true;
}
