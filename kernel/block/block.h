/*
 * Block devices: what drivers offer and what file systems, the page cache and /dev/NAME
 * stand on. Requests complete in any order; what a FLUSH that was submitted after them
 * covers is on stable storage when it completes without error (virtio 1.2, section 5.2).
 */
#ifndef KERNEL_BLOCK_BLOCK_H
#define KERNEL_BLOCK_BLOCK_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/platform.h"

enum block_operation {
	BLOCK_READ = 1,
	BLOCK_WRITE = 2,
	BLOCK_FLUSH = 3,        /* no range */
	BLOCK_DISCARD = 4,      /* contents may be anything afterwards */
	BLOCK_WRITE_ZEROES = 5, /* reads as zeroes afterwards; may deallocate */
};

struct block_segment {
	struct phys memory;
	uint32_t bytes; /* of one run of physical memory; a multiple of the sector size in total */
};

/*
 * One operation. The caller owns it and all memory it names until `done` has been called, once,
 * from a thread or the device's polling context: it must not sleep there.
 */
struct block_request {
	struct list link; /* the driver's while it has the request */
	enum block_operation operation;
	bool force_unit_access; /* a write that is stable when done */
	uint64_t offset;        /* bytes from the start; multiples of the sector size */
	uint64_t bytes;
	const struct block_segment *segments; /* READ and WRITE: they add up to `bytes` */
	uint32_t segment_count;
	int error; /* set before done: 0, -EIO, -ENOSPC, -EOPNOTSUPP, -EROFS */
	void (*done)(struct block_request *request);
	void *context; /* the caller's */
};

struct block_device;

struct block_ops {
	/* Takes the request; never fails, but by way of request->error. May sleep while the
	 * device's queue is full. Requests of one vcpu may wait for block_start(). */
	void (*submit)(struct block_device *device, struct block_request *request);
	/* Tells the device of what was submitted on this vcpu. */
	void (*start)(struct block_device *device);
};

struct block_device {
	struct list link; /* all devices, in the order they were found */
	const struct block_ops *ops;
	void *driver;
	char name[32]; /* of --disk NAME=...; "disk0" if it has none */
	uint64_t bytes;
	uint32_t sector_bytes;      /* 512 or 4096: the unit of offsets and sizes */
	uint32_t max_segments;      /* of one request */
	uint32_t max_request_bytes; /* of READ and WRITE */
	uint64_t max_discard_bytes; /* 0: no discard */
	uint64_t max_zeroes_bytes;  /* 0: no write-zeroes */
	uint32_t queue_count;
	bool read_only;
	bool volatile_cache; /* FLUSH matters; without it a completed write is stable */
	uint64_t reads, writes, read_bytes, written_bytes, flushes, errors; /* atomics */
};

void block_register(struct block_device *device); /* the driver's; never undone */
struct block_device *block_find(const char *name);
struct block_device *block_next(struct block_device *previous); /* NULL: the first */

/* Sleeps until all is done; splits by the device's limits. 0 or the first error. */
int block_read(struct block_device *device, uint64_t offset, void *linear, uint64_t bytes);
int block_write(struct block_device *device, uint64_t offset, const void *linear, uint64_t bytes);
int block_flush(struct block_device *device);
int block_discard(struct block_device *device, uint64_t offset, uint64_t bytes);
int block_write_zeroes(struct block_device *device, uint64_t offset, uint64_t bytes);
/* Requests of any size and number of segments, split by the device's limits; block_start()
 * included. `done` as above. */
void block_submit(struct block_device *device, struct block_request *request);

#endif
