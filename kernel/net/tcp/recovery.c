/*
 * Loss detection by time (RACK-TLP, RFC 8985), by duplicate acknowledgements where the peer
 * does not report ranges (RFC 6582), timeouts (RFC 6298), proportional rate reduction (RFC
 * 6937) and undoing of what was no loss (RFC 4015).
 */
#include "abi/linux/errno.h"
#include "kernel/net/tcp/connection.h"

#define RTO_MAX_NS      (120 * TCP_NS_PER_S)
#define PROBE_MIN_NS    (2 * TCP_NS_PER_MS)
#define PEER_DELAYS_NS  (200 * TCP_NS_PER_MS) /* how late a lone segment is acknowledged */
#define RETRIES_MAX     15u
#define DUPLICATE_LIMIT 3u

void tcp_sent_mark_lost(struct tcp *tcp, struct tcp_sent *sent)
{
	uint32_t bytes = sent->end - sent->start;

	if (sent->flags & TCP_SENT_AGAIN) {
		sent->flags &= ~(uint32_t)TCP_SENT_AGAIN;
		tcp->again_bytes -= bytes;
	}
	if (!(sent->flags & TCP_SENT_LOST)) {
		sent->flags |= TCP_SENT_LOST;
		tcp->lost_bytes += bytes;
	}
}

/* ---- detection ----------------------------------------------------------------------------- */

static uint64_t reorder_window_ns(const struct tcp *tcp)
{
	if (!tcp->reordering_seen &&
		(tcp->recovery != TCP_OPEN || tcp->sacked_bytes >= DUPLICATE_LIMIT * tcp->mss))
		return 0;
	return MIN(tcp->min_rtt_us / 4, tcp->srtt_us) * 1000ull;
}

/* Marks what was sent long enough before something that has arrived. Nanoseconds until
 * more will be; 0: nothing is waited for. */
static uint64_t detect_by_time(struct tcp *tcp)
{
	uint64_t patience = tcp->rack_rtt_us * 1000ull + reorder_window_ns(tcp), wait = 0;

	if (tcp->rack_sent_ns == 0 || (tcp->sacked_bytes == 0 && tcp->lost_bytes == 0))
		return 0;
	LIST_FOR_EACH (link, &tcp->sent) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);
		uint64_t due = sent->sent_ns + patience;

		if (sent->flags & TCP_SENT_SACKED ||
			(sent->flags & (TCP_SENT_LOST | TCP_SENT_AGAIN)) == TCP_SENT_LOST)
			continue;
		if (sent->sent_ns > tcp->rack_sent_ns ||
			(sent->sent_ns == tcp->rack_sent_ns &&
				!seq_after(tcp->rack_end, sent->end)))
			continue;
		if (due <= tcp_now_ns)
			tcp_sent_mark_lost(tcp, sent);
		else
			wait = MAX(wait, due - tcp_now_ns);
	}
	return wait;
}

/* The first segment is lost: three duplicates, or a partial acknowledgement. */
static void mark_first_lost(struct tcp *tcp)
{
	struct list *link = list_first(&tcp->sent);
	struct tcp_sent *sent;

	if (!link)
		return;
	sent = LIST_ENTRY(link, struct tcp_sent, link);
	if (sent->flags & TCP_SENT_LOST)
		return;
	if (sent->end - sent->start > tcp->mss)
		(void)tcp_sent_split(tcp, sent, sent->start + tcp->mss);
	tcp_sent_mark_lost(tcp, sent);
}

static void detect_by_count(struct tcp *tcp, const struct tcp_ack_result *result)
{
	if (tcp->recovery == TCP_OPEN && tcp->duplicate_acks >= DUPLICATE_LIMIT &&
		seq_after(tcp->snd_una, tcp->recovery_end - 1))
		mark_first_lost(tcp);
	else if (tcp->recovery == TCP_RECOVERY && result->advanced &&
		 seq_before(tcp->snd_una, tcp->recovery_end))
		mark_first_lost(tcp);
}

/* ---- states ---------------------------------------------------------------------------------- */

static void save_for_undo(struct tcp *tcp)
{
	tcp->undo_cwnd = tcp->cwnd;
	tcp->undo_ssthresh = tcp->ssthresh;
	tcp->undo_possible = true;
	tcp->undo_stamp = 0;
}

static void enter_recovery(struct tcp *tcp)
{
	save_for_undo(tcp);
	tcp->prr_start = MAX(tcp_in_flight(tcp) + tcp->lost_bytes, (uint32_t)tcp->mss);
	tcp->prr_delivered = tcp->prr_out = 0;
	tcp->recovery_end = tcp->snd_nxt;
	tcp->ssthresh = tcp->congestion->reduced(tcp);
	tcp->recovery = TCP_RECOVERY;
	tcp->tlp_pending = false;
}

