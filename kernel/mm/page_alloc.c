/*
 * The page allocator: 2 MiB blocks, each with bitmaps of its 512 pages.
 *
 * A block is in one of these states, which is also the list it is on:
 *   fresh      at or above its region's next_fresh: its struct block was never
 *              written, so that neither memory nor metadata of it is backed;
 *   partial    some pages in use; three lists by how full, the fullest first,
 *              so that few blocks are begun and whole ones stay whole;
 *   full       on no list;
 *   free       no page in use; "backed" if the host very likely has memory behind
 *              it, "returned" if it was given back.
 * Clearing a page costs a tenth of a microsecond, backing a new one on the host
 * several: so dirty pages are reused before pages never touched, also for zeroes.
 * The metadata of a region lies at the region's own start.
 */
#include "kernel/mm/page_alloc.h"

#include "kernel/lock.h"
#include "kernel/panic.h"
#include "lib/list.h"
#include "lib/string.h"

#define BLOCK_PAGES 512u
#define BLOCK_WORDS (BLOCK_PAGES / 64)
#define SCAN_BLOCKS 32 /* how many partial blocks of a list are searched for a run */

#define RETURN_KEEP_PAGES (4ull * BLOCK_PAGES) /* free pages that are not given back */

#define RESERVE_SHIFT     7 /* the reserve is 1/128 of memory, within these bounds */
#define RESERVE_MIN_PAGES 32ull
#define RESERVE_MAX_PAGES 1024ull

enum block_list {
	LIST_FULLEST, /* 1 to 63 pages free */
	LIST_MIDDLE,
	LIST_EMPTIEST, /* more than half free */
	LIST_BACKED,
	LIST_RETURNED,
	LIST_COUNT,
	LIST_NONE = LIST_COUNT,
};

struct block {
	uint64_t used[BLOCK_WORDS];
	uint64_t zero[BLOCK_WORDS]; /* of free pages: known to be zero */
	uint64_t last[BLOCK_WORDS]; /* of used pages: the last one of its allocation */
	struct list link;
	uint64_t base;
	uint16_t free_count;
	uint8_t on_list;
	bool backed;
	uint32_t free_since; /* the round in which it came on LIST_BACKED */
};

struct region {
	uint64_t first_page; /* the first to hand out; the metadata lies below */
	uint64_t end;
	uint64_t start_block; /* address / HUGE_PAGE_BYTES of blocks[0] */
	uint64_t block_count;
	uint64_t next_fresh;
	struct block *blocks;
	bool is_zero;
};

static struct {
	struct spinlock lock; /* rank 90, the highest; guards all below */
	struct region regions[BOOT_MAX_REGIONS];
	uint32_t region_count;
	struct list lists[LIST_COUNT];
	uint64_t total_pages, free_pages, peak_used_pages, reserve_pages;
	uint32_t return_round;
	bool cannot_return; /* this host takes nothing */
} page_allocator;

static const struct page_alloc_reclaimer *page_reclaimer;

/* ---- bitmaps ------------------------------------------------------------ */

static uint64_t bits_mask(uint32_t from, uint32_t to, uint32_t word)
{
	uint32_t low = word * 64, high = low + 64;
	uint64_t mask = UINT64_MAX;

	if (to <= low || from >= high)
		return 0;
	if (from > low)
		mask &= UINT64_MAX << (from - low);
	if (to < high)
		mask &= UINT64_MAX >> (high - to);
	return mask;
}

static void bits_set(uint64_t *words, uint32_t from, uint32_t to)
{
	for (uint32_t i = from / 64; i * 64 < to; i++)
		words[i] |= bits_mask(from, to, i);
}

static void bits_clear(uint64_t *words, uint32_t from, uint32_t to)
{
	for (uint32_t i = from / 64; i * 64 < to; i++)
		words[i] &= ~bits_mask(from, to, i);
}

static bool bit_test(const uint64_t *words, uint32_t bit)
{
	return (words[bit / 64] >> (bit % 64) & 1) != 0;
}

/* The first bit in [from, to) that is `value`, else `to`. */
static uint32_t bits_find(const uint64_t *words, uint32_t from, uint32_t to, bool value)
{
	for (uint32_t i = from / 64; i * 64 < to; i++) {
		uint64_t word = (value ? words[i] : ~words[i]) & bits_mask(from, to, i);

		if (word != 0)
			return i * 64 + (uint32_t)__builtin_ctzll(word);
	}
	return to;
}

/* The first run of `count` clear bits, or BLOCK_PAGES. */
static uint32_t bits_find_run(const uint64_t *words, uint32_t count)
{
	uint32_t start = bits_find(words, 0, BLOCK_PAGES, false);

	while (start + count <= BLOCK_PAGES) {
		uint32_t busy = bits_find(words, start, start + count, true);

		if (busy == start + count)
			return start;
		start = bits_find(words, busy, BLOCK_PAGES, false);
	}
	return BLOCK_PAGES;
}

