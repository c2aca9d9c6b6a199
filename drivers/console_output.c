/* See console_output.h. */
#include "drivers/console_output.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "abi/linux/errno.h"
#include "lib/string.h"

#define SMALL_WRITE         1024u
#define SMALL_WRITES_ENOUGH 64u
#define SEIZE_ROUNDS        1000000

/* ---- areas ---------------------------------------------------------------- */

static bool area_allocate(struct console_area *area, uint32_t size)
{
	struct phys phys;

	if (!page_alloc((uint32_t)(size / PAGE_BYTES), 0, &phys))
		return false;
	area->memory = platform_phys_to_virt(phys);
	area->size = size;
	return true;
}

static void area_free(struct console_area *area)
{
	if (area->size != 0)
		page_free(platform_virt_to_phys(area->memory), (uint32_t)(area->size / PAGE_BYTES));
	area->size = 0;
}

/* Puts an area of `size` in the place of the present one. False: not now. */
static bool replace_area(struct console_output *output, uint32_t size)
{
	struct console_area fresh;

	if (output->retired.size != 0 || !area_allocate(&fresh, size))
		return false;
	output->retired = output->area;
	output->retired_bytes = (uint32_t)(output->tail - output->head);
	output->area = fresh;
	output->head = 0;
	output->tail = 0;
	for (uint32_t i = 0; i < output->count; i++)
		output->pieces[(output->first + i) % output->limit].is_retired = true;
	if (output->retired_bytes == 0)
		area_free(&output->retired);
	return true;
}

static uint32_t room(const struct console_output *output)
{
	return output->area.size - (uint32_t)(output->tail - output->head);
}

/* Makes `wanted` bytes of room if larger areas are to be had. */
static bool make_room(struct console_output *output, uint32_t wanted)
{
	uint32_t size = MAX(output->area.size * 16, CONSOLE_AREA_FIRST);

	if (room(output) >= wanted)
		return true;
	while (size < wanted)
		size *= 2;
	size = MIN(size, CONSOLE_AREA_MAXIMUM);
	return size > output->area.size && replace_area(output, size) && room(output) >= wanted;
}

/* Back to a page when nothing is in flight and little has been written of late. */
static void shrink_if_idle(struct console_output *output, uint32_t bytes)
{
	output->small_writes = bytes <= SMALL_WRITE ? output->small_writes + 1 : 0;
	if (output->small_writes < SMALL_WRITES_ENOUGH || output->count != 0 ||
		output->area.size <= CONSOLE_AREA_FIRST)
		return;
	output->small_writes = 0;
	replace_area(output, CONSOLE_AREA_FIRST);
}

/* ---- pieces, with the lock held --------------------------------------------- */

static void free_first_piece(struct console_output *output)
{
	const struct console_piece *piece = &output->pieces[output->first];

	if (piece->is_retired) {
		output->retired_bytes -= piece->bytes;
		if (output->retired_bytes == 0)
			area_free(&output->retired);
	} else {
		output->head += piece->bytes;
	}
	output->first = (output->first + 1) % output->limit;
	output->count--;
}

/* Takes back what the launcher is done with. */
static void reclaim(struct console_output *output)
{
	uint32_t token, bytes;

	if (output->device == NULL)
		return;
	while (virtio_ring_take(&output->ring, &token, &bytes))
		output->pieces[token].state = PIECE_DONE;
	while (output->count != 0 && output->pieces[output->first].state == PIECE_DONE)
		free_first_piece(output);
}

/* Room for a write of `bytes`, or for the first part of it where that may be split. */
static bool has_room(struct console_output *output, uint64_t bytes)
{
	/* Two pieces, if there are so many: the area may end in the middle. */
	if (output->count + MIN(2u, output->limit) > output->limit)
		return false;
	return make_room(output, (uint32_t)MIN(bytes, CONSOLE_ATOMIC_BYTES));
}

/* As above; without room, asks to be interrupted when half of what is in flight is gone. */
static bool has_room_or_arm(struct console_output *output, uint64_t bytes)
{
	reclaim(output);
	while (!has_room(output, bytes)) {
		uint16_t half = (uint16_t)((output->ring.in_flight + 1) / 2);

		if (!virtio_ring_arm(&output->ring, MAX(half, 1)))
			return false;
		reclaim(output);
	}
	return true;
}

static bool is_dead(const struct console_output *output)
{
	return READ_ONCE(output->is_closed) || READ_ONCE(output->ring.broken);
}

/* A write can do something, be it to fail. */
static bool is_ready(struct console_output *output, uint64_t bytes)
{
	return is_dead(output) || has_room_or_arm(output, bytes) || is_dead(output);
}

