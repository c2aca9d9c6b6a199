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
struct storage_ops;

struct vnode_ops {
	/* Directories. `name` is not terminated; lengths are 1..255; "." and ".." never come. */
	int (*lookup)(
		struct vnode *directory, const char *name, size_t length, struct vnode **found);
	int (*create)(struct vnode *directory, const char *name, size_t length, uint32_t mode,
		uint64_t device,
		struct vnode **created); /* regular, fifo, socket, device, by mode */
	int (*make_directory)(struct vnode *directory, const char *name, size_t length,
		uint32_t mode, struct vnode **created);
	int (*symlink)(struct vnode *directory, const char *name, size_t length, const char *target,
		struct vnode **created);
	int (*link)(struct vnode *directory, const char *name, size_t length, struct vnode *target);
	int (*unlink)(
		struct vnode *directory, const char *name, size_t length, struct vnode *target);
	int (*remove_directory)(
		struct vnode *directory, const char *name, size_t length, struct vnode *target);
	/* Replaces `replaced` (may be NULL) if flags allow; RENAME_EXCHANGE swaps. */
	int (*rename)(struct vnode *from_directory, const char *from, size_t from_length,
		struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
		struct vnode *replaced, uint32_t flags);
	/* A regular file without a name (O_TMPFILE): nlink is 0. */
	int (*create_temporary)(struct vnode *directory, uint32_t mode, struct vnode **created);
	/* Links whose text is not vnode->data: writes at most capacity bytes, returns the
	 * full length. */
	long (*read_link)(struct vnode *link, char *buffer, size_t capacity);
	/* Links of /proc that lead to a file whatever its name: gives one of the two, with
	 * a reference; *file where it has no entry. */
	int (*jump)(struct vnode *link, struct path_entry **entry, struct file **file);
	/* All. Sets what `mask` (enum vnode_attribute) names. */
	int (*set_attributes)(struct vnode *vnode, uint32_t mask, const struct linux_stat *values);
	int (*get_attributes)(struct vnode *vnode, struct linux_stat *stat);
	/* Fills in file->ops and file->data for an open. May be NULL (set by type). */
	int (*open)(struct vnode *vnode, struct file *file);
	/* With vnode->lock. Lengths if capacity is 0; -ERANGE, -ENODATA. */
	long (*get_xattr)(struct vnode *vnode, const char *name, void *value, size_t capacity);
	int (*set_xattr)(
		struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags);
	long (*list_xattr)(struct vnode *vnode, char *names, size_t capacity);
	int (*remove_xattr)(struct vnode *vnode, const char *name);
	/* Last reference and no name left. */
	void (*release)(struct vnode *vnode);
};

enum vnode_attribute {
	VNODE_MODE = 1,
	VNODE_UID = 2,
	VNODE_GID = 4,
	VNODE_SIZE = 8,
	VNODE_ATIME = 16,
	VNODE_MTIME = 32,
	VNODE_CTIME = 64,
};

/* One mounted tree. Names do not cross from one to another (-EXDEV). */
struct file_system {
	const char *type; /* "tmpfs" */
	uint64_t device;  /* st_dev */
	uint64_t magic;   /* statfs(2) */
	uint64_t last_inode;
	/* Of those in memory: the most that the program's files may take (0: no limit), and
	 * what they take. Not counted is what lies in images. */
	uint64_t limit_pages, used_pages, limit_nodes, used_nodes;
	bool read_only;
	bool names_vary; /* entries come and go by themselves: not cached */

	/* Of file systems whose files are kept elsewhere (storage.h); else NULL. */
	const struct storage_ops *storage;
	void *data;                   /* the file system's */
	uint64_t entry_timeout_ns;    /* a name is asked again after that; UINT64_MAX: never */
	uint64_t negative_timeout_ns; /* the same for missing names; 0: always asked */
	bool writes_on_close;         /* others look at files: close(2) writes what is dirty */
	bool is_closed;               /* unmounted: nothing more is asked of it */
};

struct watch;

struct vnode {
	const struct vnode_ops *ops;
	const struct file_ops *file_ops; /* used when ops->open is NULL */
	struct file_system *fs;
	uint32_t references;
	uint32_t mode; /* S_IFMT bits never change */
	uint64_t inode;
	struct mutex lock;
	void *data; /* of the kind; of links: the text, ending in NUL */
	uint32_t nlink, uid, gid;
	uint32_t watch_events; /* union of what `watches` ask for */
	uint64_t rdev;
	uint64_t size;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct watch *watches;                 /* inotify; guarded by inotify's lock */
	struct file_lock *locks;               /* guarded by file_lock.lock */
	struct extended_attribute *attributes; /* guarded by lock */
	bool is_counted;                       /* in fs->used_nodes */
	struct shared_node *shared; /* of a file with several names in an image: image_tree.c */
};

/* Mounts the memory file system at /, over the images of files of the boot information; fills
 * in /dev, /proc, /sys and what is missing of /etc, /tmp and so on. */
int vfs_init(void);
/* Why an image is not there: -EINVAL, -EOPNOTSUPP, -EUCLEAN; or 0. */
int vfs_image_error(void);

/* System-call level operations on kernel strings; directory_fd as in openat(2)
 * (LINUX_AT_FDCWD allowed). All may sleep. Errors as in the man pages. */
/* What Linux checks before it looks at the path, for callers that have to fetch one.
 * The operations check again. */
int vfs_check_open_flags(uint32_t flags);
int vfs_check_mknod_mode(uint32_t mode);
int vfs_check_rename_flags(uint32_t flags);
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
/* The same for a node, as fchmod(2) and its like; checks what kinds allow. */
int vfs_set_vnode_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values);
/* fstat(2) of any open file. */
int file_stat(struct file *file, struct linux_stat *stat);
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
/* The same unless something is there already. */
int vfs_put_new_file(
	const char *path, uint32_t mode, const void *data, size_t bytes, int64_t mtime_s);
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
