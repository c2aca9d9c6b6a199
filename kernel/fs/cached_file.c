/*
 * Regular files on storage, through the page cache: read, write, sizes, holes, sync.
 *
 * vnode->lock serialises writers and changes of size. Readers and page faults do not take it,
 * for a copy to the program may fault on a mapping of the same file; see cached_pages.h.
 */
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/direct_io.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/rlimit.h"
#include "lib/string.h"

#define MOST_BYTES   ((uint64_t)INT64_MAX)
#define RUN_PAGES    32  /* looked up at a time */
#define FRESH_PAGES  64  /* written at a time */
#define FIRST_WINDOW 32  /* pages of the first read-ahead: 128 KiB */
#define MOST_WINDOW  512 /* 2 MiB */

static struct storage_node *of(const struct file *file)
{
	return storage_node_of(file->vnode);
}

/* ---- reading --------------------------------------------------------------------- */

/* Copies what is cached at `at`, at most `bytes`. 0: nothing is, or (*faulted) the program's
 * memory is not there. Between page_cache_enter and leave. */
static size_t copy_cached(
	struct storage_node *node, struct uio *uio, uint64_t at, size_t bytes, bool *faulted)
{
	uint64_t slots[RUN_PAGES], index = at >> PAGE_SHIFT, within = at % PAGE_BYTES;
	uint32_t count = (uint32_t)MIN(RUN_PAGES, (within + bytes - 1) / PAGE_BYTES + 1);
	size_t total = 0;
	bool any;

	spin_lock(&node->cache.lock);
	any = page_cache_find_run_locked(&node->cache, index, &count, slots);
	spin_unlock(&node->cache.lock);
	for (uint32_t i = 0, run; any && i < count && slot_is_ready(slots[i]); i += run) {
		size_t piece, moved;

		/* Pages that are adjacent in memory go at once. */
		for (run = 1; i + run < count && slot_is_ready(slots[i + run]) &&
			      page_of_slot(slots[i + run]).raw ==
				      page_of_slot(slots[i]).raw + run * PAGE_BYTES;)
			run++;
		piece = MIN(run * PAGE_BYTES - within, bytes - total);
		moved = uio_copy_some_to(uio, page_data_of_slot(slots[i]) + within, piece);
		total += moved;
		within = 0;
		*faulted = moved < piece;
		if (*faulted || total == bytes)
			break;
	}
	return total;
}

static uint32_t most_window(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return (uint32_t)MIN(MOST_WINDOW, MAX(counts.total_pages / 128, FIRST_WINDOW));
}

/* The pages from `index` on are wanted and the first is missing: reads them, and more if the
 * reader is sequential. */
static int read_missing(struct file *file, uint64_t index, uint64_t bytes)
{
	struct storage_open_file *open = file->data;
	uint32_t wanted = (uint32_t)MIN(bytes / PAGE_BYTES + 1, STORAGE_IO_PAGES), window = 0;

	if (index == open->expected || index == open->expected + 1) {
		window = open->window ? open->window * 2 : FIRST_WINDOW;
		window = MIN(MAX(window, wanted), most_window());
		open->ahead_end = index + wanted + window;
	}
	open->window = window;
	return storage_fill(of(file), index, wanted, window);
}

/* A sequential reader has come to `index`: the next window is begun when half of the last one
 * is used up. */
static void read_on(struct file *file, uint64_t index)
{
	struct storage_open_file *open = file->data;
	uint64_t end = open->ahead_end;

	open->expected = index;
	if (!open->window || index + open->window / 2 < end || end >= storage_size_pages(of(file)))
		return;
	if (index > end) {
		open->window = 0; /* somewhere else */
		return;
	}
	open->window = MIN(open->window * 2, most_window());
	open->ahead_end = end + open->window;
	storage_read_ahead(of(file), end, open->window);
}

