/*
 * The inside of a pipe, for pipe.c (descriptors) and splice.c (moving bytes).
 *
 * pipe->lock (a mutex, rank: after any file's position_lock) guards everything but
 * the wait queues. Conditions for waiting read single words without it. Space is
 * announced, and waited for, in units of PIPE_BUF, as Linux does in pages: a pipe
 * with less free space than that counts as full.
 */
#ifndef KERNEL_FS_PIPE_BUFFER_H
#define KERNEL_FS_PIPE_BUFFER_H

#include "lib/compiler.h"
#include "lib/list.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/stream.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/wait.h"

#define PIPE_PACKETS_MAXIMUM (PIPE_MAXIMUM_BYTES / PIPE_ATOMIC_BYTES)

/* A write in packet mode: where it begins and how long it is. */
struct pipe_packet {
	uint64_t start;
	uint32_t bytes;
};

struct pipe {
	struct mutex lock;
	struct stream bytes;
	uint32_t capacity;
	uint32_t reserved; /* room promised to splices on their way in */
	uint32_t readers;  /* open descriptions that can read */
	uint32_t writers;
	uint32_t reader_openings; /* since creation, for open(2) of a FIFO and POLLHUP */
	uint32_t writer_openings;
	uint32_t both_ends;          /* descriptions open for both: poll on `either` */
	bool leaving;                /* a splice is moving the oldest bytes out: readers wait */
	struct pipe_packet *packets; /* NULL until packet mode is used */
	uint32_t packet_first, packet_count;
	struct wait_queue readable, writable, either;

	uint64_t number;     /* for fstat and /proc/self/fd */
	uint64_t created_ns; /* CLOCK_REALTIME, for fstat */
	uint32_t references; /* descriptions; of FIFOs guarded by the list's lock (pipe.c) */
	struct vnode *fifo;  /* borrowed: an open description holds it */
	struct list fifo_link;
};

/* The pipe of a file, or NULL. */
struct pipe *pipe_of_file(const struct file *file);

static inline uint64_t pipe_used(const struct pipe *pipe)
{
	return stream_used(&pipe->bytes);
}

static inline uint64_t pipe_room(const struct pipe *pipe)
{
	uint64_t used = pipe_used(pipe) + READ_ONCE(pipe->reserved);
	uint64_t capacity = READ_ONCE(pipe->capacity);

	return used < capacity ? capacity - used : 0;
}

static inline bool pipe_packets_full(const struct pipe *pipe)
{
	return READ_ONCE(pipe->packet_count) >= READ_ONCE(pipe->capacity) / PIPE_ATOMIC_BYTES;
}

static inline bool pipe_is_full(const struct pipe *pipe)
{
	return pipe_room(pipe) < PIPE_ATOMIC_BYTES || pipe_packets_full(pipe);
}

/* There is something for a reader to take, or nobody who could still write. */
static inline bool pipe_read_ends(const struct pipe *pipe)
{
	return (pipe_used(pipe) != 0 && !READ_ONCE(pipe->leaving)) ||
	       (READ_ONCE(pipe->writers) == 0 && !READ_ONCE(pipe->leaving));
}

static inline bool pipe_write_ends(const struct pipe *pipe)
{
	return !pipe_is_full(pipe) || READ_ONCE(pipe->readers) == 0;
}

/* Wakers: after the change, without the lock. */
void pipe_announce_data(struct pipe *pipe);
void pipe_announce_room(struct pipe *pipe, bool was_full);
/* Waits for pipe_read_ends / pipe_write_ends. -EAGAIN if not `wait`, -ERESTARTSYS. */
int pipe_wait_readable(struct pipe *pipe, bool wait);
int pipe_wait_writable(struct pipe *pipe, bool wait);

/* With the lock held. Bytes moved, 0 if it must wait, or -EFAULT, -ENOMEM. Taking obeys
 * packets; `packet` puts one. `whole`: all of it or nothing. */
long pipe_take_locked(struct pipe *pipe, struct uio *uio);
long pipe_put_locked(struct pipe *pipe, struct uio *uio, bool packet, bool whole);
/* Drops `bytes` of the oldest bytes, which were peeked at. */
void pipe_consume_locked(struct pipe *pipe, uint64_t bytes);
/* How much a take of any size would give: a packet ends it. */
uint64_t pipe_oldest_locked(const struct pipe *pipe);

/* The write found no readers: the signal that goes with -EPIPE. */
void pipe_send_broken(void);

#endif
