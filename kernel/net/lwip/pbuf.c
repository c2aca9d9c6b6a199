/* Packets to lwIP's pbufs and back: copies, since this is the rare way. */
#include "kernel/net/lwip/layer.h"
#include "kernel/net/packet.h"

/* lwIP looks at a byte or two beyond the end of malformed options. */
#define SLACK_BYTES 32u

struct pbuf *ip_pbuf_create(const void *prefix, uint32_t prefix_bytes, const struct packet *packet)
{
	uint32_t bytes = prefix_bytes + packet->bytes;
	struct pbuf *pbuf;
	uint8_t *to;

	if (bytes == 0 || bytes > UINT16_MAX - SLACK_BYTES - 64)
		return NULL;
	pbuf = pbuf_alloc(PBUF_LINK, (u16_t)(bytes + SLACK_BYTES), PBUF_RAM);
	if (!pbuf)
		return NULL;
	to = pbuf->payload;
	if (prefix_bytes)
		memcpy(to, prefix, prefix_bytes);
	packet_copy(packet, 0, to + prefix_bytes, packet->bytes);
	memset(to + bytes, 0, SLACK_BYTES);
	pbuf->len = pbuf->tot_len = (u16_t)bytes;
	return pbuf;
}

struct packet *ip_packet_of_pbuf(const struct pbuf *pbuf)
{
	struct packet *packet = packet_create_linear(pbuf->tot_len);

	if (packet)
		pbuf_copy_partial(pbuf, packet->fragments[0].data, pbuf->tot_len, 0);
	return packet;
}

err_t ip_link_output(struct netif *netif, struct pbuf *pbuf)
{
	const struct ip_device *layer = netif->state;
	struct packet *packet = ip_packet_of_pbuf(pbuf);

	if (!packet)
		return ERR_MEM;
	return net_device_transmit(layer->device, packet) == 0 ? ERR_OK : ERR_BUF;
}

int ip_error_of_lwip(err_t error)
{
	switch (error) {
	case ERR_OK:
		return 0;
	case ERR_RTE:
		return -LINUX_EHOSTUNREACH;
	case ERR_BUF:
		return -LINUX_ENOBUFS;
	case ERR_VAL:
		return -LINUX_EINVAL;
	default:
		return -LINUX_ENOMEM;
	}
}