/* ---- blocks ------------------------------------------------------------- */

static enum block_list block_proper_list(const struct block *block)
{
	if (block->free_count == 0)
		return LIST_NONE;
	if (block->free_count == BLOCK_PAGES)
		return block->backed ? LIST_BACKED : LIST_RETURNED;
	if (block->free_count > BLOCK_PAGES / 2)
		return LIST_EMPTIEST;
	return block->free_count >= 64 ? LIST_MIDDLE : LIST_FULLEST;
}

static void block_relink(struct block *block)
{
	enum block_list list = block_proper_list(block);

	if (list == block->on_list)
		return;
	if (block->on_list != LIST_NONE)
		list_remove(&block->link);
	if (list != LIST_NONE)
		list_add_first(&page_allocator.lists[list], &block->link);
	block->on_list = (uint8_t)list;
	block->free_since = page_allocator.return_round;
}

/* Begins the next fresh block of a region. */
static struct block *block_begin(struct region *region)
{
	struct block *block = &region->blocks[region->next_fresh];
	uint64_t base = (region->start_block + region->next_fresh) << HUGE_PAGE_SHIFT;
	uint64_t first = MAX(region->first_page, base),
		 end = MIN(region->end, base + HUGE_PAGE_BYTES);

	region->next_fresh++;
	memset(block, 0, sizeof(*block));
	list_init(&block->link);
	block->base = base;
	block->on_list = LIST_NONE;
	memset(block->used, 0xff, sizeof(block->used));
	if (first < end) {
		bits_clear(block->used, (uint32_t)((first - base) >> PAGE_SHIFT),
			(uint32_t)((end - base) >> PAGE_SHIFT));
		block->free_count = (uint16_t)((end - first) >> PAGE_SHIFT);
	}
	if (region->is_zero)
		memset(block->zero, 0xff, sizeof(block->zero));
	block_relink(block);
	return block;
}

/* Begins fresh blocks until one has at least `least_free` pages; NULL: none left. */
static struct block *block_find_fresh(uint32_t least_free)
{
	for (uint32_t i = 0; i < page_allocator.region_count; i++) {
		struct region *region = &page_allocator.regions[i];

		while (region->next_fresh < region->block_count) {
			struct block *block = block_begin(region);

			if (block->free_count >= least_free)
				return block;
		}
	}
	return NULL;
}

static struct block *block_on_list(enum block_list list)
{
	struct list *link = list_first(&page_allocator.lists[list]);

	return link != NULL ? LIST_ENTRY(link, struct block, link) : NULL;
}

/* A block all of whose pages are free, or with enough pages at a region's edge. */
static struct block *block_find_unused(uint32_t least_free)
{
	struct block *block = block_on_list(LIST_BACKED);

	if (block == NULL)
		block = block_find_fresh(least_free);
	if (block == NULL)
		block = block_on_list(LIST_RETURNED);
	return block;
}

static uint32_t block_find_pages(const struct block *block, uint32_t count)
{
	if (block->free_count < count)
		return BLOCK_PAGES;
	if (count > 1)
		return bits_find_run(block->used, count);
	for (uint32_t i = 0; i < BLOCK_WORDS; i++) {
		uint64_t dirty = ~block->used[i] & ~block->zero[i];

		if (dirty != 0)
			return i * 64 + (uint32_t)__builtin_ctzll(dirty);
	}
	return bits_find(block->used, 0, BLOCK_PAGES, false);
}

/* Searches the partial blocks, at most `limit` of each list. */
static struct block *block_find_partial(uint32_t count, uint32_t limit, uint32_t *first)
{
	for (int list = LIST_FULLEST; list <= LIST_EMPTIEST; list++) {
		uint32_t left = limit;

		LIST_FOR_EACH (link, &page_allocator.lists[list]) {
			struct block *block = LIST_ENTRY(link, struct block, link);

			*first = block_find_pages(block, count);
			if (*first != BLOCK_PAGES)
				return block;
			if (--left == 0)
				break;
		}
	}
	return NULL;
}

static struct block *block_find(uint32_t count, uint32_t *first)
{
	struct block *block = NULL;

	if (count < BLOCK_PAGES)
		block = block_find_partial(count, SCAN_BLOCKS, first);
	if (block != NULL)
		return block;
	block = block_find_unused(count);
	if (block != NULL) {
		*first = block_find_pages(block, count);
		return block;
	}
	return count < BLOCK_PAGES ? block_find_partial(count, UINT32_MAX, first) : NULL;
}

