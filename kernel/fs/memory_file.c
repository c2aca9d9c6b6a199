/*
 * Contents of regular files in memory: read, write, sizes, holes, mappings.
 *
 * vnode->lock serialises writers and changes of size. Readers and page faults do
 * not take it, for a copy to the program may fault on a mapping of the same file:
 * they rely on page_cache.h, and on the size being set before pages go.
 */
#include "kernel/fs/memfs.h"
#include "kernel/fs/inotify.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/panic.h"
#include "kernel/rlimit.h"
#include "lib/format.h"
#include "lib/string.h"

#define MOST_BYTES ((uint64_t)INT64_MAX)

static struct phys zero_page;

struct phys memory_file_zero_page(void)
{
	return zero_page;
}

int memory_file_init(void)
{
	return page_alloc(1, PAGE_ALLOC_ZERO, &zero_page) ? 0 : -LINUX_ENOMEM;
}

void memory_file_teardown(void)
{
	page_free(zero_page, 1);
}

static struct memory_file *of(const struct file *file)
{
	return memory_file_of(file->vnode);
}

static uint8_t *page_data(uint64_t slot)
{
	return platform_phys_to_virt((struct phys){slot & ~(PAGE_BYTES - 1)});
}

/* ---- reading ------------------------------------------------------------- */

static long copy_page_out(struct memory_file *memory, struct uio *uio, uint64_t at, size_t bytes)
{
	size_t within = at % PAGE_BYTES, valid, before = uio->bytes_left;
	const uint8_t *data = page_cache_read(&memory->cache, at >> PAGE_SHIFT, &valid);

	if (!data || within >= valid) {
		uio_zero_some(uio, bytes);
	} else {
		size_t real = MIN(bytes, valid - within);

		if (uio_copy_some_to(uio, data + within, real) == real && bytes > real)
			uio_zero_some(uio, bytes - real);
	}
	return (long)(before - uio->bytes_left);
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct memory_file *memory = of(file);
	uint32_t ticket = page_cache_enter(&memory->cache);
	long total = 0;
	bool faulted = false;

	while (uio->bytes_left > 0 && !faulted) {
		uint64_t size = READ_ONCE(memory->vnode.size);
		size_t bytes = MIN(PAGE_BYTES - *offset % PAGE_BYTES, uio->bytes_left);
		long moved;

		if (*offset >= size)
			break;
		bytes = MIN(bytes, size - *offset);
		moved = copy_page_out(memory, uio, *offset, bytes);
		faulted = (size_t)moved < bytes;
		*offset += (uint64_t)moved;
		total += moved;
	}
	page_cache_leave(&memory->cache, ticket);
	if (!(file->flags & LINUX_O_NOATIME))
		vnode_touch_access(&memory->vnode);
	return total > 0 || !faulted ? total : -LINUX_EFAULT;
}

/* ---- what files may take ------------------------------------------------------ */

static bool new_page(struct memory_file *memory, uint32_t flags, struct phys *page)
{
	struct file_system *fs = memory->vnode.fs;
	uint64_t used = __atomic_add_fetch(&fs->used_pages, 1, __ATOMIC_RELAXED);

	if ((fs->limit_pages == 0 || used <= fs->limit_pages) && page_cache_new_page(flags, page))
		return true;
	memory_file_uncount_pages(memory, 1);
	return false;
}

void memory_file_uncount_pages(struct memory_file *memory, uint64_t count)
{
	__atomic_fetch_sub(&memory->vnode.fs->used_pages, count, __ATOMIC_RELAXED);
}

static void discard_page(struct memory_file *memory, struct phys page)
{
	page_cache_discard_page(page);
	memory_file_uncount_pages(memory, 1);
}

static void free_pages(struct memory_file *memory, const struct phys *pages, uint32_t count)
{
	page_cache_free(&memory->cache, pages, count);
	memory_file_uncount_pages(memory, count);
}

/* ---- pages ---------------------------------------------------------------- */