/* The next piece for a write that has `bytes` left. NULL: no room. */
static struct console_piece *reserve(struct console_output *output, uint64_t bytes)
{
	struct console_piece *piece;
	uint32_t offset, size;

	reclaim(output);
	shrink_if_idle(output, (uint32_t)MIN(bytes, CONSOLE_PIECE_MAXIMUM));
	/* A larger area is worth having for what is left of a large write. */
	make_room(output, (uint32_t)MIN(bytes, CONSOLE_PIECE_MAXIMUM));
	if (output->count == output->limit || room(output) == 0)
		return NULL;
	offset = (uint32_t)(output->tail & (output->area.size - 1));
	size = MIN(room(output), output->area.size - offset);
	size = (uint32_t)MIN(MIN(bytes, size), CONSOLE_PIECE_MAXIMUM);
	piece = &output->pieces[(output->first + output->count) % output->limit];
	*piece = (struct console_piece){.offset = offset, .bytes = size, .state = PIECE_FILLING};
	output->tail += size;
	output->count++;
	return piece;
}

/* The piece's memory: its area may retire while it is being filled. */
static uint8_t *memory_of(const struct console_output *output, const struct console_piece *piece)
{
	return (piece->is_retired ? output->retired.memory : output->area.memory) + piece->offset;
}

/* Sends the first `filled` bytes of the piece. True if the doorbell is to be rung. */
static bool commit(struct console_output *output, struct console_piece *piece, uint32_t filled)
{
	struct virtio_buffer buffer = {.bytes = filled};

	if (filled == 0 || is_dead(output)) {
		piece->state = PIECE_DONE;
		return false;
	}
	buffer.phys = platform_virt_to_phys(memory_of(output, piece)).raw;
	piece->state = PIECE_SENT;
	if (!virtio_ring_add(&output->ring, &buffer, 1, (uint32_t)(piece - output->pieces)))
		piece->state = PIECE_DONE;
	return virtio_ring_publish(&output->ring);
}

/* ---- writing ------------------------------------------------------------------ */

static struct console_piece *reserve_unlocked(
	struct console_output *output, uint64_t bytes, uint8_t **memory)
{
	struct console_piece *piece;

	spin_lock(&output->lock);
	piece = reserve(output, bytes);
	if (piece != NULL)
		*memory = memory_of(output, piece);
	spin_unlock(&output->lock);
	return piece;
}

static void commit_unlocked(
	struct console_output *output, struct console_piece *piece, uint32_t filled)
{
	bool ring;

	spin_lock(&output->lock);
	ring = commit(output, piece, filled);
	spin_unlock(&output->lock);
	if (ring)
		virtio_device_notify(output->device, output->queue);
}

/* One piece of the program's bytes. Bytes moved, 0: no room, or -EFAULT. */
static long write_piece(struct console_output *output, struct uio *uio)
{
	uint64_t before = uio->bytes_left;
	struct console_piece *piece;
	uint8_t *memory;
	uint32_t moved;
	long result;

	piece = reserve_unlocked(output, before, &memory);
	if (piece == NULL)
		return 0;
	result = uio_copy_from(uio, memory, piece->bytes);
	moved = (uint32_t)(before - uio->bytes_left);
	commit_unlocked(output, piece, moved);
	return moved != 0 ? (long)moved : result;
}

static bool can_go_on(struct console_output *output, uint64_t bytes)
{
	bool can;

	spin_lock(&output->lock);
	can = is_ready(output, bytes);
	spin_unlock(&output->lock);
	return can;
}

/* Nobody else writes and there is room: then the turn is the caller's. */
static bool take_turn(struct console_output *output, uint64_t bytes)
{
	bool taken = false;

	spin_lock(&output->lock);
	if (output->is_taken)
		output->is_wanted = true;
	else
		taken = is_ready(output, bytes);
	output->is_taken |= taken;
	spin_unlock(&output->lock);
	return taken;
}

static void end_turn(struct console_output *output)
{
	bool is_wanted;

	spin_lock(&output->lock);
	is_wanted = output->is_wanted;
	output->is_wanted = false;
	output->is_taken = false;
	spin_unlock(&output->lock);
	if (is_wanted)
		wait_wake_events(&output->writable, POLL_OUT | POLL_WRNORM, 1);
}

static long dead_error(const struct console_output *output)
{
	return output->is_closed ? -LINUX_EPIPE : -LINUX_EIO;
}

