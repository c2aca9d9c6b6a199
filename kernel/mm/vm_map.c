/* Mapping, unmapping, the break, and looking at areas. */
#include "abi/linux/errno.h"
#include "kernel/mm/page_source.h"
#include "kernel/mm/vm_area.h"
#include "kernel/random.h"

#define TOP_RANDOM_PAGES (1ull << 28) /* 1 TiB of randomness, as Linux */
#define TOP_GAP_BYTES    (64ull << 20)
#define LOW_START        0x40000000ull /* MAP_32BIT */
#define LOW_END          0x80000000ull

void vm_init(void)
{
	uint64_t down = random_below(TOP_RANDOM_PAGES) << PAGE_SHIFT;

	vm = (struct vm){.top = ALIGN_DOWN(USER_END, HUGE_PAGE_BYTES) - TOP_GAP_BYTES - down};
	spin_init(&vm.lock);
	list_init(&vm.fills);
	list_init(&vm.dead);
}

/* ---- map -------------------------------------------------------------------- */

static uintptr_t find_space_aligned(uint64_t bytes, uint32_t flags, uint64_t align)
{
	uintptr_t found;

	if ((flags & VM_LOW) != 0)
		return area_find_gap(LOW_START, LOW_END, bytes, align);
	found = area_find_gap(USER_START, vm.top, bytes, align);
	return found != 0 ? found : area_find_gap(vm.top, USER_END, bytes, align);
}

static uintptr_t find_space(uint64_t bytes, uint32_t flags)
{
	uintptr_t found = 0;

	if (bytes >= HUGE_PAGE_BYTES)
		found = find_space_aligned(bytes, flags, HUGE_PAGE_BYTES);
	return found != 0 ? found : find_space_aligned(bytes, flags, PAGE_BYTES);
}

/* The address for a new mapping; fixed ones are made free. */
static int place(uintptr_t hint, uint64_t bytes, uint32_t flags, uintptr_t *address)
{
	if ((flags & (VM_FIXED | VM_NO_REPLACE)) != 0) {
		if (!user_range_ok(hint, bytes))
			return -LINUX_ENOMEM;
		if ((hint & (PAGE_BYTES - 1)) != 0)
			return -LINUX_EINVAL;
		if (hint < USER_START)
			return -LINUX_EPERM;
		*address = hint;
		if ((flags & VM_NO_REPLACE) != 0)
			return area_range_is_free(hint, hint + bytes) ? 0 : -LINUX_EEXIST;
		return range_unmap(hint, hint + bytes);
	}
	hint = ALIGN_UP(hint, PAGE_BYTES);
	if (hint != 0)
		hint = MAX(hint, USER_START);
	if (hint != 0 && user_range_ok(hint, bytes) &&
		((flags & VM_LOW) == 0 || hint + bytes <= LOW_END) &&
		area_range_is_free(hint, hint + bytes)) {
		*address = hint;
		return 0;
	}
	*address = find_space(bytes, flags);
	return *address != 0 ? 0 : -LINUX_ENOMEM;
}

static int map_locked(
	uintptr_t hint, uint64_t bytes, uint32_t flags, const struct area *like, uintptr_t *result)
{
	int error;

	if (vm.area_count >= AREA_LIMIT ||
		!range_may_commit(bytes, like->protection, like->flags, like->source))
		return -LINUX_ENOMEM;
	error = place(hint, bytes, flags, result);
	return error != 0 ? error : area_add(*result, *result + bytes, like);
}

int vm_map(uintptr_t hint, uint64_t bytes, int protection, uint32_t flags,
	struct page_source *source, uint64_t offset, const char *name, uintptr_t *result)
{
	struct area like = {
		.source = source,
		.offset = source != NULL ? offset : 0,
		.name = name,
		.protection = protection & (PAGE_READ | PAGE_WRITE | PAGE_EXECUTE),
		.flags = flags & VM_KEPT_FLAGS,
	};
	int error;

