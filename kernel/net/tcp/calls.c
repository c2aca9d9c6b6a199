/* What the socket layer calls; see tcp.h. Sending and receiving: transfer.c. */
#include "abi/linux/errno.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/net.h"
#include "kernel/net/tcp/connection.h"
#include "kernel/random.h"

int tcp_init(void)
{
	int error = tcp_table_init();

	if (error)
		return error;
	tcp_timer_init();
	tcp_time_wait_init();
	return 0;
}

uint32_t tcp_live_count(void)
{
	return tcp_live + tcp_time_wait_count();
}

struct tcp *tcp_create(bool is_v6)
{
	struct tcp *tcp;

	tcp_enter();
	tcp = tcp_allocate(is_v6);
	if (tcp && !is_v6)
		tcp->binding.address = ip_address_v4((const uint8_t[4]){0, 0, 0, 0});
	tcp_leave();
	return tcp;
}

struct wait_queue *tcp_events(struct tcp *tcp)
{
	return &tcp->events;
}

/* ---- options -------------------------------------------------------------------------------- */

void tcp_get_options(struct tcp *tcp, struct tcp_options *options)
{
	tcp_enter();
	*options = tcp->options;
	tcp_leave();
}

static void apply_options(struct tcp *tcp, const struct tcp_options *options)
{
	bool keep_changed = options->keep_alive != tcp->options.keep_alive ||
			    options->keep_idle_seconds != tcp->options.keep_idle_seconds;
	bool push = (tcp->options.cork && !options->cork) ||
		    (!tcp->options.no_delay && options->no_delay);

	tcp->options = *options;
	tcp->flow.traffic_class = options->traffic_class;
	tcp->flow.hop_limit = options->hop_limit;
	tcp->flow.do_not_fragment = options->discovery != 0;
	tcp->binding.reuse_address = options->reuse_address;
	tcp->binding.reuse_port = options->reuse_port;
	tcp->binding.v6_only = options->v6_only;
	tcp->binding.device_index = options->device_index;
	if (options->receive_buffer != 0)
		tcp->rcv_limit = options->receive_buffer;
	tcp_send_limit_update(tcp);
	if (keep_changed)
		tcp_keep_alive_restart(tcp);
	if (push) {
		tcp->push_now = true;
		tcp_output(tcp);
	}
}

int tcp_set_options(struct tcp *tcp, const struct tcp_options *options)
{
	const struct tcp_congestion *congestion = tcp_congestion_find(options->congestion);

	if (!congestion)
		return -LINUX_ENOENT;
	tcp_enter();
	if (congestion != tcp->congestion) {
		tcp->congestion = congestion;
		congestion->start(tcp);
	}
	apply_options(tcp, options);
	tcp_leave();
	return 0;
}

/* ---- names --------------------------------------------------------------------------------- */

static int bind_locked(struct tcp *tcp, const struct ip_endpoint *local)
{
	int error;

	if (tcp->binding.port != 0 || tcp->state != TCP_CLOSED)
		return -LINUX_EINVAL;
	if (!ip_address_is_any(&local->address) &&
		!ip_address_is_local(&local->address, local->scope))
		return -LINUX_EADDRNOTAVAIL;
	tcp->binding.address = local->address;
	tcp->binding.is_connected = tcp->binding.is_chosen = false;
	if (local->scope != 0 && ip_address_is_link_local(&local->address))
		tcp->binding.device_index = local->scope;
	error = port_bind(&port_table_tcp, &tcp->binding, local->port);
	if (!error)
		tcp->bound = *local;
	return error;
}

int tcp_bind(struct tcp *tcp, const struct ip_endpoint *local)
{
	int error;

	tcp_enter();
	error = bind_locked(tcp, local);
	tcp_leave();
	return error;
}

void tcp_local_name(struct tcp *tcp, struct ip_endpoint *name)
{
	tcp_enter();
	*name = (struct ip_endpoint){.address = tcp->binding.address, .port = tcp->binding.port};
	if (tcp->was_connected || tcp->entry.is_linked) {
		name->address = tcp->entry.name.local;
		name->port = tcp->entry.name.local_port;
	}
	if (ip_address_is_link_local(&name->address))
		name->scope =
			tcp->entry.name.scope ? tcp->entry.name.scope : tcp->binding.device_index;
	tcp_leave();
}

