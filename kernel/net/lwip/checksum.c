/* Checksums in software, for devices that have none of their own. */
#include "kernel/net/lwip/layer.h"

uint32_t ip_pseudo_sum(const uint8_t *ip, uint8_t protocol, uint32_t bytes)
{
	uint8_t tail[4] = {0, protocol, (uint8_t)(bytes >> 8), (uint8_t)bytes};

	if (ip[0] >> 4 == 4)
		return checksum_add(tail, 4, checksum_add(ip + 12, 8, 0));
	return checksum_add(tail, 4, checksum_add(ip + 8, 32, 0));
}

uint32_t ip_pseudo_checksum(const struct ip_flow *flow, uint32_t bytes)
{
	uint32_t skip = ip_address_is_v4(&flow->source) ? 12 : 0;
	uint8_t tail[4] = {0, flow->protocol, (uint8_t)(bytes >> 8), (uint8_t)bytes};
	uint32_t sum = checksum_add(tail, 4, 0);

	sum = checksum_add(flow->source.bytes + skip, 16 - skip, sum);
	return checksum_add(flow->destination.bytes + skip, 16 - skip, sum);
}

bool ip_checksum_complete(struct packet *packet)
{
	uint32_t field = (uint32_t)packet->checksum_start + packet->checksum_offset;
	uint8_t *bytes = packet_peek(packet, field + 2);
	uint16_t checksum;

	if (!bytes || packet->checksum_start > packet->bytes)
		return false;
	/* The field holds the pseudo header's sum, and so is part of what is summed. */
	checksum = checksum_finish(packet_checksum(
		packet, packet->checksum_start, packet->bytes - packet->checksum_start, 0));
	if (checksum == 0)
		checksum = 0xffff; /* 0 says "none" in UDP, and is the same in TCP */
	memcpy(bytes + field, &checksum, 2);
	packet->flags = (uint16_t)(packet->flags & ~PACKET_CHECKSUM_PARTIAL);
	return true;
}
