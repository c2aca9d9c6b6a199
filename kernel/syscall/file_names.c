/*
 * System calls about names: directories, links, renaming, the current directory.
 */
#include "kernel/fs/tree.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"
#include "lib/string.h"

#define CURRENT ((uint64_t)LINUX_AT_FDCWD)

/* Two paths of one call. */
struct path_pair {
	struct user_path first, second;
};

static int pair_get(struct path_pair *pair, uint64_t first, uint64_t second)
{
	int error = user_path_get(&pair->first, first);

	if (error)
		return error;
	error = user_path_get(&pair->second, second);
	if (error)
		user_path_put(&pair->first);
	return error;
}

static void pair_put(struct path_pair *pair)
{
	user_path_put(&pair->first);
	user_path_put(&pair->second);
}

long sys_mkdirat(uint64_t directory_fd, uint64_t address, uint64_t mode)
{
	struct user_path path;
	long result = user_path_get(&path, address);

	if (result < 0)
		return result;
	result = vfs_mkdir((int)directory_fd, path.text, mode & 07777);
	user_path_put(&path);
	return result;
}

long sys_mkdir(uint64_t path, uint64_t mode)
{
	return sys_mkdirat(CURRENT, path, mode);
}

/* From the number the program gave: 12 bits of major, 20 of minor, as Linux packs it. */
long sys_mknodat(uint64_t directory_fd, uint64_t address, uint64_t mode, uint64_t device)
{
	struct user_path path;
	long result = vfs_check_mknod_mode((uint32_t)mode);

	if (result == 0)
		result = user_path_get(&path, address);
	if (result != 0)
		return result;
	result = vfs_mknod((int)directory_fd, path.text, (uint32_t)mode, (uint32_t)device);
	user_path_put(&path);
	return result;
}

long sys_mknod(uint64_t path, uint64_t mode, uint64_t device)
{
	return sys_mknodat(CURRENT, path, mode, device);
}

static long unlink_name(uint64_t directory_fd, uint64_t address, bool directory)
{
	struct user_path path;
	long result = user_path_get(&path, address);

	if (result < 0)
		return result;
	result = vfs_unlink((int)directory_fd, path.text, directory);
	user_path_put(&path);
	return result;
}

long sys_unlinkat(uint64_t directory_fd, uint64_t path, uint64_t flags)
{
	if ((uint32_t)flags & ~(uint32_t)LINUX_AT_REMOVEDIR)
		return -LINUX_EINVAL;
	return unlink_name(directory_fd, path, flags & LINUX_AT_REMOVEDIR);
}

long sys_unlink(uint64_t path)
{
	return unlink_name(CURRENT, path, false);
}

long sys_rmdir(uint64_t path)
{
	return unlink_name(CURRENT, path, true);
}

long sys_symlinkat(uint64_t target, uint64_t directory_fd, uint64_t path)
{
	struct path_pair pair;
	long result = pair_get(&pair, target, path);

	if (result < 0)
		return result;
	result = vfs_symlink(pair.first.text, (int)directory_fd, pair.second.text);
	pair_put(&pair);
	return result;
}

long sys_symlink(uint64_t target, uint64_t path)
{
	return sys_symlinkat(target, CURRENT, path);
}

long sys_linkat(
	uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path, uint64_t flags)
{
	struct path_pair pair;
	long result;

	if ((uint32_t)flags & ~(uint32_t)(LINUX_AT_SYMLINK_FOLLOW | LINUX_AT_EMPTY_PATH))
		return -LINUX_EINVAL;
	result = pair_get(&pair, old_path, new_path);
	if (result < 0)
		return result;
	result = vfs_link(
		(int)old_fd, pair.first.text, (int)new_fd, pair.second.text, (uint32_t)flags);
	pair_put(&pair);
	return result;
}

long sys_link(uint64_t old_path, uint64_t new_path)
{
	return sys_linkat(CURRENT, old_path, CURRENT, new_path, 0);
}

long sys_renameat2(
	uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path, uint64_t flags)
{
	struct path_pair pair;
	long result = vfs_check_rename_flags((uint32_t)flags);

	if (result == 0)
		result = pair_get(&pair, old_path, new_path);
	if (result != 0)
		return result;
	result = vfs_rename(
		(int)old_fd, pair.first.text, (int)new_fd, pair.second.text, (uint32_t)flags);
	pair_put(&pair);
	return result;
}

long sys_renameat(uint64_t old_fd, uint64_t old_path, uint64_t new_fd, uint64_t new_path)
{
	return sys_renameat2(old_fd, old_path, new_fd, new_path, 0);
}

long sys_rename(uint64_t old_path, uint64_t new_path)
{
	return sys_renameat2(CURRENT, old_path, CURRENT, new_path, 0);
}

static long read_link(int directory_fd, const char *path, uint64_t address, size_t capacity)
{
	char small[200], *text = small;
	long length = vfs_read_link(directory_fd, path, small, sizeof(small));

	if (length > (long)sizeof(small) && capacity > sizeof(small)) {
		text = heap_alloc(LINUX_PATH_MAX);
		if (!text)
			return -LINUX_ENOMEM;
		length = vfs_read_link(directory_fd, path, text, LINUX_PATH_MAX);
	}
	if (length > 0) {
		length = MIN(length, LINUX_PATH_MAX);
		length = MIN(length, (long)capacity);
		if (user_copy_out(address, text, (size_t)length) != 0)
			length = -LINUX_EFAULT;
	}
	if (text != small)
		heap_free(text);
	return length;
}

long sys_readlinkat(uint64_t directory_fd, uint64_t address, uint64_t buffer, uint64_t capacity)
{
	struct user_path path;
	long result;

	if ((int)capacity <= 0)
		return -LINUX_EINVAL;
	result = user_path_get(&path, address);
	if (result < 0)
		return result;
	result = read_link((int)directory_fd, path.text, buffer, (uint32_t)capacity);
	user_path_put(&path);
	return result;
}

long sys_readlink(uint64_t path, uint64_t buffer, uint64_t capacity)
{
	return sys_readlinkat(CURRENT, path, buffer, capacity);
}

/* ---- the current directory ------------------------------------------------------ */

long sys_getcwd(uint64_t address, uint64_t capacity)
{
	char *buffer = heap_alloc(LINUX_PATH_MAX);
	long length = buffer ? vfs_current_directory(buffer, LINUX_PATH_MAX) : -LINUX_ENOMEM;

	if (length == -LINUX_ERANGE)
		length = -LINUX_ENAMETOOLONG;
	else if (length > 0 && (uint64_t)length > capacity)
		length = -LINUX_ERANGE;
	else if (length > 0 && user_copy_out(address, buffer, (size_t)length) != 0)
		length = -LINUX_EFAULT;
	heap_free(buffer);
	return length;
}

long sys_chdir(uint64_t address)
{
	struct user_path path;
	long result = user_path_get(&path, address);

	if (result < 0)
		return result;
	result = vfs_change_directory(LINUX_AT_FDCWD, path.text);
	user_path_put(&path);
	return result;
}

long sys_fchdir(uint64_t fd)
{
	struct file *file = fd_get((int)fd);
	long result;

	if (!file)
		return -LINUX_EBADF;
	result = vfs_change_directory_file(file);
	file_release(file);
	return result;
}

long sys_umask(uint64_t mask)
{
	return vfs_umask((uint32_t)mask);
}
