/*
 * System calls of inotify(7).
 */
#include "kernel/fs/inotify.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"

long sys_inotify_init1(uint64_t flags)
{
	struct file *file;
	int error, fd;

	if ((uint32_t)flags & ~(uint32_t)(LINUX_O_NONBLOCK | LINUX_O_CLOEXEC))
		return -LINUX_EINVAL;
	error = inotify_create_file((uint32_t)flags, &file);
	if (error)
		return error;
	fd = fd_install(file, 0, flags & LINUX_O_CLOEXEC);
	if (fd < 0)
		file_release(file);
	return fd;
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

/* The instance behind a descriptor, with a reference. */
static int find_instance(uint64_t fd, struct file **file)
{
	*file = user_file(fd);
	if (!*file)
		return -LINUX_EBADF;
	if (inotify_is_inotify(*file))
		return 0;
	file_release(*file);
	return -LINUX_EINVAL;
}

static long add_watch(struct file *file, const char *path, uint32_t mask)
{
	struct resolved where;
	long result = path_resolve(
		LINUX_AT_FDCWD, path, mask & INOTIFY_DONT_FOLLOW ? 0 : PATH_FOLLOW, 0, &where);

	if (result < 0)
		return result;
	if (!where.entry)
		result = -LINUX_EINVAL;
	else if ((mask & INOTIFY_ONLYDIR) && !path_entry_is_directory(where.entry))
		result = -LINUX_ENOTDIR;
	else
		result = inotify_add_watch(file, where.entry->vnode, mask);
	resolved_release(&where);
	return result;
}

long sys_inotify_add_watch(uint64_t fd, uint64_t address, uint64_t mask)
{
	struct user_path path;
	struct file *file;
	long result = find_instance(fd, &file);

	if (result < 0)
		return result;
	result = user_path_get(&path, address);
	if (result == 0) {
		result = add_watch(file, path.text, (uint32_t)mask);
		user_path_put(&path);
	}
	file_release(file);
	return result;
}

long sys_inotify_rm_watch(uint64_t fd, uint64_t watch)
{
	struct file *file;
	long result = find_instance(fd, &file);

	if (result < 0)
		return result;
	result = inotify_remove_watch(file, (int32_t)watch);
	file_release(file);
	return result;
}
