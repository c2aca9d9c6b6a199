/*
 * The driver's side of a virtqueue, steered by any bytes: what the driver does and what
 * a device writes anywhere in the shared memory. Tokens come back only while in flight.
 */
#include "drivers/virtio_ring.h"

#include <stdlib.h>
#include <string.h>

#define SIZE 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct shared {
	struct virtio_descriptor descriptors[SIZE];
	uint8_t used[(VIRTIO_USED_BYTES(SIZE) + 3) & ~3ull];
	uint16_t available[VIRTIO_AVAILABLE_BYTES(SIZE) / 2];
};

static void take_all(struct virtio_ring *ring, bool in_flight[SIZE])
{
	uint32_t token, bytes;

	while (virtio_ring_take(ring, &token, &bytes)) {
		if (token >= SIZE || !in_flight[token] || bytes > 3 * 100)
			abort();
		in_flight[token] = false;
	}
}

static void add(struct virtio_ring *ring, bool in_flight[SIZE], uint8_t token, uint8_t count)
{
	struct virtio_buffer buffers[3];

	for (int i = 0; i < 3; i++)
		buffers[i] = (struct virtio_buffer){0x1000, 100, (token + i) % 2 != 0};
	token %= SIZE;
	if (!in_flight[token] && virtio_ring_add(ring, buffers, 1 + count % 3, token))
		in_flight[token] = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct virtio_slot slots[SIZE];
	bool in_flight[SIZE] = {false};
	struct virtio_ring ring;

	if (shared == NULL || bytes == 0) {
		free(shared);
		return 0;
	}
	virtio_ring_init(&ring, shared->descriptors, shared->available, shared->used, SIZE, slots,
		(uint16_t)(1 + data[0] % SIZE), data[0] / SIZE % 2);
	for (size_t i = 1; i + 2 < bytes; i += 3) {
		switch (data[i] % 4) {
		case 0:
			add(&ring, in_flight, data[i + 1], data[i + 2]);
			break;
		case 1:
			virtio_ring_publish(&ring);
			break;
		case 2:
			((uint8_t *)shared)[(data[i + 1] + data[i] / 4 * 4) % sizeof(*shared)] =
				data[i + 2];
			break;
		default:
			virtio_ring_arm(&ring, (uint16_t)(1 + data[i + 1] % 4));
			take_all(&ring, in_flight);
		}
	}
	free(shared);
	return 0;
}
