/*
 * Frames between rings and a fake tap (a socket pair that keeps the bounds of messages) or a
 * fake passt (a stream), and guests that offer nonsense.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "monitor/net.h"
#include "monitor/net_decode.h"

#define MEMORY_BYTES 0x80000
#define RX_AT        0x1000ull
#define TX_AT        0x3000ull
#define BUFFERS_AT   0x8000ull
#define SIZE         64
#define FLAG_NEXT    1
#define FLAG_WRITE   2
#define BUFFER       2048
#define FRAME        100

struct rig {
	struct guest_memory memory;
	struct net_device *device;
	uint8_t *bytes;
	int peer;
	unsigned interrupts;
	uint16_t rx_offered, tx_offered;
};

static void count_interrupt(struct net_device *device)
{
	struct rig *rig = device->context;

	rig->interrupts++;
}

static void make_rings(struct rig *rig)
{
	CHECK(ring_init(&rig->device->to_guest, &rig->memory, RX_AT, RX_AT + 0x800, RX_AT + 0x1000,
		SIZE, true));
	CHECK(ring_init(&rig->device->from_guest, &rig->memory, TX_AT, TX_AT + 0x800,
		TX_AT + 0x1000, SIZE, false));
}

static struct rig *make_rig(bool is_stream)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int ends[2];

	rig->bytes = calloc(1, MEMORY_BYTES);
	rig->device = calloc(1, sizeof(*rig->device));
	CHECK(rig->bytes && rig->device);
	CHECK(guest_memory_add(&rig->memory, 0, MEMORY_BYTES, rig->bytes, true));
	CHECK_EQUAL(socketpair(AF_UNIX, (is_stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK,
			    0, ends),
		0);
	rig->peer = ends[1];
	rig->device->name = "eth0";
	rig->device->interrupt = count_interrupt;
	rig->device->context = rig;
	make_rings(rig);
	if (is_stream)
		CHECK(net_open_stream(rig->device, ends[0]));
	else
		net_open_tap(rig->device, ends[0]);
	return rig;
}

static void free_rig(struct rig *rig)
{
	close(rig->peer);
	close(rig->device->fd);
	free(rig->device->stream);
	free(rig->device);
	free(rig->bytes);
	free(rig);
}

static void describe(struct ring *ring, uint16_t id, uint64_t address, uint32_t bytes,
	uint16_t flags, uint16_t next)
{
	ring->descriptors[id] = (struct ring_descriptor){address, bytes, flags, next};
}

static void offer(struct ring *ring, uint16_t *offered, uint16_t id)
{
	ring->available->entries[*offered % SIZE] = id;
	ring->available->index = ++*offered;
}

/* `count` receive buffers of one part each. */
static void offer_buffers(struct rig *rig, uint16_t count, uint32_t bytes)
{
	for (uint16_t i = 0; i < count; i++) {
		uint16_t id = rig->rx_offered % SIZE;

		describe(&rig->device->to_guest, id, BUFFERS_AT + id * (uint64_t)BUFFER, bytes,
			FLAG_WRITE, 0);
		offer(&rig->device->to_guest, &rig->rx_offered, id);
	}
}

/* A frame of `bytes`, its header apart from the rest. */
static void send_frame(struct rig *rig, uint32_t bytes, uint8_t fill)
{
	struct ring *ring = &rig->device->from_guest;
	uint16_t id = (uint16_t)(2 * rig->tx_offered) % SIZE;
	uint64_t at = BUFFERS_AT + rig->tx_offered * 0x1000ull % 0x40000;

	memset(rig->bytes + at, 0, NET_HEADER_BYTES);
	memset(rig->bytes + at + NET_HEADER_BYTES, fill, bytes);
	describe(ring, id, at, NET_HEADER_BYTES, FLAG_NEXT, id + 1);
	describe(ring, id + 1, at + NET_HEADER_BYTES, bytes, 0, 0);
	offer(ring, &rig->tx_offered, id);
}

static uint16_t buffer_count(const struct rig *rig, uint16_t id)
{
	uint16_t count;

	memcpy(&count, rig->bytes + BUFFERS_AT + id * (uint64_t)BUFFER + 10, sizeof(count));
	return count;
}

