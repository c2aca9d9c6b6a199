/*
 * Sparse pages of memory files. See page_cache.h.
 */
#include "kernel/fs/page_cache.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/sched/sched.h"
#include "lib/string.h"

#define SLOT_BITS  6
#define SLOT_COUNT (1u << SLOT_BITS)

struct node {
	uint64_t slots[SLOT_COUNT]; /* nodes; in the lowest level, pages */
	uint64_t dirty;             /* a bit a slot: dirty pages there, or below */
};

static uint64_t total_pages;

void page_cache_init(struct page_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
}

static bool fits(const struct page_cache *cache, uint64_t index)
{
	return cache->height * SLOT_BITS >= 64 || (index >> (cache->height * SLOT_BITS)) == 0;
}

static uint32_t slot_at(uint64_t index, uint32_t level)
{
	return (uint32_t)(index >> (level * SLOT_BITS)) % SLOT_COUNT;
}

static struct node *child(uint64_t slot)
{
	return (struct node *)(uintptr_t)slot;
}

static uint64_t find_slot(const struct page_cache *cache, uint64_t index)
{
	const struct node *node = cache->root;

	if (cache->height == 0 || !fits(cache, index))
		return 0;
	for (uint32_t level = cache->height - 1; level > 0 && node; level--)
		node = child(node->slots[slot_at(index, level)]);
	return node ? node->slots[slot_at(index, 0)] : 0;
}

uint64_t page_cache_find_locked(const struct page_cache *cache, uint64_t index)
{
	uint64_t slot = find_slot(cache, index);

	return slot == PAGE_SLOT_HOLE ? 0 : slot;
}

static bool grow(struct page_cache *cache)
{
	struct node *node = heap_zalloc(sizeof(*node));

	if (!node)
		return false;
	node->slots[0] = (uintptr_t)cache->root;
	node->dirty = cache->root && ((struct node *)cache->root)->dirty ? 1 : 0;
	cache->root = node;
	cache->height++;
	return true;
}

uint64_t *page_cache_slot_locked(struct page_cache *cache, uint64_t index)
{
	struct node *node;

	while (cache->height == 0 || !fits(cache, index)) {
		if (!grow(cache))
			return NULL;
	}
	node = cache->root;
	for (uint32_t level = cache->height - 1; level > 0; level--) {
		uint64_t *slot = &node->slots[slot_at(index, level)];

		if (!*slot)
			*slot = (uintptr_t)heap_zalloc(sizeof(*node));
		if (!*slot)
			return NULL;
		node = child(*slot);
	}
	return &node->slots[slot_at(index, 0)];
}

/* The first page at or after *index below `node`, which covers `level` levels more. */
static bool next_below(const struct node *node, uint32_t level, uint64_t *index, uint64_t *slot)
{
	for (uint32_t i = slot_at(*index, level); i < SLOT_COUNT; i++) {
		uint64_t span = 1ull << (level * SLOT_BITS);

		if (node->slots[i] && level == 0) {
			*slot = node->slots[i];
			return true;
		}
		if (node->slots[i] && next_below(child(node->slots[i]), level - 1, index, slot))
			return true;
		if (!node->slots[i] || level == 0)
			*index = (*index & ~(span - 1)) + span;
		if (*index == 0)
			return false;
	}
	return false;
}

bool page_cache_next_locked(
	const struct page_cache *cache, uint64_t index, uint64_t *found, uint64_t *slot)
{
	*found = index;
	if (cache->height == 0 || !fits(cache, index))
		return false;
	return next_below(cache->root, cache->height - 1, found, slot);
}

bool page_cache_find_run_locked(
	struct page_cache *cache, uint64_t index, uint32_t *count, uint64_t *slots)
{
	struct node *node = cache->root;
	uint32_t first = slot_at(index, 0);

	*count = MIN(*count, SLOT_COUNT - first);
	if (cache->height == 0 || !fits(cache, index))
		return false;
	for (uint32_t level = cache->height - 1; level > 0 && node; level--)
		node = child(node->slots[slot_at(index, level)]);
	if (!node)
		return false;
	for (uint32_t i = 0; i < *count; i++) {
		uint64_t slot = node->slots[first + i];

		if (slot && !(slot & PAGE_SLOT_USED))
			node->slots[first + i] = slot |= PAGE_SLOT_USED;
		slots[i] = slot;
	}
	return true;
}

