/*
 * See splice.h.
 *
 * Neither side may wait for the program with a pipe's lock held. Bytes leaving a pipe
 * are therefore copied out first, with `leaving` keeping other readers off, and taken
 * once the receiver has them; room for bytes on their way in is reserved before they
 * are read.
 */
#include "kernel/fs/splice.h"
#include "kernel/fs/file.h"
#include "kernel/fs/pipe_buffer.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"

#define CHUNK_BYTES    65536u
#define TRANSFER_LIMIT 0x7ffff000u

/* A descriptor's side of a transfer: the file and where in it (NULL: its own offset). */
struct place {
	struct file *file;
	uint64_t *offset;
};

static long call_at(const struct place *place,
	long (*operation)(struct file *file, struct uio *uio, uint64_t *offset), void *buffer,
	uint64_t bytes)
{
	struct file *file = place->file;
	uint64_t no_offset = 0;
	struct uio_part part;
	struct uio uio;
	long moved;

	if (operation == NULL)
		return -LINUX_EINVAL;
	uio_init_kernel(&uio, &part, buffer, bytes);
	if (place->offset != NULL)
		return operation(file, &uio, place->offset);
	if (file->ops->seek == NULL)
		return operation(file, &uio, &no_offset);
	mutex_lock(&file->position_lock);
	moved = operation(file, &uio, &file->offset);
	mutex_unlock(&file->position_lock);
	return moved;
}

/* ---- out of a pipe ------------------------------------------------------- */

/* Copies at most `bytes` of the oldest bytes and keeps other readers off them. 0: the
 * pipe is at its end. */
static long begin_leaving(struct pipe *pipe, void *buffer, uint64_t bytes, bool wait)
{
	for (;;) {
		uint64_t found = 0;
		int error;

		mutex_lock(&pipe->lock);
		if (!pipe->leaving && pipe_used(pipe) != 0) {
			found = MIN(pipe_oldest_locked(pipe), bytes);
			stream_peek(&pipe->bytes, 0, buffer, found);
			WRITE_ONCE(pipe->leaving, true);
		}
		mutex_unlock(&pipe->lock);
		if (found != 0)
			return (long)found;
		if (READ_ONCE(pipe->writers) == 0 && pipe_used(pipe) == 0)
			return 0;
		error = pipe_wait_readable(pipe, wait);
		if (error != 0)
			return error;
	}
}

/* `taken` of them reached the receiver. */
static void end_leaving(struct pipe *pipe, long taken)
{
	bool was_full;

	mutex_lock(&pipe->lock);
	was_full = pipe_is_full(pipe);
	if (taken > 0)
		pipe_consume_locked(pipe, (uint64_t)taken);
	WRITE_ONCE(pipe->leaving, false);
	mutex_unlock(&pipe->lock);
	pipe_announce_room(pipe, was_full);
	pipe_announce_data(pipe);
}

static long pipe_to_file(
	struct pipe *pipe, const struct place *out, void *buffer, uint64_t bytes, bool wait)
{
	long found = begin_leaving(pipe, buffer, bytes, wait);
	long written;

	if (found <= 0)
		return found;
	written = call_at(out, out->file->ops->write, buffer, (uint64_t)found);
	end_leaving(pipe, written);
	return written;
}

/* ---- into a pipe --------------------------------------------------------- */

/* Promises room for at most `bytes`. Returns how many, or -EPIPE, -EAGAIN... */
static long begin_entering(struct pipe *pipe, uint64_t bytes, bool wait)
{
	for (;;) {
		long room = 0;
		int error;

		mutex_lock(&pipe->lock);
		if (pipe->readers == 0)
			room = -LINUX_EPIPE;
		else if (!pipe_is_full(pipe))
			room = (long)MIN(pipe_room(pipe), bytes);
		if (room > 0 && stream_grow(&pipe->bytes,
					pipe_used(pipe) + pipe->reserved + (uint64_t)room) != 0)
			room = -LINUX_ENOMEM;
		if (room > 0)
			WRITE_ONCE(pipe->reserved, pipe->reserved + (uint32_t)room);
		mutex_unlock(&pipe->lock);
		if (room == -LINUX_EPIPE)
			pipe_send_broken();
		if (room != 0)
			return room;
		error = pipe_wait_writable(pipe, wait);
		if (error != 0)
			return error;
	}
}

