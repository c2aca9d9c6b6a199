/*
 * The files a VM begins with, as the launchers hand them over: images over each other, the
 * lowest first, and at the top an archive.
 *
 * The lowest image has the default files. It is the same for all VMs of a user: made once and
 * kept in the user's cache, under a name that tells which files of the host it was made of.
 */
#ifndef CLI_FILE_IMAGES_H
#define CLI_FILE_IMAGES_H

#include "abi/boot_info.h"
#include "cli/file_tree.h"
#include "cli/options.h"

struct file_images {
	int images[BOOT_MAX_IMAGES]; /* descriptors, kept over exec */
	unsigned image_count;
	int archive_fd; /* --files; -1: none */
};

/* The default files, --rootfs if it is an image already, and --files. */
void file_images_open(struct file_images *files, const struct options *options);
/* What else --rootfs and --add ask for, into a tree. */
void file_images_fill(struct file_tree *tree, const struct options *options);
/* An image of the tree, unless it is empty, over those before. */
void file_images_add(struct file_images *files, struct file_tree *tree);

/* The same in one image, for `burrow build`: the default files that are wanted (enum
 * default_files), --rootfs, --add. Returns its descriptor, of a file in memory, and its size. */
int file_images_make(const struct options *options, unsigned wanted, uint64_t *bytes);

#endif
