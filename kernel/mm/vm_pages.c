/*
 * Ranges of page-table entries: dropping, splitting, and the flush that must come
 * between taking a page away and using it again. A flush is dear (microseconds, more
 * with several vcpus), so changes are gathered and flushed once.
 */
#include "abi/linux/errno.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm_area.h"
#include "kernel/panic.h"

/* What one mapping may ask for beyond the machine's memory, as a Linux machine's swap
 * allows: Go maps tables of 32 MiB and touches little of them. */
#define LAZY_ALLOWANCE_PAGES ((256ull << 20) / PAGE_BYTES)

void pages_account(int64_t pages)
{
	vm.resident_pages += (uint64_t)pages;
	if (vm.resident_pages > vm.peak_resident_pages)
		vm.peak_resident_pages = vm.resident_pages;
}

int pages_rights(const struct area *area, bool owned, int was)
{
	int rights = area->protection;

	/* Writing to a file's page must fault first: to copy it, or to tell the file. */
	if (!owned && !((area->flags & VM_SHARED) != 0 && (was & PAGE_WRITE) != 0))
		rights &= ~PAGE_WRITE;
	return rights != 0 ? rights | PAGE_READ : 0;
}

static int split_edge(uintptr_t edge)
{
	struct platform_mapping mapping;

	if ((edge & (HUGE_PAGE_BYTES - 1)) == 0)
		return 0;
	mapping = platform_lookup(edge, NULL);
	return mapping.bytes == HUGE_PAGE_BYTES ? platform_split(edge) : 0;
}

int pages_split_edges(uintptr_t start, uintptr_t end)
{
	int error = split_edge(start);

	return error != 0 ? error : split_edge(end);
}

void pages_note_change(uintptr_t start, uintptr_t end)
{
	if (vm.flush_end == 0) {
		vm.flush_start = start;
		vm.flush_end = end;
		return;
	}
	vm.flush_start = MIN(vm.flush_start, start);
	vm.flush_end = MAX(vm.flush_end, end);
}

void pages_finish(void)
{
	if (vm.flush_end != 0)
		platform_flush(vm.flush_start, vm.flush_end - vm.flush_start);
	vm.flush_start = 0;
	vm.flush_end = 0;
	for (uint32_t i = 0; i < vm.gathered_count; i++)
		page_free(vm.gathered[i].phys, (uint32_t)vm.gathered[i].pages);
	vm.gathered_count = 0;
}

static void gather(struct phys phys, uint64_t pages)
{
	if (vm.gathered_count > 0) {
		struct page_run *last = &vm.gathered[vm.gathered_count - 1];

		if (last->phys.raw + (last->pages << PAGE_SHIFT) == phys.raw) {
			last->pages += pages;
			return;
		}
	}
	if (vm.gathered_count == GATHER_RUNS)
		pages_finish();
	vm.gathered[vm.gathered_count++] = (struct page_run){phys, pages};
}

bool pages_drop(uintptr_t start, uintptr_t end, enum pages_kind kind)
{
	bool any = false;
	uintptr_t next;

	for (uintptr_t at = start; at < end; at = next) {
		struct platform_mapping mapping = platform_lookup(at, &next);

		if (mapping.bytes == 0)
			continue;
		next = ALIGN_DOWN(at, mapping.bytes) + mapping.bytes;
		if (kind == PAGES_OF_SOURCE && mapping.owned)
			continue;
		/* A file's page that reaches beyond the range comes back by a fault. */
		ASSERT(!mapping.owned || (next - mapping.bytes >= start && next <= end));
		platform_unmap(at);
		pages_account(-(int64_t)(mapping.bytes >> PAGE_SHIFT));
		/* Gather first: a full list is flushed, and this page must not miss its flush. */
		if (mapping.owned)
			gather(mapping.phys, mapping.bytes >> PAGE_SHIFT);
		pages_note_change(next - mapping.bytes, next);
		any = true;
	}
	return any;
}

void pages_trim(uintptr_t start, uintptr_t end)
{
	struct area *after = area_find(start);
	struct area *before = after != NULL ? area_previous(after) : NULL;
	uintptr_t low = ALIGN_DOWN(start, HUGE_PAGE_BYTES), high = ALIGN_UP(end, HUGE_PAGE_BYTES);

	if (after == NULL && tree_last(&vm.areas) != NULL)
		before = TREE_ENTRY(tree_last(&vm.areas), struct area, node);
	if (before != NULL && before->end > low)
		low = ALIGN_UP(before->end, HUGE_PAGE_BYTES);
	if (after != NULL && after->start < high)
		high = ALIGN_DOWN(after->start, HUGE_PAGE_BYTES);
	if (low < high)
		platform_trim(low, high - low);
}

bool range_may_commit(
	uint64_t bytes, int protection, uint32_t flags, const struct page_source *source)
{
	struct page_counts counts;

	if ((protection & PAGE_WRITE) == 0 || (flags & VM_NO_RESERVE) != 0)
		return true;
	if (source != NULL && (flags & VM_SHARED) != 0)
		return true;
	page_alloc_counts(&counts);
	return bytes >> PAGE_SHIFT <= counts.total_pages + LAZY_ALLOWANCE_PAGES;
}

int range_unmap(uintptr_t start, uintptr_t end)
{
	int error = area_isolate(start, end);
	struct area *area;

	if (error == 0)
		error = pages_split_edges(start, end);
	if (error != 0)
		return error;
	for (area = area_find(start); area != NULL && area->start < end;) {
		struct area *next = area_next(area);

		area_kill(area);
		area = next;
	}
	if (pages_drop(start, end, PAGES_ALL)) {
		pages_finish();
		pages_trim(start, end);
	}
	return 0;
}
