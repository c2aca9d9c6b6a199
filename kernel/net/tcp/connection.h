/*
 * What a TCP connection is made of. For kernel/net/tcp/ only; the network lock is held in
 * every function of these headers, and tcp_now_ns was set when it was taken.
 *
 * Theory of operation. Bytes to send lie in blocks (send_queue.c), in order, from snd_una
 * on; what was sent is described by records (struct tcp_sent: a range, when it was sent,
 * whether it was selectively acknowledged or is deemed lost). An acknowledgement (ack.c)
 * changes records, recovery.c decides by time what is lost (RFC 8985) and how much may be in
 * flight (RFC 6937, congestion.c), output.c sends lost ranges and then new ones. Received
 * packets are queued as they came (receive_queue.c), those out of order aside.
 *
 * A connection has one timer in the wheel (timer.c) and several deadlines; the wheel may
 * wake it earlier than the earliest of them, never later.
 */
#ifndef KERNEL_NET_TCP_CONNECTION_H
#define KERNEL_NET_TCP_CONNECTION_H

#include "kernel/net/ip.h"
#include "kernel/net/packet.h"
#include "kernel/net/port.h"
#include "kernel/net/tcp.h"

#define TCP_NS_PER_MS 1000000ull
#define TCP_NS_PER_S  1000000000ull

/* As Linux numbers them. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSED,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

enum tcp_flags {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
};

/* ---- sequence numbers ------------------------------------------------------------- */

static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(b - a) < 0;
}

/* ---- names, in one hash table ------------------------------------------------------- */

struct tcp_name {
	struct ip_address local, remote;
	uint16_t local_port, remote_port;
	uint32_t scope; /* device of link-local addresses */
};

struct tcp_entry {
	struct tcp_entry *next;
	uint32_t hash;
	bool is_time_wait; /* struct tcp_time_wait, else struct tcp */
	bool is_linked;
	struct tcp_name name;
};

/* ---- timers ------------------------------------------------------------------------- */

struct tcp_timer {
	struct list link;
	uint64_t tick; /* milliseconds of the monotonic clock */
	void (*fn)(struct tcp_timer *timer);
};

/* What the retransmission deadline is for. */
enum tcp_retransmit_kind {
	TCP_TIMER_RTO,
	TCP_TIMER_PROBE,   /* tail loss probe */
	TCP_TIMER_REORDER, /* RACK */
	TCP_TIMER_PERSIST, /* zero window, corked data */
};

/* ---- a segment that came in ------------------------------------------------------------ */

struct tcp_range {
	uint32_t start, end;
};

struct tcp_segment {
	struct packet *packet; /* its payload; NULL once it was taken */
	const struct ip_received *ip;
	uint32_t seq, ack, bytes;
	uint32_t window; /* as in the header */
	uint16_t local_port, remote_port, urgent;
	uint8_t flags;
	bool has_timestamp, sack_permitted, has_scale;
	uint8_t scale, sack_count;
	uint16_t mss; /* 0: not given */
	uint32_t ts_value, ts_echo;
	struct tcp_range sacks[4];
};

/* ---- what was sent ------------------------------------------------------------------- */

enum tcp_sent_flags {
	TCP_SENT_SACKED = 1,
	TCP_SENT_LOST = 2,
	TCP_SENT_AGAIN = 4, /* lost, and sent again: in flight once more */
	TCP_SENT_EVER_AGAIN = 8,
	TCP_SENT_FIN = 16, /* the last sequence number is the FIN's */
};

struct tcp_sent {
	struct list link;
	uint32_t start, end;
	uint32_t flags;
	uint64_t sent_ns;
};

struct tcp_block; /* send_queue.c */

/* Of a device whose peers end a handshake late (NET_DEVICE_ACKS_LATE): deadlines.c. */
struct tcp_late_peer {
	struct net_device *device; /* NULL: it is no such device, or not asked any more */
	uint16_t question;         /* of ip_ask_device() */
	uint8_t looks;             /* for the answer */
};

