/*
 * TCP against a peer that is a script: every segment in is the test's, every segment out is
 * caught and looked at. What RFC 9293, 5961, 2018, 6298, 6191 and 1337 say of single segments.
 *
 *     in(SEG, flags, seq, ack, bytes)    a segment of the peer's; numbers count from its SYN and
 *                                        from ours, which are 0
 *     out(flags, seq, ack, bytes)        the next segment that we sent; fails if it is another
 *     out_nothing()                      no more were sent
 */
#include "kernel/net/tcp.h"

#include "abi/linux/errno.h"
#include "arch/host/fake_network.h"
#include "arch/host/fake_threads.h"
#include "kernel/fs/poll.h"
#include "kernel/mm/heap.h"
#include "kernel/net/tcp/connection.h"
#include "lib/endian.h"
#include "lib/test.h"

#include <string.h>

#define MS          1000000ull
#define S           1000000000ull
#define PEER_ISS    1000000u
#define MSS         1000u
#define CAUGHT_MAX  256u
#define OURS_PORT   80
#define PEER_PORT   4000
#define WINDOW_PEER 30000

struct caught {
	uint32_t seq, ack, bytes, sack_start, sack_end;
	uint16_t window, urgent;
	uint8_t flags;
	uint64_t at_ns;
};

static struct caught caught[CAUGHT_MAX];
static uint32_t caught_first, caught_last;
static uint32_t our_iss;
static uint16_t peer_window, peer_port;
static size_t heap_at_start;
static struct tcp *listener, *ours;
static struct ip_address our_address, peer_address;
static uint8_t buffer[1 << 20];

/* ---- the other end ---------------------------------------------------------------------- */

static void note_sack(struct caught *out, const uint8_t *header, uint32_t bytes)
{
	for (uint32_t i = 20; i + 10 <= bytes && header[i] != 0;) {
		if (header[i] == 1) {
			i++;
			continue;
		}
		if (header[i] == 5) {
			out->sack_start = load_be32(header + i + 2) - PEER_ISS;
			out->sack_end = load_be32(header + i + 6) - PEER_ISS;
			return;
		}
		if (header[i + 1] == 0)
			return;
		i += header[i + 1];
	}
}

static bool catch_all(struct packet *packet, const struct ip_flow *flow)
{
	const uint8_t *header = packet_peek(packet, 20);
	uint32_t bytes = (header[12] >> 4) * 4u;
	struct caught *out = &caught[caught_last++ % CAUGHT_MAX];

	(void)flow;
	header = packet_peek(packet, bytes);
	*out = (struct caught){.seq = load_be32(header + 4),
		.ack = load_be32(header + 8),
		.bytes = packet->bytes - bytes,
		.window = load_be16(header + 14),
		.urgent = load_be16(header + 18),
		.flags = header[13],
		.at_ns = fake_now_ns};
	if (out->flags & TCP_SYN)
		our_iss = out->seq;
	out->seq -= our_iss;
	if (out->flags & TCP_ACK)
		out->ack -= PEER_ISS;
	note_sack(out, header, bytes);
	CHECK(caught_last - caught_first <= CAUGHT_MAX);
	return true;
}

static const uint8_t syn_options[] = {2, 4, MSS >> 8, MSS & 255, 4, 2, 1, 1};

/* With options, whose length is a multiple of four. */
static void in_with(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t bytes,
	const uint8_t *options, uint32_t option_bytes)
{
	struct packet *packet = packet_create_linear(20 + option_bytes + bytes);
	struct ip_flow flow = {.source = peer_address, .destination = our_address};
	uint8_t *at = packet->fragments[0].data;

	memset(at, 0, 20);
	store_be16(at, peer_port);
	store_be16(at + 2, OURS_PORT);
	store_be32(at + 4, PEER_ISS + seq);
	if (flags & TCP_ACK)
		store_be32(at + 8, our_iss + ack);
	at[12] = (uint8_t)((20 + option_bytes) / 4 << 4);
	at[13] = flags;
	store_be16(at + 14, peer_window);
	if (flags & TCP_URG)
		store_be16(at + 18, (uint16_t)bytes);
	if (option_bytes)
		memcpy(at + 20, options, option_bytes);
	for (uint32_t i = 0; i < bytes; i++)
		at[20 + option_bytes + i] = (uint8_t)(seq + i);
	packet->flags = PACKET_CHECKSUM_GOOD;
	fake_network_inject(packet, &flow);
}

