/* TIME-WAIT: what is left of a connection for a minute, in a tenth of its memory. */
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"

#define WAIT_NS   (60 * TCP_NS_PER_S)
#define REUSE_NS  TCP_NS_PER_S
#define COUNT_MAX 32768u

static struct list waiting = LIST_INIT(waiting); /* oldest first */
static uint32_t count;
static struct tcp_timer timer;

static void forget(struct tcp_time_wait *wait)
{
	tcp_table_remove(&wait->entry);
	port_release(&port_table_tcp, &wait->binding);
	list_remove(&wait->link);
	heap_free(wait);
	count--;
}

static void expired(struct tcp_timer *unused)
{
	struct list *link;

	(void)unused;
	while ((link = list_first(&waiting)) != NULL) {
		struct tcp_time_wait *wait = LIST_ENTRY(link, struct tcp_time_wait, link);

		if (tcp_now_ns - wait->since_ns < WAIT_NS) {
			tcp_timer_need(&timer, wait->since_ns + WAIT_NS);
			return;
		}
		forget(wait);
	}
}

void tcp_time_wait_init(void)
{
	list_init(&timer.link);
	timer.fn = expired;
}

uint32_t tcp_time_wait_count(void)
{
	return count;
}

bool tcp_time_wait_add(struct tcp *tcp)
{
	struct tcp_time_wait *wait = heap_alloc(sizeof(*wait));

	if (!wait)
		return false;
	if (count >= COUNT_MAX)
		forget(LIST_ENTRY(waiting.next, struct tcp_time_wait, link));
	*wait = (struct tcp_time_wait){.entry = {.is_time_wait = true, .name = tcp->entry.name},
		.binding = tcp->binding,
		.since_ns = tcp_now_ns,
		.snd_nxt = tcp->snd_nxt,
		.rcv_nxt = tcp->rcv_nxt,
		.rcv_window = tcp_receive_window(tcp) >> tcp->rcv_scale,
		.ts_recent = tcp->ts_recent,
		.ts_offset = tcp->ts_offset,
		.device_index = tcp->flow.device_index,
		.use_timestamps = tcp->use_timestamps,
		.traffic_class = tcp->flow.traffic_class};
	list_init(&wait->binding.link);
	if (tcp->binding.port != 0)
		port_share(&port_table_tcp, &wait->binding, tcp->binding.port);
	wait->binding.is_connected = true;
	tcp_table_remove(&tcp->entry);
	tcp_table_add(&wait->entry);
	list_add_last(&waiting, &wait->link);
	count++;
	tcp_timer_need(&timer, wait->since_ns + WAIT_NS);
	return true;
}

static void answer(const struct tcp_time_wait *wait)
{
	struct ip_flow flow = {.source = wait->entry.name.local,
		.destination = wait->entry.name.remote,
		.device_index = wait->device_index,
		.protocol = IP_PROTOCOL_TCP,
		.traffic_class = wait->traffic_class};
	struct tcp_header header = {.flow = &flow,
		.local_port = wait->entry.name.local_port,
		.remote_port = wait->entry.name.remote_port,
		.seq = wait->snd_nxt,
		.ack = wait->rcv_nxt,
		.flags = TCP_ACK,
		.window = (uint16_t)MIN(wait->rcv_window, 65535u),
		.has_timestamp = wait->use_timestamps,
		.ts_value = tcp_now_ms() + wait->ts_offset,
		.ts_echo = wait->ts_recent};
	struct packet *packet = packet_create(1);

	if (packet)
		(void)tcp_header_send(packet, &header);
}

bool tcp_time_wait_input(struct tcp_time_wait *wait, struct tcp_segment *segment)
{
	bool is_newer = wait->use_timestamps && segment->has_timestamp &&
			seq_after(segment->ts_value, wait->ts_recent);

	/* RFC 1337: a reset does not end it. */
	if (segment->flags & TCP_RST)
		return false;
	/* RFC 6191, RFC 9293 3.6.1: a new incarnation. */
	if ((segment->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
		(is_newer || seq_after(segment->seq, wait->rcv_nxt))) {
		forget(wait);
		return true;
	}
	if (segment->bytes > 0 || segment->flags & (TCP_FIN | TCP_SYN) ||
		segment->seq != wait->rcv_nxt)
		answer(wait);
	/* The peer's FIN came again: the minute starts anew. */
	if (segment->flags & TCP_FIN) {
		wait->since_ns = tcp_now_ns;
		list_remove(&wait->link);
		list_add_last(&waiting, &wait->link);
	}
	return false;
}

bool tcp_time_wait_reuse(struct tcp_time_wait *wait, uint32_t *sequence)
{
	if (!wait->use_timestamps || tcp_now_ns - wait->since_ns < REUSE_NS)
		return false;
	*sequence = wait->snd_nxt + 65535 + 2;
	forget(wait);
	return true;
}
