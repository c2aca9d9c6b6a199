/*
 * Fuzzes monitor/ring.c: the input is guest memory with a ring in it, and then what
 * the guest writes over it between the steps of the device.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define MEMORY_BYTES 4096
#define SIZE         16
#define STEPS        64

static void touch(const struct iovec *iov, int count, bool to_guest)
{
	volatile uint8_t sum = 0;

	for (int i = 0; i < count; i++) {
		uint8_t *base = iov[i].iov_base;

		if (!iov[i].iov_len)
			continue;
		sum += base[0];
		sum += base[iov[i].iov_len - 1];
		if (to_guest)
			base[0] = sum;
	}
}

static void serve(struct ring *ring, const struct ring_request *request)
{
	touch(request->parts, (int)request->read_count, false);
	touch(request->parts + request->read_count, (int)request->write_count, true);
	ring_give(ring, request->id, (uint32_t)request->write_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *memory_bytes = calloc(1, MEMORY_BYTES);
	struct guest_memory memory = {0};
	static struct ring_request request;
	struct iovec iov[SIZE];
	struct ring ring;

	if (!memory_bytes || !guest_memory_add(&memory, 0, MEMORY_BYTES, memory_bytes, true) ||
		!ring_init(&ring, &memory, 0, 256, 512, SIZE, bytes % 2))
		abort();
	memcpy(memory_bytes, data, MIN(bytes, (size_t)MEMORY_BYTES));
	for (unsigned step = 0; step < STEPS; step++) {
		uint16_t waiting = ring_waiting(&ring);

		for (uint16_t ahead = 0; ahead < waiting && !ring.broken; ahead++)
			touch(iov, ring_chain(&ring, ahead, iov, SIZE), ring.to_guest);
		if (waiting && !ring.broken && step % 2)
			ring_complete(&ring, step);
		else if (ring_take(&ring, &request))
			serve(&ring, &request);
		ring_publish(&ring);
		ring_ask_doorbell(&ring);
		/* Three bytes of input move one byte of memory. */
		if (bytes >= 3 * (step + 1ul)) {
			const uint8_t *change = data + bytes - 3 * (step + 1ul);

			memory_bytes[(change[0] | change[1] << 8) % MEMORY_BYTES] = change[2];
		}
	}
	free(memory_bytes);
	return 0;
}
