/*
 * Hashes of names, by which the entries of a large directory are ordered: "half MD4", TEA and
 * an older one, each over signed or unsigned characters.
 */
#include "kernel/fs/ext4/ext4.h"
#include "lib/string.h"

#define LAST_HASH 0x7fffffffu /* of the order: stands for the end of the directory */

static int character(const char *name, bool is_unsigned, size_t i)
{
	return is_unsigned ? (int)(unsigned char)name[i] : (int)(signed char)name[i];
}

static uint32_t rotate(uint32_t word, int bits)
{
	return word << bits | word >> (32 - bits);
}

/* ---- rounds ----------------------------------------------------------------- */

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
	return z ^ (x & (y ^ z));
}

static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) + ((x ^ y) & z);
}

static uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
	return x ^ y ^ z;
}

/* Eight steps of one kind; state[0] is changed first, then [3], [2], [1]. */
static void md4_round(uint32_t state[4], const uint32_t input[8], const uint8_t order[8],
	const uint8_t shifts[4], uint32_t (*mix)(uint32_t, uint32_t, uint32_t), uint32_t constant)
{
	for (int i = 0; i < 8; i++) {
		int a = (4 - i % 4) % 4;
		uint32_t sum = state[a] +
			       mix(state[(a + 1) % 4], state[(a + 2) % 4], state[(a + 3) % 4]) +
			       input[order[i]] + constant;

		state[a] = rotate(sum, shifts[i % 4]);
	}
}

static void half_md4(uint32_t buffer[4], const uint32_t input[8])
{
	static const uint8_t orders[3][8] = {
		{0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
	static const uint8_t shifts[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
	uint32_t state[4];

	memcpy(state, buffer, sizeof(state));
	md4_round(state, input, orders[0], shifts[0], choose, 0);
	md4_round(state, input, orders[1], shifts[1], majority, 0x5a827999u);
	md4_round(state, input, orders[2], shifts[2], parity, 0x6ed9eba1u);
	for (int i = 0; i < 4; i++)
		buffer[i] += state[i];
}

static void tea(uint32_t buffer[4], const uint32_t input[4])
{
	uint32_t sum = 0, first = buffer[0], second = buffer[1];

	for (int i = 0; i < 16; i++) {
		sum += 0x9e3779b9u;
		first += ((second << 4) + input[0]) ^ (second + sum) ^ ((second >> 5) + input[1]);
		second += ((first << 4) + input[2]) ^ (first + sum) ^ ((first >> 5) + input[3]);
	}
	buffer[0] += first;
	buffer[1] += second;
}

static uint32_t legacy(const char *name, size_t length, bool is_unsigned)
{
	uint32_t first = 0x12a3fe2du, second = 0x37abe8f9u;

	for (size_t i = 0; i < length; i++) {
		uint32_t hash =
			second + (first ^ (uint32_t)(character(name, is_unsigned, i) * 7152373));

		if (hash & 0x80000000u)
			hash -= 0x7fffffffu;
		second = first;
		first = hash;
	}
	return first << 1;
}

/* ---- names to words --------------------------------------------------------------- */

/* `length` is what is left of the name: all of it pads, at most 4 * count bytes go in. */
static void fill_words(
	const char *name, size_t length, bool is_unsigned, uint32_t *words, int count)
{
	uint32_t pad = (uint32_t)length | (uint32_t)length << 8, word;

	pad |= pad << 16;
	word = pad;
	length = MIN(length, (size_t)count * 4);
	for (size_t i = 0; i < length; i++) {
		word = (uint32_t)character(name, is_unsigned, i) + (word << 8);
		if (i % 4 == 3) {
			*words++ = word;
			word = pad;
			count--;
		}
	}
	if (count-- > 0)
		*words++ = word;
	while (count-- > 0)
		*words++ = pad;
}

struct ext4_hash directory_hash(
	const struct ext4 *fs, uint8_t version, const char *name, size_t length)
{
	uint32_t buffer[4] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u}, words[8];
	bool is_unsigned = version >= EXT4_HASH_LEGACY_UNSIGNED;
	const uint32_t *seed = fs->hash_seed;
	struct ext4_hash hash = {0, 0};

	if (seed[0] | seed[1] | seed[2] | seed[3])
		memcpy(buffer, seed, sizeof(buffer));
	switch (version % EXT4_HASH_LEGACY_UNSIGNED) {
	case EXT4_HASH_LEGACY:
		hash.major = legacy(name, length, is_unsigned);
		break;
	case EXT4_HASH_HALF_MD4:
		for (size_t at = 0; at < length; at += 32) {
			fill_words(name + at, length - at, is_unsigned, words, 8);
			half_md4(buffer, words);
		}
		hash = (struct ext4_hash){buffer[1], buffer[2]};
		break;
	default:
		for (size_t at = 0; at < length; at += 16) {
			fill_words(name + at, length - at, is_unsigned, words, 4);
			tea(buffer, words);
		}
		hash = (struct ext4_hash){buffer[0], buffer[1]};
		break;
	}
	hash.major &= ~1u;
	if (hash.major == LAST_HASH << 1)
		hash.major = (LAST_HASH - 1) << 1;
	return hash;
}
