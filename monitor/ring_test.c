/*
 * The device side of a virtqueue against a well-behaved driver, and against guests
 * that write anything anywhere.
 */
#include <string.h>

#include "lib/test.h"
#include "monitor/ring.h"

#define MEMORY_BYTES 0x10000
#define MEMORY_BASE  0x100000ull
#define RING_AT      (MEMORY_BASE + 0x8000)
#define SIZE         8
#define FLAG_NEXT    1
#define FLAG_WRITE   2

struct rig {
	struct guest_memory memory;
	struct ring ring;
	uint8_t *bytes; /* on the heap, so that a stray access is seen */
	uint16_t next;
};

static struct rig make_rig(bool to_guest)
{
	struct rig rig = {.bytes = calloc(1, MEMORY_BYTES)};

	CHECK(rig.bytes != NULL);
	CHECK(guest_memory_add(&rig.memory, MEMORY_BASE, MEMORY_BYTES, rig.bytes, true));
	CHECK(ring_init(
		&rig.ring, &rig.memory, RING_AT, RING_AT + 0x100, RING_AT + 0x200, SIZE, to_guest));
	return rig;
}

/* make_rig() returns by value: the ring must know the final place of its memory. */
#define RIG(name, to_guest)                                                                        \
	struct rig name = make_rig(to_guest);                                                      \
	name.ring.memory = &name.memory

static void describe(struct rig *rig, uint16_t id, uint64_t address, uint32_t bytes, uint16_t flags,
	uint16_t next)
{
	rig->ring.descriptors[id] = (struct ring_descriptor){address, bytes, flags, next};
}

static void offer(struct rig *rig, uint16_t id)
{
	rig->ring.available->entries[rig->next++ % SIZE] = id;
	rig->ring.available->index = rig->next;
}

static void expect_broken(struct rig *rig)
{
	struct iovec iov[SIZE + 1];

	CHECK(ring_waiting(&rig->ring) > 0 || rig->ring.broken);
	if (!rig->ring.broken)
		CHECK_EQUAL(ring_chain(&rig->ring, 0, iov, SIZE + 1), 0);
	CHECK(rig->ring.broken != NULL);
	CHECK_EQUAL(ring_waiting(&rig->ring), 0);
	CHECK(!ring_ask_doorbell(&rig->ring));
	free(rig->bytes);
}

TEST(a_chain_becomes_host_addresses)
{
	struct iovec iov[SIZE];
	RIG(rig, false);

	describe(&rig, 3, MEMORY_BASE, 10, FLAG_NEXT, 5);
	describe(&rig, 5, MEMORY_BASE + 100, 0, FLAG_NEXT, 1);
	describe(&rig, 1, MEMORY_BASE + 0x7fff, 1, 0, 0);
	CHECK_EQUAL(ring_waiting(&rig.ring), 0);
	offer(&rig, 3);
	CHECK_EQUAL(ring_waiting(&rig.ring), 1);
	CHECK_EQUAL(ring_chain(&rig.ring, 0, iov, SIZE), 2);
	CHECK(iov[0].iov_base == rig.bytes && iov[0].iov_len == 10);
	CHECK(iov[1].iov_base == rig.bytes + 0x7fff && iov[1].iov_len == 1);
	CHECK_EQUAL(ring_chain(&rig.ring, 0, iov, 1), -1);
	CHECK(rig.ring.broken == NULL);
	ring_complete(&rig.ring, 0);
	CHECK_EQUAL(rig.ring.used->index, 0);
	CHECK(ring_publish(&rig.ring));
	CHECK_EQUAL(rig.ring.used->index, 1);
	CHECK_EQUAL(rig.ring.used->entries[0].id, 3);
	CHECK_EQUAL(ring_waiting(&rig.ring), 0);
	free(rig.bytes);
}

TEST(an_empty_chain_is_one_empty_buffer)
{
	struct iovec iov[1];
	RIG(rig, false);

	describe(&rig, 0, 0, 0, 0, 0);
	offer(&rig, 0);
	CHECK_EQUAL(ring_chain(&rig.ring, 0, iov, 0), -1);
	CHECK_EQUAL(ring_chain(&rig.ring, 0, iov, 1), 1);
	CHECK_EQUAL(iov[0].iov_len, 0);
	free(rig.bytes);
}

