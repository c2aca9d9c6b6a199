/* See console_input.h. */
#include "drivers/console_input.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "abi/linux/errno.h"

#define ARM_ROUNDS 64

/* ---- buffers, with the lock held ---------------------------------------------- */

static bool allocate(struct console_buffer *buffer, uint32_t size)
{
	struct phys phys;

	if (!page_alloc((uint32_t)(size / PAGE_BYTES), 0, &phys))
		return false;
	if (buffer->size != 0)
		page_free(platform_virt_to_phys(buffer->memory),
			(uint32_t)(buffer->size / PAGE_BYTES));
	buffer->memory = platform_phys_to_virt(phys);
	buffer->size = size;
	return true;
}

/* Offers a buffer to the launcher; true if the doorbell is to be rung. */
static bool offer(struct console_input *input, uint32_t index)
{
	struct console_buffer *buffer = &input->buffers[index];
	struct virtio_buffer descriptor = {.bytes = buffer->size, .device_writes = true};

	descriptor.phys = platform_virt_to_phys(buffer->memory).raw;
	buffer->filled = 0;
	buffer->taken = 0;
	if (!virtio_ring_add(&input->ring, &descriptor, 1, index))
		return false;
	return virtio_ring_publish(&input->ring);
}

/* A launcher that gives nothing in a buffer gets it back. */
static bool accept(struct console_input *input, uint32_t index, uint32_t bytes)
{
	if (bytes == 0)
		return offer(input, index);
	input->buffers[index].filled = bytes;
	input->full[(input->full_first + input->full_count) % CONSOLE_INPUT_BUFFERS] =
		(uint8_t)index;
	input->full_count++;
	input->received += bytes;
	return false;
}

/* Takes what has arrived; true if the doorbell is to be rung. */
static bool harvest(struct console_input *input)
{
	uint32_t index, bytes;
	bool ring = false;

	/* Bounded, since empty buffers go back at once. */
	for (uint32_t i = 0; i < CONSOLE_INPUT_BUFFERS; i++) {
		if (!virtio_ring_take(&input->ring, &index, &bytes))
			break;
		ring |= accept(input, index, bytes);
	}
	return ring;
}

static bool start(struct console_input *input)
{
	bool ring = false;

	if (input->is_started)
		return false;
	input->is_started = true;
	for (uint32_t i = 0; i < MIN(CONSOLE_INPUT_BUFFERS, (uint32_t)input->ring.limit); i++) {
		if (allocate(&input->buffers[i], CONSOLE_INPUT_FIRST))
			ring |= offer(input, i);
	}
	return ring;
}

static bool is_at_end(const struct console_input *input)
{
	return input->full_count == 0 &&
	       ((input->has_ended && input->received >= input->end) || input->ring.broken);
}

/* Something for a reader; without, asks for an interrupt. */
static bool is_readable_or_arm(struct console_input *input, bool *ring)
{
	/* Again only when something came meanwhile; bounded for a device that lies. */
	for (int i = 0; i < ARM_ROUNDS; i++) {
		*ring |= harvest(input);
		if (input->full_count != 0 || is_at_end(input))
			return true;
		if (!virtio_ring_arm(&input->ring, 1))
			break;
	}
	return is_at_end(input);
}

/* ---- reading ---------------------------------------------------------------------- */

bool console_input_is_readable(struct console_input *input)
{
	bool ring, readable;

	if (input->device == NULL)
		return true;
	spin_lock(&input->lock);
	ring = start(input);
	readable = is_readable_or_arm(input, &ring);
	spin_unlock(&input->lock);
	if (ring)
		virtio_device_notify(input->device, input->queue);
	return readable;
}

uint32_t console_input_pending(struct console_input *input)
{
	uint32_t bytes = 0;

	if (!console_input_is_readable(input) || input->device == NULL)
		return 0;
	spin_lock(&input->lock);
	for (uint32_t i = 0; i < input->full_count; i++) {
		const struct console_buffer *buffer =
			&input->buffers[input->full[(input->full_first + i) %
						    CONSOLE_INPUT_BUFFERS]];

		bytes += buffer->filled - buffer->taken;
	}
	spin_unlock(&input->lock);
	return bytes;
}

static struct console_buffer *first_full(struct console_input *input)
{
	struct console_buffer *buffer = NULL;

