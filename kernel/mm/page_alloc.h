/*
 * Guest-physical pages.
 *
 * Memory is managed as 2 MiB blocks; a block is whole (one huge page, or free)
 * or split into 4 KiB pages tracked by bitmaps. Pages never written since boot,
 * or given back to the host, are known to be zero and are not cleared again.
 * Metadata is a few bytes per page and is itself touched lazily. Small
 * allocations fill split blocks first, so that few host pages are backed.
 * Never sleeps. Any context. Lock: page_alloc.lock, the highest rank.
 */
#ifndef KERNEL_MM_PAGE_ALLOC_H
#define KERNEL_MM_PAGE_ALLOC_H

#include "lib/compiler.h"
#include "kernel/platform.h"

enum page_alloc_flags {
	PAGE_ALLOC_ZERO = 1u << 0,    /* contents are zero */
	PAGE_ALLOC_RESERVE = 1u << 1, /* may use the reserve kept for the kernel itself */
};

/* Adds the RAM regions of boot_info. Once, first thing at boot. */
void page_alloc_init(const struct boot_info *info);

/* `count` contiguous pages, 1 to 512; 512 is a 2 MiB-aligned huge page. False: none. */
MUST_CHECK bool page_alloc(uint32_t count, uint32_t flags, struct phys *result);
/* Any part of an allocation may be freed on its own. */
void page_free(struct phys phys, uint32_t count);

/* Pages from `phys`, which is in use, to the end of the allocation it belongs to. */
uint32_t page_alloc_extent(struct phys phys);

struct page_counts {
	uint64_t total_pages;
	uint64_t free_pages;
	uint64_t peak_used_pages;
};

void page_alloc_counts(struct page_counts *counts);

/*
 * Who keeps pages that it can spare (caches of files). `note_low` is called, in any context,
 * when fewer than low_pages are free; `wait` sleeps for pages to come, and says whether it is
 * worth trying again. Set once, when there is something to spare.
 */
struct page_alloc_reclaimer {
	uint64_t low_pages;
	void (*note_low)(void);
	bool (*wait)(void);
};
void page_alloc_set_reclaimer(const struct page_alloc_reclaimer *reclaimer);
bool page_alloc_wait_for_reclaim(void);

/*
 * Giving free huge pages that were written back to the host (platform_give_back), when idle,
 * in rounds: only what has been free since the last round began goes, so that memory in
 * steady use stays; and some always stays, as taking it back costs its user time.
 */
void page_alloc_begin_return(void);
/* Gives at most `max_blocks`; returns how many. */
uint32_t page_alloc_return_free(uint32_t max_blocks);
/* Is there anything left for this round or the next? */
bool page_alloc_has_returnable(void);

#endif