enum tcp_recovery_state {
	TCP_OPEN,
	TCP_RECOVERY,
	TCP_LOSS, /* after a timeout */
};

struct tcp_congestion {
	const char *name;
	void (*start)(struct tcp *tcp);
	void (*acked)(struct tcp *tcp, uint32_t bytes); /* grows the window */
	uint32_t (*reduced)(struct tcp *tcp);           /* the threshold after a loss */
};

struct tcp_cubic {
	uint64_t epoch_ns; /* 0: none */
	uint32_t maximum, origin, friendly, k_ms;
	/* HyStart (RFC 9406) */
	uint32_t round_end, round_min_us, last_round_min_us, round_samples;
};

struct tcp_listener {
	struct list link;      /* in its port's bucket */
	struct list accepted;  /* struct tcp.queue_link: established */
	struct list half_open; /* struct tcp.queue_link */
	uint32_t accepted_count, half_open_count, backlog;
	struct tcp *tcp;
};

struct tcp {
	struct tcp_entry entry; /* first: the name is compared for every segment */

	/* Read without the lock by tcp_poll(). */
	uint8_t state;
	bool is_orphan; /* nobody holds the handle */
	bool receive_shut, send_shut, fin_received, urgent_pending;
	bool was_connected;
	int error;           /* positive */
	uint32_t readable;   /* bytes in order, not yet consumed */
	uint32_t queued;     /* bytes in the send queue */
	uint32_t send_limit; /* of queued */
	uint32_t unsent;     /* of queued */

	/* Sending (RFC 9293, 3.3.1). */
	uint32_t snd_una, snd_nxt, snd_window, snd_wl1, snd_wl2, max_window, iss;
	uint32_t queue_end; /* sequence number after the last byte queued */
	bool fin_queued, fin_sent, syn_acked;
	uint8_t snd_scale, rcv_scale;
	bool use_timestamps, use_sack, use_scale;
	uint16_t mss;      /* payload of a full segment, options taken off */
	uint16_t path_mss; /* without options */
	uint16_t peer_mss;
	struct list blocks, sent;
	struct tcp_block *cursor; /* the block that holds snd_nxt, NULL: look */
	uint32_t small_end;       /* end of the last segment shorter than mss (Nagle) */
	uint32_t urgent_send;     /* sequence number after the urgent byte */
	bool urgent_to_send, push_now, more_to_come;

	/* Loss recovery and congestion. */
	uint8_t recovery, backoff, retransmit_kind;
	bool is_cwnd_limited, undo_possible, tlp_pending, tlp_is_retransmission, reordering_seen;
	uint32_t cwnd, ssthresh, recovery_end, sacked_bytes, lost_bytes, again_bytes;
	uint32_t highest_sacked, duplicate_acks, high_in_flight;
	uint32_t prr_delivered, prr_out, prr_start;
	uint32_t undo_cwnd, undo_ssthresh, undo_stamp, tlp_end;
	uint32_t srtt_us, rttvar_us, rto_ms, min_rtt_us, rack_rtt_us, rack_end, last_rtt_us;
	uint64_t rack_sent_ns, last_sent_ns, first_failure_ns;
	uint32_t retransmissions, total_retransmissions;
	const struct tcp_congestion *congestion;
	struct tcp_cubic cubic;

