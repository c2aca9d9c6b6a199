/*
 * Contents of files between the page cache and the volume.
 *
 * A transfer of pages becomes one request of the device for each run of blocks. Each is
 * submitted as soon as it is mapped: a transaction that waits for it to be written waits for
 * nothing that waits for the transaction.
 */
#include "kernel/fs/ext4/node.h"
#include "kernel/fs/ext4/volume.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

struct transfer {
	struct storage_io *io;
	struct ext4 *fs;
	uint32_t pending; /* atomic: pieces under way, and one for who makes them */
	int error;        /* atomic: the first */
};

struct piece {
	struct ext4_held held; /* with the request; first */
	struct transfer *transfer;
	struct ext4_transaction *transaction; /* waits for it */
	struct block_segment segments[];
};

static struct ext4_inode *inode_of(struct storage_node *node)
{
	return &ext4_node_of(&node->vnode)->inode;
}

static uint8_t *page_at(const struct storage_io *io, uint64_t byte)
{
	return (uint8_t *)platform_phys_to_virt(io->pages[byte >> PAGE_SHIFT]) +
	       (byte & (PAGE_BYTES - 1));
}

/* Of the transfer's bytes. */
static void fill_zeroes(const struct storage_io *io, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t here = MIN(to - from, PAGE_BYTES - (from & (PAGE_BYTES - 1)));

		memset(page_at(io, from), 0, here);
		from += here;
	}
}