/* Puts `bytes` (or none, on an error) and gives up the rest of the promise. */
static void end_entering(struct pipe *pipe, long promised, void *buffer, long bytes)
{
	bool was_full;

	mutex_lock(&pipe->lock);
	was_full = pipe_is_full(pipe);
	WRITE_ONCE(pipe->reserved, pipe->reserved - (uint32_t)promised);
	if (bytes > 0) {
		struct uio_part part;
		struct uio uio;

		uio_init_kernel(&uio, &part, buffer, (uint64_t)bytes);
		stream_put(&pipe->bytes, &uio, (uint64_t)bytes);
	}
	mutex_unlock(&pipe->lock);
	pipe_announce_room(pipe, was_full);
	if (bytes > 0)
		pipe_announce_data(pipe);
}

static long file_to_pipe(
	const struct place *in, struct pipe *pipe, void *buffer, uint64_t bytes, bool wait)
{
	long promised = begin_entering(pipe, bytes, wait);
	long found;

	if (promised <= 0)
		return promised;
	found = call_at(in, in->file->ops->read, buffer, (uint64_t)promised);
	end_entering(pipe, promised, buffer, found);
	return found;
}

/* ---- pipe to pipe -------------------------------------------------------- */

/* Waits for both sides without holding either; then takes both, or starts again. With
 * `keep`, the bytes also stay where they were. */
static long pipe_to_pipe(
	struct pipe *in, struct pipe *out, void *buffer, uint64_t bytes, bool wait, bool keep)
{
	for (;;) {
		int error = pipe_wait_readable(in, wait);
		long promised, found;

		if (error != 0)
			return error;
		promised = begin_entering(out, bytes, wait);
		if (promised <= 0)
			return promised;
		found = begin_leaving(in, buffer, (uint64_t)promised, false);
		end_entering(out, promised, buffer, found);
		if (found > 0)
			end_leaving(in, keep ? 0 : found);
		if (found != -LINUX_EAGAIN || !wait)
			return found;
	}
}

/* ---- the calls ------------------------------------------------------------ */

static bool is_nonblocking(const struct file *file, uint32_t flags)
{
	return (flags & SPLICE_NONBLOCK) != 0 || file_is_nonblocking(file);
}

static long splice_buffered(const struct place *in, const struct place *out, void *buffer,
	uint64_t bytes, uint32_t flags)
{
	struct pipe *from = pipe_of_file(in->file), *to = pipe_of_file(out->file);

	if (from != NULL && to != NULL)
		return pipe_to_pipe(from, to, buffer, bytes,
			!is_nonblocking(in->file, flags) && !is_nonblocking(out->file, flags),
			false);
	if (from != NULL)
		return pipe_to_file(from, out, buffer, bytes, !is_nonblocking(in->file, flags));
	return file_to_pipe(in, to, buffer, bytes, !is_nonblocking(out->file, flags));
}

static int check_splice(const struct place *in, const struct place *out)
{
	struct pipe *from = pipe_of_file(in->file), *to = pipe_of_file(out->file);

	if (!file_is_readable(in->file) || !file_is_writable(out->file))
		return -LINUX_EBADF;
	if ((from != NULL && in->offset != NULL) || (to != NULL && out->offset != NULL))
		return -LINUX_ESPIPE;
	if ((from == NULL && to == NULL) || from == to)
		return -LINUX_EINVAL;
	if (from == NULL && in->offset != NULL && in->file->ops->seek == NULL)
		return -LINUX_EINVAL;
	if (to == NULL && out->offset != NULL && out->file->ops->seek == NULL)
		return -LINUX_EINVAL;
	if (to == NULL && (out->file->flags & LINUX_O_APPEND) != 0)
		return -LINUX_EINVAL;
	return 0;
}

long splice_files(struct file *in, uint64_t *in_offset, struct file *out, uint64_t *out_offset,
	uint64_t bytes, uint32_t flags)
{
	struct place from = {in, in_offset}, to = {out, out_offset};
	long moved = check_splice(&from, &to);
	void *buffer;

	if (moved != 0 || bytes == 0)
		return moved;
	bytes = MIN(bytes, CHUNK_BYTES);
	buffer = heap_alloc(bytes);
	if (buffer == NULL)
		return -LINUX_ENOMEM;
	moved = splice_buffered(&from, &to, buffer, bytes, flags);
	heap_free(buffer);
	return moved;
}

