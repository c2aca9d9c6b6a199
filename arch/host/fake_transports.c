/* See fake_transports.h. */
#include "arch/host/fake_transports.h"

#include <stdlib.h>

#include "kernel/net/tcp.h"

struct ip_received fake_tcp_ip, fake_udp_ip;
struct fake_frame fake_tcp, fake_udp;
uint32_t fake_tcp_count, fake_udp_count, fake_raw_count;
struct ip_error fake_tcp_error, fake_udp_error;
uint32_t fake_tcp_errors, fake_udp_errors;
bool fake_udp_refuses;

void fake_network_clear(void)
{
	fake_sent_count = fake_tcp_count = fake_udp_count = fake_raw_count = 0;
	fake_tcp_errors = fake_udp_errors = 0;
	fake_udp_refuses = false;
}

void tcp_input(struct packet *packet, const struct ip_received *ip)
{
	fake_tcp_ip = *ip;
	fake_tcp_count++;
	fake_frame_keep(&fake_tcp, packet);
	packet_release(packet);
}

bool udp_input(struct packet *packet, const struct ip_received *ip)
{
	fake_udp_ip = *ip;
	fake_udp_count++;
	fake_frame_keep(&fake_udp, packet);
	if (fake_udp_refuses)
		return false;
	packet_release(packet);
	return true;
}

bool raw_input(struct packet *packet, const struct ip_received *ip, uint32_t header_bytes)
{
	(void)ip;
	if (header_bytes > packet->bytes)
		abort();
	fake_raw_count++;
	return false;
}

void tcp_error(const struct ip_error *error)
{
	fake_tcp_error = *error;
	fake_tcp_errors++;
}

void udp_error(const struct ip_error *error)
{
	fake_udp_error = *error;
	fake_udp_errors++;
}

int tcp_init(void)
{
	return 0;
}
