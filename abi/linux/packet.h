/*
 * Packet sockets on Linux x86-64: packet(7).
 */
#ifndef ABI_LINUX_PACKET_H
#define ABI_LINUX_PACKET_H

#include <stdint.h>

struct linux_sockaddr_ll {
	uint16_t family;
	uint8_t protocol[2]; /* network order */
	int32_t index;
	uint16_t hardware_type;
	uint8_t packet_type;
	uint8_t address_bytes;
	uint8_t address[8];
};

enum linux_packet_type {
	LINUX_PACKET_HOST = 0,
	LINUX_PACKET_BROADCAST = 1,
	LINUX_PACKET_MULTICAST = 2,
	LINUX_PACKET_OTHERHOST = 3,
	LINUX_PACKET_OUTGOING = 4,
};

enum linux_packet_option {
	LINUX_PACKET_ADD_MEMBERSHIP = 1,
	LINUX_PACKET_DROP_MEMBERSHIP = 2,
	LINUX_PACKET_STATISTICS = 6,
	LINUX_PACKET_AUXDATA = 8,
	LINUX_PACKET_IGNORE_OUTGOING = 23,
};

enum linux_packet_membership {
	LINUX_PACKET_MR_MULTICAST = 0,
	LINUX_PACKET_MR_PROMISC = 1,
	LINUX_PACKET_MR_ALLMULTI = 2,
	LINUX_PACKET_MR_UNICAST = 3,
};

struct linux_packet_mreq {
	int32_t index;
	uint16_t type, address_bytes;
	uint8_t address[8];
};

struct linux_tpacket_stats {
	uint32_t packets, drops;
};

enum linux_tpacket_status {
	LINUX_TP_STATUS_USER = 1,
	LINUX_TP_STATUS_CSUMNOTREADY = 8,
	LINUX_TP_STATUS_CSUM_VALID = 128,
};

struct linux_tpacket_auxdata {
	uint32_t status, bytes, captured_bytes;
	uint16_t link_offset, network_offset;
	uint16_t vlan_tci, vlan_tpid;
};

enum linux_ether_type {
	LINUX_ETH_P_802_3_MIN = 0x0600, /* less is a length */
	LINUX_ETH_P_ALL = 0x0003,
	LINUX_ETH_P_802_2 = 0x0004,
	LINUX_ETH_P_IP = 0x0800,
	LINUX_ETH_P_IPV6 = 0x86dd,
};

_Static_assert(sizeof(struct linux_sockaddr_ll) == 20, "Linux layout");
_Static_assert(sizeof(struct linux_packet_mreq) == 16, "Linux layout");
_Static_assert(sizeof(struct linux_tpacket_auxdata) == 20, "Linux layout");

#endif
