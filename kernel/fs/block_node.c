/*
 * /dev/NAME of block devices: the device as a file. Reads and writes go to the device at
 * once, in whole sectors: nothing is cached here, so fsync only has to flush.
 */
#include "kernel/fs/block_node.h"
#include "abi/linux/block.h"
#include "kernel/block/block.h"
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "lib/format.h"
#include "lib/string.h"

#define CHUNK_BYTES          (1u << 20) /* moved at a time */
#define FALLOC_NO_HIDE_STALE 4
#define FALLOC_ZERO_RANGE    0x10

static struct block_device *of(struct file *file)
{
	return file->vnode->data;
}

/* ---- reading and writing ----------------------------------------------------------------- */

/* A part of a transfer: the sectors that hold [offset, +bytes). */
struct span {
	uint64_t start; /* of the first sector */
	uint32_t total; /* of whole sectors */
	uint32_t front; /* before offset */
	uint32_t bytes;
};

static struct span next_span(const struct block_device *device, uint64_t offset, uint64_t left)
{
	uint64_t start = ALIGN_DOWN(offset, device->sector_bytes);
	uint32_t front = (uint32_t)(offset - start);
	uint32_t bytes = (uint32_t)MIN(left, (uint64_t)(CHUNK_BYTES - front));

	return (struct span){
		start, (uint32_t)ALIGN_UP(front + bytes, device->sector_bytes), front, bytes};
}

static bool is_aligned(const struct block_device *device, const struct uio *uio, uint64_t offset)
{
	uint64_t bits = offset | uio->bytes_left;

	/* Linux asks the same of the buffers; where they begin is of no matter here. */
	return (bits & (device->sector_bytes - 1)) == 0;
}

/* A buffer for the whole transfer, or a part at a time. */
static void *allocate_buffer(const struct block_device *device, uint64_t bytes)
{
	uint64_t most = MIN(bytes + 2ull * device->sector_bytes, (uint64_t)CHUNK_BYTES);

	return heap_alloc(ALIGN_UP(most, PAGE_BYTES));
}

static long end_of_transfer(long total, long error)
{
	return total > 0 ? total : error;
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct block_device *device = of(file);
	uint64_t left;
	uint8_t *buffer;
	long total = 0, error = 0;

	if ((file->flags & LINUX_O_DIRECT) != 0 && !is_aligned(device, uio, *offset))
		return -LINUX_EINVAL;
	if (*offset >= device->bytes || uio->bytes_left == 0)
		return 0;
	left = MIN((uint64_t)uio->bytes_left, device->bytes - *offset);
	buffer = allocate_buffer(device, left);
	if (buffer == NULL)
		return -LINUX_ENOMEM;
	while (left > 0 && error == 0) {
		struct span span = next_span(device, *offset, left);
		size_t moved = 0;

		error = block_read(device, span.start, buffer, span.total);
		if (error == 0) {
			moved = uio_copy_some_to(uio, buffer + span.front, span.bytes);
			error = moved == span.bytes ? 0 : -LINUX_EFAULT;
		}
		*offset += moved;
		left -= moved;
		total += (long)moved;
		if (error == 0 && thread_is_interrupted(thread_current()))
			error = -LINUX_ERESTARTSYS;
	}
	heap_free(buffer);
	return end_of_transfer(total, error);
}

/* Reads the sectors of which only a part will be written. */
static int read_edges(struct block_device *device, const struct span *span, uint8_t *buffer)
{
	uint32_t sector = device->sector_bytes, last = span->total - sector;
	int error = 0;

	if (span->front != 0 || span->bytes < sector)
		error = block_read(device, span->start, buffer, sector);
	if (error == 0 && last != 0 && (span->front + span->bytes) % sector != 0)
		error = block_read(device, span->start + last, buffer + last, sector);
	return error;
}

/* Copies from the program and writes; returns bytes moved, with *error. */
static size_t write_span(
	struct file *file, const struct span *span, struct uio *uio, uint8_t *buffer, long *error)
{
	struct block_device *device = of(file);
	bool is_partial = span->total != span->bytes;
	size_t moved = 0;

