/*
 * The memory file system: nodes whose names are the entries of the tree itself.
 *
 * Everything in the tree at boot is made of these nodes; /dev, /proc and /sys are
 * instances of it with other operations on their files.
 */
#ifndef KERNEL_FS_MEMFS_H
#define KERNEL_FS_MEMFS_H

#include "kernel/fs/page_cache.h"
#include "kernel/fs/tree.h"

/* A regular file. */
struct memory_file {
	struct vnode vnode;
	struct page_source source;
	struct page_cache cache;
	uint32_t seals; /* LINUX_F_SEAL_ bits; guarded by vnode.lock */
};

extern struct file_system memfs_root, memfs_device, memfs_proc, memfs_sys, memfs_memfd;
extern const struct vnode_ops memfs_directory_ops, memfs_file_ops, memfs_special_ops;
extern const struct file_ops memory_file_ops; /* memory_file.c */

int memfs_init(void);
void memfs_teardown(void);

/* One reference each, nlink 1 (a directory: 2). NULL: no memory. */
struct vnode *memfs_new_file(struct file_system *fs, uint32_t permissions);
struct vnode *memfs_new_directory(struct file_system *fs, uint32_t permissions);
struct vnode *memfs_new_link(struct file_system *fs, const char *text);
/* A node without contents of its own: device, fifo, socket, text. `ops` NULL: the usual. */
struct vnode *memfs_new_special(struct file_system *fs, uint32_t mode, const struct vnode_ops *ops,
	const struct file_ops *file_ops, void *data);

/* What is made in a directory with the set-group-id bit gets its group. */
void memfs_inherit_group(const struct vnode *directory, struct vnode *vnode);

static inline struct memory_file *memory_file_of(struct vnode *vnode)
{
	return CONTAINER_OF(vnode, struct memory_file, vnode);
}

static inline bool vnode_is_memory_file(const struct vnode *vnode)
{
	return vnode->ops == &memfs_file_ops;
}

extern const struct page_source_ops memory_file_source_ops;
/* With vnode->lock held. -EFBIG (RLIMIT_FSIZE), -EINVAL (more than fits), -EPERM (sealed). */
int memory_file_set_size(struct memory_file *file, uint64_t bytes);
/* Pages that the file gives back. */
void memory_file_uncount_pages(struct memory_file *file, uint64_t count);
/* A node that the program makes counts against the limit of its file system: false if there is
 * no room for one more. Before it is made; memfs_uncount_node() if it is not. */
bool memfs_count_node(struct file_system *fs);
void memfs_uncount_node(struct file_system *fs);
/* Limits the file system at / to this many bytes. For boot. */
void memfs_set_limit(uint64_t bytes);
/* For mapping reads of holes. */
struct phys memory_file_zero_page(void);
int memory_file_init(void);
void memory_file_teardown(void);
/* fcntl(F_ADD_SEALS, F_GET_SEALS). */
long memory_file_add_seals(struct file *file, uint64_t seals);
long memory_file_get_seals(struct file *file);

#endif
