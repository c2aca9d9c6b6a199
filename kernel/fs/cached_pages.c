/*
 * Cached pages of files on storage. See cached_pages.h.
 *
 * Transfers complete in any context: what is done there takes cache.lock, and touches the node
 * for the last time when it lets go of it, for that may be what storage_drop_all() waits for.
 */
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/vm.h"
#include "kernel/sched/device_poll.h"
#include "kernel/sched/sched.h"
#include "lib/string.h"

#define QUEUES 16

struct storage_page_counts storage_page_counts;

struct transfer {
	struct storage_io io;
	bool is_done;
	bool is_freed_when_done;
	uint32_t capacity; /* of pages */
	uint64_t reserved[STORAGE_IO_PAGES / 64];
	struct phys pages[];
};

/* ---- waiting -------------------------------------------------------------------- */

static struct wait_queue *queue_of(const struct storage_node *node)
{
	static struct wait_queue queues[QUEUES]; /* all zeroes but for the lists */
	struct wait_queue *queue = &queues[((uintptr_t)node >> 8) % QUEUES];

	if (UNLIKELY(!__atomic_load_n(&queue->waiters.next, __ATOMIC_ACQUIRE))) {
		spin_lock(&queue->lock);
		if (!queue->waiters.next) {
			queue->waiters.prev = &queue->waiters;
			__atomic_store_n(&queue->waiters.next, &queue->waiters, __ATOMIC_RELEASE);
		}
		spin_unlock(&queue->lock);
	}
	return queue;
}

/* Not ended by signals: storage answers. */
#define WAIT_FOR_STORAGE(node, condition)                                                          \
	do {                                                                                       \
		struct wait_queue *queue_ = queue_of(node);                                        \
		struct waiter waiter_;                                                             \
		if (condition)                                                                     \
			break;                                                                     \
		waiter_init(&waiter_);                                                             \
		wait_add(queue_, &waiter_);                                                        \
		while (!(condition)) {                                                             \
			if (!device_poll())                                                        \
				thread_sleep(WAIT_FOREVER);                                        \
		}                                                                                  \
		wait_remove(queue_, &waiter_);                                                     \
	} while (0)

static uint64_t find_slot(struct storage_node *node, uint64_t index)
{
	uint64_t slot;

	spin_lock(&node->cache.lock);
	slot = page_cache_find_locked(&node->cache, index);
	spin_unlock(&node->cache.lock);
	return slot;
}

/* ---- pages ------------------------------------------------------------------------ */

static void count_pages(uint64_t *counter, int64_t by)
{
	__atomic_fetch_add(counter, (uint64_t)by, __ATOMIC_RELAXED);
}

uint32_t storage_alloc_pages(uint32_t count, struct phys *pages)
{
	uint32_t done = 0, run = count;

	while (done < count && reclaim_may_take(count - done)) {
		struct phys first;

		run = MIN(run, count - done);
		while (run > 0 && !page_alloc(run, 0, &first))
			run /= 2;
		if (run == 0)
			break;
		for (uint32_t i = 0; i < run; i++)
			pages[done + i] = (struct phys){first.raw + i * PAGE_BYTES};
		done += run;
	}
	return done;
}

static void free_pages(const struct phys *pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		page_free(pages[i], 1);
}

void storage_free_pages(const struct phys *pages, uint32_t count)
{
	free_pages(pages, count);
}

/* ---- reading ------------------------------------------------------------------------ */

static struct transfer *transfer_create(struct storage_node *node, uint32_t count)
{
	struct transfer *transfer =
		heap_alloc(sizeof(*transfer) + count * sizeof(transfer->pages[0]));

	if (!transfer)
		return NULL;
	memset(transfer, 0, sizeof(*transfer));
	transfer->io.node = node;
	transfer->io.pages = transfer->pages;
	transfer->io.context = transfer;
	transfer->capacity = count;
	return transfer;
}

/* The bytes of the transfer that lie in the file. */
static void set_bytes(struct storage_io *io)
{
	uint64_t size = READ_ONCE(io->node->vnode.size), start = io->index << PAGE_SHIFT;
	uint64_t bytes = (uint64_t)io->count << PAGE_SHIFT;

	io->bytes = size <= start ? 0 : MIN(bytes, size - start);
}

