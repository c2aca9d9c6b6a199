/*
 * The driver's side of a virtqueue against a device that keeps the rules and one that
 * does not.
 */
#include "drivers/virtio_ring.h"
#include "lib/test.h"

#include <string.h>

#define SIZE 16
#define BASE 0x1000000ull

/* Guest memory of the rings, with room to notice writes behind them. */
static struct {
	struct virtio_descriptor descriptors[SIZE];
	uint16_t available[3 + SIZE + 4];
	uint8_t used[VIRTIO_USED_BYTES(SIZE) + 8] __attribute__((aligned(4)));
} memory;

static struct virtio_slot slots[SIZE];
static struct virtio_ring ring;

static struct virtio_available *available(void)
{
	return (struct virtio_available *)(void *)memory.available;
}

static struct virtio_used *used(void)
{
	return (struct virtio_used *)(void *)memory.used;
}

static uint16_t used_event(void)
{
	return available()->entries[SIZE];
}

static void set_avail_event(uint16_t value)
{
	memcpy(&used()->entries[SIZE], &value, sizeof(value));
}

/* The device's own state. */
static uint16_t device_next, device_used;

static void start(uint16_t limit, bool event_index)
{
	memset(&memory, 0, sizeof(memory));
	device_next = device_used = 0;
	virtio_ring_init(&ring, memory.descriptors, memory.available, memory.used, SIZE, slots,
		limit, event_index);
}

/* Completes the chain `id`; true if the driver wants an interrupt for it. */
static bool complete(uint32_t id, uint32_t bytes)
{
	uint16_t old = device_used;

	used()->entries[device_used % SIZE] = (struct virtio_used_entry){id, bytes};
	used()->index = ++device_used;
	if (!ring.has_event_index)
		return (available()->flags & VIRTIO_AVAILABLE_NO_INTERRUPT) == 0;
	return (uint16_t)(device_used - used_event() - 1) < (uint16_t)(device_used - old);
}

static bool device_has_chain(void)
{
	return device_next != available()->index;
}

static uint16_t device_take(void)
{
	return available()->entries[device_next++ % SIZE];
}

static bool add_one(uint32_t token, uint32_t bytes, bool device_writes)
{
	struct virtio_buffer buffer = {BASE + token, bytes, device_writes};

	return virtio_ring_add(&ring, &buffer, 1, token);
}

TEST(descriptors_say_what_was_added)
{
	struct virtio_buffer buffers[3] = {
		{BASE, 10, false}, {BASE + 100, 20, false}, {BASE + 200, 30, true}};
	uint32_t token, bytes;
	uint16_t id;

	start(SIZE, true);
	CHECK(virtio_ring_add(&ring, buffers, 3, 77));
	CHECK_EQUAL(available()->index, 0);
	CHECK(virtio_ring_publish(&ring));
	CHECK_EQUAL(available()->index, 1);
	id = device_take();
	CHECK_EQUAL(memory.descriptors[id].address, BASE);
	CHECK_EQUAL(memory.descriptors[id].bytes, 10);
	CHECK_EQUAL(memory.descriptors[id].flags, VIRTIO_DESCRIPTOR_NEXT);
	uint16_t last = memory.descriptors[memory.descriptors[id].next].next;
	CHECK_EQUAL(memory.descriptors[last].address, BASE + 200);
	CHECK_EQUAL(memory.descriptors[last].flags, VIRTIO_DESCRIPTOR_WRITE);
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	complete(id, 30);
	CHECK(virtio_ring_take(&ring, &token, &bytes));
	CHECK_EQUAL(token, 77);
	CHECK_EQUAL(bytes, 30);
	CHECK_EQUAL(ring.free_count, SIZE);
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	CHECK(!ring.broken);
}

TEST(add_refuses_what_does_not_fit)
{
	start(4, true);
	for (uint32_t i = 0; i < 4; i++)
		CHECK(add_one(i, 1, false));
	CHECK(!add_one(4, 1, false));
	CHECK(virtio_ring_is_full(&ring));
	CHECK(!virtio_ring_add(&ring, NULL, 0, 0));
}

TEST(doorbell_only_when_the_device_asks)
{
	start(SIZE, true);
	set_avail_event(0);
	CHECK(add_one(0, 1, false));
	CHECK(virtio_ring_publish(&ring)); /* crosses 0 */
	CHECK(add_one(1, 1, false));
	CHECK(!virtio_ring_publish(&ring)); /* the device has not asked again */
	set_avail_event(4);
	CHECK(add_one(2, 1, false));
	CHECK(add_one(3, 1, false));
	CHECK(!virtio_ring_publish(&ring)); /* 4 */
	CHECK(add_one(4, 1, false));
	CHECK(virtio_ring_publish(&ring));  /* 5 crosses 4 */
	CHECK(!virtio_ring_publish(&ring)); /* nothing new */

	start(SIZE, false);
	CHECK(add_one(0, 1, false));
	CHECK(virtio_ring_publish(&ring));
	used()->flags = VIRTIO_USED_NO_NOTIFY;
	CHECK(add_one(1, 1, false));
	CHECK(!virtio_ring_publish(&ring));
}

