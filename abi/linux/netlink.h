/*
 * Netlink on Linux: netlink(7), rtnetlink(7).
 */
#ifndef ABI_LINUX_NETLINK_H
#define ABI_LINUX_NETLINK_H

#include <stdint.h>

#define LINUX_NETLINK_ROUTE 0

struct linux_sockaddr_nl {
	uint16_t family, padding;
	uint32_t port;
	uint32_t groups;
};

struct linux_nlmsghdr {
	uint32_t bytes; /* with this header */
	uint16_t type, flags;
	uint32_t sequence;
	uint32_t port;
};

struct linux_rtattr {
	uint16_t bytes; /* with this header */
	uint16_t type;
};

enum linux_netlink_type {
	LINUX_NLMSG_NOOP = 1,
	LINUX_NLMSG_ERROR = 2,
	LINUX_NLMSG_DONE = 3,
	LINUX_NLMSG_MIN_TYPE = 16,
	LINUX_RTM_NEWLINK = 16,
	LINUX_RTM_GETLINK = 18,
	LINUX_RTM_NEWADDR = 20,
	LINUX_RTM_GETADDR = 22,
	LINUX_RTM_NEWROUTE = 24,
	LINUX_RTM_GETROUTE = 26,
	LINUX_RTM_NEWNEIGH = 28,
	LINUX_RTM_GETNEIGH = 30,
};

enum linux_netlink_flag {
	LINUX_NLM_F_REQUEST = 1,
	LINUX_NLM_F_MULTI = 2,
	LINUX_NLM_F_ACK = 4,
	LINUX_NLM_F_DUMP = 0x300,
};

/* SOL_NETLINK */
enum linux_netlink_option {
	LINUX_NETLINK_ADD_MEMBERSHIP = 1,
	LINUX_NETLINK_DROP_MEMBERSHIP = 2,
	LINUX_NETLINK_PKTINFO = 3,
	LINUX_NETLINK_BROADCAST_ERROR = 4,
	LINUX_NETLINK_NO_ENOBUFS = 5,
	LINUX_NETLINK_CAP_ACK = 10,
	LINUX_NETLINK_EXT_ACK = 11,
	LINUX_NETLINK_GET_STRICT_CHK = 12,
};

struct linux_nlmsgerr {
	int32_t error;
	struct linux_nlmsghdr request;
};

struct linux_ifinfomsg {
	uint8_t family, padding;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};

enum linux_link_attribute {
	LINUX_IFLA_ADDRESS = 1,
	LINUX_IFLA_BROADCAST = 2,
	LINUX_IFLA_IFNAME = 3,
	LINUX_IFLA_MTU = 4,
	LINUX_IFLA_QDISC = 6,
	LINUX_IFLA_TXQLEN = 13,
	LINUX_IFLA_OPERSTATE = 16,
	LINUX_IFLA_LINKMODE = 17,
	LINUX_IFLA_STATS64 = 23,
	LINUX_IFLA_GROUP = 27,
	LINUX_IFLA_CARRIER = 33,
};

struct linux_ifaddrmsg {
	uint8_t family, prefix_bits, flags, scope;
	uint32_t index;
};

enum linux_address_attribute {
	LINUX_IFA_ADDRESS = 1,
	LINUX_IFA_LOCAL = 2,
	LINUX_IFA_LABEL = 3,
	LINUX_IFA_BROADCAST = 4,
	LINUX_IFA_CACHEINFO = 6,
	LINUX_IFA_FLAGS = 8,
};

enum linux_address_flag {
	LINUX_IFA_F_DEPRECATED = 0x20,
	LINUX_IFA_F_TENTATIVE = 0x40,
	LINUX_IFA_F_PERMANENT = 0x80,
};

enum linux_route_scope {
	LINUX_RT_SCOPE_UNIVERSE = 0,
	LINUX_RT_SCOPE_LINK = 253,
	LINUX_RT_SCOPE_HOST = 254,
};

struct linux_rtmsg {
	uint8_t family, destination_bits, source_bits, tos;
	uint8_t table, protocol, scope, type;
	uint32_t flags;
};

enum linux_route_attribute {
	LINUX_RTA_DST = 1,
	LINUX_RTA_OIF = 4,
	LINUX_RTA_GATEWAY = 5,
	LINUX_RTA_PRIORITY = 6,
	LINUX_RTA_PREFSRC = 7,
	LINUX_RTA_TABLE = 15,
};

enum linux_route_value {
	LINUX_RT_TABLE_MAIN = 254,
	LINUX_RTPROT_BOOT = 3,
	LINUX_RTN_UNICAST = 1,
	LINUX_RTN_LOCAL = 2,
};

struct linux_ndmsg {
	uint8_t family, padding_1;
	uint16_t padding_2;
	int32_t index;
	uint16_t state;
	uint8_t flags, type;
};

enum linux_neighbor_attribute {
	LINUX_NDA_DST = 1,
	LINUX_NDA_LLADDR = 2,
};

enum linux_neighbor_state {
	LINUX_NUD_INCOMPLETE = 1,
	LINUX_NUD_REACHABLE = 2,
};

_Static_assert(sizeof(struct linux_sockaddr_nl) == 12, "Linux layout");
_Static_assert(sizeof(struct linux_nlmsghdr) == 16, "Linux layout");
_Static_assert(sizeof(struct linux_nlmsgerr) == 20, "Linux layout");
_Static_assert(sizeof(struct linux_ifinfomsg) == 16, "Linux layout");
_Static_assert(sizeof(struct linux_ifaddrmsg) == 8, "Linux layout");
_Static_assert(sizeof(struct linux_rtmsg) == 12, "Linux layout");
_Static_assert(sizeof(struct linux_ndmsg) == 12, "Linux layout");

#endif
