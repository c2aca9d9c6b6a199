/*
 * Captures frames; see net_capture.h. The format of the file is that of tcpdump, with
 * nanoseconds (draft-ietf-opsawg-pcap). Checksums and segments that are left to the device
 * look as they do in any capture on a host with offloads.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/virtio.h"
#include "monitor/message.h"
#include "monitor/net_capture.h"
#include "monitor/net_decode.h"

#define MAGIC_NS      0xa1b23c4du
#define LINK_ETHERNET 1u
#define SNAP_BYTES    262144u
#define HEAD_BYTES    128u /* of a frame: all that a line shows */
#define MAX_PARTS     513u

/* Sandbox, net: writev clock_gettime */

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap_bytes, link;
};

struct record {
	uint32_t seconds, nanoseconds, bytes, original_bytes;
};

bool net_capture_start(const struct net_capture *capture)
{
	struct file_header header = {.magic = MAGIC_NS,
		.major = 2,
		.minor = 4,
		.snap_bytes = SNAP_BYTES,
		.link = LINK_ETHERNET};

	return write(capture->pcap_fd, &header, sizeof(header)) == sizeof(header);
}

/* Parts without the virtio header and what is behind the frame. Returns their number. */
static unsigned cut(struct iovec *to, const struct iovec *parts, unsigned count, size_t bytes)
{
	size_t skip = sizeof(struct virtio_net_header), left = bytes - skip;
	unsigned used = 0;

	for (unsigned i = 0; i < count && left > 0; i++) {
		size_t less = MIN(skip, parts[i].iov_len);
		size_t take = MIN(parts[i].iov_len - less, left);

		skip -= less;
		left -= take;
		if (take > 0)
			to[used++] = (struct iovec){(uint8_t *)parts[i].iov_base + less, take};
	}
	return used;
}

static void write_record(struct net_capture *capture, struct iovec *parts, unsigned count,
	size_t bytes, const struct timespec *now)
{
	struct record record = {
		(uint32_t)now->tv_sec, (uint32_t)now->tv_nsec, (uint32_t)bytes, (uint32_t)bytes};

	parts[0] = (struct iovec){&record, sizeof(record)};
	if (writev(capture->pcap_fd, parts, (int)count) == (ssize_t)(sizeof(record) + bytes))
		return;
	message_print("network %s: --pcap ends here: %s", capture->name, strerror(errno));
	capture->pcap_fd = 0;
}

static void print_line(const struct net_capture *capture, const struct iovec *parts, unsigned count,
	size_t bytes, const struct timespec *now, enum net_direction direction)
{
	uint8_t head[HEAD_BYTES];
	char line[256];
	size_t used = 0;

	for (unsigned i = 0; i < count && used < sizeof(head); i++) {
		size_t take = MIN(parts[i].iov_len, sizeof(head) - used);

		memcpy(head + used, parts[i].iov_base, take);
		used += take;
	}
	used = net_decode_line(line, sizeof(line) - 1, capture->name, direction == NET_FROM_GUEST,
		(uint64_t)now->tv_sec, (uint32_t)now->tv_nsec, head, used, bytes);
	line[used++] = '\n';
	message_write(line, used);
}

void net_capture_write(struct net_capture *capture, const struct iovec *parts, unsigned count,
	size_t bytes, enum net_direction direction)
{
	static struct iovec frame[MAX_PARTS]; /* first: the record's head */
	struct timespec now;
	unsigned used;

	if (bytes <= sizeof(struct virtio_net_header) || count >= MAX_PARTS)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	used = cut(&frame[1], parts, count, bytes);
	bytes -= sizeof(struct virtio_net_header);
	if (capture->sniff)
		print_line(capture, &frame[1], used, bytes, &now, direction);
	if (capture->pcap_fd)
		write_record(capture, frame, used + 1, bytes, &now);
}
