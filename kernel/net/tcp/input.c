/* Segments that come in (RFC 9293, 3.10.7, with RFC 5961's checks and RFC 7323's PAWS). */
#include "abi/linux/errno.h"
#include "kernel/fs/poll.h"
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"
#include "kernel/sched/clock.h"

#define PAWS_IDLE_NS      (24 * 24 * 3600 * TCP_NS_PER_S)
#define FIN_WAIT2_SECONDS 60u

/* ---- SYN-SENT --------------------------------------------------------------------------- */

static void syn_sent_input(struct tcp *tcp, struct tcp_segment *segment)
{
	bool has_ack = segment->flags & TCP_ACK;

	if (has_ack && segment->ack != tcp->snd_nxt) {
		tcp_reply_reset(segment);
		return;
	}
	if (segment->flags & TCP_RST) {
		if (has_ack)
			tcp_end(tcp, LINUX_ECONNREFUSED);
		return;
	}
	if (!(segment->flags & TCP_SYN))
		return;
	tcp_apply_syn(tcp, segment);
	if (!has_ack) {
		/* Both ends opened at once. */
		tcp_set_state(tcp, TCP_SYN_RECEIVED);
		tcp_send_syn(tcp);
		tcp_set_retransmit(tcp, TCP_TIMER_RTO, TCP_NS_PER_S);
		return;
	}
	tcp->snd_una = segment->ack;
	tcp_established(tcp);
	tcp_wake(tcp, POLL_OUT | POLL_WRNORM);
	tcp->ack_now = true;
	tcp_output(tcp);
}

/* ---- the order of RFC 9293, 3.10.7.4 ----------------------------------------------------------
 */

static bool is_stale(const struct tcp *tcp, const struct tcp_segment *segment)
{
	if (!tcp->use_timestamps || !segment->has_timestamp || segment->flags & TCP_RST)
		return false;
	return seq_before(segment->ts_value, tcp->ts_recent) &&
	       tcp_now_ns - tcp->ts_recent_ns < PAWS_IDLE_NS;
}

static bool is_acceptable(const struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t end = segment->seq + segment->bytes + !!(segment->flags & TCP_SYN) +
		       !!(segment->flags & TCP_FIN);
	uint32_t edge =
		seq_after(tcp->rcv_advertised, tcp->rcv_nxt) ? tcp->rcv_advertised : tcp->rcv_nxt;

	return !seq_before(end, tcp->rcv_nxt) && !seq_after(segment->seq, edge);
}

static void refuse(struct tcp *tcp, const struct tcp_segment *segment)
{
	if (segment->flags & TCP_RST)
		return;
	if (segment->bytes == 0 && !(segment->flags & TCP_FIN)) {
		tcp_send_challenge(tcp);
		return;
	}
	if (tcp->use_sack && segment->bytes > 0 && seq_before(segment->seq, tcp->rcv_nxt))
		tcp->duplicate = (struct tcp_range){segment->seq, segment->seq + segment->bytes};
	tcp_send_ack(tcp);
}

static void reset_input(struct tcp *tcp, const struct tcp_segment *segment)
{
	int error = LINUX_ECONNRESET;

	if (segment->seq != tcp->rcv_nxt) {
		tcp_send_challenge(tcp);
		return;
	}
	if (tcp->state == TCP_SYN_RECEIVED)
		error = LINUX_ECONNREFUSED;
	else if (tcp->state == TCP_CLOSE_WAIT)
		error = LINUX_EPIPE;
	else if (tcp->state == TCP_CLOSING || tcp->state == TCP_LAST_ACK)
		error = tcp->is_orphan ? 0 : LINUX_ECONNRESET;
	tcp_end(tcp, error);
}

/* The last segment of a handshake. False: drop it. */
static bool syn_received_input(struct tcp *tcp, const struct tcp_segment *segment)
{
	if (segment->ack != tcp->snd_nxt) {
		tcp_reply_reset(segment);
		return false;
	}
	if (tcp->parent) {
		uint64_t patience = tcp->options.defer_accept_seconds * TCP_NS_PER_S;

		/* TCP_DEFER_ACCEPT: a bare acknowledgement is not enough, for a while. */
		if (patience != 0 && segment->bytes == 0 && !(segment->flags & TCP_FIN) &&
			tcp_now_ns - tcp->created_ns < patience)
			return false;
		if (!tcp_listen_complete(tcp))
			return false;
	}
	tcp->snd_una = segment->ack;
	tcp_established(tcp);
	tcp->snd_window = segment->window << tcp->snd_scale;
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	tcp->max_window = tcp->snd_window;
	if (tcp->parent)
		wait_wake_events(&tcp->parent->events, POLL_IN | POLL_RDNORM, 1);
	else
		tcp_wake(tcp, POLL_OUT | POLL_WRNORM);
	return true;
}

