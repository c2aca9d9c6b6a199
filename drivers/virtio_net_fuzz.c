/*
 * A network device that writes what it likes into ring and buffers: the driver delivers only
 * what lies inside of what it offered, and loses no buffer.
 */
#include "drivers/fake_net_device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_packet(const struct packet *packet)
{
	uint8_t *copy = malloc(packet->bytes);

	if (packet->bytes < 14 || packet->bytes > PACKET_FRAGMENTS_MAX * NET_BUFFER_BYTES ||
		((packet->flags & PACKET_CHECKSUM_PARTIAL) != 0 &&
			packet->checksum_start + packet->checksum_offset + 2u > packet->bytes))
		abort();
	packet_copy(packet, 0, copy, packet->bytes);
	free(copy);
}

/* One step: a buffer with a header of the input, or any byte of the ring. */
static void device_step(struct fake_ring *device, const uint8_t *data)
{
	uint16_t id;

	if (data[0] % 8 == 0) {
		device->used[(data[1] | data[2] << 8) % sizeof(device->used)] = data[3];
		return;
	}
	if (!fake_take(device, &id))
		return;
	memcpy((void *)(uintptr_t)device->descriptors[id % FAKE_RING].address, data + 2, 12);
	fake_complete(device, id, (uint32_t)(data[1] * 33));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct virtio_net_receive *receive = heap_zalloc(sizeof(*receive));
	struct net_device_counters counters = {0};
	struct fake_ring device;

	fake_total_pages = 16 * 96;
	fake_ring_init(&device, &receive->ring);
	if (virtio_net_receive_init(receive, VIRTIO_NET_F_MRG_RXBUF) != 0)
		abort();
	for (size_t at = 0; at + 14 <= bytes; at += 14) {
		struct packet *packet;

		device_step(&device, data + at);
		if (data[at] % 4 == 0)
			continue;
		while ((packet = virtio_net_receive_take(receive, &counters)) != NULL) {
			check_packet(packet);
			packet_release(packet);
		}
		virtio_net_receive_refill(receive);
	}
	if (receive->pool.free_count + receive->ring.in_flight != receive->pool.made)
		abort();
	fake_pool_free(&receive->pool);
	heap_free(receive);
	return 0;
}
