/*
 * A first-in first-out buffer of bytes that grows on demand: the store of pipes.
 *
 * Positions count bytes since the beginning and never wrap. The caller serialises
 * (a mutex: copies to and from the program may sleep); stream_used() may be asked
 * by anybody at any time.
 */
#ifndef KERNEL_FS_STREAM_H
#define KERNEL_FS_STREAM_H

#include "lib/compiler.h"
#include "kernel/mm/uio.h"

struct stream {
	uint8_t *buffer; /* NULL until the first byte */
	uint32_t size;   /* of the buffer: 0, or a power of two */
	uint64_t read_position;
	uint64_t write_position;
};

void stream_init(struct stream *stream);
void stream_release(struct stream *stream);

static inline uint64_t stream_used(const struct stream *stream)
{
	uint64_t read_position = READ_ONCE(stream->read_position);

	return READ_ONCE(stream->write_position) - read_position;
}

/* Makes room for `used` bytes in all (a power of two at least as large, from one
 * page). -ENOMEM: as before. */
int stream_grow(struct stream *stream, uint64_t used);
/* Moves at most `bytes`, limited by room or content. Bytes moved, or -EFAULT if none. */
long stream_put(struct stream *stream, struct uio *uio, uint64_t bytes);
long stream_take(struct stream *stream, struct uio *uio, uint64_t bytes);
/* Copies without taking, from `skip` bytes after the oldest. */
void stream_peek(const struct stream *stream, uint64_t skip, void *dst, uint64_t bytes);
void stream_skip(struct stream *stream, uint64_t bytes);

#endif