	/* Two writes to different parts of a sector: neither may be lost. */
	if (is_partial)
		mutex_lock(&file->vnode->lock);
	*error = is_partial ? read_edges(device, span, buffer) : 0;
	if (*error == 0) {
		moved = uio_copy_some_from(uio, buffer + span->front, span->bytes);
		if (moved != span->bytes) {
			*error = -LINUX_EFAULT;
			moved = 0; /* whole sectors or nothing: what was read is not known */
		}
	}
	if (*error == 0)
		*error = block_write(device, span->start, buffer, span->total);
	if (is_partial)
		mutex_unlock(&file->vnode->lock);
	return *error == 0 ? moved : 0;
}

static long check_write(struct file *file, const struct uio *uio, uint64_t offset)
{
	struct block_device *device = of(file);

	if (device->read_only)
		return -LINUX_EPERM;
	if ((file->flags & LINUX_O_DIRECT) != 0 && !is_aligned(device, uio, offset))
		return -LINUX_EINVAL;
	return offset >= device->bytes && uio->bytes_left != 0 ? -LINUX_ENOSPC : 0;
}

static long write(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct block_device *device = of(file);
	long total = 0, error = check_write(file, uio, *offset);
	uint64_t left;
	uint8_t *buffer;

	if (error != 0 || uio->bytes_left == 0)
		return error;
	left = MIN((uint64_t)uio->bytes_left, device->bytes - *offset);
	buffer = allocate_buffer(device, left);
	if (buffer == NULL)
		return -LINUX_ENOMEM;
	while (left > 0 && error == 0) {
		struct span span = next_span(device, *offset, left);
		size_t moved = write_span(file, &span, uio, buffer, &error);

		*offset += moved;
		left -= moved;
		total += (long)moved;
		if (error == 0 && thread_is_interrupted(thread_current()))
			error = -LINUX_ERESTARTSYS;
	}
	heap_free(buffer);
	if (total > 0 && (file->flags & LINUX_O_DSYNC) != 0) {
		int flushed = block_flush(device);

		if (flushed != 0)
			return flushed;
	}
	return end_of_transfer(total, error);
}

static int64_t seek(struct file *file, int64_t offset, int whence)
{
	int64_t size = (int64_t)of(file)->bytes, base = 0;

	switch (whence) {
	case LINUX_SEEK_SET:
		break;
	case LINUX_SEEK_CUR:
		base = (int64_t)file->offset;
		break;
	case LINUX_SEEK_END:
		base = size;
		break;
	case LINUX_SEEK_DATA: /* all of it is data */
	case LINUX_SEEK_HOLE:
		if (offset < 0 || offset >= size)
			return -LINUX_ENXIO;
		base = whence == LINUX_SEEK_HOLE ? size - offset : 0;
		break;
	default:
		return -LINUX_EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0 || offset > size)
		return -LINUX_EINVAL;
	file->offset = (uint64_t)offset;
	return offset;
}

/* ---- durability and space ---------------------------------------------------------------- */

static int sync(struct file *file, bool data_only)
{
	(void)data_only;
	return block_flush(of(file));
}

/* Where the device cannot: zeroes are written. */
static int write_zeroes(struct block_device *device, uint64_t offset, uint64_t bytes)
{
	int error = block_write_zeroes(device, offset, bytes);
	void *zeroes;

	if (error != -LINUX_EOPNOTSUPP)
		return error;
	zeroes = heap_zalloc(CHUNK_BYTES);
	if (zeroes == NULL)
		return -LINUX_ENOMEM;
	for (error = 0; bytes > 0 && error == 0;) {
		uint64_t piece = MIN(bytes, (uint64_t)CHUNK_BYTES);

		error = block_write(device, offset, zeroes, piece);
		offset += piece;
		bytes -= piece;
	}
	heap_free(zeroes);
	return error;
}

static int check_range(const struct block_device *device, uint64_t offset, uint64_t bytes)
{
	if (((offset | bytes) & (device->sector_bytes - 1)) != 0 || bytes > device->bytes ||
		offset > device->bytes - bytes)
		return -LINUX_EINVAL;
	return device->read_only ? -LINUX_EPERM : 0;
}