	if (bytes == 0 || (offset & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if (bytes > USER_END)
		return -LINUX_ENOMEM;
	bytes = ALIGN_UP(bytes, PAGE_BYTES);
	if ((protection & PAGE_WRITE) != 0 &&
		((protection & PAGE_EXECUTE) != 0 || (flags & VM_NEVER_WRITE) != 0))
		return -LINUX_EACCES;
	vm_lock();
	error = map_locked(hint, bytes, flags, &like, result);
	vm_unlock();
	if (error == 0 && (flags & VM_POPULATE) != 0 && protection != 0)
		range_populate(*result, *result + bytes, (protection & PAGE_WRITE) != 0);
	return error;
}

int vm_unmap(uintptr_t address, uint64_t bytes)
{
	int error;

	if ((address & (PAGE_BYTES - 1)) != 0 || bytes == 0 || !user_range_ok(address, bytes))
		return -LINUX_EINVAL;
	vm_lock();
	error = range_unmap(address, address + ALIGN_UP(bytes, PAGE_BYTES));
	vm_unlock();
	return error;
}

/* ---- break ------------------------------------------------------------------- */

void vm_set_break_start(uintptr_t start)
{
	vm_lock();
	vm.break_start = start;
	vm.break_now = start;
	vm_unlock();
}

static bool move_break(uintptr_t wanted)
{
	static const struct area like = {.protection = PAGE_READ | PAGE_WRITE, .name = "[heap]"};
	uintptr_t old_end = ALIGN_UP(vm.break_now, PAGE_BYTES);
	uintptr_t new_end = ALIGN_UP(wanted, PAGE_BYTES);

	if (wanted < vm.break_start || wanted > USER_END)
		return false;
	if (new_end < old_end)
		return range_unmap(new_end, old_end) == 0;
	if (new_end == old_end)
		return true;
	return area_range_is_free(old_end, new_end) &&
	       range_may_commit(new_end - old_end, like.protection, like.flags, NULL) &&
	       area_add(old_end, new_end, &like) == 0;
}

uintptr_t vm_break(uintptr_t wanted)
{
	uintptr_t now;

	vm_lock();
	if (vm.break_start != 0 && move_break(wanted))
		vm.break_now = wanted;
	now = vm.break_now;
	vm_unlock();
	return now;
}

/* ---- looking ------------------------------------------------------------------ */

bool vm_next_area(uintptr_t address, struct vm_area_info *info)
{
	struct area *area;

	vm_lock();
	area = area_find(address);
	if (area != NULL) {
		*info = (struct vm_area_info){
			.start = area->start,
			.end = area->end,
			.protection = area->protection,
			.flags = area->flags,
			.offset = area->offset,
			.source = area->source,
			.name = area->name,
		};
	}
	vm_unlock();
	return area != NULL;
}

bool vm_area_describe(uintptr_t address, char *buffer, size_t capacity, uint64_t *inode)
{
	struct page_source *source = NULL;
	struct area *area;

	*inode = 0;
	if (capacity > 0)
		buffer[0] = '\0';
	vm_lock();
	area = area_containing(address);
	if (area != NULL && area->source != NULL) {
		source = area->source;
		source->ops->acquire(source);
	}
	vm_unlock();
	if (source != NULL) {
		if (source->ops->describe != NULL)
			source->ops->describe(source, buffer, capacity, inode);
		source->ops->release(source);
	}
	return area != NULL;
}

int vm_place(uintptr_t address, struct phys phys, uint64_t bytes, int protection, bool owned)
{
	int error;

	vm_lock();
	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES) {
		if (platform_lookup(address + at, NULL).bytes != 0) {
			platform_unmap(address + at);
			pages_account(-1);
		}
	}
	error = platform_map(address, phys, bytes, protection, owned);
	if (error == 0)
		pages_account((int64_t)(bytes >> PAGE_SHIFT));
	vm_unlock();
	return error;
}

int vm_resident(uintptr_t address, uint64_t bytes, uint8_t *vector)
{
	uintptr_t end = address + bytes, next;
	int error = 0;

	if ((address & (PAGE_BYTES - 1)) != 0 || (bytes & (PAGE_BYTES - 1)) != 0)
		return -LINUX_EINVAL;
	if (!user_range_ok(address, bytes))
		return -LINUX_ENOMEM;
	vm_lock();
	if (!area_range_is_mapped(address, end))
		error = -LINUX_ENOMEM;
	for (uintptr_t at = address; error == 0 && at < end; at = next) {
		bool present = platform_lookup(at, &next).bytes != 0;

		for (next = MIN(next, end); at < next; at += PAGE_BYTES)
			*vector++ = present;
	}
	vm_unlock();
	return error;
}

void vm_counts(struct vm_counts *counts)
{
	vm_lock();
	*counts = (struct vm_counts){
		.mapped_bytes = vm.mapped_pages << PAGE_SHIFT,
		.resident_bytes = vm.resident_pages << PAGE_SHIFT,
		.peak_resident_bytes = vm.peak_resident_pages << PAGE_SHIFT,
		.area_count = vm.area_count,
		.minor_faults = vm.minor_faults,
	};
	vm_unlock();
}
