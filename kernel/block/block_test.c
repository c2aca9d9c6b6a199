/*
 * Block devices: what block.c makes of requests, on a device that keeps its contents in
 * memory and checks that its limits are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_threads.h"
#include "kernel/block/block.h"
#include "kernel/mm/heap.h"
#include "abi/linux/errno.h"
#include "lib/test.h"

#define BYTES (1u << 20)

static uint8_t contents[BYTES], memory[BYTES];
static struct block_request *held[4096];
static uint32_t held_count, submitted, fail_number, starts;
static bool holds; /* complete only in drain() */

struct phys platform_virt_to_phys(const void *linear)
{
	return (struct phys){(uintptr_t)linear};
}

static void check_limits(const struct block_device *device, const struct block_request *request)
{
	uint64_t total = 0;

	CHECK(request->offset % device->sector_bytes == 0);
	CHECK(request->bytes % device->sector_bytes == 0);
	CHECK(request->offset + request->bytes <= device->bytes);
	if (request->operation != BLOCK_READ && request->operation != BLOCK_WRITE)
		return;
	CHECK(request->bytes > 0 && request->bytes <= device->max_request_bytes);
	CHECK(request->segment_count > 0 && request->segment_count <= device->max_segments);
	for (uint32_t i = 0; i < request->segment_count; i++) {
		CHECK(request->segments[i].bytes > 0);
		total += request->segments[i].bytes;
	}
	CHECK_EQUAL(total, request->bytes);
}

static void move(const struct block_request *request)
{
	uint8_t *at = contents + request->offset;

	for (uint32_t i = 0; i < request->segment_count; i++) {
		void *data = (void *)(uintptr_t)request->segments[i].memory.raw;
		uint32_t bytes = request->segments[i].bytes;

		if (request->operation == BLOCK_READ)
			memcpy(data, at, bytes);
		else if (request->operation == BLOCK_WRITE)
			memcpy(at, data, bytes);
		at += bytes;
	}
	if (request->operation == BLOCK_WRITE_ZEROES)
		memset(at, 0, request->bytes);
}

static void finish(struct block_device *device, struct block_request *request)
{
	request->error = ++submitted == fail_number ? -LINUX_EIO : 0;
	move(request);
	block_complete(device, request);
}

static void submit(struct block_device *device, struct block_request *request)
{
	check_limits(device, request);
	if (holds)
		held[held_count++] = request;
	else
		finish(device, request);
}

static void start(struct block_device *device)
{
	(void)device;
	starts++;
}

static const struct block_ops ops = {submit, start};
static struct block_device device;

/* The last first: requests complete in any order. */
static void drain(uint64_t deadline_ns)
{
	(void)deadline_ns;
	while (held_count > 0)
		finish(&device, held[--held_count]);
}

static void set_up(void)
{
	device = (struct block_device){.ops = &ops,
		.name = "data",
		.bytes = BYTES,
		.sector_bytes = 512,
		.max_segments = 4,
		.max_request_bytes = 16384,
		.max_discard_bytes = 65536,
		.max_zeroes_bytes = 32768,
		.volatile_cache = true};
	submitted = fail_number = held_count = starts = 0;
	holds = false;
	fake_threads_reset();
	fake_sleep_hook = drain;
	for (uint32_t i = 0; i < BYTES; i++)
		contents[i] = (uint8_t)(i * 31 + i / 256);
}

TEST(devices_are_found_by_name_and_in_order)
{
	static struct block_device first = {.name = "a"}, second = {.name = "b"};

	CHECK(block_next(NULL) == NULL);
	block_register(&first);
	block_register(&second);
	CHECK(block_next(NULL) == &first && block_next(&first) == &second);
	CHECK(block_next(&second) == NULL);
	CHECK(block_find("b") == &second && block_find("c") == NULL);
	CHECK_EQUAL(second.number, 1);
}

TEST(large_transfers_are_split_and_complete_in_any_order)
{
	size_t before = heap_live_count();

	set_up();
	holds = true;
	CHECK_EQUAL(block_read(&device, 512, memory, 100 * 1024), 0);
	CHECK(memcmp(memory, contents + 512, 100 * 1024) == 0);
	CHECK_EQUAL(submitted, 7);
	CHECK(starts > 0);
	memset(memory, 0x5a, sizeof(memory));
	CHECK_EQUAL(block_write(&device, 8192, memory, 200 * 1024), 0);
	CHECK(memcmp(memory, contents + 8192, 200 * 1024) == 0);
	CHECK_EQUAL(contents[8191], (uint8_t)(8191 * 31 + 8191 / 256));
	CHECK_EQUAL(device.reads, 7);
	CHECK_EQUAL(device.read_bytes, 100 * 1024);
	CHECK_EQUAL(device.written_bytes, 200 * 1024);
	CHECK_EQUAL(device.in_flight, 0);
	CHECK_EQUAL(heap_live_count(), before);
}

