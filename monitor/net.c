/*
 * virtio-net, device side; see net.h.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "monitor/net.h"
#include "monitor/net_stream.h"
#include "monitor/record.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define BATCH           32u
#define ETHERNET_BYTES  14u
#define BUFFER_COUNT_AT offsetof(struct virtio_net_header, buffer_count)
#define OFFLOADS_COMMON (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define FEATURES_COMMON                                                                            \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |        \
		VIRTIO_NET_F_MRG_RXBUF)
#define FEATURES_TAP                                                                               \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_HOST_TSO4 |                    \
		VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)

void net_open_tap(struct net_device *device, int fd)
{
	device->fd = fd;
}

bool net_open_stream(struct net_device *device, int fd)
{
	device->fd = fd;
	device->stream = net_stream_create();
	return device->stream != NULL;
}

uint64_t net_features(const struct net_device *device)
{
	if (device->stream)
		return FEATURES_COMMON | VIRTIO_NET_F_MTU | VIRTIO_NET_F_GUEST_CSUM;
	/* The tap splits large UDP frames from the guest wherever it could bring some; the guest
	 * takes none, so that is only asked. */
	bool splits =
		ioctl(device->fd, TUNSETOFFLOAD, OFFLOADS_COMMON | TUN_F_USO4 | TUN_F_USO6) == 0;

	if (ioctl(device->fd, TUNSETOFFLOAD, OFFLOADS_COMMON) == 0)
		return FEATURES_COMMON | FEATURES_TAP | (splits ? VIRTIO_NET_F_HOST_USO : 0);
	return FEATURES_COMMON;
}

/* Sandbox, net: readv writev */

/* ---- to the guest ---------------------------------------------------------------- */

bool net_window_fill(struct net_device *device, size_t bytes)
{
	struct net_window *window = &device->window;
	struct ring *ring = &device->to_guest;

	while (window->bytes < bytes && window->chain_count < ring_waiting(ring)) {
		int count = ring_chain(ring, window->chain_count,
			&window->parts[window->part_count], NET_WINDOW_PARTS - window->part_count);

		if (count <= 0)
			break;
		for (int i = 0; i < count; i++) {
			window->bytes += window->parts[window->part_count].iov_len;
			window->ends_chain[window->part_count++] = i == count - 1;
		}
		window->chain_count++;
	}
	device->is_starved = window->bytes < bytes;
	return !device->is_starved;
}

static void drop_parts(struct net_window *window, unsigned count)
{
	window->part_count -= count;
	memmove(window->parts, &window->parts[count],
		window->part_count * sizeof(window->parts[0]));
	memmove(window->ends_chain, &window->ends_chain[count], window->part_count);
}

void net_window_consume(struct net_device *device, size_t bytes)
{
	struct net_window *window = &device->window;
	uint8_t *header = window->parts[0].iov_base;
	uint16_t chains = 0;
	unsigned part = 0;

	record_counters->net_received_bytes += bytes - NET_HEADER_BYTES;
	record_counters->net_received_packets++;
	if (window->parts[0].iov_len < NET_HEADER_BYTES) {
		device->broken = "a receive buffer shorter than the header of a frame";
		return;
	}
	while (bytes > 0 && part < window->part_count) {
		size_t used = 0;

		do {
			size_t take = MIN(bytes, window->parts[part].iov_len);

			used += take;
			bytes -= take;
			window->bytes -= window->parts[part].iov_len;
		} while (!window->ends_chain[part++]);
		ring_complete(&device->to_guest, (uint32_t)used);
		chains++;
	}
	memcpy(header + BUFFER_COUNT_AT, &chains, sizeof(chains));
	window->chain_count -= chains;
	drop_parts(window, part);
	if (ring_publish(&device->to_guest))
		device->interrupt(device);
}

