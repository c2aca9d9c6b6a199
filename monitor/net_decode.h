/*
 * Tells a frame in one line, as tcpdump does. Pure.
 */
#ifndef MONITOR_NET_DECODE_H
#define MONITOR_NET_DECODE_H

#include "lib/compiler.h"

/* `head_bytes` of a frame of `frame_bytes` are given. Returns the length of the line, less
 * than `capacity`; without a newline. */
size_t net_decode_line(char *line, size_t capacity, const char *name, bool from_guest,
	uint64_t seconds, uint32_t nanoseconds, const uint8_t *head, size_t head_bytes,
	size_t frame_bytes);

#endif
