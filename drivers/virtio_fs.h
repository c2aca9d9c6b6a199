/*
 * File system devices (virtio 1.2, section 5.11): what carries FUSE messages to a server.
 *
 * A message is one chain: the request's memory, then the reply's. Those without a reply go to
 * queue 0, the others to queue 1; what finds no room waits in line. Who looks for completions:
 * as for disks (virtio_block.c). The device is not trusted: a ring that makes no sense ends all
 * messages with -EIO, those to come as well; replies are checked by the client.
 */
#ifndef DRIVERS_VIRTIO_FS_H
#define DRIVERS_VIRTIO_FS_H

#include "drivers/virtio_device.h"
#include "kernel/fs/fuse/transport.h"
#include "kernel/lock.h"

#define VIRTIO_FS_QUEUES   2u
#define VIRTIO_FS_LIMIT    512u /* descriptors in use at a time */
#define VIRTIO_FS_SLOTS    64u  /* messages in flight, a queue */
#define VIRTIO_FS_SEGMENTS 272u /* of a message: 1 MiB in single pages, and headers */

struct virtio_fs_queue {
	struct spinlock lock; /* guards it all; rank 46 */
	struct virtio_ring ring;
	struct list waiting; /* fuse_message.link, in order */
	uint32_t in_flight;
	bool is_armed;
	struct fuse_message *slots[VIRTIO_FS_SLOTS]; /* NULL: free */
	struct virtio_buffer buffers[VIRTIO_FS_SEGMENTS];
};

struct virtio_fs {
	struct fuse_transport transport;
	struct virtio_device device;
	struct virtio_fs *next;
	struct virtio_fs_queue queues[VIRTIO_FS_QUEUES];
};

#endif