TEST(a_frame_goes_to_the_tap_as_it_is)
{
	struct rig *rig = make_rig(false);
	uint8_t got[4096];

	send_frame(rig, FRAME, 7);
	send_frame(rig, FRAME + 1, 8);
	CHECK(net_transmit(rig->device));
	CHECK(!net_transmit(rig->device));
	CHECK_EQUAL(read(rig->peer, got, sizeof(got)), NET_HEADER_BYTES + FRAME);
	CHECK_EQUAL(got[NET_HEADER_BYTES], 7);
	CHECK_EQUAL(read(rig->peer, got, sizeof(got)), NET_HEADER_BYTES + FRAME + 1);
	CHECK_EQUAL(rig->device->from_guest.used->index, 2);
	CHECK_EQUAL(rig->interrupts, 1); /* used_event is 0 */
	free_rig(rig);
}

TEST(what_is_no_frame_is_given_back_and_not_sent)
{
	struct rig *rig = make_rig(false);
	uint8_t got[64];

	send_frame(rig, 13, 1);
	describe(&rig->device->from_guest, 40, BUFFERS_AT, NET_FRAME_MAX + NET_HEADER_BYTES + 1, 0,
		0);
	offer(&rig->device->from_guest, &rig->tx_offered, 40);
	CHECK(!net_transmit(rig->device));
	CHECK_EQUAL(rig->device->from_guest.used->index, 2);
	CHECK_EQUAL(read(rig->peer, got, sizeof(got)), -1);
	CHECK(net_broken(rig->device) == NULL);
	free_rig(rig);
}

TEST(a_full_tap_keeps_the_frame)
{
	struct rig *rig = make_rig(false);
	uint8_t got[4096];
	unsigned sent = 0, received = 0;

	while (!rig->device->is_blocked && sent < 10000) {
		send_frame(rig, 3000, 5);
		sent++;
		net_transmit(rig->device);
	}
	CHECK(rig->device->is_blocked);
	CHECK_EQUAL(net_events(rig->device) & POLLOUT, POLLOUT);
	CHECK(!net_transmit(rig->device));
	while (read(rig->peer, got, sizeof(got)) > 0)
		received++;
	net_note_events(rig->device, POLLOUT);
	CHECK(net_transmit(rig->device));
	while (read(rig->peer, got, sizeof(got)) > 0)
		received++;
	CHECK_EQUAL(received, sent);
	free_rig(rig);
}

TEST(a_frame_from_the_tap_fills_as_many_buffers_as_it_needs)
{
	struct rig *rig = make_rig(false);
	uint8_t frame[NET_HEADER_BYTES + 5000];

	memset(frame, 3, sizeof(frame));
	offer_buffers(rig, 40, BUFFER);
	CHECK_EQUAL(write(rig->peer, frame, sizeof(frame)), sizeof(frame));
	CHECK_EQUAL(write(rig->peer, frame, 60), 60);
	CHECK(net_receive(rig->device));
	CHECK_EQUAL(rig->device->to_guest.used->index, 4);
	CHECK_EQUAL(buffer_count(rig, 0), 3);
	CHECK_EQUAL(buffer_count(rig, 3), 1);
	CHECK_EQUAL(rig->device->to_guest.used->entries[0].bytes, BUFFER);
	CHECK_EQUAL(rig->device->to_guest.used->entries[2].bytes, sizeof(frame) - 2 * BUFFER);
	CHECK_EQUAL(rig->device->to_guest.used->entries[3].bytes, 60);
	CHECK_EQUAL(rig->bytes[BUFFERS_AT + 100], 3);
	CHECK_EQUAL(rig->bytes[BUFFERS_AT + BUFFER], 3);
	free_rig(rig);
}

TEST(frames_wait_while_the_guest_offers_too_little)
{
	struct rig *rig = make_rig(false);
	uint8_t frame[60] = {0};

	offer_buffers(rig, 10, BUFFER);
	CHECK_EQUAL(write(rig->peer, frame, sizeof(frame)), sizeof(frame));
	CHECK(!net_receive(rig->device));
	CHECK(rig->device->is_starved);
	CHECK_EQUAL(net_events(rig->device), 0);
	CHECK(!net_prepare_sleep(rig->device));
	/* The doorbell is asked for behind the buffers that are there. */
	CHECK_EQUAL(*(uint16_t *)(void *)&rig->device->to_guest.used->entries[SIZE], 10);
	offer_buffers(rig, 30, BUFFER);
	CHECK(net_prepare_sleep(rig->device));
	CHECK(net_receive(rig->device));
	CHECK_EQUAL(rig->device->to_guest.used->index, 1);
	free_rig(rig);
}