static void note_timestamp(struct tcp *tcp, const struct tcp_segment *segment)
{
	if (!tcp->use_timestamps || !segment->has_timestamp)
		return;
	if (!seq_after(segment->seq, tcp->ts_last_ack)) {
		tcp->ts_recent = segment->ts_value;
		tcp->ts_recent_ns = tcp_now_ns;
	}
	/* How long an answer takes, for the tuning of a pure receiver. */
	if (segment->bytes > 0 && segment->ts_echo != 0) {
		uint32_t ms = tcp_now_ms() + tcp->ts_offset - segment->ts_echo;

		if (ms < 60000)
			tcp->rcv_rtt_us = tcp->rcv_rtt_us
						  ? MIN(tcp->rcv_rtt_us * 7 / 8 + ms * 125 + 1,
							    MAX(ms * 1000, tcp->rcv_rtt_us))
						  : ms * 1000 + 500;
	}
}

/* Our FIN was acknowledged. */
static void fin_acked(struct tcp *tcp)
{
	switch (tcp->state) {
	case TCP_FIN_WAIT1: {
		uint32_t seconds = tcp->options.linger2_seconds;

		tcp_set_state(tcp, TCP_FIN_WAIT2);
		tcp_wake(tcp, POLL_OUT);
		if (tcp->is_orphan)
			tcp_set_keep(tcp, (seconds ? seconds : FIN_WAIT2_SECONDS) * TCP_NS_PER_S);
		break;
	}
	case TCP_CLOSING:
		tcp_set_state(tcp, TCP_TIME_WAIT);
		break;
	case TCP_LAST_ACK:
		tcp_end(tcp, 0);
		break;
	default:
		break;
	}
}

static void urgent_input(struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t at = segment->seq + segment->urgent - 1;

	/* The pointer's meaning is the one that all use, not RFC 1122's (RFC 6093). */
	if (segment->urgent == 0 || seq_before(at, tcp->rcv_nxt) ||
		(tcp->urgent_valid && !seq_after(at, tcp->urgent_at)))
		return;
	tcp->urgent_at = at;
	tcp->urgent_valid = true;
	WRITE_ONCE(tcp->urgent_pending, false);
	tcp_wake(tcp, POLL_PRI);
}

static void data_input(struct tcp *tcp, struct tcp_segment *segment)
{
	uint32_t end = segment->seq + segment->bytes;

	if (segment->bytes == 0 && !(segment->flags & TCP_FIN))
		return;
	/* Nobody will read it: RFC 9293, 3.10.7.4 leaves it to us; Linux resets. */
	if ((tcp->is_orphan || (tcp->receive_shut && tcp->fin_queued)) &&
		seq_after(end, tcp->rcv_nxt)) {
		tcp_send_reset(tcp);
		tcp_end(tcp, LINUX_ECONNRESET);
		return;
	}
	tcp_receive_segment(tcp, segment);
}

/* Both ends opened at once, and each answers the other's SYN (RFC 9293, figure 8): the rest of
 * such an answer is an acknowledgement. */
static bool answers_syn(struct tcp *tcp, struct tcp_segment *segment)
{
	if (tcp->state != TCP_SYN_RECEIVED || segment->seq != tcp->irs ||
		!(segment->flags & TCP_ACK))
		return false;
	segment->flags &= (uint8_t)~TCP_SYN;
	segment->seq++;
	segment->window >>= tcp->snd_scale; /* is not scaled here */
	tcp->ack_now = true;
	return true;
}

void tcp_connection_input(struct tcp *tcp, struct tcp_segment *segment)
{
	if (is_stale(tcp, segment) || !is_acceptable(tcp, segment)) {
		refuse(tcp, segment);
		return;
	}
	if (segment->flags & TCP_RST) {
		reset_input(tcp, segment);
		return;
	}
	if (segment->flags & TCP_SYN && !answers_syn(tcp, segment)) {
		tcp_send_challenge(tcp);
		return;
	}
	if (!(segment->flags & TCP_ACK))
		return;
	if (tcp->state == TCP_SYN_RECEIVED && !syn_received_input(tcp, segment))
		return;
	note_timestamp(tcp, segment);
	tcp->last_received_ns = tcp_now_ns;
	if (tcp->keep_ns != 0 || tcp->retransmit_kind == TCP_TIMER_PERSIST)
		tcp->probes = 0;
	if (!tcp_process_ack(tcp, segment))
		return;
	if (tcp->fin_sent && tcp->snd_una == tcp->snd_nxt)
		fin_acked(tcp);
	if (UNLIKELY(segment->flags & TCP_URG))
		urgent_input(tcp, segment);
	if (tcp->state != TCP_CLOSED)
		data_input(tcp, segment);
	if (tcp->state != TCP_CLOSED)
		tcp_output(tcp);
	if (tcp->state == TCP_TIME_WAIT)
		tcp_enter_time_wait(tcp);
}

