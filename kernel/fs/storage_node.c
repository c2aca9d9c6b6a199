/*
 * Nodes of file systems on storage, by number: one a file, however many names it has.
 *
 * A node whose last reference goes is clean or without names (what is dirty is kept by the
 * queue of write-back), so a lookup that comes while it is being freed may read the inode
 * again: a dying node is passed over, never waited for.
 */
#include "kernel/fs/storage_node.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/reclaim.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define FIRST_BUCKETS 256u
#define MOST_BUCKETS  (1u << 18)

/* Rank 9. */
static struct {
	struct spinlock lock;
	struct storage_node **buckets;
	uint32_t bucket_count, node_count;
} nodes;

static struct storage_node **bucket_of(const struct file_system *fs, uint64_t inode)
{
	uint64_t mixed = (inode + ((uintptr_t)fs >> 4)) * 0x9e3779b97f4a7c15ull;

	return &nodes.buckets[(mixed >> 32) & (nodes.bucket_count - 1)];
}

static void grow_locked(void)
{
	uint32_t old_count = nodes.bucket_count, count = old_count ? old_count * 2 : FIRST_BUCKETS;
	struct storage_node **old = nodes.buckets, **fresh;

	if (nodes.node_count < old_count || old_count >= MOST_BUCKETS)
		return;
	fresh = heap_zalloc(count * sizeof(struct storage_node *));
	if (!fresh)
		return;
	nodes.buckets = fresh;
	nodes.bucket_count = count;
	for (uint32_t i = 0; i < old_count; i++) {
		for (struct storage_node *node = old[i], *next; node; node = next) {
			struct storage_node **bucket = bucket_of(node->vnode.fs, node->vnode.inode);

			next = node->hash_next;
			node->hash_next = *bucket;
			*bucket = node;
		}
	}
	heap_free(old);
}

bool storage_node_acquire_unless_dead(struct storage_node *node)
{
	uint32_t count = READ_ONCE(node->vnode.references);

	while (count != 0) {
		if (__atomic_compare_exchange_n(&node->vnode.references, &count, count + 1, true,
			    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static struct storage_node *find_locked(const struct file_system *fs, uint64_t inode)
{
	if (!nodes.buckets)
		return NULL;
	for (struct storage_node *node = *bucket_of(fs, inode); node; node = node->hash_next) {
		if (node->vnode.inode == inode && node->vnode.fs == fs &&
			storage_node_acquire_unless_dead(node))
			return node;
	}
	return NULL;
}

struct storage_node *storage_find(struct file_system *fs, uint64_t inode)
{
	struct storage_node *node;

	spin_lock(&nodes.lock);
	node = find_locked(fs, inode);
	spin_unlock(&nodes.lock);
	return node;
}

struct storage_node *storage_enter(struct storage_node *node)
{
	struct storage_node *other;

	spin_lock(&nodes.lock);
	other = find_locked(node->vnode.fs, node->vnode.inode);
	if (!other) {
		grow_locked();
		if (nodes.buckets) {
			struct storage_node **bucket = bucket_of(node->vnode.fs, node->vnode.inode);

			node->hash_next = *bucket;
			*bucket = node;
			node->is_entered = true;
			nodes.node_count++;
		}
	}
	spin_unlock(&nodes.lock);
	return other ? other : node;
}

static void leave(struct storage_node *node)
{
	struct storage_node **link;

	spin_lock(&nodes.lock);
	if (node->is_entered) {
		link = bucket_of(node->vnode.fs, node->vnode.inode);
		while (*link != node)
			link = &(*link)->hash_next;
		*link = node->hash_next;
		node->is_entered = false;
		nodes.node_count--;
	}
	if (nodes.node_count == 0) {
		heap_free(nodes.buckets);
		nodes.buckets = NULL;
		nodes.bucket_count = 0;
	}
	spin_unlock(&nodes.lock);
}

void storage_node_init(struct storage_node *node, const struct vnode_ops *ops,
	struct file_system *fs, uint32_t mode, uint64_t inode)
{
	memset(node, 0, sizeof(*node));
	vnode_init(&node->vnode, ops, fs, mode);
	node->vnode.inode = inode;
	if (LINUX_S_ISTYPE(mode, LINUX_S_IFREG))
		node->vnode.file_ops = &storage_file_ops;
	else if (LINUX_S_ISTYPE(mode, LINUX_S_IFDIR))
		node->vnode.file_ops = &storage_directory_ops;
	node->source.ops = &storage_page_source_ops;
	list_init(&node->source.areas);
	list_init(&node->queue_link);
	list_init(&node->reclaim_link);
	mutex_init(&node->attributes_lock);
	page_cache_init(&node->cache);
}

void storage_node_destroy(struct storage_node *node)
{
	leave(node);
	if (storage_is_regular(node))
		storage_drop_all(node);
	if (LINUX_S_ISTYPE(node->vnode.mode, LINUX_S_IFLNK))
		heap_free(node->vnode.data);
}

void **storage_open_data(struct file *file)
{
	return &((struct storage_open_file *)file->data)->fs_data;
}

int storage_open(struct vnode *vnode, struct file *file)
{
	struct storage_open_file *open;

	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFIFO))
		return pipe_open_fifo(vnode, file);
	if (!vnode->file_ops)
		return -LINUX_ENXIO;
	open = heap_zalloc(sizeof(*open));
	if (!open)
		return -LINUX_ENOMEM;
	open->write_errors_seen = READ_ONCE(storage_node_of(vnode)->write_errors);
	file->data = open;
	return 0;
}

void storage_forget_name(struct vnode *directory, const char *name, size_t length)
{
	tree_forget_name(directory, name, length);
}
