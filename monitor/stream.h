/*
 * The host's side of the program's standard streams.
 */
#ifndef MONITOR_STREAM_H
#define MONITOR_STREAM_H

#include <sys/ioctl.h>

#include "abi/boot_info.h"
#include "monitor/ring.h"

#define STREAM_FIRST_VECTOR 0x50 /* interrupt of device n is this + n */

enum boot_stream_kind stream_kind(int fd);

/* Size of the terminal that one of the streams is; false: there is none. */
bool stream_window_size(struct winsize *window);

/* How bytes leave without blocking the I/O thread. */
enum stream_mode {
	STREAM_NOWAIT, /* pipes, sockets: RWF_NOWAIT */
	STREAM_POLLED, /* terminals and the like: poll, then move a little */
	STREAM_DIRECT, /* files: never block for long */
};

/* stdout or stderr: moves transmit chains of a ring to a file descriptor. */
struct stream_output {
	struct ring ring;
	int fd;
	enum stream_mode mode;
	uint64_t partial; /* bytes of the ring's first chain that are written already */
	bool is_blocked;  /* wait for POLLOUT */
	bool is_closed;   /* nobody reads: output is dropped */
	bool tell_closed; /* and the guest is to be told */
};

/* stdin: moves bytes into receive chains, only when the guest offers them. */
struct stream_input {
	struct ring ring;
	int fd;
	enum stream_mode mode;
	bool is_terminal;
	bool is_readable; /* poll said so */
	bool is_ended;
	bool tell_ended; /* the guest is to be told */
	uint64_t bytes;  /* sent in all */
};

void stream_output_init(struct stream_output *output, int fd);
void stream_input_init(struct stream_input *input, int fd);

/* Both do what is possible without blocking; true if anything was done. The caller
 * publishes the ring. */
bool stream_output_serve(struct stream_output *output);
bool stream_input_serve(struct stream_input *input);

/* True if the input is to be polled for POLLIN. */
bool stream_input_wants(struct stream_input *input);

#endif
