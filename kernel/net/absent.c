/* Transports that are not linked in: what comes for them finds nobody. */
#include "kernel/net/ip.h"
#include "kernel/net/tcp.h"

#define WEAK __attribute__((weak))

WEAK int tcp_init(void)
{
	return 0;
}

WEAK void tcp_input(struct packet *packet, const struct ip_received *ip)
{
	(void)ip;
	packet_release(packet);
}

WEAK bool udp_input(struct packet *packet, const struct ip_received *ip)
{
	(void)packet;
	(void)ip;
	return false;
}

WEAK bool raw_input(struct packet *packet, const struct ip_received *ip, uint32_t header_bytes)
{
	(void)packet;
	(void)ip;
	(void)header_bytes;
	return false;
}

WEAK void tcp_error(const struct ip_error *error)
{
	(void)error;
}

WEAK void udp_error(const struct ip_error *error)
{
	(void)error;
}
