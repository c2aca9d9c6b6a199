/* The generator against RFC 8439, and properties of what it hands out. */
#include "kernel/random.h"
#include "kernel/arch.h"
#include "lib/test.h"
#include "lib/string.h"

static bool has_hardware = true;
static uint64_t ticks = 1;

bool arch_random(uint64_t *word)
{
	*word = 0x1122334455667788;
	return has_hardware;
}

uint64_t arch_ticks(void)
{
	return ticks++;
}

TEST(chacha20_block_matches_rfc_8439_section_2_3_2)
{
	static const uint8_t expected[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50,
		0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68,
		0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07,
		0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c,
		0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
	uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100,
		0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
		0x00000001, 0x09000000, 0x4a000000, 0x00000000};
	uint8_t block[64];

	chacha20_block(state, block);
	CHECK(memcmp(block, expected, sizeof(block)) == 0);
	state[12] = 2;
	chacha20_block(state, block);
	CHECK(memcmp(block, expected, sizeof(block)) != 0);
}

/* RFC 8439, appendix A.1, test vector 1: all zeroes. */
TEST(chacha20_block_matches_appendix_a_1)
{
	static const uint8_t expected[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40,
		0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
	const uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	uint8_t block[64];

	chacha20_block(state, block);
	CHECK(memcmp(block, expected, sizeof(expected)) == 0);
}

TEST(requests_of_any_length_fill_exactly_the_buffer)
{
	static const uint8_t seed[RANDOM_SEED_BYTES];
	uint8_t buffer[300];

	random_init(seed);
	for (size_t bytes = 0; bytes <= 256; bytes++) {
		bool changed_last = bytes == 0;

		for (int attempt = 0; attempt < 8; attempt++) {
			memset(buffer, 0xaa, sizeof(buffer));
			random_bytes(buffer, bytes);
			for (size_t i = bytes; i < sizeof(buffer); i++)
				CHECK_EQUAL(buffer[i], 0xaa);
			changed_last |= bytes > 0 && buffer[bytes - 1] != 0xaa;
		}
		CHECK(changed_last);
	}
}

TEST(outputs_do_not_repeat)
{
	static uint64_t seen[20000];

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		seen[i] = random_u64();
	for (size_t i = 1; i < ARRAY_SIZE(seen); i++)
		for (size_t j = i - (i < 50 ? i : 50); j < i; j++)
			CHECK(seen[i] != seen[j]);
}

TEST(bits_are_balanced)
{
	static uint8_t bulk[1 << 20];
	long ones = 0;

	random_bytes(bulk, sizeof(bulk));
	for (size_t i = 0; i < sizeof(bulk); i++)
		ones += __builtin_popcount(bulk[i]);
	/* 8.4 million bits: the standard deviation is 1448. */
	CHECK(labs(ones - 4 * (long)sizeof(bulk)) < 8 * 1448);
}

TEST(bounded_values_stay_below_the_bound)
{
	unsigned counts[7] = {0};

	for (int i = 0; i < 70000; i++) {
		uint64_t value = random_below(7);

		CHECK(value < 7);
		counts[value]++;
	}
	for (int i = 0; i < 7; i++)
		CHECK(counts[i] > 9500 && counts[i] < 10500);
	CHECK_EQUAL(random_below(1), 0);
}

TEST(added_entropy_changes_the_future)
{
	/* Same state twice cannot be had from outside; at least nothing breaks. */
	static const uint8_t data[1000] = {1};

	has_hardware = false;
	random_add(data, 0);
	random_add(data, sizeof(data));
	for (int i = 0; i < 10000; i++)
		CHECK(random_u64() != random_u64());
}

TEST_DEFINE_MAIN
