/*
 * Filling the tree. See tree_fill.h.
 */
#include "kernel/fs/tree_fill.h"
#include "kernel/fs/image_tree.h"
#include "lib/string.h"

/* With a reference, or NULL. */
static struct path_entry *find(struct path_entry *parent, const char *name, size_t length)
{
	struct path_entry *entry;

	spin_lock(&tree.spin);
	entry = tree_find_locked(parent, name, length, path_hash(name, length));
	if (!entry && image_tree_covers(parent->vnode))
		(void)image_tree_enter_locked(parent, name, length, &entry);
	if (entry)
		path_entry_acquire(entry);
	spin_unlock(&tree.spin);
	return entry;
}

static bool is_directory(const struct vnode *vnode)
{
	return LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR);
}

/* What a name costs its directory; the tree of /proc does not count. */
static void count_name(struct path_entry *parent, const struct vnode *vnode, int32_t by)
{
	if (is_directory(vnode))
		parent->vnode->nlink += (uint32_t)by;
	if (!parent->vnode->fs->read_only)
		parent->vnode->size += (uint64_t)(int64_t)(20 * by);
}

int tree_fill_put_at(struct path_entry *parent, const char *name, size_t length,
	struct vnode *vnode, bool borrow_name)
{
	struct path_entry *old = find(parent, name, length);
	int error = 0;

	if (old && is_directory(old->vnode) && !is_directory(vnode)) {
		error = -LINUX_EISDIR;
	} else if (old && is_directory(old->vnode) && vnode_same_mount(old->vnode, vnode)) {
		old->vnode->mode = vnode->mode;
	} else {
		if (old) {
			old->vnode->nlink--;
			count_name(parent, old->vnode, -1);
			tree_unlink(old);
		}
		error = tree_link(parent, name, length, vnode, borrow_name, NULL);
		if (!error)
			count_name(parent, vnode, 1);
	}
	if (old)
		path_entry_release(old);
	vnode_release(vnode);
	return error;
}

/* One step down; *parent's reference moves to the child. */
static int enter(struct path_entry **parent, const char *name, size_t length)
{
	struct path_entry *child = find(*parent, name, length);
	struct vnode *vnode;
	int error = 0;

	if (!child) {
		vnode = memfs_new_directory((*parent)->vnode->fs, 0755);
		if (!vnode)
			return -LINUX_ENOMEM;
		error = tree_fill_put_at(*parent, name, length, vnode, false);
		child = error ? NULL : find(*parent, name, length);
	} else if (LINUX_S_ISTYPE(child->vnode->mode, LINUX_S_IFLNK)) {
		char path[512];
		struct resolved where;
		long bytes = tree_describe(child, path, sizeof(path), false);

		path_entry_release(child);
		error = bytes < 0 ? (int)bytes
				  : path_resolve(LINUX_AT_FDCWD, path, PATH_FOLLOW, 0, &where);
		if (error)
			return error;
		child = where.entry ? path_entry_acquire(where.entry) : NULL;
		resolved_release(&where);
		if (!child)
			return -LINUX_ENOTDIR;
	}
	if (!error && !is_directory(child->vnode)) {
		path_entry_release(child);
		error = -LINUX_ENOTDIR;
	}
	if (error)
		return error;
	path_entry_release(*parent);
	*parent = child;
	return 0;
}

int tree_fill_parent(const char *path, struct path_entry **parent, const char **name)
{
	*parent = path_entry_acquire(tree.root);
	for (;;) {
		const char *end;
		size_t length;
		int error = 0;

		while (*path == '/')
			path++;
		for (end = path; *end && *end != '/';)
			end++;
		length = (size_t)(end - path);
		if (length == 0)
			error = -LINUX_EINVAL;
		else if (length > LINUX_NAME_MAX)
			error = -LINUX_ENAMETOOLONG;
		if (!error && !*end) {
			*name = path;
			return 0;
		}
		if (!error && !(length == 1 && *path == '.')) /* "./x" of archives */
			error = length == 2 && path[0] == '.' && path[1] == '.'
					? -LINUX_EINVAL
					: enter(parent, path, length);
		if (error) {
			path_entry_release(*parent);
			return error;
		}
		path = end;
	}
}

static bool is_there(struct path_entry *parent, const char *name)
{
	struct path_entry *entry = find(parent, name, strlen(name));

	if (entry)
		path_entry_release(entry);
	return entry;
}

int tree_fill_put_new(const char *path, struct vnode *vnode)
{
	struct path_entry *parent;
	const char *name;
	int error;

	if (!vnode)
		return -LINUX_ENOMEM;
	mutex_lock(&tree.lock);
	error = tree_fill_parent(path, &parent, &name);
	if (!error && !is_there(parent, name))
		error = tree_fill_put_at(parent, name, strlen(name), vnode_acquire(vnode), false);
	mutex_unlock(&tree.lock);
	if (!error)
		path_entry_release(parent);
	vnode_release(vnode);
	return error == -LINUX_ENOMEM ? error : 0;
}

int tree_fill_put(const char *path, struct vnode *vnode)
{
	struct path_entry *parent;
	const char *name;
	int error;

	if (!vnode)
		return -LINUX_ENOMEM;
	mutex_lock(&tree.lock);
	error = tree_fill_parent(path, &parent, &name);
	if (error) {
		mutex_unlock(&tree.lock);
		vnode_release(vnode);
		return error;
	}
	error = tree_fill_put_at(parent, name, strlen(name), vnode, false);
	mutex_unlock(&tree.lock);
	path_entry_release(parent);
	return error;
}

int tree_fill_mount(const char *path, struct file_system *fs, uint32_t permissions)
{
	return tree_fill_put(path, memfs_new_directory(fs, permissions));
}
