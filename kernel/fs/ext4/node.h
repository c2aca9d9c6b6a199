/*
 * Inodes of ext4 as nodes of the VFS: what node.c (names, attributes) and pages.c (contents)
 * share.
 */
#ifndef KERNEL_FS_EXT4_NODE_H
#define KERNEL_FS_EXT4_NODE_H

#include "kernel/fs/ext4/ext4.h"
#include "kernel/fs/storage.h"

struct ext4_node {
	struct storage_node node;
	struct ext4_inode inode;
	uint64_t set_aside; /* for its dirty pages, in units of 512 bytes; atomic */
};

static inline struct ext4_node *ext4_node_of(struct vnode *vnode)
{
	return CONTAINER_OF(storage_node_of(vnode), struct ext4_node, node);
}

/* Of struct storage_ops. */
void ext4_read_pages(struct storage_node *node, struct storage_io *io);
void ext4_write_pages(struct storage_node *node, struct storage_io *io);
void ext4_submit_pages(struct file_system *fs);
int ext4_reserve_pages(struct storage_node *node, uint64_t index, uint32_t count, uint64_t *taken);
void ext4_unreserve_pages(struct storage_node *node, uint32_t count);
int ext4_set_node_size(struct storage_node *node, uint64_t bytes);
int ext4_allocate_space(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes);
int64_t ext4_seek_data(struct storage_node *node, uint64_t offset, bool data);

#endif
