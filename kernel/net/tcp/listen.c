/* Listeners: half-open connections, the accept queue, cookies when the former is full. */
#include "abi/linux/errno.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"

#define SOMAXCONN 4096u

/* ---- children --------------------------------------------------------------------------- */

static struct tcp *create_child(struct tcp *listener, const struct tcp_name *name)
{
	struct ip_route route;
	struct tcp *tcp;

	if (ip_route(&name->remote, &name->local,
		    name->scope ? name->scope : listener->options.device_index, &route) != 0)
		return NULL;
	tcp = tcp_allocate(listener->binding.is_v6);
	if (!tcp)
		return NULL;
	tcp->options = listener->options;
	tcp->congestion = listener->congestion;
	tcp->entry.name = *name;
	tcp->parent = listener;
	tcp->is_orphan = true; /* until it is accepted */
	if (route.device->flags & NET_DEVICE_ACKS_LATE)
		tcp->late.device = route.device;
	tcp_prepare(tcp, &route);
	tcp->state = TCP_SYN_RECEIVED;
	tcp->binding.address = name->local;
	tcp->binding.reuse_address = listener->binding.reuse_address;
	tcp->binding.reuse_port = listener->binding.reuse_port;
	tcp->binding.is_connected = true;
	port_share(&port_table_tcp, &tcp->binding, name->local_port);
	tcp_table_add(&tcp->entry);
	list_add_last(&listener->listener->half_open, &tcp->queue_link);
	listener->listener->half_open_count++;
	return tcp;
}

static bool accept_queue_is_full(const struct tcp *listener)
{
	return listener->listener->accepted_count > listener->listener->backlog;
}

void tcp_listen_forget(struct tcp *tcp)
{
	struct tcp_listener *listener = tcp->parent->listener;

	if (tcp->state == TCP_SYN_RECEIVED)
		listener->half_open_count--;
	else
		listener->accepted_count--;
	list_remove(&tcp->queue_link);
	tcp->parent = NULL;
}

bool tcp_listen_complete(struct tcp *tcp)
{
	struct tcp_listener *listener = tcp->parent->listener;

	if (accept_queue_is_full(tcp->parent))
		return false;
	list_remove(&tcp->queue_link);
	listener->half_open_count--;
	list_add_last(&listener->accepted, &tcp->queue_link);
	listener->accepted_count++;
	tcp->is_orphan = false; /* what comes is kept for whoever accepts it */
	return true;
}

/* ---- segments for a listener ------------------------------------------------------------- */

/* Answers a SYN without remembering it. */
static void answer_with_cookie(
	struct tcp *listener, const struct tcp_segment *segment, const struct tcp_name *name)
{
	struct ip_flow flow = {.source = name->local,
		.destination = name->remote,
		.device_index = name->scope,
		.protocol = IP_PROTOCOL_TCP};
	struct tcp_header header = {.flow = &flow,
		.local_port = name->local_port,
		.remote_port = name->remote_port,
		.ack = segment->seq + 1,
		.flags = TCP_SYN | TCP_ACK,
		.window = 65535};
	struct packet *packet = packet_create(1);
	struct ip_route route;

	if (!packet)
		return;
	if (ip_route(&name->remote, &name->local, name->scope, &route) != 0) {
		packet_release(packet);
		return;
	}
	header.seq = tcp_cookie_make(name, segment, &header.ts_value);
	header.mss = tcp_path_mss(&flow, route.mtu);
	if (listener->options.maximum_segment != 0)
		header.mss = (uint16_t)MIN(header.mss, listener->options.maximum_segment);
	/* Options need the timestamp to come back in. */
	header.has_timestamp = segment->has_timestamp;
	header.ts_echo = segment->ts_value;
	header.sack_permitted = segment->has_timestamp && segment->sack_permitted;
	header.has_scale = segment->has_timestamp && segment->has_scale;
	header.scale = 7;
	(void)tcp_header_send(packet, &header);
}

static void syn_input(
	struct tcp *listener, struct tcp_segment *segment, const struct tcp_name *name)
{
	struct tcp *tcp;

	if (accept_queue_is_full(listener))
		return;
	if (listener->listener->half_open_count >= MAX(listener->listener->backlog, 8u)) {
		answer_with_cookie(listener, segment, name);
		return;
	}
	tcp = create_child(listener, name);
	if (!tcp)
		return;
	tcp_apply_syn(tcp, segment);
	tcp_send_syn(tcp);
	tcp_await_established(tcp);
}

static void cookie_input(
	struct tcp *listener, struct tcp_segment *segment, const struct tcp_name *name)
{
	struct tcp_segment syn = *segment;
	struct tcp_cookie cookie;
	struct tcp *tcp;

