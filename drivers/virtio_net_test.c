/*
 * Frames through the rings of a network device: one that keeps the rules, and one that does
 * not.
 */
#include "drivers/fake_net_device.h"
#include "abi/linux/errno.h"
#include "lib/test.h"

static struct virtio_net_receive receive;
static struct virtio_net_transmit transmit;
static struct fake_ring device;
static struct net_device_counters counters;
static size_t heap_before;

static void start_receive(uint64_t features)
{
	heap_before = heap_live_count();
	memset(&receive, 0, sizeof(receive));
	memset(&counters, 0, sizeof(counters));
	fake_ring_init(&device, &receive.ring);
	CHECK_EQUAL(virtio_net_receive_init(&receive, features), 0);
	CHECK_EQUAL(receive.ring.free_count, 0);
}

static void stop_receive(void)
{
	/* What the device does not hold is free: nothing is lost. */
	CHECK_EQUAL(receive.pool.free_count + receive.ring.in_flight, receive.pool.made);
	fake_pool_free(&receive.pool);
	CHECK_EQUAL(heap_live_count(), heap_before);
}

static uint16_t write_buffer(const void *bytes, uint32_t count)
{
	uint16_t id;

	CHECK(fake_take(&device, &id));
	CHECK_EQUAL(device.descriptors[id].bytes, NET_BUFFER_BYTES);
	CHECK_EQUAL(device.descriptors[id].flags, VIRTIO_DESCRIPTOR_WRITE);
	memcpy((void *)(uintptr_t)device.descriptors[id].address, bytes, count);
	return id;
}

/* A frame of `bytes`, counting up, in as many buffers as it takes. */
static void send_frame(struct virtio_net_header header, uint32_t bytes)
{
	static uint8_t data[80000];
	uint16_t ids[32];
	uint32_t total = bytes + sizeof(header), count = 0;

	header.buffer_count = (uint16_t)((total + NET_BUFFER_BYTES - 1) / NET_BUFFER_BYTES);
	memcpy(data, &header, sizeof(header));
	for (uint32_t i = 0; i < bytes; i++)
		data[sizeof(header) + i] = (uint8_t)(i * 7 + i / 256);
	for (uint32_t at = 0; at < total; at += NET_BUFFER_BYTES)
		ids[count++] = write_buffer(data + at, MIN(NET_BUFFER_BYTES, total - at));
	for (uint32_t i = 0; i < count; i++)
		fake_complete(&device, ids[i], MIN(NET_BUFFER_BYTES, total - i * NET_BUFFER_BYTES));
}

static struct packet *take(void)
{
	return virtio_net_receive_take(&receive, &counters);
}

static void check_frame(const struct packet *packet, uint32_t bytes)
{
	static uint8_t data[80000];

	CHECK(packet != NULL);
	CHECK_EQUAL(packet->bytes, bytes);
	packet_copy(packet, 0, data, bytes);
	for (uint32_t i = 0; i < bytes; i++)
		CHECK_EQUAL(data[i], (uint8_t)(i * 7 + i / 256));
}

TEST(frames_become_packets_without_a_copy)
{
	struct packet *packet;

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	CHECK(take() == NULL);
	CHECK(!virtio_net_receive_is_pending(&receive));
	send_frame((struct virtio_net_header){.flags = VIRTIO_NET_DATA_VALID}, 60);
	CHECK(virtio_net_receive_is_pending(&receive));
	packet = take();
	check_frame(packet, 60);
	CHECK_EQUAL(packet->flags, PACKET_CHECKSUM_GOOD);
	CHECK_EQUAL(packet->fragment_count, 1);
	CHECK(packet->fragments[0].memory->bytes == NET_BUFFER_BYTES);
	CHECK(take() == NULL);
	packet_release(packet);
	stop_receive();
}

TEST(large_frames_are_merged)
{
	struct virtio_net_header header = {.flags = VIRTIO_NET_NEEDS_CHECKSUM,
		.segmentation = VIRTIO_NET_GSO_TCP4 | VIRTIO_NET_GSO_ECN,
		.header_bytes = 54,
		.segment_bytes = 1448,
		.checksum_start = 34,
		.checksum_offset = 16};
	struct packet *packet;

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	send_frame(header, 65549);
	packet = take();
	check_frame(packet, 65549);
	CHECK_EQUAL(packet->flags, PACKET_CHECKSUM_PARTIAL);
	CHECK_EQUAL(packet->checksum_start, 34);
	CHECK_EQUAL(packet->checksum_offset, 16);
	CHECK_EQUAL(packet->segments, PACKET_SEGMENT_TCP4);
	CHECK_EQUAL(packet->segment_bytes, 1448);
	CHECK_EQUAL(packet->header_bytes, 54);
	packet_release(packet);
	stop_receive();
}