/* Puts a page that is ready in its place, unless another came first (*slot is that). */
static int insert_page(struct memory_file *memory, uint64_t index, struct phys page, uint64_t flags,
	uint64_t *slot)
{
	struct page_cache *cache = &memory->cache;
	uint64_t *place;
	int error = 0;

	spin_lock(&cache->lock);
	place = page_cache_slot_locked(cache, index);
	if (!place) {
		error = -LINUX_ENOSPC;
	} else if (*place && *place != PAGE_SLOT_HOLE) {
		*slot = *place;
		error = -LINUX_EEXIST;
	} else {
		if (!*place && index << PAGE_SHIFT < cache->base_bytes)
			cache->hidden_count++;
		*slot = *place = page.raw | PAGE_SLOT_PRESENT | flags;
		cache->page_count++;
	}
	spin_unlock(&cache->lock);
	return error;
}

static uint64_t find_page(struct memory_file *memory, uint64_t index, bool will_be_used)
{
	uint64_t slot = 0;

	spin_lock(&memory->cache.lock);
	slot = page_cache_find_locked(&memory->cache, index);
	if ((slot & PAGE_SLOT_UNWRITTEN) && will_be_used) {
		slot &= ~PAGE_SLOT_UNWRITTEN;
		*page_cache_slot_locked(&memory->cache, index) = slot;
	}
	spin_unlock(&memory->cache.lock);
	return slot;
}

/* A page of its own for `index`, with what the base has there. */
static int make_page(struct memory_file *memory, uint64_t index, uint64_t flags, uint64_t *slot)
{
	struct phys page;
	size_t valid;
	const void *base = page_cache_read(&memory->cache, index, &valid);
	int error;

	if (!new_page(memory, base ? 0 : PAGE_ALLOC_ZERO, &page))
		return -LINUX_ENOSPC;
	if (base) {
		uint8_t *data = platform_phys_to_virt(page);

		memcpy(data, base, valid);
		memset(data + valid, 0, PAGE_BYTES - valid);
		flags = 0;
	}
	error = insert_page(memory, index, page, flags, slot);
	if (error)
		discard_page(memory, page);
	else if (!list_is_empty(&memory->source.areas))
		vm_unmap_source(&memory->source, index << PAGE_SHIFT, PAGE_BYTES);
	return error == -LINUX_EEXIST ? 0 : error;
}

/* ---- writing --------------------------------------------------------------- */

/* A whole page of new data is copied before anybody can see it. */
static long write_fresh_page(struct memory_file *memory, struct uio *uio, uint64_t index)
{
	size_t before = uio->bytes_left, moved;
	struct phys page;
	uint64_t slot = 0;
	uint8_t *data;
	int error;

	if (!new_page(memory, 0, &page))
		return -LINUX_ENOSPC;
	data = platform_phys_to_virt(page);
	uio_copy_some_from(uio, data, PAGE_BYTES);
	moved = before - uio->bytes_left;
	memset(data + moved, 0, PAGE_BYTES - moved);
	error = moved > 0 ? insert_page(memory, index, page, 0, &slot) : -LINUX_EFAULT;
	if (error == -LINUX_EEXIST)
		memcpy(page_data(slot), data, moved);
	if (error)
		discard_page(memory, page);
	else if (!list_is_empty(&memory->source.areas))
		vm_unmap_source(&memory->source, index << PAGE_SHIFT, PAGE_BYTES);
	return error && error != -LINUX_EEXIST ? error : (long)moved;
}

static long write_page(struct memory_file *memory, struct uio *uio, uint64_t at)
{
	uint64_t index = at >> PAGE_SHIFT;
	size_t within = at % PAGE_BYTES, before = uio->bytes_left, valid;
	size_t bytes = MIN(PAGE_BYTES - within, before);
	uint64_t slot = find_page(memory, index, true);

	if (!slot && bytes == PAGE_BYTES && !page_cache_read(&memory->cache, index, &valid))
		return write_fresh_page(memory, uio, index);
	if (!slot) {
		int error = make_page(memory, index, 0, &slot);

		if (error)
			return error;
	}
	uio_copy_some_from(uio, page_data(slot) + within, bytes);
	return before != uio->bytes_left ? (long)(before - uio->bytes_left) : -LINUX_EFAULT;
}

