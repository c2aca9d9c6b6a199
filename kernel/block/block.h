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
	/* Set before done: 0, -EIO, -ENOSPC, -EOPNOTSUPP, -EROFS, -EINVAL (not within the device,
	 * or not whole sectors), -ENOMEM (it had to be split). */
	int error;
	void (*done)(struct block_request *request);
	void *context;       /* the caller's */
	uint64_t started_ns; /* block.c's */
};

struct block_device;

struct block_ops {
	/* Takes a request that keeps the device's limits; never fails, but by way of
	 * request->error. Ends with block_complete(). Does not sleep: what finds no room waits in
	 * line. Requests of one vcpu may wait for start(). */
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

	/* ---- block.c's; atomics ---- */
	uint64_t reads, writes, read_bytes, written_bytes, flushes, discards, discarded_bytes,
		errors;
	uint64_t read_ns, write_ns, flush_ns, discard_ns; /* sums of the requests' times */
	uint32_t in_flight;
	uint32_t number; /* /dev: major BLOCK_MAJOR, minor 16 times this */
};

#define BLOCK_MAJOR 254u

/* Sets up and registers all devices; once, at boot. Implemented by the driver. */
void block_find_all(void);
/* The driver's, once, at boot; never undone. Its name is unique. */
void block_register(struct block_device *device);
struct block_device *block_find(const char *name);
struct block_device *block_next(struct block_device *previous); /* NULL: the first */

/* The driver's: the request, taken by submit(), is done; its error is set. */
void block_complete(struct block_device *device, struct block_request *request);

/* Sleeps until all is done; splits by the device's limits. 0 or the first error. `linear` is
 * kernel memory with one physical run: of the heap or the page allocator. */
int block_read(struct block_device *device, uint64_t offset, void *linear, uint64_t bytes);
int block_write(struct block_device *device, uint64_t offset, const void *linear, uint64_t bytes);
int block_flush(struct block_device *device);
int block_discard(struct block_device *device, uint64_t offset, uint64_t bytes);
int block_write_zeroes(struct block_device *device, uint64_t offset, uint64_t bytes);
/* Submits and sleeps until it is done; returns request->error. `done` is not the caller's. */
int block_submit_wait(struct block_device *device, struct block_request *request);
/* Requests of any size and number of segments, split by the device's limits; start() included.
 * `done` as above; it may be called before this returns. Does not sleep. */
void block_submit(struct block_device *device, struct block_request *request);

#endif
