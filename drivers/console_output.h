/*
 * One direction of a virtio-console port: bytes to the launcher.
 *
 * Bytes are copied into an area of memory used as a ring, in pieces of one virtqueue
 * descriptor each. A piece is reserved, filled without the lock (a copy from the
 * program may sleep), then committed. The area is one page until it is found full,
 * then larger ones take its place; when only little is written for a while, a page
 * again. Interrupts are asked for only while somebody waits for room.
 */
#ifndef DRIVERS_CONSOLE_OUTPUT_H
#define DRIVERS_CONSOLE_OUTPUT_H

#include "lib/compiler.h"
#include "drivers/virtio_device.h"
#include "kernel/lock.h"
#include "kernel/mm/uio.h"
#include "kernel/sched/wait.h"

#define CONSOLE_PIECES_MAXIMUM 256
#define CONSOLE_AREA_FIRST     4096u
#define CONSOLE_AREA_MAXIMUM   1048576u
#define CONSOLE_PIECE_MAXIMUM  65536u
#define CONSOLE_ATOMIC_BYTES   4096u /* a write up to this is taken whole or not at all */

enum console_piece_state {
	PIECE_FILLING,
	PIECE_SENT,
	PIECE_DONE,
};

struct console_piece {
	uint32_t offset; /* in its area */
	uint32_t bytes;
	uint8_t state;
	bool is_retired; /* lies in the retired area */
};

struct console_area {
	uint8_t *memory;
	uint32_t size; /* a power of two; 0: none */
};

struct console_output {
	struct virtio_device *device; /* NULL: none, see console_output_write() */
	uint32_t queue;
	struct spinlock lock; /* rank 37; guards all but the wait queue */
	struct virtio_ring ring;
	struct console_area area, retired;
	uint64_t head, tail;          /* bytes ever freed and reserved of `area` */
	uint32_t retired_bytes;       /* in flight in the retired area */
	uint32_t small_writes;        /* in a row */
	struct console_piece *pieces; /* a ring of `limit`, in order of reservation */
	uint32_t limit, first, count;
	bool is_taken;  /* somebody's write is going on: others wait */
	bool is_wanted; /* and somebody waits for its end */
	bool is_closed; /* nobody reads at the other end */
	struct wait_queue writable;
};

/* -ENOMEM, or what virtio_device_add_queue says: then there is no output. */
int console_output_init(struct console_output *output, struct virtio_device *device, uint32_t queue,
	uint32_t limit);
/* Until the above: nothing goes out through it. */
void console_output_init_none(struct console_output *output);

/* write(2): bytes written, -EAGAIN, -EPIPE (the caller sends the signal), -EIO, -EFAULT,
 * -ERESTARTSYS. Without a device, to platform_emergency_write(). */
long console_output_write(struct console_output *output, struct uio *uio, bool wait);
/* Kernel bytes, from any context; waits by polling, at most `wait_ns` in all. Bytes that
 * went. */
size_t console_output_put(
	struct console_output *output, const void *bytes, size_t count, uint64_t wait_ns);
/* Room for an atomic write, or an error to report: POLL_OUT. If not, somebody will be
 * told when there is. */
bool console_output_is_writable(struct console_output *output);
/* All that was written is with the launcher (or never will be). */
bool console_output_is_drained(struct console_output *output);

/* The launcher says that nobody reads any more. */
void console_output_close(struct console_output *output);
/* From the interrupt handler. */
void console_output_on_interrupt(struct console_output *output);
/* The kernel is dying: the lock's holder may never come back. */
void console_output_seize(struct console_output *output);

#endif
