/*
 * Changing names: mkdir, mknod, symlink, link, unlink, rmdir, rename. Each holds
 * tree.lock from the lookup to the change.
 */
#include "kernel/fs/image_tree.h"
#include "kernel/fs/inotify.h"
#include "lib/string.h"

static bool is_directory(const struct path_entry *entry)
{
	return path_entry_is_directory(entry);
}

static void report(struct path_entry *directory, uint32_t events, uint32_t cookie, const char *name,
	size_t length, const struct path_entry *entry)
{
	if (READ_ONCE(inotify_watch_count))
		inotify_report(directory->vnode, events, cookie, name, length, is_directory(entry));
}

static bool is_read_only(const struct path_entry *directory)
{
	return tree_is_cached(directory) && directory->vnode->fs->read_only;
}

/* Where a new name goes. `for_directory`: it may end in a slash. */
static int resolve_new(
	int directory_fd, const char *path, bool for_directory, struct resolved *where)
{
	int error = path_resolve(directory_fd, path, PATH_PARENT | PATH_MAY_MISS, 0, where);

	if (error)
		return error;
	if (where->last != PATH_LAST_NAME || where->entry)
		error = -LINUX_EEXIST;
	else if (where->ends_in_slash && !for_directory)
		error = -LINUX_ENOENT;
	else if (!where->parent->linked || tree_misses_are_errors(where->parent->vnode))
		error = -LINUX_ENOENT;
	if (error)
		resolved_release(where);
	return error;
}

enum new_kind {
	NEW_NODE,
	NEW_DIRECTORY,
	NEW_LINK,
};

struct new_name {
	enum new_kind kind;
	uint32_t mode;
	uint64_t device;
	const char *target;
};

static int make_node(struct resolved *where, const struct new_name *what, struct vnode **vnode)
{
	struct vnode *directory = where->parent->vnode;
	const struct vnode_ops *ops = directory->ops;
	uint32_t mode = what->mode & ~tree.umask;

	if (is_read_only(where->parent))
		return -LINUX_EROFS;
	if (what->kind == NEW_DIRECTORY && ops->make_directory)
		return ops->make_directory(
			directory, where->name, where->name_length, mode & 01777, vnode);
	if (what->kind == NEW_LINK && ops->symlink)
		return ops->symlink(
			directory, where->name, where->name_length, what->target, vnode);
	if (what->kind == NEW_NODE && ops->create)
		return ops->create(
			directory, where->name, where->name_length, mode, what->device, vnode);
	return -LINUX_EPERM;
}

static int create_name(int directory_fd, const char *path, const struct new_name *what)
{
	struct path_entry *entry = NULL;
	struct resolved where;
	struct vnode *vnode;
	int error;

	mutex_lock(&tree.lock);
	error = resolve_new(directory_fd, path, what->kind == NEW_DIRECTORY, &where);
	if (error) {
		mutex_unlock(&tree.lock);
		return error;
	}
	error = make_node(&where, what, &vnode);
	if (!error) {
		struct vnode *directory = where.parent->vnode;

		error = tree_link(
			where.parent, where.name, where.name_length, vnode, false, &entry);
		if (error && what->kind == NEW_DIRECTORY)
			directory->ops->remove_directory(
				directory, where.name, where.name_length, vnode);
		else if (error)
			directory->ops->unlink(directory, where.name, where.name_length, vnode);
		vnode_release(vnode);
	}
	mutex_unlock(&tree.lock);
	if (entry) {
		report(where.parent, INOTIFY_CREATE, 0, where.name, where.name_length, entry);
		path_entry_release(entry);
	}
	resolved_release(&where);
	return error;
}

int vfs_mkdir(int directory_fd, const char *path, uint32_t mode)
{
	return create_name(
		directory_fd, path, &(struct new_name){.kind = NEW_DIRECTORY, .mode = mode});
}

int vfs_check_mknod_mode(uint32_t mode)
{
	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFDIR:
		return -LINUX_EPERM;
	case 0:
	case LINUX_S_IFREG:
	case LINUX_S_IFIFO:
	case LINUX_S_IFSOCK:
	case LINUX_S_IFCHR:
	case LINUX_S_IFBLK:
		return 0;
	default:
		return -LINUX_EINVAL;
	}
}

