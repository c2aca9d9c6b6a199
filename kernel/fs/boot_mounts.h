/*
 * Mounting what the launcher named (struct boot_disk), before the program starts.
 */
#ifndef KERNEL_FS_BOOT_MOUNTS_H
#define KERNEL_FS_BOOT_MOUNTS_H

#include "kernel/fs/storage.h"

struct block_device;

/* A kind of file system that a volume can hold. */
struct volume_type {
	const char *name; /* "ext4" */
	/* Reads the volume, repairing what an unclean end left, and gives the file system with
	 * `storage` and `type` set and its root, with a reference. read_only may be raised.
	 * -EINVAL: it holds something else; -EUCLEAN, -EIO... Sleeps. */
	int (*open)(struct block_device *device, bool read_only, struct file_system **fs,
		struct vnode **root);
};

/* All that are built in, ending in NULL. */
extern const struct volume_type *const volume_types[];

/* Mounts the disks that have a path. What cannot be mounted is told, and ends the machine: a
 * program that finds an empty directory in place of its data does harm. Sleeps. */
void boot_mounts_start(const struct boot_info *info);

#endif
