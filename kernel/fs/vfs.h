/*
 * The tree of files.
 *
 * A struct vnode is a file, directory, link or device, whatever its names. A
 * struct path_entry is a name in a directory; entries are cached, so that lookups
 * of names seen before touch no file system. File systems implement vnode_ops.
 * `tree.lock` (a mutex) serialises changes of names; vnode->lock (a mutex) guards
 * contents and attributes of one vnode. Both may be held while sleeping on a
 * device, never while waiting for the program.
 */
#ifndef KERNEL_FS_VFS_H
#define KERNEL_FS_VFS_H

#include "kernel/fs/file.h"

struct path_entry;
struct file_system;

struct vnode_ops {
	/* Directories. `name` is not terminated; lengths are 1..255; "." and ".." never come. */
	int (*lookup)(struct vnode *directory, const char *name, size_t length, struct vnode **found);
	int (*create)(struct vnode *directory, const char *name, size_t length, uint32_t mode,
		uint64_t device, struct vnode **created); /* regular, fifo, socket, device, by mode */
	int (*make_directory)(struct vnode *directory, const char *name, size_t length, uint32_t mode,
		struct vnode **created);
	int (*symlink)(struct vnode *directory, const char *name, size_t length, const char *target,
		struct vnode **created);
	int (*link)(struct vnode *directory, const char *name, size_t length, struct vnode *target);
	int (*unlink)(struct vnode *directory, const char *name, size_t length, struct vnode *target);
	int (*remove_directory)(struct vnode *directory, const char *name, size_t length,
		struct vnode *target);
	/* Replaces `replaced` (may be NULL) if flags allow; RENAME_EXCHANGE swaps. */
	int (*rename)(struct vnode *from_directory, const char *from, size_t from_length,
		struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
		struct vnode *replaced, uint32_t flags);
	/* Links. Writes at most capacity bytes, returns the full length. */
	long (*read_link)(struct vnode *link, char *buffer, size_t capacity);
	/* All. Sets what `mask` (enum vnode_attribute) names. */
	int (*set_attributes)(struct vnode *vnode, uint32_t mask, const struct linux_stat *values);
	int (*get_attributes)(struct vnode *vnode, struct linux_stat *stat);
	/* Fills in file->ops and file->data for an open. May be NULL (set by type). */
	int (*open)(struct vnode *vnode, struct file *file);
	long (*get_xattr)(struct vnode *vnode, const char *name, void *value, size_t capacity);
	int (*set_xattr)(struct vnode *vnode, const char *name, const void *value, size_t bytes,
		int flags);
	long (*list_xattr)(struct vnode *vnode, char *names, size_t capacity);
	int (*remove_xattr)(struct vnode *vnode, const char *name);
	/* Last reference and no name left. */
	void (*release)(struct vnode *vnode);
};

enum vnode_attribute {
	VNODE_MODE = 1, VNODE_UID = 2, VNODE_GID = 4, VNODE_SIZE = 8, VNODE_ATIME = 16,
	VNODE_MTIME = 32, VNODE_CTIME = 64,
};

struct vnode {
	const struct vnode_ops *ops;
	const struct file_ops *file_ops; /* used when ops->open is NULL */
	struct file_system *fs;
	uint32_t references;
	uint32_t mode; /* S_IFMT bits never change */
	uint64_t inode;
	struct mutex lock;
	void *data;
	struct list watches; /* inotify */
};

/* Resolved by vfs_resolve: a directory entry that may not exist (vnode NULL). */
struct resolved {
	struct path_entry *parent; /* with a reference */
	struct path_entry *entry;  /* with a reference; NULL if the name does not exist */
	char name[256];
	size_t name_length;
	bool must_be_directory; /* the path ended in a slash */
};

/* Mounts the memory file system at /, fills in /dev, /etc, /tmp, /proc, /sys. */
int vfs_init(void);

/* System-call level operations on kernel strings; directory_fd as in openat(2)
 * (LINUX_AT_FDCWD allowed). All may sleep. Errors as in the man pages. */
int vfs_open(int directory_fd, const char *path, uint32_t flags, uint32_t mode, uint64_t resolve,
	struct file **file);
int vfs_stat(int directory_fd, const char *path, uint32_t at_flags, struct linux_stat *stat);
int vfs_mkdir(int directory_fd, const char *path, uint32_t mode);
int vfs_mknod(int directory_fd, const char *path, uint32_t mode, uint64_t device);
int vfs_symlink(const char *target, int directory_fd, const char *path);
int vfs_link(int old_fd, const char *old_path, int new_fd, const char *new_path, uint32_t at_flags);
int vfs_unlink(int directory_fd, const char *path, bool directory);
int vfs_rename(int old_fd, const char *old_path, int new_fd, const char *new_path, uint32_t flags);
long vfs_read_link(int directory_fd, const char *path, char *buffer, size_t capacity);
int vfs_set_attributes(int directory_fd, const char *path, uint32_t at_flags, uint32_t mask,
	const struct linux_stat *values);
int vfs_access(int directory_fd, const char *path, int mode, uint32_t at_flags);
int vfs_change_directory(int directory_fd, const char *path);
int vfs_change_directory_file(struct file *file);
/* Length with NUL, -ERANGE, -ENOENT. */
long vfs_current_directory(char *buffer, size_t capacity);
/* Absolute path of an open file ("/x (deleted)", "pipe:[7]"). */
long vfs_describe_file(struct file *file, char *buffer, size_t capacity);
/* Creates every missing directory of `path` and the file, with these contents; pages
 * of `data` are referred to in place when page-aligned, until written. For boot. */
int vfs_put_file(const char *path, uint32_t mode, const void *data, size_t bytes, int64_t mtime_s);
/* Unpacks a cpio "newc" archive over the root. -EINVAL says where in the log. */
int vfs_unpack_cpio(const void *archive, size_t bytes);
/* A nameless file of the memory file system: memfd_create, O_TMPFILE. */
int vfs_create_anonymous(const char *name, uint32_t flags, struct file **file);

uint32_t vfs_umask(uint32_t mask); /* sets, returns the old one */

/* A node of /proc or /sys whose text is made at open. `generate` writes text (as
 * much as capacity allows) and returns its length or -E. For modules to add theirs. */
typedef long (*text_generator)(char *buffer, size_t capacity, void *argument);
int vfs_add_text(const char *path, text_generator generate, void *argument);
/* A character device at /dev/... */
int vfs_add_device(const char *path, uint32_t major, uint32_t minor, const struct file_ops *ops);

#endif
