/*
 * Fuzzes the network device: the input is guest memory with both rings in it, what the guest
 * writes over it between the steps, and the frames that come from outside.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/net.h"
#include "monitor/net_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define MEMORY_BYTES 0x20000
#define SIZE         16
#define STEPS        16

static void ignore_interrupt(struct net_device *device)
{
	(void)device;
}

static void run(
	struct net_device *device, int peer, uint8_t *memory, const uint8_t *data, size_t bytes)
{
	static uint8_t sink[NET_FRAME_MAX + NET_HEADER_BYTES];

	for (unsigned step = 0; step < STEPS; step++) {
		size_t at = bytes * step / STEPS;

		(void)!write(peer, data + at, MIN(bytes - at, (size_t)2000));
		net_receive(device);
		net_transmit(device);
		net_prepare_sleep(device);
		net_note_events(device, net_events(device));
		while (read(peer, sink, sizeof(sink)) > 0)
			;
		/* Three bytes of input move one byte of the rings. */
		if (bytes >= 3 * (step + 1ul)) {
			const uint8_t *change = data + bytes - 3 * (step + 1ul);

			memory[(change[0] | change[1] << 8) % 2048] = change[2];
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *memory_bytes = calloc(1, MEMORY_BYTES);
	struct net_device *device = calloc(1, sizeof(*device));
	struct guest_memory memory = {0};
	char line[200];
	int ends[2];
	bool is_stream = bytes % 2;

	if (!memory_bytes || !device ||
		!guest_memory_add(&memory, 0, MEMORY_BYTES, memory_bytes, true) ||
		!ring_init(&device->to_guest, &memory, 0, 256, 512, SIZE, true) ||
		!ring_init(&device->from_guest, &memory, 1024, 1280, 1536, SIZE, false) ||
		socketpair(AF_UNIX, (is_stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK, 0,
			ends) != 0)
		abort();
	device->name = "eth0";
	device->interrupt = ignore_interrupt;
	if (!is_stream)
		net_open_tap(device, ends[0]);
	else if (!net_open_stream(device, ends[0]))
		abort();
	memcpy(memory_bytes, data, MIN(bytes, (size_t)MEMORY_BYTES));
	run(device, ends[1], memory_bytes, data, bytes);
	net_decode_line(
		line, sizeof(line), "eth0", is_stream, 0, 0, data, MIN(bytes, (size_t)128), bytes);
	close(ends[0]);
	close(ends[1]);
	free(device->stream);
	free(device);
	free(memory_bytes);
	return 0;
}