TEST(chains_of_several_parts_are_kept_whole)
{
	struct rig *rig = make_rig(false);
	struct ring *ring = &rig->device->to_guest;
	uint8_t frame[NET_HEADER_BYTES + 100];

	memset(frame, 9, sizeof(frame));
	describe(ring, 0, BUFFERS_AT, 12, FLAG_WRITE | FLAG_NEXT, 1);
	describe(ring, 1, BUFFERS_AT + 0x1000, 0x10000, FLAG_WRITE, 0);
	describe(ring, 2, BUFFERS_AT + 0x20000, 0x10000, FLAG_WRITE, 0);
	offer(ring, &rig->rx_offered, 0);
	offer(ring, &rig->rx_offered, 2);
	CHECK_EQUAL(write(rig->peer, frame, sizeof(frame)), sizeof(frame));
	CHECK(net_receive(rig->device));
	CHECK_EQUAL(ring->used->index, 1);
	CHECK_EQUAL(ring->used->entries[0].bytes, sizeof(frame));
	CHECK_EQUAL(buffer_count(rig, 0), 1);
	CHECK_EQUAL(rig->bytes[BUFFERS_AT + 0x1000 + 99], 9);
	free_rig(rig);
}

TEST(a_buffer_shorter_than_the_header_breaks_the_device)
{
	struct rig *rig = make_rig(false);
	struct ring *ring = &rig->device->to_guest;
	uint8_t frame[60] = {0};

	describe(ring, 0, BUFFERS_AT, 4, FLAG_WRITE | FLAG_NEXT, 1);
	describe(ring, 1, BUFFERS_AT + 0x1000, 0x20000, FLAG_WRITE, 0);
	offer(ring, &rig->rx_offered, 0);
	CHECK_EQUAL(write(rig->peer, frame, sizeof(frame)), sizeof(frame));
	net_receive(rig->device);
	CHECK(net_broken(rig->device) != NULL);
	CHECK(!net_receive(rig->device));
	free_rig(rig);
}

TEST(frames_to_passt_go_after_their_length)
{
	struct rig *rig = make_rig(true);
	uint8_t got[4096];
	uint32_t length;

	send_frame(rig, FRAME, 7);
	send_frame(rig, 2 * FRAME, 8);
	CHECK(net_transmit(rig->device));
	CHECK_EQUAL(read(rig->peer, got, sizeof(got)), 3 * FRAME + 8);
	memcpy(&length, got, 4);
	CHECK_EQUAL(ntohl(length), FRAME);
	CHECK_EQUAL(got[4], 7);
	memcpy(&length, got + 4 + FRAME, 4);
	CHECK_EQUAL(ntohl(length), 2 * FRAME);
	CHECK_EQUAL(got[8 + FRAME], 8);
	free_rig(rig);
}

/* Reads the stream and checks that it is in step. */
static void drain(struct rig *rig, uint8_t *stream, size_t *have, unsigned *frames)
{
	ssize_t bytes;

	while ((bytes = read(rig->peer, stream + *have, 0x20000 - *have)) > 0) {
		size_t at = 0;

		*have += (size_t)bytes;
		while (*have - at >= 4) {
			uint32_t length;

			memcpy(&length, stream + at, 4);
			length = ntohl(length);
			CHECK_EQUAL(length, 3001);
			if (*have - at < 4 + length)
				break;
			CHECK_EQUAL(stream[at + 4], stream[at + 4 + length - 1]);
			at += 4 + length;
			++*frames;
		}
		memmove(stream, stream + at, *have - at);
		*have -= at;
	}
}

TEST(a_frame_sent_in_part_keeps_the_stream_in_step)
{
	struct rig *rig = make_rig(true);
	uint8_t *stream = malloc(0x20000);
	size_t have = 0;
	unsigned sent = 0, frames = 0;

	for (int round = 0; round < 20; round++) {
		while (!rig->device->is_blocked) {
			send_frame(rig, 3001, (uint8_t)sent++);
			net_transmit(rig->device);
			CHECK(sent < 100000);
		}
		drain(rig, stream, &have, &frames);
		net_note_events(rig->device, POLLOUT);
		net_transmit(rig->device);
	}
	do
		drain(rig, stream, &have, &frames);
	while (net_transmit(rig->device) || frames < sent);
	CHECK_EQUAL(frames, sent);
	CHECK_EQUAL(have, 0);
	free(stream);
	free_rig(rig);
}

