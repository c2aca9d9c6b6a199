/*
 * Walks the tables that boot_tables.c builds, as a processor would.
 */
#include <string.h>

#include "lib/boot_tables.h"
#include "lib/test.h"

#define POOL_PAGES 64
#define POOL_BASE  0x10000ull

static uint64_t pool[POOL_PAGES][512];

static void *page_at(void *context, uint64_t phys)
{
	CHECK(context == pool);
	CHECK(phys >= POOL_BASE && phys < POOL_BASE + sizeof(pool));
	CHECK_EQUAL(phys % 4096, 0);
	return pool[(phys - POOL_BASE) / 4096];
}

static struct boot_tables make_tables(unsigned pages, bool zero)
{
	struct boot_tables tables = {
		.page_at = page_at,
		.context = pool,
		.next = POOL_BASE,
		.end = POOL_BASE + pages * 4096ull,
		.pool_is_zero = zero,
	};

	memset(pool, zero ? 0 : 0xff, sizeof(pool));
	CHECK(boot_tables_init(&tables));
	return tables;
}

/* The leaf entry that maps `virt`, or 0; *bytes is the size of its page. */
static uint64_t walk(const struct boot_tables *tables, uint64_t virt, uint64_t *bytes)
{
	uint64_t *table = page_at(pool, tables->root);

	for (int level = 3; level >= 0; level--) {
		uint64_t entry = table[(virt >> (12 + 9 * level)) & 511];

		*bytes = 1ull << (12 + 9 * level);
		if (!(entry & 1))
			return 0;
		CHECK(entry & (1 << 5));
		if (level == 0 || (entry & (1 << 7)))
			return entry;
		CHECK((entry & 7) == 7);
		table = page_at(pool, entry & 0x000ffffffffff000ull);
	}
	return 0;
}

static void check_page(const struct boot_tables *tables, uint64_t virt, uint64_t phys,
	uint64_t bytes, unsigned rights)
{
	uint64_t found_bytes, entry = walk(tables, virt, &found_bytes);

	CHECK(entry != 0);
	CHECK_EQUAL(found_bytes, bytes);
	CHECK_EQUAL(entry & 0x000ffffffffff000ull, phys);
	CHECK_EQUAL(!!(entry & 2), !!(rights & BOOT_TABLES_WRITE));
	CHECK_EQUAL(!!(entry & 4), !!(rights & BOOT_TABLES_USER));
	CHECK_EQUAL(!(entry >> 63), !!(rights & BOOT_TABLES_EXECUTE));
	CHECK_EQUAL((entry >> 3) & 3, rights & BOOT_TABLES_UNCACHED ? 3 : 0);
	CHECK(entry & (1 << 6)); /* dirty */
}

static void check_unmapped(const struct boot_tables *tables, uint64_t virt)
{
	uint64_t bytes;

	CHECK_EQUAL(walk(tables, virt, &bytes), 0);
}

TEST(small_pages_have_their_rights)
{
	static const unsigned rights[] = {0, BOOT_TABLES_WRITE, BOOT_TABLES_EXECUTE,
		BOOT_TABLES_USER | BOOT_TABLES_WRITE, BOOT_TABLES_USER | BOOT_TABLES_EXECUTE,
		BOOT_TABLES_USER | BOOT_TABLES_WRITE | BOOT_TABLES_UNCACHED};

	for (unsigned i = 0; i < ARRAY_SIZE(rights); i++) {
		struct boot_tables tables = make_tables(POOL_PAGES, i % 2);

		CHECK(boot_tables_map(
			&tables, 0xffffffff80001000, 0x5000, 0x3000, rights[i], false));
		for (uint64_t page = 0; page < 3; page++)
			check_page(&tables, 0xffffffff80001000 + page * 4096, 0x5000 + page * 4096,
				4096, rights[i]);
		check_unmapped(&tables, 0xffffffff80000000);
		check_unmapped(&tables, 0xffffffff80004000);
		check_unmapped(&tables, 0x5000);
	}
}

