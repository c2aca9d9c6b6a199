/*
 * Segments that go out: what may be sent now (windows, Nagle, silly windows), and how it is
 * put into packets of up to 64 KiB that the device or the IP layer cuts.
 */
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"
#include "kernel/fs/poll.h"
#include "abi/linux/errno.h"

#define SEGMENT_MAX         64000u
#define CORK_NS             (200 * TCP_NS_PER_MS)
#define CHALLENGE_NS        (50 * TCP_NS_PER_MS)
#define CLOSED_PROBE_NS     (200 * TCP_NS_PER_MS)
#define CLOSED_PROBE_MAX_NS (120 * TCP_NS_PER_S)

uint32_t tcp_in_flight(const struct tcp *tcp)
{
	return tcp->snd_nxt - tcp->snd_una - tcp->sacked_bytes - tcp->lost_bytes + tcp->again_bytes;
}

/* ---- the receive window -------------------------------------------------------------- */

uint32_t tcp_receive_window(struct tcp *tcp)
{
	uint32_t told = seq_after(tcp->rcv_advertised, tcp->rcv_nxt)
				? tcp->rcv_advertised - tcp->rcv_nxt
				: 0;
	uint32_t used = READ_ONCE(tcp->readable);
	uint32_t room = tcp->rcv_limit > used ? tcp->rcv_limit - used : 0;
	uint32_t most = tcp->use_scale ? 65535u << tcp->rcv_scale : 65535u;

	/* Silly windows (RFC 9293, 3.8.6.2.2): less than a segment is nothing. */
	if (room < MIN(tcp->rcv_mss, tcp->rcv_limit / 2))
		room = 0;
	room = MIN(room, most);
	if (tcp->options.window_clamp != 0)
		room = MIN(room, tcp->options.window_clamp);
	room = (uint32_t)ALIGN_DOWN(room, 1u << tcp->rcv_scale);
	return MAX(room, told);
}

/* What goes into the header; remembers the edge. */
static uint16_t advertise(struct tcp *tcp)
{
	uint32_t window = tcp_receive_window(tcp);
	uint32_t scaled = (window + (1u << tcp->rcv_scale) - 1) >> tcp->rcv_scale;

	scaled = MIN(scaled, 65535u);
	tcp->rcv_advertised = tcp->rcv_nxt + (scaled << tcp->rcv_scale);
	return (uint16_t)scaled;
}

void tcp_window_update(struct tcp *tcp)
{
	uint32_t told = seq_after(tcp->rcv_advertised, tcp->rcv_nxt)
				? tcp->rcv_advertised - tcp->rcv_nxt
				: 0;

	if (told > tcp->rcv_limit / 2 || tcp->fin_received)
		return;
	if (tcp_receive_window(tcp) >= MAX(told * 2, told + 2u * tcp->rcv_mss))
		tcp_send_ack(tcp);
}

/* ---- one segment ----------------------------------------------------------------------- */

static void fill_header(struct tcp *tcp, struct tcp_header *header, uint32_t seq, uint8_t flags)
{
	*header = (struct tcp_header){.flow = &tcp->flow,
		.local_port = tcp->entry.name.local_port,
		.remote_port = tcp->entry.name.remote_port,
		.seq = seq,
		.ack = tcp->rcv_nxt,
		.flags = flags,
		.has_timestamp = tcp->use_timestamps,
		.ts_value = tcp_now_ms() + tcp->ts_offset,
		.ts_echo = tcp->ts_recent};
	header->window = flags & TCP_RST ? 0 : advertise(tcp);
	if (tcp->use_sack)
		header->sack_count =
			(uint8_t)tcp_receive_sacks(tcp, header->sacks, tcp->use_timestamps ? 3 : 4);
	if (tcp->urgent_to_send && seq_after(tcp->urgent_send, seq)) {
		header->flags |= TCP_URG;
		header->urgent = (uint16_t)MIN(tcp->urgent_send - seq, 65535u);
	}
}