TEST(indices_wrap)
{
	struct iovec iov[SIZE];
	RIG(rig, true);

	for (uint16_t id = 0; id < SIZE; id++)
		describe(&rig, id, MEMORY_BASE + id, 1, FLAG_WRITE, 0);
	for (unsigned i = 0; i < 200000; i++) {
		offer(&rig, (uint16_t)(i * 3 % SIZE));
		if (i % 5 != 4)
			continue;
		CHECK_EQUAL(ring_waiting(&rig.ring), 5);
		for (uint16_t ahead = 0; ahead < 5; ahead++)
			CHECK_EQUAL(ring_chain(&rig.ring, ahead, iov, SIZE), 1);
		for (unsigned done = 0; done < 5; done++)
			ring_complete(&rig.ring, done);
		ring_publish(&rig.ring);
		CHECK_EQUAL(rig.ring.used->index, (uint16_t)(i + 1));
		CHECK_EQUAL(rig.ring.used->entries[i % SIZE].id, i * 3 % SIZE);
		CHECK_EQUAL(rig.ring.used->entries[i % SIZE].bytes, 4);
	}
	free(rig.bytes);
}

TEST(interrupts_follow_used_event)
{
	RIG(rig, true);
	uint16_t *used_event = &rig.ring.available->entries[SIZE];

	describe(&rig, 0, MEMORY_BASE, 1, FLAG_WRITE, 0);
	*used_event = 2; /* wants to know of the third */
	for (unsigned i = 0; i < 4; i++) {
		offer(&rig, 0);
		ring_complete(&rig.ring, 1);
		CHECK_EQUAL(ring_publish(&rig.ring), i == 2);
	}
	CHECK(!ring_publish(&rig.ring));
	*used_event = 5;
	for (unsigned i = 0; i < 3; i++) {
		offer(&rig, 0);
		ring_complete(&rig.ring, 1);
	}
	CHECK(ring_publish(&rig.ring)); /* 5 is among 4, 5, 6 */
	free(rig.bytes);
}

TEST(doorbells_are_asked_for)
{
	RIG(rig, false);
	uint16_t *avail_event = (uint16_t *)(void *)&rig.ring.used->entries[SIZE];

	describe(&rig, 0, MEMORY_BASE, 1, 0, 0);
	CHECK(!ring_ask_doorbell(&rig.ring));
	offer(&rig, 0);
	CHECK(ring_ask_doorbell(&rig.ring)); /* came before: no doorbell will ring */
	ring_complete(&rig.ring, 0);
	CHECK(!ring_ask_doorbell(&rig.ring));
	CHECK_EQUAL(*avail_event, 1);
	free(rig.bytes);
}

TEST(loops_are_seen)
{
	RIG(rig, false);

	describe(&rig, 0, MEMORY_BASE, 1, FLAG_NEXT, 1);
	describe(&rig, 1, MEMORY_BASE, 1, FLAG_NEXT, 0);
	offer(&rig, 0);
	expect_broken(&rig);
	RIG(self, false);
	describe(&self, 2, MEMORY_BASE, 0, FLAG_NEXT, 2);
	offer(&self, 2);
	expect_broken(&self);
}

TEST(a_chain_of_all_descriptors_is_no_loop)
{
	struct iovec iov[SIZE];
	RIG(rig, false);

	for (uint16_t id = 0; id < SIZE; id++)
		describe(&rig, id, MEMORY_BASE, 1, id + 1 < SIZE ? FLAG_NEXT : 0,
			(uint16_t)(id + 1));
	offer(&rig, 0);
	CHECK_EQUAL(ring_chain(&rig.ring, 0, iov, SIZE), SIZE);
	free(rig.bytes);
}

TEST(bad_addresses_are_refused)
{
	static const struct {
		uint64_t address;
		uint32_t bytes;
	} bad[] = {{0, 1}, {MEMORY_BASE - 1, 2}, {MEMORY_BASE - 1, 1},
		{MEMORY_BASE + MEMORY_BYTES, 1}, {MEMORY_BASE + MEMORY_BYTES - 1, 2},
		{MEMORY_BASE, MEMORY_BYTES + 1}, {MEMORY_BASE, UINT32_MAX}, {UINT64_MAX, 1},
		{UINT64_MAX, UINT32_MAX}, {UINT64_MAX - 5, 10}, {1ull << 63, 16}};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		RIG(rig, i % 2);
		describe(&rig, 0, bad[i].address, bad[i].bytes, i % 2 ? FLAG_WRITE : 0, 0);
		offer(&rig, 0);
		expect_broken(&rig);
	}
}