int vfs_mknod(int directory_fd, const char *path, uint32_t mode, uint64_t device)
{
	int error = vfs_check_mknod_mode(mode);

	if (error)
		return error;
	if ((mode & LINUX_S_IFMT) == 0)
		mode |= LINUX_S_IFREG;
	mode &= LINUX_S_IFMT | 07777;
	if (!LINUX_S_ISTYPE(mode, LINUX_S_IFCHR) && !LINUX_S_ISTYPE(mode, LINUX_S_IFBLK))
		device = 0;
	return create_name(directory_fd, path,
		&(struct new_name){.kind = NEW_NODE, .mode = mode, .device = device});
}

int vfs_symlink(const char *target, int directory_fd, const char *path)
{
	if (!*target)
		return -LINUX_ENOENT;
	return create_name(
		directory_fd, path, &(struct new_name){.kind = NEW_LINK, .target = target});
}

static int link_entry(struct path_entry *old, struct resolved *where)
{
	struct vnode *vnode = old->vnode, *directory = where->parent->vnode;
	int error;

	if (!vnode_same_mount(vnode, directory))
		return -LINUX_EXDEV;
	if (is_read_only(where->parent))
		return -LINUX_EROFS;
	if (!directory->ops->link || is_directory(old))
		return -LINUX_EPERM;
	if (vnode->nlink == 0 && old->name[0] != '#')
		return -LINUX_ENOENT;
	error = directory->ops->link(directory, where->name, where->name_length, vnode);
	if (error)
		return error;
	error = tree_link(where->parent, where->name, where->name_length, vnode, false, NULL);
	if (error) {
		directory->ops->unlink(directory, where->name, where->name_length, vnode);
		return error;
	}
	if (READ_ONCE(inotify_watch_count)) {
		inotify_report(vnode, INOTIFY_ATTRIB, 0, NULL, 0, false);
		report(where->parent, INOTIFY_CREATE, 0, where->name, where->name_length, old);
	}
	return 0;
}

int vfs_link(int old_fd, const char *old_path, int new_fd, const char *new_path, uint32_t at_flags)
{
	uint32_t path_flags = at_flags & LINUX_AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0;
	struct resolved old, where;
	int error = path_resolve_at(old_fd, old_path, at_flags, path_flags, &old);

	if (error)
		return error;
	mutex_lock(&tree.lock);
	error = resolve_new(new_fd, new_path, false, &where);
	if (!error) {
		error = old.entry ? link_entry(old.entry, &where) : -LINUX_EXDEV;
		resolved_release(&where);
	}
	mutex_unlock(&tree.lock);
	resolved_release(&old);
	return error;
}

/* Of a directory on storage only its file system knows, and says so when it is removed. */
static bool is_known_empty(const struct path_entry *entry)
{
	return tree_is_cached(entry) || list_is_empty(&entry->children);
}

static int check_unlink(const struct resolved *where)
{
	if (where->last != PATH_LAST_NAME)
		return -LINUX_EISDIR;
	if (is_read_only(where->parent))
		return -LINUX_EROFS;
	if (!where->entry)
		return -LINUX_ENOENT;
	if (where->ends_in_slash)
		return is_directory(where->entry) ? -LINUX_EISDIR : -LINUX_ENOTDIR;
	if (!where->parent->vnode->ops->unlink)
		return -LINUX_EPERM;
	return is_directory(where->entry) ? -LINUX_EISDIR : 0;
}

/* Has the directory, if it is one, no names? -ENOTEMPTY, or why that cannot be told. */
static int check_is_empty(struct path_entry *entry)
{
	int error = image_tree_fill(entry);

	return error || is_known_empty(entry) ? error : -LINUX_ENOTEMPTY;
}

