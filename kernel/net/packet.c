/*
 * Packets; see packet.h.
 *
 * One allocation holds the packet, its fragments and its head room; a linear packet's
 * payload follows the head room in the same block, so that headers and payload end up
 * contiguous.
 */
#include "kernel/net/packet.h"

#include "kernel/mm/heap.h"
#include "lib/string.h"

struct memory_block {
	struct packet_memory memory;
	uint8_t data[] ALIGNED(16);
};

_Static_assert(sizeof(struct memory_block) == PACKET_MEMORY_OVERHEAD, "blocks fill their pages");

static void free_block(struct packet_memory *memory)
{
	heap_free(CONTAINER_OF(memory, struct memory_block, memory));
}

struct packet_memory *packet_memory_create(uint32_t bytes)
{
	struct memory_block *block = heap_alloc(sizeof(*block) + bytes);

	if (!block)
		return NULL;
	block->memory = (struct packet_memory){
		.references = 1, .bytes = bytes, .base = block->data, .release = free_block};
	return &block->memory;
}

void packet_memory_acquire(struct packet_memory *memory)
{
	__atomic_add_fetch(&memory->references, 1, __ATOMIC_RELAXED);
}

void packet_memory_release(struct packet_memory *memory)
{
	/* The only holder needs no locked instruction. */
	if (__atomic_load_n(&memory->references, __ATOMIC_ACQUIRE) == 1 ||
		__atomic_sub_fetch(&memory->references, 1, __ATOMIC_ACQ_REL) == 0)
		memory->release(memory);
}

static struct packet *allocate(uint32_t fragments, uint32_t payload)
{
	uint32_t limit = MIN(fragments + 1, PACKET_FRAGMENTS_MAX);
	size_t fixed = sizeof(struct packet) + limit * sizeof(struct packet_fragment);
	struct packet *packet;

	fixed = ALIGN_UP(fixed, 16);
	packet = heap_alloc(fixed + PACKET_HEAD_BYTES + payload);
	if (!packet)
		return NULL;
	*packet = (struct packet){
		.fragment_limit = (uint16_t)limit, .head = (uint8_t *)packet + fixed};
	list_init(&packet->link);
	return packet;
}

struct packet *packet_create(uint32_t fragments)
{
	return allocate(fragments, 0);
}

struct packet *packet_create_linear(uint32_t bytes)
{
	struct packet *packet = allocate(1, bytes);

	if (!packet)
		return NULL;
	packet->fragments[0] =
		(struct packet_fragment){.data = packet->head + PACKET_HEAD_BYTES, .bytes = bytes};
	packet->fragment_count = 1;
	packet->bytes = bytes;
	return packet;
}

static void release_fragments(struct packet *packet, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		if (packet->fragments[i].memory)
			packet_memory_release(packet->fragments[i].memory);
	}
}

void packet_release(struct packet *packet)
{
	release_fragments(packet, 0, packet->fragment_count);
	heap_free(packet);
}

void packet_release_list(struct list *packets)
{
	struct list *link;

	while ((link = list_first(packets)) != NULL) {
		list_remove(link);
		packet_release(LIST_ENTRY(link, struct packet, link));
	}
}

bool packet_add(struct packet *packet, struct packet_memory *memory, uint8_t *data, uint32_t bytes)
{
	struct packet_fragment *last = packet->fragments + packet->fragment_count - 1;

	if (packet->fragment_count > 0 && last->memory == memory &&
		last->data + last->bytes == data) {
		last->bytes += bytes;
	} else {
		if (packet->fragment_count == packet->fragment_limit)
			return false;
		packet_memory_acquire(memory);
		packet->fragments[packet->fragment_count++] =
			(struct packet_fragment){data, bytes, memory};
	}
	packet->bytes += bytes;
	return true;
}

/* Opens a place for a fragment at the front. The caller knows that there is one. */
static struct packet_fragment *insert_first(struct packet *packet)
{
	memmove(packet->fragments + 1, packet->fragments,
		packet->fragment_count * sizeof(packet->fragments[0]));
	packet->fragment_count++;
	packet->fragments[0] = (struct packet_fragment){NULL, 0, NULL};
	return packet->fragments;
}

uint8_t *packet_push(struct packet *packet, uint32_t bytes)
{
	struct packet_fragment *first = packet->fragments;

	if (packet->fragment_count == 0 || first->memory) {
		if (packet->fragment_count == packet->fragment_limit || bytes > PACKET_HEAD_BYTES)
			return NULL;
		first = insert_first(packet);
		first->data = packet->head + PACKET_HEAD_BYTES;
	} else if ((size_t)(first->data - packet->head) < bytes) {
		return NULL;
	}
	first->data -= bytes;
	first->bytes += bytes;
	packet->bytes += bytes;
	return first->data;
}

/* The first fragment is shorter than `bytes`: gathers them at the end of the head. */
static uint8_t *gather(struct packet *packet, uint32_t bytes)
{
	uint8_t *target = packet->head + PACKET_HEAD_BYTES - bytes;
	struct packet_fragment *first = packet->fragments;
	uint32_t have = first->bytes;

	memmove(target, first->data, have);
	packet_copy(packet, have, target + have, bytes - have);
	packet_trim_front(packet, bytes);
	/* The first is gone, so there is a place. */
	first = insert_first(packet);
	first->data = target;
	first->bytes = bytes;
	packet->bytes += bytes;
	return target;
}