static long write_pages(struct memory_file *memory, struct uio *uio, uint64_t *offset)
{
	uint64_t size = memory->vnode.size;
	long total = 0, moved = 0;

	if (memory->seals & (LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE))
		return -LINUX_EPERM;
	while (uio->bytes_left > 0 && *offset < MOST_BYTES) {
		if ((memory->seals & LINUX_F_SEAL_GROW) &&
			*offset + MIN(PAGE_BYTES - *offset % PAGE_BYTES, uio->bytes_left) > size) {
			moved = -LINUX_EPERM;
			break;
		}
		moved = write_page(memory, uio, *offset);
		if (moved <= 0)
			break;
		*offset += (uint64_t)moved;
		total += moved;
		if (*offset > size)
			WRITE_ONCE(memory->vnode.size, size = *offset);
	}
	if (total > 0)
		vnode_touch_contents(&memory->vnode);
	return total > 0 ? total : moved;
}

/* What lies beyond the limit of the program is not written: RLIMIT_FSIZE. */
static long write_locked(struct memory_file *memory, struct uio *uio, uint64_t *offset)
{
	uint64_t limit = rlimit_file_bytes();
	size_t beyond;
	long result;

	if (*offset >= limit)
		rlimit_file_exceeded();
	if (*offset >= limit || *offset >= MOST_BYTES)
		return -LINUX_EFBIG;
	beyond = uio->bytes_left - MIN(uio->bytes_left, limit - *offset);
	uio->bytes_left -= beyond;
	result = write_pages(memory, uio, offset);
	uio->bytes_left += beyond;
	return result;
}

static long write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct memory_file *memory = of(file);
	long result;

	if (uio->bytes_left == 0)
		return 0;
	mutex_lock(&memory->vnode.lock);
	if (file->flags & LINUX_O_APPEND)
		*offset = memory->vnode.size;
	result = write_locked(memory, uio, offset);
	mutex_unlock(&memory->vnode.lock);
	return result;
}

/* ---- sizes and holes -------------------------------------------------------- */

static void drop_pages(struct memory_file *memory, uint64_t first, uint64_t last)
{
	struct phys pages[PAGE_CACHE_BATCH];
	uint32_t count;

	if (!list_is_empty(&memory->source.areas))
		vm_unmap_source(&memory->source, first << PAGE_SHIFT,
			last == UINT64_MAX >> PAGE_SHIFT
				? ALIGN_DOWN(UINT64_MAX, PAGE_BYTES) - (first << PAGE_SHIFT)
				: (last - first + 1) << PAGE_SHIFT);
	do {
		uint64_t from = first;

		count = page_cache_take(&memory->cache, first, last, pages, &first);
		if (count > 0 && !list_is_empty(&memory->source.areas))
			vm_unmap_source(
				&memory->source, from << PAGE_SHIFT, (first - from) << PAGE_SHIFT);
		if (count > 0)
			free_pages(memory, pages, count);
	} while (count == PAGE_CACHE_BATCH);
}

/* Zeroes [start, end) within one page, if there is one. */
static int zero_part(struct memory_file *memory, uint64_t start, uint64_t end)
{
	uint64_t index = start >> PAGE_SHIFT, slot = find_page(memory, index, false);
	size_t valid;

	if (start >= end)
		return 0;
	if (!slot) {
		int error;

		if (!page_cache_read(&memory->cache, index, &valid))
			return 0;
		error = make_page(memory, index, 0, &slot);
		if (error)
			return error;
	}
	memset(page_data(slot) + start % PAGE_BYTES, 0, end - start);
	return 0;
}

static void limit_base(struct memory_file *memory, uint64_t bytes)
{
	struct page_cache *cache = &memory->cache;
	uint64_t index = ALIGN_UP(bytes, PAGE_BYTES) >> PAGE_SHIFT, slot;

	spin_lock(&cache->lock);
	if (bytes < cache->base_bytes) {
		while (page_cache_next_locked(cache, index, &index, &slot) &&
			index++ << PAGE_SHIFT < cache->base_bytes)
			cache->hidden_count--;
		cache->base_bytes = bytes;
	}
	spin_unlock(&cache->lock);
}

/* May the file become so large? Comes before the seals, as on Linux. */
static int check_growth(const struct memory_file *memory, uint64_t bytes)
{
	if (bytes <= memory->vnode.size || bytes <= rlimit_file_bytes())
		return 0;
	rlimit_file_exceeded();
	return -LINUX_EFBIG;
}