static void in(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t bytes)
{
	in_with(flags, seq, ack, bytes, syn_options, flags & TCP_SYN ? sizeof(syn_options) : 0);
}

static void in_sack(uint32_t seq, uint32_t ack, uint32_t start, uint32_t end)
{
	uint8_t options[12] = {1, 1, 5, 10};

	store_be32(options + 4, our_iss + start);
	store_be32(options + 8, our_iss + end);
	in_with(TCP_ACK, seq, ack, 0, options, sizeof(options));
}

#define OUT(...) out_at(__LINE__, __VA_ARGS__)

/* The PSH flag is left out of account. */
static const struct caught *out_at(
	int line, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t bytes)
{
	const struct caught *out = &caught[caught_first % CAUGHT_MAX];

	if (caught_first == caught_last) {
		fprintf(stderr, "%s:%d: nothing was sent\n", __FILE__, line);
		exit(1);
	}
	caught_first++;
	if ((out->flags & (uint8_t)~TCP_PSH) != flags || out->seq != seq ||
		(flags & TCP_ACK && out->ack != ack) || out->bytes != bytes) {
		fprintf(stderr,
			"%s:%d: sent flags %#x seq %u ack %u bytes %u, expected %#x %u %u %u\n",
			__FILE__, line, out->flags, out->seq, out->ack, out->bytes, flags, seq, ack,
			bytes);
		exit(1);
	}
	return out;
}

#define OUT_NOTHING() CHECK_EQUAL(caught_last - caught_first, 0)

static void drop_caught(void)
{
	caught_first = caught_last;
}

static void run(uint64_t ns)
{
	fake_network_run(ns);
}

/* ---- beginnings and ends ------------------------------------------------------------------ */

static void start(void)
{
	fake_network_reset();
	srandom(1);
	port_tables_init();
	CHECK_EQUAL(tcp_init(), 0);
	heap_at_start = heap_live_count();
	our_address = ip_address_v4((const uint8_t[4]){10, 0, 0, 2});
	peer_address = ip_address_v4((const uint8_t[4]){10, 0, 0, 1});
	listener = ours = NULL;
	caught_first = caught_last = 0;
	peer_window = WINDOW_PEER;
	peer_port = PEER_PORT;
	fake_network.hook = catch_all;
}

static void listen_with(int backlog)
{
	struct ip_endpoint any = {.port = OURS_PORT};

	listener = tcp_create(true);
	CHECK_EQUAL(tcp_bind(listener, &any), 0);
	CHECK_EQUAL(tcp_listen(listener, backlog), 0);
}

/* An established connection that the peer began. */
static void establish(void)
{
	start();
	listen_with(8);
	in(TCP_SYN, 0, 0, 0);
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	in(TCP_ACK, 1, 1, 0);
	OUT_NOTHING();
	CHECK_EQUAL(tcp_accept(listener, &ours), 0);
}

static void end(void)
{
	if (ours)
		tcp_close(ours, true);
	if (listener)
		tcp_close(listener, false);
	run(400 * S);
	CHECK_EQUAL(tcp_live_count(), 0);
	CHECK_EQUAL(heap_live_count(), heap_at_start);
}

static long put(uint32_t bytes)
{
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return tcp_send(ours, &uio, 0);
}

static long get(uint32_t bytes)
{
	struct uio_part part;
	struct uio uio;

	uio_init_kernel(&uio, &part, buffer, bytes);
	return tcp_receive(ours, &uio, 0);
}

static void set_option(bool *field_of(struct tcp_options *options))
{
	struct tcp_options options;

	tcp_get_options(ours, &options);
	*field_of(&options) = true;
	CHECK_EQUAL(tcp_set_options(ours, &options), 0);
}

static bool *no_delay(struct tcp_options *options)
{
	return &options->no_delay;
}

/* ---- handshakes ------------------------------------------------------------------------------ */

