/*
 * System calls about the room files take and how durable they are: truncate(2),
 * fallocate(2), fsync(2), fadvise64(2).
 */
#include "kernel/fs/cached_pages.h"
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

long sys_sync(void)
{
	vfs_sync(NULL, true);
	return 0;
}

long sys_syncfs(uint64_t fd)
{
	struct file *file = user_file(fd);
	long result = 0;

	if (!file)
		return -LINUX_EBADF;
	if (file->vnode && file->vnode->fs->storage)
		result = vfs_sync(file->vnode->fs, true);
	file_release(file);
	return result;
}

/* sync_file_range(2): 1 and 4 wait for what is on its way, 2 begins to write. No metadata. */
static long write_range(struct file *file, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	uint64_t last = bytes ? (offset + bytes - 1) >> PAGE_SHIFT : LAST_PAGE - 1;

	if (flags == 0)
		return 0;
	return storage_write_pages(
		storage_node_of(file->vnode), offset >> PAGE_SHIFT, last, (flags & 5) != 0);
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
	else if (file->ops == &storage_file_ops)
		result = write_range(file, offset, bytes, (uint32_t)flags);
	file_release(file);
	return result;
}

/* ---- advice --------------------------------------------------------------------- */

/* As much as Linux's largest window at a time would be; the rest comes as it is read. */
#define MOST_AHEAD (8192u)

static void read_ahead(struct file *file, uint64_t offset, uint64_t bytes)
{
	uint64_t pages = MIN(bytes >> PAGE_SHIFT, MOST_AHEAD - 1) + 1;

	if (offset < file->vnode->size)
		storage_read_ahead(
			storage_node_of(file->vnode), offset >> PAGE_SHIFT, (uint32_t)pages);
}

long sys_readahead(uint64_t fd, uint64_t offset, uint64_t bytes)
{
	struct file *file = user_file(fd);
	long result = 0;

	if (!file)
		return -LINUX_EBADF;
	if (!file_is_readable(file))
		result = -LINUX_EBADF;
	else if (!is_type(file, LINUX_S_IFREG))
		result = -LINUX_EINVAL;
	else if (file->ops == &storage_file_ops)
		read_ahead(file, offset, bytes);
	file_release(file);
	return result;
}

enum advice {
	ADVICE_WILL_NEED = 3,
	ADVICE_DONT_NEED = 4,
};

static void advise(struct file *file, uint64_t offset, uint64_t bytes, uint32_t advice)
{
	struct storage_node *node = storage_node_of(file->vnode);
	uint64_t first = ALIGN_UP(offset, PAGE_BYTES) >> PAGE_SHIFT;
	uint64_t end = bytes && offset + bytes < file->vnode->size ? (offset + bytes) >> PAGE_SHIFT
								   : LAST_PAGE - 1;

	if (advice == ADVICE_WILL_NEED)
		read_ahead(file, offset, bytes ? bytes : file->vnode->size);
	if (advice != ADVICE_DONT_NEED || first >= end)
		return;
	storage_write_pages(node, first, end - 1, true);
	storage_invalidate(node, first, end - 1);
}

long sys_fadvise64(uint64_t fd, uint64_t offset, uint64_t bytes, uint64_t advice)
{
	struct file *file = user_file(fd);
	long result = 0;

	if (!file)
		return -LINUX_EBADF;
	if (!file->vnode || is_type(file, LINUX_S_IFIFO))
		result = -LINUX_ESPIPE;
	else if ((int64_t)bytes < 0 || (uint32_t)advice > 5)
		result = -LINUX_EINVAL;
	else if (file->ops == &storage_file_ops)
		advise(file, offset, bytes, (uint32_t)advice);
	file_release(file);
	return result;
}
