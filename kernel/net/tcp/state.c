/* Birth, life and end of connections. */
#include "kernel/net/tcp/connection.h"

#include "abi/linux/errno.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "kernel/sched/clock.h"

#define RECEIVE_LIMIT_FIRST (128u << 10)
#define RECEIVE_LIMIT_MAX   (6u << 20)
#define SEND_LIMIT_FIRST    (256u << 10)
#define QUICK_ACKS          16u
#define MSS_MAX             60000u

uint64_t tcp_now_ns;
uint32_t tcp_live;

static struct list graves = LIST_INIT(graves);

void tcp_enter(void)
{
	net_lock();
	tcp_now_ns = clock_monotonic_ns();
}

void tcp_leave(void)
{
	tcp_bury();
	net_unlock();
}

void tcp_set_state(struct tcp *tcp, enum tcp_state state)
{
	WRITE_ONCE(tcp->state, (uint8_t)state);
}

void tcp_wake(struct tcp *tcp, uint32_t events)
{
	wait_wake_events(&tcp->events, events, UINT32_MAX);
}

/* All but the events; the memory is zero. */
static void initialise(struct tcp *tcp, bool is_v6)
{
	list_init(&tcp->blocks);
	list_init(&tcp->sent);
	list_init(&tcp->received);
	list_init(&tcp->early);
	list_init(&tcp->reading);
	list_init(&tcp->queue_link);
	list_init(&tcp->binding.link);
	list_init(&tcp->timer.link);
	tcp->timer.fn = tcp_deadline_passed;
	tcp->state = TCP_CLOSED;
	tcp->options = (struct tcp_options){.keep_idle_seconds = 7200,
		.keep_interval_seconds = 75,
		.keep_count = 9,
		.syn_count = 6,
		.is_v6 = is_v6,
		.discovery = 1,
		.congestion = "cubic"};
	tcp->binding.is_v6 = is_v6;
	tcp->congestion = tcp_congestion_find("cubic");
	tcp->send_limit = SEND_LIMIT_FIRST;
}

struct tcp *tcp_allocate(bool is_v6)
{
	struct tcp *tcp = heap_zalloc(sizeof(*tcp));

	if (!tcp)
		return NULL;
	wait_queue_init(&tcp->events);
	initialise(tcp, is_v6);
	tcp_live++;
	return tcp;
}

void tcp_reset_fields(struct tcp *tcp)
{
	const size_t events = offsetof(struct tcp, events), after = events + sizeof(tcp->events);
	struct tcp_options options = tcp->options;
	const struct tcp_congestion *congestion = tcp->congestion;
	uint64_t number = tcp->number;

	memset(tcp, 0, events);
	memset((uint8_t *)tcp + after, 0, sizeof(*tcp) - after);
	initialise(tcp, options.is_v6);
	tcp->options = options;
	tcp->congestion = congestion;
	tcp->number = number;
	tcp->binding.reuse_address = options.reuse_address;
	tcp->binding.reuse_port = options.reuse_port;
	tcp->binding.v6_only = options.v6_only;
	tcp->binding.device_index = options.device_index;
}

void tcp_bury(void)
{
	struct list *link;

	while (UNLIKELY((link = list_first(&graves)) != NULL)) {
		struct tcp *tcp = LIST_ENTRY(link, struct tcp, queue_link);

		list_remove(link);
		tcp_timer_cancel(&tcp->timer);
		tcp_receive_queue_clear(tcp);
		tcp_send_queue_clear(tcp);
		tcp_sent_clear(tcp);
		heap_free(tcp->listener);
		heap_free(tcp);
		tcp_live--;
	}
}

void tcp_end(struct tcp *tcp, int error)
{
	if (tcp->parent) {
		tcp_listen_forget(tcp);
		tcp->is_orphan = true; /* nobody accepts it any more */
	}
	tcp_set_state(tcp, TCP_CLOSED);
	tcp_timer_cancel(&tcp->timer);
	tcp->retransmit_ns = tcp->delayed_ack_ns = tcp->keep_ns = 0;
	tcp_table_remove(&tcp->entry);
	port_release(&port_table_tcp, &tcp->binding);
	tcp_send_queue_clear(tcp);
	tcp_sent_clear(tcp);
	packet_release_list(&tcp->early);
	tcp->early_memory = 0;
	if (error != 0)
		WRITE_ONCE(tcp->error, error);
	if (tcp->is_orphan && !list_is_linked(&tcp->queue_link)) {
		list_add_last(&graves, &tcp->queue_link);
		return;
	}
	tcp_wake(tcp, POLL_IN | POLL_RDNORM | POLL_OUT | POLL_WRNORM | POLL_HUP | POLL_RDHUP |
			      (error ? POLL_ERR : 0));
}

void tcp_enter_time_wait(struct tcp *tcp)
{
	(void)tcp_time_wait_add(tcp);
	tcp_end(tcp, 0);
}

/* ---- sizes --------------------------------------------------------------------------------- */