TEST(an_answer_to_a_syn_is_repeated_and_given_up)
{
	uint64_t began;

	start();
	listen_with(8);
	in(TCP_SYN, 0, 0, 0);
	began = OUT(TCP_SYN | TCP_ACK, 0, 1, 0)->at_ns;
	for (uint32_t i = 1; i <= 5; i++) {
		run(S << (i - 1));
		CHECK_EQUAL((OUT(TCP_SYN | TCP_ACK, 0, 1, 0)->at_ns - began) / S, (1u << i) - 1);
	}
	in(TCP_SYN, 0, 0, 0); /* the peer's comes again */
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	run(100 * S);
	OUT_NOTHING();
	CHECK_EQUAL(tcp_live_count(), 1);
	in(TCP_ACK, 1, 1, 0); /* too late */
	OUT(TCP_RST, 1, 0, 0);
	end();
}

TEST(what_is_wrong_in_a_handshake)
{
	start();
	listen_with(8);
	in(TCP_ACK, 1, 77, 0); /* to a listener, and no cookie */
	OUT(TCP_RST, 77, 0, 0);
	in(TCP_SYN | TCP_ACK, 0, 77, 0);
	OUT(TCP_RST, 77, 0, 0);
	in(TCP_RST, 0, 0, 0);
	in(TCP_FIN, 0, 0, 0);
	in(TCP_SYN | TCP_FIN, 0, 0, 0);
	OUT_NOTHING();
	in(TCP_SYN, 0, 0, 0);
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	in(TCP_ACK, 1, 2, 0); /* of what was not sent */
	OUT(TCP_RST, 2, 0, 0);
	in(TCP_ACK, 1, 0, 0);
	OUT(TCP_RST, 0, 0, 0);
	in(TCP_RST, 1, 0, 0);
	OUT_NOTHING();
	CHECK_EQUAL(tcp_live_count(), 1);
	end();
}

static void connect_out(void)
{
	struct ip_endpoint remote = {.port = PEER_PORT}, local = {.port = OURS_PORT};

	start();
	remote.address = peer_address;
	local.address = our_address;
	ours = tcp_create(false);
	CHECK_EQUAL(tcp_bind(ours, &local), 0);
	CHECK_EQUAL(tcp_connect(ours, &remote), -LINUX_EINPROGRESS);
	OUT(TCP_SYN, 0, 0, 0);
}

TEST(connecting)
{
	connect_out();
	in(TCP_SYN | TCP_ACK, 0, 77, 0); /* RFC 9293, 3.10.7.3 */
	OUT(TCP_RST, 77, 0, 0);
	in(TCP_ACK, 0, 77, 0);
	OUT(TCP_RST, 77, 0, 0);
	in(TCP_RST, 0, 0, 0); /* without an acknowledgement */
	in(TCP_FIN, 0, 0, 0);
	OUT_NOTHING();
	in(TCP_SYN | TCP_ACK, 0, 1, 0);
	OUT(TCP_ACK, 1, 1, 0);
	CHECK(tcp_poll(ours) & POLL_OUT);
	in(TCP_SYN | TCP_ACK, 0, 1, 0); /* once more */
	OUT(TCP_ACK, 1, 1, 0);
	end();
	connect_out();
	in(TCP_RST | TCP_ACK, 0, 1, 0);
	OUT_NOTHING();
	CHECK_EQUAL(tcp_take_error(ours), LINUX_ECONNREFUSED);
	end();
}

TEST(both_connect_at_once)
{
	connect_out();
	in(TCP_SYN, 0, 0, 0);
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	CHECK_EQUAL(tcp_poll(ours) & POLL_OUT, 0);
	in(TCP_ACK, 1, 1, 0);
	CHECK(tcp_poll(ours) & POLL_OUT);
	CHECK_EQUAL(put(10), 10);
	OUT(TCP_ACK, 1, 1, 10);
	end();
	connect_out();
	in(TCP_SYN, 0, 0, 0);
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	in(TCP_SYN | TCP_ACK, 0, 1, 0); /* the peer's answer, instead of a bare one */
	if (caught_first != caught_last)
		OUT(TCP_ACK, 1, 1, 0);
	in(TCP_ACK, 1, 1, 5);
	CHECK_EQUAL(get(10), 5);
	end();
}

