/*
 * Requests of a disk, as a guest makes them: right ones and wrong ones.
 */
#include "monitor/fake_block_guest.h"
#include "lib/test.h"

#define DISK_BYTES (1u << 20)
#define WRITES     VIRTIO_DESCRIPTOR_WRITE

static struct block_work work;

/* A request with one piece of data (or none), carried out at once. Returns its status. */
static int request(uint32_t type, uint64_t sector, uint32_t bytes, uint16_t data_flags)
{
	struct virtio_blk_header header = {.type = type, .sector = sector};
	uint8_t *status = guest + STATUSES + next_descriptor % GUEST_RING;
	uint16_t id;

	*status = 0xff;
	memcpy(guest + HEADERS, &header, sizeof(header));
	id = guest_describe(HEADERS, sizeof(header), 0, true);
	if (bytes != 0)
		(void)guest_describe(DATA, bytes, data_flags, true);
	(void)guest_describe((uint64_t)(status - guest), 1, WRITES, false);
	guest_offer(id);
	if (!block_take(&disk, &work))
		return -1;
	if (!block_execute(&disk, &work, true))
		CHECK(block_execute(&disk, &work, false));
	(void)block_give(&disk, &work);
	CHECK_EQUAL(guest_used()->entries[(uint16_t)(guest_used()->index - 1) % GUEST_RING].id, id);
	return *status;
}

static void fill(uint8_t byte, uint32_t bytes)
{
	memset(guest + DATA, byte, bytes);
}

static void check_disk(uint64_t offset, uint8_t byte, uint32_t bytes)
{
	static uint8_t data[DISK_BYTES];

	CHECK_EQUAL(pread(disk.fd, data, bytes, (off_t)offset), bytes);
	for (uint32_t i = 0; i < bytes; i++)
		CHECK_EQUAL(data[i], byte);
}

TEST(data_goes_both_ways)
{
	guest_start(DISK_BYTES, false);
	CHECK_EQUAL(disk.bytes, DISK_BYTES);
	fill(7, 8192);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, 3, 8192, 0), VIRTIO_BLK_S_OK);
	check_disk(3 * 512, 7, 8192);
	check_disk(0, 0, 3 * 512);
	fill(0, 8192);
	CHECK_EQUAL(request(VIRTIO_BLK_T_IN, 3, 8192, WRITES), VIRTIO_BLK_S_OK);
	CHECK(guest[DATA] == 7 && guest[DATA + 8191] == 7);
	CHECK_EQUAL(guest_used()->entries[1].bytes, 8193);
	CHECK_EQUAL(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	guest_stop();
}

TEST(ranges_are_zeroed_and_discarded)
{
	struct virtio_blk_range range = {.sector = 8, .sector_count = 16};

	guest_start(DISK_BYTES, false);
	fill(7, 32768);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, 0, 32768, 0), VIRTIO_BLK_S_OK);
	memcpy(guest + DATA, &range, sizeof(range));
	CHECK_EQUAL(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), 0), VIRTIO_BLK_S_OK);
	range = (struct virtio_blk_range){32, 8, VIRTIO_BLK_ZEROES_UNMAP};
	memcpy(guest + DATA, &range, sizeof(range));
	CHECK_EQUAL(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), 0), VIRTIO_BLK_S_OK);
	check_disk(32 * 512, 0, 8 * 512);
	check_disk(24 * 512, 7, 8 * 512);
	range.flags = 2;
	memcpy(guest + DATA, &range, sizeof(range));
	CHECK_EQUAL(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), 0), VIRTIO_BLK_S_UNSUPP);
	range = (struct virtio_blk_range){DISK_BYTES / 512 - 1, 2, 0};
	memcpy(guest + DATA, &range, sizeof(range));
	CHECK_EQUAL(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_DISCARD, 0, 32, 0), VIRTIO_BLK_S_IOERR);
	guest_stop();
}

