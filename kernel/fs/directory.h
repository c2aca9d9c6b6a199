/*
 * Open directories whose names are entries of the tree.
 */
#ifndef KERNEL_FS_DIRECTORY_H
#define KERNEL_FS_DIRECTORY_H

#include "kernel/fs/file.h"

extern const struct file_ops directory_file_ops;
/* After the names of the tree come those that `list` knows (numbers of processes and
 * descriptors). Appends one record; for read_directory implementations.
 * 0, -EINVAL (does not fit), -EFAULT. */
int directory_emit(struct uio *uio, uint64_t inode, uint64_t position, uint32_t mode,
	const char *name, size_t length);

#endif