	/* Receiving. */
	uint32_t rcv_nxt, rcv_advertised, irs; /* right edge told to the peer */
	uint32_t rcv_limit;                    /* bytes that may be queued */
	uint32_t copied;                       /* sequence number up to which the program read */
	uint32_t urgent_at;                    /* sequence number of the urgent byte */
	bool urgent_valid, has_mark;
	uint32_t mark_ahead; /* bytes to read before the mark, with has_mark */
	uint32_t ts_recent, ts_offset, ts_last_ack;
	uint64_t ts_recent_ns, last_received_ns;
	uint32_t ack_pending_bytes, ack_pending_segments;
	bool ack_now, ack_delayed;
	uint8_t quick_acks;
	uint16_t rcv_mss;
	struct list received, early;   /* in order; out of order, by sequence */
	struct list reading;           /* taken by the receiver: its own, without the lock */
	uint32_t memory, early_memory; /* that the packets keep from others, roughly */
	uint8_t urgent_byte;
	struct tcp_range duplicate;  /* to report (RFC 2883); empty: none */
	struct tcp_range last_early; /* what was queued latest: reported first */
	uint64_t created_ns;
	uint32_t reading_offset; /* consumed of the first packet of `reading` */
	uint32_t tune_copied, rcv_rtt_us;
	uint64_t tune_ns;
	uint64_t challenge_ns;

	/* Deadlines; 0: none. */
	struct tcp_timer timer;
	uint64_t retransmit_ns, delayed_ack_ns, keep_ns;
	uint32_t probes; /* unanswered: of keepalive or of a closed window */

	struct wait_queue events;
	struct port_binding binding;
	struct ip_endpoint bound; /* what bind(2) was given */
	struct ip_flow flow;
	struct tcp_options options;
	struct tcp_listener *listener; /* LISTEN */
	struct tcp *parent;            /* of a connection not accepted yet */
	struct tcp_late_peer late;     /* SYN-RECEIVED, from such a device */
	struct list queue_link;
	uint64_t number;
};

struct tcp_time_wait {
	struct tcp_entry entry;
	struct list link; /* oldest first */
	struct port_binding binding;
	uint64_t since_ns;
	uint32_t snd_nxt, rcv_nxt, rcv_window, ts_recent, ts_offset, device_index;
	bool use_timestamps;
	uint8_t traffic_class;
};

extern uint64_t tcp_now_ns;

/* Takes the network lock and the time; tcp_leave() gives the former back. */
void tcp_enter(void);
void tcp_leave(void);

static inline uint32_t tcp_now_ms(void)
{
	return (uint32_t)(tcp_now_ns / TCP_NS_PER_MS);
}

/* ---- table.c ------------------------------------------------------------------------ */

int tcp_table_init(void);
struct tcp_entry *tcp_table_find(const struct tcp_name *name);
void tcp_table_add(struct tcp_entry *entry);
void tcp_table_remove(struct tcp_entry *entry);
/* The n-th entry, in no order; NULL: no more. */
struct tcp_entry *tcp_table_nth(uint32_t n);
void tcp_listener_add(struct tcp *tcp);
uint32_t tcp_listener_count(void);
bool tcp_listener_row(uint32_t n, struct tcp_row *row);
struct tcp *tcp_listener_find(const struct tcp_name *name, const struct net_device *device);
/* A keyed hash (SipHash-2-4) of the name and a word: for sequence numbers and cookies. */
uint64_t tcp_name_hash(const struct tcp_name *name, uint64_t word);
/* RFC 6528. */
uint32_t tcp_initial_sequence(const struct tcp_name *name);

/* ---- timer.c ------------------------------------------------------------------------- */

void tcp_timer_init(void);
/* Makes sure that it fires at `deadline_ns` or earlier. */
void tcp_timer_need(struct tcp_timer *timer, uint64_t deadline_ns);
void tcp_timer_cancel(struct tcp_timer *timer);
/* deadlines.c: looks at all deadlines of a connection; a struct tcp_timer's fn. */
void tcp_deadline_passed(struct tcp_timer *timer);
void tcp_set_retransmit(struct tcp *tcp, enum tcp_retransmit_kind kind, uint64_t after_ns);
/* After an answer to a SYN was sent: when to look again. */
void tcp_await_established(struct tcp *tcp);
void tcp_set_keep(struct tcp *tcp, uint64_t after_ns);
void tcp_set_delayed_ack(struct tcp *tcp);
/* Starts the time that keepalive, if on, waits for. */
void tcp_keep_alive_restart(struct tcp *tcp);