/* RFC 6937, with the reduction bound of its section 3 that follows slow start. */
static void reduce_by_rate(struct tcp *tcp, const struct tcp_ack_result *result)
{
	uint32_t in_flight = tcp_in_flight(tcp);
	uint32_t delivered = result->delivered;
	int64_t may_send;

	if (delivered == 0 && !tcp->use_sack)
		delivered = tcp->mss; /* a duplicate: something has arrived */
	tcp->prr_delivered += delivered;
	if (in_flight > tcp->ssthresh) {
		may_send = (int64_t)(((uint64_t)tcp->prr_delivered * tcp->ssthresh +
					     tcp->prr_start - 1) /
				     tcp->prr_start) -
			   tcp->prr_out;
	} else {
		int64_t limit =
			MAX((int64_t)tcp->prr_delivered - tcp->prr_out, (int64_t)delivered) +
			tcp->mss;

		may_send = MIN((int64_t)tcp->ssthresh - in_flight, limit);
	}
	/* The first retransmission goes out at once. */
	may_send = MAX(may_send, tcp->prr_out == 0 ? (int64_t)tcp->mss : 0);
	tcp->cwnd = MAX(in_flight + (uint32_t)may_send, (uint32_t)tcp->mss);
}

static void undo(struct tcp *tcp)
{
	LIST_FOR_EACH (link, &tcp->sent)
		LIST_ENTRY(link, struct tcp_sent, link)->flags &=
			~(uint32_t)(TCP_SENT_LOST | TCP_SENT_AGAIN);
	tcp->lost_bytes = tcp->again_bytes = 0;
	tcp->cwnd = MAX(tcp->cwnd, tcp->undo_cwnd);
	tcp->ssthresh = MAX(tcp->ssthresh, tcp->undo_ssthresh);
	tcp->recovery = TCP_OPEN;
	tcp->undo_possible = false;
	tcp->reordering_seen = true;
}

/* The acknowledgement answers the first copy: nothing was lost (RFC 4015). */
static bool was_spurious(const struct tcp *tcp, const struct tcp_segment *segment)
{
	return tcp->undo_possible && tcp->use_timestamps && tcp->undo_stamp != 0 &&
	       segment->has_timestamp && segment->ts_echo != 0 &&
	       seq_before(segment->ts_echo, tcp->undo_stamp - 1);
}

static void leave_recovery(struct tcp *tcp)
{
	if (tcp->recovery == TCP_RECOVERY)
		tcp->cwnd = MAX(tcp->ssthresh, 2u * tcp->mss);
	tcp->recovery = TCP_OPEN;
	tcp->duplicate_acks = 0;
	tcp->undo_possible = false;
}

/* RFC 8985, 7.4: a probe that filled a hole means that the tail was lost. */
static void end_probe(struct tcp *tcp, const struct tcp_ack_result *result)
{
	if (!tcp->tlp_pending || seq_before(tcp->snd_una, tcp->tlp_end))
		return;
	tcp->tlp_pending = false;
	if (tcp->tlp_is_retransmission && !result->duplicate_reported &&
		tcp->recovery == TCP_OPEN) {
		tcp->ssthresh = tcp->congestion->reduced(tcp);
		tcp->cwnd = MIN(tcp->cwnd, tcp->ssthresh);
	}
}

static void grow(struct tcp *tcp, uint32_t delivered)
{
	bool in_slow_start = tcp->cwnd < tcp->ssthresh;

	if (!tcp->is_cwnd_limited && !(in_slow_start && tcp->cwnd / 2 < tcp->high_in_flight))
		return;
	if (delivered > 0 && tcp->cwnd < 1u << 30)
		tcp->congestion->acked(tcp, delivered);
}

void tcp_recovery_acked(
	struct tcp *tcp, const struct tcp_segment *segment, const struct tcp_ack_result *result)
{
	uint64_t wait = 0;

	if (result->advanced) {
		tcp->backoff = 0;
		tcp->retransmissions = 0;
		tcp->first_failure_ns = 0;
		if (tcp->recovery != TCP_RECOVERY)
			tcp->duplicate_acks = 0;
		end_probe(tcp, result);
		if (was_spurious(tcp, segment))
			undo(tcp);
	}
	if (tcp->use_sack)
		wait = detect_by_time(tcp);
	else
		detect_by_count(tcp, result);
	if (tcp->recovery != TCP_OPEN && !seq_before(tcp->snd_una, tcp->recovery_end))
		leave_recovery(tcp);
	if (tcp->recovery == TCP_OPEN && tcp->lost_bytes > 0)
		enter_recovery(tcp);
	if (tcp->recovery == TCP_RECOVERY)
		reduce_by_rate(tcp, result);
	else
		grow(tcp, result->delivered);
	if (tcp->snd_una == tcp->snd_nxt)
		tcp->high_in_flight = 0;
	if (wait != 0)
		tcp_set_retransmit(tcp, TCP_TIMER_REORDER, wait);
	else if (result->advanced || tcp->retransmit_kind == TCP_TIMER_REORDER)
		tcp_recovery_arm(tcp);
}

