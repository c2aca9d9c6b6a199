/*
 * The control stream: abi/control.h messages over a pair of rings.
 */
#ifndef MONITOR_CONTROL_H
#define MONITOR_CONTROL_H

#include "abi/control.h"
#include "monitor/ring.h"

/* Messages to the guest are kept as facts, not as a queue, so they need no bound. */
struct control_pending {
	uint64_t signals; /* bit n - 1: signal n */
	bool window_size;
	bool terminal_settings;
	bool stdin_end;
	uint64_t stdin_bytes;
	bool output_closed[2]; /* stdout, stderr */
};

struct control {
	struct ring to_guest, from_guest;
	struct control_pending pending;
	uint8_t out[sizeof(struct control_header) + 64]; /* message on its way to the guest */
	unsigned out_bytes, out_sent;
	uint8_t in[sizeof(struct control_header) + CONTROL_MAX_PAYLOAD];
	unsigned in_bytes;
	const char *broken;

	/* What the guest has told. */
	uint32_t killed_by; /* 0: not */
	uint64_t program_ticks;
	void (*on_panic)(void *context, const char *text, size_t bytes);
	void *context;
};

bool control_has_message(const struct control *control);

/* Move what is possible; true if anything was done. The caller publishes the rings. */
bool control_send(struct control *control);
bool control_receive(struct control *control);

/* Bytes from the guest, in any portions; sets `broken` if they make no sense. */
void control_parse(struct control *control, const uint8_t *bytes, size_t count);

#endif
