/*
 * The byte streams of the console against a device played here: nothing is lost, doubled
 * or reordered, memory is small at rest, and a hostile device only harms its own stream.
 */
#include "arch/host/fake_memory.h"
#include "arch/host/fake_threads.h"
#include "drivers/console_control.h"
#include "drivers/console_input.h"
#include "drivers/console_output.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/sched.h"
#include "lib/test.h"

#include <string.h>

#define RING_SIZE    64
#define QUEUE_BASE   0x10000ull /* guest-physical, below the RAM that is handed out */
#define QUEUE_STRIDE 0x2000ull
#define RAM_BASE     0x200000ull
#define RAM_BYTES    (8ull << 20)
#define DOORBELL     0xd0000004ull

/* ---- the platform ------------------------------------------------------------- */

static uint32_t doorbell_page[1024];
static struct boot_info boot_info;
static char emergency[1024];
static size_t emergency_bytes;
static void (*relax_hook)(void);

void *platform_map_device(struct phys base, uint64_t bytes)
{
	CHECK_EQUAL(base.raw, DOORBELL & ~0xfffull);
	CHECK(bytes <= sizeof(doorbell_page));
	return doorbell_page;
}

uint32_t platform_pci_read(uint32_t function, uint32_t offset)
{
	(void)function;
	(void)offset;
	return UINT32_MAX;
}

void platform_pci_write(uint32_t function, uint32_t offset, uint32_t value)
{
	(void)function;
	(void)offset;
	(void)value;
}

const struct boot_info *platform_boot_info(void)
{
	return &boot_info;
}

void platform_emergency_write(const char *text, size_t bytes)
{
	memcpy(emergency + emergency_bytes, text, bytes);
	emergency_bytes += bytes;
}

uint32_t sched_cpu_count(void)
{
	return 1;
}

void arch_relax(void)
{
	fake_now_ns += 100;
	if (relax_hook != NULL)
		relax_hook();
}

/* ---- the device ------------------------------------------------------------------ */

struct device_queue {
	struct virtio_descriptor *descriptors;
	struct virtio_available *available;
	struct virtio_used *used;
	uint16_t next, published;
};

static struct boot_device boot_device;
static struct virtio_device device;
static struct device_queue queues[2];

static struct boot_queue queue_at(uint64_t base)
{
	return (struct boot_queue){.descriptors = base,
		.available = base + 0x1000,
		.used = base + 0x1800,
		.doorbell = DOORBELL,
		.size = RING_SIZE};
}

static uint32_t pages_before;
static size_t heap_before;

static uint32_t pages_used(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return (uint32_t)(counts.total_pages - counts.free_pages);
}

static void start_device(void)
{
	fake_threads_reset();
	fake_memory_start(RAM_BASE, RAM_BYTES, true);
	memset(platform_phys_to_virt((struct phys){QUEUE_BASE}), 0, 2 * QUEUE_STRIDE);
	boot_device = (struct boot_device){.transport = BOOT_TRANSPORT_STATIC,
		.virtio_id = VIRTIO_ID_CONSOLE,
		.role = BOOT_ROLE_STDIO,
		.features = VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1,
		.queue_count = 2,
		.queues = {queue_at(QUEUE_BASE), queue_at(QUEUE_BASE + QUEUE_STRIDE)}};
	for (int i = 0; i < 2; i++) {
		const struct boot_queue *queue = &boot_device.queues[i];

		queues[i] = (struct device_queue){
			.descriptors = platform_phys_to_virt((struct phys){queue->descriptors}),
			.available = platform_phys_to_virt((struct phys){queue->available}),
			.used = platform_phys_to_virt((struct phys){queue->used})};
	}
	CHECK_EQUAL(
		virtio_device_start(&device, &boot_device, VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1),
		0);
	relax_hook = NULL;
	pages_before = pages_used();
	heap_before = heap_live_count();
}

static bool has_chain(const struct device_queue *queue)
{
	return queue->next != queue->available->index;
}

