/* What the sources of file pages ask of the address space, and msync. */
#include "abi/linux/errno.h"
#include "kernel/mm/page_source.h"
#include "kernel/mm/vm_area.h"

/* Takes the right to write away, so that later writes are noticed again. */
static void write_protect(const struct area *area, uintptr_t start, uintptr_t end)
{
	uintptr_t next;

	for (uintptr_t at = start; at < end; at = next) {
		struct platform_mapping mapping = platform_lookup(at, &next);

		if (mapping.bytes == 0)
			continue;
		next = ALIGN_DOWN(at, mapping.bytes) + mapping.bytes;
		if ((mapping.protection & PAGE_WRITE) == 0)
			continue;
		platform_protect(at, pages_rights(area, mapping.owned, 0));
		pages_note_change(next - mapping.bytes, next);
	}
	pages_finish();
}

/* What of the area maps [offset, end_offset); false: nothing. */
static bool part_of_area(const struct area *area, uint64_t offset, uint64_t end_offset,
	uintptr_t *start, uintptr_t *end)
{
	uint64_t area_end_offset = area->offset + (area->end - area->start);
	uint64_t from = MAX(area->offset, offset), to = MIN(area_end_offset, end_offset);

	if (from >= to)
		return false;
	*start = area->start + (ALIGN_DOWN(from, PAGE_BYTES) - area->offset);
	*end = area->start + (ALIGN_UP(to, PAGE_BYTES) - area->offset);
	return true;
}

static uint64_t end_of(uint64_t offset, uint64_t bytes)
{
	return offset + bytes < offset ? UINT64_MAX - PAGE_BYTES : offset + bytes;
}

void vm_unmap_source(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	uintptr_t from, to;

	vm_lock();
	vm.source_sequence++;
	LIST_FOR_EACH (link, &source->areas) {
		const struct area *area = LIST_ENTRY(link, struct area, source_link);

		if (part_of_area(area, offset, end_of(offset, bytes), &from, &to)) {
			pages_split_edges(from, to);
			pages_drop(from, to, PAGES_OF_SOURCE);
		}
	}
	pages_finish();
	vm_unlock();
}

void vm_protect_source(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	uintptr_t from, to;

	vm_lock();
	vm.source_sequence++;
	LIST_FOR_EACH (link, &source->areas) {
		const struct area *area = LIST_ENTRY(link, struct area, source_link);

		if ((area->flags & VM_SHARED) != 0 && (area->protection & PAGE_WRITE) != 0 &&
			part_of_area(area, offset, end_of(offset, bytes), &from, &to))
			write_protect(area, from, to);
	}
	vm_unlock();
}

/* Syncs one area's part; called with the lock, returns with the lock. */
static int sync_piece(const struct area *area, uintptr_t start, uintptr_t end)
{
	struct page_source *source = area->source;
	uint64_t offset = area_offset_of(area, start);
	int error;

	if (source == NULL || (area->flags & VM_SHARED) == 0 || source->ops->sync == NULL)
		return 0;
	write_protect(area, start, end);
	source->ops->acquire(source);
	vm_unlock();
	error = source->ops->sync(source, offset, end - start);
	source->ops->release(source);
	vm_lock();
	return error;
}

int vm_sync(uintptr_t address, uint64_t bytes, bool wait)
{
	uintptr_t end;
	int error = 0, hole = 0;

	if ((address & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	end = address + ALIGN_UP(bytes, PAGE_BYTES);
	if (end < address)
		return -LINUX_ENOMEM;
	vm_lock();
	while (address < end && error == 0) {
		struct area *area = area_find(address);
		uintptr_t piece_end;

		if (area == NULL || area->start > address)
			hole = -LINUX_ENOMEM;
		if (area == NULL || area->start >= end)
			break;
		address = MAX(address, area->start);
		piece_end = MIN(area->end, end);
		if (wait)
			error = sync_piece(area, address, piece_end);
		address = piece_end;
	}
	vm_unlock();
	return error != 0 ? error : hole;
}
