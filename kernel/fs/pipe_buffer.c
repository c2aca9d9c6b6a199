/* See pipe_buffer.h. */
#include "kernel/fs/pipe_buffer.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/signal/signal.h"

void pipe_announce_data(struct pipe *pipe)
{
	wait_wake_events(&pipe->readable, POLL_IN | POLL_RDNORM, 1);
	if (READ_ONCE(pipe->both_ends) != 0)
		wait_wake_events(&pipe->either, POLL_IN | POLL_RDNORM, 1);
}

void pipe_announce_room(struct pipe *pipe, bool was_full)
{
	if (!was_full || pipe_is_full(pipe))
		return;
	wait_wake_events(&pipe->writable, POLL_OUT | POLL_WRNORM, 1);
	if (READ_ONCE(pipe->both_ends) != 0)
		wait_wake_events(&pipe->either, POLL_OUT | POLL_WRNORM, 1);
}

int pipe_wait_readable(struct pipe *pipe, bool wait)
{
	if (pipe_read_ends(pipe))
		return 0;
	if (!wait)
		return -LINUX_EAGAIN;
	return WAIT_UNTIL(&pipe->readable, pipe_read_ends(pipe), WAIT_FOREVER);
}

int pipe_wait_writable(struct pipe *pipe, bool wait)
{
	if (!wait)
		return pipe_write_ends(pipe) ? 0 : -LINUX_EAGAIN;
	return WAIT_UNTIL(&pipe->writable, pipe_write_ends(pipe), WAIT_FOREVER);
}

static struct pipe_packet *oldest_packet(const struct pipe *pipe)
{
	return pipe->packet_count == 0 ? NULL : &pipe->packets[pipe->packet_first];
}

static void drop_packet(struct pipe *pipe)
{
	pipe->packet_first = (pipe->packet_first + 1) % PIPE_PACKETS_MAXIMUM;
	WRITE_ONCE(pipe->packet_count, pipe->packet_count - 1);
}

static void add_packet(struct pipe *pipe, uint64_t start, uint32_t bytes)
{
	uint32_t index = (pipe->packet_first + pipe->packet_count) % PIPE_PACKETS_MAXIMUM;

	pipe->packets[index] = (struct pipe_packet){start, bytes};
	WRITE_ONCE(pipe->packet_count, pipe->packet_count + 1);
}

uint64_t pipe_oldest_locked(const struct pipe *pipe)
{
	const struct pipe_packet *packet = oldest_packet(pipe);

	if (packet == NULL)
		return pipe_used(pipe);
	if (packet->start > pipe->bytes.read_position)
		return packet->start - pipe->bytes.read_position;
	return packet->bytes;
}

/* Takes the oldest packet: what does not fit in the reader's buffer is gone. */
static long take_packet(struct pipe *pipe, struct uio *uio)
{
	uint64_t bytes = oldest_packet(pipe)->bytes;
	long taken = stream_take(&pipe->bytes, uio, MIN(bytes, uio->bytes_left));

	if (taken < 0)
		return taken;
	stream_skip(&pipe->bytes, bytes - (uint64_t)taken);
	drop_packet(pipe);
	return taken;
}

static long take_once(struct pipe *pipe, struct uio *uio)
{
	const struct pipe_packet *packet = oldest_packet(pipe);

	if (packet != NULL && packet->start == pipe->bytes.read_position)
		return take_packet(pipe, uio);
	return stream_take(&pipe->bytes, uio, MIN(pipe_oldest_locked(pipe), uio->bytes_left));
}

long pipe_take_locked(struct pipe *pipe, struct uio *uio)
{
	if (pipe->leaving || pipe_used(pipe) == 0)
		return 0;
	return take_once(pipe, uio);
}

void pipe_consume_locked(struct pipe *pipe, uint64_t bytes)
{
	struct pipe_packet *packet = oldest_packet(pipe);

	if (packet != NULL && packet->start == pipe->bytes.read_position) {
		packet->start += bytes;
		packet->bytes -= (uint32_t)bytes;
		if (packet->bytes == 0)
			drop_packet(pipe);
	}
	stream_skip(&pipe->bytes, bytes);
}

static long put_packet(struct pipe *pipe, struct uio *uio, uint64_t bytes)
{
	uint64_t start = pipe->bytes.write_position;
	long put;

	if (pipe_packets_full(pipe))
		return 0;
	if (pipe->packets == NULL) {
		pipe->packets = heap_alloc(PIPE_PACKETS_MAXIMUM * sizeof(*pipe->packets));
		if (pipe->packets == NULL)
			return -LINUX_ENOMEM;
	}
	put = stream_put(&pipe->bytes, uio, bytes);
	if (put > 0)
		add_packet(pipe, start, (uint32_t)put);
	return put;
}

long pipe_put_locked(struct pipe *pipe, struct uio *uio, bool packet, bool whole)
{
	uint64_t bytes = uio->bytes_left;
	uint64_t room = pipe_room(pipe);

	if (packet)
		bytes = MIN(bytes, PIPE_ATOMIC_BYTES);
	if (room < bytes && (whole || packet || room == 0))
		return 0;
	bytes = MIN(bytes, room);
	if (stream_grow(&pipe->bytes, pipe_used(pipe) + pipe->reserved + bytes) != 0) {
		/* Use the buffer there is. */
		uint64_t there =
			pipe->bytes.size - MIN(pipe->bytes.size, pipe_used(pipe) + pipe->reserved);

		if (there == 0 || (there < bytes && (whole || packet)))
			return -LINUX_ENOMEM;
		bytes = there;
	}
	return packet ? put_packet(pipe, uio, bytes) : stream_put(&pipe->bytes, uio, bytes);
}

void pipe_send_broken(void)
{
	struct linux_siginfo info = {.signo = LINUX_SIGPIPE, .code = LINUX_SI_USER};

	info.sender.pid = PROCESS_ID;
	signal_send_thread(thread_current(), &info);
}