static void note_error(struct transfer *transfer, int error)
{
	int none = 0;

	if (error)
		__atomic_compare_exchange_n(
			&transfer->error, &none, error, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void put_down(struct transfer *transfer)
{
	struct storage_io *io = transfer->io;
	int error;

	if (__atomic_sub_fetch(&transfer->pending, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	error = transfer->error;
	/* The last block may have anything after the end of the file. */
	if (!io->write && !error)
		fill_zeroes(io, io->bytes, (uint64_t)io->count * PAGE_BYTES);
	heap_free(transfer);
	storage_io_done(io, error);
}

static void piece_done(struct block_request *request)
{
	struct piece *piece = request->context;
	struct transfer *transfer = piece->transfer;

	ext4_data_done(transfer->fs, piece->transaction, request->error);
	note_error(transfer, request->error);
	heap_free(piece);
	put_down(transfer);
}

static void add_segments(struct piece *piece, uint64_t from, uint64_t bytes)
{
	const struct storage_io *io = piece->transfer->io;
	struct block_segment *last = NULL;

	while (bytes > 0) {
		uint64_t within = from & (PAGE_BYTES - 1), here = MIN(bytes, PAGE_BYTES - within);
		uint64_t memory = io->pages[from >> PAGE_SHIFT].raw + within;

		if (last && last->memory.raw + last->bytes == memory) {
			last->bytes += (uint32_t)here;
		} else {
			last = &piece->segments[piece->held.request.segment_count++];
			*last = (struct block_segment){
				.memory.raw = memory, .bytes = (uint32_t)here};
		}
		from += here;
		bytes -= here;
	}
}

/* [from, +bytes) of the transfer, in blocks from `block` on. */
static void submit(struct transfer *transfer, uint64_t from, uint64_t bytes, uint64_t block,
	struct ext4_transaction *transaction)
{
	size_t segments = (size_t)(bytes / PAGE_BYTES) + 2;
	struct piece *piece = heap_alloc(sizeof(*piece) + segments * sizeof(struct block_segment));

	if (!piece) {
		ext4_data_done(transfer->fs, transaction, -LINUX_ENOMEM);
		note_error(transfer, -LINUX_ENOMEM);
		return;
	}
	memset(piece, 0, sizeof(*piece));
	piece->transfer = transfer;
	piece->transaction = transaction;
	piece->held.request = (struct block_request){
		.operation = transfer->io->write ? BLOCK_WRITE : BLOCK_READ,
		.offset = block << transfer->fs->block_shift,
		.bytes = bytes,
		.segments = piece->segments,
		.done = piece_done,
		.context = piece,
	};
	add_segments(piece, from, bytes);
	__atomic_add_fetch(&transfer->pending, 1, __ATOMIC_RELAXED);
	if (transfer->io->write && !transfer->io->waited_for)
		ext4_hold(transfer->fs, &piece->held);
	else
		block_submit(transfer->fs->device, &piece->held.request);
}

static struct transfer *begin_transfer(struct storage_node *node, struct storage_io *io)
{
	struct transfer *transfer = heap_alloc(sizeof(*transfer));

	if (!transfer) {
		storage_io_done(io, -LINUX_ENOMEM);
		return NULL;
	}
	*transfer = (struct transfer){.io = io, .fs = inode_of(node)->fs, .pending = 1};
	return transfer;
}

/* How many blocks hold the file's part of the transfer. */
static uint32_t block_total(const struct transfer *transfer)
{
	return (uint32_t)((transfer->io->bytes + transfer->fs->block_bytes - 1) >>
			  transfer->fs->block_shift);
}

void ext4_read_pages(struct storage_node *node, struct storage_io *io)
{
	struct transfer *transfer = begin_transfer(node, io);
	struct ext4_inode *inode = inode_of(node);
	uint32_t first, total, at = 0, shift;

	if (!transfer)
		return;
	shift = transfer->fs->block_shift;
	first = (uint32_t)(io->index << (PAGE_SHIFT - shift));
	total = block_total(transfer);
	while (at < total && READ_ONCE(transfer->error) == 0) {
		struct ext4_map map;
		int error = ext4_map_blocks(inode, first + at, &map);
		uint32_t count = error ? 0 : MIN(map.count, total - at);

		note_error(transfer, error);
		if (!error && map.state == EXT4_MAP_WRITTEN)
			submit(transfer, (uint64_t)at << shift, (uint64_t)count << shift, map.block,
				NULL);
		else if (!error)
			fill_zeroes(io, (uint64_t)at << shift, (uint64_t)(at + count) << shift);
		at += count;
	}
	put_down(transfer);
}

void ext4_write_pages(struct storage_node *node, struct storage_io *io)
{
	struct transfer *transfer = begin_transfer(node, io);
	struct ext4_inode *inode = inode_of(node);
	uint64_t end = io->index * PAGE_BYTES + io->bytes;
	uint32_t first, total, at = 0, shift;

	if (!transfer)
		return;
	shift = transfer->fs->block_shift;
	first = (uint32_t)(io->index << (PAGE_SHIFT - shift));
	total = block_total(transfer);
	while (at < total && READ_ONCE(transfer->error) == 0) {
		struct ext4_transaction *transaction;
		struct ext4_map map;
		int error =
			ext4_map_for_write(inode, first + at, total - at, end, &map, &transaction);

		note_error(transfer, error);
		if (error)
			break;
		submit(transfer, (uint64_t)at << shift, (uint64_t)map.count << shift, map.block,
			transaction);
		at += map.count;
	}
	put_down(transfer);
}

void ext4_submit_pages(struct file_system *fs)
{
	ext4_submit_held(fs->data);
}

/* ---- delayed allocation ------------------------------------------------------------ */

/* Which of the pages lack blocks. */
static int find_missing(struct ext4_inode *inode, uint64_t index, uint32_t count, uint64_t *missing)
{
	uint32_t shift = PAGE_SHIFT - inode->fs->block_shift;
	uint64_t first = index << shift, end = (index + count) << shift;

	*missing = 0;
	if (end > EXT4_LOGICAL_MOST)
		return -LINUX_EFBIG;
	while (first < end) {
		struct ext4_map map;
		int error = extent_map(inode, (uint32_t)first, &map);
		uint64_t after = MIN(end, first + map.count);

		if (error)
			return error;
		for (uint64_t page = (first >> shift) - index;
			map.state == EXT4_MAP_HOLE && page <= ((after - 1) >> shift) - index;
			page++)
			*missing |= 1ull << page;
		first = after;
	}
	return 0;
}

static int reserve(struct ext4_node *node, uint64_t index, uint32_t count, uint64_t *taken)
{
	struct ext4 *fs = node->inode.fs;
	uint64_t pages, blocks;
	int error = fs->aborted || fs->read_only ? -LINUX_EROFS
						 : find_missing(&node->inode, index, count, taken);

	if (error)
		return error;
	pages = (uint64_t)__builtin_popcountll(*taken);
	blocks = pages << (PAGE_SHIFT - fs->block_shift);
	if (blocks > 0 && blocks > blocks_available(fs))
		return -LINUX_ENOSPC;
	__atomic_add_fetch(&fs->set_aside, blocks, __ATOMIC_RELAXED);
	__atomic_add_fetch(&node->set_aside, pages * (PAGE_BYTES / 512), __ATOMIC_RELAXED);
	return 0;
}

int ext4_reserve_pages(
	struct storage_node *storage, uint64_t index, uint32_t count, uint64_t *taken)
{
	struct ext4_node *node = ext4_node_of(&storage->vnode);
	struct ext4 *fs = node->inode.fs;
	bool could_wait;
	uint32_t sequence;
	int error;

	mutex_lock(&fs->lock);
	error = reserve(node, index, count, taken);
	could_wait = fs->busy_blocks > 0;
	sequence = fs->running->sequence;
	mutex_unlock(&fs->lock);
	if (error != -LINUX_ENOSPC || !could_wait)
		return error;
	/* Blocks that were just freed can be used after a commit. */
	error = journal_commit(fs, sequence);
	if (error)
		return error;
	mutex_lock(&fs->lock);
	error = reserve(node, index, count, taken);
	mutex_unlock(&fs->lock);
	return error;
}

void ext4_unreserve_pages(struct storage_node *storage, uint32_t count)
{
	struct ext4_node *node = ext4_node_of(&storage->vnode);
	struct ext4 *fs = node->inode.fs;
	uint64_t blocks = (uint64_t)count << (PAGE_SHIFT - fs->block_shift);

	if (storage->vnode.fs->is_closed)
		return;
	__atomic_sub_fetch(&fs->set_aside, blocks, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&node->set_aside, count * (PAGE_BYTES / 512), __ATOMIC_RELAXED);
}

/* ---- sizes ---------------------------------------------------------------------------- */

int ext4_set_node_size(struct storage_node *node, uint64_t bytes)
{
	return ext4_set_size(inode_of(node), bytes);
}

int ext4_allocate_space(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	struct ext4_inode *inode = inode_of(node);
	int error;

	if (mode & LINUX_FALLOC_PUNCH_HOLE)
		return ext4_punch(inode, offset, bytes);
	if (mode & LINUX_FALLOC_ZERO_RANGE) {
		error = ext4_punch(inode, offset, bytes);
		if (error)
			return error;
	}
	return ext4_allocate(inode, offset, bytes, (mode & LINUX_FALLOC_KEEP_SIZE) != 0);
}

int64_t ext4_seek_data(struct storage_node *node, uint64_t offset, bool data)
{
	return ext4_seek(inode_of(node), node->vnode.size, offset, data);
}
