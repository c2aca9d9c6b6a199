#include "kernel/mm/page_alloc.h"

#include <stdlib.h>
#include <string.h>

#include "arch/host/fake_memory.h"
#include "lib/test.h"

#define MIB (1024ull * 1024)

static uint64_t free_pages(void)
{
	struct page_counts counts;

	page_alloc_counts(&counts);
	return counts.free_pages;
}

static bool is_filled(struct phys phys, uint32_t pages, uint8_t value)
{
	const uint8_t *p = platform_phys_to_virt(phys);

	return p[0] == value && memcmp(p, p + 1, pages * PAGE_BYTES - 1) == 0;
}

TEST(every_page_can_be_had_and_given_back)
{
	static struct phys pages[8192];
	uint64_t before, count = 0;

	fake_memory_start(123 * PAGE_BYTES, 9 * MIB + 5 * PAGE_BYTES, true);
	before = free_pages();
	CHECK(before > 9 * 256 - 8 && before < 9 * 256 + 5);
	while (page_alloc(1, PAGE_ALLOC_RESERVE, &pages[count])) {
		memset(platform_phys_to_virt(pages[count]), 1, PAGE_BYTES);
		count++;
	}
	CHECK_EQUAL(count, before);
	CHECK_EQUAL(free_pages(), 0);
	for (uint64_t i = 0; i < count; i++)
		page_free(pages[i], 1);
	CHECK_EQUAL(free_pages(), before);
}

TEST(the_reserve_is_for_the_kernel)
{
	struct phys page;
	uint64_t ordinary = 0, reserved = 0;

	fake_memory_start(0, 8 * MIB, true);
	while (page_alloc(1, 0, &page))
		ordinary++;
	while (page_alloc(1, PAGE_ALLOC_RESERVE, &page))
		reserved++;
	CHECK_EQUAL(reserved, 32);
	CHECK(ordinary > 1900);
}

TEST(small_allocations_share_few_blocks)
{
	struct phys page;
	uint64_t highest = 0;

	fake_memory_start(0, 1024 * MIB, true);
	for (int i = 0; i < 300; i++) {
		CHECK(page_alloc(1, PAGE_ALLOC_ZERO, &page));
		highest = page.raw > highest ? page.raw : highest;
	}
	CHECK(highest < 2 * MIB);
}

TEST(a_dirty_page_is_reused_first_and_cleared_if_asked)
{
	struct phys pages[8], again;

	fake_memory_start(0, 64 * MIB, true);
	for (int i = 0; i < 8; i++)
		CHECK(page_alloc(1, 0, &pages[i]));
	memset(platform_phys_to_virt(pages[5]), 7, PAGE_BYTES);
	page_free(pages[5], 1);
	CHECK(page_alloc(1, PAGE_ALLOC_ZERO, &again));
	CHECK_EQUAL(again.raw, pages[5].raw);
	CHECK(is_filled(again, 1, 0));
}

TEST(zero_is_zero_in_memory_that_was_not)
{
	struct phys page, huge;

	fake_memory_start(0, 64 * MIB, false);
	CHECK(page_alloc(3, PAGE_ALLOC_ZERO, &page));
	CHECK(is_filled(page, 3, 0));
	CHECK(page_alloc(512, PAGE_ALLOC_ZERO, &huge));
	CHECK_EQUAL(huge.raw % (2 * MIB), 0);
	CHECK(is_filled(huge, 512, 0));
}

TEST(free_blocks_return_to_the_host_and_read_as_zero)
{
	struct phys a, b;

	fake_memory_start(0, 16 * MIB, true);
	CHECK(page_alloc(512, 0, &a));
	memset(platform_phys_to_virt(a), 9, 2 * MIB);
	page_alloc_begin_return();
	CHECK_EQUAL(page_alloc_return_free(10), 0);
	CHECK(!page_alloc_has_returnable());
	page_free(a, 512);
	CHECK(page_alloc_has_returnable());
	page_alloc_begin_return();
	CHECK_EQUAL(page_alloc_return_free(10), 0); /* not free for long enough */
	page_alloc_begin_return();
	fake_memory_given_back_bytes = 0;
	CHECK_EQUAL(page_alloc_return_free(10), 1);
	CHECK(!page_alloc_has_returnable());
	CHECK_EQUAL(fake_memory_given_back_bytes, 2 * MIB);
	for (int i = 0; i < 7; i++) {
		CHECK(page_alloc(512, PAGE_ALLOC_ZERO, &b));
		CHECK(is_filled(b, 512, 0));
	}
	CHECK(!page_alloc(512, PAGE_ALLOC_ZERO, &b));
}

TEST(a_host_that_takes_nothing_is_not_asked_again)
{
	struct phys a;

	fake_memory_start(0, 16 * MIB, true);
	CHECK(page_alloc(512, 0, &a));
	page_free(a, 512);
	CHECK(page_alloc_has_returnable());
	page_alloc_begin_return();
	page_alloc_begin_return();
	fake_memory_can_give_back = false;
	CHECK_EQUAL(page_alloc_return_free(10), 0);
	CHECK(!page_alloc_has_returnable());
	fake_memory_can_give_back = true;
}

