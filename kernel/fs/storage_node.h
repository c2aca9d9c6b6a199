/*
 * What the files of the VFS for storage (storage.h) share with each other.
 */
#ifndef KERNEL_FS_STORAGE_NODE_H
#define KERNEL_FS_STORAGE_NODE_H

#include "kernel/fs/storage.h"

/* Of each open file; in file->data. */
struct storage_open_file {
	void *fs_data;
	uint32_t write_errors_seen;
	/* Read-ahead, in pages. Unguarded: a wrong guess costs time only. */
	uint64_t expected; /* where a sequential reader comes next */
	uint64_t ahead_end;
	uint32_t window;
};

/* True unless the last reference is gone already. */
bool storage_node_acquire_unless_dead(struct storage_node *node);
/* Before the last but one reference of a node without names goes: if the other is that of
 * the queue of write-back, drops it with what is dirty. */
void storage_forget_unlinked(struct storage_node *node);
/* write(2) through the cache, with vnode->lock. */
long storage_write_locked(struct file *file, struct uio *uio, uint64_t *offset);
/* With vnode->lock: before something is written beyond the end. */
int storage_clear_tail(struct storage_node *node);
/* With vnode->lock. Sets vnode->size. */
int storage_set_size(struct storage_node *node, uint64_t bytes);
/* fsync of a node: -E of this call's, not what an open file has yet to be told. */
int storage_sync_node(struct storage_node *node, bool data_only);

static inline bool storage_is_regular(const struct storage_node *node)
{
	return LINUX_S_ISTYPE(node->vnode.mode, LINUX_S_IFREG);
}

static inline const struct storage_ops *storage_ops_of(const struct storage_node *node)
{
	return node->vnode.fs->storage;
}

/* Everything cached, when the node goes. */
void storage_drop_all(struct storage_node *node);

extern const struct file_ops storage_file_ops, storage_directory_ops;
extern const struct page_source_ops storage_page_source_ops;

#endif