static int allocate(struct file *file, int mode, uint64_t offset, uint64_t bytes)
{
	struct block_device *device = of(file);
	int error;

	if (offset >= device->bytes)
		return -LINUX_EINVAL;
	if ((mode & LINUX_FALLOC_KEEP_SIZE) != 0)
		bytes = MIN(bytes, device->bytes - offset);
	error = check_range(device, offset, bytes);
	if (error != 0)
		return error;
	switch (mode) {
	case FALLOC_ZERO_RANGE:
	case FALLOC_ZERO_RANGE | LINUX_FALLOC_KEEP_SIZE:
		return write_zeroes(device, offset, bytes);
	case LINUX_FALLOC_PUNCH_HOLE | LINUX_FALLOC_KEEP_SIZE:
		return block_write_zeroes(device, offset, bytes);
	case LINUX_FALLOC_PUNCH_HOLE | LINUX_FALLOC_KEEP_SIZE | FALLOC_NO_HIDE_STALE:
		return block_discard(device, offset, bytes);
	default:
		return -LINUX_EOPNOTSUPP;
	}
}

/* ---- ioctl --------------------------------------------------------------------------------- */

static long range_request(struct file *file, uint32_t request, uintptr_t argument)
{
	struct block_device *device = of(file);
	uint64_t range[2];
	int error;

	if (!file_is_writable(file))
		return -LINUX_EBADF;
	error = user_copy_in(range, argument, sizeof(range));
	if (error == 0)
		error = check_range(device, range[0], range[1]);
	if (error != 0)
		return error;
	return request == LINUX_BLKZEROOUT ? write_zeroes(device, range[0], range[1])
					   : block_discard(device, range[0], range[1]);
}

static long give(uintptr_t argument, uint64_t value, size_t bytes)
{
	return user_copy_out(argument, &value, bytes); /* little-endian: the low bytes */
}

static long ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	const struct block_device *device = of(file);

	switch (request) {
	case LINUX_BLKGETSIZE64:
		return give(argument, device->bytes, 8);
	case LINUX_BLKGETSIZE:
		return give(argument, device->bytes / 512, 8);
	case LINUX_BLKSSZGET:
	case LINUX_BLKPBSZGET:
	case LINUX_BLKIOMIN:
		return give(argument, device->sector_bytes, 4);
	case LINUX_BLKBSZGET:
		return give(argument, PAGE_BYTES, 4);
	case LINUX_BLKROGET:
		return give(argument, device->read_only, 4);
	case LINUX_BLKIOOPT:
	case LINUX_BLKALIGNOFF:
	case LINUX_BLKDISCARDZEROES:
		return give(argument, 0, 4);
	case LINUX_BLKROTATIONAL:
		return give(argument, 0, 2);
	case LINUX_BLKSECTGET:
		return give(argument, MIN(device->max_request_bytes / 512, UINT16_MAX), 2);
	case LINUX_BLKRAGET:
		return give(argument, 0, 8);
	case LINUX_BLKFLSBUF:
		return sync(file, false);
	case LINUX_BLKDISCARD:
	case LINUX_BLKZEROOUT:
		return range_request(file, request, argument);
	default:
		return -LINUX_ENOTTY;
	}
}

static const struct file_ops block_file_ops = {.kind = "block",
	.read = read,
	.write = write,
	.seek = seek,
	.ioctl = ioctl,
	.sync = sync,
	.allocate = allocate};

/* ---- the nodes ------------------------------------------------------------------------------ */

int block_node_init(void)
{
	struct block_device *device = NULL;
	char path[64];
	int error = 0;

	while (error == 0 && (device = block_next(device)) != NULL) {
		struct vnode *vnode = memfs_new_special(
			&memfs_device, LINUX_S_IFBLK | 0660, NULL, &block_file_ops, device);

		if (vnode != NULL)
			vnode->rdev = device_number(BLOCK_MAJOR, 16 * device->number);
		format_text(path, sizeof(path), "/dev/%s", device->name);
		error = tree_fill_put(path, vnode);
	}
	return error != 0 ? error : block_text_init();
}
