/* Acknowledgements: cumulative, selective (RFC 2018, RFC 2883), round-trip times. */
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"

#define RTO_MIN_US   200000u
#define RTO_MAX_MS   120000u
#define RTT_LIMIT_US 60000000u

void tcp_rtt_sample(struct tcp *tcp, uint32_t rtt_us)
{
	rtt_us = MIN(MAX(rtt_us, 1u), RTT_LIMIT_US);
	tcp->last_rtt_us = rtt_us;
	if (tcp->min_rtt_us == 0 || rtt_us < tcp->min_rtt_us)
		tcp->min_rtt_us = rtt_us;
	if (tcp->srtt_us == 0) {
		tcp->srtt_us = rtt_us;
		tcp->rttvar_us = rtt_us / 2;
	} else {
		uint32_t apart =
			tcp->srtt_us > rtt_us ? tcp->srtt_us - rtt_us : rtt_us - tcp->srtt_us;

		tcp->rttvar_us = (uint32_t)((tcp->rttvar_us * 3ull + apart) / 4);
		tcp->srtt_us = (uint32_t)((tcp->srtt_us * 7ull + rtt_us) / 8);
		tcp->srtt_us = MAX(tcp->srtt_us, 1u);
	}
	tcp->rto_ms = (tcp->srtt_us + MAX(4 * tcp->rttvar_us, RTO_MIN_US)) / 1000;
	tcp->rto_ms = MIN(tcp->rto_ms, RTO_MAX_MS);
}

/* ---- records ----------------------------------------------------------------------------- */

struct tcp_sent *tcp_sent_split(struct tcp *tcp, struct tcp_sent *sent, uint32_t at)
{
	struct tcp_sent *rest = heap_alloc(sizeof(*rest));

	(void)tcp;
	if (!rest)
		return NULL;
	*rest = *sent;
	rest->start = at;
	sent->end = at;
	sent->flags &= ~(uint32_t)TCP_SENT_FIN;
	list_insert_between(&rest->link, &sent->link, sent->link.next);
	return rest;
}

void tcp_sent_clear(struct tcp *tcp)
{
	struct list *link;

	while ((link = list_first(&tcp->sent)) != NULL) {
		list_remove(link);
		heap_free(LIST_ENTRY(link, struct tcp_sent, link));
	}
	tcp->sacked_bytes = tcp->lost_bytes = tcp->again_bytes = 0;
}

/* What was sent latest of what has arrived: RFC 8985, 6.2 step 2. */
static void note_arrival(
	struct tcp *tcp, const struct tcp_sent *sent, struct tcp_ack_result *result)
{
	uint32_t rtt_us = (uint32_t)MIN((tcp_now_ns - sent->sent_ns) / 1000, RTT_LIMIT_US);

	if (sent->flags & TCP_SENT_EVER_AGAIN) {
		/* Too soon for the second copy: it was the first that arrived. */
		if (rtt_us < tcp->min_rtt_us)
			return;
	} else {
		result->rtt_us = MAX(rtt_us, 1u);
		if (seq_before(sent->end, tcp->highest_sacked) && tcp->sacked_bytes > 0)
			tcp->reordering_seen = true;
	}
	if (sent->sent_ns > tcp->rack_sent_ns ||
		(sent->sent_ns == tcp->rack_sent_ns && seq_after(sent->end, tcp->rack_end))) {
		tcp->rack_sent_ns = sent->sent_ns;
		tcp->rack_end = sent->end;
		tcp->rack_rtt_us = rtt_us;
	}
}

/* `bytes` of the record have left the network, or are forgotten. */
static void uncount(struct tcp *tcp, const struct tcp_sent *sent, uint32_t bytes)
{
	if (sent->flags & TCP_SENT_SACKED)
		tcp->sacked_bytes -= bytes;
	if (sent->flags & TCP_SENT_LOST)
		tcp->lost_bytes -= bytes;
	if (sent->flags & TCP_SENT_AGAIN)
		tcp->again_bytes -= bytes;
}

static void acknowledge_all(struct tcp *tcp, uint32_t ack, struct tcp_ack_result *result)
{
	struct list *link;

	while ((link = list_first(&tcp->sent)) != NULL) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);
		uint32_t bytes;

		if (!seq_after(ack, sent->start))
			break;
		bytes = (seq_before(ack, sent->end) ? ack : sent->end) - sent->start;
		if (!(sent->flags & TCP_SENT_SACKED)) {
			result->delivered += bytes;
			note_arrival(tcp, sent, result);
		}
		uncount(tcp, sent, bytes);
		sent->start += bytes;
		if (sent->start != sent->end)
			break;
		list_remove(link);
		heap_free(sent);
	}
}

static void mark_sacked(struct tcp *tcp, struct tcp_sent *sent, struct tcp_ack_result *result)
{
	uint32_t bytes = sent->end - sent->start;

	note_arrival(tcp, sent, result);
	uncount(tcp, sent, bytes);
	sent->flags &= ~(uint32_t)(TCP_SENT_LOST | TCP_SENT_AGAIN);
	sent->flags |= TCP_SENT_SACKED;
	tcp->sacked_bytes += bytes;
	result->delivered += bytes;
	result->sacked = true;
}

/* Marks one range; records are cut at borders of segments only, so that a peer that reports
 * single bytes cannot make many of them. */