/* The last thing done with the node. */
static void transfer_finish(struct transfer *transfer, struct wait_queue *queue)
{
	if (transfer->is_freed_when_done)
		heap_free(transfer);
	else
		__atomic_store_n(&transfer->is_done, true, __ATOMIC_RELEASE);
	wait_wake_all(queue);
}

/* What lies beyond the end of the file reads as zeroes when it grows. */
static void clear_beyond(const struct storage_io *io)
{
	uint64_t at = io->bytes;

	while (at < (uint64_t)io->count << PAGE_SHIFT) {
		uint64_t within = at % PAGE_BYTES;
		uint8_t *data = platform_phys_to_virt(io->pages[at >> PAGE_SHIFT]);

		memset(data + within, 0, PAGE_BYTES - within);
		at += PAGE_BYTES - within;
	}
}

static void read_done(struct storage_io *io)
{
	struct storage_node *node = io->node;
	struct transfer *transfer = io->context;
	struct wait_queue *queue = queue_of(node);
	bool failed = io->error != 0;

	if (!failed)
		clear_beyond(io);
	spin_lock(&node->cache.lock);
	for (uint32_t i = 0; i < io->count; i++) {
		uint64_t *slot = page_cache_slot_locked(&node->cache, io->index + i);

		*slot = failed ? 0 : *slot & ~PAGE_SLOT_READING;
	}
	if (failed)
		node->cache.page_count -= io->count;
	node->reading -= io->count;
	spin_unlock(&node->cache.lock);
	if (failed) {
		free_pages(io->pages, io->count);
		count_pages(&storage_page_counts.cached, -(int64_t)io->count);
	}
	transfer_finish(transfer, queue);
}

/* How many pages from `index` on are not there, within the file. */
static uint32_t count_missing(struct storage_node *node, uint64_t index, uint32_t most)
{
	uint64_t end = storage_size_pages(node), found, slot;

	if (index >= end)
		return 0;
	most = (uint32_t)MIN(most, end - index);
	spin_lock(&node->cache.lock);
	if (page_cache_next_locked(&node->cache, index, &found, &slot))
		most = (uint32_t)MIN(most, found - index);
	spin_unlock(&node->cache.lock);
	return most;
}

/* Puts pages in as being read, up to the first that is there and to the end of the file. */
static uint32_t insert_reading(
	struct storage_node *node, uint64_t index, const struct phys *pages, uint32_t count)
{
	uint32_t done = 0;

	spin_lock(&node->cache.lock);
	count = (uint32_t)MIN(
		count, storage_size_pages(node) > index ? storage_size_pages(node) - index : 0);
	while (done < count) {
		uint64_t *slot = page_cache_slot_locked(&node->cache, index + done);

		if (!slot || *slot)
			break;
		*slot = pages[done].raw | PAGE_SLOT_PRESENT | PAGE_SLOT_READING;
		done++;
	}
	node->cache.page_count += done;
	node->reading += done;
	spin_unlock(&node->cache.lock);
	count_pages(&storage_page_counts.cached, done);
	return done;
}

/* Begins to read missing pages at `index`. -EEXIST: none is missing there any more. */
static int start_read(struct storage_node *node, uint64_t index, uint32_t count, bool wait,
	struct transfer **result)
{
	uint32_t missing = count_missing(node, index, MIN(count, STORAGE_IO_PAGES)), got;
	struct transfer *transfer;

	if (node->vnode.fs->is_closed)
		return -LINUX_EIO;
	if (missing == 0)
		return index >= storage_size_pages(node) ? -LINUX_EFAULT : -LINUX_EEXIST;
	transfer = transfer_create(node, missing);
	if (!transfer)
		return -LINUX_ENOMEM;
	got = storage_alloc_pages(missing, transfer->pages);
	transfer->io.count = got > 0 ? insert_reading(node, index, transfer->pages, got) : 0;
	free_pages(transfer->pages + transfer->io.count, got - transfer->io.count);
	if (transfer->io.count == 0) {
		heap_free(transfer);
		return got == 0 ? -LINUX_ENOMEM : -LINUX_EEXIST;
	}
	reclaim_note_pages(node);
	transfer->io.index = index;
	transfer->io.waited_for = wait;
	transfer->io.done = read_done;
	transfer->is_freed_when_done = !wait;
	set_bytes(&transfer->io);
	*result = transfer;
	return 0;
}