int tcp_peer_name(struct tcp *tcp, struct ip_endpoint *name)
{
	int error = 0;

	tcp_enter();
	if (tcp->state == TCP_CLOSED || tcp->state == TCP_LISTEN || tcp->state == TCP_SYN_SENT)
		error = -LINUX_ENOTCONN;
	else
		*name = (struct ip_endpoint){.address = tcp->entry.name.remote,
			.port = tcp->entry.name.remote_port,
			.scope = tcp->entry.name.scope};
	tcp_leave();
	return error;
}

/* ---- connect ------------------------------------------------------------------------------- */

/* Whether a connection of this name may begin; *sequence: where, 0: anywhere. */
static bool name_is_free(const struct tcp_name *name, uint32_t *sequence)
{
	struct tcp_entry *entry = tcp_table_find(name);

	*sequence = 0;
	if (!entry)
		return true;
	return entry->is_time_wait &&
	       tcp_time_wait_reuse(CONTAINER_OF(entry, struct tcp_time_wait, entry), sequence);
}

/* A port of our choice may be shared by connections to other ends. */
static int choose_port(struct tcp *tcp, struct tcp_name *name, uint32_t *sequence)
{
	uint32_t total = PORT_EPHEMERAL_LAST - PORT_EPHEMERAL_FIRST + 1;
	uint32_t start = (uint32_t)random_below(total);

	for (uint32_t i = 0; i < total; i++) {
		uint16_t port = (uint16_t)(PORT_EPHEMERAL_FIRST + (start + i) % total);

		name->local_port = port;
		if (!port_is_for_connections(&port_table_tcp, port) ||
			!name_is_free(name, sequence))
			continue;
		tcp->binding.address = name->local;
		tcp->binding.is_connected = tcp->binding.is_chosen = true;
		port_share(&port_table_tcp, &tcp->binding, port);
		return 0;
	}
	return -LINUX_EADDRNOTAVAIL;
}

static void destination_of(const struct ip_endpoint *remote, struct tcp_name *name)
{
	name->remote = remote->address;
	name->remote_port = remote->port;
	/* Any means this machine, as everywhere. */
	if (ip_address_is_any(&name->remote)) {
		if (ip_address_is_v4(&name->remote))
			name->remote = ip_address_v4((const uint8_t[4]){127, 0, 0, 1});
		else
			name->remote.bytes[15] = 1;
	}
	if (ip_address_is_link_local(&name->remote))
		name->scope = remote->scope;
}

static int find_name(struct tcp *tcp, const struct ip_endpoint *remote, struct ip_route *route,
	uint32_t *sequence)
{
	struct tcp_name name = {.local_port = tcp->binding.port};
	bool has_source = !ip_address_is_any(&tcp->binding.address) && tcp->binding.port != 0;
	int error;

	destination_of(remote, &name);
	if (ip_address_is_multicast(&name.remote) || ip_address_is_broadcast(&name.remote))
		return -LINUX_ENETUNREACH;
	error = ip_route(&name.remote, has_source ? &tcp->binding.address : NULL,
		name.scope ? name.scope : tcp->options.device_index, route);
	if (error)
		return error;
	name.local = route->source;
	if (ip_address_is_link_local(&name.remote) && name.scope == 0 && route->device)
		name.scope = route->device->index;
	if (name.local_port == 0) {
		error = choose_port(tcp, &name, sequence);
		if (error)
			return error;
	} else if (!name_is_free(&name, sequence)) {
		return -LINUX_EADDRNOTAVAIL;
	}
	tcp->entry.name = name;
	return 0;
}