static void note_ack_sent(struct tcp *tcp)
{
	tcp->ack_now = tcp->ack_delayed = false;
	tcp->ack_pending_bytes = tcp->ack_pending_segments = 0;
	tcp->delayed_ack_ns = 0;
	tcp->ts_last_ack = tcp->rcv_nxt;
	tcp->duplicate = (struct tcp_range){0, 0};
}

static void note_error(struct tcp *tcp, int error)
{
	/* What the network refused counts as lost; only a size is something to act on. */
	if (error == -LINUX_EMSGSIZE) {
		struct ip_route route;

		if (ip_route(&tcp->flow.destination, &tcp->flow.source, tcp->flow.device_index,
			    &route) == 0)
			tcp_update_mss(tcp, route.mtu);
	}
}

static void send_empty(struct tcp *tcp, uint32_t seq, uint8_t flags)
{
	struct packet *packet = packet_create(1);
	struct tcp_header header;

	if (!packet) {
		if (flags & TCP_ACK)
			tcp_set_delayed_ack(tcp); /* again later */
		return;
	}
	fill_header(tcp, &header, seq, flags);
	note_ack_sent(tcp);
	note_error(tcp, tcp_header_send(packet, &header));
}

void tcp_send_ack(struct tcp *tcp)
{
	send_empty(tcp, tcp->snd_nxt, TCP_ACK);
}

void tcp_send_probe(struct tcp *tcp)
{
	send_empty(tcp, tcp->snd_una - 1, TCP_ACK);
}

void tcp_send_challenge(struct tcp *tcp)
{
	if (tcp->challenge_ns != 0 && tcp_now_ns - tcp->challenge_ns < CHALLENGE_NS)
		return;
	tcp->challenge_ns = tcp_now_ns;
	tcp_send_ack(tcp);
}

void tcp_send_reset(struct tcp *tcp)
{
	send_empty(tcp, tcp->snd_nxt, TCP_RST | TCP_ACK);
}

void tcp_send_syn(struct tcp *tcp)
{
	struct packet *packet = packet_create(1);
	bool is_answer = tcp->state == TCP_SYN_RECEIVED;
	struct tcp_header header;

	if (!packet)
		return;
	fill_header(tcp, &header, tcp->iss, is_answer ? TCP_SYN | TCP_ACK : TCP_SYN);
	header.sack_count = 0;
	header.mss = tcp->path_mss;
	if (tcp->options.maximum_segment != 0)
		header.mss = (uint16_t)MIN(header.mss, tcp->options.maximum_segment);
	header.sack_permitted = tcp->use_sack;
	header.has_scale = tcp->use_scale;
	header.scale = tcp->rcv_scale;
	/* The window of a SYN is never scaled (RFC 7323, 2.2). */
	header.window = (uint16_t)MIN(tcp->rcv_limit, 65535u);
	tcp->rcv_advertised = tcp->rcv_nxt + header.window;
	if (!is_answer)
		header.ts_echo = 0;
	tcp->last_sent_ns = tcp_now_ns;
	note_ack_sent(tcp);
	note_error(tcp, tcp_header_send(packet, &header));
}

void tcp_reply_reset(const struct tcp_segment *segment)
{
	struct ip_flow flow = {.source = segment->ip->destination,
		.destination = segment->ip->source,
		.protocol = IP_PROTOCOL_TCP};
	struct tcp_header header = {.flow = &flow};
	struct packet *packet;

	if (segment->flags & TCP_RST || ip_address_is_multicast(&segment->ip->destination) ||
		ip_address_is_broadcast(&segment->ip->destination))
		return;
	if (ip_address_is_link_local(&flow.destination) && segment->ip->device)
		flow.device_index = segment->ip->device->index;
	if (segment->flags & TCP_ACK) {
		header.seq = segment->ack;
		header.flags = TCP_RST;
	} else {
		header.ack = segment->seq + segment->bytes + !!(segment->flags & TCP_SYN) +
			     !!(segment->flags & TCP_FIN);
		header.flags = TCP_RST | TCP_ACK;
	}
	packet = packet_create(1);
	if (!packet)
		return;
	header.local_port = segment->local_port;
	header.remote_port = segment->remote_port;
	(void)tcp_header_send(packet, &header);
}