static long write_in_turn(struct console_output *output, struct uio *uio, bool wait)
{
	long total = 0;

	while (uio->bytes_left != 0) {
		long moved;
		int error;

		moved = is_dead(output) ? dead_error(output) : write_piece(output, uio);
		if (moved < 0)
			return total != 0 ? total : moved;
		total += moved;
		if (moved != 0)
			continue;
		if (!wait)
			return total != 0 ? total : -LINUX_EAGAIN;
		error = WAIT_UNTIL(
			&output->writable, can_go_on(output, uio->bytes_left), WAIT_FOREVER);
		if (error != 0)
			return total != 0 ? total : error;
	}
	return total;
}

/* Without a device: the last resort, in small portions. */
static long write_emergency(struct uio *uio)
{
	char text[128];
	long total = 0;

	while (uio->bytes_left != 0) {
		size_t part = MIN(uio->bytes_left, sizeof(text));
		long moved = uio_copy_from(uio, text, part);

		if (moved <= 0)
			return total != 0 ? total : moved;
		platform_emergency_write(text, (size_t)moved);
		total += moved;
	}
	return total;
}

long console_output_write(struct console_output *output, struct uio *uio, bool wait)
{
	long result;
	int error;

	if (uio->bytes_left == 0)
		return 0;
	if (output->device == NULL)
		return write_emergency(uio);
	if (!take_turn(output, uio->bytes_left)) {
		if (!wait)
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(
			&output->writable, take_turn(output, uio->bytes_left), WAIT_FOREVER);
		if (error != 0)
			return error;
	}
	result = write_in_turn(output, uio, wait);
	end_turn(output);
	return result;
}

size_t console_output_put(
	struct console_output *output, const void *bytes, size_t count, uint64_t wait_ns)
{
	uint64_t deadline_ns = clock_monotonic_ns() + wait_ns;
	const uint8_t *from = bytes;
	size_t done = 0;

	if (output->device == NULL)
		return 0;
	while (done < count && !is_dead(output)) {
		uint8_t *memory;
		struct console_piece *piece = reserve_unlocked(output, count - done, &memory);

		if (piece == NULL) {
			if (clock_monotonic_ns() >= deadline_ns)
				break;
			arch_relax();
			continue;
		}
		memcpy(memory, from + done, piece->bytes);
		done += piece->bytes;
		commit_unlocked(output, piece, piece->bytes);
	}
	return done;
}

/* ---- state -------------------------------------------------------------------- */

bool console_output_is_writable(struct console_output *output)
{
	return output->device == NULL || can_go_on(output, CONSOLE_ATOMIC_BYTES);
}

bool console_output_is_drained(struct console_output *output)
{
	bool drained;

	if (output->device == NULL)
		return true;
	spin_lock(&output->lock);
	reclaim(output);
	drained = output->count == 0 || is_dead(output);
	spin_unlock(&output->lock);
	return drained;
}

void console_output_close(struct console_output *output)
{
	spin_lock(&output->lock);
	output->is_closed = true;
	spin_unlock(&output->lock);
	wait_wake_all(&output->writable);
}

void console_output_on_interrupt(struct console_output *output)
{
	if (output->device == NULL)
		return;
	spin_lock(&output->lock);
	virtio_ring_disarm(&output->ring);
	reclaim(output);
	spin_unlock(&output->lock);
	wait_wake_events(&output->writable, POLL_OUT | POLL_WRNORM, 1);
}

void console_output_seize(struct console_output *output)
{
	for (int i = 0; i < SEIZE_ROUNDS; i++) {
		if (spin_trylock(&output->lock)) {
			spin_unlock(&output->lock);
			return;
		}
		arch_relax();
	}
	spin_init(&output->lock);
}

void console_output_init_none(struct console_output *output)
{
	*output = (struct console_output){.device = NULL};
	spin_init(&output->lock);
	wait_queue_init(&output->writable);
}

int console_output_init(
	struct console_output *output, struct virtio_device *device, uint32_t queue, uint32_t limit)
{
	int error;

	console_output_init_none(output);
	limit = MIN(limit, CONSOLE_PIECES_MAXIMUM);
	error = virtio_device_add_queue(device, queue, (uint16_t)limit, &output->ring);
	if (error != 0)
		return error;
	limit = output->ring.limit;
	output->pieces = heap_alloc(limit * sizeof(*output->pieces));
	if (output->pieces == NULL || !area_allocate(&output->area, CONSOLE_AREA_FIRST)) {
		heap_free(output->pieces);
		return -LINUX_ENOMEM;
	}
	output->queue = queue;
	output->limit = limit;
	output->device = device;
	return 0;
}