TEST(the_first_error_is_told)
{
	set_up();
	fail_number = 3;
	CHECK_EQUAL(block_read(&device, 0, memory, 100 * 1024), -LINUX_EIO);
	CHECK_EQUAL(device.errors, 1);
	CHECK_EQUAL(block_read(&device, 0, memory, 100 * 1024), 0);
}

TEST(what_the_device_cannot_is_refused)
{
	set_up();
	CHECK_EQUAL(block_read(&device, 100, memory, 512), -LINUX_EINVAL);
	CHECK_EQUAL(block_read(&device, 0, memory, 100), -LINUX_EINVAL);
	CHECK_EQUAL(block_read(&device, BYTES, memory, 512), -LINUX_EINVAL);
	CHECK_EQUAL(block_read(&device, UINT64_MAX - 511, memory, 1024), -LINUX_EINVAL);
	device.max_discard_bytes = 0;
	CHECK_EQUAL(block_discard(&device, 0, 512), -LINUX_EOPNOTSUPP);
	device.read_only = true;
	CHECK_EQUAL(block_write(&device, 0, memory, 512), -LINUX_EROFS);
	CHECK_EQUAL(block_write_zeroes(&device, 0, 512), -LINUX_EROFS);
	CHECK_EQUAL(submitted, 0);
	CHECK_EQUAL(block_flush(&device), 0);
	CHECK_EQUAL(submitted, 1);
	device.volatile_cache = false;
	CHECK_EQUAL(block_flush(&device), 0);
	CHECK_EQUAL(submitted, 1);
}

TEST(ranges_are_split)
{
	set_up();
	CHECK_EQUAL(block_write_zeroes(&device, 4096, 100 * 1024), 0);
	CHECK_EQUAL(submitted, 4);
	CHECK_EQUAL(contents[4096] | contents[4096 + 100 * 1024 - 1], 0);
	CHECK_EQUAL(block_discard(&device, 0, BYTES), 0);
	CHECK_EQUAL(device.discards, 4 + 16);
}

static uint32_t done_count;

static void count_done(struct block_request *request)
{
	(void)request;
	done_count++;
}

/* Segments of odd sizes: parts end at sectors, wherever segments end. */
TEST(scattered_requests_are_cut_at_sectors)
{
	struct block_segment segments[300];
	struct block_request request = {
		.operation = BLOCK_WRITE, .segments = segments, .done = count_done};
	size_t before = heap_live_count();

	set_up();
	srand(1);
	for (int round = 0; round < 2000; round++) {
		uint32_t total = 0, count = 0;

		while (count < 299) {
			uint32_t bytes = 1 + (uint32_t)rand() % 2500;

			segments[count++] =
				(struct block_segment){{(uintptr_t)memory + total}, bytes};
			total += bytes;
			if (rand() % 40 == 0)
				break;
		}
		if (total % 512 != 0) {
			segments[count++] = (struct block_segment){
				{(uintptr_t)memory + total}, 512 - total % 512};
			total += 512 - total % 512;
		}
		for (uint32_t i = 0; i < total; i++)
			memory[i] = (uint8_t)rand();
		request.segment_count = count;
		request.bytes = total;
		request.offset = (uint64_t)(rand() % 100) * 512;
		done_count = 0;
		holds = rand() % 2 != 0;
		block_submit(&device, &request);
		drain(0);
		CHECK_EQUAL(done_count, 1);
		/* Four of these need not make up a sector: then it is refused. */
		CHECK(request.error == 0 || request.error == -LINUX_EINVAL);
		if (request.error == 0)
			CHECK(memcmp(contents + request.offset, memory, total) == 0);
	}
	CHECK_EQUAL(heap_live_count(), before);
}

TEST(lack_of_memory_is_an_error_and_leaks_nothing)
{
	size_t before = heap_live_count();
	int failures = 0;

	set_up();
	heap_inject_failures(4);
	for (int i = 0; i < 200; i++) {
		int error = block_read(&device, 0, memory, 100 * 1024);

		CHECK(error == 0 || error == -LINUX_ENOMEM);
		failures += error != 0;
	}
	heap_inject_failures(0);
	CHECK(failures > 0);
	CHECK_EQUAL(heap_live_count(), before);
	CHECK_EQUAL(device.in_flight, 0);
}

TEST_DEFINE_MAIN
