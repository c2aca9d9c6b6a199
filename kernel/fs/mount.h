/*
 * What is mounted, for /proc. Mounting itself: storage.h.
 */
#ifndef KERNEL_FS_MOUNT_H
#define KERNEL_FS_MOUNT_H

#include "kernel/fs/vfs.h"

struct mount_info {
	void *cursor; /* NULL: before the first */
	const char *path, *source;
	struct file_system *fs;
};

/* The next file system on storage, in the order of mounting; false: no more. */
bool mount_next(struct mount_info *info);
/* Takes them out of the tree, without a word to them, and drops what is cached: for tests. */
void mount_teardown(void);

#endif
