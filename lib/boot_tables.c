/*
 * x86-64 four-level page tables for the start of the kernel; see boot_tables.h.
 */
#include "lib/boot_tables.h"
#include "lib/string.h"

#define ENTRIES       512
#define LEAF_LEVEL    0
#define LARGE_LEVEL   1
#define ROOT_LEVEL    3
#define PTE_PRESENT   (1ull << 0)
#define PTE_WRITE     (1ull << 1)
#define PTE_USER      (1ull << 2)
#define PTE_PWT       (1ull << 3)
#define PTE_PCD       (1ull << 4)
#define PTE_ACCESSED  (1ull << 5)
#define PTE_DIRTY     (1ull << 6)
#define PTE_LARGE     (1ull << 7)
#define PTE_NX        (1ull << 63)
#define PTE_ADDRESS   0x000ffffffffff000ull
#define PTE_DIRECTORY (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

static unsigned level_shift(unsigned level)
{
	return 12 + 9 * level;
}

static bool is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

static bool take_page(struct boot_tables *tables, uint64_t *phys)
{
	if (tables->next >= tables->end || tables->end - tables->next < BOOT_TABLES_PAGE_BYTES)
		return false;
	*phys = tables->next;
	tables->next += BOOT_TABLES_PAGE_BYTES;
	if (!tables->pool_is_zero)
		memset(tables->page_at(tables->context, *phys), 0, BOOT_TABLES_PAGE_BYTES);
	return true;
}

bool boot_tables_init(struct boot_tables *tables)
{
	return is_aligned(tables->next, BOOT_TABLES_PAGE_BYTES) && take_page(tables, &tables->root);
}

/* The table of `level` that covers `virt`, made with its parents if missing. */
static uint64_t *table_for(struct boot_tables *tables, uint64_t virt, unsigned level)
{
	uint64_t *table = tables->page_at(tables->context, tables->root);

	for (unsigned above = ROOT_LEVEL; above > level; above--) {
		uint64_t *entry = &table[(virt >> level_shift(above)) % ENTRIES];

		if (!(*entry & PTE_PRESENT)) {
			uint64_t phys;

			if (!take_page(tables, &phys))
				return NULL;
			*entry = phys | PTE_DIRECTORY;
		} else if (*entry & PTE_LARGE) {
			return NULL;
		}
		table = tables->page_at(tables->context, *entry & PTE_ADDRESS);
	}
	return table;
}

static uint64_t leaf_bits(unsigned rights)
{
	uint64_t bits = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY;

	if (rights & BOOT_TABLES_WRITE)
		bits |= PTE_WRITE;
	if (!(rights & BOOT_TABLES_EXECUTE))
		bits |= PTE_NX;
	if (rights & BOOT_TABLES_USER)
		bits |= PTE_USER;
	if (rights & BOOT_TABLES_UNCACHED)
		bits |= PTE_PCD | PTE_PWT;
	return bits;
}

/* Fills leaves of `level` from virt to the end of their table, or `bytes` of them. */
static uint64_t fill_table(uint64_t *table, unsigned level, uint64_t virt, uint64_t phys,
	uint64_t bytes, uint64_t bits)
{
	uint64_t step = 1ull << level_shift(level);
	uint64_t done = 0;

	for (unsigned i = (virt >> level_shift(level)) % ENTRIES; i < ENTRIES && done < bytes;
		i++) {
		table[i] = (phys + done) | bits;
		done += step;
	}
	return done;
}

bool boot_tables_map(struct boot_tables *tables, uint64_t virt, uint64_t phys, uint64_t bytes,
	unsigned rights, bool large)
{
	uint64_t bits = leaf_bits(rights);

	if (!is_aligned(virt | phys | bytes, BOOT_TABLES_PAGE_BYTES))
		return false;
	while (bytes > 0) {
		bool use_large = large && is_aligned(virt | phys, BOOT_TABLES_LARGE_BYTES) &&
				 bytes >= BOOT_TABLES_LARGE_BYTES;
		unsigned level = use_large ? LARGE_LEVEL : LEAF_LEVEL;
		uint64_t part = use_large ? ALIGN_DOWN(bytes, BOOT_TABLES_LARGE_BYTES) : bytes;
		uint64_t *table = table_for(tables, virt, level);
		uint64_t done;

		if (!table)
			return false;
		done = fill_table(
			table, level, virt, phys, part, use_large ? bits | PTE_LARGE : bits);
		virt += done;
		phys += done;
		bytes -= done;
	}
	return true;
}

bool boot_tables_map_kernel(struct boot_tables *tables, uint64_t virt, uint64_t phys,
	uint64_t bytes, unsigned rights, uint64_t nucleus_start, uint64_t nucleus_end)
{
	uint64_t end = virt + bytes;
	uint64_t hidden = MIN(MAX(ALIGN_DOWN(nucleus_start, BOOT_TABLES_PAGE_BYTES), virt), end);
	uint64_t shown = MIN(MAX(ALIGN_UP(nucleus_end, BOOT_TABLES_PAGE_BYTES), hidden), end);
	unsigned user = rights | BOOT_TABLES_USER;

	return boot_tables_map(tables, virt, phys, hidden - virt, user, false) &&
	       boot_tables_map(tables, hidden, phys + (hidden - virt), shown - hidden,
		       rights & ~(unsigned)BOOT_TABLES_USER, false) &&
	       boot_tables_map(tables, shown, phys + (shown - virt), end - shown, user, false);
}

uint64_t boot_tables_pages_needed(uint64_t virt, uint64_t bytes, bool large)
{
	uint64_t pages = 0;

	if (bytes == 0)
		return 0;
	for (unsigned level = large ? LARGE_LEVEL : LEAF_LEVEL; level < ROOT_LEVEL; level++) {
		unsigned shift = level_shift(level) + 9;

		pages += ((virt + bytes - 1) >> shift) - (virt >> shift) + 1;
	}
	return pages + (large ? 2 : 0); /* ends that are not 2 MiB-aligned */
}