TEST(buffers_go_round)
{
	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	for (uint32_t i = 0; i < 1000; i++) {
		struct packet *packet;

		send_frame((struct virtio_net_header){0}, 14 + i * 5);
		packet = take();
		check_frame(packet, 14 + i * 5);
		packet_release(packet);
		virtio_net_receive_refill(&receive);
		CHECK_EQUAL(receive.ring.free_count, 0);
	}
	CHECK(receive.pool.made <= 2 * FAKE_RING);
	stop_receive();
}

/* A program that does not read holds its packets: the ring keeps its buffers. */
TEST(scarce_buffers_are_copied_and_the_pool_is_bounded)
{
	struct packet *held[4000];
	uint32_t kept = 0;

	fake_total_pages = 16 * 160;
	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	for (uint32_t i = 0; i < 4000; i++) {
		send_frame((struct virtio_net_header){0}, 100);
		held[kept] = take();
		check_frame(held[kept++], 100);
		virtio_net_receive_refill(&receive);
		CHECK_EQUAL(receive.ring.free_count, 0);
	}
	CHECK(receive.pool.made <= 160);
	for (uint32_t i = 0; i < kept; i++)
		packet_release(held[i]);
	stop_receive();
	fake_total_pages = 16384;
}

/* When large ones eat up the pool the ring runs dry, and lives again. */
TEST(a_dry_ring_is_filled_again)
{
	struct packet *held[200];
	uint32_t kept = 0;

	fake_total_pages = 16 * 160;
	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	while (receive.ring.in_flight >= 2) {
		send_frame((struct virtio_net_header){0}, 5000);
		held[kept++] = take();
		virtio_net_receive_refill(&receive);
	}
	CHECK_EQUAL(receive.pool.made, 160);
	while (kept > 0)
		packet_release(held[--kept]);
	virtio_net_receive_refill(&receive);
	CHECK_EQUAL(receive.ring.free_count, 0);
	stop_receive();
	fake_total_pages = 16384;
}

static void send_hostile(struct virtio_net_header header, uint32_t written)
{
	uint16_t id = write_buffer(&header, sizeof(header));

	fake_complete(&device, id, written);
}

TEST(hostile_headers_are_errors)
{
	static const struct {
		struct virtio_net_header header;
		uint32_t written;
	} cases[] = {
		{{.buffer_count = 1}, 0},
		{{.buffer_count = 1}, 11},
		{{.buffer_count = 1}, 12},
		{{.buffer_count = 1}, 25},
		{{.buffer_count = 0}, 100},
		{{.buffer_count = 2}, 100},
		{{.buffer_count = 65535}, 100},
		{{.buffer_count = 1, .flags = 1, .checksum_start = 3}, 100},
		{{.buffer_count = 1, .flags = 1, .checksum_start = 87}, 100},
		{{.buffer_count = 1, .flags = 1, .checksum_start = 65535, .checksum_offset = 65535},
			100},
		{{.buffer_count = 1, .flags = 1, .checksum_start = 34, .checksum_offset = 53}, 100},
		{{.buffer_count = 1, .segmentation = VIRTIO_NET_GSO_TCP4}, 100},
		{{.buffer_count = 1, .segmentation = VIRTIO_NET_GSO_UDP, .segment_bytes = 10}, 100},
		{{.buffer_count = 1, .segmentation = 77, .segment_bytes = 10}, 100},
	};

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct packet *packet;

		send_hostile(cases[i].header, cases[i].written);
		CHECK(take() == NULL);
		CHECK_EQUAL(counters.receive_errors, i + 1);
		send_frame((struct virtio_net_header){0}, 60);
		packet = take();
		check_frame(packet, 60);
		packet_release(packet);
		virtio_net_receive_refill(&receive);
	}
	stop_receive();
}

