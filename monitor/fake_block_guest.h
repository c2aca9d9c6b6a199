/*
 * A guest with one queue of a disk, for the unit test and the fuzzer of block.c. Included by
 * one file of a program.
 */
#ifndef MONITOR_FAKE_BLOCK_GUEST_H
#define MONITOR_FAKE_BLOCK_GUEST_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor/block.h"

#define GUEST_BYTES (256u << 10)
#define GUEST_RING  32
#define AVAILABLE   0x1000
#define USED        0x2000
#define HEADERS     0x3000 /* one of 16 bytes for each chain */
#define STATUSES    0x4000
#define DATA        0x10000

static uint8_t guest[GUEST_BYTES] __attribute__((aligned(4096)));
static struct guest_memory guest_memory;
static struct block_device disk;
static uint16_t next_descriptor;

static inline struct ring_available *guest_available(void)
{
	return (void *)(guest + AVAILABLE);
}

static inline struct ring_used *guest_used(void)
{
	return (void *)(guest + USED);
}

static inline void guest_start(uint64_t disk_bytes, bool read_only)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	memset(guest, 0, sizeof(guest));
	memset(&guest_memory, 0, sizeof(guest_memory));
	next_descriptor = 0;
	if (fd < 0 || ftruncate(fd, (off_t)disk_bytes) != 0 ||
		!guest_memory_add(&guest_memory, 0, GUEST_BYTES, guest, true))
		abort();
	disk = (struct block_device){.name = "data", .read_only = read_only, .ring_count = 1};
	if (block_use_file(&disk, fd) != NULL ||
		!ring_init(&disk.rings[0], &guest_memory, 0, AVAILABLE, USED, GUEST_RING, false))
		abort();
}

static inline void guest_stop(void)
{
	close(disk.fd);
}

static inline uint16_t guest_describe(uint64_t address, uint32_t bytes, uint16_t flags, bool more)
{
	struct ring_descriptor *table = (void *)guest;
	uint16_t id = next_descriptor++ % GUEST_RING;

	table[id] = (struct ring_descriptor){address, bytes,
		(uint16_t)(flags | (more ? VIRTIO_DESCRIPTOR_NEXT : 0)),
		next_descriptor % GUEST_RING};
	return id;
}

static inline void guest_offer(uint16_t id)
{
	guest_available()->entries[guest_available()->index % GUEST_RING] = id;
	guest_available()->index++;
}

#endif
