/*
 * Page faults.
 *
 * Each step is entered with vm.lock held and leaves with it dropped. What takes
 * long (clearing a huge page) or sleeps (reading a file) is done without the lock,
 * after which everything is looked up again; STEP_AGAIN starts the fault over.
 *
 * How much to map, given that a fault costs microseconds and clearing a 4 KiB page a
 * tenth of one:
 *   - a write to untouched anonymous memory maps a huge page when the area covers the
 *     whole block and memory is plentiful;
 *   - else some pages around the address: few at first, so that scattered touches do
 *     not waste memory, more when the memory below is in use already;
 *   - of files, the pages around the address that the source has at hand.
 */
#include "abi/linux/errno.h"
#include "kernel/arch.h"
#include "kernel/mm/page_source.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm_area.h"
#include "lib/string.h"

#define ERROR_WRITE   (1u << 1)
#define ERROR_EXECUTE (1u << 4)

#define AROUND_FEW_BYTES     (4 * PAGE_BYTES)
#define AROUND_MANY_BYTES    (16 * PAGE_BYTES)
#define AROUND_MAX_PAGES     16
#define HUGE_LEAST_PAGES     (16ull << 20 >> PAGE_SHIFT) /* no huge pages in smaller machines */
#define PLENTIFUL_FREE_SHIFT 3 /* memory is plentiful when an eighth is free */

enum {
	STEP_AGAIN = -1,
};

struct fault {
	uintptr_t address; /* of the page */
	int need;          /* PAGE_READ, PAGE_WRITE or PAGE_EXECUTE */
	bool atomic;
	bool no_huge; /* there was no huge page to be had */
	struct area *area;
};

/* What was true of the area when the lock was dropped for its source. */
struct source_view {
	struct page_source *source; /* with a reference */
	uint64_t offset;            /* of the faulting page */
	uint64_t sequence;
	uint32_t flags;
};

static int finish(enum vm_fault_result result)
{
	if (result == VM_FAULT_SERVED)
		vm.minor_faults++;
	vm_unlock();
	return (int)result;
}

static bool area_allows(const struct area *area, int need)
{
	if (need == PAGE_READ)
		return area->protection !=
		       0; /* x86 cannot refuse reading what it may write or run */
	return (area->protection & need) != 0;
}

static bool memory_is_plentiful(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.free_pages > counts.total_pages >> PLENTIFUL_FREE_SHIFT;
}

/* ---- anonymous memory ------------------------------------------------------ */

static bool range_has_pages(uintptr_t start, uintptr_t end)
{
	uintptr_t next;

	for (uintptr_t at = start; at < end; at = next) {
		if (platform_lookup(at, &next).bytes != 0)
			return true;
	}
	return false;
}

static bool huge_page_fits(const struct fault *fault, uintptr_t block)
{
	struct page_counts counts;

	if (fault->no_huge || fault->need != PAGE_WRITE || fault->area->source != NULL ||
		(fault->area->flags & VM_NO_HUGE) != 0)
		return false;
	if (block < fault->area->start || block + HUGE_PAGE_BYTES > fault->area->end)
		return false;
	page_alloc_counts(&counts);
	if (counts.total_pages < HUGE_LEAST_PAGES || !memory_is_plentiful())
		return false;
	return !range_has_pages(block, block + HUGE_PAGE_BYTES);
}

static bool block_is_being_filled(uintptr_t block)
{
	LIST_FOR_EACH (link, &vm.fills) {
		if (LIST_ENTRY(link, struct huge_fill, link)->block == block)
			return true;
	}
	return false;
}

/* Lets another vcpu finish the block we want too. */
static int wait_for_fill(void)
{
	vm_unlock();
	arch_relax();
	return STEP_AGAIN;
}

static int step_huge(struct fault *fault, uintptr_t block)
{
	struct huge_fill fill = {.block = block};
	struct phys phys;
	uintptr_t next;
	bool allocated;

	list_add_last(&vm.fills, &fill.link);
	vm_unlock();
	allocated = page_alloc(HUGE_PAGE_BYTES >> PAGE_SHIFT, PAGE_ALLOC_ZERO, &phys);
	vm_lock();
	list_remove(&fill.link);
	fault->area = area_containing(fault->address);
	if (!allocated || fault->area == NULL || !area_allows(fault->area, PAGE_WRITE) ||
		!huge_page_fits(fault, block)) {
		if (allocated)
			page_free(phys, HUGE_PAGE_BYTES >> PAGE_SHIFT);
		fault->no_huge = true;
		vm_unlock();
		return STEP_AGAIN;
	}
	platform_lookup(block, &next);
	if (next < block + HUGE_PAGE_BYTES)
		platform_trim(block, HUGE_PAGE_BYTES); /* an empty table is in the way */
	if (platform_map(block, phys, HUGE_PAGE_BYTES, pages_rights(fault->area, true, 0), true) !=
		0) {
		page_free(phys, HUGE_PAGE_BYTES >> PAGE_SHIFT);
		fault->no_huge = true;
		vm_unlock();
		return STEP_AGAIN;
	}
	pages_account(HUGE_PAGE_BYTES >> PAGE_SHIFT);
	return finish(VM_FAULT_SERVED);
}

