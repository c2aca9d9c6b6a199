/* Bytes between the program and the queues: copied once, without the lock. */
#include "abi/linux/errno.h"
#include "kernel/fs/poll.h"
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"

#define BLOCKS_AT_ONCE 4u

/* ---- sending ------------------------------------------------------------------------------ */

/* Why nothing can be sent; 0: something can. */
static long send_error(struct tcp *tcp)
{
	uint8_t state = READ_ONCE(tcp->state);

	if (READ_ONCE(tcp->error) != 0)
		return -tcp_take_error(tcp);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED)
		return -LINUX_EAGAIN;
	if (READ_ONCE(tcp->send_shut) || state == TCP_CLOSED || state == TCP_LISTEN)
		return -LINUX_EPIPE; /* without a peer too, as Linux has it */
	return 0;
}

static uint32_t room_of(const struct tcp *tcp)
{
	uint32_t limit = READ_ONCE(tcp->send_limit), queued = READ_ONCE(tcp->queued);

	return limit > queued ? limit - queued : 0;
}

/* Copies up to a few blocks. */
static uint32_t make_blocks(
	struct uio *uio, uint32_t bytes, struct tcp_block *blocks[BLOCKS_AT_ONCE], int *error)
{
	uint32_t count = 0;
	size_t goal = uio->bytes_left - bytes;

	while (count < BLOCKS_AT_ONCE && uio->bytes_left > goal && *error == 0) {
		blocks[count] = tcp_block_create(uio, (uint32_t)(uio->bytes_left - goal), error);
		if (!blocks[count])
			break;
		count++;
	}
	return count;
}

static long queue_blocks(
	struct tcp *tcp, struct tcp_block **blocks, uint32_t count, bool more, bool urgent)
{
	uint32_t before;
	long error, queued;

	tcp_enter();
	error = send_error(tcp);
	if (error != 0) {
		tcp_leave();
		for (uint32_t i = 0; i < count; i++)
			tcp_block_free(blocks[i]);
		return error;
	}
	before = tcp->queue_end;
	for (uint32_t i = 0; i < count; i++)
		tcp_send_queue_append(tcp, blocks[i]);
	queued = (long)(tcp->queue_end - before);
	tcp->more_to_come = more;
	if (UNLIKELY(urgent)) {
		tcp->urgent_send = tcp->queue_end;
		tcp->urgent_to_send = tcp->push_now = true;
	}
	tcp_output(tcp);
	tcp_leave();
	return queued;
}

