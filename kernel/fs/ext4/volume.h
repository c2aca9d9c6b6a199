/*
 * An ext4 volume, as what uses it sees it: mount, names, contents, attributes. These functions
 * take the volume's lock themselves.
 */
#ifndef KERNEL_FS_EXT4_VOLUME_H
#define KERNEL_FS_EXT4_VOLUME_H

#include "kernel/fs/ext4/ext4.h"

/* Opens the volume on `device`, replaying its log if it was not closed. Read-only also where
 * the volume has features that only allow that (a message says so). -EINVAL: no ext4, or
 * features unknown here; -EUCLEAN: damaged. */
int ext4_mount(struct block_device *device, bool read_only, struct ext4 **result);
/* Commits, brings all home, marks it clean. No inode is in use. The memory is freed. */
int ext4_unmount(struct ext4 *fs);
/* Gives memory back without a write, as if the machine had stopped: for tests. */
void ext4_forget(struct ext4 *fs);
/* All that was changed before the call is durable after it. */
int ext4_sync(struct ext4 *fs);
/* Makes one inode durable (what write-back has brought to it): fsync, fdatasync. */
int ext4_sync_inode(struct ext4_inode *inode, bool data_only);

struct ext4_usage {
	uint64_t blocks, free_blocks, available_blocks;
	uint32_t files, free_files;
};
void ext4_usage(struct ext4 *fs, struct ext4_usage *usage);

int ext4_inode_open(struct ext4 *fs, uint32_t number, struct ext4_inode *inode);
/* Attributes that were changed in *inode go to the medium. */
int ext4_inode_update(struct ext4_inode *inode, bool times_only);

/* ---- names (name.c); the parents' links and times are changed, too ----------- */

int ext4_lookup(struct ext4_inode *directory, const char *name, size_t length, uint32_t *number);

struct ext4_new {
	uint16_t mode;
	uint32_t uid, gid;
	uint32_t major, minor; /* of devices */
	const char *target;    /* of links */
};
int ext4_create(struct ext4_inode *directory, const char *name, size_t length,
	const struct ext4_new *what, struct ext4_inode *created);
/* A regular file without a name: on the orphan list until it is linked. */
int ext4_create_nameless(
	struct ext4_inode *directory, const struct ext4_new *what, struct ext4_inode *created);
int ext4_link(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target);
/* Files and empty directories. An inode without links is then on the orphan list, until
 * inode_delete(). */
int ext4_unlink(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target);

struct ext4_renaming {
	struct ext4_inode *from_directory, *to_directory;
	const char *from, *to;
	size_t from_length, to_length;
	struct ext4_inode *moved, *replaced; /* replaced: NULL if there is no such name */
	bool exchange;
};
int ext4_rename(const struct ext4_renaming *renaming);
/* The text of a link. -ERANGE: longer than capacity. */
long ext4_read_link(struct ext4_inode *inode, char *text, size_t capacity);
/* Device numbers of an inode's map. */
void ext4_get_device(const struct ext4_inode *inode, uint32_t *major, uint32_t *minor);

/* ---- contents (space.c) --------------------------------------------------------- */

/* Where [logical, +count) is; for reading. */
int ext4_map_blocks(struct ext4_inode *inode, uint32_t logical, struct ext4_map *map);
/*
 * The same for writing: blocks are allocated, and marked written. The size on the medium becomes
 * at least `size`. If anything changed, *transaction must not be committed before the data is
 * written: the caller passes it to ext4_data_done() then. Else it is NULL.
 */
int ext4_map_for_write(struct ext4_inode *inode, uint32_t logical, uint32_t count, uint64_t size,
	struct ext4_map *map, struct ext4_transaction **transaction);
void ext4_data_done(struct ext4 *fs, struct ext4_transaction *transaction, int error);
int ext4_set_size(struct ext4_inode *inode, uint64_t bytes);
/* fallocate(2): unwritten blocks for holes; the size grows to the end unless keep_size. */
int ext4_allocate(struct ext4_inode *inode, uint64_t offset, uint64_t bytes, bool keep_size);
/* Whole blocks within the range become a hole. */
int ext4_punch(struct ext4_inode *inode, uint64_t offset, uint64_t bytes);
/* The first byte from offset on that is data, or in a hole. -ENXIO. */
int64_t ext4_seek(struct ext4_inode *inode, uint64_t size, uint64_t offset, bool data);

/* ---- extended attributes (xattr.c): names with their prefixes ---------------------- */

long ext4_get_xattr(struct ext4_inode *inode, const char *name, void *value, size_t capacity);
int ext4_set_xattr(
	struct ext4_inode *inode, const char *name, const void *value, size_t bytes, int flags);
long ext4_list_xattrs(struct ext4_inode *inode, char *names, size_t capacity);
int ext4_remove_xattr(struct ext4_inode *inode, const char *name);

#endif
