/* See fake_page_table.h. */
#include "arch/host/fake_page_table.h"

#include <stdlib.h>

#include "abi/linux/errno.h"

#define ENTRIES     512
#define STALE_LIMIT 1024 /* more than this between two flushes counts as all pages */
#define LOWER_HALF  (1ull << 47)

struct entry {
	struct table *table; /* or NULL: */
	struct phys phys;
	bool mapped, owned;
	int protection;
};

struct table {
	struct entry entries[ENTRIES];
};

struct stale {
	uintptr_t address;
	struct phys phys;
	uint64_t bytes;
};

uint64_t fake_page_table_flush_count;

static struct table *root;
static struct stale stale[STALE_LIMIT];
static uint32_t stale_count;
static uint32_t failure_period;

static struct table *new_table(void)
{
	if (failure_period != 0 && (uint32_t)random() % failure_period == 0)
		return NULL;
	return calloc(1, sizeof(struct table));
}

static void free_table(struct table *table, int level)
{
	for (int i = 0; level > 0 && i < ENTRIES; i++) {
		if (table->entries[i].table != NULL)
			free_table(table->entries[i].table, level - 1);
	}
	free(table);
}

void fake_page_table_reset(void)
{
	if (root != NULL)
		free_table(root, 3);
	root = calloc(1, sizeof(struct table));
	stale_count = 0;
	failure_period = 0;
	fake_page_table_flush_count = 0;
}

void fake_page_table_inject_failures(uint32_t period)
{
	failure_period = period;
}

static uint64_t mapped_below(const struct table *table, int level)
{
	uint64_t pages = 0;

	for (int i = 0; i < ENTRIES; i++) {
		if (table->entries[i].table != NULL)
			pages += mapped_below(table->entries[i].table, level - 1);
		else if (table->entries[i].mapped)
			pages += level == 1 ? ENTRIES : 1;
	}
	return pages;
}

uint64_t fake_page_table_mapped_pages(void)
{
	return mapped_below(root, 3);
}

static struct entry *entry_at(uintptr_t address, int lowest, bool create, int *level)
{
	struct table *table = root;

	if (address >= LOWER_HALF)
		abort();
	for (*level = 3;; (*level)--) {
		struct entry *entry =
			&table->entries[address >> (PAGE_SHIFT + 9 * *level) & (ENTRIES - 1)];

		if (*level == lowest || entry->mapped)
			return entry;
		if (entry->table == NULL && create)
			entry->table = new_table();
		if (entry->table == NULL)
			return create ? NULL : entry;
		table = entry->table;
	}
}

static void note_stale(uintptr_t address, const struct entry *entry, uint64_t bytes)
{
	if (stale_count < STALE_LIMIT)
		stale[stale_count] = (struct stale){ALIGN_DOWN(address, bytes), entry->phys, bytes};
	stale_count++;
}

int platform_map(uintptr_t address, struct phys phys, uint64_t bytes, int protection, bool owned)
{
	while (bytes > 0) {
		bool huge = ((address | phys.raw) & (HUGE_PAGE_BYTES - 1)) == 0 &&
			    bytes >= HUGE_PAGE_BYTES;
		struct entry *entry;
		int level;

		if ((address | phys.raw | bytes) & (PAGE_BYTES - 1))
			abort();
		entry = entry_at(address, huge ? 1 : 0, true, &level);
		if (entry != NULL && huge && (entry->table != NULL || entry->mapped)) {
			huge = false;
			entry = entry_at(address, 0, true, &level);
		}
		if (entry == NULL)
			return -LINUX_ENOMEM;
		if (level != (huge ? 1 : 0))
			abort(); /* a huge page is in the way */
		if (entry->mapped && entry->phys.raw != phys.raw)
			note_stale(address, entry, PAGE_BYTES);
		*entry = (struct entry){NULL, phys, true, owned, protection};
		address += huge ? HUGE_PAGE_BYTES : PAGE_BYTES;
		phys.raw += huge ? HUGE_PAGE_BYTES : PAGE_BYTES;
		bytes -= huge ? HUGE_PAGE_BYTES : PAGE_BYTES;
	}
	return 0;
}

struct platform_mapping platform_lookup(uintptr_t address, uintptr_t *next)
{
	int level;
	struct entry *entry = entry_at(address, 0, false, &level);
	uint64_t bytes = PAGE_BYTES << (9 * level);

	if (next != NULL)
		*next = ALIGN_DOWN(address, bytes) + bytes;
	if (!entry->mapped)
		return (struct platform_mapping){.bytes = 0};
	return (struct platform_mapping){
		.phys = entry->phys,
		.bytes = bytes,
		.protection = entry->protection,
		.owned = entry->owned,
	};
}

void platform_unmap(uintptr_t address)
{
	int level;
	struct entry *entry = entry_at(address, 0, false, &level);

	if (!entry->mapped)
		return;
	note_stale(address, entry, PAGE_BYTES << (9 * level));
	*entry = (struct entry){0};
}

int platform_split(uintptr_t address)
{
	int level;
	struct entry *entry = entry_at(address, 0, false, &level);
	struct table *table;

	if (!entry->mapped || level != 1)
		return 0;
	table = new_table();
	if (table == NULL)
		return -LINUX_ENOMEM;
	for (uint64_t i = 0; i < ENTRIES; i++) {
		table->entries[i] = *entry;
		table->entries[i].phys.raw += i * PAGE_BYTES;
	}
	*entry = (struct entry){.table = table};
	return 0;
}

void platform_protect(uintptr_t address, int protection)
{
	int level;
	struct entry *entry = entry_at(address, 0, false, &level);

	if (!entry->mapped)
		return;
	if (entry->protection & ~protection)
		note_stale(address, entry, PAGE_BYTES << (9 * level));
	entry->protection = protection;
}

void platform_flush(uintptr_t address, uint64_t bytes)
{
	fake_page_table_flush_count++;
	if (bytes > PAGE_BYTES) {
		stale_count = 0;
		return;
	}
	for (uint32_t i = 0; i < MIN(stale_count, STALE_LIMIT); i++) {
		if (address >= stale[i].address && address < stale[i].address + stale[i].bytes)
			stale[i].bytes = 0;
	}
}

bool fake_page_table_is_flushed(void)
{
	for (uint32_t i = 0; i < MIN(stale_count, STALE_LIMIT); i++) {
		if (stale[i].bytes != 0)
			return false;
	}
	return stale_count <= STALE_LIMIT;
}

bool fake_page_table_may_be_stale(struct phys phys, uint64_t pages)
{
	uint64_t end = phys.raw + pages * PAGE_BYTES;

	for (uint32_t i = 0; i < MIN(stale_count, STALE_LIMIT); i++) {
		if (stale[i].phys.raw < end && phys.raw < stale[i].phys.raw + stale[i].bytes)
			return true;
	}
	return stale_count > STALE_LIMIT;
}

void platform_trim(uintptr_t address, uint64_t bytes)
{
	for (uintptr_t at = ALIGN_UP(address, HUGE_PAGE_BYTES);
		at + HUGE_PAGE_BYTES <= address + bytes;) {
		int level;
		struct entry *entry = entry_at(at, 1, false, &level);
		uint64_t span = PAGE_BYTES << (9 * level);
		bool empty = entry->table != NULL && level == 1;

		for (int i = 0; empty && i < ENTRIES; i++)
			empty = !entry->table->entries[i].mapped;
		if (empty) {
			free(entry->table);
			entry->table = NULL;
		}
		at = ALIGN_DOWN(at, span) + span;
	}
}
