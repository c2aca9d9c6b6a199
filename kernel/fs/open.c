/*
 * Opening: open(2), openat2(2), O_TMPFILE, memfd_create(2).
 */
#include "kernel/fs/inotify.h"
#include "kernel/fs/memfs.h"
#include "lib/format.h"
#include "lib/string.h"

#define KEPT_BY_PATH (LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW | LINUX_O_PATH | LINUX_O_CLOEXEC)
#define NOT_KEPT     (LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_NOCTTY | LINUX_O_TRUNC)

static const struct file_ops path_only_ops = {.kind = "path"};

static bool is_type(const struct vnode *vnode, uint32_t type)
{
	return LINUX_S_ISTYPE(vnode->mode, type);
}

/* What may not be opened so, whatever the file system says. */
static int check_type(const struct vnode *vnode, uint32_t flags)
{
	bool writes = (flags & LINUX_O_ACCMODE) != LINUX_O_RDONLY;

	if ((flags & LINUX_O_DIRECTORY) && !is_type(vnode, LINUX_S_IFDIR))
		return -LINUX_ENOTDIR;
	if (flags & LINUX_O_PATH)
		return 0;
	if (is_type(vnode, LINUX_S_IFLNK))
		return -LINUX_ELOOP;
	if (is_type(vnode, LINUX_S_IFDIR) && (writes || (flags & LINUX_O_CREAT)))
		return -LINUX_EISDIR;
	if (is_type(vnode, LINUX_S_IFSOCK))
		return -LINUX_ENXIO;
	if (vnode->fs->storage && vnode->fs->read_only && (writes || (flags & LINUX_O_TRUNC)) &&
		is_type(vnode, LINUX_S_IFREG))
		return -LINUX_EROFS;
	return 0;
}

static int truncate_at_open(struct vnode *vnode)
{
	struct linux_stat values = {0};
	int error;

	if (!is_type(vnode, LINUX_S_IFREG) || !(vnode_is_memory_file(vnode) || vnode->fs->storage))
		return 0;
	error = vnode_set_attributes(vnode, VNODE_SIZE, &values);
	if (!error)
		inotify_report(vnode, INOTIFY_MODIFY, 0, NULL, 0, false);
	return error;
}

/* A description of `entry`, already allowed. */
static int open_entry(struct path_entry *entry, uint32_t flags, struct file **result)
{
	struct vnode *vnode = entry->vnode;
	const struct file_ops *ops = flags & LINUX_O_PATH ? &path_only_ops : vnode->file_ops;
	struct file *file =
		file_create(ops ? ops : &path_only_ops, flags & ~(uint32_t)NOT_KEPT, NULL);
	int error = 0;

	if (!file)
		return -LINUX_ENOMEM;
	file->vnode = vnode_acquire(vnode);
	file->entry = path_entry_acquire(entry);
	if (!(flags & LINUX_O_PATH)) {
		if (vnode->ops->open)
			error = vnode->ops->open(vnode, file);
		else if (!ops)
			error = -LINUX_ENXIO;
	}
	if (error) {
		file->ops = &path_only_ops;
		file_release(file);
		return error;
	}
	if (READ_ONCE(inotify_watch_count) && !(flags & LINUX_O_PATH))
		inotify_report_entry(entry, INOTIFY_OPEN);
	*result = file;
	return 0;
}

static int open_existing(
	struct path_entry *entry, uint32_t flags, bool created, struct file **result)
{
	int error = check_type(entry->vnode, flags);

	if (!error && (flags & LINUX_O_TRUNC) && !created && !(flags & LINUX_O_PATH))
		error = truncate_at_open(entry->vnode);
	return error ? error : open_entry(entry, flags, result);
}

/* An open file without a name in the tree, reached through /proc/self/fd: a stream
 * has no position, so another descriptor of it is as good as a new description, unless
 * the kind of file knows better. */
static int open_stream(struct file *file, uint32_t flags, struct file **result)
{
	uint32_t wanted = flags & LINUX_O_ACCMODE, has = file->flags & LINUX_O_ACCMODE;

	if (flags & LINUX_O_DIRECTORY)
		return -LINUX_ENOTDIR;
	if (file->ops->reopen && !(flags & LINUX_O_PATH))
		return file->ops->reopen(file, flags, result);
	if (file->ops->seek || !file->ops->stat || (has != LINUX_O_RDWR && has != wanted))
		return -LINUX_ENXIO;
	file_acquire(file);
	*result = file;
	return 0;
}

static int create_entry(struct resolved *where, uint32_t mode, struct path_entry **entry)
{
	struct vnode *directory = where->parent->vnode, *vnode;
	int error;

	if (!where->parent->linked)
		return -LINUX_ENOENT;
	if (directory->fs->storage && directory->fs->read_only)
		return -LINUX_EROFS;
	if (!directory->ops->create)
		return tree_misses_are_errors(directory) ? -LINUX_ENOENT : -LINUX_EACCES;
	mode = LINUX_S_IFREG | (mode & 07777 & ~tree.umask);
	error = directory->ops->create(directory, where->name, where->name_length, mode, 0, &vnode);
	if (error)
		return error;
	error = tree_link(where->parent, where->name, where->name_length, vnode, false, entry);
	if (error)
		directory->ops->unlink(directory, where->name, where->name_length, vnode);
	else if (READ_ONCE(inotify_watch_count))
		inotify_report(
			directory, INOTIFY_CREATE, 0, where->name, where->name_length, false);
	vnode_release(vnode);
	return error;
}

