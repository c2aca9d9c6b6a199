/*
 * How FUSE messages reach a server: virtio-fs, or a test.
 */
#ifndef KERNEL_FS_FUSE_TRANSPORT_H
#define KERNEL_FS_FUSE_TRANSPORT_H

#include "lib/list.h"
#include "kernel/platform.h"

struct fuse_segment {
	struct phys memory;
	uint32_t bytes; /* of one run of physical memory */
};

/* A request and the room for its reply. The caller owns it and what it names until `done` was
 * called, once, from any context. */
struct fuse_message {
	struct list link; /* the transport's */
	const struct fuse_segment *request, *reply;
	uint32_t request_count, reply_count; /* reply_count 0: there is none */
	uint32_t replied;                    /* bytes that the server wrote */
	int error;                           /* 0; -EIO: it did not get there */
	void (*done)(struct fuse_message *message);
	void *context;
};

struct fuse_transport;

struct fuse_transport_ops {
	/* Takes the message; never fails, but by way of message->error. May sleep. */
	void (*submit)(struct fuse_transport *transport, struct fuse_message *message);
};

struct fuse_transport {
	const struct fuse_transport_ops *ops;
	uint32_t most_segments; /* of one message, both ways; at least 8 */
};

#endif
