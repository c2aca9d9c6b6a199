/*
 * What the files of the address space (kernel/mm/vm_*.c) share: the areas, the
 * lock, and operations on ranges of page-table entries.
 *
 * An area is a range [start, end) of equal properties. Areas that touch and agree
 * are merged. A huge page-table entry may reach across areas only as long as they
 * have the same protection: pages_split_edges() makes room for every change.
 * Unless said otherwise, everything here is called with vm.lock held.
 */
#ifndef KERNEL_MM_VM_AREA_H
#define KERNEL_MM_VM_AREA_H

#include "kernel/lock.h"
#include "kernel/mm/uaccess.h"
#include "kernel/mm/vm.h"
#include "lib/list.h"
#include "lib/tree.h"

#define AREA_LIMIT    65530 /* vm.max_map_count of Linux */
#define VM_KEPT_FLAGS (VM_SHARED | VM_STACK | VM_NO_HUGE | VM_HUGE | VM_NO_RESERVE | VM_NEVER_WRITE)

struct area {
	struct tree_node node;
	uintptr_t start, end;
	/* Of the subtree: its extent and the largest hole inside. */
	uintptr_t subtree_start, subtree_end;
	uint64_t subtree_gap;
	struct page_source *source; /* with a reference; NULL: anonymous */
	uint64_t offset;            /* in source, of start */
	const char *name;
	struct list source_link; /* in source->areas; of a dead area: in vm.dead */
	int protection;
	uint32_t flags; /* VM_KEPT_FLAGS only */
};

/* A fault that is filling a huge page with the lock dropped. */
struct huge_fill {
	struct list link;
	uintptr_t block;
};

struct page_run {
	struct phys phys;
	uint64_t pages;
};

#define GATHER_RUNS 256

struct vm {
	struct spinlock lock; /* rank 20; guards all below and the page tables */
	struct tree areas;
	uint32_t area_count;
	uint64_t mapped_pages, resident_pages, peak_resident_pages, minor_faults;
	uintptr_t top; /* search for free space downwards from here */
	uintptr_t break_start, break_now;
	uint64_t source_sequence; /* counts vm_unmap_source() */
	struct list fills;        /* struct huge_fill */
	struct list dead;         /* removed areas, released when the lock is dropped */

	/* Pages unmapped but not flushed yet. */
	struct page_run gathered[GATHER_RUNS];
	uint32_t gathered_count;
	uintptr_t flush_start, flush_end;
};

extern struct vm vm;

void vm_lock(void);
/* Also releases what died while the lock was held; so may sleep if areas did. */
void vm_unlock(void);

/* ---- areas (vm_area.c) --------------------------------------------------- */

/* The first area that ends above `address`, or NULL. */
struct area *area_find(uintptr_t address);
/* The area that contains `address`, or NULL. */
struct area *area_containing(uintptr_t address);
struct area *area_next(const struct area *area);
struct area *area_previous(const struct area *area);
bool area_range_is_free(uintptr_t start, uintptr_t end);
/* No hole in [start, end). */
bool area_range_is_mapped(uintptr_t start, uintptr_t end);

/* Adds an area to a free range; `like` gives all properties but the range. NULL: no
 * memory, or too many areas. */
struct area *area_insert(uintptr_t start, uintptr_t end, const struct area *like);
/* Same, and merges it with its neighbours. -ENOMEM. */
int area_add(uintptr_t start, uintptr_t end, const struct area *like);
/* Splits areas so that none crosses start or end. -ENOMEM; harmless when half done. */
int area_isolate(uintptr_t start, uintptr_t end);
/* Merges with neighbours that agree; returns the area that now holds it all. */
struct area *area_merge(struct area *area);
/* Removes the area; it is freed when the lock is dropped. */
void area_kill(struct area *area);
uint64_t area_offset_of(const struct area *area, uintptr_t address);
/* Highest aligned address of a hole of that size within [low, high); 0: none. */
uintptr_t area_find_gap(uintptr_t low, uintptr_t high, uint64_t bytes, uint64_t align);

/* ---- ranges of pages (vm_pages.c) ---------------------------------------- */

enum pages_kind {
	PAGES_ALL,
	PAGES_OF_SOURCE, /* not private copies */
};

/* Splits huge entries that cross start or end. -ENOMEM. */
int pages_split_edges(uintptr_t start, uintptr_t end);
/* Unmaps what is mapped; owned pages are freed, after the flush, by pages_finish().
 * No owned huge entry may cross the ends. Returns whether there was anything. */
bool pages_drop(uintptr_t start, uintptr_t end, enum pages_kind kind);
/* Notes that [start, end) needs a flush. */
void pages_note_change(uintptr_t start, uintptr_t end);
/* Flushes what was changed since the last time and frees what was dropped. */
void pages_finish(void);
/* Frees table pages around a range that has just become free. */
void pages_trim(uintptr_t start, uintptr_t end);
/* Counts pages as resident (or not, when negative). */
void pages_account(int64_t pages);
/* What a page of the area may be mapped with now. `was` is its present protection. */
int pages_rights(const struct area *area, bool owned, int was);

/* Unmaps [start, end), areas and pages. -ENOMEM: nothing was unmapped. */
int range_unmap(uintptr_t start, uintptr_t end);
/* The overcommit check for making `bytes` writable. */
bool range_may_commit(
	uint64_t bytes, int protection, uint32_t flags, const struct page_source *source);

/* Faults [start, end) in, as far as the areas allow; without the lock. The result is
 * of the first page that could not be had. */
enum vm_fault_result range_populate(uintptr_t start, uintptr_t end, bool write);

#endif
