/* See fake_user_access.h. */
#include "arch/host/fake_user_access.h"

#include <string.h>

#include "lib/compiler.h"

static uintptr_t forbidden_start, forbidden_end;

const struct user_access_entry user_access_entries[1] = {{0}};
const uint64_t user_access_entry_count = 0;

void fake_user_forbid(uintptr_t address, size_t bytes)
{
	forbidden_start = address;
	forbidden_end = address + bytes;
}

/* How many bytes from `address` on can be accessed before a fault. */
static size_t allowed(uintptr_t address, size_t bytes)
{
	if (address < 4096)
		return 0;
	if (address >= forbidden_end || address + bytes <= forbidden_start)
		return bytes;
	return address >= forbidden_start ? 0 : forbidden_start - address;
}

size_t user_access_copy(void *dst, const void *src, size_t bytes)
{
	size_t ok = MIN(allowed((uintptr_t)dst, bytes), allowed((uintptr_t)src, bytes));

	if (ok > 0)
		memcpy(dst, src, ok);
	return bytes - ok;
}

size_t user_access_zero(void *dst, size_t bytes)
{
	size_t ok = allowed((uintptr_t)dst, bytes);

	if (ok > 0)
		memset(dst, 0, ok);
	return bytes - ok;
}

int user_access_load_u32(uintptr_t address, uint32_t *value)
{
	if (allowed(address, sizeof(*value)) != sizeof(*value))
		return -1;
	*value = __atomic_load_n((uint32_t *)address, __ATOMIC_SEQ_CST);
	return 0;
}

int user_access_exchange_u32(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *old)
{
	if (allowed(address, sizeof(*old)) != sizeof(*old))
		return -1;
	__atomic_compare_exchange_n(
		(uint32_t *)address, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	*old = expected;
	return 0;
}

int user_access_touch(uintptr_t address, bool write)
{
	(void)write;
	return allowed(address, 1) == 1 ? 0 : -1;
}
