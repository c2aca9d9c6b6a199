/* See user_path.h. */
#include "kernel/syscall/user_path.h"
#include "kernel/fs/file.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "abi/linux/errno.h"
#include "abi/linux/fcntl.h"

int user_path_get(struct user_path *path, uint64_t address)
{
	long length = user_copy_string(path->small, address, sizeof(path->small));

	path->text = path->small;
	if (length != -LINUX_ENAMETOOLONG)
		return length < 0 ? (int)length : 0;
	path->text = heap_alloc(LINUX_PATH_MAX);
	if (!path->text)
		return -LINUX_ENOMEM;
	length = user_copy_string(path->text, address, LINUX_PATH_MAX);
	if (length < 0)
		user_path_put(path);
	return length < 0 ? (int)length : 0;
}

void user_path_put(struct user_path *path)
{
	if (path->text != path->small)
		heap_free(path->text);
	path->text = path->small;
}

struct file *user_file(uint64_t fd)
{
	struct file *file = fd_get((int)fd);

	if (file && (file->flags & LINUX_O_PATH)) {
		file_release(file);
		return NULL;
	}
	return file;
}
