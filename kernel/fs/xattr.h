/*
 * Extended attributes of memory nodes: xattr(7). Kernel buffers only.
 */
#ifndef KERNEL_FS_XATTR_H
#define KERNEL_FS_XATTR_H

#include "kernel/fs/vfs.h"

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536
#define XATTR_LIST_MAX 65536

enum xattr_flag {
	XATTR_CREATE = 1,
	XATTR_REPLACE = 2,
};

/* Value's length; capacity 0 asks. -ENODATA, -ERANGE, -EOPNOTSUPP. */
long xattr_get(struct vnode *vnode, const char *name, void *value, size_t capacity);
/* -EEXIST, -ENODATA, -EOPNOTSUPP, -ENOSPC, -EPERM. */
int xattr_set(struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags);
/* A name in two pieces, neither ending in NUL. */
struct xattr_text {
	const char *prefix;
	size_t prefix_bytes;
	const char *rest;
	size_t rest_bytes;
};
/* As a node is made, from what its file system keeps; names are not checked. -ENOMEM. */
int xattr_preset(
	struct vnode *vnode, const struct xattr_text *name, const void *value, size_t bytes);
long xattr_list(struct vnode *vnode, char *names, size_t capacity);
int xattr_remove(struct vnode *vnode, const char *name);
void xattr_release(struct vnode *vnode);

#endif