int storage_fill(struct storage_node *node, uint64_t index, uint32_t count, uint32_t ahead)
{
	for (;;) {
		uint64_t slot = find_slot(node, index);
		struct transfer *transfer;
		uint64_t next;
		int error;

		if (slot_is_ready(slot))
			return 0;
		if (slot) {
			WAIT_FOR_STORAGE(node, !(find_slot(node, index) & PAGE_SLOT_READING));
			continue;
		}
		error = start_read(node, index, count, true, &transfer);
		if (error == -LINUX_EEXIST)
			continue;
		if (error)
			return error;
		next = index + transfer->io.count;
		storage_ops_of(node)->read_pages(node, &transfer->io);
		if (ahead > 0)
			storage_read_ahead(node, next, ahead);
		WAIT_FOR_STORAGE(node, __atomic_load_n(&transfer->is_done, __ATOMIC_ACQUIRE));
		error = transfer->io.error;
		heap_free(transfer);
		return error;
	}
}

void storage_read_ahead(struct storage_node *node, uint64_t index, uint32_t count)
{
	uint64_t end = MIN(index + count, storage_size_pages(node));

	while (index < end) {
		struct transfer *transfer;
		int error;
		uint32_t begun;

		while (index < end && count_missing(node, index, 1) == 0)
			index++;
		if (index >= end)
			return;
		error = start_read(node, index, (uint32_t)(end - index), false, &transfer);
		if (error && error != -LINUX_EEXIST)
			return;
		if (error)
			continue;
		begun = transfer->io.count;
		storage_ops_of(node)->read_pages(node, &transfer->io);
		index += begun;
	}
}

/* ---- dirtying ----------------------------------------------------------------------- */

static void set_dirty_locked(struct storage_node *node, uint64_t index, bool reserved)
{
	page_cache_set_dirty_locked(&node->cache, index);
	if (reserved)
		*page_cache_slot_locked(&node->cache, index) |= PAGE_SLOT_RESERVED;
	node->dirty++;
	count_pages(&storage_page_counts.dirty, 1);
}

uint32_t storage_insert_dirty(struct storage_node *node, uint64_t index, const struct phys *pages,
	uint32_t count, uint64_t reserved)
{
	uint32_t done = 0;

	spin_lock(&node->cache.lock);
	while (done < count) {
		uint64_t *slot = page_cache_slot_locked(&node->cache, index + done);

		if (!slot || *slot)
			break;
		*slot = pages[done].raw | PAGE_SLOT_PRESENT | PAGE_SLOT_USED;
		set_dirty_locked(node, index + done, reserved >> done & 1);
		done++;
	}
	node->cache.page_count += done;
	spin_unlock(&node->cache.lock);
	count_pages(&storage_page_counts.cached, done);
	if (done > 0)
		reclaim_note_pages(node);
	return done;
}

int storage_dirty_page(struct storage_node *node, uint64_t index)
{
	const struct storage_ops *ops = storage_ops_of(node);
	uint64_t slot = find_slot(node, index), taken = 0;
	int error = 0;

	if (!slot_is_ready(slot))
		return -LINUX_EAGAIN;
	if (slot & PAGE_SLOT_DIRTY)
		return 0;
	if (ops->reserve)
		error = ops->reserve(node, index, 1, &taken);
	if (error)
		return error;
	spin_lock(&node->cache.lock);
	slot = page_cache_find_locked(&node->cache, index);
	if (!slot_is_ready(slot))
		error = -LINUX_EAGAIN;
	else if (!(slot & PAGE_SLOT_DIRTY))
		set_dirty_locked(node, index, taken & 1);
	spin_unlock(&node->cache.lock);
	if ((taken & 1) && (error || (slot & PAGE_SLOT_DIRTY)))
		ops->unreserve(node, 1);
	return error;
}

int storage_redirty_page(struct storage_node *node, uint64_t index, uint64_t page)
{
	uint64_t slot;
	bool same;

	spin_lock(&node->cache.lock);
	slot = page_cache_find_locked(&node->cache, index);
	same = slot_is_ready(slot) && page_of_slot(slot).raw == page;
	if (same && !(slot & PAGE_SLOT_DIRTY))
		set_dirty_locked(node, index, false);
	spin_unlock(&node->cache.lock);
	return same ? 0 : -LINUX_EAGAIN;
}

