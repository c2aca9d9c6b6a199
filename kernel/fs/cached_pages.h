/*
 * The pages of files on storage: filling, dirtying, writing and dropping them.
 *
 * A page is in the tree of its file (page_cache.h) as long as it is cached. Its slot tells its
 * state; cache.lock guards it. While READING nobody else touches the page; while WRITING it may
 * be changed, which makes it DIRTY again. Pages that are DIRTY, READING or WRITING stay in the
 * tree. Pages beyond the end of the file come only by write(2), which is about to move the end.
 *
 * The end moves with vnode->lock held: down before pages go, up after they came. Whoever puts a
 * page into the tree without that lock (reads, faults) checks the end under cache.lock.
 */
#ifndef KERNEL_FS_CACHED_PAGES_H
#define KERNEL_FS_CACHED_PAGES_H

#include "kernel/fs/storage_node.h"

#define LAST_PAGE (UINT64_MAX >> PAGE_SHIFT)

struct storage_page_counts {
	uint64_t cached, dirty, writing;
};
extern struct storage_page_counts storage_page_counts; /* atomics; of all files */

static inline struct phys page_of_slot(uint64_t slot)
{
	return (struct phys){slot & ~(PAGE_BYTES - 1)};
}

static inline uint8_t *page_data_of_slot(uint64_t slot)
{
	return platform_phys_to_virt(page_of_slot(slot));
}

static inline bool slot_is_ready(uint64_t slot)
{
	return slot && !(slot & PAGE_SLOT_READING);
}

/* Pages up to the end of the file. */
static inline uint64_t storage_size_pages(const struct storage_node *node)
{
	uint64_t size = READ_ONCE(node->vnode.size);

	return (size >> PAGE_SHIFT) + (size % PAGE_BYTES != 0);
}

/* Runs of pages for a file, adjacent where possible; how many there were to be had, which is
 * what reclaim could spare. May sleep. */
uint32_t storage_alloc_pages(uint32_t count, struct phys *pages);

/* Makes the page ready, reading `count` with it, and begins to read `ahead` more after those.
 * It may be gone again when this returns. -EFAULT: beyond the end. */
int storage_fill(struct storage_node *node, uint64_t index, uint32_t count, uint32_t ahead);
/* Begins to read what of [index, +count) is missing. */
void storage_read_ahead(struct storage_node *node, uint64_t index, uint32_t count);

/* Puts pages that are ready in place, dirty; `reserved`: bits of those with space set aside.
 * How many: up to the first that is there already. */
uint32_t storage_insert_dirty(struct storage_node *node, uint64_t index, const struct phys *pages,
	uint32_t count, uint64_t reserved);
/* Makes a page that is ready dirty, with space set aside. -EAGAIN: it is not ready (any more);
 * -ENOSPC, -EIO... */
int storage_dirty_page(struct storage_node *node, uint64_t index);

/* The same where space was set aside before: after a copy to the page that was ready then.
 * -EAGAIN: it is gone. */
int storage_redirty_page(struct storage_node *node, uint64_t index, uint64_t page);
/* Zeroes [from, to) of a page if it is cached; that alone does not make it dirty. */
void storage_zero_cached(struct storage_node *node, uint64_t index, uint64_t from, uint64_t to);

/* Gives dirty pages of [first, last] to storage; with `wait`, until they are there. The error
 * is of pages waited for. */
int storage_write_pages(struct storage_node *node, uint64_t first, uint64_t last, bool wait);

/* Takes pages of [first, last] out of the cache and of mappings. `all`: dirty ones too, waiting
 * for transfers (nobody puts new ones there); else only those that are clean. */
void storage_drop_pages(struct storage_node *node, uint64_t first, uint64_t last, bool all);
/* For reclaim: takes up to `count` clean pages not lately used, from *next on; without waiting
 * for who copies from them. The caller unmaps and, after a grace period, frees them. */
uint32_t storage_take_unused(
	struct storage_node *node, uint64_t *next, struct phys *pages, uint32_t count);
/* Pages that left a tree to the allocator. */
void storage_free_pages(const struct phys *pages, uint32_t count);

/* A transfer of pages that are in no cache, for O_DIRECT: sleeps until it is done. */
int storage_transfer(struct storage_node *node, bool write, uint64_t index, uint64_t bytes,
	struct phys *pages, uint32_t count);

#endif
