/* Frames to a network device. See virtio_net.h. */
#include "drivers/virtio_net.h"
#include "abi/linux/errno.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/platform.h"
#include "lib/string.h"

#define NO_SLOT UINT32_MAX

int virtio_net_transmit_init(struct virtio_net_transmit *transmit)
{
	uint32_t count = transmit->ring.limit;
	uint64_t bytes = count * sizeof(*transmit->headers);
	struct phys headers;

	list_init(&transmit->waiting);
	transmit->waiting_count = 0;
	transmit->slots = heap_alloc(count * sizeof(*transmit->slots));
	if (transmit->slots == NULL)
		return -LINUX_ENOMEM;
	if (!page_alloc((uint32_t)(ALIGN_UP(bytes, PAGE_BYTES) / PAGE_BYTES), PAGE_ALLOC_RESERVE,
		    &headers)) {
		heap_free(transmit->slots);
		return -LINUX_ENOMEM;
	}
	transmit->headers = platform_phys_to_virt(headers);
	for (uint32_t i = 0; i < count; i++)
		transmit->slots[i] =
			(struct virtio_net_slot){.next_free = i + 1 < count ? i + 1 : NO_SLOT};
	transmit->free_slot = 0;
	return 0;
}

static uint8_t segmentation_of(const struct packet *packet)
{
	switch ((enum packet_segments)packet->segments) {
	case PACKET_SEGMENT_TCP4:
		return VIRTIO_NET_GSO_TCP4;
	case PACKET_SEGMENT_TCP6:
		return VIRTIO_NET_GSO_TCP6;
	case PACKET_SEGMENT_UDP:
		return VIRTIO_NET_GSO_UDP;
	case PACKET_SEGMENT_NONE:
		break;
	}
	return VIRTIO_NET_GSO_NONE;
}

static struct virtio_net_header header_of(const struct packet *packet)
{
	struct virtio_net_header header = {.segmentation = segmentation_of(packet)};

	if (header.segmentation != VIRTIO_NET_GSO_NONE) {
		header.header_bytes = packet->header_bytes;
		header.segment_bytes = packet->segment_bytes;
	}
	if ((packet->flags & PACKET_CHECKSUM_PARTIAL) != 0) {
		header.flags = VIRTIO_NET_NEEDS_CHECKSUM;
		header.checksum_start = packet->checksum_start;
		header.checksum_offset = packet->checksum_offset;
	}
	return header;
}

static uint16_t add_fragments(
	const struct packet *packet, struct virtio_buffer *buffers, uint16_t count)
{
	for (uint32_t i = 0; i < packet->fragment_count; i++) {
		const struct packet_fragment *fragment = &packet->fragments[i];

		if (fragment->bytes != 0)
			buffers[count++] = (struct virtio_buffer){
				platform_virt_to_phys(fragment->data).raw, fragment->bytes, false};
	}
	return count;
}

/* True once the packet is in the ring. */
static bool post(struct virtio_net_transmit *transmit, struct packet *packet)
{
	struct virtio_buffer buffers[PACKET_FRAGMENTS_MAX + 1];
	struct virtio_net_header header = header_of(packet);
	uint32_t slot = transmit->free_slot;
	uint16_t count = 0;
	uint8_t *front;

	if (slot == NO_SLOT || packet->fragment_count + 1u > transmit->ring.free_count)
		return false;
	front = packet_push(packet, sizeof(header));
	if (front != NULL) {
		memcpy(front, &header, sizeof(header));
	} else {
		transmit->headers[slot] = header;
		buffers[count++] = (struct virtio_buffer){
			platform_virt_to_phys(&transmit->headers[slot]).raw, sizeof(header), false};
	}
	count = add_fragments(packet, buffers, count);
	if (!virtio_ring_add(&transmit->ring, buffers, count, slot)) {
		if (front != NULL)
			packet_trim_front(packet, sizeof(header));
		return false;
	}
	transmit->free_slot = transmit->slots[slot].next_free;
	transmit->slots[slot].packet = packet;
	return true;
}

static void take_sent(struct virtio_net_transmit *transmit)
{
	uint32_t slot, bytes;

	while (virtio_ring_take(&transmit->ring, &slot, &bytes)) {
		packet_release(transmit->slots[slot].packet);
		transmit->slots[slot].packet = NULL;
		transmit->slots[slot].next_free = transmit->free_slot;
		transmit->free_slot = slot;
	}
}

void virtio_net_transmit_reclaim(struct virtio_net_transmit *transmit)
{
	struct list *first;

	take_sent(transmit);
	while ((first = list_first(&transmit->waiting)) != NULL) {
		struct packet *packet = LIST_ENTRY(first, struct packet, link);

		list_remove(first);
		if (!post(transmit, packet)) {
			list_add_first(&transmit->waiting, &packet->link);
			break;
		}
		transmit->waiting_count--;
	}
}

int virtio_net_transmit_add(struct virtio_net_transmit *transmit, struct packet *packet)
{
	if (packet->fragment_count + 1u > transmit->ring.limit || transmit->ring.broken) {
		packet_release(packet);
		return transmit->ring.broken ? -LINUX_ENOBUFS : -LINUX_EINVAL;
	}
	if (transmit->ring.free_count < transmit->ring.limit / 2)
		virtio_net_transmit_reclaim(transmit);
	if (transmit->waiting_count == 0 && post(transmit, packet))
		return 0;
	if (transmit->waiting_count >= VIRTIO_NET_WAITING_LIMIT) {
		packet_release(packet);
		return -LINUX_ENOBUFS;
	}
	list_add_last(&transmit->waiting, &packet->link);
	transmit->waiting_count++;
	return 0;
}

bool virtio_net_transmit_arm(struct virtio_net_transmit *transmit)
{
	if (transmit->waiting_count == 0 || transmit->ring.in_flight == 0) {
		virtio_ring_disarm(&transmit->ring);
		return false;
	}
	return virtio_ring_arm(&transmit->ring, (uint16_t)((transmit->ring.in_flight + 1) / 2));
}

bool virtio_net_transmit_is_pending(const struct virtio_net_transmit *transmit)
{
	return READ_ONCE(transmit->waiting_count) != 0 && virtio_ring_is_pending(&transmit->ring);
}