TEST(little_free_memory_stays)
{
	struct phys held[8];
	int count = 0;

	fake_memory_start(0, 16 * MIB, true);
	while (page_alloc(512, 0, &held[count]))
		count++;
	CHECK_EQUAL(count, 7);
	for (int i = 0; i < 3; i++)
		page_free(held[i], 512);
	page_alloc_begin_return();
	page_alloc_begin_return();
	CHECK(!page_alloc_has_returnable());
	CHECK_EQUAL(page_alloc_return_free(10), 0);
}

TEST(the_extent_of_an_allocation_is_known)
{
	struct phys a, b, c;

	fake_memory_start(0, 16 * MIB, true);
	CHECK(page_alloc(5, 0, &a));
	CHECK(page_alloc(1, 0, &b));
	CHECK(page_alloc(512, 0, &c));
	CHECK_EQUAL(page_alloc_extent(a), 5);
	CHECK_EQUAL(page_alloc_extent((struct phys){a.raw + 2 * PAGE_BYTES}), 3);
	CHECK_EQUAL(page_alloc_extent(b), 1);
	CHECK_EQUAL(page_alloc_extent(c), 512);
	page_free((struct phys){a.raw + 3 * PAGE_BYTES}, 2);
	CHECK(page_alloc(2, 0, &b));
	CHECK_EQUAL(page_alloc_extent(a), 3);
}

TEST(regions_that_cannot_be_used_are_skipped)
{
	struct boot_info info = {.region_count = 6};
	struct phys page;

	fake_memory_create(64 * MIB);
	info.regions[0] = (struct boot_region){.base = 0, .bytes = 4096, .type = BOOT_REGION_RAM};
	info.regions[1] =
		(struct boot_region){.base = 8193, .bytes = 8000, .type = BOOT_REGION_RAM};
	info.regions[2] =
		(struct boot_region){.base = MIB, .bytes = MIB, .type = BOOT_REGION_RESERVED};
	info.regions[3] = (struct boot_region){
		.base = UINT64_MAX - 100, .bytes = 4096, .type = BOOT_REGION_RAM};
	info.regions[4] =
		(struct boot_region){.base = 5 * MIB, .bytes = 8192, .type = BOOT_REGION_RAM};
	info.regions[5] = (struct boot_region){
		.base = 5 * MIB + 8192, .bytes = 4 * MIB, .type = BOOT_REGION_RAM};
	page_alloc_init(&info);
	CHECK_EQUAL(free_pages(), 1 + 1023);
	CHECK(!page_alloc(512, PAGE_ALLOC_RESERVE, &page) || page.raw % (2 * MIB) == 0);
}

#define MODEL_ALLOCATIONS 400

/* Random allocations, partial frees and give-backs against what the test remembers. */
TEST(random_use_agrees_with_a_model)
{
	static struct {
		struct phys phys;
		uint32_t count;
		uint8_t fill;
	} held[MODEL_ALLOCATIONS];
	uint64_t total, used = 0;
	int live = 0;

	srandom(1);
	fake_memory_start(3 * PAGE_BYTES, 40 * MIB, false);
	total = free_pages();
	for (int step = 0; step < 60000; step++) {
		int choice = (int)(random() % 100);

		if (choice < 52 && live < MODEL_ALLOCATIONS) {
			static const uint32_t counts[] = {
				1, 1, 1, 1, 2, 3, 16, 17, 64, 65, 511, 512};
			uint32_t count = counts[(size_t)random() % ARRAY_SIZE(counts)];
			uint32_t flags = random() % 2 ? PAGE_ALLOC_ZERO : 0;

			if (!page_alloc(count, flags, &held[live].phys)) {
				CHECK(count > 1 || total - used < 200);
				continue;
			}
			if (flags != 0)
				CHECK(is_filled(held[live].phys, count, 0));
			held[live].count = count;
			held[live].fill = (uint8_t)(1 + random() % 255);
			memset(platform_phys_to_virt(held[live].phys), held[live].fill,
				count * PAGE_BYTES);
			used += count;
			live++;
		} else if (choice < 99 && live > 0) {
			int i = (int)(random() % live);
			uint32_t part = 1 + (uint32_t)random() % held[i].count;

			CHECK(is_filled(held[i].phys, held[i].count, held[i].fill));
			page_free(held[i].phys, part);
			used -= part;
			held[i].phys.raw += part * PAGE_BYTES;
			held[i].count -= part;
			if (held[i].count == 0)
				held[i] = held[--live];
		} else if (choice == 99) {
			page_alloc_begin_return();
			page_alloc_return_free(2);
		}
		CHECK_EQUAL(free_pages(), total - used);
	}
	while (live-- > 0)
		page_free(held[live].phys, held[live].count);
	CHECK_EQUAL(free_pages(), total);
	for (int i = 0; i < 19; i++) {
		struct phys huge;

		CHECK(page_alloc(512, 0, &huge));
	}
}

TEST_DEFINE_MAIN