static int check_remove_directory(const struct resolved *where)
{
	switch (where->last) {
	case PATH_LAST_DOT:
		return -LINUX_EINVAL;
	case PATH_LAST_DOTDOT:
		return -LINUX_ENOTEMPTY;
	case PATH_LAST_ROOT:
	case PATH_LAST_JUMP:
		return -LINUX_EBUSY;
	case PATH_LAST_NAME:
		break;
	}
	if (is_read_only(where->parent))
		return -LINUX_EROFS;
	if (!where->entry)
		return -LINUX_ENOENT;
	if (!where->parent->vnode->ops->remove_directory)
		return -LINUX_EPERM;
	if (!is_directory(where->entry))
		return -LINUX_ENOTDIR;
	if (path_entry_is_mount(where->entry))
		return -LINUX_EBUSY;
	return check_is_empty(where->entry);
}

static void report_removed(const struct resolved *where)
{
	struct vnode *vnode = where->entry->vnode;

	if (!READ_ONCE(inotify_watch_count))
		return;
	if (vnode->nlink == 0)
		inotify_vnode_deleted(vnode);
	else
		inotify_report(vnode, INOTIFY_ATTRIB, 0, NULL, 0, false);
	report(where->parent, INOTIFY_DELETE, 0, where->name, where->name_length, where->entry);
}

int vfs_unlink(int directory_fd, const char *path, bool directory)
{
	struct resolved where;
	int error;

	mutex_lock(&tree.lock);
	error = path_resolve(directory_fd, path, PATH_PARENT | PATH_MAY_MISS, 0, &where);
	if (error) {
		mutex_unlock(&tree.lock);
		return error;
	}
	error = directory ? check_remove_directory(&where) : check_unlink(&where);
	if (!error)
		error = image_tree_fill(where.parent);
	if (!error) {
		struct vnode *parent = where.parent->vnode;

		error = (directory ? parent->ops->remove_directory : parent->ops->unlink)(
			parent, where.name, where.name_length, where.entry->vnode);
	}
	if (!error) {
		if (directory)
			tree_forget_children(where.entry);
		tree_unlink(where.entry);
	}
	mutex_unlock(&tree.lock);
	if (!error)
		report_removed(&where);
	resolved_release(&where);
	return error;
}

/* What rename(2) refuses, in the order Linux finds it. */
static int check_rename(const struct resolved *old, const struct resolved *new, uint32_t flags)
{
	bool exchange = flags & LINUX_RENAME_EXCHANGE;

	if (!vnode_same_mount(old->parent->vnode, new->parent->vnode))
		return -LINUX_EXDEV;
	if (is_read_only(old->parent))
		return -LINUX_EROFS;
	if (!old->entry)
		return -LINUX_ENOENT;
	if (!new->entry && tree_misses_are_errors(new->parent->vnode))
		return -LINUX_ENOENT;
	if ((flags & LINUX_RENAME_NOREPLACE) && new->entry)
		return -LINUX_EEXIST;
	if (exchange && !new->entry)
		return -LINUX_ENOENT;
	if (exchange && !is_directory(new->entry) && new->ends_in_slash)
		return -LINUX_ENOTDIR;
	if (!is_directory(old->entry) && (old->ends_in_slash || (!exchange && new->ends_in_slash)))
		return -LINUX_ENOTDIR;
	if (tree_is_above(old->entry, new->parent))
		return -LINUX_EINVAL;
	if (new->entry && tree_is_above(new->entry, old->parent))
		return exchange ? -LINUX_EINVAL : -LINUX_ENOTEMPTY;
	return 0;
}

static int check_replace(const struct resolved *old, const struct resolved *new, uint32_t flags)
{
	if (!new->parent->linked)
		return -LINUX_ENOENT;
	if (!old->parent->vnode->ops->rename || !new->parent->vnode->ops->rename)
		return -LINUX_EPERM;
	if (new->entry && !(flags & LINUX_RENAME_EXCHANGE)) {
		if (is_directory(old->entry) && !is_directory(new->entry))
			return -LINUX_ENOTDIR;
		if (!is_directory(old->entry) && is_directory(new->entry))
			return -LINUX_EISDIR;
	}
	if (path_entry_is_mount(old->entry) || (new->entry &&path_entry_is_mount(new->entry)))
		return -LINUX_EBUSY;
	if (new->entry && !(flags & LINUX_RENAME_EXCHANGE)) {
		int error = check_is_empty(new->entry);

		if (error)
			return error;
	}
	/* The old name must not come back. */
	return image_tree_fill(old->parent);
}