/* With O_CREAT: the last component is looked up and made under tree.lock. */
static int open_or_create(int directory_fd, const char *path, uint32_t path_flags, uint32_t flags,
	uint32_t mode, uint64_t resolve, struct file **result)
{
	struct resolved where;
	struct path_entry *created = NULL;
	int error;

	mutex_lock(&tree.lock);
	error = path_resolve(
		directory_fd, path, path_flags | PATH_MAY_MISS | PATH_CREATE, resolve, &where);
	if (!error && !where.entry && !where.file) {
		error = create_entry(&where, mode, &created);
		mutex_unlock(&tree.lock);
		if (!error)
			error = open_entry(created, flags, result);
		if (created)
			path_entry_release(created);
		resolved_release(&where);
		return error;
	}
	mutex_unlock(&tree.lock);
	if (error)
		return error;
	if (flags & LINUX_O_EXCL)
		error = -LINUX_EEXIST;
	else if (where.file)
		error = open_stream(where.file, flags, result);
	else
		error = open_existing(where.entry, flags, false, result);
	resolved_release(&where);
	return error;
}

static int make_temporary(struct vnode *directory, uint32_t mode, struct vnode **vnode)
{
	if (directory->fs->storage && directory->fs->read_only)
		return -LINUX_EROFS;
	if (directory->ops->create_temporary)
		return directory->ops->create_temporary(directory, mode, vnode);
	if (!directory->ops->create || directory->fs->storage)
		return -LINUX_EOPNOTSUPP;
	if (!memfs_count_node(directory->fs))
		return -LINUX_ENOSPC;
	*vnode = memfs_new_file(directory->fs, mode);
	if (!*vnode) {
		memfs_uncount_node(directory->fs);
		return -LINUX_ENOSPC;
	}
	(*vnode)->is_counted = true;
	(*vnode)->nlink = 0;
	memfs_inherit_group(directory, *vnode);
	return 0;
}

static int open_temporary(int directory_fd, const char *path, uint32_t path_flags, uint32_t flags,
	uint32_t mode, uint64_t resolve, struct file **result)
{
	struct resolved where;
	struct path_entry *entry = NULL;
	struct vnode *vnode = NULL;
	char name[24];
	int error = path_resolve(directory_fd, path, path_flags, resolve, &where);

	if (error)
		return error;
	if (where.file || !path_entry_is_directory(where.entry))
		error = -LINUX_ENOTDIR;
	else
		error = make_temporary(where.entry->vnode, mode & 07777 & ~tree.umask, &vnode);
	if (!error) {
		size_t length =
			format_text(name, sizeof(name), "#%llu", (unsigned long long)vnode->inode);

		entry = path_entry_create(where.entry, name, length, vnode);
		vnode_release(vnode);
		error = entry ? open_entry(entry, flags, result) : -LINUX_ENOMEM;
	}
	if (entry)
		path_entry_release(entry);
	resolved_release(&where);
	return error;
}

int vfs_check_open_flags(uint32_t flags)
{
	bool temporary = flags & LINUX_O_TMPFILE_BIT;

	if (flags & LINUX_O_PATH)
		return 0;
	if ((flags & LINUX_O_CREAT) && (flags & LINUX_O_DIRECTORY))
		return -LINUX_EINVAL;
	if (temporary && ((flags & LINUX_O_TMPFILE) != LINUX_O_TMPFILE ||
				 (flags & LINUX_O_ACCMODE) == LINUX_O_RDONLY))
		return -LINUX_EINVAL;
	return 0;
}

int vfs_open(int directory_fd, const char *path, uint32_t flags, uint32_t mode, uint64_t resolve,
	struct file **result)
{
	uint32_t path_flags = flags & LINUX_O_NOFOLLOW ? 0 : PATH_FOLLOW;
	struct resolved where;
	int error = vfs_check_open_flags(flags);

	if (error)
		return error;
	if (flags & LINUX_O_PATH)
		flags &= KEPT_BY_PATH;
	else
		flags |= LINUX_O_LARGEFILE;
	if (flags & LINUX_O_TMPFILE_BIT)
		return open_temporary(directory_fd, path, path_flags, flags, mode, resolve, result);
	if (flags & LINUX_O_CREAT) {
		if (flags & LINUX_O_EXCL)
			path_flags = 0;
		return open_or_create(directory_fd, path, path_flags, flags, mode, resolve, result);
	}
	error = path_resolve(directory_fd, path, path_flags, resolve, &where);
	if (error)
		return error;
	if (where.file)
		error = open_stream(where.file, flags, result);
	else
		error = open_existing(where.entry, flags, false, result);
	resolved_release(&where);
	return error;
}

int vfs_create_anonymous(const char *name, uint32_t flags, struct file **file)
{
	struct vnode *vnode = memfs_new_file(&memfs_memfd, 0777);
	struct path_entry *entry;
	char text[LINUX_NAME_MAX + 1];
	size_t length = format_text(text, sizeof(text), "memfd:%s", name);
	int error;

	if (!vnode)
		return -LINUX_ENOMEM;
	vnode->nlink = 0;
	if (flags & LINUX_MFD_ALLOW_SEALING)
		memory_file_of(vnode)->seals = 0;
	if (flags & LINUX_MFD_NOEXEC_SEAL) {
		vnode->mode &= ~0111u;
		memory_file_of(vnode)->seals = LINUX_F_SEAL_EXEC;
	}
	entry = path_entry_create(NULL, text, MIN(length, LINUX_NAME_MAX), vnode);
	vnode_release(vnode);
	if (!entry)
		return -LINUX_ENOMEM;
	error = open_entry(entry, LINUX_O_RDWR | LINUX_O_LARGEFILE, file);
	path_entry_release(entry);
	return error;
}