TEST(read_only_memory_is_not_written)
{
	static uint8_t text[4096];
	struct iovec iov[SIZE];
	RIG(to, true);
	RIG(from, false);

	CHECK(guest_memory_add(&to.memory, 0x1000, sizeof(text), text, false));
	CHECK(guest_memory_add(&from.memory, 0x1000, sizeof(text), text, false));
	describe(&to, 0, 0x1000, 1, FLAG_WRITE, 0);
	offer(&to, 0);
	expect_broken(&to);
	describe(&from, 0, 0x1fff, 1, 0, 0);
	offer(&from, 0);
	CHECK_EQUAL(ring_chain(&from.ring, 0, iov, SIZE), 1);
	free(from.bytes);
}

TEST(bad_descriptors_are_refused)
{
	RIG(direction, false);
	describe(&direction, 0, MEMORY_BASE, 1, FLAG_WRITE, 0);
	offer(&direction, 0);
	expect_broken(&direction);

	RIG(readable, true);
	describe(&readable, 0, MEMORY_BASE, 1, FLAG_WRITE | FLAG_NEXT, 1);
	describe(&readable, 1, MEMORY_BASE, 1, 0, 0);
	offer(&readable, 0);
	expect_broken(&readable);

	RIG(indirect, false);
	describe(&indirect, 0, MEMORY_BASE, 16, 4, 0);
	offer(&indirect, 0);
	expect_broken(&indirect);

	RIG(head, false);
	offer(&head, SIZE);
	expect_broken(&head);

	RIG(link, false);
	describe(&link, 0, MEMORY_BASE, 1, FLAG_NEXT, UINT16_MAX);
	offer(&link, 0);
	expect_broken(&link);
}

TEST(too_many_buffers_are_refused)
{
	static const uint16_t indices[] = {SIZE + 1, 1000, 30000, 65535};

	for (unsigned i = 0; i < ARRAY_SIZE(indices); i++) {
		RIG(rig, false);
		rig.ring.available->index = indices[i];
		CHECK_EQUAL(ring_waiting(&rig.ring), 0);
		expect_broken(&rig);
	}
}

