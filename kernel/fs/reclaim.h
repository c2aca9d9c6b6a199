/*
 * Giving back pages and names cached for files on storage when memory runs low.
 *
 * A thread does it, in the manner of a clock: files in turn, pages that were used since the
 * last round stay for another. It never waits for who copies from a page, since that may be
 * waiting for memory. reclaim.lock (rank 52) guards the list of files that have pages.
 */
#ifndef KERNEL_FS_RECLAIM_H
#define KERNEL_FS_RECLAIM_H

#include "kernel/fs/storage_node.h"

int reclaim_start(void);
/* The file has cached pages; and it goes. */
void reclaim_note_pages(struct storage_node *node);
void reclaim_forget(struct storage_node *node);

/* May a cache take that many pages now? Sleeps for pages to be reclaimed if memory is low. */
bool reclaim_may_take(uint32_t pages);

/* Frees at least `wanted` pages of what is cached, if it can; how many. For the thread, and
 * tests. */
uint64_t reclaim_pages(uint64_t wanted);

#endif