void storage_zero_cached(struct storage_node *node, uint64_t index, uint64_t from, uint64_t to)
{
	uint32_t ticket = page_cache_enter(&node->cache);
	uint64_t slot = find_slot(node, index);

	if (slot_is_ready(slot))
		memset(page_data_of_slot(slot) + from, 0, to - from);
	page_cache_leave(&node->cache, ticket);
}

/* ---- writing ------------------------------------------------------------------------ */

static void note_write_error(struct storage_node *node, int error)
{
	node->write_error = error;
	__atomic_fetch_add(&node->write_errors, 1, __ATOMIC_RELEASE);
}

static uint32_t count_bits(const uint64_t *words, uint32_t count)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < count; i++)
		bits += (uint32_t)__builtin_popcountll(words[i]);
	return bits;
}

/* Those to be tried again become dirty again, with what was set aside for them. */
static uint32_t end_writing_locked(struct storage_io *io, struct transfer *transfer, bool again)
{
	struct storage_node *node = io->node;
	uint32_t extra = 0;

	for (uint32_t i = 0; i < io->count; i++) {
		bool reserved = transfer->reserved[i / 64] >> (i % 64) & 1;
		uint64_t *slot = page_cache_slot_locked(&node->cache, io->index + i);

		*slot &= ~PAGE_SLOT_WRITING;
		if (again && !(*slot & PAGE_SLOT_DIRTY))
			set_dirty_locked(node, io->index + i, reserved);
		else if (again && reserved)
			extra++;
	}
	node->writing -= io->count;
	return again ? extra : count_bits(transfer->reserved, STORAGE_IO_PAGES / 64);
}

static void write_done(struct storage_io *io)
{
	struct storage_node *node = io->node;
	struct transfer *transfer = io->context;
	struct wait_queue *queue = queue_of(node);
	bool again = io->error == -LINUX_ENOMEM || io->error == -LINUX_EAGAIN;
	void (*unreserve)(struct storage_node *, uint32_t) = storage_ops_of(node)->unreserve;
	uint32_t given_back;

	if (io->error && !again)
		note_write_error(node, io->error);
	spin_lock(&node->cache.lock);
	given_back = end_writing_locked(io, transfer, again);
	if (given_back > 0) /* before the node may go */
		unreserve(node, given_back);
	count_pages(&storage_page_counts.writing, -(int64_t)io->count);
	spin_unlock(&node->cache.lock);
	transfer_finish(transfer, queue);
}

/* The next run of dirty pages from *index on that are not being written already and lie in the
 * file; they become WRITING. */
static void gather(struct storage_node *node, struct transfer *transfer, uint64_t *index,
	uint64_t last, bool *skipped)
{
	struct storage_io *io = &transfer->io;
	uint64_t found = *index, slot;

	last = MIN(last, storage_size_pages(node) - 1);
	if (storage_size_pages(node) == 0)
		return;
	spin_lock(&node->cache.lock);
	while (io->count < transfer->capacity &&
		page_cache_next_dirty_locked(&node->cache, found, &found, &slot) && found <= last &&
		(io->count == 0 || found == io->index + io->count)) {
		if (slot & PAGE_SLOT_WRITING) {
			*skipped = true;
			if (io->count > 0)
				break;
			found++;
			continue;
		}
		if (io->count == 0)
			io->index = found;
		page_cache_clear_dirty_locked(&node->cache, found);
		if (slot & PAGE_SLOT_RESERVED)
			transfer->reserved[io->count / 64] |= 1ull << (io->count % 64);
		*page_cache_slot_locked(&node->cache, found) =
			(slot & ~(PAGE_SLOT_RESERVED | PAGE_SLOT_DIRTY)) | PAGE_SLOT_WRITING;
		transfer->pages[io->count++] = page_of_slot(slot);
		found++;
	}
	node->dirty -= io->count;
	node->writing += io->count;
	spin_unlock(&node->cache.lock);
	count_pages(&storage_page_counts.dirty, -(int64_t)io->count);
	count_pages(&storage_page_counts.writing, io->count);
	*index = found;
}

