/*
 * Network devices: loopback and those that drivers register. Guarded by the network lock.
 */
#ifndef KERNEL_NET_DEVICE_H
#define KERNEL_NET_DEVICE_H

#include "lib/compiler.h"
#include "lib/list.h"

#define NET_DEVICE_NAME_BYTES 16u /* IFNAMSIZ */

struct packet;
struct net_device;

enum net_device_flags {
	NET_DEVICE_UP = 1u << 0,
	NET_DEVICE_LOOPBACK = 1u << 1,
	NET_DEVICE_ACKS_LATE = 1u << 2, /* net_config.peer_acks_late */
};

/* What transmit() takes besides plain frames. */
enum net_device_offloads {
	NET_OFFLOAD_CHECKSUM = 1u << 0, /* PACKET_CHECKSUM_PARTIAL */
	NET_OFFLOAD_TCP4 = 1u << 1,     /* PACKET_SEGMENT_TCP4, up to 64 KiB */
	NET_OFFLOAD_TCP6 = 1u << 2,
	NET_OFFLOAD_UDP = 1u << 3,
};

struct net_device_counters {
	uint64_t received_packets, received_bytes, receive_drops, receive_errors;
	uint64_t sent_packets, sent_bytes, send_drops, send_errors;
};

struct net_device_ops {
	/* Sends an Ethernet frame (loopback: an IP datagram); consumes it whatever comes. May
	 * keep it until the device is done. Room is not waited for: -ENOBUFS. */
	int (*transmit)(struct net_device *device, struct packet *packet);
	/* Shows the device what transmit() queued; called once after a burst. True if it wants to
	 * be told: by notify(), without the lock, since that may wake the device where this vcpu
	 * runs, and others would wait for the lock meanwhile. Both may be NULL. */
	bool (*flush)(struct net_device *device);
	void (*notify)(struct net_device *device);
	/* Takes what has arrived, at most `budget` frames, through net_device_receive(). Frames. */
	uint32_t (*poll)(struct net_device *device, uint32_t budget);
	/* Asks for an interrupt at the next frame. True if one is there already: poll again. */
	bool (*arm)(struct net_device *device);
	/* No interrupts, please: somebody polls. */
	void (*disarm)(struct net_device *device);
	/* Something waits to be polled: cheap, without the lock. */
	bool (*is_pending)(struct net_device *device);
};

struct net_device {
	struct list link; /* all devices, in order of index */
	const struct net_device_ops *ops;
	void *driver;                     /* the driver's own */
	void *ip;                         /* the IP layer's own */
	char name[NET_DEVICE_NAME_BYTES]; /* "lo", "eth0" */
	uint32_t index;                   /* from 1: lo */
	uint32_t flags;                   /* enum net_device_flags */
	uint32_t offloads;                /* enum net_device_offloads */
	uint32_t mtu;                     /* bytes of an IP datagram */
	uint8_t mac[6];
	const char *settings; /* text of lib/net_config.h given by the launcher; "" : none */
	struct net_device_counters counters;
	uint16_t asked, answered; /* ip_ask_device() */
	bool flush_wanted;        /* frames were queued since the last flush() */
};

/* Gives it an index and hands it to the IP layer, which starts its configuration. Takes the
 * lock itself. -ENOMEM. */
int net_device_register(struct net_device *device);
/* The drivers' part of the boot: registers the network devices of the machine. */
void net_device_find_all(void);
/* From poll(): a received frame, consumed. */
void net_device_receive(struct net_device *device, struct packet *packet);
/* Sends a frame (loopback: a datagram) through ops->transmit() with the counts, the tap and,
 * when the lock is given back, the flush that belong to it. Consumes it. */
int net_device_transmit(struct net_device *device, struct packet *packet);
/* Before the lock is given back: flush() of all devices that have sent. What to notify of it
 * afterwards: a bit for each index. */
uint64_t net_device_flush_all(void);
void net_device_notify(uint64_t devices);
/* NULL: none. */
struct net_device *net_device_by_index(uint32_t index);
struct net_device *net_device_by_name(const char *name);
/* Next after `device` (NULL: the first); NULL at the end. */
struct net_device *net_device_next(const struct net_device *device);

/* Taps on what passes a device, for packet sockets; `outgoing` tells the direction. The
 * packet is lent. NULL: none. */
extern void (*net_device_tap)(
	struct net_device *device, const struct packet *packet, bool outgoing);

#endif