/* A SYN of a half-open connection that comes again carries the sequence number before the
 * window. */
static bool is_syn_again(const struct tcp *tcp, const struct tcp_segment *segment)
{
	return tcp->state == TCP_SYN_RECEIVED && segment->seq == tcp->irs &&
	       (segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* ---- whose it is ------------------------------------------------------------------------------
 */

static void dispatch(struct tcp_segment *segment)
{
	const struct ip_received *ip = segment->ip;
	struct tcp_name name = {.local = ip->destination,
		.remote = ip->source,
		.local_port = segment->local_port,
		.remote_port = segment->remote_port};
	struct tcp_entry *entry;
	struct tcp *tcp;

	if (ip_address_is_link_local(&name.remote) && ip->device)
		name.scope = ip->device->index;
	entry = tcp_table_find(&name);
	if (entry && entry->is_time_wait) {
		if (!tcp_time_wait_input(CONTAINER_OF(entry, struct tcp_time_wait, entry), segment))
			return;
		entry = NULL; /* gone: the SYN is the listener's */
	}
	if (entry) {
		tcp = CONTAINER_OF(entry, struct tcp, entry);
		if (tcp->state == TCP_SYN_SENT)
			syn_sent_input(tcp, segment);
		else if (is_syn_again(tcp, segment))
			tcp_send_syn(tcp);
		else
			tcp_connection_input(tcp, segment);
		return;
	}
	tcp = tcp_listener_find(&name, ip->device);
	if (tcp)
		tcp_listen_input(tcp, segment, &name);
	else
		tcp_reply_reset(segment);
}

void tcp_input(struct packet *packet, const struct ip_received *ip)
{
	struct tcp_segment segment = {.packet = packet, .ip = ip};

	tcp_now_ns = clock_monotonic_ns();
	if (!(packet->flags & PACKET_BROADCAST) && !ip_address_is_multicast(&ip->destination) &&
		tcp_segment_parse(&segment) && segment.remote_port != 0)
		dispatch(&segment);
	if (segment.packet)
		packet_release(segment.packet);
	tcp_bury();
}

/* ---- ICMP
 * ----------------------------------------------------------------------------------------- */

static void connection_error(struct tcp *tcp, const struct ip_error *error, uint32_t seq)
{
	/* Only what answers a segment in flight is believed (RFC 5927). */
	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED) {
		if (seq == tcp->iss && error->error != -LINUX_EMSGSIZE)
			tcp_end(tcp, -error->error);
		return;
	}
	if (seq_before(seq, tcp->snd_una) || seq_after(seq, tcp->snd_nxt))
		return;
	if (error->error == -LINUX_EMSGSIZE) {
		uint32_t mtu = error->mtu ? error->mtu : 576;

		if (tcp_path_mss(&tcp->flow, mtu) >= tcp->path_mss)
			return;
		tcp_update_mss(tcp, mtu);
		LIST_FOR_EACH (link, &tcp->sent) {
			struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);

			if (!(sent->flags & TCP_SENT_SACKED))
				tcp_sent_mark_lost(tcp, sent);
		}
		tcp_output(tcp);
	} else if (tcp->options.receive_errors) {
		WRITE_ONCE(tcp->error, -error->error);
		tcp_wake(tcp, POLL_ERR | POLL_IN | POLL_OUT);
	}
}

void tcp_error(const struct ip_error *error)
{
	struct tcp_name name = {.local = error->source,
		.remote = error->destination,
		.local_port = (uint16_t)(error->transport[0] << 8 | error->transport[1]),
		.remote_port = (uint16_t)(error->transport[2] << 8 | error->transport[3])};
	const uint8_t *at = error->transport + 4;
	struct tcp_entry *entry = tcp_table_find(&name);

	tcp_now_ns = clock_monotonic_ns();
	if (entry && !entry->is_time_wait)
		connection_error(CONTAINER_OF(entry, struct tcp, entry), error,
			(uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
				at[3]);
	tcp_bury();
}