static struct virtio_descriptor *next_chain(struct device_queue *queue, uint16_t *id)
{
	*id = queue->available->entries[queue->next++ % RING_SIZE];
	CHECK(*id < RING_SIZE);
	CHECK((queue->descriptors[*id].flags & VIRTIO_DESCRIPTOR_NEXT) == 0);
	return &queue->descriptors[*id];
}

/* True if the driver wants an interrupt. */
static bool complete(struct device_queue *queue, uint16_t id, uint32_t bytes)
{
	uint16_t old = queue->published, event = queue->available->entries[RING_SIZE];

	queue->used->entries[old % RING_SIZE] = (struct virtio_used_entry){id, bytes};
	queue->used->index = ++queue->published;
	return (uint16_t)(queue->published - event - 1) < (uint16_t)(queue->published - old);
}

/* ---- output ------------------------------------------------------------------------- */

static struct console_output output;
static uint8_t *sink;
static size_t sunk;

/* Takes one piece; false: there is none. Interrupts as a device would. */
static bool take_piece(void)
{
	struct virtio_descriptor *chain;
	uint16_t id;

	if (!has_chain(&queues[1]))
		return false;
	chain = next_chain(&queues[1], &id);
	memcpy(sink + sunk, platform_phys_to_virt((struct phys){chain->address}), chain->bytes);
	sunk += chain->bytes;
	if (complete(&queues[1], id, 0))
		console_output_on_interrupt(&output);
	return true;
}

static void take_all(void)
{
	while (take_piece())
		;
}

static long write_bytes(const void *bytes, size_t count, bool wait)
{
	struct uio_part part;
	struct uio uio;

	uio_init_user(&uio, &part, (uintptr_t)bytes, count);
	return console_output_write(&output, &uio, wait);
}

static void start_output(uint32_t limit)
{
	start_device();
	free(sink);
	sink = malloc(64 << 20);
	sunk = 0;
	CHECK_EQUAL(console_output_init(&output, &device, 1, limit), 0);
}

static void end_output(void)
{
	take_all();
	CHECK(console_output_is_drained(&output));
	page_free(platform_virt_to_phys(output.area.memory), output.area.size / 4096);
	heap_free(output.pieces);
	heap_free(output.ring.slots);
	CHECK_EQUAL(output.retired.size, 0);
	CHECK_EQUAL(pages_used(), pages_before);
	CHECK_EQUAL(heap_live_count(), heap_before);
	free(sink);
	sink = NULL;
}

/* 1..largest, at most `limit`. */
static size_t some(size_t largest, size_t limit)
{
	size_t count = 1 + (size_t)random() % largest;

	return MIN(count, limit);
}

static void fill(uint8_t *bytes, size_t count, uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)((seed + i) * 2654435761u >> 13);
}

TEST(small_output_needs_one_page_and_one_doorbell)
{
	start_output(64);
	CHECK_EQUAL(pages_used() - pages_before, 1);
	doorbell_page[1] = 99;
	CHECK_EQUAL(write_bytes("hello\n", 6, true), 6);
	CHECK_EQUAL(doorbell_page[1], 1); /* the index of the queue */
	doorbell_page[1] = 99;
	CHECK_EQUAL(write_bytes("world\n", 6, true), 6);
	CHECK_EQUAL(doorbell_page[1], 99); /* the device did not ask again */
	CHECK_EQUAL(pages_used() - pages_before, 1);
	CHECK(!console_output_is_drained(&output));
	take_all();
	CHECK(console_output_is_drained(&output));
	CHECK_EQUAL(sunk, 12);
	CHECK(memcmp(sink, "hello\nworld\n", 12) == 0);
	end_output();
}

TEST(nonblocking_writes_up_to_a_page_are_whole)
{
	static uint8_t bytes[4096];
	size_t written = 0;

	start_output(64);
	fill(bytes, sizeof(bytes), 0);
	for (;;) {
		long result = write_bytes(bytes, sizeof(bytes), false);

		if (result == -LINUX_EAGAIN)
			break;
		CHECK_EQUAL(result, sizeof(bytes));
		written += sizeof(bytes);
	}
	CHECK(written >= 16 * sizeof(bytes));
	CHECK(!console_output_is_writable(&output));
	while (!console_output_is_writable(&output))
		CHECK(take_piece());
	CHECK_EQUAL(write_bytes(bytes, sizeof(bytes), false), sizeof(bytes));
	take_all();
	CHECK_EQUAL(sunk, written + sizeof(bytes));
	for (size_t at = 0; at < sunk; at += sizeof(bytes))
		CHECK(memcmp(sink + at, bytes, sizeof(bytes)) == 0);
	end_output();
}

