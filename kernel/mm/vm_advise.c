/* madvise. */
#include "abi/linux/errno.h"
#include "abi/linux/mman.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm_area.h"
#include "kernel/panic.h"
#include "lib/string.h"

/* Dropping less than this of a huge page clears it in place: cheaper than a split, a
 * flush and new faults. */
#define CLEAR_IN_PLACE_BYTES (64ull << 10)

/* ---- dropping pages ----------------------------------------------------------- */

/* [start, end) lies within one huge block: if a huge page is there, clears the part in
 * place when that is cheap, else splits it. */
static int drop_part(uintptr_t start, uintptr_t end)
{
	struct platform_mapping mapping = platform_lookup(start, NULL);

	if (mapping.bytes == HUGE_PAGE_BYTES && mapping.owned &&
		end - start <= CLEAR_IN_PLACE_BYTES) {
		memset(platform_phys_to_virt(
			       (struct phys){mapping.phys.raw + (start & (HUGE_PAGE_BYTES - 1))}),
			0, end - start);
		return 0;
	}
	if (mapping.bytes == HUGE_PAGE_BYTES && platform_split(start) != 0) {
		if (!mapping.owned)
			return -LINUX_ENOMEM;
		memset(platform_phys_to_virt(
			       (struct phys){mapping.phys.raw + (start & (HUGE_PAGE_BYTES - 1))}),
			0, end - start);
		return 0;
	}
	pages_drop(start, end, PAGES_ALL);
	return 0;
}

/* [start, end) of one area reads as zeroes, or as the file, from now on. */
static int drop_contents(const struct area *area, uintptr_t start, uintptr_t end)
{
	uintptr_t whole_start = ALIGN_UP(start, HUGE_PAGE_BYTES);
	uintptr_t whole_end = ALIGN_DOWN(end, HUGE_PAGE_BYTES);
	int error = 0;

	/* Nobody but its mapping holds the contents of shared anonymous memory. */
	if (area->source == NULL && (area->flags & VM_SHARED) != 0)
		return 0;
	if (whole_start > whole_end)
		return drop_part(start, end);
	if (start < whole_start)
		error = drop_part(start, whole_start);
	if (error == 0 && whole_end < end)
		error = drop_part(whole_end, end);
	if (error == 0)
		pages_drop(whole_start, whole_end, PAGES_ALL);
	return error;
}

/* ---- collapsing ---------------------------------------------------------------- */

static void copy_pages(struct phys huge, uintptr_t block)
{
	uint8_t *target = platform_phys_to_virt(huge);

	for (uintptr_t at = block; at < block + HUGE_PAGE_BYTES; at += PAGE_BYTES) {
		struct platform_mapping mapping = platform_lookup(at, NULL);

		if (mapping.bytes != 0)
			memcpy(target, platform_phys_to_virt(mapping.phys), PAGE_BYTES);
		target += PAGE_BYTES;
	}
}

/* Replaces the small pages of a block by a huge one. Writers are held off by taking
 * the right to write away before copying; their faults wait for vm.lock. */
static int collapse_block(const struct area *area, uintptr_t block)
{
	struct platform_mapping mapping = platform_lookup(block, NULL);
	int rights = pages_rights(area, true, 0);
	struct phys huge;
	uintptr_t next;
	bool any = false;
	int error;

	if (mapping.bytes == HUGE_PAGE_BYTES)
		return 0;
	if (area->source != NULL || block < area->start || block + HUGE_PAGE_BYTES > area->end ||
		(area->flags & VM_NO_HUGE) != 0)
		return -LINUX_EINVAL;
	for (uintptr_t at = block; at < block + HUGE_PAGE_BYTES; at = next) {
		any = platform_lookup(at, &next).bytes != 0 || any;
	}
	if (!any)
		return -LINUX_EINVAL;
	if (!page_alloc(HUGE_PAGE_BYTES >> PAGE_SHIFT, PAGE_ALLOC_ZERO, &huge))
		return -LINUX_ENOMEM;
	for (uintptr_t at = block; at < block + HUGE_PAGE_BYTES; at = next) {
		if (platform_lookup(at, &next).bytes != 0)
			platform_protect(at, rights & ~PAGE_WRITE);
	}
	pages_note_change(block, block + HUGE_PAGE_BYTES);
	pages_finish();
	copy_pages(huge, block);
	pages_drop(block, block + HUGE_PAGE_BYTES, PAGES_ALL);
	pages_finish();
	platform_trim(block, HUGE_PAGE_BYTES);
	error = platform_map(block, huge, HUGE_PAGE_BYTES, rights, true);
	ASSERT(error == 0); /* whether the table was freed or not, none is needed */
	pages_account(HUGE_PAGE_BYTES >> PAGE_SHIFT);
	return 0;
}

