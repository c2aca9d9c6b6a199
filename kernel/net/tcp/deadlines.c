/* What happens when nothing happens: the deadlines of a connection. */
#include "kernel/net/tcp/connection.h"

#include "abi/linux/errno.h"

#define DELAYED_ACK_NS (40 * TCP_NS_PER_MS)
#define LATE_NS        (3 * TCP_NS_PER_MS)
#define LATE_LOOKS     4u
#define ANSWER_RETRIES 5u
#define PROBES_MAX     15u

void tcp_set_retransmit(struct tcp *tcp, enum tcp_retransmit_kind kind, uint64_t after_ns)
{
	tcp->retransmit_kind = (uint8_t)kind;
	tcp->retransmit_ns = tcp_now_ns + after_ns;
	tcp_timer_need(&tcp->timer, tcp->retransmit_ns);
}

void tcp_set_keep(struct tcp *tcp, uint64_t after_ns)
{
	tcp->keep_ns = tcp_now_ns + after_ns;
	tcp_timer_need(&tcp->timer, tcp->keep_ns);
}

void tcp_set_delayed_ack(struct tcp *tcp)
{
	tcp->ack_delayed = true;
	if (tcp->delayed_ack_ns != 0)
		return;
	tcp->delayed_ack_ns = tcp_now_ns + DELAYED_ACK_NS;
	tcp_timer_need(&tcp->timer, tcp->delayed_ack_ns);
}

void tcp_keep_alive_restart(struct tcp *tcp)
{
	if (tcp->state != TCP_ESTABLISHED && tcp->state != TCP_CLOSE_WAIT)
		return;
	if (tcp->options.keep_alive)
		tcp_set_keep(tcp, tcp->options.keep_idle_seconds * TCP_NS_PER_S);
	else
		tcp->keep_ns = 0;
}

/* ---- peers that end a handshake late --------------------------------------------------- */

/*
 * passt before June 2024 keeps the last segment of a handshake until its client sends something:
 * with a server that speaks first, both would wait. Nor may anything be sent at once: two
 * segments that it reads together, the first with our SYN, make it loop for ever. So the
 * device is asked something that passt answers in order; with the answer, our SYN has been
 * read, and since no reset came, that segment may be taken as received.
 */
void tcp_await_established(struct tcp *tcp)
{
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, tcp->late.device ? LATE_NS : TCP_NS_PER_S);
}

static void assume_established(struct tcp *tcp)
{
	struct ip_received ip = {.source = tcp->flow.destination,
		.destination = tcp->flow.source,
		.device = tcp->late.device,
		.protocol = IP_PROTOCOL_TCP};
	struct tcp_segment segment = {.ip = &ip,
		.seq = tcp->rcv_nxt,
		.ack = tcp->snd_nxt,
		.window = tcp->snd_window >> tcp->snd_scale,
		.local_port = tcp->entry.name.local_port,
		.remote_port = tcp->entry.name.remote_port,
		.flags = TCP_ACK,
		.has_timestamp = tcp->use_timestamps,
		.ts_value = tcp->ts_recent};

	tcp->late.device = NULL;
	tcp_connection_input(tcp, &segment);
}

/* True: that was it, for now. */
static bool is_late(struct tcp *tcp)
{
	struct tcp_late_peer *late = &tcp->late;

	if (late->looks > 0 && (int16_t)(late->device->answered - late->question) >= 0) {
		assume_established(tcp);
		return true;
	}
	if (late->looks == LATE_LOOKS) {
		late->device = NULL;
		return false;
	}
	if (late->looks == 0)
		late->question = ip_ask_device(late->device);
	late->looks++;
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, LATE_NS << 2 * (late->looks - 1));
	return true;
}

/* ---- what is due ------------------------------------------------------------------------- */

static void syn_timeout(struct tcp *tcp)
{
	uint32_t limit = tcp->state == TCP_SYN_SENT ? tcp->options.syn_count : ANSWER_RETRIES;
	uint64_t user_limit = tcp->options.user_timeout_ms * TCP_NS_PER_MS;

	if (tcp->late.device && is_late(tcp))
		return;
	if (tcp->retransmissions >= limit ||
		(user_limit != 0 && tcp_now_ns - tcp->created_ns >= user_limit)) {
		tcp_end(tcp, LINUX_ETIMEDOUT);
		return;
	}
	tcp->retransmissions++;
	tcp->total_retransmissions++;
	tcp->backoff = (uint8_t)MIN(tcp->backoff + 1, 20);
	tcp_send_syn(tcp);
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, TCP_NS_PER_S << MIN(tcp->backoff, 6));
}