static void check_interrupts(bool event_index)
{
	uint32_t token, bytes;

	start(SIZE, event_index);
	for (uint32_t i = 0; i < 6; i++)
		CHECK(add_one(i, 1, false));
	(void)virtio_ring_publish(&ring);
	CHECK(!complete(device_take(), 0)); /* nobody asked */
	CHECK(virtio_ring_arm(&ring, 1));   /* it is there already */
	CHECK(virtio_ring_take(&ring, &token, &bytes));
	CHECK(!virtio_ring_arm(&ring, 2));
	if (event_index)
		CHECK(!complete(device_take(), 0)); /* the first of two */
	CHECK(complete(device_take(), 0));
	virtio_ring_disarm(&ring);
	CHECK(!complete(device_take(), 0));
}

TEST(interrupts_only_when_the_driver_asks)
{
	check_interrupts(true);
	check_interrupts(false);
}

TEST(indexes_wrap)
{
	uint32_t token, bytes;

	start(SIZE, true);
	for (uint32_t i = 0; i < 200000; i++) {
		CHECK(add_one(i, 4, true));
		set_avail_event(device_next);
		CHECK(virtio_ring_publish(&ring));
		CHECK(!virtio_ring_arm(&ring, 1));
		CHECK(complete(device_take(), i % 4));
		CHECK(virtio_ring_take(&ring, &token, &bytes));
		CHECK_EQUAL(token, i);
		CHECK_EQUAL(bytes, i % 4);
	}
}

/* A device that keeps the rules, completing in any order; tokens come back once each. */
TEST(random_order_loses_nothing)
{
	static bool in_flight[65536];
	uint16_t pending[SIZE];
	unsigned pending_count = 0, next_token = 0, flying = 0;

	start(SIZE, true);
	srandom(1);
	for (unsigned step = 0; step < 300000; step++) {
		uint32_t token, bytes;

		switch (random() % 4) {
		case 0: {
			struct virtio_buffer buffers[3];
			uint16_t count = (uint16_t)(1 + random() % 3);

			for (int i = 0; i < 3; i++)
				buffers[i] = (struct virtio_buffer){BASE, 8, true};
			if (virtio_ring_add(&ring, buffers, count, next_token % 65536)) {
				CHECK(!in_flight[next_token % 65536]);
				in_flight[next_token++ % 65536] = true;
				flying++;
			}
			break;
		}
		case 1:
			(void)virtio_ring_publish(&ring);
			break;
		case 2:
			while (device_has_chain())
				pending[pending_count++] = device_take();
			if (pending_count != 0) {
				unsigned i = (unsigned)random() % pending_count;

				complete(pending[i], 8);
				pending[i] = pending[--pending_count];
			}
			break;
		default:
			if (virtio_ring_take(&ring, &token, &bytes)) {
				CHECK(in_flight[token]);
				in_flight[token] = false;
				flying--;
			}
		}
		CHECK(!ring.broken);
		CHECK_EQUAL(ring.in_flight, flying);
	}
	CHECK(next_token > 50000);
}

TEST(impossible_completions_break_the_ring)
{
	uint32_t token, bytes;

	start(SIZE, true); /* none in flight */
	complete(0, 0);
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	CHECK(ring.broken);
	CHECK(!add_one(0, 1, false));
	CHECK(!virtio_ring_publish(&ring));

	start(SIZE, true); /* an id that does not exist */
	CHECK(add_one(0, 1, false));
	(void)virtio_ring_publish(&ring);
	complete(SIZE, 0);
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	CHECK(ring.broken);

	start(SIZE, true); /* the same chain twice */
	CHECK(add_one(0, 1, false));
	CHECK(add_one(1, 1, false));
	(void)virtio_ring_publish(&ring);
	complete(device_next, 0);
	complete(device_next, 0);
	CHECK(virtio_ring_take(&ring, &token, &bytes));
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	CHECK(ring.broken);

	start(SIZE, true); /* a chain that was not published */
	CHECK(add_one(0, 1, false));
	complete(0, 0);
	CHECK(!virtio_ring_take(&ring, &token, &bytes));
	CHECK(ring.broken);
}

TEST(more_bytes_than_the_buffer_are_cut)
{
	uint32_t token, bytes;

	start(SIZE, true);
	CHECK(add_one(5, 100, true));
	(void)virtio_ring_publish(&ring);
	complete(device_take(), 0xffffffff);
	CHECK(virtio_ring_take(&ring, &token, &bytes));
	CHECK_EQUAL(bytes, 100);
}

/* Everything the device can reach is overwritten at random; the driver only ever gives
 * back tokens that are in flight, and stays inside its arrays (the sanitizers watch). */
TEST(hostile_device)
{
	srandom(2);
	for (unsigned round = 0; round < 3000; round++) {
		bool in_flight[SIZE] = {false};
		uint8_t *raw = (uint8_t *)&memory;

		start((uint16_t)(1 + random() % SIZE), round % 2);
		for (unsigned step = 0; step < 200; step++) {
			uint32_t token, bytes;
			uint32_t mine = (uint32_t)random() % SIZE;

			if (!in_flight[mine] && add_one(mine, 50, random() % 2))
				in_flight[mine] = true;
			(void)virtio_ring_publish(&ring);
			if (random() % 3 == 0)
				raw[(size_t)random() % sizeof(memory)] = (uint8_t)random();
			if (random() % 3 == 0)
				complete((uint32_t)random() % (SIZE + 1), (uint32_t)random());
			(void)virtio_ring_arm(&ring, (uint16_t)(1 + random() % 4));
			while (virtio_ring_take(&ring, &token, &bytes)) {
				CHECK(token < SIZE);
				CHECK(in_flight[token]);
				CHECK(bytes <= 50);
				in_flight[token] = false;
			}
		}
	}
}

TEST_DEFINE_MAIN