static long read_cached(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct storage_node *node = of(file);
	uint32_t ticket = page_cache_enter(&node->cache);
	bool faulted = false;
	long total = 0;
	int error = 0;

	while (uio->bytes_left > 0 && !faulted && !error) {
		uint64_t size = READ_ONCE(node->vnode.size);
		size_t bytes, moved;

		if (*offset >= size)
			break;
		bytes = MIN(uio->bytes_left, size - *offset);
		moved = copy_cached(node, uio, *offset, bytes, &faulted);
		*offset += moved;
		total += (long)moved;
		if (moved == 0 && !faulted) {
			page_cache_leave(&node->cache, ticket);
			error = read_missing(
				file, *offset >> PAGE_SHIFT, *offset % PAGE_BYTES + bytes - 1);
			ticket = page_cache_enter(&node->cache);
		}
	}
	page_cache_leave(&node->cache, ticket);
	read_on(file, *offset >> PAGE_SHIFT);
	if (total > 0)
		return total;
	if (error == -LINUX_EFAULT)
		error = 0; /* the file became shorter */
	return faulted ? -LINUX_EFAULT : error;
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	long result = file->flags & LINUX_O_DIRECT ? direct_read(file, uio, offset)
						   : read_cached(file, uio, offset);

	if (!(file->flags & LINUX_O_NOATIME))
		vnode_touch_access(file->vnode);
	return result;
}

/* ---- writing --------------------------------------------------------------------- */

/* Adjacent new pages, at most `count`. */
static uint32_t alloc_adjacent(uint32_t count, struct phys *first)
{
	if (!reclaim_may_take(count))
		return 0;
	while (count > 0 && !page_alloc(count, 0, first))
		count /= 2;
	return count;
}

static uint32_t count_absent(struct storage_node *node, uint64_t index, uint32_t count)
{
	uint64_t found, slot;

	spin_lock(&node->cache.lock);
	if (page_cache_next_locked(&node->cache, index, &found, &slot))
		count = (uint32_t)MIN(count, found - index);
	spin_unlock(&node->cache.lock);
	return count;
}

/* Puts `count` filled pages in; how many are. */
static uint32_t insert_fresh(
	struct storage_node *node, uint64_t index, struct phys first, uint32_t count)
{
	const struct storage_ops *ops = storage_ops_of(node);
	struct phys pages[FRESH_PAGES];
	uint64_t taken = 0, unused;
	uint32_t done;

	if (count == 0 || (ops->reserve && ops->reserve(node, index, count, &taken) != 0))
		return 0; /* for lack of space: page by page, as far as it goes */
	for (uint32_t i = 0; i < count; i++)
		pages[i] = (struct phys){first.raw + i * PAGE_BYTES};
	done = storage_insert_dirty(node, index, pages, count, taken);
	unused = done < 64 ? taken >> done << done : 0;
	if (unused)
		ops->unreserve(node, (uint32_t)__builtin_popcountll(unused));
	return done;
}

/* Whole pages that are not cached are filled before anybody can see them. 0: not possible
 * here. */
static size_t write_fresh(struct storage_node *node, struct uio *uio, uint64_t at)
{
	uint64_t index = at >> PAGE_SHIFT;
	uint32_t count = (uint32_t)MIN(uio->bytes_left >> PAGE_SHIFT, FRESH_PAGES), whole, done;
	struct uio saved = *uio;
	struct phys first = {0};

	if (at % PAGE_BYTES || count == 0)
		return 0;
	count = count_absent(node, index, count);
	if (count > 0)
		count = alloc_adjacent(count, &first);
	if (count == 0)
		return 0;
	whole = (uint32_t)(uio_copy_some_from(
				   uio, platform_phys_to_virt(first), count * PAGE_BYTES) >>
			   PAGE_SHIFT);
	done = insert_fresh(node, index, first, whole);
	if (done < count)
		page_free((struct phys){first.raw + done * PAGE_BYTES}, count - done);
	*uio = saved;
	uio_advance(uio, done * PAGE_BYTES);
	return done * PAGE_BYTES;
}

/* A page that is cached, and dirty. Beyond the end of the file there is nothing to read. */
static int prepare_page(struct storage_node *node, uint64_t index)
{
	for (;;) {
		int error = storage_dirty_page(node, index);

		if (error != -LINUX_EAGAIN)
			return error;
		if (index < storage_size_pages(node)) {
			error = storage_fill(node, index, 1, 0);
			if (error)
				return error;
		} else {
			const struct storage_ops *ops = storage_ops_of(node);
			struct phys page;
			uint64_t taken = 0;

			if (!reclaim_may_take(1) || !page_alloc(1, PAGE_ALLOC_ZERO, &page))
				return -LINUX_ENOMEM;
			error = ops->reserve ? ops->reserve(node, index, 1, &taken) : 0;
			if (!error && storage_insert_dirty(node, index, &page, 1, taken) == 1)
				return 0;
			page_free(page, 1);
			if (!error && taken)
				ops->unreserve(node, 1);
			if (error)
				return error;
			if (count_absent(node, index, 1)) /* no memory for the tree */
				return -LINUX_ENOMEM;
		}
	}
}