/* ---- dirty pages ------------------------------------------------------------- */

void page_cache_set_dirty_locked(struct page_cache *cache, uint64_t index)
{
	struct node *node = cache->root;

	for (uint32_t level = cache->height - 1;; level--) {
		uint32_t at = slot_at(index, level);

		node->dirty |= 1ull << at;
		if (level == 0) {
			node->slots[at] |= PAGE_SLOT_DIRTY;
			return;
		}
		node = child(node->slots[at]);
	}
}

void page_cache_clear_dirty_locked(struct page_cache *cache, uint64_t index)
{
	struct node *path[64 / SLOT_BITS + 1], *node = cache->root;

	for (uint32_t level = cache->height - 1; level > 0; level--) {
		path[level] = node;
		node = child(node->slots[slot_at(index, level)]);
	}
	node->slots[slot_at(index, 0)] &= ~PAGE_SLOT_DIRTY;
	node->dirty &= ~(1ull << slot_at(index, 0));
	for (uint32_t level = 1; level < cache->height && node->dirty == 0; level++) {
		node = path[level];
		node->dirty &= ~(1ull << slot_at(index, level));
	}
}

static bool next_dirty_below(
	const struct node *node, uint32_t level, uint64_t *index, uint64_t *slot)
{
	uint64_t span = 1ull << (level * SLOT_BITS);
	uint64_t left = node->dirty & (UINT64_MAX << slot_at(*index, level));

	for (; left != 0; left &= left - 1) {
		uint32_t at = (uint32_t)__builtin_ctzll(left);

		if (at != slot_at(*index, level)) /* from the start of that slot on */
			*index = (*index & ~(span * SLOT_COUNT - 1)) + at * span;
		if (level == 0) {
			*slot = node->slots[at];
			return true;
		}
		if (next_dirty_below(child(node->slots[at]), level - 1, index, slot))
			return true;
	}
	return false;
}

bool page_cache_next_dirty_locked(
	const struct page_cache *cache, uint64_t index, uint64_t *found, uint64_t *slot)
{
	*found = index;
	if (cache->height == 0 || !fits(cache, index))
		return false;
	return next_dirty_below(cache->root, cache->height - 1, found, slot);
}

/* ---- copying without a lock --------------------------------------------------- */

uint32_t page_cache_enter(struct page_cache *cache)
{
	uint32_t ticket = READ_ONCE(cache->epoch) & 1;

	__atomic_fetch_add(&cache->copiers[ticket], 1, __ATOMIC_SEQ_CST);
	return ticket;
}

void page_cache_leave(struct page_cache *cache, uint32_t ticket)
{
	__atomic_fetch_sub(&cache->copiers[ticket], 1, __ATOMIC_RELEASE);
}

/* Until everybody who was copying when it was called has left. Two turns, because a
 * copier may have read the epoch before the last turn and counted itself after it. */
static void wait_for_copiers(struct page_cache *cache)
{
	for (int turn = 0; turn < 2; turn++) {
		uint32_t old = __atomic_fetch_add(&cache->epoch, 1, __ATOMIC_SEQ_CST) & 1;

		while (__atomic_load_n(&cache->copiers[old], __ATOMIC_ACQUIRE) != 0)
			sched_yield();
	}
}

void page_cache_begin_grace(struct page_cache *cache, struct page_cache_grace *grace)
{
	grace->old = __atomic_fetch_add(&cache->epoch, 1, __ATOMIC_SEQ_CST) & 1;
	grace->turns_left = 2;
}

bool page_cache_grace_is_over(struct page_cache *cache, struct page_cache_grace *grace)
{
	while (grace->turns_left > 0) {
		if (__atomic_load_n(&cache->copiers[grace->old], __ATOMIC_ACQUIRE) != 0)
			return false;
		if (--grace->turns_left > 0)
			grace->old = __atomic_fetch_add(&cache->epoch, 1, __ATOMIC_SEQ_CST) & 1;
	}
	return true;
}

