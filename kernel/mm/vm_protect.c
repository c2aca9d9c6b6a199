/* mprotect: changing the rights of areas and of what they have mapped. */
#include "abi/linux/errno.h"
#include "kernel/mm/vm_area.h"

/* Gives the pages of [start, end) the rights of their area. Only taking rights away
 * needs a flush: a vcpu that has not seen new ones faults, looks again and goes on. */
static void protect_pages(const struct area *area, uintptr_t start, uintptr_t end)
{
	uintptr_t next;

	for (uintptr_t at = start; at < end; at = next) {
		struct platform_mapping mapping = platform_lookup(at, &next);
		int rights;

		if (mapping.bytes == 0)
			continue;
		next = ALIGN_DOWN(at, mapping.bytes) + mapping.bytes;
		rights = pages_rights(area, mapping.owned, mapping.protection);
		if (rights == mapping.protection)
			continue;
		platform_protect(at, rights);
		if ((mapping.protection & ~rights) != 0)
			pages_note_change(next - mapping.bytes, next);
	}
}

/* [start, end) lies within one area. */
static int protect_piece(uintptr_t start, uintptr_t end, int protection)
{
	struct area *area = area_containing(start);
	int error;

	if (area->protection == protection)
		return 0;
	if ((protection & PAGE_WRITE) != 0 && (area->flags & VM_NEVER_WRITE) != 0)
		return -LINUX_EACCES;
	if ((area->protection & PAGE_WRITE) == 0 &&
		!range_may_commit(end - start, protection, area->flags, area->source))
		return -LINUX_ENOMEM;
	error = pages_split_edges(start, end);
	if (error == 0)
		error = area_isolate(start, end);
	if (error != 0)
		return error;
	area = area_containing(start);
	area->protection = protection;
	protect_pages(area, start, end);
	area_merge(area);
	return 0;
}

int vm_protect(uintptr_t address, uint64_t bytes, int protection)
{
	uintptr_t end;
	int error = 0;

	if ((address & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if (bytes == 0)
		return 0;
	if (!user_range_ok(address, bytes))
		return -LINUX_ENOMEM;
	if ((protection & PAGE_WRITE) != 0 && (protection & PAGE_EXECUTE) != 0)
		return -LINUX_EACCES;
	end = address + ALIGN_UP(bytes, PAGE_BYTES);
	vm_lock();
	/* Like Linux, what comes before an error has been changed. */
	while (address < end && error == 0) {
		struct area *area = area_containing(address);
		uintptr_t piece_end = area != NULL ? MIN(area->end, end) : end;

		error = area != NULL ? protect_piece(address, piece_end, protection)
				     : -LINUX_ENOMEM;
		address = piece_end;
	}
	pages_finish();
	vm_unlock();
	return error;
}
