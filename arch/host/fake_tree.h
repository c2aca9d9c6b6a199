/*
 * An empty tree of files for host unit tests: `/`, and nothing else.
 */
#ifndef ARCH_HOST_FAKE_TREE_H
#define ARCH_HOST_FAKE_TREE_H

#include "lib/compiler.h"

void fake_tree_start(uint64_t memory_bytes);
/* Drops everything; aborts if a page or a block of the heap is still in use. */
void fake_tree_finish(void);

#endif
