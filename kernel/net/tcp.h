/*
 * TCP connections and listeners (RFC 9293), as the socket layer sees them.
 *
 * No call waits: what cannot be done at once is -EAGAIN or -EINPROGRESS, and tcp->events is
 * woken with POLL bits when that may have changed (edges included: every arrival of data
 * wakes POLL_IN). Calls take the network lock themselves unless `_locked`; tcp_send and
 * tcp_receive copy to and from the program without it and may sleep there, so that callers
 * serialise senders and receivers of one connection (mutexes of the socket).
 */
#ifndef KERNEL_NET_TCP_H
#define KERNEL_NET_TCP_H

#include "lib/compiler.h"
#include "kernel/mm/uio.h"
#include "kernel/net/address.h"
#include "kernel/sched/wait.h"

struct tcp;

struct tcp_options {
	bool no_delay, cork, quick_ack, oob_inline;
	bool keep_alive;
	uint32_t keep_idle_seconds, keep_interval_seconds, keep_count; /* 7200, 75, 9 */
	uint32_t user_timeout_ms, syn_count, linger2_seconds, defer_accept_seconds;
	uint32_t maximum_segment;             /* TCP_MAXSEG; 0: by the path */
	uint32_t send_buffer, receive_buffer; /* 0: tuned automatically; bytes */
	uint32_t window_clamp, not_sent_low_water;
	bool reuse_address, reuse_port, v6_only, is_v6;
	bool receive_errors; /* IP_RECVERR: ICMP errors end calls at once */
	uint8_t discovery;   /* IP_MTU_DISCOVER; 0 (DONT): fragments are allowed */
	uint32_t device_index;
	uint8_t traffic_class, hop_limit;
	char congestion[16]; /* "cubic", "reno" */
};

/* A fresh, unbound one. is_v6: of an AF_INET6 socket. NULL: no memory. */
struct tcp *tcp_create(bool is_v6);
/* The wait queue of its events: lives as long as the tcp. */
struct wait_queue *tcp_events(struct tcp *tcp);
/* Options may be changed at any time: read, change, write. */
void tcp_get_options(struct tcp *tcp, struct tcp_options *options);
int tcp_set_options(struct tcp *tcp, const struct tcp_options *options);

/* -EINVAL (bound already), -EADDRINUSE, -EADDRNOTAVAIL. */
int tcp_bind(struct tcp *tcp, const struct ip_endpoint *local);
/* -EADDRINUSE, -EINVAL (connected). backlog as listen(2), limited by somaxconn. */
int tcp_listen(struct tcp *tcp, int backlog);
/* The oldest established connection, owned by the caller. -EAGAIN, -EINVAL (no listener). */
int tcp_accept(struct tcp *tcp, struct tcp **connection);
/* -EINPROGRESS when under way, 0 when connected at once (loopback), -EISCONN, -EALREADY,
 * -ENETUNREACH, -EADDRNOTAVAIL, -ECONNREFUSED ... */
int tcp_connect(struct tcp *tcp, const struct ip_endpoint *remote);

enum tcp_send_flags { TCP_SEND_MORE = 1, TCP_SEND_URGENT = 2 /* the last byte is */ };
enum tcp_receive_flags { TCP_RECEIVE_PEEK = 1, TCP_RECEIVE_TRUNCATE = 2 };

/* Bytes queued (some, perhaps not all), -EAGAIN, -EPIPE (the caller raises SIGPIPE),
 * -ENOTCONN, -EFAULT, or the connection's pending error, once. */
long tcp_send(struct tcp *tcp, struct uio *uio, uint32_t flags);
/* Bytes, 0 at the end, -EAGAIN, -ENOTCONN, or the pending error. Stops before urgent data. */
long tcp_receive(struct tcp *tcp, struct uio *uio, uint32_t flags);
/* One byte of urgent data (MSG_OOB). -EINVAL: none. */
long tcp_receive_urgent(struct tcp *tcp, uint8_t *byte, bool peek);

/* SIOCATMARK: whether the next byte is the first after urgent data (or, inline, that itself). */
bool tcp_is_at_mark(struct tcp *tcp);
/* connect(2) to AF_UNSPEC: ends what there is, by a reset if need be; the tcp is as created, but
 * for its options and a port that was bound. No call may be under way. */
void tcp_disconnect(struct tcp *tcp);

/* how: 1 receive, 2 send, 3 both (bits). -ENOTCONN. */
int tcp_shutdown(struct tcp *tcp, uint32_t how);
/* The socket is gone: the tcp ends by itself (FIN, TIME-WAIT) and is freed. `linger`: with
 * linger_seconds 0 a reset is sent at once. The handle is dead after this. */
void tcp_close(struct tcp *tcp, bool linger_reset);
/* For a lingering close: all sent data and the FIN are acknowledged (or it failed). */
bool tcp_is_drained(struct tcp *tcp);

/* POLL_ bits now. */
uint32_t tcp_poll(struct tcp *tcp);
/* SO_ERROR: the pending error (positive), cleared. */
int tcp_take_error(struct tcp *tcp);
bool tcp_is_listening(struct tcp *tcp);
/* Local name (port 0: unbound); -ENOTCONN for the peer's when there is none. */
void tcp_local_name(struct tcp *tcp, struct ip_endpoint *name);
int tcp_peer_name(struct tcp *tcp, struct ip_endpoint *name);
/* FIONREAD, SIOCOUTQ, SIOCOUTQNSD. */
uint32_t tcp_readable_bytes(struct tcp *tcp);
uint32_t tcp_unacknowledged_bytes(struct tcp *tcp);
uint32_t tcp_unsent_bytes(struct tcp *tcp);

/* struct tcp_info of linux/tcp.h as far as kept, `bytes` of it at most. Bytes filled in. */
size_t tcp_info(struct tcp *tcp, void *info, size_t bytes);

/* For /proc/net/tcp: the n-th connection's names, state (Linux's number), queues. False: no
 * more. Lock held. */
struct tcp_row {
	struct ip_endpoint local, remote;
	uint32_t state, send_queue, receive_queue;
	uint64_t number; /* of its socket */
};
bool tcp_row_locked(uint32_t n, struct tcp_row *row);

/* What tcp_row shows. */
void tcp_set_number(struct tcp *tcp, uint64_t number);

/* At boot; and the counts that tests hold against the start. */
int tcp_init(void);
uint32_t tcp_live_count(void);

#endif
