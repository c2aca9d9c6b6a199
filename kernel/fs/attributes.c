/*
 * Asking and changing attributes by name, the current directory, the umask.
 */
#include "kernel/fs/inotify.h"
#include "kernel/fs/memfs.h"
#include "lib/format.h"
#include "lib/string.h"

static uint32_t path_flags_of(uint32_t at_flags)
{
	return at_flags & LINUX_AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW;
}

int file_stat(struct file *file, struct linux_stat *stat)
{
	if (file->ops->stat)
		return file->ops->stat(file, stat);
	if (file->vnode)
		return vnode_get_attributes(file->vnode, stat);
	memset(stat, 0, sizeof(*stat));
	stat->dev = 0xe; /* what has no node looks like an anonymous inode */
	stat->ino = 1;
	stat->nlink = 1;
	stat->mode = 0600;
	stat->block_bytes = (int64_t)PAGE_BYTES;
	return 0;
}

int vfs_stat(int directory_fd, const char *path, uint32_t at_flags, struct linux_stat *stat)
{
	struct resolved where;
	int error = path_resolve_at(directory_fd, path, at_flags, path_flags_of(at_flags), &where);

	if (error)
		return error;
	if (where.file)
		error = file_stat(where.file, stat);
	else
		error = vnode_get_attributes(where.entry->vnode, stat);
	resolved_release(&where);
	return error;
}

static int check_size_change(const struct vnode *vnode)
{
	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR))
		return -LINUX_EISDIR;
	if (vnode->fs->storage && LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG))
		return 0;
	return vnode_is_memory_file(vnode) ? 0 : -LINUX_EINVAL;
}

int vfs_set_vnode_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values)
{
	int error = mask & VNODE_SIZE ? check_size_change(vnode) : 0;

	/* Linux sets no mode of links. */
	if (!error && (mask & VNODE_MODE) && LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFLNK))
		error = -LINUX_EOPNOTSUPP;
	if (!error)
		error = vnode_set_attributes(vnode, mask, values);
	if (!error && vnode->watch_events)
		inotify_report(vnode, mask & VNODE_SIZE ? INOTIFY_MODIFY : INOTIFY_ATTRIB, 0, NULL,
			0, LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR));
	return error;
}

int vfs_set_attributes(int directory_fd, const char *path, uint32_t at_flags, uint32_t mask,
	const struct linux_stat *values)
{
	struct resolved where;
	int error = path_resolve_at(directory_fd, path, at_flags, path_flags_of(at_flags), &where);

	if (error)
		return error;
	error = where.entry ? vfs_set_vnode_attributes(where.entry->vnode, mask, values)
			    : -LINUX_EPERM;
	resolved_release(&where);
	return error;
}

/* As root: everything may be read and written, run only what is marked so. */
int vfs_access(int directory_fd, const char *path, int mode, uint32_t at_flags)
{
	struct linux_stat stat;
	struct resolved where;
	bool read_only;
	int error = path_resolve_at(directory_fd, path, at_flags, path_flags_of(at_flags), &where);

	if (error)
		return error;
	error = where.file ? file_stat(where.file, &stat)
			   : vnode_get_attributes(where.entry->vnode, &stat);
	read_only =
		where.entry && where.entry->vnode->fs->storage && where.entry->vnode->fs->read_only;
	resolved_release(&where);
	if (error)
		return error;
	if ((mode & 2) && read_only)
		return -LINUX_EROFS;
	if ((mode & 1) && !(stat.mode & 0111) && !LINUX_S_ISTYPE(stat.mode, LINUX_S_IFDIR))
		return -LINUX_EACCES;
	return 0;
}

long vfs_read_link(int directory_fd, const char *path, char *buffer, size_t capacity)
{
	struct resolved where;
	struct vnode *link;
	long result =
		path_resolve_at(directory_fd, path, *path ? 0 : LINUX_AT_EMPTY_PATH, 0, &where);

	if (result < 0)
		return result;
	link = where.entry ? where.entry->vnode : NULL;
	if (!link || !LINUX_S_ISTYPE(link->mode, LINUX_S_IFLNK)) {
		result = *path ? -LINUX_EINVAL : -LINUX_ENOENT;
	} else if (link->ops->read_link) {
		result = link->ops->read_link(link, buffer, capacity);
	} else {
		result = (long)link->size;
		memcpy(buffer, link->data, MIN(capacity, (size_t)result));
	}
	if (result >= 0)
		vnode_touch_access(link);
	resolved_release(&where);
	return result;
}

static void set_current_directory(struct path_entry *entry)
{
	struct path_entry *old;

	path_entry_acquire(entry);
	spin_lock(&tree.spin);
	old = tree.current_directory;
	tree.current_directory = entry;
	spin_unlock(&tree.spin);
	path_entry_release(old);
}

int vfs_change_directory(int directory_fd, const char *path)
{
	struct resolved where;
	int error = path_resolve(directory_fd, path, PATH_FOLLOW, 0, &where);

	if (error)
		return error;
	if (where.entry && path_entry_is_directory(where.entry))
		set_current_directory(where.entry);
	else
		error = -LINUX_ENOTDIR;
	resolved_release(&where);
	return error;
}

int vfs_change_directory_file(struct file *file)
{
	if (!file->entry || !path_entry_is_directory(file->entry))
		return -LINUX_ENOTDIR;
	set_current_directory(file->entry);
	return 0;
}

long vfs_current_directory(char *buffer, size_t capacity)
{
	struct path_entry *entry;
	long result;

	spin_lock(&tree.spin);
	entry = path_entry_acquire(tree.current_directory);
	spin_unlock(&tree.spin);
	result = tree_describe(entry, buffer, capacity, false);
	path_entry_release(entry);
	return result;
}

long vfs_describe_file(struct file *file, char *buffer, size_t capacity)
{
	struct linux_stat stat;
	const char *kind = file->ops->kind ? file->ops->kind : "file";
	size_t length;

	if (file->entry)
		return tree_describe(file->entry, buffer, capacity, true);
	if (strcmp(kind, "pipe") == 0 || strcmp(kind, "socket") == 0) {
		if (file_stat(file, &stat) < 0)
			stat.ino = 1;
		length = format_text(
			buffer, capacity, "%s:[%llu]", kind, (unsigned long long)stat.ino);
	} else {
		length = format_text(
			buffer, capacity, kind[0] == '/' ? "%s" : "anon_inode:[%s]", kind);
	}
	return length < capacity ? (long)length + 1 : -LINUX_ERANGE;
}

uint32_t vfs_umask(uint32_t mask)
{
	return __atomic_exchange_n(&tree.umask, mask & 0777, __ATOMIC_RELAXED);
}
