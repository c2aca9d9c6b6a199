/*
 * Packets against a plain array: random fragments, pushes, trims, peeks and copies; then
 * checksums against the definition, and memory given back.
 */
#include "kernel/net/packet.h"

#include "kernel/mm/heap.h"
#include "lib/test.h"

#include <string.h>

static uint8_t model[1 << 17];
static uint32_t model_start, model_bytes; /* the packet is model[start, +bytes) */

static uint32_t between(uint32_t least, uint32_t most)
{
	return least + (uint32_t)random() % (most - least + 1);
}

static void compare(struct packet *packet)
{
	static uint8_t copy[1 << 17];
	uint32_t sum = 0;

	CHECK_EQUAL(packet->bytes, model_bytes);
	packet_copy(packet, 0, copy, packet->bytes);
	CHECK_EQUAL(memcmp(copy, model + model_start, model_bytes), 0);
	for (uint32_t i = 0; i < packet->fragment_count; i++) {
		CHECK(packet->fragments[i].bytes > 0 || packet->bytes == 0);
		sum += packet->fragments[i].bytes;
	}
	CHECK_EQUAL(sum, packet->bytes);
	CHECK(packet->fragment_count <= packet->fragment_limit);
}

static void add_random(struct packet *packet)
{
	uint32_t bytes = between(1, 300);
	struct packet_memory *memory = packet_memory_create(bytes + 20);
	uint8_t *data = memory->base + between(0, 20);

	for (uint32_t i = 0; i < bytes; i++)
		data[i] = model[model_start + model_bytes + i] = (uint8_t)random();
	if (packet_add(packet, memory, data, bytes / 2 + 1)) {
		model_bytes += bytes / 2 + 1;
		/* What follows in the block extends the fragment. */
		if (bytes > bytes / 2 + 1) {
			CHECK(packet_add(
				packet, memory, data + bytes / 2 + 1, bytes - bytes / 2 - 1));
			model_bytes += bytes - bytes / 2 - 1;
		}
	}
	packet_memory_release(memory);
}

static void push_random(struct packet *packet)
{
	uint32_t bytes = between(1, 60);
	uint8_t *at = packet_push(packet, bytes);

	if (!at)
		return;
	model_start -= bytes;
	model_bytes += bytes;
	for (uint32_t i = 0; i < bytes; i++)
		at[i] = model[model_start + i] = (uint8_t)random();
}

static void peek_random(struct packet *packet)
{
	uint32_t bytes = between(1, PACKET_HEAD_BYTES);
	uint8_t *at = packet_peek(packet, bytes);

	CHECK_EQUAL(at != NULL, packet->bytes >= bytes);
	if (at)
		CHECK_EQUAL(memcmp(at, model + model_start, bytes), 0);
}

static void step(struct packet *packet)
{
	uint32_t bytes;

	switch (random() % 6) {
	case 0:
	case 1:
		add_random(packet);
		break;
	case 2:
		push_random(packet);
		break;
	case 3:
		peek_random(packet);
		break;
	case 4:
		bytes = between(0, MIN(packet->bytes, 200));
		packet_trim_front(packet, bytes);
		model_start += bytes;
		model_bytes -= bytes;
		break;
	default:
		model_bytes -= between(0, MIN(packet->bytes, 100));
		packet_trim_to(packet, model_bytes);
	}
	compare(packet);
}

TEST(packets_agree_with_the_model)
{
	srandom(1);
	for (int round = 0; round < 2000; round++) {
		struct packet *packet = packet_create(between(1, PACKET_FRAGMENTS_MAX));
		struct packet *clone;

		model_start = 1 << 16;
		model_bytes = 0;
		for (int i = 0; i < 40; i++)
			step(packet);
		clone = packet_clone(packet);
		compare(clone);
		packet_release(packet);
		packet_release(clone);
		CHECK_EQUAL(heap_live_count(), 0);
	}
}

TEST(linear_packets_grow_towards_the_front)
{
	struct packet *packet = packet_create_linear(1000);
	uint8_t *payload = packet->fragments[0].data;

	CHECK_EQUAL(packet->bytes, 1000);
	CHECK(packet_push(packet, PACKET_HEAD_BYTES) == payload - PACKET_HEAD_BYTES);
	CHECK(packet_push(packet, 1) == NULL);
	CHECK_EQUAL(packet->fragment_count, 1);
	packet_release(packet);
	CHECK_EQUAL(heap_live_count(), 0);
}

static uint16_t plain_checksum(const uint8_t *from, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += i % 2 ? from[i] : (uint64_t)from[i] << 8;
	while (sum >> 16)
		sum = (sum >> 16) + (sum & 0xffff);
	sum = ~sum & 0xffff;
	return (uint16_t)(sum >> 8 | sum << 8);
}

TEST(checksums_are_those_of_rfc_1071)
{
	for (int round = 0; round < 3000; round++) {
		struct packet *packet = packet_create(PACKET_FRAGMENTS_MAX);
		uint32_t offset, bytes;

		model_start = 1 << 16;
		model_bytes = 0;
		for (uint32_t i = 0; i < between(1, 12); i++)
			add_random(packet);
		offset = between(0, packet->bytes);
		bytes = between(0, packet->bytes - offset);
		CHECK_EQUAL(checksum_finish(packet_checksum(packet, offset, bytes, 0)),
			plain_checksum(model + model_start + offset, bytes));
		CHECK_EQUAL(checksum_finish(checksum_add(model + model_start + offset, bytes, 0)),
			plain_checksum(model + model_start + offset, bytes));
		packet_release(packet);
	}
	CHECK_EQUAL(heap_live_count(), 0);
	memset(model, 0xff, 70000);
	CHECK_EQUAL(checksum_finish(checksum_add(model, 70000, 0xffff)), 0);
}

TEST(copies_to_the_program_end_at_a_fault)
{
	struct packet *packet = packet_create_linear(100);
	struct uio_part part;
	uint8_t target[100];
	struct uio uio;

	memset(packet->fragments[0].data, 7, 100);
	uio_init_kernel(&uio, &part, target, 60);
	CHECK_EQUAL(packet_copy_uio(packet, 10, &uio, 50), 50);
	CHECK_EQUAL(target[49], 7);
	uio_init_user(&uio, &part, 10, 60);
	CHECK_EQUAL(packet_copy_uio(packet, 10, &uio, 50), 0);
	packet_release(packet);
}

TEST_DEFINE_MAIN