static void take_while_asleep(uint64_t deadline_ns)
{
	unsigned wakes = fake_threads[0].wakes;

	(void)deadline_ns;
	/* The writer sleeps: it must be woken before the device runs dry. */
	while (fake_threads[0].wakes == wakes)
		CHECK(take_piece());
}

static void check_stream(size_t largest, size_t total, uint32_t limit)
{
	uint8_t *bytes = malloc(total);
	size_t written = 0;

	start_output(limit);
	fake_sleep_hook = take_while_asleep;
	fill(bytes, total, 7);
	while (written < total) {
		size_t count = some(largest, total - written);

		CHECK_EQUAL(write_bytes(bytes + written, count, true), count);
		written += count;
		for (long i = random() % 3; i > 0; i--)
			take_piece();
	}
	take_all();
	CHECK_EQUAL(sunk, total);
	CHECK(memcmp(sink, bytes, total) == 0);
	end_output();
	free(bytes);
}

TEST(streams_arrive_as_they_were)
{
	srandom(3);
	check_stream(40, 200000, 64);
	check_stream(3000, 2 << 20, 64);
	check_stream(200000, 20 << 20, 64);
	check_stream(3000000, 40 << 20, 128);
	check_stream(9000, 1 << 20, 2);
	check_stream(9000, 1 << 20, 1);
}

TEST(bulk_takes_more_memory_and_gives_it_back)
{
	static uint8_t bytes[1 << 20];

	start_output(64);
	fake_sleep_hook = take_while_asleep;
	CHECK_EQUAL(write_bytes(bytes, sizeof(bytes), true), sizeof(bytes));
	CHECK(pages_used() - pages_before > 16);
	CHECK(pages_used() - pages_before <= 2 * CONSOLE_AREA_MAXIMUM / 4096);
	take_all();
	for (int i = 0; i < 100; i++) {
		CHECK_EQUAL(write_bytes("x", 1, true), 1);
		take_all();
	}
	CHECK_EQUAL(pages_used() - pages_before, 1);
	end_output();
}

TEST(a_fault_ends_the_write_before_it)
{
	struct uio_part parts[2] = {{(uintptr_t) "abc", 3}, {16, 5}};
	struct uio uio;

	start_output(64);
	uio_init_parts(&uio, parts, 2);
	CHECK_EQUAL(console_output_write(&output, &uio, true), 3);
	CHECK_EQUAL(write_bytes((void *)16, 5, true), -LINUX_EFAULT);
	CHECK_EQUAL(write_bytes("d", 1, true), 1);
	take_all();
	CHECK_EQUAL(sunk, 4);
	CHECK(memcmp(sink, "abcd", 4) == 0);
	end_output();
}

TEST(closed_output_is_a_broken_pipe)
{
	start_output(64);
	CHECK_EQUAL(write_bytes("abc", 3, true), 3);
	console_output_close(&output);
	CHECK_EQUAL(write_bytes("abc", 3, true), -LINUX_EPIPE);
	CHECK(console_output_is_writable(&output));
	CHECK(console_output_is_drained(&output));
	end_output();
}

static void close_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	console_output_close(&output);
}

TEST(closing_ends_a_blocked_write)
{
	static uint8_t bytes[4 << 20];
	long result;

	start_output(64);
	fake_sleep_hook = close_while_asleep;
	result = write_bytes(bytes, sizeof(bytes), true);
	CHECK(result > 0 && result < (long)sizeof(bytes));
	CHECK_EQUAL(write_bytes(bytes, 1, true), -LINUX_EPIPE);
	end_output();
}