/* ---- ranges ------------------------------------------------------------------------------ */

/* Sends [seq, +bytes) of the queue, with the FIN behind it if asked. Bytes sent, FIN not
 * counted; -1: nothing could be sent. */
static int64_t send_data(struct tcp *tcp, uint32_t seq, uint32_t bytes, bool fin)
{
	uint32_t fragments = MIN(bytes / 2048 + 4, PACKET_FRAGMENTS_MAX);
	struct packet *packet = packet_create(bytes < tcp->mss ? 17 : fragments);
	struct tcp_header header;
	uint32_t added;

	if (!packet)
		return -1;
	added = tcp_send_queue_add(tcp, packet, seq, bytes);
	if (added < bytes) {
		fin = false;
		if (added > tcp->mss) {
			added -= added % tcp->mss;
			packet_trim_to(packet, added);
			tcp->cursor = NULL;
		}
	}
	if (added == 0 && !fin) {
		packet_release(packet);
		return -1;
	}
	fill_header(tcp, &header, seq, fin ? TCP_ACK | TCP_FIN : TCP_ACK);
	/* Options that are not in every segment take room from the payload. */
	header.segment_bytes =
		(uint16_t)(tcp->mss - (header.sack_count != 0 ? 4 + 8 * header.sack_count : 0));
	if (seq + added == tcp->queue_end || added >= tcp->mss)
		header.flags |= TCP_PSH;
	note_ack_sent(tcp);
	tcp->last_sent_ns = tcp_now_ns;
	note_error(tcp, tcp_header_send(packet, &header));
	return added;
}

/* Sends new bytes at snd_nxt. False: could not. */
static bool send_new(struct tcp *tcp, uint32_t bytes, bool fin)
{
	struct tcp_sent *record = heap_alloc(sizeof(*record));
	uint32_t seq = tcp->snd_nxt;
	int64_t sent;
	bool has_fin;

	if (!record)
		return false;
	sent = send_data(tcp, seq, bytes, fin);
	if (sent < 0) {
		heap_free(record);
		return false;
	}
	has_fin = fin && sent == bytes;
	tcp->snd_nxt = seq + (uint32_t)sent + has_fin;
	WRITE_ONCE(tcp->unsent, tcp->unsent - (uint32_t)sent);
	tcp->fin_sent |= has_fin;
	if ((uint32_t)sent % tcp->mss != 0)
		tcp->small_end = tcp->snd_nxt;
	*record = (struct tcp_sent){.start = seq,
		.end = tcp->snd_nxt,
		.sent_ns = tcp_now_ns,
		.flags = has_fin ? TCP_SENT_FIN : 0};
	list_add_last(&tcp->sent, &record->link);
	tcp->high_in_flight = MAX(tcp->high_in_flight, tcp_in_flight(tcp));
	if (tcp->recovery != TCP_OPEN)
		tcp->prr_out += (uint32_t)sent;
	return true;
}

bool tcp_send_range(struct tcp *tcp, uint32_t seq, uint32_t bytes)
{
	bool fin = tcp->fin_sent && seq + bytes == tcp->snd_nxt;
	uint32_t data = bytes - fin;
	int64_t sent;

	sent = send_data(tcp, seq, data, fin);
	if (sent < 0)
		return false;
	tcp->total_retransmissions++;
	return (uint32_t)sent == data;
}

