/*
 * Messages on the control stream between guest and launcher.
 *
 * A virtio-console byte stream in both directions (role BOOT_ROLE_CONTROL).
 * Each message is a fixed header and `bytes` of payload. Unknown types are
 * skipped by their length. Neither side trusts the other: payloads are bounded
 * by CONTROL_MAX_PAYLOAD, a longer one ends the stream with an error.
 */
#ifndef ABI_CONTROL_H
#define ABI_CONTROL_H

#include <stdint.h>

#define CONTROL_MAX_PAYLOAD 4096

enum control_type {
	/* launcher to guest */
	CONTROL_SIGNAL = 1,        /* value: Linux signal number */
	CONTROL_WINDOW_SIZE = 2,   /* value: rows << 16 | columns */
	CONTROL_STDIN_END = 3,     /* value: bytes of stdin sent in all */
	CONTROL_OUTPUT_CLOSED = 4, /* value: 1 stdout, 2 stderr: nobody reads it any more */
	/* guest to launcher */
	CONTROL_EXIT = 16,   /* value: exit status; sent after all output */
	CONTROL_KILLED = 17, /* value: fatal signal number */
	CONTROL_PANIC = 18,  /* payload: text of a kernel panic, with a backtrace of addresses */
	CONTROL_TERMIOS =
		19,         /* payload: struct termios (Linux) to set on the launcher's terminal */
	CONTROL_READY = 20, /* value: TSC at entry to the program (for --verbose) */
};

struct control_header {
	uint32_t type;
	uint32_t bytes;
	uint64_t value;
};

_Static_assert(sizeof(struct control_header) == 16, "shared layout");

#endif
