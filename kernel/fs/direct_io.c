/* See direct_io.h. */
#include "kernel/fs/direct_io.h"
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/write_back.h"
#include "kernel/mm/page_alloc.h"
#include "lib/string.h"

#define ALIGNMENT   512u
#define PIECE_PAGES 64u /* as many as space is set aside for at a time */

/* What lies between the program and storage. */
struct piece {
	uint64_t index;
	uint32_t count;
	struct phys pages[PIECE_PAGES];
};

/* The program's address does not matter: devices never see it. */
static bool is_aligned(const struct uio *uio, uint64_t offset)
{
	uint64_t all = offset | uio->bytes_left | uio->part_offset;

	for (size_t i = uio->part_index; i < uio->part_count; i++)
		all |= uio->parts[i].bytes;
	return all % ALIGNMENT == 0;
}

/* Pages for [offset, +bytes), or as much of it as there is memory for. */
static int piece_begin(struct piece *piece, uint64_t offset, uint64_t bytes)
{
	uint64_t last = (offset + bytes - 1) >> PAGE_SHIFT;

	piece->index = offset >> PAGE_SHIFT;
	piece->count = storage_alloc_pages(
		(uint32_t)MIN(PIECE_PAGES, last - piece->index + 1), piece->pages);
	return piece->count > 0 ? 0 : -LINUX_ENOMEM;
}

static void piece_end(struct piece *piece)
{
	storage_free_pages(piece->pages, piece->count);
}

/* Copies between the program and the piece, from `within` its first page on; stops at faults. */
static size_t piece_copy(
	const struct piece *piece, struct uio *uio, uint64_t within, size_t bytes, bool out)
{
	size_t total = 0;

	while (total < bytes) {
		uint64_t at = within + total;
		uint8_t *data = platform_phys_to_virt(piece->pages[at >> PAGE_SHIFT]);
		size_t part = MIN(PAGE_BYTES - at % PAGE_BYTES, bytes - total), moved;

		data += at % PAGE_BYTES;
		moved = out ? uio_copy_some_to(uio, data, part)
			    : uio_copy_some_from(uio, data, part);
		total += moved;
		if (moved < part)
			break;
	}
	return total;
}

static long read_piece(struct storage_node *node, struct uio *uio, uint64_t offset, uint64_t bytes)
{
	uint64_t within = offset % PAGE_BYTES, size;
	struct piece piece;
	long result = piece_begin(&piece, offset, bytes);

	if (result)
		return result;
	bytes = MIN(bytes, piece.count * PAGE_BYTES - within);
	size = READ_ONCE(node->vnode.size) - (piece.index << PAGE_SHIFT);
	result = storage_write_pages(node, piece.index, piece.index + piece.count - 1, true);
	if (result == 0)
		result = storage_transfer(node, false, piece.index,
			MIN(size, piece.count * PAGE_BYTES), piece.pages, piece.count);
	if (result == 0) {
		result = (long)piece_copy(&piece, uio, within, bytes, true);
		if (result == 0)
			result = -LINUX_EFAULT;
	}
	piece_end(&piece);
	return result;
}

long direct_read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct storage_node *node = storage_node_of(file->vnode);
	long total = 0, moved = 0;

	if (!is_aligned(uio, *offset))
		return -LINUX_EINVAL;
	while (uio->bytes_left > 0) {
		uint64_t size = READ_ONCE(node->vnode.size), bytes;

		if (*offset >= size)
			break;
		bytes = MIN(uio->bytes_left, size - *offset);
		moved = read_piece(node, uio, *offset, bytes);
		if (moved <= 0)
			break;
		*offset += (uint64_t)moved;
		total += moved;
	}
	return total > 0 ? total : moved;
}

static int write_to_storage(struct storage_node *node, struct piece *piece)
{
	const struct storage_ops *ops = storage_ops_of(node);
	uint64_t last = piece->index + piece->count - 1, taken = 0;
	int error = ops->reserve ? ops->reserve(node, piece->index, piece->count, &taken) : 0;

	if (error)
		return error;
	error = storage_write_pages(node, piece->index, last, true);
	if (!error) {
		storage_drop_pages(node, piece->index, last, false);
		error = storage_transfer(node, true, piece->index, piece->count * PAGE_BYTES,
			piece->pages, piece->count);
		storage_drop_pages(node, piece->index, last, false);
	}
	if (taken)
		ops->unreserve(node, (uint32_t)__builtin_popcountll(taken));
	return error;
}

/* Whole pages. */
static long write_piece(struct storage_node *node, struct uio *uio, uint64_t offset)
{
	uint64_t bytes = ALIGN_DOWN(MIN(uio->bytes_left, PIECE_PAGES * PAGE_BYTES), PAGE_BYTES);
	struct piece piece;
	long result = piece_begin(&piece, offset, bytes);

	if (result)
		return result;
	bytes = piece.count * PAGE_BYTES;
	if (piece_copy(&piece, uio, 0, bytes, false) < bytes)
		result = -LINUX_EFAULT;
	else
		result = write_to_storage(node, &piece);
	if (result == 0 && offset + bytes > node->vnode.size) {
		WRITE_ONCE(node->vnode.size, offset + bytes);
		storage_mark_dirty(node, false);
	}
	piece_end(&piece);
	return result ? result : (long)bytes;
}

/* Less than a page: through the cache, and out of it at once. */
static long write_part(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct storage_node *node = storage_node_of(file->vnode);
	size_t left = uio->bytes_left, bytes = MIN(PAGE_BYTES - *offset % PAGE_BYTES, left);
	uint64_t index = *offset >> PAGE_SHIFT;
	long result;
	int error;

	uio->bytes_left = bytes;
	result = storage_write_locked(file, uio, offset);
	uio->bytes_left += left - bytes;
	error = storage_write_pages(node, index, index, true);
	storage_drop_pages(node, index, index, false);
	return error ? error : result;
}

long direct_write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct storage_node *node = storage_node_of(file->vnode);
	long total = 0, moved = 0;

	if (!is_aligned(uio, *offset))
		return -LINUX_EINVAL;
	if (*offset > node->vnode.size)
		moved = storage_clear_tail(node);
	while (moved >= 0 && uio->bytes_left > 0) {
		uint64_t position = *offset;

		if (position % PAGE_BYTES == 0 && uio->bytes_left >= PAGE_BYTES)
			moved = write_piece(node, uio, position);
		else
			moved = write_part(file, uio, &position);
		if (moved <= 0)
			break;
		*offset += (uint64_t)moved;
		total += moved;
	}
	if (total > 0)
		vnode_touch_contents(&node->vnode);
	return total > 0 ? total : moved;
}
