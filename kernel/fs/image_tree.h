/*
 * Images of files behind the memory tree: directories whose names come from EROFS images.
 *
 * The memory file system is the writable layer. A directory of it may have images behind it
 * (vnode->data), the topmost first: a name hides the same name of those below, but directories
 * of one name are joined. A name gets its entry and its node when it is first looked for; all
 * names of a directory do when it is listed, or before one of them is taken away, so that from
 * then on a name that has no entry does not exist. Nodes made in this way are memory nodes
 * like any other; contents of files are read where they lie in the image (page_cache.h: the
 * base) until they are written. Files with several names in an image share one node.
 *
 * Whether all names are there (is_filled) and the table of shared nodes are guarded by
 * tree.spin. The images stay in memory for ever.
 */
#ifndef KERNEL_FS_IMAGE_TREE_H
#define KERNEL_FS_IMAGE_TREE_H

#include "abi/boot_info.h"
#include "kernel/fs/memfs.h"
#include "lib/erofs.h"

#define IMAGE_LAYERS BOOT_MAX_IMAGES

/* What is behind a directory. */
struct image_names {
	bool is_filled;
	uint32_t count;
	struct image_place {
		const struct erofs_image *image;
		uint64_t nid;
	} layers[IMAGE_LAYERS]; /* `count` of them are there */
};

/* Puts an image behind the root, over those added before. For boot, before anything is looked
 * up. -EINVAL, -EOPNOTSUPP, -EUCLEAN (erofs_open); -ENOSPC: too many; -ENOMEM. */
int image_tree_add(const void *data, uint64_t bytes);

/* May names be missing from the tree that the directory has? */
static inline bool image_tree_covers(const struct vnode *directory)
{
	const struct image_names *names = directory->data;

	return directory->ops == &memfs_directory_ops && names && !READ_ONCE(names->is_filled);
}

/* With tree.spin held, for a name that has no entry in a directory that is covered: *found is
 * its new entry, without a reference, or NULL if there is no such name. -ENOMEM, -EUCLEAN. */
int image_tree_enter_locked(
	struct path_entry *directory, const char *name, size_t length, struct path_entry **found);
/* Enters all names; without tree.spin. */
int image_tree_fill(struct path_entry *directory);
/* A file lost its last name. */
void image_tree_forget(struct vnode *vnode);
void image_tree_teardown(void); /* for tests */

#endif
