/*
 * O_DIRECT: reads and writes past the cache of a file on storage.
 *
 * Through pages of the kernel: the program's may go away while a device works on them. What is
 * cached of the range is written before, and dropped after a write.
 */
#ifndef KERNEL_FS_DIRECT_IO_H
#define KERNEL_FS_DIRECT_IO_H

#include "kernel/fs/file.h"

/* As file_ops.read and write; the latter with vnode->lock. -EINVAL: offset or length is no
 * multiple of 512. */
long direct_read(struct file *file, struct uio *uio, uint64_t *offset);
long direct_write(struct file *file, struct uio *uio, uint64_t *offset);

#endif
