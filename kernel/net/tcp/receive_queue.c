/*
 * Received packets, queued as they came: in order in `received`, which the receiver takes as
 * a whole, out of order in `early`, sorted. A packet in a queue keeps its first sequence
 * number in received_ns, which nobody else uses by then, and whether a FIN follows.
 */
#include "kernel/fs/poll.h"
#include "kernel/net/tcp/connection.h"

#define RECEIVE_LIMIT_MAX (6u << 20)
#define MEMORY_SPARE      (256u << 10)
#define FIN_MARK          (1ull << 32)

static uint32_t packet_seq(const struct packet *packet)
{
	return (uint32_t)packet->received_ns;
}

static uint32_t packet_end(const struct packet *packet)
{
	return packet_seq(packet) + packet->bytes;
}

/* What a packet keeps from others. */
static uint32_t footprint(const struct packet *packet)
{
	uint32_t bytes = sizeof(*packet) + PACKET_HEAD_BYTES;

	for (uint32_t i = 0; i < packet->fragment_count; i++)
		bytes += packet->fragments[i].memory ? packet->fragments[i].memory->bytes
						     : packet->fragments[i].bytes;
	return bytes;
}

/* Few bytes in much memory are copied, so that a queue of them holds up no ring. */
static struct packet *compact(struct packet *packet)
{
	struct packet *copy;

	if (footprint(packet) <= 4 * packet->bytes + 1024)
		return packet;
	copy = packet_clone(packet);
	if (!copy)
		return packet;
	copy->received_ns = packet->received_ns;
	packet_release(packet);
	return copy;
}

void tcp_receive_queue_clear(struct tcp *tcp)
{
	packet_release_list(&tcp->received);
	packet_release_list(&tcp->early);
	packet_release_list(&tcp->reading);
	tcp->memory = tcp->early_memory = 0;
	WRITE_ONCE(tcp->readable, 0);
}

/* ---- in order --------------------------------------------------------------------------- */

static void queue_in_order(struct tcp *tcp, struct packet *packet)
{
	if (packet->bytes == 0) {
		packet_release(packet);
		return;
	}
	if (tcp->readable != 0)
		packet = compact(packet);
	tcp->memory += footprint(packet);
	list_add_last(&tcp->received, &packet->link);
	WRITE_ONCE(tcp->readable, tcp->readable + packet->bytes);
}

/* Takes the urgent byte out of the stream (RFC 6093 tells why one does not want that). */
static void take_urgent(struct tcp *tcp, struct packet *packet, uint32_t offset)
{
	struct packet *rest = NULL;

	packet_copy(packet, offset, &tcp->urgent_byte, 1);
	tcp->urgent_valid = false;
	tcp->has_mark = true;
	WRITE_ONCE(tcp->mark_ahead, tcp->readable + offset);
	WRITE_ONCE(tcp->urgent_pending, true);
	if (tcp->options.oob_inline) {
		queue_in_order(tcp, packet);
		return;
	}
	if (offset + 1 < packet->bytes) {
		rest = packet_clone(packet);
		if (rest)
			packet_trim_front(rest, offset + 1);
	}
	packet_trim_to(packet, offset);
	queue_in_order(tcp, packet);
	if (rest)
		queue_in_order(tcp, rest);
}

/* The packet begins at rcv_nxt. */
static void append(struct tcp *tcp, struct packet *packet)
{
	uint32_t bytes = packet->bytes, offset = tcp->urgent_at - tcp->rcv_nxt;

	if (UNLIKELY(tcp->urgent_valid && offset < bytes))
		take_urgent(tcp, packet, offset);
	else
		queue_in_order(tcp, packet);
	tcp->rcv_nxt += bytes;
}