TEST(a_reset_before_accept_leaves_nothing)
{
	start();
	listen_with(8);
	for (uint16_t i = 0; i < 5; i++) {
		peer_port = (uint16_t)(5000 + i);
		in(TCP_SYN, 0, 0, 0);
		OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
		in(TCP_ACK, 1, 1, 100);
		if (i % 2)
			in(TCP_RST, 101, 0, 0);
	}
	CHECK_EQUAL(tcp_live_count(), 4);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(tcp_accept(listener, &ours), 0);
		CHECK_EQUAL(get(1000), 100);
		tcp_close(ours, true);
	}
	CHECK_EQUAL(tcp_accept(listener, &ours), -LINUX_EAGAIN);
	ours = NULL;
	drop_caught();
	end();
}

TEST(a_flood_of_syns_is_answered_with_cookies)
{
	uint32_t isn[64];

	start();
	listen_with(8);
	for (uint16_t i = 0; i < 64; i++) {
		peer_port = (uint16_t)(5000 + i);
		in(TCP_SYN, 0, 0, 0);
		OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
		isn[i] = our_iss;
	}
	CHECK(tcp_live_count() <= 10);
	peer_port = 5063; /* nothing is kept of this one */
	our_iss = isn[63];
	in(TCP_ACK, 1, 2, 0); /* not the cookie */
	OUT(TCP_RST, 2, 0, 0);
	in(TCP_ACK, 1, 1, 3);
	CHECK_EQUAL(tcp_accept(listener, &ours), 0);
	CHECK_EQUAL(get(10), 3);
	CHECK_EQUAL(put(100), 100);
	drop_caught();
	end();
}

/* ---- data -------------------------------------------------------------------------------- */

TEST(small_data_is_acknowledged_late_and_much_at_once)
{
	establish();
	in(TCP_ACK, 1, 1, 10);
	OUT_NOTHING();
	run(45 * MS);
	OUT(TCP_ACK, 1, 11, 0);
	in(TCP_ACK, 11, 1, MSS);
	in(TCP_ACK, 11 + MSS, 1, MSS);
	drop_caught();
	in(TCP_ACK, 11 + 2 * MSS, 1, 10);
	CHECK_EQUAL(put(5), 5); /* takes the acknowledgement along */
	OUT(TCP_ACK, 1, 21 + 2 * MSS, 5);
	OUT_NOTHING();
	CHECK_EQUAL(get(sizeof(buffer)), 20 + 2 * MSS);
	end();
}

