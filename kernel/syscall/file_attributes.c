/*
 * System calls that ask or change attributes of files: stat(2), chmod(2), chown(2),
 * utimensat(2), truncate(2), statfs(2).
 */
#include "kernel/fs/storage.h"
#include "kernel/mm/page_alloc.h"
#include "kernel/mm/uaccess.h"
#include "kernel/sched/clock.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"
#include "lib/string.h"

#define CURRENT    ((uint64_t)LINUX_AT_FDCWD)
#define STAT_FLAGS (LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_NO_AUTOMOUNT | LINUX_AT_EMPTY_PATH)
#define SYNC_FLAGS (LINUX_AT_STATX_FORCE_SYNC | LINUX_AT_STATX_DONT_SYNC)

/* ---- asking ---------------------------------------------------------------------- */

static int stat_path(
	uint64_t directory_fd, uint64_t address, uint32_t flags, struct linux_stat *stat)
{
	struct user_path path;
	int error;

	/* Since Linux 6.11 no path at all is an empty one. */
	if (address == 0 && (flags & LINUX_AT_EMPTY_PATH))
		return vfs_stat((int)directory_fd, "", flags, stat);
	error = user_path_get(&path, address);
	if (error)
		return error;
	error = vfs_stat((int)directory_fd, path.text, flags, stat);
	user_path_put(&path);
	return error;
}

long sys_newfstatat(uint64_t directory_fd, uint64_t path, uint64_t address, uint64_t flags)
{
	struct linux_stat stat;
	int error;

	if ((uint32_t)flags & ~(uint32_t)(STAT_FLAGS | SYNC_FLAGS))
		return -LINUX_EINVAL;
	error = stat_path(directory_fd, path, (uint32_t)flags, &stat);
	if (error)
		return error;
	return user_copy_out(address, &stat, sizeof(stat)) != 0 ? -LINUX_EFAULT : 0;
}

long sys_stat(uint64_t path, uint64_t address)
{
	return sys_newfstatat(CURRENT, path, address, 0);
}

