/*
 * Writes a tree of files as an EROFS image, uncompressed: what mkfs.erofs makes, but from
 * contents that need not lie in one directory, with owners and devices that only root could
 * give files (docs/decisions/0004-files-layer.md). The same tree gives the same bytes.
 *
 * Inodes lie in the order of directories, level by level; the last block of a file of up to
 * 64 KiB lies behind its inode if there is room, others in blocks of their own, so that they
 * can be mapped.
 */
#ifndef CLI_EROFS_WRITE_H
#define CLI_EROFS_WRITE_H

#include "cli/file_tree.h"

/* Into an empty regular file. Returns its size; ends the command on errors. `name` is for
 * messages. */
uint64_t erofs_write(struct file_tree *tree, int fd, const char *name);

#endif
