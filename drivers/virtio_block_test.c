/*
 * Requests in the ring of a block device: one that keeps the rules, and one that does not.
 */
#include "drivers/fake_block_device.h"
#include "abi/linux/errno.h"
#include "lib/test.h"

static struct virtio_block_queue queue;
static struct fake_ring device;
static uint8_t data[8][4096];

struct seen {
	struct virtio_blk_header header;
	struct virtio_descriptor parts[32];
	uint32_t count;
	uint16_t id;
};

/* What the device finds next. */
static struct seen look(void)
{
	struct seen seen = {.count = 0};

	(void)virtio_ring_publish(&queue.ring);
	CHECK(fake_take(&device, &seen.id));
	seen.count = fake_chain(&device, seen.id, seen.parts, 32);
	CHECK(seen.count >= 2);
	CHECK_EQUAL(seen.parts[0].bytes, sizeof(seen.header));
	CHECK_EQUAL(seen.parts[0].flags & VIRTIO_DESCRIPTOR_WRITE, 0);
	memcpy(&seen.header, (void *)(uintptr_t)seen.parts[0].address, sizeof(seen.header));
	CHECK_EQUAL(seen.parts[seen.count - 1].bytes, 1);
	CHECK_EQUAL(seen.parts[seen.count - 1].flags, VIRTIO_DESCRIPTOR_WRITE);
	return seen;
}

static void answer(const struct seen *seen, uint8_t status)
{
	*(uint8_t *)(uintptr_t)seen->parts[seen->count - 1].address = status;
	fake_complete(&device, seen->id, 1);
}

static struct block_request *reap(void)
{
	struct list done = LIST_INIT(done);
	struct list *first;

	virtio_block_queue_reap(&queue, &done);
	first = list_first(&done);
	if (first == NULL)
		return NULL;
	CHECK(first->next == &done); /* one at a time here */
	return LIST_ENTRY(first, struct block_request, link);
}

static const struct block_segment two_segments[2] = {{{0}, 4096}, {{0}, 512}};
static struct block_segment segments[2];

static struct block_request request_of(enum block_operation operation)
{
	memcpy(segments, two_segments, sizeof(segments));
	segments[0].memory.raw = (uintptr_t)data[0];
	segments[1].memory.raw = (uintptr_t)data[1];
	return (struct block_request){.operation = operation,
		.offset = 8192,
		.bytes = 4608,
		.segments = segments,
		.segment_count = 2,
		.error = 1};
}

static void check_form(bool has_indirect)
{
	struct block_request request = request_of(BLOCK_READ);
	struct seen seen;

	fake_init(&device, &queue, has_indirect);
	virtio_block_queue_add(&queue, &request);
	CHECK_EQUAL(queue.ring.free_count, has_indirect ? FAKE_RING - 1 : FAKE_RING - 4);
	seen = look();
	CHECK_EQUAL(seen.count, 4);
	CHECK_EQUAL(seen.header.type, VIRTIO_BLK_T_IN);
	CHECK_EQUAL(seen.header.sector, 16);
	CHECK(seen.parts[1].address == (uintptr_t)data[0] && seen.parts[1].bytes == 4096);
	CHECK(seen.parts[2].address == (uintptr_t)data[1] && seen.parts[2].bytes == 512);
	CHECK_EQUAL(seen.parts[2].flags & VIRTIO_DESCRIPTOR_WRITE, VIRTIO_DESCRIPTOR_WRITE);
	CHECK(reap() == NULL);
	answer(&seen, VIRTIO_BLK_S_OK);
	CHECK(virtio_block_queue_is_pending(&queue));
	CHECK(reap() == &request);
	CHECK_EQUAL(request.error, 0);
	CHECK_EQUAL(queue.ring.free_count, FAKE_RING);
	fake_free(&queue);
}

TEST(a_read_is_a_chain)
{
	check_form(false);
}

TEST(or_one_indirect_descriptor)
{
	check_form(true);
}