TEST(rings_outside_of_memory_are_refused)
{
	struct ring ring;
	RIG(rig, false);

	CHECK(!ring_init(&ring, &rig.memory, 0, RING_AT, RING_AT, SIZE, false));
	CHECK(!ring_init(&ring, &rig.memory, RING_AT, UINT64_MAX, RING_AT, SIZE, false));
	CHECK(!ring_init(
		&ring, &rig.memory, RING_AT, RING_AT, MEMORY_BASE + MEMORY_BYTES - 8, SIZE, false));
	free(rig.bytes);
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* Random rings: whatever is accepted must be inside memory (ASan watches too). */
TEST(random_rings_are_safe)
{
	for (unsigned round = 0; round < 200000; round++) {
		static struct rig rig;
		struct iovec iov[SIZE];
		uint16_t waiting;

		if (!rig.bytes) {
			rig = make_rig(false);
			rig.ring.memory = &rig.memory;
		}
		rig.ring.broken = NULL;
		rig.ring.to_guest = next_random() % 2;
		rig.ring.next = (uint16_t)next_random();
		rig.ring.available->index =
			(uint16_t)(rig.ring.next +
				   (next_random() % 8 ? next_random() % 4 : next_random()));
		for (unsigned i = 0; i < SIZE; i++) {
			rig.ring.available->entries[i] = (uint16_t)(next_random() % (SIZE + 1));
			describe(&rig, (uint16_t)i,
				MEMORY_BASE + next_random() % (MEMORY_BYTES + 8),
				(uint32_t)(next_random() % 64 ? next_random() % 4096
							      : next_random()),
				(uint16_t)(next_random() % 4),
				(uint16_t)(next_random() % (SIZE + 1)));
		}
		waiting = ring_waiting(&rig.ring);
		for (uint16_t ahead = 0; ahead < waiting && !rig.ring.broken; ahead++) {
			int count = ring_chain(&rig.ring, ahead, iov, SIZE);

			for (int i = 0; i < count; i++) {
				const uint8_t *base = iov[i].iov_base;

				CHECK(iov[i].iov_len == 0 ||
					(base >= rig.bytes &&
						base + iov[i].iov_len <= rig.bytes + MEMORY_BYTES));
				if (iov[i].iov_len && rig.ring.to_guest &&
					base < (uint8_t *)rig.ring.descriptors)
					memset(iov[i].iov_base, 1, MIN(iov[i].iov_len, 16u));
			}
			ring_complete(&rig.ring, 1);
			waiting--;
		}
		ring_publish(&rig.ring);
		ring_ask_doorbell(&rig.ring);
		if (round == 199999)
			free(rig.bytes);
	}
}

/* ---- requests ------------------------------------------------------------------------ */

TEST(requests_are_read_then_written_and_complete_in_any_order)
{
	RIG(rig, false);
	static struct ring_request first, second;

	describe(&rig, 0, MEMORY_BASE, 16, FLAG_NEXT, 1);
	describe(&rig, 1, MEMORY_BASE + 0x100, 0, FLAG_NEXT, 2); /* empty: left out */
	describe(&rig, 2, MEMORY_BASE + 0x200, 512, FLAG_NEXT | FLAG_WRITE, 3);
	describe(&rig, 3, MEMORY_BASE + 0x400, 1, FLAG_WRITE, 0);
	describe(&rig, 4, MEMORY_BASE + 0x500, 8, 0, 0);
	offer(&rig, 0);
	offer(&rig, 4);
	CHECK(ring_take(&rig.ring, &first));
	CHECK_EQUAL(first.read_count, 1);
	CHECK_EQUAL(first.write_count, 2);
	CHECK_EQUAL(first.read_bytes, 16);
	CHECK_EQUAL(first.write_bytes, 513);
	CHECK(first.parts[1].iov_base == rig.bytes + 0x200);
	CHECK(ring_take(&rig.ring, &second));
	CHECK(!ring_take(&rig.ring, &second));
	CHECK(!rig.ring.broken);
	ring_give(&rig.ring, second.id, 0);
	ring_give(&rig.ring, first.id, 513);
	ring_publish(&rig.ring);
	CHECK_EQUAL(rig.ring.used->index, 2);
	CHECK_EQUAL(rig.ring.used->entries[0].id, 4);
	CHECK_EQUAL(rig.ring.used->entries[1].id, 0);
	CHECK_EQUAL(rig.ring.used->entries[1].bytes, 513);
	free(rig.bytes);
}

static void expect_bad_request(struct rig *rig)
{
	static struct ring_request request;

	CHECK(!ring_take(&rig->ring, &request));
	CHECK(rig->ring.broken != NULL);
	CHECK(!ring_take(&rig->ring, &request));
	free(rig->bytes);
}

TEST(request_that_is_written_before_it_is_read)
{
	RIG(rig, false);

	describe(&rig, 0, MEMORY_BASE, 16, FLAG_NEXT | FLAG_WRITE, 1);
	describe(&rig, 1, MEMORY_BASE, 16, 0, 0);
	offer(&rig, 0);
	expect_bad_request(&rig);
}

TEST(request_with_a_loop)
{
	RIG(rig, false);

	describe(&rig, 0, MEMORY_BASE, 16, FLAG_NEXT, 1);
	describe(&rig, 1, MEMORY_BASE, 16, FLAG_NEXT, 0);
	offer(&rig, 0);
	expect_bad_request(&rig);
}

TEST(request_outside_of_memory)
{
	RIG(rig, false);

	describe(&rig, 0, MEMORY_BASE + MEMORY_BYTES - 8, 16, 0, 0);
	offer(&rig, 0);
	expect_bad_request(&rig);
}

TEST(request_with_an_index_out_of_range)
{
	RIG(rig, false);

	offer(&rig, SIZE);
	expect_bad_request(&rig);
}

TEST_DEFINE_MAIN
