/*
 * Control messages in any portions, too long, unknown, and towards small buffers.
 */
#include <string.h>

#include "lib/test.h"
#include "monitor/control.h"

static char panic_text[CONTROL_MAX_PAYLOAD];
static size_t panic_bytes;
static unsigned panics;

static void on_panic(void *context, const char *text, size_t bytes)
{
	(void)context;
	CHECK(bytes <= sizeof(panic_text));
	memcpy(panic_text, text, bytes);
	panic_bytes = bytes;
	panics++;
}

static size_t put(uint8_t *to, uint32_t type, uint64_t value, const void *payload, uint32_t bytes)
{
	struct control_header header = {type, bytes, value};

	memcpy(to, &header, sizeof(header));
	if (bytes)
		memcpy(to + sizeof(header), payload, bytes);
	return sizeof(header) + bytes;
}

TEST(messages_arrive_in_any_portions)
{
	static uint8_t stream[8192], payload[CONTROL_MAX_PAYLOAD];
	size_t bytes = 0;

	memset(payload, 'p', sizeof(payload));
	bytes += put(stream + bytes, 999, 1, "unknown", 7);
	bytes += put(stream + bytes, CONTROL_READY, 1234, NULL, 0);
	bytes += put(stream + bytes, CONTROL_PANIC, 0, payload, sizeof(payload));
	bytes += put(stream + bytes, CONTROL_KILLED, 15, NULL, 0);
	for (size_t portion = 1; portion < bytes; portion = portion * 2 + 1) {
		static struct control control;

		control = (struct control){.on_panic = on_panic};
		panics = 0;
		for (size_t at = 0; at < bytes; at += portion)
			control_parse(&control, stream + at, MIN(portion, bytes - at));
		CHECK(control.broken == NULL);
		CHECK_EQUAL(control.program_ticks, 1234);
		CHECK_EQUAL(control.killed_by, 15);
		CHECK_EQUAL(panics, 1);
		CHECK_EQUAL(panic_bytes, sizeof(payload));
		CHECK_EQUAL(control.in_bytes, 0);
	}
}

TEST(too_long_messages_break_the_stream)
{
	static const uint32_t lengths[] = {CONTROL_MAX_PAYLOAD + 1, 1u << 31, UINT32_MAX};

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		static struct control control;
		struct control_header header = {CONTROL_PANIC, lengths[i], 0};

		control = (struct control){.on_panic = on_panic};
		panics = 0;
		control_parse(&control, (uint8_t *)&header, sizeof(header));
		CHECK(control.broken != NULL);
		control_parse(&control, (uint8_t *)&header, sizeof(header));
		CHECK_EQUAL(panics, 0);
	}
}

TEST(bad_values_are_ignored)
{
	static struct control control;
	uint8_t stream[128];
	size_t bytes = put(stream, CONTROL_KILLED, 0, NULL, 0);

	bytes += put(stream + bytes, CONTROL_KILLED, 65, NULL, 0);
	bytes += put(stream + bytes, CONTROL_KILLED, UINT64_MAX, NULL, 0);
	bytes += put(stream + bytes, CONTROL_TERMIOS, 0, "short", 5);
	control_parse(&control, stream, bytes);
	CHECK(control.broken == NULL);
	CHECK_EQUAL(control.killed_by, 0);
}

#define SIZE         16
#define MEMORY_BYTES 0x4000

/* Offers buffers of `buffer_bytes` until all messages are out; returns the bytes. */
static size_t drain(struct control *control, uint8_t *memory, uint32_t buffer_bytes, uint8_t *out)
{
	struct ring *ring = &control->to_guest;
	size_t bytes = 0;

	while (control_has_message(control)) {
		uint16_t index = ring->available->index;
		uint32_t filled;

		ring->descriptors[0] = (struct ring_descriptor){0x2000, buffer_bytes, 2, 0};
		ring->available->entries[index % SIZE] = 0;
		ring->available->index = (uint16_t)(index + 1);
		CHECK(control_send(control));
		ring_publish(ring);
		filled = ring->used->entries[index % SIZE].bytes;
		CHECK(filled > 0 && filled <= buffer_bytes);
		memcpy(out + bytes, memory + 0x2000, filled);
		bytes += filled;
	}
	return bytes;
}

TEST(facts_become_messages)
{
	for (uint32_t buffer_bytes = 1; buffer_bytes < 100; buffer_bytes += 7) {
		static struct control control;
		struct guest_memory memory = {0};
		uint8_t *bytes = calloc(1, MEMORY_BYTES), out[512];
		struct control_header headers[4];

		CHECK(bytes && guest_memory_add(&memory, 0, MEMORY_BYTES, bytes, true));
		control = (struct control){0};
		CHECK(ring_init(&control.to_guest, &memory, 0x100, 0x800, 0x1000, SIZE, true));
		CHECK(!control_has_message(&control));
		CHECK(!control_send(&control));
		control.pending.signals = 1ull << 63 | 2;
		control.pending.output_closed[1] = true;
		control.pending.stdin_end = true;
		control.pending.stdin_bytes = 77;
		CHECK_EQUAL(drain(&control, bytes, buffer_bytes, out), sizeof(headers));
		memcpy(headers, out, sizeof(headers));
		CHECK_EQUAL(headers[0].type, CONTROL_SIGNAL);
		CHECK_EQUAL(headers[0].value, 2);
		CHECK_EQUAL(headers[1].value, 64);
		CHECK_EQUAL(headers[2].type, CONTROL_OUTPUT_CLOSED);
		CHECK_EQUAL(headers[2].value, 2);
		CHECK_EQUAL(headers[3].type, CONTROL_STDIN_END);
		CHECK_EQUAL(headers[3].value, 77);
		free(bytes);
	}
}

TEST_DEFINE_MAIN
