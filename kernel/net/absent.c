/* What stands in for TCP where it is not linked in: segments find nobody. */
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

WEAK void tcp_error(const struct ip_error *error)
{
	(void)error;
}
