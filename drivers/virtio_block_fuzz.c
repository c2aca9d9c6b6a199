/*
 * A block device that writes what it likes into its ring and completes what it likes: each
 * request is done once, and none is lost once the ring is broken or all is answered.
 */
#include "drivers/fake_block_device.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define REQUESTS 64

static struct block_request requests[REQUESTS];
static bool is_out[REQUESTS];
static struct block_segment segment;

static void take_done(struct virtio_block_queue *queue)
{
	struct list done = LIST_INIT(done);
	struct list *first;

	virtio_block_queue_reap(queue, &done);
	while ((first = list_first(&done)) != NULL) {
		struct block_request *request = LIST_ENTRY(first, struct block_request, link);

		list_remove(first);
		if (request < requests || request >= requests + REQUESTS ||
			!is_out[request - requests] || request->error > 0)
			abort();
		is_out[request - requests] = false;
	}
}

static void submit(struct virtio_block_queue *queue, uint8_t what)
{
	unsigned number = what % REQUESTS;

	if (is_out[number])
		return;
	requests[number] = (struct block_request){.operation = 1 + what / 7 % 5,
		.force_unit_access = what & 1,
		.bytes = 512,
		.segments = &segment,
		.segment_count = 1,
		.error = 1};
	is_out[number] = true;
	virtio_block_queue_add(queue, &requests[number]);
}

static void device_step(struct fake_ring *device, const uint8_t *step)
{
	struct virtio_descriptor parts[8];
	uint16_t id;
	uint32_t chain;

	if (step[0] % 16 == 0) {
		device->used[step[1] % sizeof(device->used)] = step[2];
		return;
	}
	if (!fake_take(device, &id) || id >= FAKE_RING)
		return;
	chain = fake_chain(device, id, parts, 8);
	*(uint8_t *)(uintptr_t)parts[chain - 1].address = step[1] % 5;
	fake_complete(device, step[2] > 250 ? step[2] : id, step[1] * 77u);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	static struct virtio_block_queue queue;
	static struct fake_ring device;
	static uint8_t sector[512];
	unsigned lost = 0;

	if (count == 0)
		return 0;
	segment = (struct block_segment){{(uintptr_t)sector}, 512};
	memset(is_out, 0, sizeof(is_out));
	fake_init(&device, &queue, bytes[0] & 1);
	for (size_t at = 1; at + 4 <= count; at += 4) {
		submit(&queue, bytes[at]);
		(void)virtio_ring_publish(&queue.ring);
		device_step(&device, bytes + at + 1);
		if (bytes[at] & 64)
			take_done(&queue);
		if (bytes[at] & 128)
			(void)virtio_block_queue_arm(&queue);
	}
	take_done(&queue);
	for (unsigned i = 0; i < REQUESTS; i++)
		lost += is_out[i];
	if (queue.ring.broken && lost != 0)
		abort();
	fake_free(&queue);
	return 0;
}
