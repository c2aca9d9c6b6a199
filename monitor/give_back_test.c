/* What a guest may give back: its RAM, to the last block, and nothing else. */
#include "lib/test.h"
#include "monitor/give_back.h"

#define GIB (1ull << 30)

static uint32_t block_of(uint64_t address)
{
	return (uint32_t)(address / HUGE_BYTES);
}

TEST(only_ram_is_given_back)
{
	static const struct layout_sizes sizes = {
		.mem = 5 * GIB, .kernel = 1 << 20, .program = 3 << 20, .strings = 100};
	struct layout layout;
	uint8_t *byte;

	layout_plan(&layout, &sizes);
	layout_reserve(&layout);
	byte = layout_host(&layout, layout.reserved_end);
	byte[0] = byte[HUGE_BYTES - 1] = byte[HUGE_BYTES] = 1;
	CHECK(give_back_block(&layout, block_of(layout.reserved_end)));
	CHECK_EQUAL(byte[0], 0);
	CHECK_EQUAL(byte[HUGE_BYTES - 1], 0);
	CHECK_EQUAL(byte[HUGE_BYTES], 1);
	CHECK(!give_back_block(&layout, 0));
	CHECK(!give_back_block(&layout, block_of(layout.reserved_end) - 1));
	CHECK(give_back_block(&layout, block_of(3 * GIB) - 1));
	CHECK(!give_back_block(&layout, block_of(3 * GIB)));
	CHECK(!give_back_block(&layout, block_of(4 * GIB) - 1));
	CHECK(give_back_block(&layout, block_of(4 * GIB)));
	CHECK(give_back_block(&layout, block_of(6 * GIB) - 1));
	CHECK(!give_back_block(&layout, block_of(6 * GIB)));
	CHECK(!give_back_block(&layout, block_of(layout.program.base)));
	CHECK(!give_back_block(&layout, UINT32_MAX));
}

TEST(modules_behind_small_ram_are_not)
{
	static const struct layout_sizes sizes = {
		.mem = 64 << 20, .kernel = 1 << 20, .program = 3 << 20, .strings = 100};
	struct layout layout;

	layout_plan(&layout, &sizes);
	layout_reserve(&layout);
	CHECK(give_back_block(&layout, block_of(64 << 20) - 1));
	CHECK(!give_back_block(&layout, block_of(64 << 20)));
	CHECK(!give_back_block(&layout, block_of(4 * GIB)));
}

TEST_DEFINE_MAIN
