/*
 * Messages between kernel and launcher (abi/control.h) over a virtio-console port.
 */
#ifndef DRIVERS_CONSOLE_CONTROL_H
#define DRIVERS_CONSOLE_CONTROL_H

#include "lib/compiler.h"
#include "abi/control.h"

#define CONTROL_KEPT_PAYLOAD 64u

/* The receiving end: bytes in any portions, one call a message. */
struct console_parser {
	struct control_header header;
	uint32_t have;                         /* bytes of header and payload seen so far */
	bool is_broken;                        /* the stream made no sense: the rest is ignored */
	uint8_t payload[CONTROL_KEPT_PAYLOAD]; /* the beginning of it */
};

/* Feeds bytes; `handle` is called for each whole message. */
void console_parser_feed(struct console_parser *parser, const uint8_t *bytes, size_t count,
	void (*handle)(const struct control_header *header, const uint8_t *payload));

#endif
