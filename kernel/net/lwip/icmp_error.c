/* ICMP errors about datagrams of ours: to whom they are told, and as what (RFC 1122, 3.2.2). */
#include "kernel/net/lwip/layer.h"
#include "lib/endian.h"

struct meaning {
	int error;
	bool is_fatal;
};

/* Type 3 (unreachable) of IPv4, by code, with Linux's errors. */
static const struct meaning unreachable4[] = {
	{-LINUX_ENETUNREACH, false},
	{-LINUX_EHOSTUNREACH, false},
	{-LINUX_ENOPROTOOPT, true},
	{-LINUX_ECONNREFUSED, true},
	{-LINUX_EMSGSIZE, false},
	{-LINUX_EOPNOTSUPP, false},
	{-LINUX_ENETUNREACH, true},
	{-LINUX_EHOSTDOWN, true},
	{-LINUX_ENONET, true},
	{-LINUX_ENETUNREACH, true},
	{-LINUX_EHOSTUNREACH, true},
	{-LINUX_ENETUNREACH, false},
	{-LINUX_EHOSTUNREACH, false},
	{-LINUX_EHOSTUNREACH, true},
	{-LINUX_EHOSTUNREACH, true},
	{-LINUX_EHOSTUNREACH, true},
};

/* Type 1 of IPv6. */
static const struct meaning unreachable6[] = {
	{-LINUX_ENETUNREACH, false},
	{-LINUX_EACCES, true},
	{-LINUX_EHOSTUNREACH, false},
	{-LINUX_EHOSTUNREACH, false},
	{-LINUX_ECONNREFUSED, true},
	{-LINUX_EACCES, true},
	{-LINUX_EACCES, true},
};

/* Of IPv4: false if the message is no error. */
static bool read4(const uint8_t *icmp, uint32_t bytes, struct ip_error *error)
{
	struct meaning meaning = {-LINUX_EHOSTUNREACH, false}; /* time exceeded */
	const uint8_t *inner = icmp + 8;
	uint32_t header_bytes;

	if (bytes < 8 + IP4_HEADER_BYTES + 8)
		return false;
	if (icmp[0] == 3 && icmp[1] < ARRAY_SIZE(unreachable4))
		meaning = unreachable4[icmp[1]];
	else if (icmp[0] == 12)
		meaning = (struct meaning){-LINUX_EPROTO, true};
	else if (icmp[0] != 11)
		return false;
	header_bytes = (inner[0] & 15u) * 4;
	if (inner[0] >> 4 != 4 || header_bytes < IP4_HEADER_BYTES || bytes < 8 + header_bytes + 8)
		return false;
	error->error = meaning.error;
	error->is_fatal = meaning.is_fatal;
	if (meaning.error == -LINUX_EMSGSIZE)
		error->mtu = load_be16(icmp + 6);
	error->protocol = inner[9];
	error->source = ip_address_v4(inner + 12);
	error->destination = ip_address_v4(inner + 16);
	memcpy(error->transport, inner + header_bytes, 8);
	return true;
}

static bool read6(const uint8_t *icmp, uint32_t bytes, struct ip_error *error)
{
	struct meaning meaning = {-LINUX_EHOSTUNREACH, false};
	const uint8_t *inner = icmp + 8;

	if (bytes < 8 + IP6_HEADER_BYTES + 8 || inner[0] >> 4 != 6)
		return false;
	if (icmp[0] == 1 && icmp[1] < ARRAY_SIZE(unreachable6))
		meaning = unreachable6[icmp[1]];
	else if (icmp[0] == 2)
		meaning = (struct meaning){-LINUX_EMSGSIZE, false};
	else if (icmp[0] == 4)
		meaning = (struct meaning){-LINUX_EPROTO, true};
	else if (icmp[0] != 3)
		return false;
	error->error = meaning.error;
	error->is_fatal = meaning.is_fatal;
	if (icmp[0] == 2)
		error->mtu = MIN(load_be32(icmp + 4), UINT16_MAX);
	error->protocol = inner[6];
	memcpy(error->source.bytes, inner + 8, 16);
	memcpy(error->destination.bytes, inner + 24, 16);
	memcpy(error->transport, inner + IP6_HEADER_BYTES, 8);
	return true;
}

void ip_icmp_error(const struct ip_received *ip, const uint8_t *icmp, uint32_t bytes)
{
	struct ip_error error = {.from = ip->source};
	bool is_v4 = ip_address_is_v4(&ip->source);

	if (!(is_v4 ? read4(icmp, bytes, &error) : read6(icmp, bytes, &error)) ||
		!ip_address_is_local(&error.source, 0) ||
		ip_address_is_loopback(&error.source) != ip_address_is_loopback(&ip->destination))
		return;
	error.type = icmp[0];
	error.code = icmp[1];
	if (error.error == -LINUX_EMSGSIZE && error.mtu)
		ip_set_path_mtu(&error.destination, error.mtu);
	if (error.protocol == IP_PROTOCOL_TCP)
		tcp_error(&error);
	else if (error.protocol == IP_PROTOCOL_UDP)
		udp_error(&error);
}
