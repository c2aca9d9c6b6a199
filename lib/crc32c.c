/*
 * CRC-32C by eight tables, eight bytes a step ("slicing by 8").
 *
 * Table k holds what a byte contributes when k more bytes follow. A CRC is linear, so an entry
 * is the sum (XOR) of the entries of its single bits: the eight numbers a table below.
 */
#include "lib/crc32c.h"

#define BIT(n, i, v) (((n) >> (i)&1) != 0 ? (v) : 0u)
#define ENTRY(n, a, b, c, d, e, f, g, h)                                                           \
	(BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^ \
		BIT(n, 6, g) ^ BIT(n, 7, h))

#define SLICE_0(n)                                                                                 \
	ENTRY(n, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu,     \
		0x417b1dbcu, 0x82f63b78u)
#define SLICE_1(n)                                                                                 \
	ENTRY(n, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u,     \
		0xff17c604u, 0xfbc3faf9u)
#define SLICE_2(n)                                                                                 \
	ENTRY(n, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u,     \
		0xc76580d9u, 0x8b277743u)
#define SLICE_3(n)                                                                                 \
	ENTRY(n, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu,     \
		0xaba65fe7u, 0x52a0c93fu)
#define SLICE_4(n)                                                                                 \
	ENTRY(n, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u,     \
		0x37516aaeu, 0x6ea2d55cu)
#define SLICE_5(n)                                                                                 \
	ENTRY(n, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du,     \
		0x0e045bebu, 0x1c08b7d6u)
#define SLICE_6(n)                                                                                 \
	ENTRY(n, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu,     \
		0x7ab7077au, 0xf56e0ef4u)
#define SLICE_7(n)                                                                                 \
	ENTRY(n, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u,     \
		0x1a00cb32u, 0x34019664u)

#define R4(S, n)  S((n)), S((n) + 1), S((n) + 2), S((n) + 3)
#define R16(S, n) R4(S, (n)), R4(S, (n) + 4), R4(S, (n) + 8), R4(S, (n) + 12)
#define R64(S, n) R16(S, (n)), R16(S, (n) + 16), R16(S, (n) + 32), R16(S, (n) + 48)
#define R256(S)   R64(S, 0u), R64(S, 64u), R64(S, 128u), R64(S, 192u)

static const uint32_t table[8][256] = {{R256(SLICE_0)}, {R256(SLICE_1)}, {R256(SLICE_2)},
	{R256(SLICE_3)}, {R256(SLICE_4)}, {R256(SLICE_5)}, {R256(SLICE_6)}, {R256(SLICE_7)}};

static uint64_t load(const uint8_t *from)
{
	uint64_t word;

	__builtin_memcpy(&word, from, sizeof(word));
	return word;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	for (; bytes >= 8; bytes -= 8, at += 8) {
		uint64_t word = load(at) ^ crc;

		crc = table[7][word & 255] ^ table[6][word >> 8 & 255] ^
		      table[5][word >> 16 & 255] ^ table[4][word >> 24 & 255] ^
		      table[3][word >> 32 & 255] ^ table[2][word >> 40 & 255] ^
		      table[1][word >> 48 & 255] ^ table[0][word >> 56];
	}
	for (; bytes > 0; bytes--, at++)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 255];
	return crc;
}
