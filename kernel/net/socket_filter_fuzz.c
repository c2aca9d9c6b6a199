/* Filters of arbitrary instructions over arbitrary packets: checked or refused, never astray. */
#include "kernel/net/socket_filter.h"
#include "abi/linux/errno.h"
#include "kernel/mm/heap.h"
#include "kernel/net/packet.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

uint32_t arch_cpu_index(void)
{
	return 0;
}

static void run(const struct socket_filter *filter, const uint8_t *data, size_t size)
{
	static const uint8_t link[14] = {1, 2, 3};
	struct packet *packet = packet_create_linear((uint32_t)size);

	REQUIRE(packet != NULL);
	memcpy(packet->fragments[0].data, data, size);
	for (int32_t start = -14; start <= 14; start += 14) {
		struct socket_filter_context context = {.protocol = 0x800,
			.start = start,
			.network_offset = start < 0 ? 0 : 14,
			.link_offset = start < 0 ? -14 : SOCKET_FILTER_NONE,
			.link = start < 0 ? link : NULL};

		if (start <= (int32_t)size)
			(void)socket_filter_run(filter, packet, &context);
	}
	packet_release(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct linux_sock_filter program[64];
	struct socket_filter *filter = NULL;
	size_t before = heap_live_count(), bytes;
	uint32_t count;
	int error;

	if (size < 1)
		return 0;
	count = data[0] % 65u;
	bytes = count * sizeof(program[0]);
	if (size - 1 < bytes)
		return 0;
	memcpy(program, data + 1, bytes);
	/* Most codes and constants mean nothing: bring them nearer to what does. */
	for (uint32_t i = 0; i < count; i++) {
		program[i].code &= 0xff;
		if (program[i].jump_true & 1)
			program[i].k &= 0x1f;
		program[i].jump_true &= 7;
		program[i].jump_false &= 7;
	}
	error = socket_filter_create(program, count, &filter);
	REQUIRE(error == 0 || error == -LINUX_EINVAL);
	if (error == 0)
		run(filter, data + 1 + bytes, size - 1 - bytes);
	socket_filter_free(filter);
	REQUIRE(heap_live_count() == before);
	return 0;
}