/* ---- timers ------------------------------------------------------------------------------------
 */

static struct tcp_sent *first_in_flight(struct tcp *tcp)
{
	LIST_FOR_EACH (link, &tcp->sent) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);

		if (!(sent->flags & TCP_SENT_SACKED))
			return sent;
	}
	return NULL;
}

void tcp_recovery_arm(struct tcp *tcp)
{
	struct tcp_sent *first = first_in_flight(tcp);
	uint64_t rto = MIN(tcp->rto_ms * TCP_NS_PER_MS << MIN(tcp->backoff, 10), RTO_MAX_NS);
	uint64_t probe = 2000ull * tcp->srtt_us;
	uint64_t deadline;

	if (!first) {
		tcp->retransmit_ns = 0;
		return;
	}
	deadline = MAX(first->sent_ns + rto, tcp_now_ns + TCP_NS_PER_MS);
	if (tcp->use_sack && tcp->srtt_us != 0 && tcp->recovery == TCP_OPEN && !tcp->tlp_pending &&
		tcp->sacked_bytes == 0 && tcp->backoff == 0) {
		if (tcp->snd_nxt - tcp->snd_una <= tcp->mss)
			probe += PEER_DELAYS_NS;
		probe = MAX(probe, PROBE_MIN_NS);
		if (tcp_now_ns + probe < deadline) {
			tcp_set_retransmit(tcp, TCP_TIMER_PROBE, probe);
			return;
		}
	}
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, deadline - tcp_now_ns);
}

void tcp_recovery_probe(struct tcp *tcp)
{
	bool is_new = tcp_send_new_probe(tcp);

	if (is_new || tcp_send_last_again(tcp)) {
		tcp->tlp_pending = true;
		tcp->tlp_is_retransmission = !is_new;
		tcp->tlp_end = tcp->snd_nxt;
	}
	/* The timeout counts from here (RFC 8985, 7.3). */
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, tcp->rto_ms * TCP_NS_PER_MS);
}

void tcp_recovery_reorder_timeout(struct tcp *tcp)
{
	uint64_t wait = detect_by_time(tcp);

	if (tcp->lost_bytes > 0 && tcp->recovery == TCP_OPEN) {
		struct tcp_ack_result nothing = {0};

		enter_recovery(tcp);
		reduce_by_rate(tcp, &nothing);
	}
	if (wait != 0)
		tcp_set_retransmit(tcp, TCP_TIMER_REORDER, wait);
	else
		tcp_recovery_arm(tcp);
	tcp_output(tcp);
}

static bool gave_up(struct tcp *tcp)
{
	uint64_t limit = tcp->options.user_timeout_ms * TCP_NS_PER_MS;

	if (tcp->first_failure_ns == 0)
		tcp->first_failure_ns = tcp_now_ns - tcp->rto_ms * TCP_NS_PER_MS;
	if (limit != 0)
		return tcp_now_ns - tcp->first_failure_ns >= limit;
	return tcp->retransmissions >= (tcp->is_orphan ? 8 : RETRIES_MAX);
}

void tcp_recovery_timeout(struct tcp *tcp)
{
	struct list *head = list_first(&tcp->sent);
	bool reneged;

	if (!head)
		return;
	if (gave_up(tcp)) {
		tcp_end(tcp, LINUX_ETIMEDOUT);
		return;
	}
	/* A peer that threw away what it had reported (RFC 2018, section 8). */
	reneged = (LIST_ENTRY(head, struct tcp_sent, link)->flags & TCP_SENT_SACKED) != 0;
	if (tcp->recovery == TCP_OPEN) {
		save_for_undo(tcp);
		tcp->ssthresh = tcp->congestion->reduced(tcp);
	}
	LIST_FOR_EACH (link, &tcp->sent) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);

		if (sent->flags & TCP_SENT_SACKED && reneged) {
			sent->flags &= ~(uint32_t)TCP_SENT_SACKED;
			tcp->sacked_bytes -= sent->end - sent->start;
		}
		if (!(sent->flags & TCP_SENT_SACKED))
			tcp_sent_mark_lost(tcp, sent);
	}
	tcp->recovery = TCP_LOSS;
	tcp->recovery_end = tcp->snd_nxt;
	tcp->cwnd = tcp->mss;
	tcp->tlp_pending = false;
	tcp->duplicate_acks = 0;
	tcp->backoff = (uint8_t)MIN(tcp->backoff + 1, 20);
	tcp->retransmissions++;
	tcp_output(tcp);
	tcp_recovery_arm(tcp);
}