	if (!tcp_cookie_check(name, segment, &cookie)) {
		tcp_reply_reset(segment);
		return;
	}
	if (accept_queue_is_full(listener))
		return;
	tcp = create_child(listener, name);
	if (!tcp)
		return;
	syn.seq = segment->seq - 1;
	syn.mss = cookie.mss;
	syn.scale = cookie.scale;
	syn.has_scale = cookie.has_scale;
	syn.sack_permitted = cookie.sack_permitted;
	tcp->rcv_scale = 7;
	tcp_apply_syn(tcp, &syn);
	tcp->iss = segment->ack - 1;
	tcp->snd_una = tcp->iss;
	tcp->snd_nxt = tcp->queue_end = tcp->recovery_end = tcp->small_end = tcp->iss + 1;
	tcp->rcv_advertised = tcp->rcv_nxt + 65535;
	if (segment->has_timestamp)
		tcp->ts_offset = segment->ts_echo - tcp_now_ms();
	tcp_connection_input(tcp, segment);
}

void tcp_listen_input(struct tcp *tcp, struct tcp_segment *segment, const struct tcp_name *name)
{
	if (segment->flags & TCP_RST)
		return;
	if (segment->flags & TCP_ACK) {
		if (segment->flags & TCP_SYN)
			tcp_reply_reset(segment);
		else
			cookie_input(tcp, segment, name);
		return;
	}
	if ((segment->flags & (TCP_SYN | TCP_FIN)) == TCP_SYN &&
		!ip_address_is_broadcast(&name->local))
		syn_input(tcp, segment, name);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static int listen_locked(struct tcp *tcp, int backlog)
{
	uint32_t limit = backlog < 0 ? SOMAXCONN : MIN((uint32_t)backlog, SOMAXCONN);
	struct tcp_listener *listener;
	int error;

	if (tcp->state == TCP_LISTEN) {
		tcp->listener->backlog = limit;
		return 0;
	}
	if (tcp->state != TCP_CLOSED || tcp->was_connected)
		return -LINUX_EINVAL;
	if (tcp->binding.port == 0) {
		error = port_bind(&port_table_tcp, &tcp->binding, 0);
		if (error)
			return error;
	}
	error = port_check_listen(&port_table_tcp, &tcp->binding);
	if (error)
		return error;
	listener = heap_alloc(sizeof(*listener));
	if (!listener)
		return -LINUX_ENOMEM;
	*listener = (struct tcp_listener){.backlog = limit, .tcp = tcp};
	list_init(&listener->accepted);
	list_init(&listener->half_open);
	tcp->listener = listener;
	tcp->binding.is_listening = true;
	tcp_set_state(tcp, TCP_LISTEN);
	tcp_listener_add(tcp);
	return 0;
}

int tcp_listen(struct tcp *tcp, int backlog)
{
	int error;

	tcp_enter();
	error = listen_locked(tcp, backlog);
	tcp_leave();
	return error;
}

int tcp_accept(struct tcp *tcp, struct tcp **connection)
{
	struct list *link = NULL;
	int error = -LINUX_EAGAIN;

	/* Polling servers ask often: an empty queue needs no lock. */
	if (READ_ONCE(tcp->state) == TCP_LISTEN && !READ_ONCE(tcp->listener->accepted_count))
		return -LINUX_EAGAIN;
	tcp_enter();
	if (tcp->state != TCP_LISTEN)
		error = -LINUX_EINVAL;
	else
		link = list_first(&tcp->listener->accepted);
	if (link) {
		struct tcp *child = LIST_ENTRY(link, struct tcp, queue_link);

		tcp_listen_forget(child);
		*connection = child;
		error = 0;
	}
	tcp_leave();
	return error;
}

void tcp_listen_close(struct tcp *tcp)
{
	struct tcp_listener *listener = tcp->listener;
	struct list *link;

	list_remove(&listener->link);
	while ((link = list_first(&listener->half_open)) != NULL)
		tcp_end(LIST_ENTRY(link, struct tcp, queue_link), 0);
	while ((link = list_first(&listener->accepted)) != NULL) {
		struct tcp *child = LIST_ENTRY(link, struct tcp, queue_link);

		if (child->state != TCP_CLOSED)
			tcp_send_reset(child);
		tcp_listen_forget(child);
		child->is_orphan = true;
		tcp_end(child, 0);
	}
	tcp->binding.is_listening = false;
	tcp_end(tcp, 0);
	if (!tcp->is_orphan) { /* shutdown(2): the socket may listen again */
		tcp->listener = NULL;
		heap_free(listener);
	}
}