static bool tap_receive(struct net_device *device)
{
	unsigned frames = 0;

	while (frames < BATCH && !device->broken &&
		net_window_fill(device, NET_HEADER_BYTES + NET_FRAME_MAX)) {
		struct net_window *window = &device->window;
		ssize_t bytes = readv(device->fd, window->parts, (int)window->part_count);

		if (bytes <= (ssize_t)NET_HEADER_BYTES)
			break; /* nothing there, or the tap is gone or down */
		net_capture_frame(&device->capture, window->parts, window->part_count,
			(size_t)bytes, NET_TO_GUEST);
		net_window_consume(device, (size_t)bytes);
		frames++;
	}
	return frames > 0;
}

bool net_receive(struct net_device *device)
{
	if (device->has_ended || net_broken(device))
		return false;
	return device->stream ? net_stream_receive(device, BATCH) : tap_receive(device);
}

/* ---- from the guest -------------------------------------------------------------- */

static size_t sum_bytes(const struct iovec *parts, int count)
{
	size_t bytes = 0;

	for (int i = 0; i < count; i++)
		bytes += parts[i].iov_len;
	return bytes;
}

void net_frame_done(struct net_device *device)
{
	ring_complete(&device->from_guest, 0);
	if (ring_publish(&device->from_guest))
		device->interrupt(device);
}

void net_frame_sent(struct net_device *device, size_t bytes)
{
	record_counters->net_sent_bytes += bytes - NET_HEADER_BYTES;
	record_counters->net_sent_packets++;
	net_frame_done(device);
}

int net_next_frame(struct net_device *device, size_t *bytes)
{
	struct ring *ring = &device->from_guest;

	while (ring_waiting(ring) > 0) {
		int count = ring_chain(ring, 0, device->parts, RING_MAX_SIZE);

		if (count <= 0)
			return 0;
		*bytes = sum_bytes(device->parts, count);
		if (*bytes >= NET_HEADER_BYTES + ETHERNET_BYTES &&
			*bytes <= NET_HEADER_BYTES + NET_FRAME_MAX)
			return count;
		net_frame_done(device); /* no frame: dropped */
	}
	return 0;
}

static bool tap_transmit(struct net_device *device)
{
	unsigned frames = 0;
	size_t bytes;
	int count;

	while (frames < BATCH && (count = net_next_frame(device, &bytes)) > 0) {
		if (writev(device->fd, device->parts, count) < 0 && errno == EAGAIN) {
			device->is_blocked = true;
			break;
		}
		/* Any other error concerns this frame: the kernel does not like it, or the tap is
		 * down. A network loses frames. */
		net_capture_frame(
			&device->capture, device->parts, (unsigned)count, bytes, NET_FROM_GUEST);
		net_frame_sent(device, bytes);
		frames++;
	}
	return frames > 0;
}

static bool discard(struct net_device *device)
{
	unsigned frames = 0;
	size_t bytes;

	for (; frames < BATCH && net_next_frame(device, &bytes) > 0; frames++)
		net_frame_done(device);
	return frames > 0;
}

bool net_transmit(struct net_device *device)
{
	if (device->is_blocked || net_broken(device))
		return false;
	if (device->has_ended)
		return discard(device);
	return device->stream ? net_stream_transmit(device, BATCH) : tap_transmit(device);
}

/* ---- waiting ---------------------------------------------------------------------- */

bool net_prepare_sleep(struct net_device *device)
{
	bool is_busy = false;

	if (device->is_starved)
		is_busy = ring_ask_more(&device->to_guest, device->window.chain_count);
	if (!device->is_blocked)
		is_busy |= ring_ask_doorbell(&device->from_guest);
	return is_busy;
}

short net_events(const struct net_device *device)
{
	if (device->has_ended)
		return 0;
	return (short)((device->is_starved ? 0 : POLLIN) | (device->is_blocked ? POLLOUT : 0));
}

void net_note_events(struct net_device *device, short events)
{
	if (events & (POLLOUT | POLLERR | POLLHUP))
		device->is_blocked = false;
	if (events & (POLLERR | POLLNVAL) && !device->stream)
		device->has_ended = true; /* the tap was deleted */
}

const char *net_broken(const struct net_device *device)
{
	if (device->to_guest.broken)
		return device->to_guest.broken;
	return device->from_guest.broken ? device->from_guest.broken : device->broken;
}