/* As many buffers as the ring has, for one frame. */
TEST(a_frame_of_too_many_buffers_is_dropped_whole)
{
	struct virtio_net_header header = {.buffer_count = 25};
	struct packet *packet;

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	for (uint32_t i = 0; i < 25; i++)
		send_hostile(header, NET_BUFFER_BYTES);
	send_frame((struct virtio_net_header){0}, 60);
	packet = take();
	check_frame(packet, 60);
	CHECK_EQUAL(counters.receive_errors, 1);
	packet_release(packet);
	virtio_net_receive_refill(&receive);
	stop_receive();
}

TEST(hints_that_are_wrong_are_ignored)
{
	struct virtio_net_header header = {
		.segmentation = VIRTIO_NET_GSO_TCP6, .segment_bytes = 1000, .header_bytes = 60000};
	struct packet *packet;

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	send_frame(header, 4000);
	packet = take();
	check_frame(packet, 4000);
	CHECK_EQUAL(packet->header_bytes, 0);
	packet_release(packet);
	/* Without merged buffers the count is nothing to look at (5.1.6.4.1 says 1). */
	stop_receive();
	start_receive(0);
	send_frame((struct virtio_net_header){0}, 60);
	((struct virtio_net_header *)(uintptr_t)device.descriptors[0].address)->buffer_count = 9;
	packet = take();
	check_frame(packet, 60);
	packet_release(packet);
	stop_receive();
}

TEST(no_memory_costs_frames_only)
{
	struct packet *packet;

	start_receive(VIRTIO_NET_F_MRG_RXBUF);
	heap_inject_failures(1);
	send_frame((struct virtio_net_header){0}, 60);
	CHECK(take() == NULL);
	CHECK_EQUAL(counters.receive_drops, 1);
	heap_inject_failures(0);
	send_frame((struct virtio_net_header){0}, 61);
	packet = take();
	check_frame(packet, 61);
	packet_release(packet);
	virtio_net_receive_refill(&receive);
	stop_receive();
}

/* ---- sending ------------------------------------------------------------------------------ */

static void start_transmit(void)
{
	heap_before = heap_live_count();
	memset(&transmit, 0, sizeof(transmit));
	fake_ring_init(&device, &transmit.ring);
	CHECK_EQUAL(virtio_net_transmit_init(&transmit), 0);
}

static void stop_transmit(void)
{
	free(transmit.headers);
	heap_free(transmit.slots);
	CHECK_EQUAL(heap_live_count(), heap_before);
}

static struct packet *make_packet(uint32_t bytes, uint8_t fill)
{
	struct packet *packet = packet_create_linear(bytes);

	CHECK(packet != NULL);
	memset(packet->fragments[0].data, fill, bytes);
	return packet;
}

/* What a chain holds. */
static uint32_t read_chain(uint16_t id, uint8_t *to, uint32_t *descriptors)
{
	uint32_t bytes = 0;

	for (*descriptors = 1;; ++*descriptors) {
		const struct virtio_descriptor *descriptor = &device.descriptors[id];

		CHECK((descriptor->flags & VIRTIO_DESCRIPTOR_WRITE) == 0);
		memcpy(to + bytes, (const void *)(uintptr_t)descriptor->address, descriptor->bytes);
		bytes += descriptor->bytes;
		if ((descriptor->flags & VIRTIO_DESCRIPTOR_NEXT) == 0)
			return bytes;
		id = descriptor->next;
	}
}

TEST(a_linear_packet_takes_one_descriptor)
{
	struct packet *packet;
	struct virtio_net_header header;
	uint8_t data[2000];
	uint32_t descriptors;
	uint16_t id;

	start_transmit();
	packet = make_packet(1000, 0x5a);
	packet->flags = PACKET_CHECKSUM_PARTIAL;
	packet->checksum_start = 34;
	packet->checksum_offset = 16;
	packet->segments = PACKET_SEGMENT_TCP6;
	packet->segment_bytes = 300;
	packet->header_bytes = 74;
	CHECK_EQUAL(virtio_net_transmit_add(&transmit, packet), 0);
	CHECK(!fake_take(&device, &id)); /* not before the burst ends */
	CHECK(virtio_ring_publish(&transmit.ring));
	CHECK(fake_take(&device, &id));
	CHECK_EQUAL(read_chain(id, data, &descriptors), 1012);
	CHECK_EQUAL(descriptors, 1);
	memcpy(&header, data, sizeof(header));
	CHECK_EQUAL(header.flags, VIRTIO_NET_NEEDS_CHECKSUM);
	CHECK_EQUAL(header.segmentation, VIRTIO_NET_GSO_TCP6);
	CHECK_EQUAL(header.header_bytes, 74);
	CHECK_EQUAL(header.segment_bytes, 300);
	CHECK_EQUAL(header.checksum_start, 34);
	CHECK_EQUAL(header.checksum_offset, 16);
	CHECK_EQUAL(data[12], 0x5a);
	fake_complete(&device, id, 0);
	virtio_net_transmit_reclaim(&transmit);
	CHECK_EQUAL(transmit.ring.in_flight, 0);
	stop_transmit();
}

