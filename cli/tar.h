/*
 * Reads tar archives (ustar, GNU's long names, pax) into a tree of files: the file tree of a
 * container, as `docker export` and debootstrap write it.
 */
#ifndef CLI_TAR_H
#define CLI_TAR_H

#include "cli/file_tree.h"

/* Unpacks gzip, zstd, xz and bzip2 with the programs of these names. Ends the command with one
 * line if the archive is damaged, or has a name that is absolute or leads out by "..". The
 * archive stays mapped: contents are taken from there. */
void tar_add(struct file_tree *tree, const char *path);

/* The same with an archive in memory. NULL, or what is wrong with it; *at is where. */
const char *tar_read(struct file_tree *tree, const uint8_t *data, uint64_t bytes, uint64_t *at);

#endif