static int connect_locked(struct tcp *tcp, const struct ip_endpoint *remote)
{
	struct ip_route route;
	uint32_t sequence;
	int error;

	if (tcp->state == TCP_SYN_SENT || tcp->state == TCP_SYN_RECEIVED)
		return -LINUX_EALREADY;
	if (tcp->state != TCP_CLOSED)
		return -LINUX_EISCONN;
	if (tcp->error != 0) {
		error = -tcp->error;
		WRITE_ONCE(tcp->error, 0);
		return error;
	}
	if (tcp->was_connected)
		return -LINUX_EISCONN;
	error = find_name(tcp, remote, &route, &sequence);
	if (error)
		return error;
	tcp->binding.is_connected = true;
	tcp_prepare(tcp, &route);
	if (sequence != 0 && seq_after(sequence, tcp->iss)) {
		tcp->iss = tcp->snd_una = sequence;
		tcp->snd_nxt = tcp->queue_end = tcp->recovery_end = tcp->small_end = sequence + 1;
	}
	tcp_set_state(tcp, TCP_SYN_SENT);
	tcp_table_add(&tcp->entry);
	tcp_set_retransmit(tcp, TCP_TIMER_RTO, TCP_NS_PER_S);
	tcp_send_syn(tcp);
	return tcp->state == TCP_ESTABLISHED ? 0 : -LINUX_EINPROGRESS;
}

int tcp_connect(struct tcp *tcp, const struct ip_endpoint *remote)
{
	int error;

	tcp_enter();
	error = connect_locked(tcp, remote);
	tcp_leave();
	return error;
}

/* ---- disconnecting ------------------------------------------------------------------------- */

static void end_connection(struct tcp *tcp)
{
	switch (tcp->state) {
	case TCP_LISTEN:
		tcp_listen_close(tcp);
		break;
	case TCP_CLOSED:
	case TCP_SYN_SENT:
		break;
	default:
		tcp_send_reset(tcp);
		break;
	}
	tcp_end(tcp, 0);
}

void tcp_disconnect(struct tcp *tcp)
{
	struct ip_endpoint bound;

	tcp_enter();
	bound = tcp->bound;
	end_connection(tcp);
	tcp_receive_queue_clear(tcp);
	tcp_reset_fields(tcp);
	if (!tcp->options.is_v6)
		tcp->binding.address = ip_address_v4((const uint8_t[4]){0, 0, 0, 0});
	if (bound.port != 0)
		(void)bind_locked(tcp, &bound);
	tcp_leave();
}

/* ---- the end ------------------------------------------------------------------------------- */

/* Queues the FIN behind what is to be sent. */
static void send_fin(struct tcp *tcp)
{
	if (tcp->fin_queued)
		return;
	switch (tcp->state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_RECEIVED:
		tcp_set_state(tcp, TCP_FIN_WAIT1);
		break;
	case TCP_CLOSE_WAIT:
		tcp_set_state(tcp, TCP_LAST_ACK);
		break;
	default:
		return;
	}
	tcp->fin_queued = true;
	tcp->push_now = true;
	tcp_output(tcp);
}

static int shutdown_locked(struct tcp *tcp, uint32_t how)
{
	if (tcp->state == TCP_LISTEN) {
		if (how & 1)
			tcp_listen_close(tcp);
		return 0;
	}
	if (tcp->state == TCP_SYN_SENT) {
		tcp_end(tcp, LINUX_ECONNRESET);
		return 0;
	}
	if (tcp->state == TCP_CLOSED)
		return -LINUX_ENOTCONN;
	if (how & 1)
		WRITE_ONCE(tcp->receive_shut, true);
	if (how & 2) {
		WRITE_ONCE(tcp->send_shut, true);
		send_fin(tcp);
	}
	tcp_wake(tcp, POLL_IN | POLL_RDNORM | POLL_RDHUP | POLL_OUT |
			      (tcp->receive_shut && tcp->send_shut ? POLL_HUP : 0));
	return 0;
}

int tcp_shutdown(struct tcp *tcp, uint32_t how)
{
	int error;

	tcp_enter();
	error = shutdown_locked(tcp, how);
	tcp_leave();
	return error;
}

static void close_locked(struct tcp *tcp, bool linger_reset)
{
	bool unread = tcp->readable != 0;

	tcp->is_orphan = true;
	tcp->receive_shut = tcp->send_shut = true;
	if (tcp->state == TCP_LISTEN) {
		tcp_listen_close(tcp);
		return;
	}
	tcp_receive_queue_clear(tcp);
	if (tcp->state == TCP_CLOSED || tcp->state == TCP_SYN_SENT) {
		tcp_end(tcp, 0);
		return;
	}
	/* Data that nobody read is lost, and the peer is told so (RFC 2525, 2.17). */
	if (linger_reset || unread) {
		tcp_send_reset(tcp);
		tcp_end(tcp, 0);
		return;
	}
	tcp->keep_ns = 0;
	send_fin(tcp);
	if (tcp->state == TCP_FIN_WAIT2)
		tcp_set_keep(tcp, 60 * TCP_NS_PER_S);
}