uint16_t tcp_path_mss(const struct ip_flow *flow, uint32_t mtu)
{
	uint32_t headers = ip_address_is_v4(&flow->destination) ? 40 : 60;

	return (uint16_t)MIN(MAX(mtu, headers + 88) - headers, 65535u - 60);
}

void tcp_update_mss(struct tcp *tcp, uint32_t mtu)
{
	uint32_t mss;

	tcp->path_mss = tcp_path_mss(&tcp->flow, mtu);
	mss = MIN(tcp->path_mss, tcp->peer_mss ? tcp->peer_mss : 536);
	if (tcp->options.maximum_segment != 0)
		mss = MIN(mss, tcp->options.maximum_segment);
	/* A full segment must fit into the largest packet that output.c makes. */
	mss = MIN(MAX(mss, 88u), MSS_MAX) - (tcp->use_timestamps ? 12 : 0);
	tcp->mss = (uint16_t)mss;
}

static uint8_t scale_for(uint32_t bytes)
{
	uint8_t scale = 0;

	while (scale < 14 && (65535u << scale) < bytes)
		scale++;
	return scale;
}

void tcp_prepare(struct tcp *tcp, const struct ip_route *route)
{
	const struct tcp_name *name = &tcp->entry.name;

	tcp->flow = (struct ip_flow){.source = name->local,
		.destination = name->remote,
		.device_index = name->scope ? name->scope : tcp->options.device_index,
		.protocol = IP_PROTOCOL_TCP,
		.hop_limit = tcp->options.hop_limit,
		.traffic_class = tcp->options.traffic_class,
		.do_not_fragment = tcp->options.discovery != 0};
	tcp->use_timestamps = tcp->use_sack = tcp->use_scale = true;
	tcp->rcv_limit =
		tcp->options.receive_buffer ? tcp->options.receive_buffer : RECEIVE_LIMIT_FIRST;
	tcp->rcv_scale = scale_for(
		tcp->options.receive_buffer ? tcp->options.receive_buffer : RECEIVE_LIMIT_MAX);
	tcp->peer_mss = 0;
	tcp_update_mss(tcp, route->mtu);
	tcp->rcv_mss = (uint16_t)MIN(tcp->path_mss, 1448);
	tcp->iss = tcp_initial_sequence(name);
	tcp->ts_offset = (uint32_t)tcp_name_hash(name, 3);
	tcp->snd_una = tcp->iss;
	tcp->snd_nxt = tcp->queue_end = tcp->iss + 1;
	tcp->recovery_end = tcp->small_end = tcp->iss + 1;
	tcp->ssthresh = 1u << 30;
	tcp->rto_ms = 1000;
	tcp->quick_acks = QUICK_ACKS;
	tcp->created_ns = tcp_now_ns;
	tcp->congestion->start(tcp);
}

void tcp_apply_syn(struct tcp *tcp, const struct tcp_segment *segment)
{
	uint32_t mtu = tcp->path_mss + (ip_address_is_v4(&tcp->flow.destination) ? 40u : 60u);

	tcp->irs = segment->seq;
	tcp->rcv_nxt = tcp->copied = segment->seq + 1;
	tcp->rcv_advertised = tcp->rcv_nxt;
	tcp->use_timestamps &= segment->has_timestamp;
	tcp->use_sack &= segment->sack_permitted;
	tcp->use_scale &= segment->has_scale;
	tcp->snd_scale = tcp->use_scale ? segment->scale : 0;
	if (!tcp->use_scale)
		tcp->rcv_scale = 0;
	tcp->peer_mss = segment->mss ? MAX(segment->mss, 88) : 536;
	tcp->ts_recent = segment->has_timestamp ? segment->ts_value : 0;
	tcp->ts_recent_ns = tcp_now_ns;
	tcp->ts_last_ack = tcp->rcv_nxt;
	tcp->snd_window = segment->window; /* never scaled in a SYN */
	tcp->snd_wl1 = segment->seq;
	tcp->snd_wl2 = segment->ack;
	tcp->max_window = tcp->snd_window;
	tcp_update_mss(tcp, mtu);
}

void tcp_established(struct tcp *tcp)
{
	tcp_set_state(tcp, TCP_ESTABLISHED);
	tcp->was_connected = true;
	tcp->cwnd = tcp_initial_window(tcp);
	tcp->retransmit_ns = 0;
	tcp->backoff = 0;
	tcp->retransmissions = 0;
	tcp_send_limit_update(tcp);
	if (tcp->last_sent_ns != 0 && tcp->total_retransmissions == 0)
		tcp_rtt_sample(
			tcp, (uint32_t)MIN((tcp_now_ns - tcp->last_sent_ns) / 1000, 60000000ull));
	tcp->min_rtt_us = tcp->srtt_us;
	tcp->rcv_rtt_us = tcp->srtt_us;
	tcp->last_received_ns = tcp_now_ns;
	tcp_keep_alive_restart(tcp);
}