/* Dirty again after the copy: it may have been written before that. False: it is not the page
 * that was copied to any more. */
static bool dirty_again(struct storage_node *node, uint64_t index, uint64_t page)
{
	return storage_redirty_page(node, index, page) == 0;
}

static long write_within_page(struct storage_node *node, struct uio *uio, uint64_t at)
{
	size_t within = at % PAGE_BYTES, bytes = MIN(PAGE_BYTES - within, uio->bytes_left), moved;
	uint64_t index = at >> PAGE_SHIFT, slot;
	struct uio saved = *uio;
	bool same;

	do {
		uint32_t ticket;
		int error = prepare_page(node, index);

		if (error)
			return error;
		*uio = saved;
		ticket = page_cache_enter(&node->cache);
		spin_lock(&node->cache.lock);
		slot = page_cache_find_locked(&node->cache, index);
		spin_unlock(&node->cache.lock);
		same = slot_is_ready(slot);
		moved = 0;
		if (same)
			moved = uio_copy_some_from(uio, page_data_of_slot(slot) + within, bytes);
		page_cache_leave(&node->cache, ticket);
		same = same && dirty_again(node, index, page_of_slot(slot).raw);
	} while (!same);
	return moved > 0 ? (long)moved : -LINUX_EFAULT;
}

/* The file grows beyond the page it ends in: what a mapping left after its end goes. */
int storage_clear_tail(struct storage_node *node)
{
	uint64_t size = node->vnode.size, index = size >> PAGE_SHIFT;

	if (size % PAGE_BYTES == 0)
		return 0;
	if (node->was_mapped) {
		int error = storage_fill(node, index, 1, 0);

		if (error)
			return error;
	}
	storage_zero_cached(node, index, size % PAGE_BYTES, PAGE_BYTES);
	return 0;
}

static void set_size(struct storage_node *node, uint64_t bytes)
{
	WRITE_ONCE(node->vnode.size, bytes);
	storage_mark_dirty(node, false);
}

static long write_pages(struct storage_node *node, struct uio *uio, uint64_t *offset)
{
	long total = 0, moved = 0;

	if (*offset > node->vnode.size)
		moved = storage_clear_tail(node);
	while (moved >= 0 && uio->bytes_left > 0 && *offset < MOST_BYTES) {
		moved = (long)write_fresh(node, uio, *offset);
		if (moved == 0)
			moved = write_within_page(node, uio, *offset);
		if (moved <= 0)
			break;
		*offset += (uint64_t)moved;
		total += moved;
		if (*offset > node->vnode.size)
			set_size(node, *offset);
	}
	if (moved < 0) /* what was put in beyond the end for nothing */
		storage_drop_pages(node, storage_size_pages(node), LAST_PAGE - 1, true);
	if (total > 0)
		vnode_touch_contents(&node->vnode);
	if (READ_ONCE(node->dirty) > 0)
		write_back_queue(node);
	return total > 0 ? total : moved;
}

static long write_locked(struct file *file, struct uio *uio, uint64_t *offset)
{
	uint64_t limit = rlimit_file_bytes();
	size_t beyond;
	long result;

	if (file->flags & LINUX_O_APPEND)
		*offset = file->vnode->size;
	if (*offset >= limit)
		rlimit_file_exceeded();
	if (*offset >= limit || *offset >= MOST_BYTES)
		return -LINUX_EFBIG;
	beyond = uio->bytes_left - MIN(uio->bytes_left, limit - *offset);
	uio->bytes_left -= beyond;
	result = file->flags & LINUX_O_DIRECT ? direct_write(file, uio, offset)
					      : write_pages(of(file), uio, offset);
	uio->bytes_left += beyond;
	return result;
}

static long write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct storage_node *node = of(file);
	long result;

	if (uio->bytes_left == 0)
		return 0;
	write_back_throttle();
	mutex_lock(&node->vnode.lock);
	result = write_locked(file, uio, offset);
	mutex_unlock(&node->vnode.lock);
	if (result > 0 && (file->flags & LINUX_O_SYNC)) {
		bool data_only = (file->flags & LINUX_O_SYNC) == LINUX_O_DSYNC;
		int error = storage_file_ops.sync(file, data_only);

		if (error)
			return error;
	}
	return result;
}

long storage_write_locked(struct file *file, struct uio *uio, uint64_t *offset)
{
	return write_pages(of(file), uio, offset);
}