void tcp_close(struct tcp *tcp, bool linger_reset)
{
	tcp_enter();
	close_locked(tcp, linger_reset);
	tcp_leave();
}

bool tcp_is_drained(struct tcp *tcp)
{
	uint8_t state = READ_ONCE(tcp->state);

	return state == TCP_CLOSED || state == TCP_FIN_WAIT2 || state == TCP_TIME_WAIT;
}

/* ---- questions ----------------------------------------------------------------------------- */

static uint32_t poll_writable(struct tcp *tcp)
{
	uint32_t limit = READ_ONCE(tcp->send_limit), queued = READ_ONCE(tcp->queued);
	uint32_t low_water = tcp->options.not_sent_low_water;

	if (READ_ONCE(tcp->send_shut))
		return POLL_OUT | POLL_WRNORM;
	if (limit <= queued || limit - queued < limit / 3)
		return 0;
	if (low_water != 0 && READ_ONCE(tcp->unsent) >= low_water)
		return 0;
	return POLL_OUT | POLL_WRNORM;
}

uint32_t tcp_poll(struct tcp *tcp)
{
	uint8_t state = READ_ONCE(tcp->state);
	bool receive_ended = READ_ONCE(tcp->receive_shut) || READ_ONCE(tcp->fin_received);
	uint32_t events = 0;

	if (state == TCP_LISTEN) {
		struct tcp_listener *listener = READ_ONCE(tcp->listener);

		return listener && READ_ONCE(listener->accepted_count) ? POLL_IN | POLL_RDNORM : 0;
	}
	if (READ_ONCE(tcp->error) != 0)
		events |= POLL_ERR;
	if (state == TCP_CLOSED) {
		events |= POLL_HUP | POLL_OUT | POLL_WRNORM;
		if (tcp->was_connected || tcp->error != 0)
			events |= POLL_IN | POLL_RDNORM | POLL_RDHUP;
		return events;
	}
	if (receive_ended)
		events |= POLL_IN | POLL_RDNORM | POLL_RDHUP;
	if (receive_ended && READ_ONCE(tcp->send_shut))
		events |= POLL_HUP;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECEIVED)
		return events;
	if (READ_ONCE(tcp->readable) != 0)
		events |= POLL_IN | POLL_RDNORM;
	if (READ_ONCE(tcp->urgent_pending))
		events |= POLL_PRI;
	return events | poll_writable(tcp);
}

int tcp_take_error(struct tcp *tcp)
{
	return READ_ONCE(tcp->error) == 0 ? 0
					  : __atomic_exchange_n(&tcp->error, 0, __ATOMIC_RELAXED);
}

bool tcp_is_listening(struct tcp *tcp)
{
	return READ_ONCE(tcp->state) == TCP_LISTEN;
}

uint32_t tcp_readable_bytes(struct tcp *tcp)
{
	return READ_ONCE(tcp->readable);
}

uint32_t tcp_unacknowledged_bytes(struct tcp *tcp)
{
	return READ_ONCE(tcp->queued);
}

uint32_t tcp_unsent_bytes(struct tcp *tcp)
{
	return READ_ONCE(tcp->unsent);
}

void tcp_set_number(struct tcp *tcp, uint64_t number)
{
	tcp->number = number;
}

bool tcp_row_locked(uint32_t n, struct tcp_row *row)
{
	struct tcp_entry *entry;

	if (tcp_listener_row(n, row))
		return true;
	entry = tcp_table_nth(n - tcp_listener_count());
	if (!entry)
		return false;
	*row = (struct tcp_row){.local = {entry->name.local, entry->name.local_port, 0},
		.remote = {entry->name.remote, entry->name.remote_port, 0},
		.state = TCP_TIME_WAIT};
	if (!entry->is_time_wait) {
		struct tcp *tcp = CONTAINER_OF(entry, struct tcp, entry);

		row->state = tcp->state;
		row->send_queue = tcp->queued;
		row->receive_queue = tcp->readable;
		row->number = tcp->number;
	}
	return true;
}