TEST(large_pages_are_used_where_aligned)
{
	struct boot_tables tables = make_tables(POOL_PAGES, true);
	const uint64_t base = 0xffff900000000000;
	const unsigned rights = BOOT_TABLES_WRITE | BOOT_TABLES_USER;

	/* One small page, three large ones across a 1 GiB border, one small page. */
	CHECK(boot_tables_map(&tables, base + 0x3fdff000, 0x3fdff000, 0x602000, rights, true));
	check_page(&tables, base + 0x3fdff000, 0x3fdff000, 4096, rights);
	for (uint64_t at = 0x3fe00000; at < 0x40400000; at += 0x200000)
		check_page(&tables, base + at, at, 0x200000, rights);
	check_page(&tables, base + 0x40400000, 0x40400000, 4096, rights);
	check_unmapped(&tables, base + 0x40401000);
	check_unmapped(&tables, base + 0x3fdfe000);
}

TEST(small_pages_where_addresses_disagree)
{
	struct boot_tables tables = make_tables(POOL_PAGES, true);

	CHECK(boot_tables_map(&tables, 0x200000, 0x201000, 0x200000, 0, true));
	check_page(&tables, 0x200000, 0x201000, 4096, 0);
	check_page(&tables, 0x3ff000, 0x400000, 4096, 0);
}

TEST(nucleus_pages_are_supervisor_only)
{
	struct boot_tables tables = make_tables(POOL_PAGES, true);
	const uint64_t base = 0xffffffff80000000;
	const unsigned rx = BOOT_TABLES_EXECUTE;

	CHECK(boot_tables_map_kernel(
		&tables, base, 0x1000000, 0x8000, rx, base + 0x2100, base + 0x3001));
	for (uint64_t at = 0; at < 0x8000; at += 0x1000) {
		bool hidden = at == 0x2000 || at == 0x3000;

		check_page(&tables, base + at, 0x1000000 + at, 4096,
			hidden ? rx : rx | BOOT_TABLES_USER);
	}
	/* A segment that the nucleus does not touch, before and after it. */
	CHECK(boot_tables_map_kernel(
		&tables, base + 0x10000, 0x2000000, 0x1000, 0, base + 0x2000, base + 0x4000));
	check_page(&tables, base + 0x10000, 0x2000000, 4096, BOOT_TABLES_USER);
	CHECK(boot_tables_map_kernel(
		&tables, base + 0x20000, 0x2000000, 0x1000, 0, base + 0x30000, base + 0x40000));
	check_page(&tables, base + 0x20000, 0x2000000, 4096, BOOT_TABLES_USER);
}

TEST(pool_exhaustion_is_reported)
{
	for (unsigned pages = 1; pages < 4; pages++) {
		struct boot_tables tables = make_tables(pages, true);

		CHECK(!boot_tables_map(&tables, 0x1000, 0x1000, 0x1000, 0, false));
	}
	struct boot_tables tables = make_tables(4, true);

	CHECK(boot_tables_map(&tables, 0x1000, 0x1000, 0x1000, 0, false));
	CHECK_EQUAL(tables.next, tables.end);
	tables = make_tables(4, true);
	tables.next = tables.end;
	CHECK(!boot_tables_init(&tables));
}

TEST(misaligned_ranges_are_refused)
{
	struct boot_tables tables = make_tables(POOL_PAGES, true);

	CHECK(!boot_tables_map(&tables, 0x1001, 0x1000, 0x1000, 0, false));
	CHECK(!boot_tables_map(&tables, 0x1000, 0x1800, 0x1000, 0, false));
	CHECK(!boot_tables_map(&tables, 0x1000, 0x1000, 0x10, 0, true));
}

TEST(a_large_page_is_not_replaced_by_a_table)
{
	struct boot_tables tables = make_tables(POOL_PAGES, true);

	CHECK(boot_tables_map(&tables, 0, 0, 0x200000, 0, true));
	CHECK(!boot_tables_map(&tables, 0x1000, 0x1000, 0x1000, 0, false));
}

TEST(needed_pages_suffice)
{
	static const uint64_t bytes[] = {
		0x1000, 0x200000, 0x201000, 0x40000000, 0x40200000, 0x7ffff000};

	for (unsigned i = 0; i < ARRAY_SIZE(bytes); i++) {
		for (uint64_t virt = 0xffff900000000000; virt < 0xffff900040000000;
			virt += 0x3ffff000) {
			uint64_t needed = boot_tables_pages_needed(virt, bytes[i], true);
			struct boot_tables tables = make_tables((unsigned)(needed + 1), true);

			CHECK(needed < POOL_PAGES);
			CHECK(boot_tables_map(&tables, virt, virt & 0xffffffff, bytes[i], 0, true));
		}
	}
	CHECK_EQUAL(boot_tables_pages_needed(0x1000, 0, false), 0);
}

TEST_DEFINE_MAIN