static int collapse(const struct area *area, uintptr_t start, uintptr_t end)
{
	int error = 0;

	start = ALIGN_UP(start, HUGE_PAGE_BYTES);
	for (; error == 0 && start + HUGE_PAGE_BYTES <= end; start += HUGE_PAGE_BYTES)
		error = collapse_block(area, start);
	return error;
}

/* ---- the advices ---------------------------------------------------------------- */

static int set_flags(uintptr_t start, uintptr_t end, uint32_t set, uint32_t clear)
{
	struct area *area = area_containing(start);
	uint32_t flags = (area->flags & ~clear) | set;
	int error;

	if (area->flags == flags)
		return 0;
	error = area_isolate(start, end);
	if (error != 0)
		return error;
	area = area_containing(start);
	area->flags = flags;
	area_merge(area);
	return 0;
}

/* [start, end) lies within `area`. */
static int advise_area(struct area *area, uintptr_t start, uintptr_t end, int advice)
{
	bool is_private_anonymous = area->source == NULL && (area->flags & VM_SHARED) == 0;

	switch (advice) {
	case LINUX_MADV_DONTNEED:
	case LINUX_MADV_DONTNEED_LOCKED:
		return drop_contents(area, start, end);
	case LINUX_MADV_FREE:
		return is_private_anonymous ? drop_contents(area, start, end) : -LINUX_EINVAL;
	case LINUX_MADV_REMOVE:
		if (is_private_anonymous)
			return -LINUX_EINVAL;
		if ((area->flags & (VM_SHARED | VM_NEVER_WRITE)) != VM_SHARED)
			return -LINUX_EACCES;
		if (area->source != NULL)
			return -LINUX_EOPNOTSUPP;
		if (pages_split_edges(start, end) != 0)
			return -LINUX_ENOMEM;
		pages_drop(start, end, PAGES_ALL);
		return 0;
	case LINUX_MADV_HUGEPAGE:
		return set_flags(start, end, VM_HUGE, VM_NO_HUGE);
	case LINUX_MADV_NOHUGEPAGE:
		return set_flags(start, end, VM_NO_HUGE, VM_HUGE);
	case LINUX_MADV_COLLAPSE:
		return collapse(area, start, end);
	case LINUX_MADV_WIPEONFORK:
		return is_private_anonymous ? 0 : -LINUX_EINVAL;
	default:
		return 0; /* about reading ahead, swapping, forking and dumping, which are not done
			   */
	}
}

static bool advice_is_known(int advice)
{
	return (advice >= LINUX_MADV_NORMAL && advice <= LINUX_MADV_DONTNEED) ||
	       (advice >= LINUX_MADV_FREE && advice <= LINUX_MADV_COLLAPSE);
}

static int populate_error(enum vm_fault_result result)
{
	switch (result) {
	case VM_FAULT_SERVED:
		return 0;
	case VM_FAULT_PROTECTION:
		return -LINUX_EINVAL;
	case VM_FAULT_BUS:
		return -LINUX_EFAULT;
	default:
		return -LINUX_ENOMEM;
	}
}

int vm_advise(uintptr_t address, uint64_t bytes, int advice)
{
	uintptr_t end;
	int error = 0;

	if (!advice_is_known(advice) || (address & (PAGE_BYTES - 1)) != 0 ||
		bytes > UINT64_MAX - PAGE_BYTES ||
		ALIGN_UP(bytes, PAGE_BYTES) > UINTPTR_MAX - address)
		return -LINUX_EINVAL;
	end = address + ALIGN_UP(bytes, PAGE_BYTES);
	if (advice == LINUX_MADV_POPULATE_READ || advice == LINUX_MADV_POPULATE_WRITE) {
		if (end > USER_END)
			return -LINUX_ENOMEM;
		return populate_error(
			range_populate(address, end, advice == LINUX_MADV_POPULATE_WRITE));
	}
	vm_lock();
	/* Like Linux: holes are skipped, and reported at the end. */
	while (address < end) {
		struct area *area = area_find(address);
		uintptr_t piece_end;
		int piece_error;

		if (area == NULL || area->start > address)
			error = -LINUX_ENOMEM;
		if (area == NULL || area->start >= end)
			break;
		address = MAX(address, area->start);
		piece_end = MIN(area->end, end);
		piece_error = advise_area(area, address, piece_end, advice);
		address = piece_end;
		if (piece_error != 0) {
			error = piece_error;
			break;
		}
	}
	pages_finish();
	vm_unlock();
	return error;
}
