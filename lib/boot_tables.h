/*
 * Builds the page tables that the kernel starts with.
 *
 * Used by our monitor (the tables lie in memory of the host process) and by the
 * nucleus under a PVH loader (they lie in its own physical memory); `page_at`
 * hides the difference. Tables come from a pool [next, end) of physical pages.
 * Accessed and dirty bits are set everywhere: nothing reads them before the
 * kernel's own mappings exist, and a KVM that shadows page tables is saved from
 * setting them one fault at a time.
 *
 * All functions return false when the pool is used up or an address is not
 * aligned; the tables are then unusable.
 */
#ifndef LIB_BOOT_TABLES_H
#define LIB_BOOT_TABLES_H

#include "lib/compiler.h"

#define BOOT_TABLES_PAGE_BYTES  4096ull
#define BOOT_TABLES_LARGE_BYTES 0x200000ull

enum boot_tables_rights {
	BOOT_TABLES_WRITE = 1u << 0,
	BOOT_TABLES_EXECUTE = 1u << 1,
	BOOT_TABLES_USER = 1u << 2,     /* reachable from ring 3 */
	BOOT_TABLES_UNCACHED = 1u << 3, /* device registers */
};

struct boot_tables {
	/* Memory of the physical page at `phys`, which is inside the pool. */
	void *(*page_at)(void *context, uint64_t phys);
	void *context;
	uint64_t next, end; /* physical, page-aligned: pages not used yet */
	uint64_t root;      /* physical: for CR3 */
	bool pool_is_zero;  /* pool pages read as zeroes: do not clear them */
};

/* The caller has set all fields but `root`; takes the first page for the root. */
bool boot_tables_init(struct boot_tables *tables);

/*
 * Maps [virt, +bytes) to [phys, +bytes), all page-aligned, replacing nothing but
 * equal-sized leaves. With `large`, parts where both addresses are 2 MiB-aligned
 * and 2 MiB long use large pages; the rest uses 4 KiB pages.
 */
bool boot_tables_map(struct boot_tables *tables, uint64_t virt, uint64_t phys, uint64_t bytes,
	unsigned rights, bool large);

/*
 * Maps one segment of the kernel image for ring 3, but for those pages that lie in
 * [nucleus_start, nucleus_end): they are left to ring 0.
 */
bool boot_tables_map_kernel(struct boot_tables *tables, uint64_t virt, uint64_t phys,
	uint64_t bytes, unsigned rights, uint64_t nucleus_start, uint64_t nucleus_end);

/* Upper bound of the table pages that boot_tables_map() needs for one range. */
uint64_t boot_tables_pages_needed(uint64_t virt, uint64_t bytes, bool large);

#endif