/* The last segment once more, for a tail loss probe. */
bool tcp_send_last_again(struct tcp *tcp)
{
	struct list *link = list_last(&tcp->sent);
	struct tcp_sent *sent;

	if (!link)
		return false;
	sent = LIST_ENTRY(link, struct tcp_sent, link);
	if (sent->end - sent->start > tcp->mss)
		sent = tcp_sent_split(tcp, sent, sent->end - tcp->mss);
	if (!sent || !tcp_send_range(tcp, sent->start, sent->end - sent->start))
		return false;
	sent->sent_ns = tcp_now_ns;
	sent->flags |= TCP_SENT_EVER_AGAIN;
	return true;
}

/* One lost range of those that were not sent again since. */
static bool send_lost(struct tcp *tcp, uint32_t room)
{
	LIST_FOR_EACH (link, &tcp->sent) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);
		uint32_t bytes = sent->end - sent->start, most;

		if ((sent->flags & (TCP_SENT_LOST | TCP_SENT_AGAIN)) != TCP_SENT_LOST)
			continue;
		most = MAX(room - room % tcp->mss, (uint32_t)tcp->mss);
		most = MIN(most, SEGMENT_MAX - SEGMENT_MAX % tcp->mss);
		if (bytes > most) {
			if (!tcp_sent_split(tcp, sent, sent->start + most))
				return false;
			bytes = most;
		}
		if (!tcp_send_range(tcp, sent->start, bytes))
			return false;
		if (!tcp->undo_stamp)
			tcp->undo_stamp = (tcp_now_ms() + tcp->ts_offset) | 1;
		sent->flags |= TCP_SENT_AGAIN | TCP_SENT_EVER_AGAIN;
		sent->sent_ns = tcp_now_ns;
		tcp->again_bytes += bytes;
		tcp->prr_out += bytes;
		return true;
	}
	return false;
}

/* ---- what may be sent -------------------------------------------------------------------- */

static uint32_t window_room(const struct tcp *tcp)
{
	uint32_t used = tcp->snd_nxt - tcp->snd_una;

	return tcp->snd_window > used ? tcp->snd_window - used : 0;
}

/* A segment shorter than a full one, the last of the queue: Nagle, cork. */
static bool may_send_short(struct tcp *tcp)
{
	if (tcp->push_now || tcp->fin_queued)
		return true;
	if (tcp->options.cork || tcp->more_to_come) {
		if (tcp->snd_una == tcp->snd_nxt && tcp->retransmit_ns == 0)
			tcp_set_retransmit(tcp, TCP_TIMER_PERSIST, CORK_NS);
		return false;
	}
	/* Minshall's variant: full segments in flight do not hold it back. */
	return tcp->options.no_delay || tcp->snd_una == tcp->snd_nxt ||
	       !seq_after(tcp->small_end, tcp->snd_una);
}

/* How many new bytes the next packet takes; 0: none may go. */
static uint32_t next_bytes(struct tcp *tcp, uint32_t cwnd_room)
{
	uint32_t mss = tcp->mss, room = MIN(window_room(tcp), cwnd_room);
	/* The urgent pointer counts from the header that it is in: one for each segment. */
	uint32_t most = tcp->urgent_to_send ? mss : SEGMENT_MAX;
	uint32_t bytes = MIN(tcp->unsent, MIN(room, most));

	if (bytes == 0)
		return 0;
	if (bytes == tcp->unsent) {
		uint32_t rest = bytes % mss;

		/* The short end may have to wait. */
		if (rest != 0 && !may_send_short(tcp))
			return bytes - rest;
		return bytes;
	}
	if (bytes >= mss) {
		bytes -= bytes % mss;
		/* More can go together soon: acknowledgements are on their way. */
		if (tcp->snd_nxt != tcp->snd_una && bytes < MIN(SEGMENT_MAX, tcp->cwnd / 4) / 2 &&
			bytes < tcp->unsent && tcp->recovery == TCP_OPEN)
			return 0;
		return bytes;
	}
	/* Less than a segment fits: RFC 9293, 3.8.6.2.1. */
	if (window_room(tcp) <= bytes && (bytes >= tcp->max_window / 2 || tcp->push_now))
		return bytes;
	return 0;
}

