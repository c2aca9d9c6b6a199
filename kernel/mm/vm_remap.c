/* mremap: growing, shrinking and moving mappings. */
#include "abi/linux/errno.h"
#include "kernel/mm/vm_area.h"
#include "kernel/panic.h"

/* Moves one entry; huge ones stay huge when both addresses allow it. */
static int move_entry(uintptr_t from, uintptr_t to, const struct platform_mapping *mapping)
{
	int error = platform_map(
		to, mapping->phys, mapping->bytes, mapping->protection, mapping->owned);

	if (error == 0)
		platform_unmap(from);
	return error;
}

/* Moves what is mapped in [from, +bytes) to `to`, where nothing is mapped. */
static int move_pages(uintptr_t from, uintptr_t to, uint64_t bytes)
{
	bool congruent = ((from ^ to) & (HUGE_PAGE_BYTES - 1)) == 0;
	uintptr_t next;
	int error;

	for (uintptr_t at = from; at < from + bytes; at = next) {
		struct platform_mapping mapping = platform_lookup(at, &next);

		if (mapping.bytes == 0)
			continue;
		if (mapping.bytes == HUGE_PAGE_BYTES && !congruent) {
			error = platform_split(at);
			if (error != 0)
				return error;
			mapping = platform_lookup(at, &next);
		}
		error = move_entry(at, to + (at - from), &mapping);
		if (error != 0)
			return error;
		next = at + mapping.bytes;
		pages_note_change(at, next);
	}
	return 0;
}

/* Moves the area that is exactly [address, +old_bytes) to a free range. */
static int move_area(struct area *area, uintptr_t to, uint64_t new_bytes)
{
	uintptr_t from = area->start;
	uint64_t bytes = MIN(area->end - area->start, new_bytes);
	int error = pages_split_edges(area->start, area->end);
	struct area *moved = error == 0 ? area_insert(to, to + new_bytes, area) : NULL;

	if (moved == NULL)
		return -LINUX_ENOMEM;
	error = move_pages(from, to, bytes);
	if (error != 0) {
		/* The tables of the old range are still there: moving back needs no memory. */
		int undone = move_pages(to, from, bytes);

		ASSERT(undone == 0);
		area_kill(moved);
		pages_finish();
		return error;
	}
	area_kill(area);
	area_merge(moved);
	pages_finish();
	pages_trim(from, from + bytes);
	return 0;
}

static uintptr_t find_new_place(uintptr_t address, uint64_t bytes)
{
	uint64_t align = bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : PAGE_BYTES;
	uint64_t skew = address & (align - 1);
	/* Congruent addresses let huge pages stay huge. */
	uintptr_t found = area_find_gap(USER_START, vm.top, bytes + skew, align);

	if (found != 0)
		return found + skew;
	found = area_find_gap(USER_START, vm.top, bytes, PAGE_BYTES);
	return found != 0 ? found : area_find_gap(vm.top, USER_END, bytes, PAGE_BYTES);
}

/* Extends the mapping that ends at address + old_bytes where it is, if there is room. */
static bool grow_in_place(const struct area *area, uintptr_t old_end, uintptr_t new_end)
{
	struct area like = *area;

	if (area->end != old_end || new_end > USER_END || !area_range_is_free(old_end, new_end))
		return false;
	like.offset = area_offset_of(area, old_end);
	return area_add(old_end, new_end, &like) == 0;
}

struct remap {
	uintptr_t address;
	uint64_t old_bytes, new_bytes;
	uintptr_t new_address; /* when fixed */
	bool may_move, fixed;
};

static int remap_locked(const struct remap *remap, uintptr_t *result)
{
	uintptr_t old_end = remap->address + remap->old_bytes, to = remap->new_address;
	struct area *area = area_containing(remap->address);
	uint64_t more = remap->new_bytes - MIN(remap->old_bytes, remap->new_bytes);
	int error;

	if (area == NULL)
		return -LINUX_EFAULT;
	*result = remap->address;
	/* Like munmap, this does not ask what the rest of the range is. */
	if (!remap->fixed && more == 0) {
		if (!user_range_ok(remap->address, remap->old_bytes))
			return -LINUX_EINVAL;
		if (remap->new_bytes == remap->old_bytes)
			return 0;
		return range_unmap(remap->address + remap->new_bytes, old_end);
	}
	if (!user_range_ok(remap->address, remap->old_bytes))
		return more == 0 ? -LINUX_EINVAL : -LINUX_EFAULT;
	if (area->end - remap->address < MIN(remap->old_bytes, remap->new_bytes))
		return -LINUX_EFAULT;
	if (more > 0 && !range_may_commit(more, area->protection, area->flags, area->source))
		return -LINUX_ENOMEM;
	if (!remap->fixed && grow_in_place(area, old_end, remap->address + remap->new_bytes))
		return 0;
	if (!remap->may_move)
		return -LINUX_ENOMEM;
	/* Room for what the splits and the new area may need, before anything changes. */
	if (vm.area_count + 4 > AREA_LIMIT)
		return -LINUX_ENOMEM;
	if (remap->fixed)
		error = range_unmap(to, to + remap->new_bytes);
	else
		error = (to = find_new_place(remap->address, remap->new_bytes)) != 0
				? 0
				: -LINUX_ENOMEM;
	if (error == 0 && remap->new_bytes < remap->old_bytes) {
		error = range_unmap(remap->address + remap->new_bytes, old_end);
		old_end = remap->address + remap->new_bytes;
	}
	if (error == 0)
		error = area_isolate(remap->address, old_end);
	if (error == 0)
		error = move_area(area_containing(remap->address), to, remap->new_bytes);
	*result = to;
	return error;
}

int vm_remap(uintptr_t address, uint64_t old_bytes, uint64_t new_bytes, bool may_move, bool fixed,
	uintptr_t new_address, uintptr_t *result)
{
	struct remap remap = {
		.address = address,
		.old_bytes = ALIGN_UP(old_bytes, PAGE_BYTES),
		.new_bytes = ALIGN_UP(new_bytes, PAGE_BYTES),
		.new_address = new_address,
		.may_move = may_move || fixed,
		.fixed = fixed,
	};
	int error;

	if ((address & (PAGE_BYTES - 1)) != 0 || remap.new_bytes == 0)
		return -LINUX_EINVAL;
	if (fixed && ((new_address & (PAGE_BYTES - 1)) != 0 ||
			     !user_range_ok(new_address, remap.new_bytes) ||
			     (new_address < address + remap.old_bytes &&
				     address < new_address + remap.new_bytes)))
		return -LINUX_EINVAL;
	if (fixed && new_address < USER_START)
		return -LINUX_EPERM;
	if (remap.old_bytes == 0)
		return -LINUX_EINVAL; /* a second mapping of shared memory: not offered */
	if (remap.new_bytes > USER_END)
		return -LINUX_ENOMEM;
	vm_lock();
	error = remap_locked(&remap, result);
	vm_unlock();
	return error;
}
