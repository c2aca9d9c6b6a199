/*
 * SYN cookies (RFC 4987, 3.6): what must be known of a SYN, in the sequence number that the
 * answer carries and, for scale and SACK, in the low bits of its timestamp.
 *
 *   bits 31-27 a count of 64 s, 26-24 an index of MSS values, 23-0 a keyed hash
 */
#include "kernel/net/tcp/connection.h"

#define PERIOD_NS     (64 * TCP_NS_PER_S)
#define PERIODS_VALID 2u
#define STAMP_BITS    5u /* 0-3 the scale, 15 none; 4 SACK */
#define SCALE_NONE    15u

static const uint16_t sizes[8] = {536, 1220, 1300, 1380, 1440, 1460, 4312, 8960};

static uint32_t cookie_hash(
	const struct tcp_name *name, uint32_t peer_sequence, uint32_t count, uint32_t size)
{
	return (uint32_t)tcp_name_hash(name, 4 | (uint64_t)size << 4 | (uint64_t)count << 8 |
						     (uint64_t)peer_sequence << 32) &
	       0xffffff;
}

uint32_t tcp_cookie_make(
	const struct tcp_name *name, const struct tcp_segment *segment, uint32_t *ts_value)
{
	uint32_t count = (uint32_t)(tcp_now_ns / PERIOD_NS) & 31;
	uint16_t mss = segment->mss ? segment->mss : 536;
	uint32_t size = 0, bits, now = tcp_now_ms() & ~((1u << STAMP_BITS) - 1);

	while (size + 1 < ARRAY_SIZE(sizes) && sizes[size + 1] <= mss)
		size++;
	bits = segment->has_scale ? MIN(segment->scale, 14u) : SCALE_NONE;
	bits |= segment->sack_permitted ? 16u : 0;
	/* Never later than now, so that what follows is not earlier. */
	*ts_value = now + bits - (now + bits > tcp_now_ms() ? 1u << STAMP_BITS : 0);
	return count << 27 | size << 24 | cookie_hash(name, segment->seq, count, size);
}

bool tcp_cookie_check(
	const struct tcp_name *name, const struct tcp_segment *segment, struct tcp_cookie *cookie)
{
	uint32_t value = segment->ack - 1, count = value >> 27, size = value >> 24 & 7;
	uint32_t now = (uint32_t)(tcp_now_ns / PERIOD_NS) & 31, bits;

	if (((now - count) & 31) >= PERIODS_VALID)
		return false;
	if ((value & 0xffffff) != cookie_hash(name, segment->seq - 1, count, size))
		return false;
	*cookie = (struct tcp_cookie){.mss = sizes[size]};
	if (!segment->has_timestamp)
		return true;
	bits = segment->ts_echo & ((1u << STAMP_BITS) - 1);
	cookie->sack_permitted = bits & 16;
	cookie->has_scale = (bits & 15) != SCALE_NONE;
	cookie->scale = cookie->has_scale ? bits & 15 : 0;
	return true;
}
