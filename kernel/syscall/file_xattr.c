/*
 * System calls of extended attributes: xattr(7).
 */
#include "kernel/fs/tree.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/uaccess.h"
#include "kernel/syscall/prototypes.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_path.h"

/* Which file: by path (followed or not) or by descriptor. */
enum target_kind {
	TARGET_PATH,
	TARGET_LINK,
	TARGET_FD,
};

static int find_target(enum target_kind kind, uint64_t target, struct vnode **vnode)
{
	struct user_path path;
	struct resolved where;
	struct file *file;
	int error;

	if (kind == TARGET_FD) {
		file = user_file(target);
		if (!file)
			return -LINUX_EBADF;
		error = file->vnode ? 0 : -LINUX_EOPNOTSUPP;
		if (!error)
			*vnode = vnode_acquire(file->vnode);
		file_release(file);
		return error;
	}
	error = user_path_get(&path, target);
	if (error)
		return error;
	error = path_resolve(
		LINUX_AT_FDCWD, path.text, kind == TARGET_PATH ? PATH_FOLLOW : 0, 0, &where);
	user_path_put(&path);
	if (error)
		return error;
	error = where.entry ? 0 : -LINUX_EOPNOTSUPP;
	if (!error)
		*vnode = vnode_acquire(where.entry->vnode);
	resolved_release(&where);
	return error;
}

static int get_name(char name[XATTR_NAME_MAX + 1], uint64_t address)
{
	long length = user_copy_string(name, address, XATTR_NAME_MAX + 1);

	if (length == 0 || length == -LINUX_ENAMETOOLONG)
		return -LINUX_ERANGE;
	return length < 0 ? (int)length : 0;
}

static long set(enum target_kind kind, uint64_t target, uint64_t name_address, uint64_t value,
	uint64_t bytes, uint64_t flags)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *vnode = NULL;
	void *copy = NULL;
	int error;

	if ((uint32_t)flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -LINUX_EINVAL;
	error = get_name(name, name_address);
	if (!error && bytes > XATTR_SIZE_MAX)
		error = -LINUX_E2BIG;
	if (!error && bytes > 0) {
		copy = heap_alloc(bytes);
		if (!copy)
			error = -LINUX_ENOMEM;
		else if (user_copy_in(copy, value, bytes) != 0)
			error = -LINUX_EFAULT;
	}
	if (!error)
		error = find_target(kind, target, &vnode);
	if (!error) {
		error = xattr_set(vnode, name, copy, bytes, (int)flags);
		vnode_release(vnode);
	}
	heap_free(copy);
	return error;
}

/* Runs `ask` with a kernel buffer and copies out what it gives. */
static long fetch(struct vnode *vnode, const char *name, uint64_t address, uint64_t capacity)
{
	size_t bytes = MIN(capacity, (uint64_t)XATTR_SIZE_MAX);
	void *buffer = bytes > 0 ? heap_alloc(bytes) : NULL;
	long result;

	if (bytes > 0 && !buffer)
		return -LINUX_ENOMEM;
	result = name ? xattr_get(vnode, name, buffer, bytes) : xattr_list(vnode, buffer, bytes);
	if (result > 0 && bytes > 0 && user_copy_out(address, buffer, (size_t)result) != 0)
		result = -LINUX_EFAULT;
	heap_free(buffer);
	return result;
}

static long get(enum target_kind kind, uint64_t target, uint64_t name_address, uint64_t address,
	uint64_t capacity)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *vnode = NULL;
	long result = get_name(name, name_address);

	if (result == 0)
		result = find_target(kind, target, &vnode);
	if (result < 0)
		return result;
	result = fetch(vnode, name, address, capacity);
	vnode_release(vnode);
	return result;
}

static long list(enum target_kind kind, uint64_t target, uint64_t address, uint64_t capacity)
{
	struct vnode *vnode = NULL;
	long result = find_target(kind, target, &vnode);

	if (result < 0)
		return result;
	result = fetch(vnode, NULL, address, capacity);
	vnode_release(vnode);
	return result;
}

static long remove(enum target_kind kind, uint64_t target, uint64_t name_address)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *vnode = NULL;
	long result = get_name(name, name_address);

	if (result == 0)
		result = find_target(kind, target, &vnode);
	if (result < 0)
		return result;
	result = xattr_remove(vnode, name);
	vnode_release(vnode);
	return result;
}

long sys_setxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t bytes, uint64_t flags)
{
	return set(TARGET_PATH, path, name, value, bytes, flags);
}

long sys_lsetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t bytes, uint64_t flags)
{
	return set(TARGET_LINK, path, name, value, bytes, flags);
}

long sys_fsetxattr(uint64_t fd, uint64_t name, uint64_t value, uint64_t bytes, uint64_t flags)
{
	return set(TARGET_FD, fd, name, value, bytes, flags);
}

long sys_getxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t bytes)
{
	return get(TARGET_PATH, path, name, value, bytes);
}

long sys_lgetxattr(uint64_t path, uint64_t name, uint64_t value, uint64_t bytes)
{
	return get(TARGET_LINK, path, name, value, bytes);
}

long sys_fgetxattr(uint64_t fd, uint64_t name, uint64_t value, uint64_t bytes)
{
	return get(TARGET_FD, fd, name, value, bytes);
}

long sys_listxattr(uint64_t path, uint64_t names, uint64_t bytes)
{
	return list(TARGET_PATH, path, names, bytes);
}

long sys_llistxattr(uint64_t path, uint64_t names, uint64_t bytes)
{
	return list(TARGET_LINK, path, names, bytes);
}

long sys_flistxattr(uint64_t fd, uint64_t names, uint64_t bytes)
{
	return list(TARGET_FD, fd, names, bytes);
}

long sys_removexattr(uint64_t path, uint64_t name)
{
	return remove(TARGET_PATH, path, name);
}

long sys_lremovexattr(uint64_t path, uint64_t name)
{
	return remove(TARGET_LINK, path, name);
}

long sys_fremovexattr(uint64_t fd, uint64_t name)
{
	return remove(TARGET_FD, fd, name);
}
