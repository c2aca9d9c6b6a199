/*
 * System calls that make and end descriptors: open(2), close(2), dup(2) and kin.
 */
#include "kernel/fs/tree.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/rlimit.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"
#include "lib/string.h"

#define KNOWN_FLAGS                                                                                \
	(LINUX_O_ACCMODE | LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_NOCTTY | LINUX_O_TRUNC |         \
		LINUX_O_APPEND | LINUX_O_NONBLOCK | LINUX_O_SYNC | LINUX_O_DSYNC | LINUX_O_ASYNC | \
		LINUX_O_DIRECT | LINUX_O_LARGEFILE | LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW |        \
		LINUX_O_NOATIME | LINUX_O_CLOEXEC | LINUX_O_PATH | LINUX_O_TMPFILE_BIT)
#define KNOWN_RESOLVE 0x3f
#define PATH_FLAGS                                                                                 \
	(LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW | LINUX_O_PATH | LINUX_O_CLOEXEC | LINUX_O_LARGEFILE)

/* Installs a file that was just made, or lets it go. */
static long install(struct file *file, bool close_on_exec)
{
	int fd = fd_install(file, 0, close_on_exec);

	if (fd < 0)
		file_release(file);
	return fd;
}

static long open_file(
	uint64_t directory_fd, uint64_t address, uint32_t flags, uint32_t mode, uint64_t resolve)
{
	struct user_path path;
	struct file *file;
	long result = vfs_check_open_flags(flags);

	if (result == 0)
		result = user_path_get(&path, address);
	if (result != 0)
		return result;
	result = vfs_open((int)directory_fd, path.text, flags, mode, resolve, &file);
	user_path_put(&path);
	return result < 0 ? result : install(file, flags & LINUX_O_CLOEXEC);
}

long sys_openat(uint64_t directory_fd, uint64_t path, uint64_t flags, uint64_t mode)
{
	return open_file(directory_fd, path, (uint32_t)flags & KNOWN_FLAGS, mode & 07777, 0);
}

long sys_open(uint64_t path, uint64_t flags, uint64_t mode)
{
	return sys_openat((uint64_t)LINUX_AT_FDCWD, path, flags, mode);
}

long sys_creat(uint64_t path, uint64_t mode)
{
	return sys_open(path, LINUX_O_CREAT | LINUX_O_WRONLY | LINUX_O_TRUNC, mode);
}

struct open_how {
	uint64_t flags, mode, resolve;
};

static int get_open_how(struct open_how *how, uint64_t address, uint64_t bytes)
{
	if (bytes < sizeof(*how))
		return -LINUX_EINVAL;
	if (bytes > PAGE_BYTES)
		return -LINUX_E2BIG;
	for (uint64_t at = sizeof(*how); at < bytes; at++) {
		uint8_t byte;

		if (user_copy_in(&byte, address + at, 1) != 0)
			return -LINUX_EFAULT;
		if (byte != 0)
			return -LINUX_E2BIG;
	}
	return user_copy_in(how, address, sizeof(*how)) != 0 ? -LINUX_EFAULT : 0;
}

static int check_open_how(const struct open_how *how)
{
	bool creates = how->flags & (LINUX_O_CREAT | LINUX_O_TMPFILE_BIT);

	if (how->flags & ~(uint64_t)KNOWN_FLAGS)
		return -LINUX_EINVAL;
	if (how->resolve & ~(uint64_t)KNOWN_RESOLVE)
		return -LINUX_EINVAL;
	if ((how->resolve & LINUX_RESOLVE_BENEATH) && (how->resolve & LINUX_RESOLVE_IN_ROOT))
		return -LINUX_EINVAL;
	if (creates ? how->mode & ~07777ull : how->mode)
		return -LINUX_EINVAL;
	if ((how->flags & LINUX_O_PATH) && (how->flags & ~(uint64_t)PATH_FLAGS))
		return -LINUX_EINVAL;
	if ((how->resolve & LINUX_RESOLVE_CACHED) && (creates || (how->flags & LINUX_O_TRUNC)))
		return -LINUX_EAGAIN;
	return 0;
}

long sys_openat2(uint64_t directory_fd, uint64_t path, uint64_t address, uint64_t bytes)
{
	struct open_how how;
	int error = get_open_how(&how, address, bytes);

	if (!error)
		error = check_open_how(&how);
	if (error)
		return error;
	return open_file(directory_fd, path, (uint32_t)how.flags, (uint32_t)how.mode, how.resolve);
}

#define MEMFD_NAME_MAX 249

long sys_memfd_create(uint64_t address, uint64_t flags)
{
	char name[MEMFD_NAME_MAX + 1];
	struct file *file;
	long result;

	if (flags & ~(uint64_t)(LINUX_MFD_CLOEXEC | LINUX_MFD_ALLOW_SEALING |
				LINUX_MFD_NOEXEC_SEAL | LINUX_MFD_EXEC))
		return -LINUX_EINVAL;
	if ((flags & LINUX_MFD_EXEC) && (flags & LINUX_MFD_NOEXEC_SEAL))
		return -LINUX_EINVAL;
	result = user_copy_string(name, address, sizeof(name));
	if (result < 0)
		return result == -LINUX_ENAMETOOLONG ? -LINUX_EINVAL : result;
	result = vfs_create_anonymous(name, (uint32_t)flags, &file);
	return result < 0 ? result : install(file, flags & LINUX_MFD_CLOEXEC);
}

/* ---- descriptors ------------------------------------------------------------- */

long sys_close(uint64_t fd)
{
	return fd_close((int)fd);
}

#define CLOSE_RANGE_UNSHARE 2
#define CLOSE_RANGE_CLOEXEC 4

long sys_close_range(uint64_t first, uint64_t last, uint64_t flags)
{
	if ((uint32_t)flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -LINUX_EINVAL;
	return fd_close_range((unsigned)first, (unsigned)last, flags & CLOSE_RANGE_CLOEXEC);
}

long sys_dup(uint64_t fd)
{
	struct file *file = fd_get((int)fd);

	return file ? install(file, false) : -LINUX_EBADF;
}

static long duplicate_at(uint64_t old, uint64_t new, bool close_on_exec)
{
	struct file *file = fd_get((int)old);
	int result;

	if (!file)
		return -LINUX_EBADF;
	result = fd_install_at(file, (int)new, close_on_exec);
	if (result < 0)
		file_release(file);
	return result;
}

long sys_dup2(uint64_t old, uint64_t new)
{
	if ((int)old == (int)new)
		return fd_get_flags((int)old) < 0 ? -LINUX_EBADF : (long)(int)new;
	return duplicate_at(old, new, false);
}

long sys_dup3(uint64_t old, uint64_t new, uint64_t flags)
{
	if (((uint32_t)flags & ~(uint32_t)LINUX_O_CLOEXEC) || (int)old == (int)new)
		return -LINUX_EINVAL;
	return duplicate_at(old, new, flags & LINUX_O_CLOEXEC);
}

long sys_name_to_handle_at(
	uint64_t directory_fd, uint64_t path, uint64_t handle, uint64_t mount, uint64_t flags)
{
	(void)directory_fd;
	(void)path;
	(void)handle;
	(void)mount;
	(void)flags;
	return -LINUX_EOPNOTSUPP; /* as every file system that cannot be exported */
}