/* One round over the range. *skipped: some were on their way already. */
static int write_round(
	struct storage_node *node, uint64_t first, uint64_t last, bool wait, bool *skipped)
{
	while (first <= last && READ_ONCE(node->dirty) > 0) {
		struct transfer *transfer = transfer_create(
			node, MIN(MAX(READ_ONCE(node->dirty), 1), STORAGE_IO_PAGES));

		if (!transfer)
			return -LINUX_ENOMEM;
		gather(node, transfer, &first, last, skipped);
		if (transfer->io.count == 0) {
			heap_free(transfer);
			break;
		}
		/* What is written from here on through mappings faults, and makes it dirty. */
		if (!list_is_empty(&node->source.areas))
			vm_protect_source(&node->source, transfer->io.index << PAGE_SHIFT,
				(uint64_t)transfer->io.count << PAGE_SHIFT);
		transfer->io.write = true;
		transfer->io.waited_for = wait;
		transfer->io.done = write_done;
		transfer->is_freed_when_done = true;
		set_bytes(&transfer->io);
		if (node->vnode.fs->is_closed)
			storage_io_done(&transfer->io, -LINUX_EIO);
		else
			storage_ops_of(node)->write_pages(node, &transfer->io);
	}
	return 0;
}

static bool range_is_writing(struct storage_node *node, uint64_t first, uint64_t last)
{
	uint64_t slot = 0;
	bool writing = false;

	if (READ_ONCE(node->writing) == 0)
		return false;
	if (first == 0 && last >= storage_size_pages(node))
		return true;
	spin_lock(&node->cache.lock);
	while (!writing && first <= last && node->writing > 0 &&
		page_cache_next_locked(&node->cache, first, &first, &slot) && first <= last) {
		writing = slot & PAGE_SLOT_WRITING;
		first++;
	}
	spin_unlock(&node->cache.lock);
	return writing;
}

int storage_write_pages(struct storage_node *node, uint64_t first, uint64_t last, bool wait)
{
	uint32_t errors = READ_ONCE(node->write_errors);
	bool skipped = false, again = false;
	int error = write_round(node, first, last, wait, &skipped);

	if (!wait)
		return error;
	WAIT_FOR_STORAGE(node, !range_is_writing(node, first, last));
	if (!error && skipped) { /* what was dirtied while on its way */
		error = write_round(node, first, last, wait, &again);
		WAIT_FOR_STORAGE(node, !range_is_writing(node, first, last));
	}
	if (!error && READ_ONCE(node->write_errors) != errors)
		error = node->write_error;
	return error;
}

/* ---- dropping ----------------------------------------------------------------------- */

enum {
	BUSY_BITS = PAGE_SLOT_READING | PAGE_SLOT_WRITING,
};

struct taking {
	uint64_t next;
	bool busy;      /* some are under transfer */
	uint32_t count; /* taken */
	uint32_t reserved;
	struct phys pages[PAGE_CACHE_BATCH];
};

static void take_locked(struct storage_node *node, uint64_t index, uint64_t slot)
{
	if (slot & PAGE_SLOT_DIRTY) {
		page_cache_clear_dirty_locked(&node->cache, index);
		node->dirty--;
		count_pages(&storage_page_counts.dirty, -1);
	}
	*page_cache_slot_locked(&node->cache, index) = 0;
	node->cache.page_count--;
	count_pages(&storage_page_counts.cached, -1);
}

static void take(struct storage_node *node, uint64_t last, bool all, struct taking *taking)
{
	uint64_t index = taking->next, slot;

	taking->count = taking->reserved = 0;
	spin_lock(&node->cache.lock);
	while (taking->count < PAGE_CACHE_BATCH && index <= last &&
		page_cache_next_locked(&node->cache, index, &index, &slot) && index <= last) {
		if (slot & BUSY_BITS) {
			taking->busy = true;
		} else if (all || !(slot & PAGE_SLOT_DIRTY)) {
			taking->reserved += (slot & PAGE_SLOT_RESERVED) != 0;
			take_locked(node, index, slot);
			taking->pages[taking->count++] = page_of_slot(slot);
		}
		index++;
	}
	spin_unlock(&node->cache.lock);
	taking->next = index;
}

static void unmap(struct storage_node *node, uint64_t first, uint64_t end)
{
	if (!list_is_empty(&node->source.areas))
		vm_unmap_source(&node->source, first << PAGE_SHIFT,
			(MIN(end, LAST_PAGE) - first) << PAGE_SHIFT);
}

