/*
 * Frames over a stream socket; see net_stream.h.
 *
 * Input is read into a buffer in large pieces and copied to the guest frame by frame. Output
 * is sent straight from the guest's buffers; what the socket did not take of a frame is kept,
 * so that the stream stays in step whatever the guest does to its buffers meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "monitor/message.h"
#include "monitor/net_stream.h"

#define LENGTH_BYTES 4u
#define INPUT_BYTES  (256u << 10)
#define SEND_PARTS   (RING_MAX_SIZE + 1)

struct net_stream {
	uint8_t input[INPUT_BYTES];
	size_t input_start, input_end;
	uint8_t rest[LENGTH_BYTES + NET_FRAME_MAX]; /* of a frame that was sent in part */
	size_t rest_start, rest_end;
	struct iovec parts[SEND_PARTS];
};

struct net_stream *net_stream_create(void)
{
	return calloc(1, sizeof(struct net_stream));
}

static void end(struct net_device *device, const char *why)
{
	device->has_ended = true;
	message_print("network %s: %s; the VM goes on without it (--verbose shows what passt says)",
		device->name, why);
}

/* ---- to the guest ------------------------------------------------------------------ */

/* Moves the incomplete frame to the front and reads more. False: nothing came. */
static bool read_more(struct net_device *device)
{
	struct net_stream *stream = device->stream;
	ssize_t bytes;

	memmove(stream->input, stream->input + stream->input_start,
		stream->input_end - stream->input_start);
	stream->input_end -= stream->input_start;
	stream->input_start = 0;
	bytes = recv(device->fd, stream->input + stream->input_end, INPUT_BYTES - stream->input_end,
		MSG_DONTWAIT);
	if (bytes > 0) {
		stream->input_end += (size_t)bytes;
		return true;
	}
	if (bytes == 0 || (errno != EAGAIN && errno != EINTR))
		end(device, "passt has ended");
	return false;
}

/* Bytes of the frame at the front with its length; 0: it is not complete. */
static size_t complete_frame(struct net_device *device)
{
	struct net_stream *stream = device->stream;
	size_t there = stream->input_end - stream->input_start;
	uint32_t length;

	if (there < LENGTH_BYTES)
		return 0;
	memcpy(&length, stream->input + stream->input_start, sizeof(length));
	length = ntohl(length);
	if (length > NET_FRAME_MAX) {
		end(device, "passt sent something that is no frame");
		return 0;
	}
	return there >= LENGTH_BYTES + length ? LENGTH_BYTES + length : 0;
}

static void copy_to_window(struct net_window *window, const uint8_t *from, size_t bytes, size_t at)
{
	for (unsigned i = 0; i < window->part_count && bytes > 0; i++) {
		struct iovec part = window->parts[i];
		size_t take;

		if (at >= part.iov_len) {
			at -= part.iov_len;
			continue;
		}
		take = MIN(bytes, part.iov_len - at);
		memcpy((uint8_t *)part.iov_base + at, from, take);
		from += take;
		bytes -= take;
		at = 0;
	}
}

/* False: the guest offers too little room. */
static bool deliver(struct net_device *device, const uint8_t *frame, size_t bytes)
{
	/* It comes over a local socket: nothing can have damaged it. */
	static const struct virtio_net_header header = {.flags = VIRTIO_NET_DATA_VALID};
	struct net_window *window = &device->window;

	if (!net_window_fill(device, NET_HEADER_BYTES + bytes))
		return false;
	copy_to_window(window, (const uint8_t *)&header, sizeof(header), 0);
	copy_to_window(window, frame, bytes, sizeof(header));
	net_capture_frame(&device->capture, window->parts, window->part_count,
		NET_HEADER_BYTES + bytes, NET_TO_GUEST);
	net_window_consume(device, NET_HEADER_BYTES + bytes);
	return true;
}

bool net_stream_receive(struct net_device *device, unsigned batch)
{
	struct net_stream *stream = device->stream;
	unsigned frames = 0;

	while (frames < batch && !device->has_ended && !device->broken) {
		size_t bytes = complete_frame(device);

		if (bytes == 0) {
			if (device->has_ended || !read_more(device))
				break;
			continue;
		}
		if (bytes > LENGTH_BYTES &&
			!deliver(device, stream->input + stream->input_start + LENGTH_BYTES,
				bytes - LENGTH_BYTES))
			break;
		stream->input_start += bytes;
		frames++;
	}
	return frames > 0;
}

/* ---- from the guest ---------------------------------------------------------------- */

/* What was written; 0 when the socket takes nothing now. */
/* Sandbox, net: recvfrom sendmsg */

static size_t send_parts(struct net_device *device, struct iovec *parts, unsigned count)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
	ssize_t bytes = sendmsg(device->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (bytes >= 0)
		return (size_t)bytes;
	if (errno == EAGAIN)
		device->is_blocked = true;
	else if (errno != EINTR)
		end(device, "passt has ended");
	return 0;
}

static bool flush_rest(struct net_device *device)
{
	struct net_stream *stream = device->stream;
	struct iovec part = {
		stream->rest + stream->rest_start, stream->rest_end - stream->rest_start};

	if (part.iov_len == 0)
		return true;
	stream->rest_start += send_parts(device, &part, 1);
	if (stream->rest_start < stream->rest_end) {
		device->is_blocked = !device->has_ended;
		return false;
	}
	stream->rest_start = stream->rest_end = 0;
	return true;
}

/* The frame's length, then its bytes without the virtio header. Parts used. */
static unsigned put_frame(
	struct iovec *to, uint32_t *length, const struct iovec *from, int count, size_t bytes)
{
	size_t skip = NET_HEADER_BYTES;
	unsigned used = 0;

	*length = htonl((uint32_t)(bytes - NET_HEADER_BYTES));
	to[used++] = (struct iovec){length, LENGTH_BYTES};
	for (int i = 0; i < count; i++) {
		size_t less = MIN(skip, from[i].iov_len);

		skip -= less;
		if (from[i].iov_len > less)
			to[used++] = (struct iovec){
				(uint8_t *)from[i].iov_base + less, from[i].iov_len - less};
	}
	return used;
}

/* Keeps what is left of parts[0..count) after the first `sent` bytes. */
static void keep_rest(
	struct net_stream *stream, const struct iovec *parts, unsigned count, size_t sent)
{
	stream->rest_start = stream->rest_end = 0;
	for (unsigned i = 0; i < count; i++) {
		size_t skip = MIN(sent, parts[i].iov_len), bytes = parts[i].iov_len - skip;

		sent -= skip;
		memcpy(stream->rest + stream->rest_end, (uint8_t *)parts[i].iov_base + skip, bytes);
		stream->rest_end += bytes;
	}
}

bool net_stream_transmit(struct net_device *device, unsigned batch)
{
	struct net_stream *stream = device->stream;
	unsigned frames = 0;
	size_t bytes;
	int count;

	while (frames < batch && flush_rest(device) &&
		(count = net_next_frame(device, &bytes)) > 0) {
		uint32_t length;
		unsigned used = put_frame(stream->parts, &length, device->parts, count, bytes);
		size_t whole = LENGTH_BYTES + bytes - NET_HEADER_BYTES, sent;

		sent = send_parts(device, stream->parts, used);
		if (sent == 0)
			break;
		if (sent < whole)
			keep_rest(stream, stream->parts, used, sent);
		net_capture_frame(
			&device->capture, device->parts, (unsigned)count, bytes, NET_FROM_GUEST);
		net_frame_sent(device, bytes);
		frames++;
	}
	return frames > 0;
}