TEST(other_operations_have_their_forms)
{
	static const struct {
		enum block_operation operation;
		uint32_t type, count, flags;
	} forms[] = {{BLOCK_FLUSH, VIRTIO_BLK_T_FLUSH, 2, 0},
		{BLOCK_DISCARD, VIRTIO_BLK_T_DISCARD, 3, 0},
		{BLOCK_WRITE_ZEROES, VIRTIO_BLK_T_WRITE_ZEROES, 3, VIRTIO_BLK_ZEROES_UNMAP}};

	fake_init(&device, &queue, false);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct block_request request = request_of(forms[i].operation);
		struct virtio_blk_range range;
		struct seen seen;

		virtio_block_queue_add(&queue, &request);
		seen = look();
		CHECK_EQUAL(seen.header.type, forms[i].type);
		CHECK_EQUAL(seen.header.sector, 0);
		CHECK_EQUAL(seen.count, forms[i].count);
		if (seen.count == 3) {
			CHECK_EQUAL(seen.parts[1].bytes, sizeof(range));
			memcpy(&range, (void *)(uintptr_t)seen.parts[1].address, sizeof(range));
			CHECK(range.sector == 16 && range.sector_count == 9);
			CHECK_EQUAL(range.flags, forms[i].flags);
		}
		answer(&seen, VIRTIO_BLK_S_UNSUPP);
		CHECK(reap() == &request);
		CHECK_EQUAL(request.error, -LINUX_EOPNOTSUPP);
	}
	fake_free(&queue);
}

TEST(a_stable_write_is_followed_by_a_flush)
{
	struct block_request request = request_of(BLOCK_WRITE);
	struct seen seen;

	fake_init(&device, &queue, false);
	request.force_unit_access = true;
	virtio_block_queue_add(&queue, &request);
	seen = look();
	CHECK_EQUAL(seen.header.type, VIRTIO_BLK_T_OUT);
	CHECK_EQUAL(seen.parts[1].flags & VIRTIO_DESCRIPTOR_WRITE, 0);
	answer(&seen, VIRTIO_BLK_S_OK);
	CHECK(reap() == NULL);
	seen = look();
	CHECK_EQUAL(seen.header.type, VIRTIO_BLK_T_FLUSH);
	answer(&seen, VIRTIO_BLK_S_IOERR);
	CHECK(reap() == &request);
	CHECK_EQUAL(request.error, -LINUX_EIO);
	/* A write that failed is not flushed. */
	virtio_block_queue_add(&queue, &request);
	seen = look();
	answer(&seen, VIRTIO_BLK_S_IOERR);
	CHECK(reap() == &request);
	CHECK_EQUAL(request.error, -LINUX_EIO);
	fake_free(&queue);
}

/* More than the ring holds: they wait, and go in order. */
TEST(requests_wait_for_room)
{
	struct block_request requests[20];
	uint32_t done = 0;

	fake_init(&device, &queue, false);
	for (int i = 0; i < 20; i++) {
		requests[i] = request_of(BLOCK_WRITE);
		requests[i].offset = (uint64_t)i * 512;
		virtio_block_queue_add(&queue, &requests[i]);
	}
	CHECK_EQUAL(queue.ring.in_flight, 4);
	while (done < 20) {
		struct seen seen = look();

		CHECK_EQUAL(seen.header.sector, done);
		answer(&seen, VIRTIO_BLK_S_OK);
		CHECK(reap() == &requests[done]);
		done++;
	}
	CHECK(list_is_empty(&queue.waiting));
	CHECK_EQUAL(queue.ring.free_count, FAKE_RING);
	fake_free(&queue);
}

TEST(interrupts_are_asked_for_only_with_something_in_flight)
{
	struct block_request request = request_of(BLOCK_FLUSH);
	struct seen seen;

	fake_init(&device, &queue, true);
	CHECK(!virtio_block_queue_arm(&queue));
	CHECK(!queue.is_armed);
	virtio_block_queue_add(&queue, &request);
	CHECK(!virtio_block_queue_arm(&queue));
	CHECK(queue.is_armed);
	seen = look();
	answer(&seen, VIRTIO_BLK_S_OK);
	CHECK(virtio_block_queue_arm(&queue)); /* look again */
	CHECK(reap() == &request);
	virtio_block_queue_disarm(&queue);
	CHECK(!queue.is_armed);
	fake_free(&queue);
}

TEST(a_device_that_breaks_the_rules_ends_all_requests)
{
	struct block_request requests[20];
	struct list done = LIST_INIT(done);
	uint32_t count = 0;

	fake_init(&device, &queue, false);
	for (int i = 0; i < 20; i++) {
		requests[i] = request_of(BLOCK_WRITE);
		virtio_block_queue_add(&queue, &requests[i]);
	}
	(void)virtio_ring_publish(&queue.ring);
	fake_complete(&device, 77, 1);
	virtio_block_queue_reap(&queue, &done);
	LIST_FOR_EACH (link, &done) {
		CHECK_EQUAL(LIST_ENTRY(link, struct block_request, link)->error, -LINUX_EIO);
		count++;
	}
	CHECK_EQUAL(count, 20);
	virtio_block_queue_add(&queue, &requests[0]);
	CHECK(reap() == &requests[0]);
	CHECK_EQUAL(requests[0].error, -LINUX_EIO);
	fake_free(&queue);
}

TEST_DEFINE_MAIN
