/* See fake_memory.h. */
#include "arch/host/fake_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/mm/page_alloc.h"

bool fake_memory_can_give_back = true;
uint64_t fake_memory_given_back_bytes;

static uint8_t *memory;
static uint64_t memory_bytes;

void fake_memory_create(uint64_t bytes)
{
	if (memory != NULL)
		munmap(memory, memory_bytes);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	memory_bytes = bytes;
	if (memory == MAP_FAILED)
		abort();
}

void fake_memory_start(uint64_t base, uint64_t bytes, bool is_zero)
{
	struct boot_info info = {.region_count = 1};

	fake_memory_create(base + bytes);
	if (!is_zero)
		memset(memory, 0xcc, base + bytes);
	info.regions[0] = (struct boot_region){
		.base = base, .bytes = bytes, .type = BOOT_REGION_RAM, .is_zero = is_zero};
	page_alloc_init(&info);
}

/* What the fake heap gave has addresses of its own, which only come back from here. */
#define ELSEWHERE (1ull << 62)

void *platform_phys_to_virt(struct phys phys)
{
	if (phys.raw & ELSEWHERE)
		return (void *)(uintptr_t)(phys.raw & ~ELSEWHERE);
	if (phys.raw >= memory_bytes)
		abort();
	return memory + phys.raw;
}

struct phys platform_virt_to_phys(const void *linear)
{
	uint64_t offset = (uint64_t)((const uint8_t *)linear - memory);

	if (offset >= memory_bytes)
		return (struct phys){(uint64_t)(uintptr_t)linear | ELSEWHERE};
	return (struct phys){offset};
}

bool platform_give_back(struct phys base, uint64_t bytes)
{
	if (base.raw + bytes > memory_bytes)
		abort();
	if (!fake_memory_can_give_back)
		return false;
	fake_memory_given_back_bytes += bytes;
	return madvise(memory + base.raw, bytes, MADV_DONTNEED) == 0;
}