/* A closed window, or a segment that was held back. */
static void persist_timeout(struct tcp *tcp)
{
	uint32_t before = tcp->snd_nxt;
	uint64_t limit = tcp->options.user_timeout_ms * TCP_NS_PER_MS;

	tcp->push_now = true;
	tcp_output(tcp);
	if (tcp->snd_nxt != before || tcp->state == TCP_CLOSED)
		return;
	if ((tcp->is_orphan && tcp->probes >= 8) ||
		(limit != 0 && tcp_now_ns - tcp->last_received_ns >= limit) ||
		tcp->probes >= PROBES_MAX) {
		tcp_end(tcp, LINUX_ETIMEDOUT);
		return;
	}
	if (tcp->unsent == 0 && !(tcp->fin_queued && !tcp->fin_sent))
		return;
	tcp->probes++;
	tcp->backoff = (uint8_t)MIN(tcp->backoff + 1, 9);
	tcp_send_probe(tcp);
	tcp->retransmit_ns = 0;
	tcp_output(tcp); /* arms it again */
}

static void retransmit_due(struct tcp *tcp)
{
	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED) {
		syn_timeout(tcp);
		return;
	}
	switch (tcp->retransmit_kind) {
	case TCP_TIMER_PROBE:
		tcp_recovery_probe(tcp);
		break;
	case TCP_TIMER_REORDER:
		tcp_recovery_reorder_timeout(tcp);
		break;
	case TCP_TIMER_PERSIST:
		persist_timeout(tcp);
		break;
	default:
		tcp_recovery_timeout(tcp);
	}
}

static void keep_due(struct tcp *tcp)
{
	uint64_t idle = tcp_now_ns - tcp->last_received_ns;
	uint64_t limit = tcp->options.keep_idle_seconds * TCP_NS_PER_S;
	uint64_t user_limit = tcp->options.user_timeout_ms * TCP_NS_PER_MS;

	if (tcp->state == TCP_FIN_WAIT2 && tcp->is_orphan) {
		tcp_end(tcp, 0);
		return;
	}
	if (!tcp->options.keep_alive ||
		(tcp->state != TCP_ESTABLISHED && tcp->state != TCP_CLOSE_WAIT))
		return;
	if (idle < limit) {
		tcp_set_keep(tcp, limit - idle);
	} else if (tcp->snd_una != tcp->snd_nxt || tcp->unsent != 0) {
		tcp_set_keep(tcp, limit); /* retransmissions tell as well */
	} else if (tcp->probes >= tcp->options.keep_count ||
		   (user_limit != 0 && idle >= user_limit && tcp->probes > 0)) {
		tcp_send_reset(tcp);
		tcp_end(tcp, LINUX_ETIMEDOUT);
	} else {
		tcp->probes++;
		tcp_send_probe(tcp);
		tcp_set_keep(tcp, tcp->options.keep_interval_seconds * TCP_NS_PER_S);
	}
}

static bool take_if_due(uint64_t *deadline)
{
	if (*deadline == 0 || *deadline > tcp_now_ns)
		return false;
	*deadline = 0;
	return true;
}

void tcp_deadline_passed(struct tcp_timer *timer)
{
	struct tcp *tcp = CONTAINER_OF(timer, struct tcp, timer);

	if (take_if_due(&tcp->delayed_ack_ns) && tcp->ack_delayed)
		tcp_send_ack(tcp);
	if (take_if_due(&tcp->retransmit_ns))
		retransmit_due(tcp);
	if (take_if_due(&tcp->keep_ns))
		keep_due(tcp);
	if (tcp->delayed_ack_ns)
		tcp_timer_need(timer, tcp->delayed_ack_ns);
	if (tcp->retransmit_ns)
		tcp_timer_need(timer, tcp->retransmit_ns);
	if (tcp->keep_ns)
		tcp_timer_need(timer, tcp->keep_ns);
}