TEST(the_identifier_is_the_name)
{
	guest_start(DISK_BYTES, false);
	fill(0xff, 32);
	CHECK_EQUAL(request(VIRTIO_BLK_T_GET_ID, 0, 20, WRITES), VIRTIO_BLK_S_OK);
	CHECK(memcmp(guest + DATA, "data\0\0", 6) == 0);
	CHECK(guest[DATA + 19] == 0 && guest[DATA + 20] == 0xff);
	guest_stop();
}

TEST(wrong_requests_get_an_error_and_touch_nothing)
{
	guest_start(DISK_BYTES, false);
	fill(7, 4096);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, DISK_BYTES / 512 - 1, 1024, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, DISK_BYTES / 512, 512, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, 512, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, UINT64_MAX, 512, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, 0, 100, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, 0, 512, WRITES), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_IN, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(99, 0, 512, 0), VIRTIO_BLK_S_UNSUPP);
	check_disk(0, 0, DISK_BYTES);
	CHECK(block_broken(&disk) == NULL);
	guest_stop();
}

TEST(a_disk_that_is_only_read_is_not_written)
{
	struct virtio_blk_range range = {.sector = 8, .sector_count = 16};

	guest_start(DISK_BYTES, true);
	CHECK((block_features(&disk) & VIRTIO_BLK_F_RO) != 0);
	CHECK((block_features(&disk) & VIRTIO_BLK_F_DISCARD) == 0);
	CHECK_EQUAL(request(VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	memcpy(guest + DATA, &range, sizeof(range));
	CHECK_EQUAL(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), 0), VIRTIO_BLK_S_IOERR);
	CHECK_EQUAL(request(VIRTIO_BLK_T_IN, 0, 512, WRITES), VIRTIO_BLK_S_OK);
	CHECK_EQUAL(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	guest_stop();
}

/* Somebody cut the file short. */
TEST(errors_of_the_host_are_the_guests)
{
	guest_start(DISK_BYTES, false);
	CHECK_EQUAL(ftruncate(disk.fd, 4096), 0);
	CHECK_EQUAL(request(VIRTIO_BLK_T_IN, 16, 512, WRITES), VIRTIO_BLK_S_IOERR);
	guest_stop();
}

TEST(header_and_status_may_lie_anywhere)
{
	struct virtio_blk_header header = {.type = VIRTIO_BLK_T_IN, .sector = 1};
	uint16_t id;

	guest_start(DISK_BYTES, false);
	CHECK_EQUAL(pwrite(disk.fd, "hello", 5, 512), 5);
	memcpy(guest + HEADERS, &header, sizeof(header));
	id = guest_describe(HEADERS, 5, 0, true);
	(void)guest_describe(HEADERS + 5, 11, 0, true);
	(void)guest_describe(DATA, 100, WRITES, true);
	(void)guest_describe(DATA + 100, 413, WRITES, false); /* the status is its last byte */
	guest_offer(id);
	guest[DATA + 512] = 0xff;
	CHECK(block_take(&disk, &work));
	CHECK_EQUAL(work.data_bytes, 512);
	CHECK(block_execute(&disk, &work, false));
	CHECK(memcmp(guest + DATA, "hello", 5) == 0);
	CHECK_EQUAL(guest[DATA + 512], VIRTIO_BLK_S_OK);
	guest_stop();
}

TEST(a_request_without_header_or_status_breaks_the_ring)
{
	guest_start(DISK_BYTES, false);
	guest_offer(guest_describe(HEADERS, 16, 0, false));
	CHECK(!block_take(&disk, &work));
	CHECK(block_broken(&disk) != NULL);
	guest_stop();
	guest_start(DISK_BYTES, false);
	guest_offer(guest_describe(STATUSES, 1, WRITES, false));
	CHECK(!block_take(&disk, &work));
	CHECK(block_broken(&disk) != NULL);
	guest_stop();
}

TEST_DEFINE_MAIN
