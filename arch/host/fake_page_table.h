/*
 * Page tables of the program's address space for host unit tests.
 *
 * Implements platform_map() and its kin of kernel/platform.h over a table of the
 * same shape as the processor's, and remembers which translations a vcpu may still
 * hold: fake_page_table_may_be_stale() tells whether a page was unmapped or had rights
 * taken away without a flush since.
 */
#ifndef ARCH_HOST_FAKE_PAGE_TABLE_H
#define ARCH_HOST_FAKE_PAGE_TABLE_H

#include "kernel/platform.h"

/* Empties the table. */
void fake_page_table_reset(void);
bool fake_page_table_may_be_stale(struct phys phys, uint64_t pages);
/* Nothing changed since the last flush but by adding entries and rights. */
bool fake_page_table_is_flushed(void);
uint64_t fake_page_table_mapped_pages(void);
/* Fails one in `period` allocations of a table (0: never). */
void fake_page_table_inject_failures(uint32_t period);

extern uint64_t fake_page_table_flush_count;

#endif