static void finish(struct tcp *tcp)
{
	tcp->rcv_nxt++;
	tcp->fin_received = true;
	tcp->ack_now = true;
	switch (tcp->state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_RECEIVED:
		tcp_set_state(tcp, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT1:
		tcp_set_state(tcp, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		tcp_set_state(tcp, TCP_TIME_WAIT);
		break;
	default:
		break;
	}
	tcp_wake(tcp, POLL_IN | POLL_RDNORM | POLL_RDHUP | (tcp->fin_queued ? POLL_HUP : 0));
}

/* ---- out of order ------------------------------------------------------------------------ */

static void report_duplicate(struct tcp *tcp, uint32_t start, uint32_t end)
{
	tcp->duplicate = (struct tcp_range){start, end};
	tcp->ack_now = true;
}

/* The run of queued packets around `seq`. */
static struct tcp_range run_around(struct tcp *tcp, uint32_t seq)
{
	struct tcp_range run = {seq, seq};

	LIST_FOR_EACH (link, &tcp->early) {
		struct packet *packet = LIST_ENTRY(link, struct packet, link);

		if (packet_seq(packet) == run.end && run.start != run.end) {
			run.end = packet_end(packet);
			continue;
		}
		if (seq_after(packet_seq(packet), seq))
			break;
		run = (struct tcp_range){packet_seq(packet), packet_end(packet)};
	}
	return run;
}

static void queue_early(struct tcp *tcp, struct packet *packet)
{
	struct list *at = tcp->early.prev;
	uint32_t seq = packet_seq(packet), end = packet_end(packet);

	/* Nearly always it belongs at the end. */
	while (at != &tcp->early && seq_after(packet_seq(LIST_ENTRY(at, struct packet, link)), seq))
		at = at->prev;
	if (at != &tcp->early) {
		struct packet *before = LIST_ENTRY(at, struct packet, link);

		if (!seq_before(packet_end(before), end) &&
			!(packet->received_ns & FIN_MARK & ~before->received_ns)) {
			report_duplicate(tcp, seq, end);
			packet_release(packet);
			return;
		}
		if (seq_after(packet_end(before), seq)) {
			uint32_t overlap = packet_end(before) - seq;

			packet_trim_front(packet, overlap);
			packet->received_ns = (packet->received_ns & FIN_MARK) | (seq + overlap);
		}
	}
	packet = compact(packet);
	tcp->early_memory += footprint(packet);
	list_insert_between(&packet->link, at, at->next);
	/* Those behind it that it covers or overlaps. */
	for (struct list *next = packet->link.next; next != &tcp->early; next = packet->link.next) {
		struct packet *after = LIST_ENTRY(next, struct packet, link);

		if (!seq_after(packet_end(packet), packet_seq(after)))
			break;
		if (seq_after(packet_end(after), packet_end(packet))) {
			packet_trim_to(packet, packet_seq(after) - packet_seq(packet));
			break;
		}
		packet->received_ns |= after->received_ns & FIN_MARK;
		tcp->early_memory -= MIN(footprint(after), tcp->early_memory);
		list_remove(next);
		packet_release(after);
	}
	tcp->last_early = run_around(tcp, packet_seq(packet));
}

/* Moves what has come into its turn. */
static void absorb_early(struct tcp *tcp)
{
	struct list *link;

	while ((link = list_first(&tcp->early)) != NULL) {
		struct packet *packet = LIST_ENTRY(link, struct packet, link);
		uint32_t seq = packet_seq(packet);
		bool fin = packet->received_ns & FIN_MARK;

		if (seq_after(seq, tcp->rcv_nxt))
			return;
		tcp->ack_now = true;
		list_remove(link);
		tcp->early_memory -= MIN(footprint(packet), tcp->early_memory);
		if (seq_before(packet_end(packet), tcp->rcv_nxt)) {
			packet_release(packet);
			continue;
		}
		packet_trim_front(packet, tcp->rcv_nxt - seq);
		append(tcp, packet);
		if (fin) {
			finish(tcp);
			packet_release_list(&tcp->early);
		}
	}
	tcp->early_memory = 0;
	tcp->last_early = (struct tcp_range){0, 0};
}

uint32_t tcp_receive_sacks(struct tcp *tcp, struct tcp_range ranges[4], uint32_t limit)
{
	uint32_t count = 0;

	if (tcp->duplicate.start != tcp->duplicate.end)
		ranges[count++] = tcp->duplicate;
	if (LIKELY(list_is_empty(&tcp->early)))
		return count;
	if (tcp->last_early.start != tcp->last_early.end)
		ranges[count++] = tcp->last_early;
	for (struct list *link = tcp->early.next; link != &tcp->early && count < limit;) {
		struct packet *packet = LIST_ENTRY(link, struct packet, link);
		struct tcp_range run = {packet_seq(packet), packet_end(packet)};

		for (link = link->next; link != &tcp->early; link = link->next) {
			packet = LIST_ENTRY(link, struct packet, link);
			if (packet_seq(packet) != run.end)
				break;
			run.end = packet_end(packet);
		}
		if (run.start != tcp->last_early.start && run.start != run.end)
			ranges[count++] = run;
	}
	return count;
}

/* ---- one segment ------------------------------------------------------------------------- */

static void decide_ack(struct tcp *tcp, uint32_t bytes)
{
	if (tcp->rcv_mss < bytes && bytes <= 1460)
		tcp->rcv_mss = (uint16_t)bytes;
	tcp->ack_pending_bytes += bytes;
	tcp->ack_pending_segments++;
	if (tcp->ack_pending_bytes > tcp->rcv_mss || tcp->ack_pending_segments > 1 ||
		tcp->options.quick_ack) {
		tcp->ack_now = true;
	} else if (bytes >= tcp->rcv_mss && tcp->quick_acks > 0) {
		/* The peer's slow start lives from acknowledgements. */
		tcp->quick_acks--;
		tcp->ack_now = true;
	} else {
		tcp->ack_delayed = true;
	}
}

static bool has_memory(const struct tcp *tcp)
{
	return tcp->memory + tcp->early_memory <= 4 * tcp->rcv_limit + MEMORY_SPARE;
}

void tcp_receive_segment(struct tcp *tcp, struct tcp_segment *segment)
{
	struct packet *packet = segment->packet;
	uint32_t seq = segment->seq, bytes = segment->bytes, end = seq + bytes;
	uint32_t edge = tcp->rcv_advertised;
	bool fin = segment->flags & TCP_FIN;

	if (bytes == 0 && !fin)
		return;
	if (tcp->fin_received || (!fin && !seq_after(end, tcp->rcv_nxt))) {
		/* All of it came before. */
		if (tcp->use_sack && bytes > 0)
			report_duplicate(tcp, seq, end);
		tcp->ack_now = true;
		return;
	}
	if (!has_memory(tcp) && tcp->readable != 0) {
		tcp->ack_now = true;
		return;
	}
	if (seq_after(end, edge)) {
		packet_trim_to(packet, seq_before(edge, seq) ? 0 : edge - seq);
		end = seq + packet->bytes;
		fin = false;
	}
	if (seq_before(seq, tcp->rcv_nxt)) {
		if (tcp->use_sack)
			report_duplicate(tcp, seq, tcp->rcv_nxt);
		packet_trim_front(packet, MIN(tcp->rcv_nxt - seq, packet->bytes));
		seq = tcp->rcv_nxt;
	}
	segment->packet = NULL;
	packet->received_ns = seq | (fin ? FIN_MARK : 0);
	if (seq != tcp->rcv_nxt) {
		queue_early(tcp, packet);
		tcp->ack_now = true;
		return;
	}
	bytes = packet->bytes;
	append(tcp, packet);
	if (bytes > 0)
		decide_ack(tcp, bytes);
	if (fin)
		finish(tcp);
	if (!list_is_empty(&tcp->early))
		absorb_early(tcp);
	if (bytes > 0)
		tcp_wake(tcp, POLL_IN | POLL_RDNORM | (tcp->urgent_pending ? POLL_PRI : 0));
}

/*
 * The limit follows the speed at which the program reads, as Linux has it ("dynamic right
 * sizing", Feng and others): twice what it read in a round trip, so that the window never
 * holds up a sender who doubles his.
 */
void tcp_receive_tune(struct tcp *tcp)
{
	uint32_t rtt_us = tcp->rcv_rtt_us ? tcp->rcv_rtt_us : tcp->srtt_us;
	uint32_t read = tcp->copied - tcp->tune_copied;
	uint64_t wanted;

	if (tcp->options.receive_buffer != 0)
		return;
	if (tcp->tune_ns != 0 && tcp_now_ns - tcp->tune_ns < MAX(rtt_us, 100u) * 1000ull)
		return;
	if (tcp->tune_ns != 0) {
		wanted = 2ull * read + 16ull * tcp->rcv_mss;
		if (wanted > tcp->rcv_limit)
			tcp->rcv_limit = (uint32_t)MIN(wanted * 2, (uint64_t)RECEIVE_LIMIT_MAX);
	}
	tcp->tune_ns = tcp_now_ns;
	tcp->tune_copied = tcp->copied;
}
