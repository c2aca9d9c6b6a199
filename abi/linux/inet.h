/*
 * Layouts of internet sockets' options and control data, and of network interfaces, on Linux
 * x86-64: ip(7), ipv6(7), netdevice(7).
 */
#ifndef ABI_LINUX_INET_H
#define ABI_LINUX_INET_H

#include <stdint.h>

struct linux_in_pktinfo {
	uint32_t index;
	uint8_t specific[4]; /* the local address */
	uint8_t address[4];  /* the header's destination */
};

struct linux_in6_pktinfo {
	uint8_t address[16];
	uint32_t index;
};

struct linux_ip_mreqn {
	uint8_t group[4];
	uint8_t address[4]; /* of the interface */
	uint32_t index;     /* ip_mreq lacks it */
};

struct linux_ipv6_mreq {
	uint8_t group[16];
	uint32_t index;
};

/* struct ip6_mtuinfo */
struct linux_ip6_mtuinfo {
	uint8_t name[28]; /* struct sockaddr_in6 */
	uint32_t mtu;
};

struct linux_group_req {
	uint32_t index;
	uint32_t padding;
	uint8_t group[128]; /* struct sockaddr_storage */
};

enum linux_error_origin {
	LINUX_ERROR_ORIGIN_LOCAL = 1,
	LINUX_ERROR_ORIGIN_ICMP = 2,
	LINUX_ERROR_ORIGIN_ICMP6 = 3,
};

/* struct sock_extended_err; the offender's name follows. */
struct linux_extended_error {
	uint32_t error;
	uint8_t origin, type, code, padding;
	uint32_t info, data;
};

/* SOL_RAW and SOL_ICMPV6 */
enum linux_raw_option {
	LINUX_ICMP_FILTER = 1,
	LINUX_ICMPV6_FILTER = 1,
};

enum linux_interface_flag {
	LINUX_IFF_UP = 0x1,
	LINUX_IFF_BROADCAST = 0x2,
	LINUX_IFF_LOOPBACK = 0x8,
	LINUX_IFF_RUNNING = 0x40,
	LINUX_IFF_MULTICAST = 0x1000,
	LINUX_IFF_LOWER_UP = 0x10000,
};

enum linux_hardware_type {
	LINUX_ARPHRD_ETHER = 1,
	LINUX_ARPHRD_LOOPBACK = 772,
};

struct linux_ifreq {
	char name[16];
	union {
		uint8_t address[16]; /* struct sockaddr */
		int16_t flags;
		int32_t number; /* index, MTU, queue length */
		uint8_t bytes[24];
	} value;
};

struct linux_ifconf {
	int32_t bytes;
	uint32_t padding;
	uint64_t requests;
};

enum linux_interface_ioctl {
	LINUX_SIOCGIFDSTADDR = 0x8917,
	LINUX_SIOCGIFMETRIC = 0x891d,
	LINUX_SIOCGIFTXQLEN = 0x8942,
};

_Static_assert(sizeof(struct linux_in_pktinfo) == 12, "Linux layout");
_Static_assert(sizeof(struct linux_in6_pktinfo) == 20, "Linux layout");
_Static_assert(sizeof(struct linux_ip6_mtuinfo) == 32, "Linux layout");
_Static_assert(sizeof(struct linux_group_req) == 136, "Linux layout");
_Static_assert(sizeof(struct linux_extended_error) == 16, "Linux layout");
_Static_assert(sizeof(struct linux_ifreq) == 40, "Linux layout");
_Static_assert(sizeof(struct linux_ifconf) == 16, "Linux layout");

#endif