/* The aligned range of `bytes` around the address, cut to the area. */
static void around(const struct fault *fault, uint64_t bytes, uintptr_t *start, uintptr_t *end)
{
	*start = MAX(ALIGN_DOWN(fault->address, bytes), fault->area->start);
	*end = MIN(ALIGN_DOWN(fault->address, bytes) + bytes, fault->area->end);
}

/* The range of untouched pages around the address to map with it. */
static void choose_range(const struct fault *fault, uintptr_t *start, uintptr_t *end)
{
	uintptr_t next;

	*start = fault->address;
	*end = fault->address + PAGE_BYTES;
	if (!memory_is_plentiful())
		return;
	around(fault, AROUND_FEW_BYTES, start, end);
	if (*start > fault->area->start && platform_lookup(*start - PAGE_BYTES, NULL).bytes != 0)
		around(fault, AROUND_MANY_BYTES, start, end);
	for (uintptr_t at = *start; at < *end; at = next) {
		if (platform_lookup(at, &next).bytes == 0)
			continue;
		if (at > fault->address) {
			*end = at;
			break;
		}
		*start = next;
	}
}

static int step_anonymous(struct fault *fault)
{
	uintptr_t block = ALIGN_DOWN(fault->address, HUGE_PAGE_BYTES), start, end;
	struct phys phys;
	uint32_t pages;

	if (UNLIKELY(!list_is_empty(&vm.fills)) && block_is_being_filled(block))
		return wait_for_fill();
	if (huge_page_fits(fault, block))
		return step_huge(fault, block);
	choose_range(fault, &start, &end);
	pages = (uint32_t)((end - start) >> PAGE_SHIFT);
	if (!page_alloc(pages, PAGE_ALLOC_ZERO, &phys)) {
		start = fault->address;
		pages = 1;
		if (!page_alloc(pages, PAGE_ALLOC_ZERO, &phys))
			return finish(VM_FAULT_NO_MEMORY);
	}
	/* One table serves the whole range: it fails before anything is mapped. */
	if (platform_map(start, phys, pages * PAGE_BYTES, pages_rights(fault->area, true, 0),
		    true) != 0) {
		page_free(phys, pages);
		return finish(VM_FAULT_NO_MEMORY);
	}
	pages_account(pages);
	return finish(VM_FAULT_SERVED);
}

/* ---- private copies of file pages ------------------------------------------ */

/* Maps a copy of `original`, which is or was mapped at the address or not at all. */
static int copy_page(struct fault *fault, struct phys original, bool was_mapped)
{
	struct phys copy;

	if (!page_alloc(1, 0, &copy))
		return finish(VM_FAULT_NO_MEMORY);
	memcpy(platform_phys_to_virt(copy), platform_phys_to_virt(original), PAGE_BYTES);
	if (platform_map(fault->address, copy, PAGE_BYTES, pages_rights(fault->area, true, 0),
		    true) != 0) {
		page_free(copy, 1);
		return finish(VM_FAULT_NO_MEMORY);
	}
	if (was_mapped) {
		pages_note_change(fault->address, fault->address + PAGE_BYTES);
		pages_finish();
	} else {
		pages_account(1);
	}
	return finish(VM_FAULT_SERVED);
}

/* ---- pages of files --------------------------------------------------------- */

static enum vm_fault_result source_error(int error)
{
	return error == -LINUX_ENOMEM ? VM_FAULT_NO_MEMORY : VM_FAULT_BUS;
}

/* Takes the lock again; true if the area still is as it was and pages got from the
 * source since are still good. */
static bool view_is_valid(struct fault *fault, const struct source_view *view)
{
	vm_lock();
	fault->area = area_containing(fault->address);
	return fault->area != NULL && fault->area->source == view->source &&
	       fault->area->flags == view->flags && vm.source_sequence == view->sequence &&
	       area_offset_of(fault->area, fault->address) == view->offset &&
	       area_allows(fault->area, fault->need);
}