const uint8_t *page_cache_base(const struct page_cache *cache, uint64_t index)
{
	if (index << PAGE_SHIFT >= cache->base_bytes)
		return NULL;
	return cache->find_base ? cache->find_base(cache, index)
				: cache->base + (index << PAGE_SHIFT);
}

const void *page_cache_read(struct page_cache *cache, uint64_t index, size_t *bytes)
{
	uint64_t start = index << PAGE_SHIFT, slot;

	*bytes = PAGE_BYTES;
	spin_lock(&cache->lock);
	slot = find_slot(cache, index);
	if (!slot && start < cache->base_bytes) {
		const uint8_t *data = page_cache_base(cache, index);

		*bytes = MIN(PAGE_BYTES, cache->base_bytes - start);
		spin_unlock(&cache->lock);
		return data;
	}
	spin_unlock(&cache->lock);
	if (!slot || slot == PAGE_SLOT_HOLE)
		return NULL;
	return platform_phys_to_virt((struct phys){slot & ~(PAGE_BYTES - 1)});
}

uint32_t page_cache_take(struct page_cache *cache, uint64_t first, uint64_t last,
	struct phys pages[PAGE_CACHE_BATCH], uint64_t *next)
{
	uint64_t index = first, slot;
	uint32_t count = 0;

	spin_lock(&cache->lock);
	while (count < PAGE_CACHE_BATCH && page_cache_next_locked(cache, index, &index, &slot) &&
		index <= last) {
		if (slot & PAGE_SLOT_DIRTY)
			page_cache_clear_dirty_locked(cache, index);
		*page_cache_slot_locked(cache, index) = 0;
		if (slot != PAGE_SLOT_HOLE)
			pages[count++] = (struct phys){slot & ~(PAGE_BYTES - 1)};
		index++;
	}
	cache->page_count -= count;
	spin_unlock(&cache->lock);
	*next = index;
	return count;
}

void page_cache_free(struct page_cache *cache, const struct phys *pages, uint32_t count)
{
	wait_for_copiers(cache);
	for (uint32_t i = 0; i < count; i++)
		page_free(pages[i], 1);
	__atomic_fetch_sub(&total_pages, count, __ATOMIC_RELAXED);
}

static void destroy_below(struct node *node, uint32_t level)
{
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		if (!node->slots[i] || (level == 0 && node->slots[i] == PAGE_SLOT_HOLE))
			continue;
		if (level == 0) {
			page_free((struct phys){node->slots[i] & ~(PAGE_BYTES - 1)}, 1);
			__atomic_fetch_sub(&total_pages, 1, __ATOMIC_RELAXED);
		} else {
			destroy_below(child(node->slots[i]), level - 1);
		}
	}
	heap_free(node);
}

void page_cache_destroy(struct page_cache *cache)
{
	if (cache->height > 0)
		destroy_below(cache->root, cache->height - 1);
	cache->root = NULL;
	cache->height = 0;
	cache->page_count = 0;
}

#define RECLAIM_TRIES 20 /* of a file in memory, while files on storage have cached pages */

/* Files leave a sixteenth of memory to the program and the kernel. */
static bool may_take(void)
{
	struct page_counts counts;

	for (int tries = 0; tries < RECLAIM_TRIES; tries++) {
		page_alloc_counts(&counts);
		if (counts.free_pages > counts.total_pages / 16)
			return true;
		if (!page_alloc_wait_for_reclaim())
			return false;
	}
	return false;
}

bool page_cache_new_page(uint32_t flags, struct phys *page)
{
	if (!may_take() || !page_alloc(1, flags, page))
		return false;
	__atomic_fetch_add(&total_pages, 1, __ATOMIC_RELAXED);
	return true;
}

void page_cache_discard_page(struct phys page)
{
	page_free(page, 1);
	__atomic_fetch_sub(&total_pages, 1, __ATOMIC_RELAXED);
}

uint64_t page_cache_total_pages(void)
{
	return READ_ONCE(total_pages);
}