uint8_t *packet_peek(struct packet *packet, uint32_t bytes)
{
	if (packet->fragment_count > 0 && packet->fragments[0].bytes >= bytes)
		return packet->fragments[0].data;
	if (packet->bytes < bytes || bytes > PACKET_HEAD_BYTES || packet->fragment_count == 0)
		return NULL;
	return gather(packet, bytes);
}

void packet_trim_front(struct packet *packet, uint32_t bytes)
{
	uint32_t gone = 0;

	packet->bytes -= bytes;
	while (gone < packet->fragment_count && packet->fragments[gone].bytes <= bytes)
		bytes -= packet->fragments[gone++].bytes;
	if (gone > 0) {
		release_fragments(packet, 0, gone);
		packet->fragment_count = (uint16_t)(packet->fragment_count - gone);
		memmove(packet->fragments, packet->fragments + gone,
			packet->fragment_count * sizeof(packet->fragments[0]));
	}
	if (bytes > 0) {
		packet->fragments[0].data += bytes;
		packet->fragments[0].bytes -= bytes;
	}
}

void packet_trim_to(struct packet *packet, uint32_t bytes)
{
	uint32_t kept = 0, left = bytes;

	while (kept < packet->fragment_count && left > 0) {
		struct packet_fragment *fragment = packet->fragments + kept++;

		fragment->bytes = MIN(fragment->bytes, left);
		left -= fragment->bytes;
	}
	release_fragments(packet, kept, packet->fragment_count);
	packet->fragment_count = (uint16_t)kept;
	packet->bytes = bytes;
}

void packet_copy(const struct packet *packet, uint32_t offset, void *dst, uint32_t bytes)
{
	uint8_t *target = dst;

	for (uint32_t i = 0; i < packet->fragment_count && bytes > 0; i++) {
		const struct packet_fragment *fragment = packet->fragments + i;
		uint32_t part;

		if (offset >= fragment->bytes) {
			offset -= fragment->bytes;
			continue;
		}
		part = MIN(fragment->bytes - offset, bytes);
		memcpy(target, fragment->data + offset, part);
		target += part;
		bytes -= part;
		offset = 0;
	}
}

size_t packet_copy_uio(
	const struct packet *packet, uint32_t offset, struct uio *uio, uint32_t bytes)
{
	size_t copied = 0;

	for (uint32_t i = 0; i < packet->fragment_count && bytes > 0; i++) {
		const struct packet_fragment *fragment = packet->fragments + i;
		size_t part, moved;

		if (offset >= fragment->bytes) {
			offset -= fragment->bytes;
			continue;
		}
		part = MIN(fragment->bytes - offset, bytes);
		moved = uio_copy_some_to(uio, fragment->data + offset, part);
		copied += moved;
		if (moved < part)
			break;
		bytes -= (uint32_t)part;
		offset = 0;
	}
	return copied;
}

struct packet *packet_clone(const struct packet *packet)
{
	struct packet *clone = packet_create_linear(packet->bytes);

	if (!clone)
		return NULL;
	packet_copy(packet, 0, clone->fragments[0].data, packet->bytes);
	clone->device = packet->device;
	clone->flags = packet->flags;
	clone->checksum_start = packet->checksum_start;
	clone->checksum_offset = packet->checksum_offset;
	clone->segments = packet->segments;
	clone->header_bytes = packet->header_bytes;
	clone->segment_bytes = packet->segment_bytes;
	clone->network_offset = packet->network_offset;
	clone->received_ns = packet->received_ns;
	return clone;
}

/* ---- checksums ----------------------------------------------------------------- */

static uint64_t load_u64(const uint8_t *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	return word;
}

/* Sums of 16-bit words survive being made of 64-bit words with the carry brought around. */
static uint64_t add_carry(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? sum + 1 : sum;
}

static uint32_t fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint32_t)((sum >> 16) + (sum & 0xffff));
}

uint32_t checksum_add(const void *bytes, size_t count, uint32_t sum)
{
	const uint8_t *from = bytes;
	uint64_t a = sum, b = 0;

	for (; count >= 32; count -= 32, from += 32) {
		a = add_carry(a, load_u64(from));
		b = add_carry(b, load_u64(from + 8));
		a = add_carry(a, load_u64(from + 16));
		b = add_carry(b, load_u64(from + 24));
	}
	for (; count >= 8; count -= 8, from += 8)
		a = add_carry(a, load_u64(from));
	if (count > 0) {
		uint64_t last = 0;

		memcpy(&last, from, count);
		b = add_carry(b, last);
	}
	return fold(add_carry(a, b));
}

uint32_t packet_checksum(const struct packet *packet, uint32_t offset, uint32_t bytes, uint32_t sum)
{
	bool is_odd = false;

	for (uint32_t i = 0; i < packet->fragment_count && bytes > 0; i++) {
		const struct packet_fragment *fragment = packet->fragments + i;
		uint32_t part, of_part;

		if (offset >= fragment->bytes) {
			offset -= fragment->bytes;
			continue;
		}
		part = MIN(fragment->bytes - offset, bytes);
		of_part = checksum_add(fragment->data + offset, part, 0);
		if (is_odd)
			of_part = (of_part >> 8 | of_part << 8) & 0xffff;
		sum = fold((uint64_t)sum + of_part);
		is_odd ^= part & 1;
		bytes -= part;
		offset = 0;
	}
	return sum;
}

uint16_t checksum_finish(uint32_t sum)
{
	return (uint16_t)~fold(sum);
}