static void apply_sack(struct tcp *tcp, struct tcp_range range, struct tcp_ack_result *result)
{
	bool had_any = tcp->sacked_bytes > 0;

	for (struct list *link = tcp->sent.next; link != &tcp->sent; link = link->next) {
		struct tcp_sent *sent = LIST_ENTRY(link, struct tcp_sent, link);
		uint32_t offset;

		if (!seq_after(sent->end, range.start) || sent->flags & TCP_SENT_SACKED)
			continue;
		if (!seq_before(sent->start, range.end))
			break;
		if (seq_before(sent->start, range.start)) {
			offset = range.start - sent->start + tcp->mss - 1u;
			offset -= offset % tcp->mss;
			if (offset >= sent->end - sent->start)
				continue;
			(void)tcp_sent_split(tcp, sent, sent->start + offset);
			continue; /* the second part is next */
		}
		if (seq_after(sent->end, range.end)) {
			offset = range.end - sent->start;
			offset -= offset % tcp->mss;
			if (offset == 0 || !tcp_sent_split(tcp, sent, sent->start + offset))
				break;
		}
		mark_sacked(tcp, sent, result);
	}
	if (!had_any || seq_after(range.end, tcp->highest_sacked))
		tcp->highest_sacked = range.end;
}

static void process_sacks(
	struct tcp *tcp, const struct tcp_segment *segment, struct tcp_ack_result *result)
{
	for (uint32_t i = 0; i < segment->sack_count; i++) {
		struct tcp_range range = segment->sacks[i];

		if (!seq_before(range.start, range.end))
			continue;
		/* RFC 2883: the first block may tell of what came twice. */
		if (i == 0 && (!seq_after(range.end, segment->ack) ||
				      (segment->sack_count > 1 &&
					      !seq_before(range.start, segment->sacks[1].start) &&
					      !seq_after(range.end, segment->sacks[1].end)))) {
			result->duplicate_reported = true;
			continue;
		}
		if (!seq_after(range.start, tcp->snd_una - 1) ||
			seq_after(range.end, tcp->snd_nxt) || !seq_after(range.end, segment->ack))
			continue;
		apply_sack(tcp, range, result);
	}
}

/* ---- the acknowledgement ------------------------------------------------------------------- */

/* RFC 9293, 3.10.7.4: newer segments tell the window. True: it changed. */
static bool update_window(struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t window = segment->window << tcp->snd_scale;
	bool changed;

	if (!seq_after(segment->ack, tcp->snd_una) && !seq_after(segment->seq, tcp->snd_wl1) &&
		!(segment->seq == tcp->snd_wl1 && !seq_before(segment->ack, tcp->snd_wl2)))
		return false;
	changed = window != tcp->snd_window;
	tcp->snd_window = window;
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	tcp->max_window = MAX(tcp->max_window, window);
	return changed;
}

static bool has_room(uint32_t limit, uint32_t queued)
{
	return limit > queued && limit - queued >= limit / 3;
}

/* The crossing from "not writable" to "writable" is what wakes: whoever saw the former has
 * registered before. `queued`: before the acknowledgement. */
static void wake_if_room(struct tcp *tcp, uint32_t queued)
{
	bool was_writable = has_room(tcp->send_limit, queued);

	tcp_send_limit_update(tcp);
	if (!was_writable && has_room(tcp->send_limit, tcp->queued))
		tcp_wake(tcp, POLL_OUT | POLL_WRNORM);
}

static void advance(struct tcp *tcp, uint32_t ack)
{
	tcp->snd_una = ack;
	if (tcp->urgent_to_send && !seq_before(ack, tcp->urgent_send))
		tcp->urgent_to_send = false;
	tcp_send_queue_acked(tcp);
	tcp->probes = 0;
}

bool tcp_process_ack(struct tcp *tcp, const struct tcp_segment *segment)
{
	struct tcp_ack_result result = {0};
	uint32_t queued = tcp->queued;
	bool window_changed;

	if (seq_after(segment->ack, tcp->snd_nxt) ||
		seq_before(segment->ack, tcp->snd_una - MAX(tcp->max_window, 65535u))) {
		tcp_send_challenge(tcp);
		return false;
	}
	if (seq_before(segment->ack, tcp->snd_una))
		return true;
	window_changed = update_window(tcp, segment);
	result.advanced = segment->ack != tcp->snd_una;
	if (segment->sack_count > 0 && tcp->use_sack)
		process_sacks(tcp, segment, &result);
	if (result.advanced) {
		acknowledge_all(tcp, segment->ack, &result);
		advance(tcp, segment->ack);
		if (result.rtt_us == 0 && segment->has_timestamp && segment->ts_echo != 0)
			result.rtt_us =
				MAX(1u, MIN(tcp_now_ms() + tcp->ts_offset - segment->ts_echo,
						RTT_LIMIT_US / 1000) *
						1000);
	}
	if (result.rtt_us != 0)
		tcp_rtt_sample(tcp, result.rtt_us);
	if (tcp->retransmit_kind == TCP_TIMER_PERSIST && tcp->retransmit_ns != 0) {
		tcp->probes = 0;
		if (window_changed && tcp->snd_window != 0)
			tcp->retransmit_ns = tcp->backoff = 0;
	}
	if (result.advanced || result.sacked || tcp->snd_una != tcp->snd_nxt) {
		if (segment->bytes == 0 && !window_changed && !result.advanced)
			tcp->duplicate_acks++;
		tcp_recovery_acked(tcp, segment, &result);
	}
	if (result.advanced)
		wake_if_room(tcp, queued);
	return true;
}