TEST(frames_from_passt_in_pieces)
{
	struct rig *rig = make_rig(true);
	uint8_t sent[2 * (4 + FRAME)];
	uint32_t length = htonl(FRAME);

	memset(sent, 6, sizeof(sent));
	memcpy(sent, &length, 4);
	memcpy(sent + 4 + FRAME, &length, 4);
	offer_buffers(rig, 10, BUFFER);
	for (size_t i = 0; i < sizeof(sent); i++) {
		CHECK_EQUAL(write(rig->peer, sent + i, 1), 1);
		net_receive(rig->device);
		CHECK_EQUAL(rig->device->to_guest.used->index, (i + 1) / (4 + FRAME));
	}
	CHECK_EQUAL(buffer_count(rig, 1), 1);
	CHECK_EQUAL(rig->device->to_guest.used->entries[1].bytes, NET_HEADER_BYTES + FRAME);
	CHECK_EQUAL(rig->bytes[BUFFERS_AT + NET_HEADER_BYTES], 6);
	free_rig(rig);
}

TEST(the_end_of_passt_ends_the_interface_only)
{
	struct rig *rig = make_rig(true);

	close(rig->peer);
	offer_buffers(rig, 10, BUFFER);
	CHECK(!net_receive(rig->device));
	CHECK(rig->device->has_ended);
	CHECK_EQUAL(net_events(rig->device), 0);
	send_frame(rig, FRAME, 1);
	CHECK(net_transmit(rig->device));
	CHECK_EQUAL(rig->device->from_guest.used->index, 1);
	CHECK(net_broken(rig->device) == NULL);
	rig->peer = dup(0);
	free_rig(rig);
}

TEST(the_file_holds_both_directions)
{
	struct rig *rig = make_rig(false);
	FILE *file = tmpfile();
	uint8_t frame[80] = {0}, read_back[512];
	uint32_t word;

	CHECK(file != NULL);
	rig->device->capture = (struct net_capture){"eth0", fileno(file), false};
	CHECK(net_capture_start(&rig->device->capture));
	send_frame(rig, FRAME, 7);
	CHECK(net_transmit(rig->device));
	offer_buffers(rig, 40, BUFFER);
	CHECK_EQUAL(write(rig->peer, frame, sizeof(frame)), sizeof(frame));
	CHECK(net_receive(rig->device));
	CHECK_EQUAL(pread(fileno(file), read_back, sizeof(read_back), 0),
		24 + 16 + FRAME + 16 + 80 - NET_HEADER_BYTES);
	memcpy(&word, read_back + 24 + 8, 4);
	CHECK_EQUAL(word, FRAME);
	CHECK_EQUAL(read_back[24 + 16], 7);
	memcpy(&word, read_back + 24 + 16 + FRAME + 12, 4);
	CHECK_EQUAL(word, 80 - NET_HEADER_BYTES);
	fclose(file);
	free_rig(rig);
}

static void expect_line(const char *expected, const uint8_t *head, size_t bytes)
{
	char line[256];

	CHECK(net_decode_line(line, sizeof(line), "eth0", true, 3661, 5000, head, bytes, bytes) ==
		strlen(line));
	if (strcmp(line, expected) != 0) {
		fprintf(stderr, "%s\nexpected:\n%s\n", line, expected);
		exit(1);
	}
}

TEST(a_line_tells_a_frame)
{
	static const uint8_t syn[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 0, 0, 40, 0,
		0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 0x1f, 0x90, 0, 80, 0, 0, 0, 1, 0,
		0, 0, 0, 0x50, 2, 4, 0};
	static const uint8_t arp[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0,
		1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};

	expect_line("01:01:01.000005 eth0 out 10.0.0.2.8080 > 10.0.0.1.80: TCP [S] seq 1 win 1024, "
		    "0 bytes",
		syn, sizeof(syn));
	expect_line(
		"01:01:01.000005 eth0 out ARP who has 10.0.0.1, tell 10.0.0.2", arp, sizeof(arp));
	for (size_t bytes = 0; bytes < sizeof(syn); bytes++) {
		char line[40];

		CHECK(net_decode_line(line, sizeof(line), "eth0", false, 0, 0, syn, bytes, 60) <
			sizeof(line));
	}
}

TEST_DEFINE_MAIN
