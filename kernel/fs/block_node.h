/*
 * Block devices in the tree: /dev/NAME, and what /proc and /sys tell of them.
 */
#ifndef KERNEL_FS_BLOCK_NODE_H
#define KERNEL_FS_BLOCK_NODE_H

/* At boot, after vfs_init() and block_find_all(). -ENOMEM. */
int block_node_init(void);
/* Part of it: /proc/partitions, /proc/diskstats, /sys/block, /sys/dev/block. */
int block_text_init(void);

#endif