static void wait_for_copiers(struct storage_node *node)
{
	struct page_cache_grace grace;

	page_cache_begin_grace(&node->cache, &grace);
	while (!page_cache_grace_is_over(&node->cache, &grace))
		sched_yield();
}

static bool range_is_busy(struct storage_node *node, uint64_t first, uint64_t last)
{
	uint64_t slot = 0;
	bool busy = false;

	spin_lock(&node->cache.lock);
	while (!busy && first <= last && (node->writing | node->reading) &&
		page_cache_next_locked(&node->cache, first, &first, &slot) && first <= last) {
		busy = slot & BUSY_BITS;
		first++;
	}
	spin_unlock(&node->cache.lock);
	return busy;
}

void storage_drop_pages(struct storage_node *node, uint64_t first, uint64_t last, bool all)
{
	struct taking taking;

	if (first > last)
		return;
	if (all)
		unmap(node, first, last + 1);
	do {
		taking.next = first;
		taking.busy = false;
		do {
			uint64_t from = taking.next;

			take(node, last, all, &taking);
			if (taking.count == 0)
				break;
			unmap(node, from, taking.next);
			wait_for_copiers(node);
			free_pages(taking.pages, taking.count);
			if (taking.reserved > 0)
				storage_ops_of(node)->unreserve(node, taking.reserved);
		} while (taking.count == PAGE_CACHE_BATCH);
		if (all && taking.busy)
			WAIT_FOR_STORAGE(node, !range_is_busy(node, first, last));
	} while (all && taking.busy);
}

uint32_t storage_take_unused(
	struct storage_node *node, uint64_t *next, struct phys *pages, uint32_t count)
{
	uint64_t index = *next, slot, from = index;
	uint32_t done = 0, looked = 0;

	spin_lock(&node->cache.lock);
	while (done < count && looked < 1024 &&
		page_cache_next_locked(&node->cache, index, &index, &slot)) {
		looked++;
		if (slot & PAGE_SLOT_USED) {
			*page_cache_slot_locked(&node->cache, index) = slot & ~PAGE_SLOT_USED;
		} else if (!(slot & (BUSY_BITS | PAGE_SLOT_DIRTY))) {
			take_locked(node, index, slot);
			pages[done++] = page_of_slot(slot);
		}
		index++;
	}
	if (done < count && looked < 1024)
		*next = 0; /* the end */
	else
		*next = index;
	spin_unlock(&node->cache.lock);
	if (done > 0)
		unmap(node, from, index);
	return done;
}

/* ---- the rest of a node's life -------------------------------------------------------- */

void storage_drop_all(struct storage_node *node)
{
	reclaim_forget(node);
	storage_drop_pages(node, 0, LAST_PAGE - 1, true);
	/* Transfers have let go of the lock when this has had it. */
	spin_lock(&node->cache.lock);
	spin_unlock(&node->cache.lock);
	page_cache_destroy(&node->cache);
}

void storage_invalidate(struct storage_node *node, uint64_t first, uint64_t last)
{
	storage_drop_pages(node, first, MIN(last, LAST_PAGE - 1), false);
}

int storage_write(struct storage_node *node, uint64_t first, uint64_t last)
{
	int error = storage_write_pages(node, first, MIN(last, LAST_PAGE - 1), true);
	int attributes = write_back_attributes(node, false);

	return error ? error : attributes;
}

/* ---- transfers past the cache ----------------------------------------------------------- */

static void direct_done(struct storage_io *io)
{
	transfer_finish(io->context, queue_of(io->node));
}

int storage_transfer(struct storage_node *node, bool write, uint64_t index, uint64_t bytes,
	struct phys *pages, uint32_t count)
{
	struct transfer transfer = {.io = {.node = node,
					    .index = index,
					    .bytes = bytes,
					    .count = count,
					    .write = write,
					    .waited_for = true,
					    .pages = pages,
					    .done = direct_done}};

	if (node->vnode.fs->is_closed)
		return -LINUX_EIO;
	transfer.io.context = &transfer;
	if (write)
		storage_ops_of(node)->write_pages(node, &transfer.io);
	else
		storage_ops_of(node)->read_pages(node, &transfer.io);
	WAIT_FOR_STORAGE(node, __atomic_load_n(&transfer.is_done, __ATOMIC_ACQUIRE));
	return transfer.io.error;
}