/* A write to a private page: copy it. To a shared one: the source makes it writable. */
static int source_write(struct fault *fault, const struct source_view *view)
{
	bool shared = (view->flags & VM_SHARED) != 0, read_only = false;
	struct platform_mapping mapping;
	struct phys phys;
	int error =
		view->source->ops->get_page(view->source, view->offset, shared, &phys, &read_only);

	if (error != 0 || (shared && read_only))
		return (int)source_error(error);
	if (shared && view->source->ops->mark_dirty != NULL)
		view->source->ops->mark_dirty(view->source, view->offset);
	if (!view_is_valid(fault, view)) {
		vm_unlock();
		return STEP_AGAIN;
	}
	mapping = platform_lookup(fault->address, NULL);
	if (mapping.bytes == HUGE_PAGE_BYTES || (mapping.owned && mapping.bytes != 0)) {
		vm_unlock(); /* others were faster; what is there is judged anew */
		return STEP_AGAIN;
	}
	if (!shared)
		return copy_page(fault, phys, mapping.bytes != 0);
	if (platform_map(fault->address, phys, PAGE_BYTES,
		    pages_rights(fault->area, false, PAGE_WRITE), false) != 0)
		return finish(VM_FAULT_NO_MEMORY);
	if (mapping.bytes == 0)
		pages_account(1);
	else if (mapping.phys.raw != phys.raw)
		pages_note_change(fault->address, fault->address + PAGE_BYTES);
	pages_finish();
	return finish(VM_FAULT_SERVED);
}

/* Pages of a file around a fault: pages[first..last], the first of the window being 0. */
struct source_window {
	uint32_t first, last;
	uint32_t writable; /* bit n: a write to page n need not ask the source first */
	struct phys pages[AROUND_MAX_PAGES];
};

/* Pages from `at` on that can be mapped as one: following each other in memory, of the same
 * kind, where nothing is mapped yet. */
static uint32_t window_run(const struct source_window *window, uint32_t at, uintptr_t start)
{
	const struct phys *pages = window->pages;
	uint32_t next = at + 1;

	while (next <= window->last &&
		pages[next].raw == pages[at].raw + (next - at) * PAGE_BYTES &&
		(window->writable >> next & 1) == (window->writable >> at & 1) &&
		platform_lookup(start + next * PAGE_BYTES, NULL).bytes == 0)
		next++;
	return next - at;
}

/* `start` is the address of page 0. */
static int map_window(struct fault *fault, uintptr_t start, const struct source_window *window)
{
	for (uint32_t i = window->first, run; i <= window->last; i += run) {
		uintptr_t address = start + i * PAGE_BYTES;
		int was = (window->writable >> i & 1) != 0 ? PAGE_WRITE : 0;

		run = 1;
		if (platform_lookup(address, NULL).bytes != 0)
			continue;
		run = window_run(window, i, start);
		if (platform_map(address, window->pages[i], run * PAGE_BYTES,
			    pages_rights(fault->area, false, was), false) != 0)
			return finish(VM_FAULT_NO_MEMORY);
		pages_account(run);
	}
	return finish(VM_FAULT_SERVED);
}

static void window_set(
	struct source_window *window, uint32_t number, struct phys phys, bool read_only)
{
	window->pages[number] = phys;
	if (!read_only)
		window->writable |= 1u << number;
}

/* A page beside the one that is needed. */
static bool window_peek(
	struct source_window *window, uint32_t number, struct page_source *source, uint64_t offset)
{
	bool read_only = true;
	struct phys phys;

	if (source->ops->peek_page != NULL) {
		if (!source->ops->peek_page(source, offset, &phys))
			return false;
	} else if (source->ops->get_page(source, offset, false, &phys, &read_only) != 0) {
		return false;
	}
	window_set(window, number, phys, read_only);
	return true;
}

static int source_read(
	struct fault *fault, const struct source_view *view, uintptr_t start, uintptr_t end)
{
	uint32_t at = (uint32_t)((fault->address - start) >> PAGE_SHIFT);
	struct source_window window = {.first = at, .last = at};
	/* Offsets below `start` of the window are of the same area, so they exist. */
	uint64_t offset = view->offset - at * PAGE_BYTES;
	bool read_only;
	struct phys phys;
	int error =
		view->source->ops->get_page(view->source, view->offset, false, &phys, &read_only);

	if (error != 0)
		return (int)source_error(error);
	window_set(&window, at, phys, read_only);
	while (window.first > 0 && window_peek(&window, window.first - 1, view->source,
					   offset + (window.first - 1) * PAGE_BYTES))
		window.first--;
	while (start + (window.last + 1) * PAGE_BYTES < end &&
		window_peek(&window, window.last + 1, view->source,
			offset + (window.last + 1) * PAGE_BYTES))
		window.last++;
	if (!view_is_valid(fault, view)) {
		vm_unlock();
		return STEP_AGAIN;
	}
	/* The area may have been cut meanwhile. */
	while (start + window.first * PAGE_BYTES < fault->area->start)
		window.first++;
	while (start + (window.last + 1) * PAGE_BYTES > fault->area->end)
		window.last--;
	return map_window(fault, start, &window);
}

