/*
 * Shows what passes a network interface: to a pcap file, as a line a frame on stderr.
 */
#ifndef MONITOR_NET_CAPTURE_H
#define MONITOR_NET_CAPTURE_H

#include <sys/uio.h>

#include "lib/compiler.h"

enum net_direction { NET_TO_GUEST, NET_FROM_GUEST };

struct net_capture {
	const char *name; /* of the interface */
	int pcap_fd;      /* 0: none */
	bool sniff;
};

/* Writes the head of the file. False with errno. */
bool net_capture_start(const struct net_capture *capture);

/* Slow part of net_capture_frame(). */
void net_capture_write(struct net_capture *capture, const struct iovec *parts, unsigned count,
	size_t bytes, enum net_direction direction);

/* A frame in the first `bytes` of the parts, after its virtio header. */
static inline void net_capture_frame(struct net_capture *capture, const struct iovec *parts,
	unsigned count, size_t bytes, enum net_direction direction)
{
	if (UNLIKELY(capture->pcap_fd || capture->sniff))
		net_capture_write(capture, parts, count, bytes, direction);
}

#endif