static void report_rename(const struct resolved *old, const struct resolved *new, uint32_t flags)
{
	uint32_t cookie;

	if (!READ_ONCE(inotify_watch_count))
		return;
	cookie = inotify_next_cookie();
	report(old->parent, INOTIFY_MOVED_FROM, cookie, old->name, old->name_length, old->entry);
	report(new->parent, INOTIFY_MOVED_TO, cookie, new->name, new->name_length, old->entry);
	if (new->entry && !(flags & LINUX_RENAME_EXCHANGE) && new->entry->vnode->nlink == 0)
		inotify_vnode_deleted(new->entry->vnode);
	inotify_report(old->entry->vnode, INOTIFY_MOVE_SELF, 0, NULL, 0, is_directory(old->entry));
}

static int move_node(struct resolved *old, struct resolved *new, uint32_t flags)
{
	struct vnode *from = old->parent->vnode;

	return from->ops->rename(from, old->name, old->name_length, old->entry->vnode,
		new->parent->vnode, new->name, new->name_length,
		new->entry ? new->entry->vnode : NULL, flags);
}

static int move_entry(struct resolved *old, struct resolved *new, uint32_t flags)
{
	if (flags & LINUX_RENAME_EXCHANGE)
		return tree_exchange(old->entry, new->entry);
	return tree_move(old->entry, new->parent, new->name, new->name_length, new->entry);
}

/* Where names are a cache, storage has the word; a cache without memory forgets. */
static int rename_stored(struct resolved *old, struct resolved *new, uint32_t flags)
{
	int error = move_node(old, new, flags);

	if (error)
		return error;
	if (new->entry && !(flags & LINUX_RENAME_EXCHANGE))
		tree_forget_children(new->entry);
	if (move_entry(old, new, flags) != 0) {
		tree_unlink(old->entry);
		if (new->entry)
			tree_unlink(new->entry);
	}
	report_rename(old, new, flags);
	return 0;
}

static int rename_entry(struct resolved *old, struct resolved *new, uint32_t flags)
{
	int error;

	if (new->entry &&new->entry->vnode == old->entry->vnode)
		return 0;
	error = check_replace(old, new, flags);
	if (error)
		return error;
	if (tree_is_cached(old->parent))
		return rename_stored(old, new, flags);
	/* The names first: of the two only they can fail. */
	error = move_entry(old, new, flags);
	if (error)
		return error;
	error = move_node(old, new, flags);
	report_rename(old, new, flags);
	return error;
}

static int resolve_rename(int old_fd, const char *old_path, int new_fd, const char *new_path,
	uint32_t flags, struct resolved *old, struct resolved *new)
{
	int error = path_resolve(old_fd, old_path, PATH_PARENT | PATH_MAY_MISS, 0, old);

	if (error)
		return error;
	error = path_resolve(new_fd, new_path, PATH_PARENT | PATH_MAY_MISS, 0, new);
	if (error) {
		resolved_release(old);
		return error;
	}
	if (old->last != PATH_LAST_NAME)
		error = -LINUX_EBUSY;
	else if (new->last != PATH_LAST_NAME)
		error = flags & LINUX_RENAME_NOREPLACE ? -LINUX_EEXIST : -LINUX_EBUSY;
	if (error) {
		resolved_release(old);
		resolved_release(new);
	}
	return error;
}

int vfs_check_rename_flags(uint32_t flags)
{
	uint32_t known = LINUX_RENAME_NOREPLACE | LINUX_RENAME_EXCHANGE;

	return (flags & ~known) || flags == known ? -LINUX_EINVAL : 0;
}

int vfs_rename(int old_fd, const char *old_path, int new_fd, const char *new_path, uint32_t flags)
{
	struct resolved old, new;
	int error = vfs_check_rename_flags(flags);

	if (error)
		return error;
	mutex_lock(&tree.lock);
	error = resolve_rename(old_fd, old_path, new_fd, new_path, flags, &old, &new);
	if (error) {
		mutex_unlock(&tree.lock);
		return error;
	}
	error = check_rename(&old, &new, flags);
	if (!error)
		error = rename_entry(&old, &new, flags);
	mutex_unlock(&tree.lock);
	resolved_release(&old);
	resolved_release(&new);
	return error;
}
