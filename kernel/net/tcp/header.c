/* TCP headers (RFC 9293, 3.1; options of RFC 7323 and RFC 2018): read and written. */
#include "kernel/net/tcp/connection.h"

#define HEADER_BYTES 20u

enum tcp_option_kind {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_SCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMP = 8,
};

static uint16_t read_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint8_t *write_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *write_u32(uint8_t *at, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(at, &value, 4);
	return at + 4;
}

/* ---- in -------------------------------------------------------------------------------- */

static void parse_option(struct tcp_segment *segment, const uint8_t *at, uint32_t bytes)
{
	switch (at[0]) {
	case OPTION_MSS:
		if (bytes == 4 && (segment->flags & TCP_SYN))
			segment->mss = read_u16(at + 2);
		break;
	case OPTION_SCALE:
		if (bytes == 3 && (segment->flags & TCP_SYN)) {
			segment->has_scale = true;
			segment->scale = MIN(at[2], 14);
		}
		break;
	case OPTION_SACK_PERMITTED:
		if (bytes == 2 && (segment->flags & TCP_SYN))
			segment->sack_permitted = true;
		break;
	case OPTION_SACK:
		if ((bytes - 2) % 8 != 0)
			break;
		for (uint32_t i = 2; i < bytes && segment->sack_count < 4; i += 8)
			segment->sacks[segment->sack_count++] =
				(struct tcp_range){read_u32(at + i), read_u32(at + i + 4)};
		break;
	case OPTION_TIMESTAMP:
		if (bytes == 10) {
			segment->has_timestamp = true;
			segment->ts_value = read_u32(at + 2);
			segment->ts_echo = read_u32(at + 6);
		}
		break;
	}
}

static void parse_options(struct tcp_segment *segment, const uint8_t *at, uint32_t bytes)
{
	/* What nearly every segment has: two NOPs and a timestamp. */
	if (bytes == 12 && read_u32(at) == 0x0101080a) {
		parse_option(segment, at + 2, 10);
		return;
	}
	while (bytes > 0 && at[0] != OPTION_END) {
		uint32_t length = at[0] == OPTION_NOP ? 1 : bytes > 1 ? at[1] : 0;

		if (length > bytes || (length < 2 && at[0] != OPTION_NOP))
			return;
		if (length > 1)
			parse_option(segment, at, length);
		at += length;
		bytes -= length;
	}
}

static bool checksum_is_good(const struct tcp_segment *segment)
{
	const struct packet *packet = segment->packet;
	struct ip_flow flow = {.source = segment->ip->source,
		.destination = segment->ip->destination,
		.protocol = IP_PROTOCOL_TCP};
	uint32_t sum;

	if (packet->flags & (PACKET_CHECKSUM_GOOD | PACKET_CHECKSUM_PARTIAL))
		return true;
	sum = ip_pseudo_checksum(&flow, packet->bytes);
	return checksum_finish(packet_checksum(packet, 0, packet->bytes, sum)) == 0;
}

bool tcp_segment_parse(struct tcp_segment *segment)
{
	struct packet *packet = segment->packet;
	const uint8_t *header = packet_peek(packet, HEADER_BYTES);
	uint32_t bytes;

	if (!header)
		return false;
	bytes = (header[12] >> 4) * 4u;
	if (bytes < HEADER_BYTES || !checksum_is_good(segment))
		return false;
	header = packet_peek(packet, bytes);
	if (!header)
		return false;
	segment->remote_port = read_u16(header);
	segment->local_port = read_u16(header + 2);
	segment->seq = read_u32(header + 4);
	segment->ack = read_u32(header + 8);
	segment->flags = header[13];
	segment->window = read_u16(header + 14);
	segment->urgent = read_u16(header + 18);
	parse_options(segment, header + HEADER_BYTES, bytes - HEADER_BYTES);
	packet_trim_front(packet, bytes);
	segment->bytes = packet->bytes;
	return true;
}

/* ---- out ------------------------------------------------------------------------------- */

static uint8_t *write_syn_options(uint8_t *at, const struct tcp_header *header)
{
	if (header->mss != 0) {
		*at++ = OPTION_MSS;
		*at++ = 4;
		at = write_u16(at, header->mss);
	}
	if (header->sack_permitted)
		at = write_u32(at, 0x01010402);
	if (header->has_scale) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_SCALE;
		*at++ = 3;
		*at++ = header->scale;
	}
	return at;
}

static uint8_t *write_options(uint8_t *at, const struct tcp_header *header)
{
	if (header->flags & TCP_SYN)
		at = write_syn_options(at, header);
	if (header->has_timestamp) {
		at = write_u32(at, 0x0101080a);
		at = write_u32(at, header->ts_value);
		at = write_u32(at, header->ts_echo);
	}
	if (header->sack_count > 0) {
		*at++ = OPTION_NOP;
		*at++ = OPTION_NOP;
		*at++ = OPTION_SACK;
		*at++ = (uint8_t)(2 + 8 * header->sack_count);
		for (uint32_t i = 0; i < header->sack_count; i++) {
			at = write_u32(at, header->sacks[i].start);
			at = write_u32(at, header->sacks[i].end);
		}
	}
	return at;
}

int tcp_header_send(struct packet *packet, const struct tcp_header *header)
{
	uint8_t options[40], *at;
	uint32_t option_bytes = (uint32_t)(write_options(options, header) - options);
	uint32_t bytes = HEADER_BYTES + option_bytes, payload = packet->bytes;
	uint16_t pseudo;

	at = packet_push(packet, bytes);
	if (!at) {
		packet_release(packet);
		return -1;
	}
	pseudo = (uint16_t)~checksum_finish(ip_pseudo_checksum(header->flow, packet->bytes));
	at = write_u16(at, header->local_port);
	at = write_u16(at, header->remote_port);
	at = write_u32(at, header->seq);
	at = write_u32(at, header->flags & TCP_ACK ? header->ack : 0);
	*at++ = (uint8_t)(bytes / 4 << 4);
	*at++ = header->flags;
	at = write_u16(at, header->window);
	memcpy(at, &pseudo, 2);
	at = write_u16(at + 2, header->urgent);
	memcpy(at, options, option_bytes);
	packet->flags |= PACKET_CHECKSUM_PARTIAL;
	packet->checksum_start = 0;
	packet->checksum_offset = 16;
	packet->header_bytes = (uint8_t)bytes;
	if (header->segment_bytes != 0 && payload > header->segment_bytes) {
		packet->segments = ip_address_is_v4(&header->flow->destination)
					   ? PACKET_SEGMENT_TCP4
					   : PACKET_SEGMENT_TCP6;
		packet->segment_bytes = header->segment_bytes;
	}
	return ip_output(packet, header->flow);
}
