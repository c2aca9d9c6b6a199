/*
 * The other direction of a virtio-console port: bytes from the launcher.
 *
 * Buffers are offered only once somebody reads or polls, so that a program that does
 * not read its input leaves it to others. They are a page each, and larger once they
 * come back full. Interrupts are asked for only while nothing is there.
 */
#ifndef DRIVERS_CONSOLE_INPUT_H
#define DRIVERS_CONSOLE_INPUT_H

#include "lib/compiler.h"
#include "drivers/virtio_device.h"
#include "kernel/lock.h"
#include "kernel/mm/uio.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/wait.h"

#define CONSOLE_INPUT_BUFFERS 4
#define CONSOLE_INPUT_FIRST   4096u
#define CONSOLE_INPUT_MAXIMUM 65536u

struct console_buffer {
	uint8_t *memory;
	uint32_t size;
	uint32_t filled;
	uint32_t taken; /* by readers */
};

struct console_input {
	struct virtio_device *device; /* NULL: none; always at its end */
	uint32_t queue;
	struct mutex reading; /* who copies out of the first full buffer */
	struct spinlock lock; /* rank 37; guards what follows */
	struct virtio_ring ring;
	struct console_buffer buffers[CONSOLE_INPUT_BUFFERS];
	uint8_t full[CONSOLE_INPUT_BUFFERS]; /* indexes, in order of arrival */
	uint32_t full_first, full_count;
	uint64_t received; /* bytes in all */
	uint64_t end;      /* where the launcher's input ends, if it has ended */
	bool has_ended;
	bool is_started;
	bool is_terminal; /* an end is told once, and input may go on; reads give a line */
	struct wait_queue readable;
};

void console_input_init_none(struct console_input *input);
int console_input_init(struct console_input *input, struct virtio_device *device, uint32_t queue,
	bool is_terminal);

/* read(2): bytes, 0 at the end, -EAGAIN, -EFAULT, -ERESTARTSYS. */
long console_input_read(struct console_input *input, struct uio *uio, bool wait);
/* A read would not wait. If it would, somebody will be told when that changes. */
bool console_input_is_readable(struct console_input *input);
/* Bytes that a read would find now (FIONREAD). */
uint32_t console_input_pending(struct console_input *input);

/* CONTROL_STDIN_END. */
void console_input_set_end(struct console_input *input, uint64_t total_bytes);
void console_input_on_interrupt(struct console_input *input);

#endif