/* ---- sizes and holes ---------------------------------------------------------------- */

/* Is there anything but zeroes in the page, as far as storage and the cache know? */
static bool page_has_data(struct storage_node *node, uint64_t index)
{
	uint64_t slot;
	int64_t data;

	spin_lock(&node->cache.lock);
	slot = page_cache_find_locked(&node->cache, index);
	spin_unlock(&node->cache.lock);
	if (slot & (PAGE_SLOT_DIRTY | PAGE_SLOT_WRITING))
		return true;
	if (!storage_ops_of(node)->seek)
		return true;
	data = storage_ops_of(node)->seek(node, index << PAGE_SHIFT, true);
	return data != -LINUX_ENXIO && data < (int64_t)((index + 1) << PAGE_SHIFT);
}

/* Zeroes [start, end) within one page of the file, to be written. A hole stays one. */
static int zero_part(struct storage_node *node, uint64_t start, uint64_t end)
{
	uint64_t index = start >> PAGE_SHIFT;
	int error;

	if (start >= end || index >= storage_size_pages(node) || !page_has_data(node, index))
		return 0;
	do {
		error = storage_fill(node, index, 1, 0);
		if (!error)
			error = prepare_page(node, index);
		if (error)
			return error;
		storage_zero_cached(node, index, start % PAGE_BYTES, end - (index << PAGE_SHIFT));
		error = storage_dirty_page(node, index); /* it may have been written meanwhile */
	} while (error == -LINUX_EAGAIN);
	write_back_queue(node);
	return error;
}

int storage_set_size(struct storage_node *node, uint64_t bytes)
{
	const struct storage_ops *ops = storage_ops_of(node);
	uint64_t old = node->vnode.size;
	int error = 0;

	if (bytes > MOST_BYTES)
		return -LINUX_EINVAL;
	if (bytes > old && bytes > rlimit_file_bytes()) {
		rlimit_file_exceeded();
		return -LINUX_EFBIG;
	}
	if (bytes < old) {
		error = zero_part(node, bytes, MIN(ALIGN_UP(bytes, PAGE_BYTES), old));
		if (error)
			return error;
		WRITE_ONCE(node->vnode.size, bytes);
	} else if (bytes > old) {
		error = storage_clear_tail(node);
	}
	if (bytes <= old)
		storage_drop_pages(node, storage_size_pages(node), LAST_PAGE - 1, true);
	if (!error && ops->set_size)
		error = ops->set_size(node, bytes);
	if (!error) {
		set_size(node, bytes);
		vnode_touch_contents(&node->vnode);
	}
	return error;
}

static int truncate(struct file *file, uint64_t bytes)
{
	int error;

	mutex_lock(&file->vnode->lock);
	error = storage_set_size(of(file), bytes);
	mutex_unlock(&file->vnode->lock);
	return error;
}

/* Zeroes what of the range is less than a page, and drops the pages between. */
static int clear_range(struct storage_node *node, uint64_t offset, uint64_t end)
{
	uint64_t first = ALIGN_UP(offset, PAGE_BYTES), last = ALIGN_DOWN(end, PAGE_BYTES);
	int error;

	if (first > last)
		return zero_part(node, offset, end);
	error = zero_part(node, offset, first);
	if (!error)
		error = zero_part(node, last, end);
	if (!error && first < last)
		storage_drop_pages(node, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1, true);
	return error;
}

/* Pages of the range out of the way, before the file system does its part. Of what shifts
 * all that follows, everything. */
static int prepare_allocate(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset >> PAGE_SHIFT, last = (offset + bytes - 1) >> PAGE_SHIFT;
	int error = 0;

	if (mode & (LINUX_FALLOC_COLLAPSE_RANGE | LINUX_FALLOC_INSERT_RANGE))
		last = LAST_PAGE - 1;
	else if (mode & (LINUX_FALLOC_PUNCH_HOLE | LINUX_FALLOC_ZERO_RANGE))
		error = clear_range(node, offset, offset + bytes);
	if (!error)
		error = storage_write_pages(node, first, last, true);
	if (!error && last == LAST_PAGE - 1)
		storage_drop_pages(node, first, last, true);
	return error;
}

static uint64_t size_after(
	const struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	uint64_t size = node->vnode.size;

	if (mode & LINUX_FALLOC_COLLAPSE_RANGE)
		return size - bytes;
	if (mode & LINUX_FALLOC_INSERT_RANGE)
		return size + bytes;
	return mode & LINUX_FALLOC_KEEP_SIZE ? size : MAX(size, offset + bytes);
}