static bool fin_is_due(const struct tcp *tcp)
{
	return tcp->fin_queued && !tcp->fin_sent && tcp->unsent == 0;
}

/* TCP_NOTSENT_LOWAT: the crossing of its mark makes the socket writable. */
static void tell_unsent(struct tcp *tcp, uint32_t before)
{
	uint32_t mark = tcp->options.not_sent_low_water;

	if (mark != 0 && before >= mark && tcp->unsent < mark)
		tcp_wake(tcp, POLL_OUT | POLL_WRNORM);
}

/* New data as far as windows go. */
static void send_queue(struct tcp *tcp)
{
	if (tcp->unsent > 0)
		tcp->is_cwnd_limited = false;
	while (tcp->unsent > 0 || fin_is_due(tcp)) {
		uint32_t in_flight = tcp_in_flight(tcp);
		uint32_t room = tcp->cwnd > in_flight ? tcp->cwnd - in_flight : 0;
		uint32_t bytes = next_bytes(tcp, room);

		if (tcp->unsent > 0 && bytes == 0) {
			if (room < tcp->mss || room < MIN(tcp->unsent, window_room(tcp)))
				tcp->is_cwnd_limited = true;
			return;
		}
		if (!send_new(tcp, bytes, tcp->fin_queued && bytes == tcp->unsent))
			return;
	}
}

bool tcp_send_new_probe(struct tcp *tcp)
{
	uint32_t bytes = MIN(tcp->unsent, MIN(window_room(tcp), (uint32_t)tcp->mss));

	return bytes > 0 && send_new(tcp, bytes, tcp->fin_queued && bytes == tcp->unsent);
}

/* After idling longer than a timeout the path is unknown again (RFC 5681, 4.1). */
static void restart_after_idle(struct tcp *tcp)
{
	if (tcp->snd_una != tcp->snd_nxt || tcp->unsent == 0 || tcp->last_sent_ns == 0)
		return;
	if (tcp_now_ns - tcp->last_sent_ns > tcp->rto_ms * TCP_NS_PER_MS) {
		tcp->cwnd = MIN(tcp->cwnd, tcp_initial_window(tcp));
		tcp->cubic.epoch_ns = 0;
	}
}

static void arm_if_window_closed(struct tcp *tcp)
{
	if (tcp->snd_una != tcp->snd_nxt || tcp->retransmit_ns != 0 ||
		(tcp->unsent == 0 && !fin_is_due(tcp)))
		return;
	tcp_set_retransmit(tcp, TCP_TIMER_PERSIST,
		MIN(MAX(tcp->rto_ms * TCP_NS_PER_MS << MIN(tcp->backoff, 9), CLOSED_PROBE_NS),
			CLOSED_PROBE_MAX_NS));
}

void tcp_output(struct tcp *tcp)
{
	uint32_t before = tcp->snd_nxt, unsent = tcp->unsent;
	bool sent_again = false;

	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED ||
		tcp->state == TCP_CLOSED || tcp->state == TCP_LISTEN)
		return;
	restart_after_idle(tcp);
	while (tcp->lost_bytes > tcp->again_bytes) {
		uint32_t in_flight = tcp_in_flight(tcp);

		if (in_flight >= tcp->cwnd || !send_lost(tcp, tcp->cwnd - in_flight))
			break;
		sent_again = true;
	}
	if (tcp->lost_bytes <= tcp->again_bytes)
		send_queue(tcp);
	tcp->push_now = false;
	tell_unsent(tcp, unsent);
	if (tcp->snd_nxt != before || sent_again) {
		tcp_recovery_arm(tcp);
	} else {
		arm_if_window_closed(tcp);
	}
	if (tcp->ack_now)
		tcp_send_ack(tcp);
	else if (tcp->ack_delayed)
		tcp_set_delayed_ack(tcp);
}