static int step_source(struct fault *fault)
{
	struct source_view view = {
		.source = fault->area->source,
		.offset = area_offset_of(fault->area, fault->address),
		.sequence = vm.source_sequence,
		.flags = fault->area->flags,
	};
	uintptr_t start, end;
	int result;

	if (fault->atomic)
		return finish(VM_FAULT_BUS);
	around(fault, AROUND_MANY_BYTES, &start, &end);
	view.source->ops->acquire(view.source);
	vm_unlock();
	if (fault->need == PAGE_WRITE)
		result = source_write(fault, &view);
	else
		result = source_read(fault, &view, start, end);
	view.source->ops->release(view.source);
	return result;
}

/* ---- something is mapped already --------------------------------------------- */

static int step_present(struct fault *fault, const struct platform_mapping *mapping)
{
	struct area *area = fault->area;
	int rights = pages_rights(area, mapping->owned, mapping->protection);

	/* Another vcpu was faster, or this one had not seen the latest rights. */
	if ((mapping->protection & fault->need) != 0)
		return finish(VM_FAULT_SERVED);
	if ((rights & fault->need) != 0) {
		platform_protect(fault->address, rights);
		return finish(VM_FAULT_SERVED);
	}
	/* A write to a page of a file. */
	if (mapping->bytes == HUGE_PAGE_BYTES && platform_split(fault->address) != 0)
		return finish(VM_FAULT_NO_MEMORY);
	if ((area->flags & VM_SHARED) != 0)
		return step_source(fault);
	return copy_page(fault,
		(struct phys){mapping->phys.raw + (fault->address & (mapping->bytes - 1))}, true);
}

static int step(struct fault *fault)
{
	struct platform_mapping mapping;

	vm_lock();
	fault->area = area_containing(fault->address);
	if (fault->area == NULL)
		return finish(VM_FAULT_NO_MAPPING);
	if (!area_allows(fault->area, fault->need))
		return finish(VM_FAULT_PROTECTION);
	mapping = platform_lookup(fault->address, NULL);
	if (mapping.bytes != 0)
		return step_present(fault, &mapping);
	return fault->area->source != NULL ? step_source(fault) : step_anonymous(fault);
}

enum vm_fault_result vm_fault(uintptr_t address, uint64_t error, bool atomic)
{
	struct fault fault = {.address = ALIGN_DOWN(address, PAGE_BYTES), .atomic = atomic};
	int result;

	if (address >= USER_END)
		return VM_FAULT_NO_MAPPING;
	if ((error & ERROR_WRITE) != 0)
		fault.need = PAGE_WRITE;
	else
		fault.need = (error & ERROR_EXECUTE) != 0 ? PAGE_EXECUTE : PAGE_READ;
	do {
		result = step(&fault);
		if (result == VM_FAULT_NO_MEMORY && !atomic && page_alloc_wait_for_reclaim())
			result = STEP_AGAIN;
	} while (result == STEP_AGAIN);
	return (enum vm_fault_result)result;
}

/* The first address in [start, end) without a page, or whose area lacks the right, with
 * *denied telling which; else `end`. */
static uintptr_t first_missing(uintptr_t start, uintptr_t end, int need, bool *denied)
{
	struct area *area = area_find(start);
	uintptr_t at = start, next;

	*denied = false;
	for (; at < end; at = MIN(next, area->end)) {
		struct platform_mapping mapping = platform_lookup(at, &next);

		while (area != NULL && area->end <= at)
			area = area_next(area);
		if (area == NULL || area->start > at)
			return at;
		*denied = (area->protection & need) == 0;
		if (*denied || mapping.bytes == 0 || (mapping.protection & need) == 0)
			return at;
		next = ALIGN_DOWN(at, mapping.bytes) + mapping.bytes;
	}
	return end;
}

enum vm_fault_result range_populate(uintptr_t start, uintptr_t end, bool write)
{
	enum vm_fault_result result = VM_FAULT_SERVED;
	int need = write ? PAGE_WRITE : PAGE_READ;

	while (start < end && result == VM_FAULT_SERVED) {
		bool denied;

		vm_lock();
		start = first_missing(start, end, need, &denied);
		vm_unlock();
		if (denied)
			return VM_FAULT_PROTECTION;
		if (start < end)
			result = vm_fault(start, write ? ERROR_WRITE : 0, false);
	}
	return result;
}