static void interrupt_while_asleep(uint64_t deadline_ns)
{
	(void)deadline_ns;
	fake_threads[0].thread.signal.interrupted = true;
}

TEST(a_signal_ends_a_blocked_write)
{
	static uint8_t bytes[4 << 20];
	long result;

	start_output(64);
	fake_sleep_hook = interrupt_while_asleep;
	result = write_bytes(bytes, sizeof(bytes), true);
	CHECK(result > 0 && result < (long)sizeof(bytes));
	CHECK_EQUAL(write_bytes(bytes, sizeof(bytes), true), -LINUX_ERESTARTSYS);
	fake_threads[0].thread.signal.interrupted = false;
	fake_sleep_hook = take_while_asleep;
	CHECK_EQUAL(write_bytes("x", 1, true), 1); /* nobody kept the turn */
	end_output();
}

TEST(kernel_bytes_wait_only_so_long)
{
	static uint8_t bytes[2 << 20];
	size_t put;

	start_output(8);
	put = console_output_put(&output, bytes, sizeof(bytes), 1000000);
	CHECK(put > 0 && put < sizeof(bytes));
	take_all();
	relax_hook = take_all;
	CHECK_EQUAL(console_output_put(&output, bytes, sizeof(bytes), 1000000), sizeof(bytes));
	end_output();
}

TEST(without_memory_output_still_goes)
{
	static uint8_t bytes[1 << 20];
	struct phys page;

	start_output(64);
	fake_sleep_hook = take_while_asleep;
	while (page_alloc(1, PAGE_ALLOC_RESERVE, &page))
		pages_before++;
	CHECK_EQUAL(write_bytes(bytes, sizeof(bytes), true), sizeof(bytes));
	end_output();
}

TEST(without_a_device_output_goes_to_the_last_resort)
{
	start_device();
	console_output_init_none(&output);
	CHECK_EQUAL(write_bytes("last words", 10, true), 10);
	CHECK_EQUAL(emergency_bytes, 10);
	CHECK(memcmp(emergency, "last words", 10) == 0);
}

/* The device scribbles over all it can reach. */
static void scribble(void)
{
	for (int i = 0; i < 2; i++) {
		struct device_queue *queue = &queues[i];

		if (random() % 4 == 0)
			queue->used->index = (uint16_t)random();
		else if (random() % 2 == 0)
			complete(queue, (uint16_t)random() % 80, (uint32_t)random());
		queue->available->entries[(size_t)random() % RING_SIZE] = (uint16_t)random();
		queue->descriptors[(size_t)random() % RING_SIZE].address = (uint64_t)random();
		queue->available->index = (uint16_t)random();
	}
}

static void release_output(void)
{
	page_free(platform_virt_to_phys(output.area.memory), output.area.size / 4096);
	if (output.retired.size != 0)
		page_free(platform_virt_to_phys(output.retired.memory), output.retired.size / 4096);
	heap_free(output.pieces);
	heap_free(output.ring.slots);
	CHECK_EQUAL(pages_used(), pages_before);
	CHECK_EQUAL(heap_live_count(), heap_before);
}

TEST(hostile_device_of_output)
{
	static uint8_t bytes[100000];

	srandom(4);
	for (int round = 0; round < 300; round++) {
		start_output(1 + (uint32_t)random() % 64);
		for (int step = 0; step < 50; step++) {
			write_bytes(bytes, 1 + (size_t)random() % sizeof(bytes), false);
			console_output_on_interrupt(&output);
			console_output_is_drained(&output);
			if (random() % 5 == 0)
				scribble();
		}
		release_output();
	}
}

/* ---- input ------------------------------------------------------------------------------ */

static struct console_input input;
static const uint8_t *source;
static size_t source_bytes, sourced;

