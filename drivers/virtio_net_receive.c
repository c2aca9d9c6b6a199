/* Frames from a network device. See virtio_net.h. */
#include "drivers/virtio_net.h"
#include "abi/linux/errno.h"
#include "kernel/mm/page_alloc.h"
#include "lib/string.h"

#define HEADER_BYTES   ((uint32_t)sizeof(struct virtio_net_header))
#define ETHERNET_BYTES 14u

/* Frames up to this are copied out of scarce buffers. */
#define COPY_BYTES 1024u

int virtio_net_receive_init(struct virtio_net_receive *receive, uint64_t features)
{
	struct page_counts pages;
	uint32_t most;

	page_alloc_counts(&pages);
	most = (uint32_t)MIN(pages.total_pages / 16, (uint64_t)NET_BUFFER_LIMIT);
	net_buffer_pool_init(&receive->pool, MAX(most, 2u * receive->ring.limit));
	receive->merges = (features & VIRTIO_NET_F_MRG_RXBUF) != 0;
	receive->is_armed = false;
	virtio_net_receive_refill(receive);
	return receive->ring.in_flight == 0 ? -LINUX_ENOMEM : 0;
}

/* ---- buffers --------------------------------------------------------------------------- */

static bool offer(struct virtio_net_receive *receive, struct net_buffer *buffer)
{
	struct virtio_buffer piece = {buffer->phys, NET_BUFFER_BYTES, true};

	buffer->is_offered = virtio_ring_add(&receive->ring, &piece, 1, buffer->index);
	return buffer->is_offered;
}

bool virtio_net_receive_refill(struct virtio_net_receive *receive)
{
	while (!virtio_ring_is_full(&receive->ring)) {
		struct net_buffer *buffer = net_buffer_take(&receive->pool);

		if (buffer == NULL)
			break;
		if (!offer(receive, buffer)) {
			packet_memory_release(&buffer->memory);
			break;
		}
	}
	return virtio_ring_publish(&receive->ring);
}

/* A buffer that the device has filled with *bytes. NULL: none. */
static struct net_buffer *take_buffer(struct virtio_net_receive *receive, uint32_t *bytes)
{
	struct net_buffer *buffer;
	uint32_t token;

	if (!virtio_ring_take(&receive->ring, &token, bytes))
		return NULL;
	buffer = net_buffer_at(&receive->pool, token);
	if (buffer == NULL || !buffer->is_offered) {
		receive->ring.broken = true; /* our own record: cannot be */
		return NULL;
	}
	buffer->is_offered = false;
	return buffer;
}

/* ---- frames ------------------------------------------------------------------------------ */

/* What a frame is made of, before it is a packet. */
struct frame {
	struct virtio_net_header header;
	struct net_buffer *buffers[PACKET_FRAGMENTS_MAX];
	uint32_t bytes[PACKET_FRAGMENTS_MAX]; /* the first without the header */
	uint32_t count, total;
	bool is_bad;
};

static void add_buffer(struct frame *frame, struct net_buffer *buffer, uint32_t bytes)
{
	if (frame->count == PACKET_FRAGMENTS_MAX) {
		frame->is_bad = true;
		packet_memory_release(&buffer->memory);
		return;
	}
	frame->buffers[frame->count] = buffer;
	frame->bytes[frame->count++] = bytes;
	frame->total += bytes;
}

/* Takes all buffers of the next frame. False: there is none. */
static bool collect(struct virtio_net_receive *receive, struct frame *frame)
{
	uint32_t bytes, count = 1;
	struct net_buffer *buffer = take_buffer(receive, &bytes);

	if (buffer == NULL)
		return false;
	frame->count = frame->total = 0;
	frame->is_bad = bytes < HEADER_BYTES;
	memcpy(&frame->header, buffer->memory.base, HEADER_BYTES);
	add_buffer(frame, buffer, frame->is_bad ? 0 : bytes - HEADER_BYTES);
	if (receive->merges && !frame->is_bad)
		count = frame->header.buffer_count;
	for (uint32_t i = 1; i < count; i++) {
		buffer = take_buffer(receive, &bytes);
		if (buffer == NULL) {
			frame->is_bad = true;
			break;
		}
		add_buffer(frame, buffer, bytes);
	}
	if (count == 0 || frame->total < ETHERNET_BYTES)
		frame->is_bad = true;
	return true;
}

