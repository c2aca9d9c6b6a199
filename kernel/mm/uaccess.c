/* Access to the program's memory; the instructions themselves are in user_access.h. */
#include "kernel/mm/uaccess.h"

#include "abi/linux/errno.h"
#include "kernel/mm/user_access.h"
#include "kernel/platform.h"
#include "lib/string.h"

size_t user_copy_some_in(void *dst, uintptr_t src, size_t bytes)
{
	if (bytes == 0 || !user_range_ok(src, bytes))
		return 0;
	return bytes - user_access_copy(dst, (const void *)src, bytes);
}

size_t user_copy_some_out(uintptr_t dst, const void *src, size_t bytes)
{
	if (bytes == 0 || !user_range_ok(dst, bytes))
		return 0;
	return bytes - user_access_copy((void *)dst, src, bytes);
}

size_t user_zero_some(uintptr_t dst, size_t bytes)
{
	if (bytes == 0 || !user_range_ok(dst, bytes))
		return 0;
	return bytes - user_access_zero((void *)dst, bytes);
}

int user_copy_in(void *dst, uintptr_t src, size_t bytes)
{
	return user_copy_some_in(dst, src, bytes) == bytes ? 0 : -LINUX_EFAULT;
}

int user_copy_out(uintptr_t dst, const void *src, size_t bytes)
{
	return user_copy_some_out(dst, src, bytes) == bytes ? 0 : -LINUX_EFAULT;
}

int user_zero(uintptr_t dst, size_t bytes)
{
	return user_zero_some(dst, bytes) == bytes ? 0 : -LINUX_EFAULT;
}

long user_copy_string(char *dst, uintptr_t src, size_t capacity)
{
	size_t done = 0;

	while (done < capacity) {
		size_t to_page_end = PAGE_BYTES - ((src + done) & (PAGE_BYTES - 1));
		size_t here = MIN(capacity - done, to_page_end);
		const char *end;

		if (!user_range_ok(src + done, here) ||
			user_access_copy(dst + done, (const void *)(src + done), here) != 0)
			return -LINUX_EFAULT;
		end = memchr(dst + done, '\0', here);
		if (end != NULL)
			return end - dst;
		done += here;
	}
	return -LINUX_ENAMETOOLONG;
}

int user_load_u32_atomic(uintptr_t address, uint32_t *value)
{
	if (!user_range_ok(address, sizeof(*value)) || user_access_load_u32(address, value) != 0)
		return -LINUX_EFAULT;
	return 0;
}

int user_exchange_u32_atomic(uintptr_t address, uint32_t expected, uint32_t desired, uint32_t *old)
{
	if (!user_range_ok(address, sizeof(*old)) ||
		user_access_exchange_u32(address, expected, desired, old) != 0)
		return -LINUX_EFAULT;
	return 0;
}

int user_touch(uintptr_t address, bool write)
{
	if (!user_range_ok(address, 1) || user_access_touch(address, write) != 0)
		return -LINUX_EFAULT;
	return 0;
}

uintptr_t user_access_fixup(uintptr_t rip, bool *atomic)
{
	for (uint64_t i = 0; i < user_access_entry_count; i++) {
		const struct user_access_entry *entry = &user_access_entries[i];

		if (rip >= entry->start && rip < entry->end) {
			*atomic = entry->atomic != 0;
			return entry->fixup;
		}
	}
	return 0;
}