static bool give_piece(size_t largest)
{
	struct virtio_descriptor *chain;
	size_t bytes;
	uint16_t id;

	if (!has_chain(&queues[0]) || sourced == source_bytes)
		return false;
	chain = next_chain(&queues[0], &id);
	CHECK_EQUAL(chain->flags, VIRTIO_DESCRIPTOR_WRITE);
	bytes = some(largest, MIN(chain->bytes, source_bytes - sourced));
	memcpy(platform_phys_to_virt((struct phys){chain->address}), source + sourced, bytes);
	sourced += bytes;
	if (complete(&queues[0], id, (uint32_t)bytes))
		console_input_on_interrupt(&input);
	return true;
}

static long read_bytes(void *bytes, size_t count, bool wait)
{
	struct uio_part part;
	struct uio uio;

	uio_init_user(&uio, &part, (uintptr_t)bytes, count);
	return console_input_read(&input, &uio, wait);
}

static void start_input(bool is_terminal)
{
	start_device();
	sourced = source_bytes = 0;
	CHECK_EQUAL(console_input_init(&input, &device, 0, is_terminal), 0);
}

static void end_input(void)
{
	for (int i = 0; i < CONSOLE_INPUT_BUFFERS; i++) {
		if (input.buffers[i].size != 0)
			page_free(platform_virt_to_phys(input.buffers[i].memory),
				input.buffers[i].size / 4096);
	}
	heap_free(input.ring.slots);
	CHECK_EQUAL(pages_used(), pages_before);
	CHECK_EQUAL(heap_live_count(), heap_before);
}

TEST(nothing_is_asked_for_before_the_first_read)
{
	char byte;

	start_input(false);
	CHECK(!has_chain(&queues[0]));
	CHECK_EQUAL(pages_used(), pages_before);
	doorbell_page[1] = 99;
	CHECK_EQUAL(read_bytes(&byte, 1, false), -LINUX_EAGAIN);
	CHECK_EQUAL(doorbell_page[1], 0);
	CHECK(has_chain(&queues[0]));
	end_input();
}

static void give_while_asleep(uint64_t deadline_ns)
{
	unsigned wakes = fake_threads[0].wakes;

	(void)deadline_ns;
	while (fake_threads[0].wakes == wakes) {
		if (!give_piece(9000)) {
			CHECK_EQUAL(sourced, source_bytes);
			console_input_set_end(&input, source_bytes);
		}
	}
}

TEST(input_arrives_as_it_was_and_ends)
{
	size_t total = 8 << 20, got = 0;
	uint8_t *bytes = malloc(total), *copy = malloc(total + 100000);

	srandom(5);
	start_input(false);
	fake_sleep_hook = give_while_asleep;
	fill(bytes, total, 11);
	source = bytes;
	source_bytes = total;
	for (;;) {
		long result;

		for (long i = random() % 4; i > 0; i--)
			give_piece(100000);
		result = read_bytes(copy + got, 1 + (size_t)random() % 50000, true);
		CHECK(result >= 0);
		if (result == 0)
			break;
		got += (size_t)result;
	}
	CHECK_EQUAL(got, total);
	CHECK(memcmp(bytes, copy, total) == 0);
	CHECK_EQUAL(read_bytes(copy, 1, true), 0); /* and stays at its end */
	CHECK(console_input_is_readable(&input));
	end_input();
	free(bytes);
	free(copy);
}

TEST(the_end_may_be_told_before_the_bytes_arrive)
{
	uint8_t copy[16];

	start_input(false);
	CHECK_EQUAL(read_bytes(copy, 1, false), -LINUX_EAGAIN);
	source = (const uint8_t *)"abc";
	source_bytes = 3;
	console_input_set_end(&input, 3);
	CHECK_EQUAL(read_bytes(copy, 16, false), -LINUX_EAGAIN);
	while (give_piece(1))
		;
	CHECK_EQUAL(console_input_pending(&input), 3);
	CHECK_EQUAL(read_bytes(copy, 16, false), 3);
	CHECK_EQUAL(read_bytes(copy, 16, false), 0);
	end_input();
}