	spin_lock(&input->lock);
	if (input->full_count != 0)
		buffer = &input->buffers[input->full[input->full_first]];
	spin_unlock(&input->lock);
	return buffer;
}

/* The first full buffer has been read to its end: the launcher may fill it again. */
static void give_back_first(struct console_input *input)
{
	struct console_buffer *buffer;
	uint32_t index;
	bool ring;

	spin_lock(&input->lock);
	index = input->full[input->full_first];
	buffer = &input->buffers[index];
	input->full_first = (input->full_first + 1) % CONSOLE_INPUT_BUFFERS;
	input->full_count--;
	/* It came full: there is more where that came from. */
	if (buffer->filled == buffer->size && buffer->size < CONSOLE_INPUT_MAXIMUM)
		allocate(buffer, CONSOLE_INPUT_MAXIMUM);
	ring = offer(input, index);
	spin_unlock(&input->lock);
	if (ring)
		virtio_device_notify(input->device, input->queue);
}

/* Copies from the first full buffer. Bytes, 0: there is none, or -EFAULT. */
static long read_buffer(struct console_input *input, struct uio *uio)
{
	struct console_buffer *buffer = first_full(input);
	uint64_t before = uio->bytes_left;
	uint32_t moved;
	long result;

	if (buffer == NULL)
		return 0;
	result = uio_copy_to(uio, buffer->memory + buffer->taken, buffer->filled - buffer->taken);
	moved = (uint32_t)(before - uio->bytes_left);
	WRITE_ONCE(buffer->taken, buffer->taken + moved);
	if (buffer->taken == buffer->filled)
		give_back_first(input);
	return moved != 0 ? (long)moved : result;
}

/* With `reading` held. */
static long read_buffers(struct console_input *input, struct uio *uio)
{
	long total = 0;

	while (uio->bytes_left != 0) {
		long moved = read_buffer(input, uio);

		if (moved < 0)
			return total != 0 ? total : moved;
		total += moved;
		if (moved == 0 || input->is_terminal)
			break;
	}
	return total;
}

/* True once at an end; at a terminal's, only once. */
static bool take_end(struct console_input *input)
{
	bool at_end;

	spin_lock(&input->lock);
	at_end = is_at_end(input);
	if (at_end && input->is_terminal)
		input->has_ended = false;
	spin_unlock(&input->lock);
	return at_end;
}

long console_input_read(struct console_input *input, struct uio *uio, bool wait)
{
	if (input->device == NULL || uio->bytes_left == 0)
		return 0;
	for (;;) {
		long moved = 0;
		int error;

		if (console_input_is_readable(input)) {
			mutex_lock(&input->reading);
			moved = read_buffers(input, uio);
			mutex_unlock(&input->reading);
		}
		if (moved != 0)
			return moved;
		if (take_end(input))
			return 0;
		if (!wait)
			return -LINUX_EAGAIN;
		error = WAIT_UNTIL(
			&input->readable, console_input_is_readable(input), WAIT_FOREVER);
		if (error != 0)
			return error;
	}
}

/* ---- what the launcher does ---------------------------------------------------------- */

void console_input_set_end(struct console_input *input, uint64_t total_bytes)
{
	spin_lock(&input->lock);
	input->end = total_bytes;
	input->has_ended = true;
	spin_unlock(&input->lock);
	wait_wake_all(&input->readable);
}

void console_input_on_interrupt(struct console_input *input)
{
	bool ring = false, any;

	if (input->device == NULL)
		return;
	spin_lock(&input->lock);
	virtio_ring_disarm(&input->ring);
	any = input->is_started && is_readable_or_arm(input, &ring);
	spin_unlock(&input->lock);
	if (ring)
		virtio_device_notify(input->device, input->queue);
	if (any)
		wait_wake_events(&input->readable, POLL_IN | POLL_RDNORM, 1);
}

void console_input_init_none(struct console_input *input)
{
	*input = (struct console_input){.device = NULL};
	mutex_init(&input->reading);
	spin_init(&input->lock);
	wait_queue_init(&input->readable);
}

int console_input_init(
	struct console_input *input, struct virtio_device *device, uint32_t queue, bool is_terminal)
{
	int error;

	console_input_init_none(input);
	error = virtio_device_add_queue(device, queue, CONSOLE_INPUT_BUFFERS, &input->ring);
	if (error != 0)
		return error;
	input->device = device;
	input->queue = queue;
	input->is_terminal = is_terminal;
	return 0;
}