static void drop_buffers(struct frame *frame)
{
	for (uint32_t i = 0; i < frame->count; i++)
		packet_memory_release(&frame->buffers[i]->memory);
}

static uint8_t *frame_data(const struct frame *frame, uint32_t i)
{
	return frame->buffers[i]->memory.base + (i == 0 ? HEADER_BYTES : 0);
}

static struct packet *make_packet(const struct frame *frame)
{
	struct packet *packet = packet_create(frame->count);

	if (packet == NULL)
		return NULL;
	for (uint32_t i = 0; i < frame->count; i++) {
		if (frame->bytes[i] == 0)
			continue;
		if (!packet_add(packet, &frame->buffers[i]->memory, frame_data(frame, i),
			    frame->bytes[i])) {
			packet_release(packet);
			return NULL;
		}
	}
	return packet;
}

static struct packet *copy_packet(const struct frame *frame)
{
	struct packet *packet = packet_create_linear(frame->total);
	uint8_t *to;

	if (packet == NULL)
		return NULL;
	to = packet->fragments[0].data;
	for (uint32_t i = 0; i < frame->count; i++) {
		memcpy(to, frame_data(frame, i), frame->bytes[i]);
		to += frame->bytes[i];
	}
	return packet;
}

/* False: offsets outside of the frame. */
static bool read_checksum(const struct virtio_net_header *header, struct packet *packet)
{
	if ((header->flags & VIRTIO_NET_NEEDS_CHECKSUM) != 0) {
		if (header->checksum_start < ETHERNET_BYTES ||
			(uint32_t)header->checksum_start + header->checksum_offset + 2 >
				packet->bytes)
			return false;
		packet->flags |= PACKET_CHECKSUM_PARTIAL;
		packet->checksum_start = header->checksum_start;
		packet->checksum_offset = header->checksum_offset;
	} else if ((header->flags & VIRTIO_NET_DATA_VALID) != 0) {
		packet->flags |= PACKET_CHECKSUM_GOOD;
	}
	return true;
}

static bool read_segmentation(const struct virtio_net_header *header, struct packet *packet)
{
	uint8_t kind = (uint8_t)(header->segmentation & ~VIRTIO_NET_GSO_ECN);

	if (kind == VIRTIO_NET_GSO_NONE)
		return true;
	if (header->segment_bytes == 0)
		return false;
	switch (kind) {
	case VIRTIO_NET_GSO_TCP4:
		packet->segments = PACKET_SEGMENT_TCP4;
		break;
	case VIRTIO_NET_GSO_TCP6:
		packet->segments = PACKET_SEGMENT_TCP6;
		break;
	default:
		return false; /* not negotiated */
	}
	packet->segment_bytes = header->segment_bytes;
	/* A hint, which some devices do not give. */
	packet->header_bytes = header->header_bytes <= MIN(packet->bytes, UINT8_MAX)
				       ? (uint8_t)header->header_bytes
				       : 0;
	return true;
}

static struct packet *finish(struct virtio_net_receive *receive, struct frame *frame,
	struct net_device_counters *counters)
{
	struct packet *packet = NULL;

	if (frame->is_bad) {
		counters->receive_errors++;
		drop_buffers(frame);
		return NULL;
	}
	if (net_buffer_is_scarce(&receive->pool) && frame->total <= COPY_BYTES)
		packet = copy_packet(frame);
	else
		packet = make_packet(frame);
	drop_buffers(frame);
	if (packet == NULL) {
		counters->receive_drops++;
		return NULL;
	}
	if (!read_checksum(&frame->header, packet) || !read_segmentation(&frame->header, packet)) {
		counters->receive_errors++;
		packet_release(packet);
		return NULL;
	}
	return packet;
}

struct packet *virtio_net_receive_take(
	struct virtio_net_receive *receive, struct net_device_counters *counters)
{
	struct packet *packet = NULL;
	struct frame frame;

	while (packet == NULL && collect(receive, &frame))
		packet = finish(receive, &frame, counters);
	return packet;
}

/* ---- interrupts ----------------------------------------------------------------------------- */

bool virtio_net_receive_arm(struct virtio_net_receive *receive)
{
	receive->is_armed = true;
	return virtio_ring_arm(&receive->ring, 1);
}

bool virtio_net_receive_is_pending(const struct virtio_net_receive *receive)
{
	return virtio_ring_is_pending(&receive->ring);
}