long tcp_send(struct tcp *tcp, struct uio *uio, uint32_t flags)
{
	long total = 0, result = send_error(tcp);

	if (result != 0)
		return result;
	while (uio->bytes_left > 0) {
		struct tcp_block *blocks[BLOCKS_AT_ONCE];
		uint32_t room = room_of(tcp), count;
		int error = 0;

		if (room == 0)
			return total ? total : -LINUX_EAGAIN;
		count = make_blocks(
			uio, (uint32_t)MIN((size_t)room, uio->bytes_left), blocks, &error);
		if (count == 0)
			return total ? total : error;
		result = queue_blocks(tcp, blocks, count,
			flags & TCP_SEND_MORE || uio->bytes_left > 0,
			flags & TCP_SEND_URGENT && uio->bytes_left == 0);
		if (result < 0)
			return total ? total : result;
		total += result;
		if (error != 0)
			break;
	}
	return total;
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* Takes what has arrived. What the call comes to when there is nothing: 0 at the end. */
static long take_received(struct tcp *tcp)
{
	long result = -LINUX_EAGAIN;
	int error;

	tcp_enter();
	if (!list_is_empty(&tcp->received)) {
		list_splice_last(&tcp->reading, &tcp->received);
		tcp->memory = 0;
		tcp_leave();
		return 1;
	}
	error = tcp_take_error(tcp);
	if (error != 0)
		result = -error;
	else if (tcp->fin_received || tcp->receive_shut)
		result = 0;
	else if (tcp->state == TCP_LISTEN || (tcp->state == TCP_CLOSED && !tcp->was_connected))
		result = -LINUX_ENOTCONN;
	else if (tcp->state == TCP_CLOSED)
		result = 0;
	tcp_leave();
	return result;
}

static void consumed(struct tcp *tcp, uint32_t bytes)
{
	tcp_enter();
	WRITE_ONCE(tcp->readable, tcp->readable - bytes);
	tcp->copied += bytes;
	if (UNLIKELY(tcp->has_mark)) {
		tcp->has_mark = tcp->mark_ahead >= bytes && tcp->mark_ahead > 0;
		WRITE_ONCE(tcp->mark_ahead, tcp->has_mark ? tcp->mark_ahead - bytes : 0);
	}
	if (tcp->state == TCP_ESTABLISHED || tcp->state == TCP_FIN_WAIT1 ||
		tcp->state == TCP_FIN_WAIT2) {
		tcp_receive_tune(tcp);
		tcp_window_update(tcp);
	}
	tcp_leave();
}

/* Copies at most `limit` from the packets that are the receiver's. -EFAULT: not a byte. */
static long copy_reading(struct tcp *tcp, struct uio *uio, uint32_t limit, uint32_t flags)
{
	uint32_t offset = tcp->reading_offset;
	struct list *link = tcp->reading.next, *next;
	long total = 0;

	for (; link != &tcp->reading && total < (long)limit; link = next) {
		struct packet *packet = LIST_ENTRY(link, struct packet, link);
		uint32_t part = MIN(limit - (uint32_t)total, packet->bytes - offset);
		size_t moved = part;

		next = link->next;
		if (flags & TCP_RECEIVE_TRUNCATE)
			uio_advance(uio, part);
		else
			moved = packet_copy_uio(packet, offset, uio, part);
		total += (long)moved;
		offset += (uint32_t)moved;
		if (!(flags & TCP_RECEIVE_PEEK))
			tcp->reading_offset = offset;
		if (moved < part)
			return total ? total : -LINUX_EFAULT;
		if (offset < packet->bytes)
			break;
		offset = 0;
		if (!(flags & TCP_RECEIVE_PEEK)) {
			tcp->reading_offset = 0;
			list_remove(link);
			packet_release(packet);
		}
	}
	return total;
}

long tcp_receive(struct tcp *tcp, struct uio *uio, uint32_t flags)
{
	uint32_t wanted = (uint32_t)MIN(uio->bytes_left, (size_t)INT32_MAX), mark;
	long result;

	/* Asked in vain, as by every reader who waits by epoll: no lock. */
	if (READ_ONCE(tcp->readable) == 0 && READ_ONCE(tcp->state) == TCP_ESTABLISHED &&
		!READ_ONCE(tcp->fin_received) && !READ_ONCE(tcp->receive_shut) &&
		READ_ONCE(tcp->error) == 0)
		return -LINUX_EAGAIN;
	if (list_is_empty(&tcp->reading) || flags & TCP_RECEIVE_PEEK || tcp->readable > wanted) {
		result = take_received(tcp);
		if (result != 1 && list_is_empty(&tcp->reading))
			return result;
	}
	if (wanted == 0)
		return 0;
	/* What is being read was taken under the lock: a mark that came since lies behind it. */
	mark = READ_ONCE(tcp->mark_ahead);
	result = copy_reading(tcp, uio, mark != 0 ? MIN(mark, wanted) : wanted, flags);
	if (result > 0 && !(flags & TCP_RECEIVE_PEEK))
		consumed(tcp, (uint32_t)result);
	return result;
}

long tcp_receive_urgent(struct tcp *tcp, uint8_t *byte, bool peek)
{
	long result = 1;

	tcp_enter();
	if (tcp->state == TCP_CLOSED && !tcp->was_connected)
		result = -LINUX_ENOTCONN;
	else if (tcp->urgent_valid)
		result = -LINUX_EAGAIN; /* announced, not here yet */
	else if (!tcp->urgent_pending || tcp->options.oob_inline)
		result = -LINUX_EINVAL;
	else
		*byte = tcp->urgent_byte;
	if (result == 1 && !peek)
		WRITE_ONCE(tcp->urgent_pending, false);
	tcp_leave();
	return result;
}

bool tcp_is_at_mark(struct tcp *tcp)
{
	bool is_there;

	tcp_enter();
	is_there = tcp->has_mark && tcp->mark_ahead == 0;
	if (tcp->urgent_valid && tcp->readable == 0 && tcp->urgent_at == tcp->rcv_nxt)
		is_there = true; /* announced, and all before it is read */
	tcp_leave();
	return is_there;
}