TEST(a_terminal_gives_lines_and_goes_on_after_its_end)
{
	uint8_t copy[64];

	start_input(true);
	CHECK_EQUAL(read_bytes(copy, 1, false), -LINUX_EAGAIN);
	source = (const uint8_t *)"first\nsecond\n";
	source_bytes = 6;
	give_piece(1 << 20);
	source_bytes = 13;
	while (give_piece(1 << 20))
		;
	size_t first = (size_t)read_bytes(copy, sizeof(copy), false);
	CHECK(first <= 6); /* what one read of the host gave */
	while (first < 13)
		first += (size_t)read_bytes(copy, sizeof(copy), false);
	console_input_set_end(&input, 13);
	CHECK_EQUAL(read_bytes(copy, sizeof(copy), false), 0);
	CHECK_EQUAL(read_bytes(copy, sizeof(copy), false), -LINUX_EAGAIN);
	end_input();
}

TEST(a_fault_while_reading_loses_nothing)
{
	uint8_t copy[16];

	start_input(false);
	CHECK_EQUAL(read_bytes(copy, 1, false), -LINUX_EAGAIN);
	source = (const uint8_t *)"abc";
	source_bytes = 3;
	while (give_piece(100))
		;
	CHECK_EQUAL(read_bytes((void *)16, 3, false), -LINUX_EFAULT);
	size_t got = 0;
	while (got < 3)
		got += (size_t)read_bytes(copy + got, 16 - got, false);
	CHECK(memcmp(copy, "abc", 3) == 0);
	end_input();
}

TEST(hostile_device_of_input)
{
	static uint8_t copy[100000];

	srandom(6);
	for (int round = 0; round < 1000; round++) {
		start_input(random() % 2);
		for (int step = 0; step < 50; step++) {
			read_bytes(copy, 1 + (size_t)random() % sizeof(copy), false);
			console_input_on_interrupt(&input);
			console_input_pending(&input);
			if (random() % 5 == 0)
				scribble();
			if (random() % 50 == 0)
				console_input_set_end(&input, (uint64_t)random() % 10000);
		}
		end_input();
	}
}

/* ---- control messages ------------------------------------------------------------------- */

static uint64_t message_sum;
static unsigned message_count;

static void on_message(const struct control_header *header, const uint8_t *payload)
{
	message_count++;
	message_sum = message_sum * 31 + header->type * 7 + header->value;
	if (header->bytes != 0)
		message_sum += payload[MIN(header->bytes, CONTROL_KEPT_PAYLOAD) - 1];
}

TEST(messages_come_whole_in_any_portions)
{
	static uint8_t stream[200 * 5000];
	size_t bytes = 0;
	uint64_t expected = 0;

	srandom(7);
	for (int i = 0; i < 200; i++) {
		struct control_header header = {(uint32_t)random() % 30,
			(uint32_t)(random() % 2 ? 0 : random() % (CONTROL_MAX_PAYLOAD + 1)),
			(uint64_t)random()};

		memcpy(stream + bytes, &header, sizeof(header));
		memset(stream + bytes + sizeof(header), (uint8_t)i, header.bytes);
		bytes += sizeof(header) + header.bytes;
		expected = expected * 31 + header.type * 7 + header.value +
			   (header.bytes != 0 ? (uint8_t)i : 0);
	}
	for (size_t largest = 1; largest < 10000; largest *= 3) {
		struct console_parser parser = {.have = 0};

		message_sum = message_count = 0;
		for (size_t at = 0; at < bytes;) {
			size_t part = some(largest, bytes - at);

			console_parser_feed(&parser, stream + at, part, on_message);
			at += part;
		}
		CHECK_EQUAL(message_count, 200);
		CHECK_EQUAL(message_sum, expected);
	}
}

TEST(a_message_that_is_too_long_ends_the_stream)
{
	struct control_header header = {CONTROL_SIGNAL, CONTROL_MAX_PAYLOAD + 1, 9};
	struct control_header good = {CONTROL_SIGNAL, 0, 9};
	struct console_parser parser = {.have = 0};

	message_count = 0;
	console_parser_feed(&parser, (uint8_t *)&header, sizeof(header), on_message);
	console_parser_feed(&parser, (uint8_t *)&good, sizeof(good), on_message);
	CHECK(parser.is_broken);
	CHECK_EQUAL(message_count, 0);
}

TEST_DEFINE_MAIN