/* ---- header.c -------------------------------------------------------------------------- */

/* False: malformed. Takes the header off the packet. */
bool tcp_segment_parse(struct tcp_segment *segment);

struct tcp_header {
	const struct ip_flow *flow;
	uint16_t local_port, remote_port, window, urgent, mss, segment_bytes;
	uint32_t seq, ack, ts_value, ts_echo;
	uint8_t flags, scale, sack_count;
	bool has_timestamp, sack_permitted, has_scale;
	struct tcp_range sacks[4];
};

/* Puts the header before the payload and sends it; the packet is consumed. */
int tcp_header_send(struct packet *packet, const struct tcp_header *header);

/* ---- state.c --------------------------------------------------------------------------- */

void tcp_set_state(struct tcp *tcp, enum tcp_state state);
/* Ends the connection: out of the table, queues emptied, `error` (positive, or 0) told. The
 * tcp itself is freed by tcp_bury() if nobody holds it. */
void tcp_end(struct tcp *tcp, int error);
/* Frees those that ended; the last thing to do before the lock is given back. */
void tcp_bury(void);
/* Sets up what follows from the name and the route: flow, sizes, sequence number. */
void tcp_prepare(struct tcp *tcp, const struct ip_route *route);
void tcp_update_mss(struct tcp *tcp, uint32_t mtu);
/* The handshake is over. */
void tcp_established(struct tcp *tcp);
void tcp_wake(struct tcp *tcp, uint32_t events);
/* Leaves a struct tcp_time_wait in the table in its place. */
void tcp_enter_time_wait(struct tcp *tcp);
struct tcp *tcp_allocate(bool is_v6);
/* Of one that ended: as allocated, but for events, options and number. Its queues are empty. */
void tcp_reset_fields(struct tcp *tcp);

/* ---- send_queue.c ------------------------------------------------------------------------ */

/* Of the program's bytes, without the lock. NULL: no memory or a fault (*error). */
struct tcp_block *tcp_block_create(struct uio *uio, uint32_t bytes, int *error);
void tcp_block_free(struct tcp_block *block);
void tcp_send_queue_append(struct tcp *tcp, struct tcp_block *block);
/* Drops what is before snd_una. */
void tcp_send_queue_acked(struct tcp *tcp);
void tcp_send_queue_clear(struct tcp *tcp);
/* Adds [seq, +bytes) to the packet; the bytes that found room in its fragments. */
uint32_t tcp_send_queue_add(struct tcp *tcp, struct packet *packet, uint32_t seq, uint32_t bytes);
void tcp_send_limit_update(struct tcp *tcp);

/* ---- output.c ---------------------------------------------------------------------------- */

/* Sends what may be sent: lost ranges, new ones, an acknowledgement if due. */
void tcp_output(struct tcp *tcp);
/* An acknowledgement without data; seq as given or snd_nxt. */
void tcp_send_ack(struct tcp *tcp);
void tcp_send_probe(struct tcp *tcp); /* an old sequence number: makes the peer answer */
/* Not more than one in 50 ms for a connection (RFC 5961, section 7). */
void tcp_send_challenge(struct tcp *tcp);
void tcp_send_syn(struct tcp *tcp);
void tcp_send_reset(struct tcp *tcp);
/* An answer to a segment of no connection. */
void tcp_reply_reset(const struct tcp_segment *segment);
/* Sends one range again or, with more than was sent so far, anew. */
bool tcp_send_range(struct tcp *tcp, uint32_t seq, uint32_t bytes);
bool tcp_send_last_again(struct tcp *tcp);
/* Sends one segment of new data in spite of the congestion window. False: none. */
bool tcp_send_new_probe(struct tcp *tcp);
/* New room to advertise, after the program has read. */
void tcp_window_update(struct tcp *tcp);
uint32_t tcp_receive_window(struct tcp *tcp);
uint32_t tcp_in_flight(const struct tcp *tcp);

