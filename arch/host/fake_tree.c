/* See fake_tree.h. */
#include "arch/host/fake_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "arch/host/fake_memory.h"
#include "arch/host/fake_threads.h"
#include "kernel/fs/image_tree.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/page_alloc.h"

void fake_tree_start(uint64_t memory_bytes)
{
	struct vnode *root;

	fake_threads_reset();
	fake_memory_start(0x200000, memory_bytes, true);
	fd_table_clear();
	if (memfs_init() != 0)
		abort();
	root = memfs_new_directory(&memfs_root, 0755);
	if (!root || tree_init(root) != 0)
		abort();
	vnode_release(root);
}

void fake_tree_finish(void)
{
	struct page_counts counts;

	fd_close_range(0, UINT32_MAX, false);
	tree_teardown();
	image_tree_teardown();
	memfs_teardown();
	fd_table_clear();
	file_pool_trim();
	if (memfs_root.used_pages || memfs_root.used_nodes) {
		fprintf(stderr, "%llu pages and %llu nodes are still counted\n",
			(unsigned long long)memfs_root.used_pages,
			(unsigned long long)memfs_root.used_nodes);
		abort();
	}
	page_alloc_counts(&counts);
	if (counts.free_pages == counts.total_pages && heap_live_count() == 0)
		return;
	fprintf(stderr, "%llu pages and %zu blocks are left over\n",
		(unsigned long long)(counts.total_pages - counts.free_pages), heap_live_count());
	abort();
}
