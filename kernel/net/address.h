/*
 * Internet addresses. IPv4 is held as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2), so that sockets of
 * both families share their code; all bytes are in network order.
 */
#ifndef KERNEL_NET_ADDRESS_H
#define KERNEL_NET_ADDRESS_H

#include "lib/compiler.h"
#include "lib/string.h"

struct ip_address {
	uint8_t bytes[16];
};

struct ip_endpoint {
	struct ip_address address;
	uint16_t port;  /* host order */
	uint32_t scope; /* device index for link-local addresses; 0: none */
};

static inline struct ip_address ip_address_v4(const uint8_t v4[4])
{
	struct ip_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	memcpy(address.bytes + 12, v4, 4);
	return address;
}

static inline bool ip_address_is_v4(const struct ip_address *address)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address->bytes, prefix, sizeof(prefix)) == 0;
}

static inline bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->bytes, b->bytes, 16) == 0;
}

/* :: or 0.0.0.0 */
static inline bool ip_address_is_any(const struct ip_address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes + (ip_address_is_v4(address) ? 12 : 0), zero,
		       ip_address_is_v4(address) ? 4 : 16) == 0;
}

static inline bool ip_address_is_multicast(const struct ip_address *address)
{
	return ip_address_is_v4(address) ? (address->bytes[12] & 0xf0) == 0xe0
					 : address->bytes[0] == 0xff;
}

static inline bool ip_address_is_loopback(const struct ip_address *address)
{
	static const uint8_t one[16] = {[15] = 1};

	return ip_address_is_v4(address) ? address->bytes[12] == 127
					 : memcmp(address->bytes, one, 16) == 0;
}

static inline bool ip_address_is_link_local(const struct ip_address *address)
{
	return !ip_address_is_v4(address) &&
	       ((address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80) ||
		       (address->bytes[0] == 0xff && (address->bytes[1] & 0x0f) == 2));
}

#endif