int memory_file_set_size(struct memory_file *memory, uint64_t bytes)
{
	uint64_t old = memory->vnode.size;
	int error;

	if (bytes > MOST_BYTES)
		return -LINUX_EINVAL;
	error = check_growth(memory, bytes);
	if (error)
		return error;
	if ((bytes < old && (memory->seals & LINUX_F_SEAL_SHRINK)) ||
		(bytes > old && (memory->seals & LINUX_F_SEAL_GROW)))
		return -LINUX_EPERM;
	/* The same size drops what fallocate reserved beyond it, as tmpfs does. */
	if (bytes <= old) {
		if (bytes < old && bytes % PAGE_BYTES) {
			error = zero_part(memory, bytes, ALIGN_UP(bytes, PAGE_BYTES));
			if (error)
				return error;
		}
		WRITE_ONCE(memory->vnode.size, bytes);
		limit_base(memory, bytes);
		drop_pages(memory, ALIGN_UP(bytes, PAGE_BYTES) >> PAGE_SHIFT,
			UINT64_MAX >> PAGE_SHIFT);
	}
	WRITE_ONCE(memory->vnode.size, bytes);
	vnode_touch_contents(&memory->vnode);
	return 0;
}

static int truncate(struct file *file, uint64_t bytes)
{
	int error;

	mutex_lock(&file->vnode->lock);
	error = memory_file_set_size(of(file), bytes);
	mutex_unlock(&file->vnode->lock);
	return error;
}

/* Puts holes over up to PAGE_CACHE_BATCH pages of the base from *index on. Returns how many
 * pages of the file were in the way. */
static int cover_some(struct memory_file *memory, uint64_t *index, uint64_t end,
	struct phys pages[PAGE_CACHE_BATCH], uint32_t *count)
{
	struct page_cache *cache = &memory->cache;
	uint64_t stop = MIN(end, *index + PAGE_CACHE_BATCH);
	int error = 0;

	spin_lock(&cache->lock);
	for (*count = 0; *index < stop; ++*index) {
		uint64_t *slot = page_cache_slot_locked(cache, *index);

		if (!slot) {
			error = -LINUX_ENOSPC;
			break;
		}
		if (!*slot)
			cache->hidden_count++;
		else if (*slot != PAGE_SLOT_HOLE)
			pages[(*count)++] = (struct phys){*slot & ~(PAGE_BYTES - 1)};
		*slot = PAGE_SLOT_HOLE;
	}
	cache->page_count -= *count;
	spin_unlock(&cache->lock);
	return error;
}

/* The base must not show through the hole that pages [first, last] become. */
static int cover_base(struct memory_file *memory, uint64_t first, uint64_t last)
{
	uint64_t base_pages = ALIGN_UP(memory->cache.base_bytes, PAGE_BYTES) >> PAGE_SHIFT;
	uint64_t end = MIN(last + 1, base_pages), index = first;
	struct phys pages[PAGE_CACHE_BATCH];
	uint32_t count;
	int error = 0;

	if (last + 1 >= base_pages) {
		limit_base(memory, first << PAGE_SHIFT);
		return 0;
	}
	while (!error && index < end) {
		uint64_t from = index;

		error = cover_some(memory, &index, end, pages, &count);
		if (!list_is_empty(&memory->source.areas) && index > from)
			vm_unmap_source(
				&memory->source, from << PAGE_SHIFT, (index - from) << PAGE_SHIFT);
		if (count > 0)
			free_pages(memory, pages, count);
	}
	return error;
}

