/*
 * Where the pages of a file mapping come from.
 *
 * Implemented by memory files, and later by file systems. The address space holds
 * a reference on the source for each area. Pages handed out stay valid until the
 * source has called vm_unmap_source() for them.
 */
#ifndef KERNEL_MM_PAGE_SOURCE_H
#define KERNEL_MM_PAGE_SOURCE_H

#include "lib/compiler.h"
#include "kernel/platform.h"
#include "lib/list.h"

struct page_source;

struct page_source_ops {
	/* The page at `offset` (page-aligned), allocated if it is a hole and `write`.
	 * For reads of a hole it may hand out a shared zero page with *read_only set.
	 * *read_only also tells that writes must come back here first. May sleep.
	 * -EFAULT beyond the end (SIGBUS), -ENOMEM, -EIO. */
	int (*get_page)(struct page_source *source, uint64_t offset, bool write, struct phys *phys,
		bool *read_only);
	/* The page at `offset` for reading, if it is at hand; never sleeps, reads nothing. May
	 * be NULL: get_page is asked for pages around a fault too. */
	bool (*peek_page)(struct page_source *source, uint64_t offset, struct phys *phys);
	/* The page at `offset` was written through a mapping. */
	void (*mark_dirty)(struct page_source *source, uint64_t offset);
	/* msync(MS_SYNC). May sleep. */
	int (*sync)(struct page_source *source, uint64_t offset, uint64_t bytes);
	void (*acquire)(struct page_source *source); /* never sleeps: called under vm.lock */
	void (*release)(struct page_source *source); /* may free it; may sleep */
	/* Path for /proc/self/maps, written into buffer. */
	void (*describe)(
		struct page_source *source, char *buffer, size_t capacity, uint64_t *inode);
};

struct page_source {
	const struct page_source_ops *ops;
	struct list areas; /* guarded by vm.lock: the areas that map it */
};

#endif
