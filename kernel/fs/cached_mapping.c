/*
 * Mappings of files on storage: their pages are those of the cache.
 *
 * A page that may be written through a mapping is dirty. Write-back first takes the right to
 * write away (vm_protect_source), so that the next write comes here and makes it dirty again.
 */
#include "kernel/fs/cached_pages.h"
#include "kernel/fs/write_back.h"

#define AROUND_PAGES 16
#define MOST_WINDOW  256

static struct storage_node *of(struct page_source *source)
{
	return CONTAINER_OF(source, struct storage_node, source);
}

static bool find_ready(struct storage_node *node, uint64_t index, struct phys *phys)
{
	uint64_t slot[1];
	uint32_t count = 1;
	bool ready;

	spin_lock(&node->cache.lock);
	ready = page_cache_find_run_locked(&node->cache, index, &count, slot) &&
		slot_is_ready(slot[0]);
	spin_unlock(&node->cache.lock);
	if (ready)
		*phys = page_of_slot(slot[0]);
	return ready;
}

static bool peek_page(struct page_source *source, uint64_t offset, struct phys *phys)
{
	struct storage_node *node = of(source);
	uint64_t index = offset >> PAGE_SHIFT;

	return index < storage_size_pages(node) && find_ready(node, index, phys);
}

/* The page and its neighbours; for who runs through the file, more and more ahead. */
static int fill_around(struct storage_node *node, uint64_t index)
{
	uint64_t start = ALIGN_DOWN(index, (uint64_t)AROUND_PAGES);
	bool sequential = start == node->fault_expected;

	node->fault_window =
		sequential ? MIN(MAX(node->fault_window, AROUND_PAGES) * 2, MOST_WINDOW) : 0;
	node->fault_expected = start + AROUND_PAGES + node->fault_window;
	storage_read_ahead(node, start, AROUND_PAGES + node->fault_window);
	return storage_fill(node, index, 1, 0);
}

static int get_page(
	struct page_source *source, uint64_t offset, bool write, struct phys *phys, bool *read_only)
{
	struct storage_node *node = of(source);
	uint64_t index = offset >> PAGE_SHIFT;

	*read_only = !write; /* a write must come here first, to make the page dirty */
	if (write)
		node->was_mapped = true;
	while (index < storage_size_pages(node)) {
		int error = 0;

		if (!find_ready(node, index, phys))
			error = fill_around(node, index);
		if (!error && write)
			error = storage_dirty_page(node, index);
		if (error && error != -LINUX_EAGAIN)
			return error;
		if (!error && find_ready(node, index, phys))
			return 0;
	}
	return -LINUX_EFAULT;
}

static void mark_dirty(struct page_source *source, uint64_t offset)
{
	(void)offset;
	vnode_touch_contents(&of(source)->vnode);
	write_back_queue(of(source));
}

static int sync(struct page_source *source, uint64_t offset, uint64_t bytes)
{
	(void)offset;
	(void)bytes;
	return storage_sync_node(of(source), true);
}

static void acquire(struct page_source *source)
{
	vnode_acquire(&of(source)->vnode);
}

static void release(struct page_source *source)
{
	vnode_release(&of(source)->vnode);
}

static void describe(struct page_source *source, char *buffer, size_t capacity, uint64_t *inode)
{
	*inode = of(source)->vnode.inode;
	tree_describe_vnode(&of(source)->vnode, buffer, capacity);
}

const struct page_source_ops storage_page_source_ops = {
	.get_page = get_page,
	.peek_page = peek_page,
	.mark_dirty = mark_dirty,
	.sync = sync,
	.acquire = acquire,
	.release = release,
	.describe = describe,
};