static struct block *block_of(uint64_t address)
{
	for (uint32_t i = 0; i < page_allocator.region_count; i++) {
		struct region *region = &page_allocator.regions[i];

		if (address >= region->first_page && address < region->end)
			return &region->blocks[(address >> HUGE_PAGE_SHIFT) - region->start_block];
	}
	return NULL;
}

/* ---- interface ---------------------------------------------------------- */

static void region_add(const struct boot_region *boot)
{
	struct region *region = &page_allocator.regions[page_allocator.region_count];
	uint64_t base = ALIGN_UP(MAX(boot->base, PAGE_BYTES), PAGE_BYTES);
	uint64_t end = ALIGN_DOWN(boot->base + boot->bytes, PAGE_BYTES);
	uint64_t metadata_bytes;

	if (boot->base + boot->bytes < boot->base || end <= base)
		return;
	region->start_block = base >> HUGE_PAGE_SHIFT;
	region->block_count = ((end - 1) >> HUGE_PAGE_SHIFT) - region->start_block + 1;
	metadata_bytes = ALIGN_UP(region->block_count * sizeof(struct block), PAGE_BYTES);
	if (metadata_bytes >= end - base)
		return;
	region->blocks = platform_phys_to_virt((struct phys){base});
	region->first_page = base + metadata_bytes;
	region->end = end;
	region->next_fresh = 0;
	region->is_zero = boot->is_zero != 0;
	page_allocator.region_count++;
	page_allocator.total_pages += (end - region->first_page) >> PAGE_SHIFT;
}

void page_alloc_init(const struct boot_info *info)
{
	memset(&page_allocator, 0, sizeof(page_allocator));
	page_reclaimer = NULL;
	for (int i = 0; i < LIST_COUNT; i++)
		list_init(&page_allocator.lists[i]);
	for (uint32_t i = 0; i < MIN(info->region_count, BOOT_MAX_REGIONS); i++) {
		if (info->regions[i].type == BOOT_REGION_RAM)
			region_add(&info->regions[i]);
	}
	page_allocator.free_pages = page_allocator.total_pages;
	page_allocator.reserve_pages =
		MIN(MAX(page_allocator.total_pages >> RESERVE_SHIFT, RESERVE_MIN_PAGES),
			RESERVE_MAX_PAGES);
}

/* Takes the pages off the block; `zero` receives which of them are known to be zero. */
static void block_take(struct block *block, uint32_t first, uint32_t count, uint64_t *zero)
{
	uint64_t used_pages;

	__builtin_memcpy(zero, block->zero, sizeof(block->zero));
	bits_set(block->used, first, first + count);
	bits_clear(block->zero, first, first + count);
	bits_clear(block->last, first, first + count);
	bits_set(block->last, first + count - 1, first + count);
	block->free_count = (uint16_t)(block->free_count - count);
	block->backed = true;
	block_relink(block);
	page_allocator.free_pages -= count;
	used_pages = page_allocator.total_pages - page_allocator.free_pages;
	if (used_pages > page_allocator.peak_used_pages)
		page_allocator.peak_used_pages = used_pages;
}

/* Clears the pages [first, end) of a block that are not known to be zero. */
static void clear_dirty(uint64_t block_base, const uint64_t *zero, uint32_t first, uint32_t end)
{
	while ((first = bits_find(zero, first, end, false)) < end) {
		uint32_t stop = bits_find(zero, first, end, true);

		memset(platform_phys_to_virt((struct phys){block_base + first * PAGE_BYTES}), 0,
			(stop - first) * PAGE_BYTES);
		first = stop;
	}
}

/* The host gives the whole block at the first write. If the program read it first, some hosts
 * would show it their page of zeroes, in small pieces, and each would cost a fault. */
static void touch_fresh(struct phys page)
{
	*(volatile uint64_t *)platform_phys_to_virt(page) = 0;
}

bool page_alloc(uint32_t count, uint32_t flags, struct phys *result)
{
	uint64_t zero[BLOCK_WORDS], reserve;
	struct block *block = NULL;
	bool is_fresh = false;
	uint32_t first = 0;

	ASSERT(count >= 1 && count <= BLOCK_PAGES);
	spin_lock(&page_allocator.lock);
	reserve = (flags & PAGE_ALLOC_RESERVE) != 0 ? 0 : page_allocator.reserve_pages;
	if (page_allocator.free_pages >= count + reserve)
		block = block_find(count, &first);
	if (block != NULL) {
		is_fresh = !block->backed;
		block_take(block, first, count, zero);
	}
	spin_unlock(&page_allocator.lock);
	if (page_reclaimer != NULL &&
		READ_ONCE(page_allocator.free_pages) < page_reclaimer->low_pages)
		page_reclaimer->note_low();
	if (block == NULL)
		return false;
	result->raw = block->base + first * PAGE_BYTES;
	if (is_fresh)
		touch_fresh(*result);
	if ((flags & PAGE_ALLOC_ZERO) != 0)
		clear_dirty(block->base, zero, first, first + count);
	return true;
}

