/* Scattered buffers; see uio.h. */
#include "kernel/mm/uio.h"

#include "abi/linux/errno.h"
#include "kernel/mm/uaccess.h"
#include "lib/string.h"

enum direction {
	TO_BUFFER,   /* into the uio's memory */
	FROM_BUFFER, /* out of it */
	ZERO_BUFFER,
};

void uio_init_parts(struct uio *uio, const struct uio_part *parts, size_t part_count)
{
	uio->parts = parts;
	uio->part_count = part_count;
	uio->part_index = 0;
	uio->part_offset = 0;
	uio->bytes_left = 0;
	uio->is_kernel = false;
	for (size_t i = 0; i < part_count; i++)
		uio->bytes_left += parts[i].bytes;
}

void uio_init_user(struct uio *uio, struct uio_part *storage, uintptr_t address, size_t bytes)
{
	storage->address = address;
	storage->bytes = bytes;
	uio_init_parts(uio, storage, 1);
}

void uio_init_kernel(struct uio *uio, struct uio_part *storage, const void *buffer, size_t bytes)
{
	uio_init_user(uio, storage, (uintptr_t)buffer, bytes);
	uio->is_kernel = true;
}

/* Returns how many bytes were moved: fewer where the program's memory ends. */
static size_t part_move(
	bool is_kernel, uintptr_t address, void *buffer, size_t bytes, enum direction direction)
{
	if (!is_kernel) {
		if (direction == TO_BUFFER)
			return user_copy_some_out(address, buffer, bytes);
		if (direction == FROM_BUFFER)
			return user_copy_some_in(buffer, address, bytes);
		return user_zero_some(address, bytes);
	}
	if (direction == TO_BUFFER)
		memcpy((void *)address, buffer, bytes);
	else if (direction == FROM_BUFFER)
		memcpy(buffer, (const void *)address, bytes);
	else
		memset((void *)address, 0, bytes);
	return bytes;
}

static void part_advance(struct uio *uio, size_t bytes)
{
	uio->part_offset += bytes;
	uio->bytes_left -= bytes;
	while (uio->part_index < uio->part_count &&
		uio->part_offset == uio->parts[uio->part_index].bytes) {
		uio->part_index++;
		uio->part_offset = 0;
	}
}

/* Returns how many bytes were moved and consumed. `whole`: of a part of the buffer that
 * cannot be moved whole, none are. */
static size_t uio_move(
	struct uio *uio, uint8_t *buffer, size_t bytes, enum direction direction, bool whole)
{
	size_t moved = 0;

	bytes = MIN(bytes, uio->bytes_left);
	if (bytes > 0)
		part_advance(uio, 0); /* past empty parts */
	while (moved < bytes) {
		const struct uio_part *part = &uio->parts[uio->part_index];
		size_t here = MIN(bytes - moved, part->bytes - uio->part_offset);
		size_t done = part_move(uio->is_kernel, part->address + uio->part_offset,
			buffer != NULL ? buffer + moved : NULL, here, direction);

		if (done == here || !whole) {
			part_advance(uio, done);
			moved += done;
		}
		if (done < here)
			break;
	}
	return moved;
}

static long uio_move_whole(struct uio *uio, uint8_t *buffer, size_t bytes, enum direction direction)
{
	bytes = MIN(bytes, uio->bytes_left);
	return uio_move(uio, buffer, bytes, direction, true) == bytes ? (long)bytes : -LINUX_EFAULT;
}

long uio_copy_to(struct uio *uio, const void *src, size_t bytes)
{
	return uio_move_whole(uio, (uint8_t *)(uintptr_t)src, bytes, TO_BUFFER);
}

long uio_copy_from(struct uio *uio, void *dst, size_t bytes)
{
	return uio_move_whole(uio, dst, bytes, FROM_BUFFER);
}

long uio_fill_zero(struct uio *uio, size_t bytes)
{
	return uio_move_whole(uio, NULL, bytes, ZERO_BUFFER);
}

size_t uio_copy_some_to(struct uio *uio, const void *src, size_t bytes)
{
	return uio_move(uio, (uint8_t *)(uintptr_t)src, bytes, TO_BUFFER, false);
}

size_t uio_copy_some_from(struct uio *uio, void *dst, size_t bytes)
{
	return uio_move(uio, dst, bytes, FROM_BUFFER, false);
}

size_t uio_zero_some(struct uio *uio, size_t bytes)
{
	return uio_move(uio, NULL, bytes, ZERO_BUFFER, false);
}

void uio_advance(struct uio *uio, size_t bytes)
{
	bytes = MIN(bytes, uio->bytes_left);
	while (bytes > 0) {
		size_t here;

		part_advance(uio, 0);
		here = MIN(bytes, uio->parts[uio->part_index].bytes - uio->part_offset);
		part_advance(uio, here);
		bytes -= here;
	}
}
