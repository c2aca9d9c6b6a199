/*
 * Filling the tree at boot, and for modules that add nodes: by absolute path, with
 * missing directories made on the way.
 */
#ifndef KERNEL_FS_TREE_FILL_H
#define KERNEL_FS_TREE_FILL_H

#include "kernel/fs/memfs.h"

/* The directory that holds the last component of `path`, with a reference, and where
 * that component starts. Missing directories get mode 0755. Links are followed.
 * -ENOTDIR, -ENAMETOOLONG, -ENOMEM, -EINVAL (no last component). */
int tree_fill_parent(const char *path, struct path_entry **parent, const char **name);
/* Puts vnode at the path, over what was there; takes the caller's reference even when
 * it fails. A directory over one of the same file system only changes its mode. */
int tree_fill_put(const char *path, struct vnode *vnode);
int tree_fill_put_at(struct path_entry *parent, const char *name, size_t length,
	struct vnode *vnode, bool borrow_name);
/* The same where nothing is there yet; what an image has at the path, or on the way to it,
 * stays as it is. */
int tree_fill_put_new(const char *path, struct vnode *vnode);
/* A directory of `fs` at the path: "mounts" it. */
int tree_fill_mount(const char *path, struct file_system *fs, uint32_t permissions);

#endif
