/*
 * The pages of one file: a radix tree of 64 slots a node, sparse.
 *
 * A file may have a base: bytes that lie in boot memory (an image or archive of files)
 * and stand in for pages that were never written. Readers copy without a lock: they announce
 * themselves with page_cache_enter(), and a page that leaves the tree is freed only
 * when everybody who might be copying has left. `lock` (rank 50) guards the tree.
 */
#ifndef KERNEL_FS_PAGE_CACHE_H
#define KERNEL_FS_PAGE_CACHE_H

#include "lib/compiler.h"
#include "kernel/lock.h"
#include "kernel/platform.h"

/* A slot: physical address of a page and these bits. 0: no page. */
#define PAGE_SLOT_PRESENT   1ull
#define PAGE_SLOT_UNWRITTEN 2ull /* reserved by fallocate: zeroes, and a hole for lseek */

/* Of files on storage (cached_pages.h). */
#define PAGE_SLOT_DIRTY    4ull  /* to be written; found by page_cache_next_dirty_locked */
#define PAGE_SLOT_WRITING  8ull  /* on its way to storage */
#define PAGE_SLOT_READING  16ull /* not filled yet: neither copied from nor mapped */
#define PAGE_SLOT_USED     32ull /* since reclaim last came by */
#define PAGE_SLOT_RESERVED 64ull /* space for it was set aside */
/* No page: a hole where the base would show. Alone in its slot. */
#define PAGE_SLOT_HOLE 2048ull

#define PAGE_CACHE_BATCH 64

struct page_cache {
	struct spinlock lock;
	uint32_t height; /* levels; 0: empty */
	void *root;
	uint64_t page_count;
	const uint8_t *base;
	uint64_t base_bytes;
	uint64_t hidden_count; /* pages of the base in whose place there is a page or hole */
	/* Where the base does not lie in one piece: its page `index`, or NULL for a hole. What
	 * `base` means is then up to this function. */
	const uint8_t *(*find_base)(const struct page_cache *cache, uint64_t index);
	uint32_t epoch;
	uint32_t copiers[2];
};

void page_cache_init(struct page_cache *cache);
/* Frees everything. Nobody maps or copies. */
void page_cache_destroy(struct page_cache *cache);

/* With the lock held. */
/* 0: no page; never PAGE_SLOT_HOLE, which page_cache_slot_locked() shows. */
uint64_t page_cache_find_locked(const struct page_cache *cache, uint64_t index);
/* NULL: no memory. Makes the nodes on the way. */
uint64_t *page_cache_slot_locked(struct page_cache *cache, uint64_t index);
/* The first slot with something at or after index; false if none. */
bool page_cache_next_locked(
	const struct page_cache *cache, uint64_t index, uint64_t *found, uint64_t *slot);

/* Copies the slots [index, +*count) as far as one node of the tree holds them, and shortens
 * *count to that; notes those there as used. False: there are none at all. */
bool page_cache_find_run_locked(
	struct page_cache *cache, uint64_t index, uint32_t *count, uint64_t *slots);
/* Sets and clears PAGE_SLOT_DIRTY of a page that is there. */
void page_cache_set_dirty_locked(struct page_cache *cache, uint64_t index);
void page_cache_clear_dirty_locked(struct page_cache *cache, uint64_t index);
/* The first dirty page at or after index; false if none. */
bool page_cache_next_dirty_locked(
	const struct page_cache *cache, uint64_t index, uint64_t *found, uint64_t *slot);

/* The bytes at `index` for reading: the page, the base, or NULL for zeroes; *bytes is
 * how many are there (the rest of the page is zeroes). Valid until page_cache_leave. */
const void *page_cache_read(struct page_cache *cache, uint64_t index, size_t *bytes);
/* What the base has there, or NULL. */
const uint8_t *page_cache_base(const struct page_cache *cache, uint64_t index);
uint32_t page_cache_enter(struct page_cache *cache);
void page_cache_leave(struct page_cache *cache, uint32_t ticket);

/* Takes up to PAGE_CACHE_BATCH pages of [first, last] out of the tree; *next is where
 * to go on. The caller unmaps them, then calls page_cache_free(). */
uint32_t page_cache_take(struct page_cache *cache, uint64_t first, uint64_t last,
	struct phys pages[PAGE_CACHE_BATCH], uint64_t *next);
void page_cache_free(struct page_cache *cache, const struct phys *pages, uint32_t count);
/* For who must not wait: have all left who might copy what was taken before `ticket` was
 * begun? page_cache_begin_grace() starts with *grace; ask again later if not. */
struct page_cache_grace {
	uint32_t old, turns_left;
};
void page_cache_begin_grace(struct page_cache *cache, struct page_cache_grace *grace);
bool page_cache_grace_is_over(struct page_cache *cache, struct page_cache_grace *grace);

/* A page for a file, if the machine can spare one. May sleep. */
MUST_CHECK bool page_cache_new_page(uint32_t flags, struct phys *page);
/* Gives back a page that never was in a tree. */
void page_cache_discard_page(struct phys page);
uint64_t page_cache_total_pages(void); /* of all files, for meminfo */

#endif
