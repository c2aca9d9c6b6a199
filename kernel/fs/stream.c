/* See stream.h. */
#include "kernel/fs/stream.h"
#include "kernel/mm/heap.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define FIRST_SIZE 4096u
#define LARGEST    (1u << 30)

void stream_init(struct stream *stream)
{
	*stream = (struct stream){.buffer = NULL};
}

void stream_release(struct stream *stream)
{
	heap_free(stream->buffer);
	stream_init(stream);
}

/* The bytes at `position` that lie in one piece, at most `bytes`. */
static uint64_t contiguous(const struct stream *stream, uint64_t position, uint64_t bytes)
{
	uint64_t to_end = stream->size - (position & (stream->size - 1));

	return MIN(bytes, to_end);
}

static uint8_t *at(const struct stream *stream, uint64_t position)
{
	return stream->buffer + (position & (stream->size - 1));
}

int stream_grow(struct stream *stream, uint64_t used)
{
	struct stream larger = *stream;

	if (used <= stream->size)
		return 0;
	if (used > LARGEST)
		return -LINUX_ENOMEM;
	larger.size = FIRST_SIZE;
	while (larger.size < used)
		larger.size *= 2;
	larger.buffer = heap_alloc(larger.size);
	if (larger.buffer == NULL)
		return -LINUX_ENOMEM;
	for (uint64_t p = stream->read_position; p != stream->write_position;) {
		uint64_t n = contiguous(stream, p, stream->write_position - p);

		n = contiguous(&larger, p, n);
		memcpy(at(&larger, p), at(stream, p), n);
		p += n;
	}
	heap_free(stream->buffer);
	stream->buffer = larger.buffer;
	stream->size = larger.size;
	return 0;
}

/* What uio moved of a chunk, though it may have met a fault in the middle. */
static uint64_t moved_since(const struct uio *uio, uint64_t left_before)
{
	return left_before - uio->bytes_left;
}

long stream_put(struct stream *stream, struct uio *uio, uint64_t bytes)
{
	uint64_t position = stream->write_position;
	uint64_t end = position + MIN(bytes, stream->size - stream_used(stream));
	long result = 0;

	end = MIN(end, position + uio->bytes_left);
	while (position != end && result >= 0) {
		uint64_t before = uio->bytes_left;

		result = uio_copy_from(
			uio, at(stream, position), contiguous(stream, position, end - position));
		position += moved_since(uio, before);
	}
	bytes = position - stream->write_position;
	WRITE_ONCE(stream->write_position, position);
	return bytes == 0 ? result : (long)bytes;
}

long stream_take(struct stream *stream, struct uio *uio, uint64_t bytes)
{
	uint64_t position = stream->read_position;
	uint64_t end = position + MIN(bytes, stream_used(stream));
	long result = 0;

	end = MIN(end, position + uio->bytes_left);
	while (position != end && result >= 0) {
		uint64_t before = uio->bytes_left;

		result = uio_copy_to(
			uio, at(stream, position), contiguous(stream, position, end - position));
		position += moved_since(uio, before);
	}
	bytes = position - stream->read_position;
	WRITE_ONCE(stream->read_position, position);
	return bytes == 0 ? result : (long)bytes;
}

void stream_peek(const struct stream *stream, uint64_t skip, void *dst, uint64_t bytes)
{
	uint64_t position = stream->read_position + skip;
	uint8_t *to = dst;

	while (bytes != 0) {
		uint64_t n = contiguous(stream, position, bytes);

		memcpy(to, at(stream, position), n);
		to += n;
		position += n;
		bytes -= n;
	}
}

void stream_skip(struct stream *stream, uint64_t bytes)
{
	WRITE_ONCE(stream->read_position, stream->read_position + bytes);
}