TEST(holes_are_reported_and_filled)
{
	const struct caught *out;

	establish();
	in(TCP_ACK, 101, 1, 100);
	out = OUT(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(out->sack_start, 101);
	CHECK_EQUAL(out->sack_end, 201);
	in(TCP_ACK, 301, 1, 100);
	out = OUT(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(out->sack_start, 301); /* the latest first */
	CHECK_EQUAL(get(1000), -LINUX_EAGAIN);
	in(TCP_ACK, 1, 1, 100);
	out = OUT(TCP_ACK, 1, 201, 0);
	CHECK_EQUAL(out->sack_start, 301);
	in(TCP_ACK, 151, 1, 200); /* overlaps on both sides */
	drop_caught();
	CHECK_EQUAL(get(1000), 400);
	for (uint32_t i = 0; i < 400; i++)
		CHECK_EQUAL(buffer[i], (uint8_t)(1 + i));
	in(TCP_ACK, 101, 1, 50); /* old: the duplicate is reported (RFC 2883) */
	out = OUT(TCP_ACK, 1, 401, 0);
	CHECK_EQUAL(out->sack_start, 101);
	CHECK_EQUAL(out->sack_end, 151);
	end();
}

TEST(a_fin_before_its_data_waits)
{
	establish();
	in(TCP_ACK | TCP_FIN, 101, 1, 50);
	OUT(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(tcp_poll(ours) & POLL_RDHUP, 0);
	in(TCP_ACK, 1, 1, 100);
	OUT(TCP_ACK, 1, 152, 0);
	CHECK_EQUAL(get(1000), 150);
	CHECK_EQUAL(get(1000), 0);
	end();
}

TEST(what_lies_outside_of_the_window)
{
	establish();
	in(TCP_ACK, 1u << 28, 1, 10);
	OUT(TCP_ACK, 1, 1, 0);
	in(TCP_ACK, (uint32_t)-20, 1, 10);
	OUT(TCP_ACK, 1, 1, 0);
	in(TCP_ACK, 1, 100, 10); /* acknowledges what was not sent */
	OUT(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(get(1000), -LINUX_EAGAIN);
	in(0, 1, 0, 10); /* no acknowledgement at all */
	OUT_NOTHING();
	CHECK_EQUAL(get(1000), -LINUX_EAGAIN);
	in(TCP_ACK, 1, 1, 10);
	CHECK_EQUAL(get(1000), 10);
	end();
}

TEST(more_than_the_window_is_cut)
{
	struct tcp_options options;
	uint32_t sent = 0, window;

	establish();
	tcp_get_options(ours, &options);
	options.receive_buffer = 4096;
	CHECK_EQUAL(tcp_set_options(ours, &options), 0);
	while (sent < 200000) {
		in(TCP_ACK, 1 + sent, 1, MSS);
		sent += MSS;
	}
	CHECK(tcp_readable_bytes(ours) <= 70000); /* what was advertised before */
	run(1 * S);
	window = caught[(caught_last - 1) % CAUGHT_MAX].window;
	CHECK_EQUAL(window, 0);
	drop_caught();
	while (get(sizeof(buffer)) > 0)
		;
	CHECK(caught_last != caught_first); /* the window opens, and the peer is told */
	CHECK(caught[(caught_last - 1) % CAUGHT_MAX].window > 0);
	drop_caught();
	end();
}

TEST(urgent_data)
{
	uint8_t byte;

	establish();
	CHECK_EQUAL(tcp_receive_urgent(ours, &byte, false), -LINUX_EINVAL);
	in(TCP_ACK | TCP_URG, 1, 1, 3);
	CHECK(tcp_poll(ours) & POLL_PRI);
	CHECK_EQUAL(tcp_receive_urgent(ours, &byte, false), 1);
	CHECK_EQUAL(byte, 3);
	CHECK_EQUAL(get(100), 2);
	CHECK(tcp_is_at_mark(ours));
	in(TCP_ACK, 4, 1, 3);
	CHECK_EQUAL(get(100), 3);
	CHECK(!tcp_is_at_mark(ours));
	end();
}

/* ---- loss ----------------------------------------------------------------------------------- */

TEST(timeouts_double)
{
	uint64_t before, gap, previous = 0;

	establish();
	set_option(no_delay);
	CHECK_EQUAL(put(10), 10);
	before = OUT(TCP_ACK, 1, 1, 10)->at_ns;
	run(10 * S);
	for (int i = 0; i < 5; i++) {
		uint64_t at = OUT(TCP_ACK, 1, 1, 10)->at_ns;

		gap = at - before;
		/* The first may be the tail loss probe. */
		if (i > 2)
			CHECK(gap > previous * 19 / 10 && gap < previous * 21 / 10);
		previous = gap;
		before = at;
	}
	drop_caught();
	in(TCP_ACK, 1, 11, 0);
	run(60 * S);
	OUT_NOTHING();
	end();
}

TEST(selective_acknowledgements_bring_the_lost_one_at_once)
{
	uint64_t sent_ns;

	establish();
	run(10 * MS);
	CHECK_EQUAL(put(5 * MSS), 5 * MSS);
	sent_ns = fake_now_ns;
	for (uint32_t i = 0; i < 5; i++)
		OUT(TCP_ACK, 1 + i * MSS, 1, MSS);
	run(1 * MS); /* before it probes of its own accord */
	in_sack(1, 1, 1 + MSS, 1 + 2 * MSS);
	in_sack(1, 1, 1 + MSS, 1 + 3 * MSS);
	in_sack(1, 1, 1 + MSS, 1 + 5 * MSS);
	run(30 * MS);
	OUT(TCP_ACK, 1, 1, MSS);
	CHECK(caught[(caught_last - 1) % CAUGHT_MAX].at_ns - sent_ns < 60 * MS);
	OUT_NOTHING(); /* and only that */
	in(TCP_ACK, 1, 1 + 5 * MSS, 0);
	run(10 * S);
	OUT_NOTHING();
	end();
}

TEST(three_duplicates_do_so_without_selective_acknowledgements)
{
	static const uint8_t options[] = {2, 4, MSS >> 8, MSS & 255};

	start();
	listen_with(8);
	in_with(TCP_SYN, 0, 0, 0, options, sizeof(options));
	OUT(TCP_SYN | TCP_ACK, 0, 1, 0);
	in(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(tcp_accept(listener, &ours), 0);
	run(10 * MS);
	CHECK_EQUAL(put(6 * MSS), 6 * MSS);
	drop_caught();
	run(1 * MS);
	for (int i = 0; i < 4; i++)
		in(TCP_ACK, 1, 1, 0);
	run(30 * MS);
	OUT(TCP_ACK, 1, 1, MSS);
	in(TCP_ACK, 1, 1 + 6 * MSS, 0);
	drop_caught();
	end();
}

/* ---- windows --------------------------------------------------------------------------------- */

TEST(a_closed_window_is_probed_less_and_less_often)
{
	uint64_t before, previous = 0;

	establish();
	peer_window = 0;
	in(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(put(3000), 3000);
	OUT_NOTHING();
	run(20 * S);
	before = 0;
	CHECK(caught_last - caught_first >= 4);
	while (caught_first != caught_last) {
		uint64_t at = OUT(TCP_ACK, 0, 1, 0)->at_ns; /* nothing new: one byte back */

		if (before != 0) {
			CHECK(at - before >= previous);
			previous = at - before;
		}
		before = at;
		in(TCP_ACK, 1, 1, 0); /* still closed */
	}
	drop_caught();
	peer_window = WINDOW_PEER;
	in(TCP_ACK, 1, 1, 0);
	for (uint32_t i = 0; i < 3; i++)
		OUT(TCP_ACK, 1 + i * MSS, 1, MSS);
	in(TCP_ACK, 1, 3001, 0);
	end();
}

TEST(the_window_holds_the_sender)
{
	establish();
	peer_window = 2500;
	in(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(put(10000), 10000);
	OUT(TCP_ACK, 1, 1, MSS);
	OUT(TCP_ACK, 1 + MSS, 1, MSS);
	in(TCP_ACK, 1, 1 + 2 * MSS, 0);
	drop_caught();
	in(TCP_ACK, 1, 1 + 2 * MSS, 0);
	CHECK(tcp_unacknowledged_bytes(ours) >= 8000);
	end();
}

/* ---- resets ------------------------------------------------------------------------------------
 */

TEST(only_an_exact_reset_ends_a_connection)
{
	establish();
	in(TCP_RST, 50, 0, 0); /* in the window (RFC 5961, 3.2) */
	OUT(TCP_ACK, 1, 1, 0);
	in(TCP_RST, 1u << 28, 0, 0);
	in(TCP_RST, 60, 0, 0); /* too soon after the first */
	OUT_NOTHING();
	run(60 * MS);
	in(TCP_SYN, 70, 0, 0); /* RFC 5961, 4.2 */
	OUT(TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(tcp_poll(ours) & POLL_HUP, 0);
	in(TCP_RST, 1, 0, 0);
	OUT_NOTHING();
	CHECK_EQUAL(get(10), -LINUX_ECONNRESET);
	CHECK_EQUAL(get(10), 0);
	in(TCP_ACK, 1, 1, 10); /* of no connection */
	OUT(TCP_RST, 1, 0, 0);
	end();
}

TEST(keepalive_asks_and_gives_up)
{
	struct tcp_options options;

	establish();
	tcp_get_options(ours, &options);
	options.keep_alive = true;
	options.keep_idle_seconds = 10;
	options.keep_interval_seconds = 2;
	options.keep_count = 3;
	CHECK_EQUAL(tcp_set_options(ours, &options), 0);
	run(10 * S + 10 * MS);
	OUT(TCP_ACK, 0, 1, 0);
	in(TCP_ACK, 1, 1, 0);
	run(9 * S);
	OUT_NOTHING();
	run(1 * S + 20 * MS);
	for (int i = 0; i < 3; i++) {
		OUT(TCP_ACK, 0, 1, 0);
		run(2 * S);
	}
	OUT(TCP_RST | TCP_ACK, 1, 1, 0);
	CHECK_EQUAL(tcp_take_error(ours), LINUX_ETIMEDOUT);
	end();
}

/* ---- closing ------------------------------------------------------------------------------------
 */

TEST(the_peer_closes_first)
{
	establish();
	in(TCP_ACK | TCP_FIN, 1, 1, 0);
	OUT(TCP_ACK, 1, 2, 0);
	CHECK_EQUAL(put(10), 10); /* half is open */
	OUT(TCP_ACK, 1, 2, 10);
	in(TCP_ACK, 2, 11, 0);
	in(TCP_ACK | TCP_FIN, 1, 11, 0); /* again */
	OUT(TCP_ACK, 11, 2, 0);
	tcp_close(ours, false);
	ours = NULL;
	OUT(TCP_ACK | TCP_FIN, 11, 2, 0);
	run(300 * MS);
	drop_caught(); /* it is sent again */
	in(TCP_ACK, 2, 12, 0);
	CHECK_EQUAL(tcp_live_count(), 1);
	in(TCP_ACK, 2, 12, 0);
	OUT(TCP_RST, 12, 0, 0);
	end();
}

TEST(we_close_first_and_wait)
{
	establish();
	tcp_close(ours, false);
	ours = NULL;
	OUT(TCP_ACK | TCP_FIN, 1, 1, 0);
	in(TCP_ACK, 1, 2, 0);
	in(TCP_ACK | TCP_FIN, 1, 2, 0);
	OUT(TCP_ACK, 2, 2, 0);
	CHECK_EQUAL(tcp_live_count(), 2);
	in(TCP_RST, 2, 0, 0); /* RFC 1337: TIME-WAIT is not to be assassinated */
	CHECK_EQUAL(tcp_live_count(), 2);
	run(50 * S);
	in(TCP_ACK | TCP_FIN, 1, 2, 0); /* our answer was lost: the minute begins anew */
	OUT(TCP_ACK, 2, 2, 0);
	run(50 * S);
	CHECK_EQUAL(tcp_live_count(), 2);
	in(TCP_SYN, 1, 0, 0); /* an old one */
	OUT(TCP_ACK, 2, 2, 0);
	run(11 * S);
	CHECK_EQUAL(tcp_live_count(), 1);
	OUT_NOTHING();
	end();
}

TEST(a_new_connection_takes_over_from_time_wait)
{
	establish();
	tcp_close(ours, false);
	ours = NULL;
	in(TCP_ACK, 1, 2, 0);
	in(TCP_ACK | TCP_FIN, 1, 2, 0);
	drop_caught();
	in(TCP_SYN, 1000, 0, 0);
	OUT(TCP_SYN | TCP_ACK, 0, 1001, 0);
	in(TCP_ACK, 1001, 1, 0);
	CHECK_EQUAL(tcp_accept(listener, &ours), 0);
	end();
}

TEST(both_close_at_once)
{
	establish();
	tcp_close(ours, false);
	ours = NULL;
	OUT(TCP_ACK | TCP_FIN, 1, 1, 0);
	in(TCP_ACK | TCP_FIN, 1, 1, 0);
	OUT(TCP_ACK, 2, 2, 0);
	in(TCP_ACK, 2, 2, 0);
	OUT_NOTHING();
	CHECK_EQUAL(tcp_live_count(), 2); /* TIME-WAIT */
	run(61 * S);
	CHECK_EQUAL(tcp_live_count(), 1);
	end();
}

TEST(nobody_reads_what_comes_after_a_close)
{
	establish();
	tcp_close(ours, false);
	ours = NULL;
	OUT(TCP_ACK | TCP_FIN, 1, 1, 0);
	in(TCP_ACK, 1, 2, 10);
	OUT(TCP_RST | TCP_ACK, 2, 1, 0);
	CHECK_EQUAL(tcp_live_count(), 1);
	end();
	/* Half closed, it is read. */
	establish();
	CHECK_EQUAL(tcp_shutdown(ours, 2), 0);
	OUT(TCP_ACK | TCP_FIN, 1, 1, 0);
	in(TCP_ACK, 1, 2, 10);
	CHECK_EQUAL(get(100), 10);
	in(TCP_ACK | TCP_FIN, 11, 2, 0);
	CHECK_EQUAL(get(100), 0);
	drop_caught();
	end();
}

TEST(fin_wait_does_not_last)
{
	establish();
	tcp_close(ours, false);
	ours = NULL;
	drop_caught();
	in(TCP_ACK, 1, 2, 0); /* and never a FIN */
	run(59 * S);
	CHECK_EQUAL(tcp_live_count(), 2);
	run(2 * S);
	CHECK_EQUAL(tcp_live_count(), 1);
	end();
}

TEST_DEFINE_MAIN