long sys_lstat(uint64_t path, uint64_t address)
{
	return sys_newfstatat(CURRENT, path, address, LINUX_AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(uint64_t fd, uint64_t address)
{
	struct file *file = fd_get((int)fd);
	struct linux_stat stat;
	int error;

	if (!file)
		return -LINUX_EBADF;
	error = file_stat(file, &stat);
	file_release(file);
	if (error)
		return error;
	return user_copy_out(address, &stat, sizeof(stat)) != 0 ? -LINUX_EFAULT : 0;
}

struct linux_statx_time {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t reserved;
};

struct linux_statx {
	uint32_t mask, block_bytes;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, reserved;
	uint64_t inode, size, blocks, attributes_mask;
	struct linux_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mount_id;
	uint64_t spare[13];
};

_Static_assert(sizeof(struct linux_statx) == 256, "Linux layout");

#define STATX_BASIC    0x7ffu
#define STATX_RESERVED 0x80000000u

static struct linux_statx_time statx_time(struct linux_timespec time)
{
	return (struct linux_statx_time){time.seconds, (uint32_t)time.nanoseconds, 0};
}

static uint32_t major_of(uint64_t device)
{
	return (uint32_t)((device >> 8 & 0xfff) | (device >> 32 & ~0xfffull));
}

static uint32_t minor_of(uint64_t device)
{
	return (uint32_t)((device & 0xff) | (device >> 12 & ~0xffull));
}

long sys_statx(
	uint64_t directory_fd, uint64_t path, uint64_t flags, uint64_t mask, uint64_t address)
{
	struct linux_statx result = {.mask = STATX_BASIC};
	struct linux_stat stat;
	int error;

	if (mask & STATX_RESERVED)
		return -LINUX_EINVAL;
	if (((uint32_t)flags & ~(uint32_t)(STAT_FLAGS | SYNC_FLAGS)) ||
		(flags & SYNC_FLAGS) == SYNC_FLAGS)
		return -LINUX_EINVAL;
	error = stat_path(directory_fd, path, (uint32_t)flags, &stat);
	if (error)
		return error;
	result.block_bytes = (uint32_t)stat.block_bytes;
	result.nlink = (uint32_t)stat.nlink;
	result.uid = stat.uid;
	result.gid = stat.gid;
	result.mode = (uint16_t)stat.mode;
	result.inode = stat.ino;
	result.size = (uint64_t)stat.size;
	result.blocks = (uint64_t)stat.blocks;
	result.atime = statx_time(stat.atime);
	result.ctime = statx_time(stat.ctime);
	result.mtime = statx_time(stat.mtime);
	result.rdev_major = major_of(stat.rdev);
	result.rdev_minor = minor_of(stat.rdev);
	result.dev_major = major_of(stat.dev);
	result.dev_minor = minor_of(stat.dev);
	return user_copy_out(address, &result, sizeof(result)) != 0 ? -LINUX_EFAULT : 0;
}

long sys_faccessat2(uint64_t directory_fd, uint64_t address, uint64_t mode, uint64_t flags)
{
	struct user_path path;
	long result;

	if (((uint32_t)mode & ~7u) ||
		((uint32_t)flags & ~(uint32_t)(LINUX_AT_EACCESS | LINUX_AT_SYMLINK_NOFOLLOW |
					       LINUX_AT_EMPTY_PATH)))
		return -LINUX_EINVAL;
	result = user_path_get(&path, address);
	if (result < 0)
		return result;
	result = vfs_access((int)directory_fd, path.text, (int)mode, (uint32_t)flags);
	user_path_put(&path);
	return result;
}

long sys_faccessat(uint64_t directory_fd, uint64_t path, uint64_t mode)
{
	return sys_faccessat2(directory_fd, path, mode, 0);
}

long sys_access(uint64_t path, uint64_t mode)
{
	return sys_faccessat2(CURRENT, path, mode, 0);
}

/* ---- changing -------------------------------------------------------------------- */

static long change_path(uint64_t directory_fd, uint64_t address, uint32_t flags, uint32_t mask,
	const struct linux_stat *values)
{
	struct user_path path;
	long result = user_path_get(&path, address);

	if (result < 0)
		return result;
	result = vfs_set_attributes((int)directory_fd, path.text, flags, mask, values);
	user_path_put(&path);
	return result;
}

static long change_file(uint64_t fd, uint32_t mask, const struct linux_stat *values)
{
	struct file *file = user_file(fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	result = file->vnode ? vfs_set_vnode_attributes(file->vnode, mask, values) : -LINUX_EPERM;
	file_release(file);
	return result;
}

long sys_fchmodat2(uint64_t directory_fd, uint64_t path, uint64_t mode, uint64_t flags)
{
	struct linux_stat values = {.mode = (uint32_t)mode};

	if ((uint32_t)flags & ~(uint32_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH))
		return -LINUX_EINVAL;
	return change_path(directory_fd, path, (uint32_t)flags, VNODE_MODE, &values);
}

long sys_fchmodat(uint64_t directory_fd, uint64_t path, uint64_t mode)
{
	return sys_fchmodat2(directory_fd, path, mode, 0);
}

long sys_chmod(uint64_t path, uint64_t mode)
{
	return sys_fchmodat2(CURRENT, path, mode, 0);
}

long sys_fchmod(uint64_t fd, uint64_t mode)
{
	struct linux_stat values = {.mode = (uint32_t)mode};

	return change_file(fd, VNODE_MODE, &values);
}

/* -1 leaves an owner as it is. */
static uint32_t owner_mask(uint64_t uid, uint64_t gid)
{
	return ((uint32_t)uid != UINT32_MAX ? VNODE_UID : 0u) |
	       ((uint32_t)gid != UINT32_MAX ? VNODE_GID : 0u);
}

long sys_fchownat(uint64_t directory_fd, uint64_t path, uint64_t uid, uint64_t gid, uint64_t flags)
{
	struct linux_stat values = {.uid = (uint32_t)uid, .gid = (uint32_t)gid};

	if ((uint32_t)flags & ~(uint32_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH))
		return -LINUX_EINVAL;
	return change_path(directory_fd, path, (uint32_t)flags, owner_mask(uid, gid), &values);
}

long sys_chown(uint64_t path, uint64_t uid, uint64_t gid)
{
	return sys_fchownat(CURRENT, path, uid, gid, 0);
}

long sys_lchown(uint64_t path, uint64_t uid, uint64_t gid)
{
	return sys_fchownat(CURRENT, path, uid, gid, LINUX_AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(uint64_t fd, uint64_t uid, uint64_t gid)
{
	struct linux_stat values = {.uid = (uint32_t)uid, .gid = (uint32_t)gid};

	return change_file(fd, owner_mask(uid, gid), &values);
}

/* ---- times ------------------------------------------------------------------------ */

#define TIME_NOW  0x3fffffff
#define TIME_OMIT 0x3ffffffe

struct time_change {
	uint32_t mask;
	struct linux_stat values;
};

static struct linux_timespec now(void)
{
	uint64_t ns = clock_realtime_ns();

	return (struct linux_timespec){(int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000)};
}

static int set_one(struct time_change *change, uint32_t bit, struct linux_timespec *into,
	const struct linux_timespec *time)
{
	if (time->nanoseconds == TIME_OMIT)
		return 0;
	change->mask |= bit;
	*into = time->nanoseconds == TIME_NOW ? now() : *time;
	return (uint64_t)into->nanoseconds >= 1000000000 ? -LINUX_EINVAL : 0;
}

static int set_times(struct time_change *change, const struct linux_timespec times[2])
{
	int error = set_one(change, VNODE_ATIME, &change->values.atime, &times[0]);

	return error ? error : set_one(change, VNODE_MTIME, &change->values.mtime, &times[1]);
}

static void set_now(struct time_change *change)
{
	change->mask = VNODE_ATIME | VNODE_MTIME;
	change->values.atime = change->values.mtime = now();
}

static long apply_times(
	uint64_t directory_fd, uint64_t path, uint32_t flags, const struct time_change *change)
{
	if (path == 0 && (int)directory_fd != LINUX_AT_FDCWD)
		return flags ? -LINUX_EINVAL
			     : change_file(directory_fd, change->mask, &change->values);
	return change_path(directory_fd, path, flags, change->mask, &change->values);
}

long sys_utimensat(uint64_t directory_fd, uint64_t path, uint64_t address, uint64_t flags)
{
	struct time_change change = {0};
	struct linux_timespec times[2];
	int error = 0;

	if (address && user_copy_in(times, address, sizeof(times)) != 0)
		return -LINUX_EFAULT;
	if (address && times[0].nanoseconds == TIME_OMIT && times[1].nanoseconds == TIME_OMIT)
		return 0;
	if ((uint32_t)flags & ~(uint32_t)(LINUX_AT_SYMLINK_NOFOLLOW | LINUX_AT_EMPTY_PATH))
		return -LINUX_EINVAL;
	if (address)
		error = set_times(&change, times);
	else
		set_now(&change);
	return error ? error : apply_times(directory_fd, path, (uint32_t)flags, &change);
}

/* Seconds and microseconds. */
long sys_futimesat(uint64_t directory_fd, uint64_t path, uint64_t address)
{
	struct time_change change = {0};
	struct linux_timespec times[2];
	int error = 0;

	if (!address) {
		set_now(&change);
		return apply_times(directory_fd, path, 0, &change);
	}
	if (user_copy_in(times, address, sizeof(times)) != 0)
		return -LINUX_EFAULT;
	for (int i = 0; i < 2; i++) {
		if ((uint64_t)times[i].nanoseconds >= 1000000)
			return -LINUX_EINVAL;
		times[i].nanoseconds *= 1000;
	}
	error = set_times(&change, times);
	return error ? error : apply_times(directory_fd, path, 0, &change);
}

long sys_utimes(uint64_t path, uint64_t address)
{
	return sys_futimesat(CURRENT, path, address);
}

long sys_utime(uint64_t path, uint64_t address)
{
	struct time_change change = {0};
	int64_t seconds[2];

	if (!address) {
		set_now(&change);
	} else {
		if (user_copy_in(seconds, address, sizeof(seconds)) != 0)
			return -LINUX_EFAULT;
		change.mask = VNODE_ATIME | VNODE_MTIME;
		change.values.atime.seconds = seconds[0];
		change.values.mtime.seconds = seconds[1];
	}
	return change_path(CURRENT, path, 0, change.mask, &change.values);
}

/* ---- file systems -------------------------------------------------------------------- */

struct linux_statfs {
	uint64_t type, block_bytes, blocks, free_blocks, available_blocks, files, free_files;
	uint32_t id[2];
	uint64_t name_length, fragment_bytes, flags, spare[4];
};

_Static_assert(sizeof(struct linux_statfs) == 120, "Linux layout");

#define STATFS_RDONLY   0x1
#define STATFS_VALID    0x20
#define STATFS_RELATIME 0x1000
#define MAGIC_ANONYMOUS 0x09041934
#define MAGIC_PIPE      0x50495045

static int ask_storage(struct file_system *fs, struct linux_statfs *result)
{
	struct file_system_usage usage = {.name_length = LINUX_NAME_MAX};
	int error = fs->storage->usage ? fs->storage->usage(fs, &usage) : 0;

	result->block_bytes = result->fragment_bytes =
		usage.block_bytes ? usage.block_bytes : PAGE_BYTES;
	result->blocks = usage.blocks;
	result->free_blocks = usage.free_blocks;
	result->available_blocks = usage.available_blocks;
	result->files = usage.files;
	result->free_files = usage.free_files;
	result->name_length = usage.name_length;
	result->flags |= fs->read_only ? STATFS_RDONLY : 0;
	return error;
}

/* What is free of the limits, as far as there is memory. */
static void tell_limits(const struct file_system *fs, struct linux_statfs *result)
{
	uint64_t pages = READ_ONCE(fs->used_pages), nodes = READ_ONCE(fs->used_nodes);

	result->blocks = fs->limit_pages;
	result->free_blocks = result->available_blocks =
		MIN(result->free_blocks, fs->limit_pages - MIN(pages, fs->limit_pages));
	result->files = fs->limit_nodes;
	result->free_files = fs->limit_nodes - MIN(nodes, fs->limit_nodes);
}

static long tell_file_system(struct file_system *fs, uint64_t magic, uint64_t address)
{
	struct linux_statfs result = {.type = magic,
		.block_bytes = PAGE_BYTES,
		.name_length = LINUX_NAME_MAX,
		.fragment_bytes = PAGE_BYTES,
		.flags = STATFS_VALID | STATFS_RELATIME};
	struct page_counts counts;
	int error = 0;

	if (fs && fs->storage) {
		error = ask_storage(fs, &result);
	} else if (fs && !fs->read_only) {
		page_alloc_counts(&counts);
		result.blocks = counts.total_pages;
		result.free_blocks = result.available_blocks =
			counts.free_pages > counts.total_pages / 16
				? counts.free_pages - counts.total_pages / 16
				: 0;
		result.files = counts.total_pages;
		result.free_files = result.free_blocks;
		if (fs->limit_pages > 0)
			tell_limits(fs, &result);
	}
	if (fs)
		result.id[0] = (uint32_t)fs->device;
	if (error)
		return error;
	return user_copy_out(address, &result, sizeof(result)) != 0 ? -LINUX_EFAULT : 0;
}

long sys_statfs(uint64_t address, uint64_t buffer)
{
	struct resolved where;
	struct user_path path;
	long result = user_path_get(&path, address);

	if (result < 0)
		return result;
	result = path_resolve(LINUX_AT_FDCWD, path.text, PATH_FOLLOW, 0, &where);
	user_path_put(&path);
	if (result < 0)
		return result;
	if (where.entry)
		result = tell_file_system(
			where.entry->vnode->fs, where.entry->vnode->fs->magic, buffer);
	else
		result = tell_file_system(NULL, MAGIC_PIPE, buffer);
	resolved_release(&where);
	return result;
}

long sys_fstatfs(uint64_t fd, uint64_t buffer)
{
	struct file *file = fd_get((int)fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	if (file->vnode)
		result = tell_file_system(file->vnode->fs, file->vnode->fs->magic, buffer);
	else
		result = tell_file_system(NULL,
			file->ops->kind && strcmp(file->ops->kind, "pipe") == 0 ? MAGIC_PIPE
										: MAGIC_ANONYMOUS,
			buffer);
	file_release(file);
	return result;
}