static int check_allocate(
	const struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	uint64_t after;

	int known = LINUX_FALLOC_KEEP_SIZE | LINUX_FALLOC_PUNCH_HOLE |
		    storage_ops_of(node)->allocate_modes;

	if (!storage_ops_of(node)->allocate || (mode & ~known))
		return -LINUX_EOPNOTSUPP;
	if ((mode & LINUX_FALLOC_COLLAPSE_RANGE) && offset + bytes >= node->vnode.size)
		return -LINUX_EINVAL;
	if ((mode & LINUX_FALLOC_INSERT_RANGE) && offset >= node->vnode.size)
		return -LINUX_EINVAL;
	after = size_after(node, mode, offset, bytes);
	if (after <= node->vnode.size || after <= rlimit_file_bytes())
		return 0;
	rlimit_file_exceeded();
	return -LINUX_EFBIG;
}

static int allocate(struct file *file, int mode, uint64_t offset, uint64_t bytes)
{
	struct storage_node *node = of(file);
	uint64_t after;
	int error;

	mutex_lock(&node->vnode.lock);
	error = check_allocate(node, mode, offset, bytes);
	if (!error)
		error = prepare_allocate(node, mode, offset, bytes);
	after = size_after(node, mode, offset, bytes);
	if (!error && after > node->vnode.size)
		error = storage_clear_tail(node);
	if (!error)
		error = storage_ops_of(node)->allocate(node, mode, offset, bytes);
	if (!error) {
		if (after != node->vnode.size)
			set_size(node, after);
		vnode_touch_contents(&node->vnode);
	}
	mutex_unlock(&node->vnode.lock);
	return error;
}

/* ---- positions -------------------------------------------------------------------------- */

static int64_t seek_kind(struct storage_node *node, int64_t offset, bool data)
{
	int64_t result;

	if (offset < 0 || (uint64_t)offset >= READ_ONCE(node->vnode.size))
		return -LINUX_ENXIO;
	if (!storage_ops_of(node)->seek)
		return data ? offset : (int64_t)node->vnode.size;
	mutex_lock(&node->vnode.lock);
	result = storage_write_pages(node, 0, LAST_PAGE - 1, true);
	if (result == 0)
		result = storage_ops_of(node)->seek(node, (uint64_t)offset, data);
	mutex_unlock(&node->vnode.lock);
	return result;
}

static int64_t seek(struct file *file, int64_t offset, int whence)
{
	int64_t base = 0, result;

	if (whence == LINUX_SEEK_DATA || whence == LINUX_SEEK_HOLE) {
		result = seek_kind(of(file), offset, whence == LINUX_SEEK_DATA);
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

/* ---- sync ------------------------------------------------------------------------------ */

int storage_sync_node(struct storage_node *node, bool data_only)
{
	const struct storage_ops *ops = storage_ops_of(node);
	int error = 0, attributes;

	if (node->vnode.fs->is_closed)
		return -LINUX_EIO;
	if (storage_is_regular(node))
		error = storage_write_pages(node, 0, LAST_PAGE - 1, true);
	attributes = write_back_attributes(node, data_only);
	if (!error)
		error = attributes;
	if (!error && ops->sync_node)
		error = ops->sync_node(node, data_only);
	return error;
}

/* Errors of earlier write-back are told once to each open file. */
static int sync(struct file *file, bool data_only)
{
	struct storage_open_file *open = file->data;
	struct storage_node *node = of(file);
	int error = storage_sync_node(node, data_only);
	uint32_t errors = READ_ONCE(node->write_errors);

	if (open->write_errors_seen != errors && !error)
		error = node->write_error;
	open->write_errors_seen = errors;
	return error;
}

static void release(struct file *file)
{
	struct storage_node *node = of(file);

	if (node->vnode.fs->writes_on_close && file_is_writable(file) && node->vnode.nlink != 0)
		(void)storage_write_pages(node, 0, LAST_PAGE - 1, true); /* fsync tells errors */
	heap_free(file->data);
}

static struct page_source *page_source(struct file *file)
{
	return &of(file)->source;
}

const struct file_ops storage_file_ops = {
	.kind = "file",
	.read = read,
	.write = write,
	.seek = seek,
	.truncate = truncate,
	.sync = sync,
	.allocate = allocate,
	.page_source = page_source,
	.release = release,
};