TEST(a_full_head_gets_its_header_beside_it)
{
	struct packet *packet;
	uint8_t data[2000];
	uint32_t descriptors;
	uint16_t id;

	start_transmit();
	packet = make_packet(100, 1);
	CHECK(packet_push(packet, PACKET_HEAD_BYTES) != NULL);
	memset(packet->fragments[0].data, 2, PACKET_HEAD_BYTES);
	CHECK_EQUAL(virtio_net_transmit_add(&transmit, packet), 0);
	CHECK(virtio_ring_publish(&transmit.ring));
	CHECK(fake_take(&device, &id));
	CHECK_EQUAL(read_chain(id, data, &descriptors), 100 + PACKET_HEAD_BYTES + 12);
	CHECK_EQUAL(descriptors, 2);
	CHECK_EQUAL(data[0], 0);
	CHECK_EQUAL(data[12], 2);
	fake_complete(&device, id, 0);
	virtio_net_transmit_reclaim(&transmit);
	stop_transmit();
}

/* Completes what the ring holds; frames come in the order of `fill`. */
static uint32_t drain(uint8_t *expected)
{
	static uint8_t data[4000];
	uint32_t count = 0, descriptors;
	uint16_t id;

	virtio_ring_publish(&transmit.ring);
	while (fake_take(&device, &id)) {
		read_chain(id, data, &descriptors);
		CHECK_EQUAL(data[12], (*expected)++);
		fake_complete(&device, id, 0);
		count++;
	}
	virtio_net_transmit_reclaim(&transmit);
	return count;
}

/* One descriptor is kept, since a header might need it. */
TEST(a_full_ring_makes_frames_wait_in_order)
{
	uint8_t expected = 0;
	uint32_t sent = 0;

	start_transmit();
	for (uint32_t i = 0; i < FAKE_RING - 1 + VIRTIO_NET_WAITING_LIMIT; i++)
		CHECK_EQUAL(virtio_net_transmit_add(&transmit, make_packet(60, (uint8_t)i)), 0);
	CHECK_EQUAL(virtio_net_transmit_add(&transmit, make_packet(60, 0)), -LINUX_ENOBUFS);
	CHECK(!virtio_net_transmit_is_pending(&transmit));
	virtio_ring_publish(&transmit.ring);
	CHECK(!virtio_net_transmit_arm(&transmit));
	while (transmit.ring.in_flight > 0)
		sent += drain(&expected);
	CHECK_EQUAL(sent, FAKE_RING - 1 + VIRTIO_NET_WAITING_LIMIT);
	CHECK_EQUAL(transmit.waiting_count, 0);
	stop_transmit();
}

TEST(packets_longer_than_the_ring_are_refused)
{
	struct packet *packet;

	start_transmit();
	transmit.ring.limit = 10;
	packet = packet_create(PACKET_FRAGMENTS_MAX);
	CHECK(packet != NULL);
	for (uint32_t i = 0; i < PACKET_FRAGMENTS_MAX; i++) {
		struct packet_memory *memory = packet_memory_create(10);

		CHECK(memory != NULL && packet_add(packet, memory, memory->base, 10));
		packet_memory_release(memory);
	}
	CHECK_EQUAL(virtio_net_transmit_add(&transmit, packet), -LINUX_EINVAL);
	transmit.ring.broken = true;
	CHECK_EQUAL(virtio_net_transmit_add(&transmit, make_packet(60, 0)), -LINUX_ENOBUFS);
	stop_transmit();
}

TEST_DEFINE_MAIN