long splice_tee(struct file *in, struct file *out, uint64_t bytes, uint32_t flags)
{
	struct pipe *from = pipe_of_file(in), *to = pipe_of_file(out);
	void *buffer;
	long moved;

	if (!file_is_readable(in) || !file_is_writable(out))
		return -LINUX_EBADF;
	if (from == NULL || to == NULL || from == to)
		return -LINUX_EINVAL;
	if (bytes == 0)
		return 0;
	bytes = MIN(bytes, CHUNK_BYTES);
	buffer = heap_alloc(bytes);
	if (buffer == NULL)
		return -LINUX_ENOMEM;
	moved = pipe_to_pipe(from, to, buffer, bytes,
		!is_nonblocking(in, flags) && !is_nonblocking(out, flags), true);
	heap_free(buffer);
	return moved;
}

/* One attempt of vmsplice in its direction. 0: it must wait. */
static long move_memory(struct pipe *pipe, struct uio *uio, bool into)
{
	bool was_full;
	long moved = -LINUX_EPIPE;

	mutex_lock(&pipe->lock);
	was_full = pipe_is_full(pipe);
	if (!into)
		moved = pipe_take_locked(pipe, uio);
	else if (pipe->readers != 0)
		moved = pipe_put_locked(pipe, uio, false, false);
	mutex_unlock(&pipe->lock);
	if (moved == -LINUX_EPIPE)
		pipe_send_broken();
	if (moved > 0 && into)
		pipe_announce_data(pipe);
	else if (moved > 0)
		pipe_announce_room(pipe, was_full);
	return moved;
}

long splice_memory(struct file *file, struct uio *uio, uint32_t flags)
{
	struct pipe *pipe = pipe_of_file(file);
	bool wait = !is_nonblocking(file, flags);
	bool into = file_is_writable(file);

	if (pipe == NULL)
		return -LINUX_EBADF;
	if (uio->bytes_left == 0)
		return 0;
	for (;;) {
		long moved = move_memory(pipe, uio, into);
		int error;

		if (moved != 0)
			return moved;
		if (!into && READ_ONCE(pipe->writers) == 0 && pipe_used(pipe) == 0)
			return 0;
		error = into ? pipe_wait_writable(pipe, wait) : pipe_wait_readable(pipe, wait);
		if (error != 0)
			return error;
	}
}

static long send_chunks(
	const struct place *out, struct file *in, uint64_t *offset, void *buffer, uint64_t bytes)
{
	uint64_t total = 0;
	long moved = 0;

	while (total < bytes) {
		uint64_t position = *offset;
		struct place from = {in, &position};
		long found;

		found = call_at(&from, in->ops->read, buffer, MIN(bytes - total, CHUNK_BYTES));
		if (found <= 0) {
			moved = found;
			break;
		}
		moved = call_at(out, out->file->ops->write, buffer, (uint64_t)found);
		if (moved <= 0)
			break;
		*offset += (uint64_t)moved;
		total += (uint64_t)moved;
		if (moved < found || thread_is_interrupted(thread_current()))
			break;
	}
	return total != 0 ? (long)total : moved;
}

static long send_file(struct file *out, struct file *in, uint64_t *offset, uint64_t bytes)
{
	struct place to = {out, NULL};
	uint64_t chunk = MIN(bytes, CHUNK_BYTES);
	void *buffer = heap_alloc(chunk);
	long moved;

	if (buffer == NULL)
		return -LINUX_ENOMEM;
	moved = send_chunks(&to, in, offset, buffer, bytes);
	heap_free(buffer);
	return moved;
}

long splice_send_file(struct file *out, struct file *in, uint64_t *offset, uint64_t bytes)
{
	uint64_t position;
	long moved;

	if (file_is_readable(in) && in->ops->seek == NULL && offset != NULL)
		return -LINUX_ESPIPE;
	if (!file_is_readable(in) || !file_is_writable(out))
		return -LINUX_EBADF;
	if (in->ops->seek == NULL)
		return -LINUX_EINVAL;
	if ((out->flags & LINUX_O_APPEND) != 0)
		return -LINUX_EINVAL;
	bytes = MIN(bytes, TRANSFER_LIMIT);
	if (bytes == 0)
		return 0;
	if (offset != NULL)
		return send_file(out, in, offset, bytes);
	mutex_lock(&in->position_lock);
	position = in->offset;
	mutex_unlock(&in->position_lock);
	moved = send_file(out, in, &position, bytes);
	if (moved > 0) {
		mutex_lock(&in->position_lock);
		in->offset = position;
		mutex_unlock(&in->position_lock);
	}
	return moved;
}