/* ---- ack.c, recovery.c, congestion.c ------------------------------------------------------- */

/* False: the segment is to be dropped. */
bool tcp_process_ack(struct tcp *tcp, const struct tcp_segment *segment);
struct tcp_ack_result {
	uint32_t delivered; /* bytes newly known to have arrived */
	bool advanced, sacked, duplicate_reported;
	uint32_t rtt_us; /* 0: no sample */
};
/* Applies what an acknowledgement says about losses. */
void tcp_recovery_acked(
	struct tcp *tcp, const struct tcp_segment *segment, const struct tcp_ack_result *result);
void tcp_recovery_timeout(struct tcp *tcp);
void tcp_recovery_reorder_timeout(struct tcp *tcp);
void tcp_recovery_probe(struct tcp *tcp);
/* Chooses and sets the deadline for what is in flight. */
void tcp_recovery_arm(struct tcp *tcp);
void tcp_rtt_sample(struct tcp *tcp, uint32_t rtt_us);
void tcp_sent_mark_lost(struct tcp *tcp, struct tcp_sent *sent);
/* Cuts a record in two. NULL: no memory. */
struct tcp_sent *tcp_sent_split(struct tcp *tcp, struct tcp_sent *sent, uint32_t at);
void tcp_sent_clear(struct tcp *tcp);
const struct tcp_congestion *tcp_congestion_find(const char *name);
uint32_t tcp_initial_window(const struct tcp *tcp);

/* ---- receive_queue.c ------------------------------------------------------------------------ */

/* Queues the payload and FIN of an acceptable segment. */
void tcp_receive_segment(struct tcp *tcp, struct tcp_segment *segment);
void tcp_receive_queue_clear(struct tcp *tcp);
/* The blocks to report, newest first; their count. */
uint32_t tcp_receive_sacks(struct tcp *tcp, struct tcp_range ranges[4], uint32_t limit);
/* After the program consumed bytes: the limit grows with the speed (RFC-less; see there). */
void tcp_receive_tune(struct tcp *tcp);

/* ---- listen.c, cookie.c, time_wait.c ----------------------------------------------------------
 */

void tcp_listen_input(struct tcp *tcp, struct tcp_segment *segment, const struct tcp_name *name);
/* A connection that came with the third segment. False: the accept queue is full. */
bool tcp_listen_complete(struct tcp *tcp);
void tcp_listen_forget(struct tcp *tcp); /* takes a child out of its listener's queue */
void tcp_listen_close(struct tcp *tcp);
/* What a SYN's options say. */
void tcp_apply_syn(struct tcp *tcp, const struct tcp_segment *segment);
/* input.c: a segment for a connection past its SYN. */
void tcp_connection_input(struct tcp *tcp, struct tcp_segment *segment);
uint32_t tcp_cookie_make(
	const struct tcp_name *name, const struct tcp_segment *segment, uint32_t *ts_value);
struct tcp_cookie {
	uint16_t mss;
	uint8_t scale;
	bool has_scale, sack_permitted;
};
bool tcp_cookie_check(
	const struct tcp_name *name, const struct tcp_segment *segment, struct tcp_cookie *cookie);
uint16_t tcp_path_mss(const struct ip_flow *flow, uint32_t mtu);

void tcp_time_wait_init(void);
bool tcp_time_wait_add(struct tcp *tcp);
/* True: a SYN may take the name over, and the entry is gone. Consumes nothing. */
bool tcp_time_wait_input(struct tcp_time_wait *wait, struct tcp_segment *segment);
/* Whether connect() may take the name; then the entry is gone. */
bool tcp_time_wait_reuse(struct tcp_time_wait *wait, uint32_t *sequence);
uint32_t tcp_time_wait_count(void);

extern uint32_t tcp_live;

#endif
