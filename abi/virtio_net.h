/*
 * Virtio network device (virtio 1.2, section 5.1). Little-endian.
 */
#ifndef ABI_VIRTIO_NET_H
#define ABI_VIRTIO_NET_H

#include <stddef.h>
#include <stdint.h>

#define VIRTIO_NET_F_CSUM       (1ull << 0) /* the device completes checksums */
#define VIRTIO_NET_F_GUEST_CSUM (1ull << 1) /* the driver takes incomplete ones */
#define VIRTIO_NET_F_MTU        (1ull << 3)
#define VIRTIO_NET_F_MAC        (1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4 (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6 (1ull << 8)
#define VIRTIO_NET_F_HOST_TSO4  (1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6  (1ull << 12)
#define VIRTIO_NET_F_MRG_RXBUF  (1ull << 15)
#define VIRTIO_NET_F_STATUS     (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ    (1ull << 17)
#define VIRTIO_NET_F_MQ         (1ull << 22)
#define VIRTIO_NET_F_GUEST_USO4 (1ull << 54)
#define VIRTIO_NET_F_GUEST_USO6 (1ull << 55)
#define VIRTIO_NET_F_HOST_USO   (1ull << 56)

struct virtio_net_config {
	uint8_t mac[6];
	uint16_t status;          /* with VIRTIO_NET_F_STATUS; bit 0: the link is up */
	uint16_t max_queue_pairs; /* with VIRTIO_NET_F_MQ */
	uint16_t mtu;             /* with VIRTIO_NET_F_MTU */
};

enum virtio_net_header_flags {
	VIRTIO_NET_HEADER_NEEDS_CHECKSUM = 1,
	VIRTIO_NET_HEADER_DATA_VALID = 2,
};

enum virtio_net_segments {
	VIRTIO_NET_SEGMENTS_NONE = 0,
	VIRTIO_NET_SEGMENTS_TCP4 = 1,
	VIRTIO_NET_SEGMENTS_TCP6 = 4,
	VIRTIO_NET_SEGMENTS_UDP = 5,
	VIRTIO_NET_SEGMENTS_ECN = 0x80, /* added to TCP4 and TCP6 */
};

/* Before every frame, both ways. */
struct virtio_net_header {
	uint8_t flags;            /* enum virtio_net_header_flags */
	uint8_t segments;         /* enum virtio_net_segments */
	uint16_t header_bytes;    /* all headers up to the payload, a hint */
	uint16_t segment_bytes;   /* payload of each segment */
	uint16_t checksum_start;  /* from the first byte of the frame */
	uint16_t checksum_offset; /* from checksum_start */
	uint16_t buffer_count;    /* received: buffers merged for the frame, else 0 */
};

_Static_assert(sizeof(struct virtio_net_config) == 12, "virtio layout");
_Static_assert(sizeof(struct virtio_net_header) == 12, "virtio layout");

#endif
