/*
 * System calls about the room files take and how durable they are: truncate(2),
 * fallocate(2), fsync(2), fadvise64(2).
 */
#include "kernel/fs/inotify.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"

long sys_truncate(uint64_t address, uint64_t bytes)
{
	struct linux_stat values = {.size = (int64_t)bytes};
	struct user_path path;
	long result;

	if ((int64_t)bytes < 0)
		return -LINUX_EINVAL;
	result = user_path_get(&path, address);
	if (result < 0)
		return result;
	result = vfs_set_attributes(LINUX_AT_FDCWD, path.text, 0, VNODE_SIZE, &values);
	user_path_put(&path);
	return result;
}

long sys_ftruncate(uint64_t fd, uint64_t bytes)
{
	struct file *file;
	long result;

	if ((int64_t)bytes < 0)
		return -LINUX_EINVAL;
	file = user_file(fd);
	if (!file)
		return -LINUX_EBADF;
	if (!file_is_writable(file) || !file->ops->truncate)
		result = -LINUX_EINVAL;
	else
		result = file->ops->truncate(file, bytes);
	if (result == 0 && READ_ONCE(inotify_watch_count) && file->entry)
		inotify_report_entry(file->entry, INOTIFY_MODIFY);
	file_release(file);
	return result;
}

static bool is_type(const struct file *file, uint32_t type)
{
	return file->vnode && LINUX_S_ISTYPE(file->vnode->mode, type);
}

static long check_allocate(const struct file *file, uint32_t mode, int64_t offset, int64_t bytes)
{
	int64_t end;

	if (offset < 0 || bytes <= 0)
		return -LINUX_EINVAL;
	if (mode & ~(uint32_t)LINUX_FALLOC_ALL)
		return -LINUX_EOPNOTSUPP;
	if ((mode & LINUX_FALLOC_PUNCH_HOLE) && !(mode & LINUX_FALLOC_KEEP_SIZE))
		return -LINUX_EOPNOTSUPP;
	if (!file_is_writable(file))
		return -LINUX_EBADF;
	if (!file->vnode || is_type(file, LINUX_S_IFIFO))
		return -LINUX_ESPIPE;
	if (is_type(file, LINUX_S_IFDIR))
		return -LINUX_EISDIR;
	if (!is_type(file, LINUX_S_IFREG) && !is_type(file, LINUX_S_IFBLK))
		return -LINUX_ENODEV;
	if (__builtin_add_overflow(offset, bytes, &end))
		return -LINUX_EFBIG;
	return file->ops->allocate ? 0 : -LINUX_EOPNOTSUPP;
}

long sys_fallocate(uint64_t fd, uint64_t mode, uint64_t offset, uint64_t bytes)
{
	struct file *file = user_file(fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	result = check_allocate(file, (uint32_t)mode, (int64_t)offset, (int64_t)bytes);
	if (result == 0)
		result = file->ops->allocate(file, (int)mode, offset, bytes);
	if (result == 0 && READ_ONCE(inotify_watch_count) && file->entry)
		inotify_report_entry(file->entry, INOTIFY_MODIFY);
	file_release(file);
	return result;
}

/* ---- durability -------------------------------------------------------------- */

static long sync_file(uint64_t fd, bool data_only)
{
	struct file *file = user_file(fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	result = file->ops->sync ? file->ops->sync(file, data_only) : -LINUX_EINVAL;
	file_release(file);
	return result;
}

long sys_fsync(uint64_t fd)
{
	return sync_file(fd, false);
}

long sys_fdatasync(uint64_t fd)
{
	return sync_file(fd, true);
}

/* Everything is in memory. */
long sys_sync(void)
{
	return 0;
}

long sys_syncfs(uint64_t fd)
{
	struct file *file = user_file(fd);

	if (!file)
		return -LINUX_EBADF;
	file_release(file);
	return 0;
}

long sys_sync_file_range(uint64_t fd, uint64_t offset, uint64_t bytes, uint64_t flags)
{
	struct file *file = user_file(fd);
	int64_t end;
	long result = 0;

	if (!file)
		return -LINUX_EBADF;
	if (((uint32_t)flags & ~7u) || (int64_t)offset < 0 || (int64_t)bytes < 0 ||
		__builtin_add_overflow((int64_t)offset, (int64_t)bytes, &end))
		result = -LINUX_EINVAL;
	else if (!is_type(file, LINUX_S_IFREG) && !is_type(file, LINUX_S_IFDIR) &&
		 !is_type(file, LINUX_S_IFBLK) && !is_type(file, LINUX_S_IFLNK))
		result = -LINUX_ESPIPE;
	file_release(file);
	return result;
}

/* ---- advice --------------------------------------------------------------------- */

long sys_readahead(uint64_t fd, uint64_t offset, uint64_t bytes)
{
	struct file *file = user_file(fd);
	long result = 0;

	(void)offset;
	(void)bytes;
	if (!file)
		return -LINUX_EBADF;
	if (!file_is_readable(file))
		result = -LINUX_EBADF;
	else if (!is_type(file, LINUX_S_IFREG))
		result = -LINUX_EINVAL;
	file_release(file);
	return result;
}

long sys_fadvise64(uint64_t fd, uint64_t offset, uint64_t bytes, uint64_t advice)
{
	struct file *file = user_file(fd);
	long result = 0;

	(void)offset;
	if (!file)
		return -LINUX_EBADF;
	if (!file->vnode || is_type(file, LINUX_S_IFIFO))
		result = -LINUX_ESPIPE;
	else if ((int64_t)bytes < 0 || (uint32_t)advice > 5)
		result = -LINUX_EINVAL;
	file_release(file);
	return result;
}
