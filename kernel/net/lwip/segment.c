/*
 * Segmentation in software: a datagram larger than the path takes is cut as a device with
 * the offload would cut it, each piece with its own headers.
 */
#include "kernel/net/lwip/layer.h"
#include "lib/endian.h"

#define TCP_FIN_PSH 0x09
#define TCP_CWR     0x80

/* One datagram on its way: where its headers are and what of them changes. */
struct cut {
	uint8_t headers[PACKET_HEAD_BYTES];
	uint32_t header_bytes, ip_bytes, payload_bytes;
	uint8_t protocol;
	bool is_v4;
};

static void set_lengths(const struct cut *cut, uint8_t *headers, uint32_t index, uint32_t bytes)
{
	uint32_t datagram = cut->header_bytes + bytes;

	if (cut->is_v4) {
		uint16_t sum = 0;

		store_be16(headers + 2, (uint16_t)datagram);
		store_be16(headers + 4, (uint16_t)(load_be16(cut->headers + 4) + index));
		memcpy(headers + 10, &sum, 2);
		sum = checksum_finish(checksum_add(headers, cut->ip_bytes, 0));
		memcpy(headers + 10, &sum, 2);
	} else {
		store_be16(headers + 4, (uint16_t)(datagram - IP6_HEADER_BYTES));
	}
}

static void set_transport(const struct cut *cut, uint8_t *headers, uint32_t offset, uint32_t bytes)
{
	uint8_t *transport = headers + cut->ip_bytes;

	if (cut->protocol == IP_PROTOCOL_UDP) {
		store_be16(transport + 4, (uint16_t)(8 + bytes));
		return;
	}
	store_be32(transport + 4, load_be32(cut->headers + cut->ip_bytes + 4) + offset);
	if (offset + bytes < cut->payload_bytes)
		transport[13] &= (uint8_t)~TCP_FIN_PSH;
	if (offset > 0)
		transport[13] &= (uint8_t)~TCP_CWR;
}

static struct packet *make_segment(const struct packet *packet, const struct cut *cut,
	uint32_t index, uint32_t offset, uint32_t bytes)
{
	struct packet *segment = packet_create_linear(bytes);
	uint32_t transport_bytes = cut->header_bytes - cut->ip_bytes + bytes;
	uint8_t *headers;
	uint32_t sum;

	if (!segment)
		return NULL;
	packet_copy(packet, cut->header_bytes + offset, segment->fragments[0].data, bytes);
	headers = packet_push(segment, cut->header_bytes);
	if (!headers) {
		packet_release(segment);
		return NULL;
	}
	memcpy(headers, cut->headers, cut->header_bytes);
	set_lengths(cut, headers, index, bytes);
	set_transport(cut, headers, offset, bytes);
	segment->flags = (uint16_t)(packet->flags | PACKET_CHECKSUM_PARTIAL);
	segment->checksum_start = (uint16_t)cut->ip_bytes;
	segment->checksum_offset = cut->protocol == IP_PROTOCOL_UDP ? 6 : 16;
	sum = (uint16_t)~checksum_finish(ip_pseudo_sum(headers, cut->protocol, transport_bytes));
	memcpy(headers + segment->checksum_start + segment->checksum_offset, &sum, 2);
	return segment;
}

/* False: it is not what it says. */
static bool prepare(struct packet *packet, struct cut *cut)
{
	const uint8_t *headers = packet_peek(packet, packet->header_bytes);

	if (!headers || packet->segment_bytes == 0 || packet->header_bytes > PACKET_HEAD_BYTES)
		return false;
	memcpy(cut->headers, headers, packet->header_bytes);
	cut->header_bytes = packet->header_bytes;
	cut->payload_bytes = packet->bytes - packet->header_bytes;
	cut->is_v4 = headers[0] >> 4 == 4;
	cut->ip_bytes = cut->is_v4 ? (headers[0] & 15u) * 4 : IP6_HEADER_BYTES;
	cut->protocol = packet->segments == PACKET_SEGMENT_UDP ? IP_PROTOCOL_UDP : IP_PROTOCOL_TCP;
	return cut->ip_bytes + (cut->protocol == IP_PROTOCOL_UDP ? 8u : 20u) <= cut->header_bytes;
}

int ip_segment(struct packet *packet, struct list *list)
{
	struct cut cut;
	uint32_t offset = 0, index = 0;
	int error = 0;

	if (!prepare(packet, &cut))
		error = -LINUX_EINVAL;
	while (!error && (offset < cut.payload_bytes || index == 0)) {
		uint32_t bytes = MIN(packet->segment_bytes, cut.payload_bytes - offset);
		struct packet *segment = make_segment(packet, &cut, index++, offset, bytes);

		if (!segment) {
			error = -LINUX_ENOMEM;
			break;
		}
		list_add_last(list, &segment->link);
		offset += bytes;
	}
	packet_release(packet);
	return error;
}
