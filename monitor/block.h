/*
 * The device's side of virtio-blk: requests between rings and a file or block device of the
 * host.
 *
 * Theory of operation: a few threads of a disk share its rings. One of them, the watcher,
 * takes requests; when the rings are empty it looks for a short while and then becomes the
 * standby, which sleeps until the doorbell rings. Before the watcher does what may take long (a
 * flush, data that is not in the host's page cache) it stops watching: it asks for doorbells,
 * and the standby, woken by none until something comes, takes over then. So a slow request holds
 * up none that comes later, and requests one after the other wake nobody. Further threads, the
 * followers, wait to become the standby. Requests are completed in any order. A flush covers
 * what was complete before it was taken: pwrite has returned.
 *
 * The guest is not trusted: its addresses are checked by ring_take(), sectors and lengths here.
 */
#ifndef MONITOR_BLOCK_H
#define MONITOR_BLOCK_H

#include <pthread.h>

#include "abi/virtio.h"
#include "monitor/block_log.h"
#include "monitor/ring.h"

#define BLOCK_MAX_QUEUES 8
#define BLOCK_THREADS    4

/* Of one disk. */
struct block_device {
	const char *name;
	int fd;
	unsigned number; /* among the disks */
	uint64_t bytes;
	uint32_t sector_bytes;
	bool read_only;
	bool is_device;
	bool can_discard;
	struct block_log *log; /* NULL: none */

	pthread_mutex_t lock; /* guards what follows, the rings too */
	pthread_cond_t next_watcher, all_done;
	struct ring rings[BLOCK_MAX_QUEUES];
	unsigned ring_count;
	unsigned ring_next; /* to be looked at first */
	unsigned threads, followers, working;
	bool is_watched;
	bool has_standby; /* a thread waits for the doorbell */
	uint64_t requests, slow_requests, doorbells, interrupts;
	int reported_error;              /* what the user was told of last */
	int doorbell_fd;                 /* an eventfd that blocks */
	uint64_t ticks_per_us, awake_us; /* how long to look before waiting */
	uint64_t idle_since;

	/* The first thing in the first thread, and so for those that it starts: the sandbox. */
	void (*enter)(void);
	void (*interrupt)(struct block_device *device);
	void (*broken)(struct block_device *device, const char *why); /* does not return */
	void *context;
};

/* What a request needs that is with a thread. */
struct block_work {
	struct ring *ring;
	struct ring_request request;
	struct virtio_blk_header header;
	uint8_t *status; /* in guest memory */
	struct iovec data[RING_REQUEST_PARTS];
	unsigned data_count;
	size_t data_bytes;
};

/*
 * Opens and locks `path` for a disk: a regular file or a block device. Ends the monitor with a
 * message if that cannot be. The rings, doorbell_fd and callbacks are the caller's to fill in.
 */
void block_open(struct block_device *device, const char *name, const char *path, bool read_only);
/* The same for a file that is open (and locked). NULL, or what is wrong with it. */
const char *block_use_file(struct block_device *device, int fd);

/* Lets go of the lock of block_open(). */
void block_unlock(const struct block_device *device);

uint64_t block_features(const struct block_device *device);
struct virtio_blk_config block_config(const struct block_device *device);

/* Starts serving; the guest may run already. */
void block_start(struct block_device *device);

/* The guest has ended: waits for what is under way, begins nothing more, lets go of the file. */
void block_finish(struct block_device *device);

/* ---- parts, for the tests -------------------------------------------------------------- */

/* Takes the next request of any ring, if there is one; with the lock. False: none, or a ring
 * is broken. */
bool block_take(struct block_device *device, struct block_work *work);
/* Carries it out, except that with `only_quick` it may return false: do that again where it
 * may take long. Sets the status byte. Without the lock. */
bool block_execute(struct block_device *device, struct block_work *work, bool only_quick);
/* Gives it back; true if the guest wants an interrupt. With the lock. */
bool block_give(struct block_device *device, struct block_work *work);
const char *block_broken(const struct block_device *device);

#endif