void page_alloc_set_reclaimer(const struct page_alloc_reclaimer *reclaimer)
{
	page_reclaimer = reclaimer;
}

bool page_alloc_wait_for_reclaim(void)
{
	return page_reclaimer != NULL && page_reclaimer->wait();
}

static void block_free(struct block *block, uint32_t first, uint32_t count)
{
	ASSERT(bits_find(block->used, first, first + count, false) == first + count);
	if (first > 0 && bit_test(block->used, first - 1))
		bits_set(block->last, first - 1, first);
	bits_clear(block->used, first, first + count);
	bits_clear(block->zero, first, first + count);
	block->free_count = (uint16_t)(block->free_count + count);
	block_relink(block);
}

void page_free(struct phys phys, uint32_t count)
{
	ASSERT((phys.raw & (PAGE_BYTES - 1)) == 0);
	spin_lock(&page_allocator.lock);
	page_allocator.free_pages += count;
	while (count > 0) {
		struct block *block = block_of(phys.raw);
		uint32_t first = (uint32_t)(phys.raw >> PAGE_SHIFT) % BLOCK_PAGES;
		uint32_t here = MIN(count, BLOCK_PAGES - first);

		ASSERT(block != NULL);
		block_free(block, first, here);
		phys.raw += here * PAGE_BYTES;
		count -= here;
	}
	spin_unlock(&page_allocator.lock);
}

uint32_t page_alloc_extent(struct phys phys)
{
	uint32_t first = (uint32_t)(phys.raw >> PAGE_SHIFT) % BLOCK_PAGES, last;
	struct block *block;

	spin_lock(&page_allocator.lock);
	block = block_of(phys.raw);
	ASSERT(block != NULL && bit_test(block->used, first));
	last = bits_find(block->last, first, BLOCK_PAGES, true);
	spin_unlock(&page_allocator.lock);
	ASSERT(last < BLOCK_PAGES);
	return last - first + 1;
}

void page_alloc_counts(struct page_counts *counts)
{
	spin_lock(&page_allocator.lock);
	counts->total_pages = page_allocator.total_pages;
	counts->free_pages = page_allocator.free_pages;
	counts->peak_used_pages = page_allocator.peak_used_pages;
	spin_unlock(&page_allocator.lock);
}

void page_alloc_begin_return(void)
{
	spin_lock(&page_allocator.lock);
	page_allocator.return_round++;
	spin_unlock(&page_allocator.lock);
}

/* The backed free block that was freed longest ago; NULL: none may go. */
static struct block *block_oldest(void)
{
	struct list *link = list_last(&page_allocator.lists[LIST_BACKED]);

	/* While a block is on its way, others find that much less: not when there is little. */
	if (link == NULL || page_allocator.cannot_return ||
		page_allocator.free_pages < RETURN_KEEP_PAGES + BLOCK_PAGES)
		return NULL;
	return LIST_ENTRY(link, struct block, link);
}

bool page_alloc_has_returnable(void)
{
	bool has;

	spin_lock(&page_allocator.lock);
	has = block_oldest() != NULL;
	spin_unlock(&page_allocator.lock);
	return has;
}

/* Takes a block that has been free for a round off its list. */
static struct block *block_take_oldest(void)
{
	struct block *block;

	spin_lock(&page_allocator.lock);
	block = block_oldest();
	if (block != NULL && page_allocator.return_round - block->free_since < 2)
		block = NULL;
	if (block != NULL) {
		list_remove(&block->link);
		block->on_list = LIST_NONE;
		page_allocator.free_pages -= BLOCK_PAGES;
	}
	spin_unlock(&page_allocator.lock);
	return block;
}

uint32_t page_alloc_return_free(uint32_t max_blocks)
{
	uint32_t returned = 0;

	while (returned < max_blocks) {
		struct block *block = block_take_oldest();
		bool given;

		if (block == NULL)
			break;
		given = platform_give_back((struct phys){block->base}, HUGE_PAGE_BYTES);
		spin_lock(&page_allocator.lock);
		if (given) {
			memset(block->zero, 0xff, sizeof(block->zero));
			block->backed = false;
		}
		page_allocator.cannot_return |= !given;
		page_allocator.free_pages += BLOCK_PAGES;
		block_relink(block);
		spin_unlock(&page_allocator.lock);
		if (!given)
			break;
		returned++;
	}
	return returned;
}
