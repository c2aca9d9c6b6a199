/*
 * The parts of the tree at boot, one file each. Called once, by vfs_init, in order.
 */
#ifndef KERNEL_FS_BOOT_TREE_H
#define KERNEL_FS_BOOT_TREE_H

#include "lib/compiler.h"

int device_nodes_init(void); /* /dev */
int proc_init(void);         /* /proc */
int proc_self_init(void);    /* /proc/1, within proc_init */
int sys_init(void);          /* /sys */
int etc_init(void);          /* /etc */

/* st_rdev, as Linux packs it. */
static inline uint64_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | ((uint64_t)(major & 0xfff) << 8) |
	       ((uint64_t)(minor & ~0xffu) << 12) | ((uint64_t)(major & ~0xfffu) << 32);
}

#endif
