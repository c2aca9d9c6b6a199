/* Link addresses of neighbours, out of lwIP's tables of ARP and ND. */
#include "kernel/net/lwip/layer.h"
#include "kernel/sched/clock.h"
#include "lib/endian.h"

#define REFRESH_NS (15ull * 1000000000)
#define ARP_OPCODE 6u  /* RFC 826 */
#define ARP_SENDER 14u /* protocol address */

/* When a neighbour is due, by its place in lwIP's tables. */
static uint64_t due4_ns[ARP_TABLE_SIZE], due6_ns[LWIP_ND6_NUM_NEIGHBORS];

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* The number is the second half of the address. */
static const uint8_t question_prefix[2] = {169, 254};

uint16_t ip_ask_device(struct net_device *device)
{
	struct ip_device *layer = ip_device_of(device);
	ip4_addr_t question;
	uint8_t bytes[4];

	memcpy(bytes, question_prefix, 2);
	store_be16(bytes + 2, ++device->asked);
	memcpy(&question.addr, bytes, 4);
	(void)etharp_request(&layer->netifs[0], &question);
	return device->asked;
}

bool ip_neighbor_answers(struct net_device *device, const uint8_t arp[SIZEOF_ETHARP_HDR])
{
	if (!(device->flags & NET_DEVICE_ACKS_LATE) || load_be16(arp + ARP_OPCODE) != ARP_REPLY ||
		memcmp(arp + ARP_SENDER, question_prefix, 2) != 0)
		return false;
	device->answered = load_be16(arp + ARP_SENDER + 2);
	return true;
}

/* RFC 1112, 6.4; RFC 2464, 7 */
static const uint8_t *multicast_mac(const struct ip_address *address, uint8_t mac[6])
{
	if (ip_address_is_v4(address)) {
		mac[0] = 0x01;
		mac[1] = 0x00;
		mac[2] = 0x5e;
		mac[3] = address->bytes[13] & 0x7f;
		memcpy(mac + 4, address->bytes + 14, 2);
	} else {
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, address->bytes + 12, 4);
	}
	return mac;
}

static const uint8_t *find4(const struct ip_hop *hop, uint32_t *slot)
{
	ip4_addr_t next = ip4_of(&hop->next_hop), *address;
	const ip4_addr_t *found;
	struct netif *netif;
	struct eth_addr *mac;
	ssize_t index;

	if (etharp_get_entry(*slot, &address, &netif, &mac) && address->addr == next.addr &&
		netif == hop->netif)
		return mac->addr;
	index = etharp_find_addr(hop->netif, &next, &mac, &found);
	if (index < 0)
		return NULL;
	*slot = (uint32_t)index;
	return mac->addr;
}

/* A stale entry goes the slow way once, which makes lwIP ask whether it still holds. */
static bool is_usable(const struct nd6_neighbor_cache_entry *entry, const ip6_addr_t *next,
	const struct netif *netif)
{
	return (entry->state == ND6_REACHABLE || entry->state == ND6_DELAY ||
		       entry->state == ND6_PROBE) &&
	       entry->netif == netif && ip6_addr_eq(&entry->next_hop_address, next);
}

static const uint8_t *find6(const struct ip_hop *hop, uint32_t *slot)
{
	ip6_addr_t next = ip6_of(&hop->next_hop, hop->netif);

	if (*slot < LWIP_ND6_NUM_NEIGHBORS && is_usable(&neighbor_cache[*slot], &next, hop->netif))
		return neighbor_cache[*slot].lladdr;
	for (uint32_t i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		if (is_usable(&neighbor_cache[i], &next, hop->netif)) {
			*slot = i;
			return neighbor_cache[i].lladdr;
		}
	}
	return NULL;
}

const uint8_t *ip_neighbor_find(const struct ip_hop *hop, uint8_t multicast[6], uint32_t *slot)
{
	if (hop->is_broadcast)
		return broadcast;
	if (ip_address_is_multicast(&hop->next_hop))
		return multicast_mac(&hop->next_hop, multicast);
	return ip_address_is_v4(&hop->next_hop) ? find4(hop, slot) : find6(hop, slot);
}

bool ip_neighbor_is_due(const struct ip_hop *hop, uint32_t slot)
{
	bool is_v4 = ip_address_is_v4(&hop->next_hop);
	uint64_t now = clock_monotonic_ns(), *due;

	if (hop->is_broadcast || ip_address_is_multicast(&hop->next_hop) ||
		slot >= (is_v4 ? ARP_TABLE_SIZE : LWIP_ND6_NUM_NEIGHBORS))
		return false;
	due = is_v4 ? &due4_ns[slot] : &due6_ns[slot];
	if (now < *due)
		return false;
	*due = now + REFRESH_NS;
	return true;
}

static bool entry4(uint32_t *n, struct ip_neighbor *result)
{
	ip4_addr_t *address;
	struct netif *netif;
	struct eth_addr *mac;

	for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
		if (!etharp_get_entry(i, &address, &netif, &mac) || (*n)-- != 0)
			continue;
		result->address = ip_address_of_ip4(address);
		result->device = ((const struct ip_device *)netif->state)->device;
		memcpy(result->mac, mac->addr, 6);
		result->is_reachable = true;
		return true;
	}
	return false;
}

bool ip_neighbor(uint32_t n, struct ip_neighbor *result)
{
	if (entry4(&n, result))
		return true;
	for (uint32_t i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		const struct nd6_neighbor_cache_entry *entry = &neighbor_cache[i];

		if (entry->state == ND6_NO_ENTRY || entry->state == ND6_INCOMPLETE || n-- != 0)
			continue;
		result->address = ip_address_of_ip6(&entry->next_hop_address);
		result->device = ((const struct ip_device *)entry->netif->state)->device;
		memcpy(result->mac, entry->lladdr, 6);
		result->is_reachable = entry->state == ND6_REACHABLE;
		return true;
	}
	return false;
}