static int punch_hole(struct memory_file *memory, uint64_t offset, uint64_t bytes)
{
	uint64_t end = offset + bytes;
	uint64_t first = ALIGN_UP(offset, PAGE_BYTES), last = ALIGN_DOWN(end, PAGE_BYTES);
	uint64_t base_end;
	int error;

	if (memory->seals & (LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE))
		return -LINUX_EPERM;
	if (first > last)
		return zero_part(memory, offset, end);
	error = zero_part(memory, offset, first);
	if (!error)
		error = zero_part(memory, last, end);
	if (error || first == last)
		return error;
	base_end = ALIGN_UP(memory->cache.base_bytes, PAGE_BYTES);
	if (first < base_end) {
		error = cover_base(memory, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
		if (error)
			return error;
		first = MAX(first, ALIGN_UP(memory->cache.base_bytes, PAGE_BYTES));
	}
	if (first < last)
		drop_pages(memory, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1);
	return 0;
}

static int reserve(struct memory_file *memory, uint64_t offset, uint64_t bytes, bool keep_size)
{
	uint64_t first = offset >> PAGE_SHIFT,
		 end = ALIGN_UP(offset + bytes, PAGE_BYTES) >> PAGE_SHIFT;
	uint64_t slot = 0;
	int error = check_growth(memory, offset + bytes);

	if (error)
		return error;
	if (!keep_size && offset + bytes > memory->vnode.size &&
		(memory->seals & LINUX_F_SEAL_GROW))
		return -LINUX_EPERM;
	if (end - first > UINT32_MAX)
		return -LINUX_ENOSPC;
	for (uint64_t index = first; index < end && !error; index++) {
		/* A page reserved twice counts as written, as on tmpfs. */
		if (!find_page(memory, index, true))
			error = make_page(memory, index, PAGE_SLOT_UNWRITTEN, &slot);
	}
	if (error)
		return error;
	if (!keep_size && offset + bytes > memory->vnode.size)
		WRITE_ONCE(memory->vnode.size, offset + bytes);
	vnode_touch_attributes(&memory->vnode);
	return 0;
}

static int allocate(struct file *file, int mode, uint64_t offset, uint64_t bytes)
{
	struct memory_file *memory = of(file);
	int error;

	if (mode & ~(LINUX_FALLOC_KEEP_SIZE | LINUX_FALLOC_PUNCH_HOLE))
		return -LINUX_EOPNOTSUPP;
	mutex_lock(&file->vnode->lock);
	if (mode & LINUX_FALLOC_PUNCH_HOLE) {
		error = punch_hole(memory, offset, bytes);
		if (!error)
			vnode_touch_contents(&memory->vnode);
	} else {
		error = reserve(memory, offset, bytes, mode & LINUX_FALLOC_KEEP_SIZE);
	}
	mutex_unlock(&file->vnode->lock);
	return error;
}

static bool is_data_locked(struct memory_file *memory, uint64_t index)
{
	uint64_t found, slot;

	if (page_cache_next_locked(&memory->cache, index, &found, &slot) && found == index)
		return slot != PAGE_SLOT_HOLE && !(slot & PAGE_SLOT_UNWRITTEN);
	return page_cache_base(&memory->cache, index);
}

/* The first page from `index` on that is data (or hole); `end` if none is before it. */
static uint64_t find_kind_locked(
	struct memory_file *memory, uint64_t index, uint64_t end, bool data)
{
	while (index < end && is_data_locked(memory, index) != data) {
		uint64_t next = index + 1, slot;

		if (data && index << PAGE_SHIFT >= memory->cache.base_bytes &&
			!page_cache_find_locked(&memory->cache, index) &&
			!page_cache_next_locked(&memory->cache, index, &next, &slot))
			return end;
		index = next;
	}
	return MIN(index, end);
}

static int64_t seek_kind(struct memory_file *memory, uint64_t offset, bool data)
{
	uint64_t size = memory->vnode.size, index = offset >> PAGE_SHIFT;
	uint64_t end = ALIGN_UP(size, PAGE_BYTES) >> PAGE_SHIFT, found;

	if (offset >= size)
		return -LINUX_ENXIO;
	spin_lock(&memory->cache.lock);
	found = find_kind_locked(memory, index, end, data);
	spin_unlock(&memory->cache.lock);
	if (found == end)
		return data ? -LINUX_ENXIO : (int64_t)size;
	return (int64_t)MIN(MAX(found << PAGE_SHIFT, offset), size);
}

static int64_t seek(struct file *file, int64_t offset, int whence)
{
	int64_t base = 0, result;

	if (whence == LINUX_SEEK_DATA || whence == LINUX_SEEK_HOLE) {
		result = offset < 0
				 ? -LINUX_ENXIO
				 : seek_kind(of(file), (uint64_t)offset, whence == LINUX_SEEK_DATA);
	} else {
		if (whence == LINUX_SEEK_CUR)
			base = (int64_t)file->offset;
		else if (whence == LINUX_SEEK_END)
			base = (int64_t)file->vnode->size;
		else if (whence != LINUX_SEEK_SET)
			return -LINUX_EINVAL;
		if (__builtin_add_overflow(base, offset, &result))
			return whence == LINUX_SEEK_SET ? -LINUX_EINVAL : -LINUX_EOVERFLOW;
		if (result < 0)
			return -LINUX_EINVAL;
	}
	if (result >= 0)
		file->offset = (uint64_t)result;
	return result;
}

static int sync(struct file *file, bool data_only)
{
	(void)file;
	(void)data_only;
	return 0;
}

/* ---- mappings ---------------------------------------------------------------- */

static struct memory_file *of_source(struct page_source *source)
{
	return CONTAINER_OF(source, struct memory_file, source);
}

static int get_page(
	struct page_source *source, uint64_t offset, bool write, struct phys *phys, bool *read_only)
{
	struct memory_file *memory = of_source(source);
	uint64_t index = offset >> PAGE_SHIFT, slot;
	const void *base;
	size_t valid;
	int error;

	if (offset >= ALIGN_UP(READ_ONCE(memory->vnode.size), PAGE_BYTES))
		return -LINUX_EFAULT;
	*read_only = false;
	slot = find_page(memory, index, true);
	if (!slot) {
		base = page_cache_read(&memory->cache, index, &valid);
		if (!write &&
			(!base || (valid == PAGE_BYTES && (uintptr_t)base % PAGE_BYTES == 0))) {
			*read_only = true;
			*phys = base ? platform_virt_to_phys(base) : zero_page;
			return 0;
		}
		error = make_page(memory, index, 0, &slot);
		if (error)
			return error == -LINUX_ENOSPC ? -LINUX_ENOMEM : error;
	}
	*phys = (struct phys){slot & ~(PAGE_BYTES - 1)};
	return 0;
}

static void mark_dirty(struct page_source *source, uint64_t offset)
{
	(void)offset;
	vnode_touch_contents(&of_source(source)->vnode);
}

static int sync_source(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	(void)source;
	(void)offset;
	(void)bytes;
	return 0;
}

static void acquire_source(struct page_source *source)
{
	vnode_acquire(&of_source(source)->vnode);
}

static void release_source(struct page_source *source)
{
	vnode_release(&of_source(source)->vnode);
}

static void describe(struct page_source *source, char *buffer, size_t capacity, uint64_t *inode)
{
	struct vnode *vnode = &of_source(source)->vnode;

	*inode = vnode->inode;
	tree_describe_vnode(vnode, buffer, capacity);
}

const struct page_source_ops memory_file_source_ops = {
	.get_page = get_page,
	.mark_dirty = mark_dirty,
	.sync = sync_source,
	.acquire = acquire_source,
	.release = release_source,
	.describe = describe,
};

static struct page_source *page_source(struct file *file)
{
	return &of(file)->source;
}

/* ---- seals ---------------------------------------------------------------------- */

long memory_file_add_seals(struct file *file, uint64_t seals)
{
	struct memory_file *memory;
	long error = 0;

	if (!file->vnode || !vnode_is_memory_file(file->vnode))
		return -LINUX_EINVAL;
	if (!file_is_writable(file))
		return -LINUX_EPERM;
	if (seals & ~0x3full)
		return -LINUX_EINVAL;
	memory = of(file);
	mutex_lock(&memory->vnode.lock);
	if (memory->seals & LINUX_F_SEAL_SEAL)
		error = -LINUX_EPERM;
	else
		memory->seals |= (uint32_t)seals;
	mutex_unlock(&memory->vnode.lock);
	return error;
}

long memory_file_get_seals(struct file *file)
{
	if (!file->vnode || !vnode_is_memory_file(file->vnode))
		return -LINUX_EINVAL;
	return of(file)->seals;
}

const struct file_ops memory_file_ops = {
	.kind = "file",
	.read = read,
	.write = write,
	.seek = seek,
	.truncate = truncate,
	.sync = sync,
	.allocate = allocate,
	.page_source = page_source,
};
