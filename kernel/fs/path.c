/*
 * From a path to an entry: path_resolution(7), openat2(2).
 *
 * The walk holds tree.spin and takes no references while it moves among cached
 * entries. It lets go of the lock, with references in `held`, only for file systems
 * whose names vary and for links that lead to open files. The texts of the links it
 * is in are kept by references on the links.
 */
#include "kernel/fs/image_tree.h"
#include "kernel/sched/clock.h"
#include "lib/string.h"

#define MOST_LINKS 40

struct walk {
	struct path_entry *current;
	struct path_entry *held; /* reference that keeps `current` without the lock; or NULL */
	struct path_entry *root;
	const char *rest;
	uint64_t resolve;
	uint32_t flags;
	bool ends_in_slash;
	uint32_t link_count;
	uint32_t depth;
	struct vnode *links[MOST_LINKS]; /* followed so far; references */
	const char *rests[MOST_LINKS];   /* what is left of the paths around this one */
};

static bool is_directory(const struct path_entry *entry)
{
	return path_entry_is_directory(entry);
}

/* Replaces the reference that keeps `current`; with the lock dropped. */
static void hold(struct walk *walk, struct path_entry *entry)
{
	struct path_entry *old = walk->held;

	walk->held = entry;
	if (old)
		path_entry_release(old);
}

static int move_to(struct walk *walk, struct path_entry *entry)
{
	if ((walk->resolve & LINUX_RESOLVE_NO_XDEV) &&
		!vnode_same_mount(entry->vnode, walk->current->vnode))
		return -LINUX_EXDEV;
	walk->current = entry;
	return 0;
}

static int move_up(struct walk *walk)
{
	if (walk->current == walk->root)
		return walk->resolve & LINUX_RESOLVE_BENEATH ? -LINUX_EXDEV : 0;
	return walk->current->parent ? move_to(walk, walk->current->parent) : 0;
}

static int move_to_root(struct walk *walk)
{
	if (walk->resolve & LINUX_RESOLVE_BENEATH)
		return -LINUX_EXDEV;
	return move_to(walk, walk->root);
}

/* Names of this directory are asked of its file system. */
static int lookup_varying(
	struct walk *walk, const char *name, size_t length, struct path_entry **found)
{
	struct path_entry *directory = path_entry_acquire(walk->current);
	struct vnode *vnode = NULL;
	struct path_entry *entry = NULL;
	int error;

	spin_unlock(&tree.spin);
	error = directory->vnode->ops->lookup(directory->vnode, name, length, &vnode);
	if (!error) {
		entry = path_entry_create(directory, name, length, vnode);
		vnode_release(vnode);
		if (!entry)
			error = -LINUX_ENOMEM;
	}
	if (entry) {
		hold(walk, entry);
		path_entry_release(directory);
	} else {
		hold(walk, directory);
	}
	spin_lock(&tree.spin);
	*found = entry;
	return error == -LINUX_ENOENT ? 0 : error;
}

/* An entry for what storage has under the name; *fresh NULL: the answer is an error. */
static int ask_storage(
	struct path_entry *directory, const char *name, size_t length, struct path_entry **fresh)
{
	struct vnode *vnode = NULL;
	int error = directory->vnode->ops->lookup(directory->vnode, name, length, &vnode);

	if (error && error != -LINUX_ENOENT)
		return error;
	*fresh = path_entry_create(directory, name, length, vnode);
	if (vnode)
		vnode_release(vnode);
	return *fresh ? 0 : -LINUX_ENOMEM;
}

/* Names of this directory are a cache, which does not have this one. What storage says
 * counts only if no name of the directory was changed meanwhile. */
static int lookup_stored(
	struct walk *walk, const char *name, size_t length, struct path_entry **found)
{
	struct path_entry *directory = walk->current, *fresh = NULL, *dropped;
	uint32_t generation;
	int error;

	path_entry_acquire(directory);
	spin_unlock(&tree.spin);
	hold(walk, directory);
	for (;;) {
		generation = READ_ONCE(directory->generation);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		error = ask_storage(directory, name, length, &fresh);
		spin_lock(&tree.spin);
		if (error)
			return error;
		if (generation == directory->generation)
			break;
		spin_unlock(&tree.spin);
		path_entry_release(fresh);
	}
	*found = fresh;
	dropped = NULL;
	if (directory->linked) /* else it was removed: nothing is kept for it */
		*found = path_entry_acquire(tree_cache_locked(fresh, &dropped));
	spin_unlock(&tree.spin);
	if (dropped)
		path_entry_release(dropped);
	hold(walk, *found);
	spin_lock(&tree.spin);
	return 0;
}

static bool is_stale(const struct path_entry *entry)
{
	return entry->valid_until_ns != UINT64_MAX && clock_monotonic_ns() > entry->valid_until_ns;
}

static int lookup_cached(
	struct walk *walk, const char *name, size_t length, struct path_entry **found)
{
	struct path_entry *entry =
		tree_find_any_locked(walk->current, name, length, path_hash(name, length));
	int error = 0;

	if (!entry || is_stale(entry))
		error = lookup_stored(walk, name, length, &entry);
	else if (!entry->used)
		entry->used = true;
	*found = !error && entry && entry->vnode ? entry : NULL;
	return error;
}

static int lookup(struct walk *walk, const char *name, size_t length, struct path_entry **found)
{
	if (length > LINUX_NAME_MAX)
		return -LINUX_ENAMETOOLONG;
	if (tree_is_cached(walk->current))
		return lookup_cached(walk, name, length, found);
	*found = tree_find_locked(walk->current, name, length, path_hash(name, length));
	if (!*found && image_tree_covers(walk->current->vnode))
		return image_tree_enter_locked(walk->current, name, length, found);
	if (!*found && walk->current->vnode->ops->lookup)
		return lookup_varying(walk, name, length, found);
	return 0;
}

/* A link of /proc that leads to a file, not to a path. */
static int jump(struct walk *walk, struct vnode *link, struct resolved *result)
{
	struct path_entry *entry = NULL;
	int error;

	if (walk->resolve & LINUX_RESOLVE_NO_MAGICLINKS)
		return -LINUX_ELOOP;
	if (walk->resolve & (LINUX_RESOLVE_BENEATH | LINUX_RESOLVE_IN_ROOT))
		return -LINUX_EXDEV;
	path_entry_acquire(walk->current);
	spin_unlock(&tree.spin);
	hold(walk, walk->current);
	error = link->ops->jump(link, &entry, &result->file);
	if (!error && entry) {
		hold(walk, entry);
		walk->current = entry;
	}
	spin_lock(&tree.spin);
	result->last = PATH_LAST_JUMP;
	return error;
}

static int follow(struct walk *walk, struct path_entry *link_entry, struct resolved *result)
{
	struct vnode *link = link_entry->vnode;
	const char *text;

	if ((walk->resolve & LINUX_RESOLVE_NO_SYMLINKS) || walk->link_count == MOST_LINKS)
		return -LINUX_ELOOP;
	walk->links[walk->link_count++] = vnode_acquire(link);
	if (link->ops->jump)
		return jump(walk, link, result);
	text = link->data;
	if (*walk->rest)
		walk->rests[walk->depth++] = walk->rest;
	walk->rest = text;
	return *text == '/' ? move_to_root(walk) : 0;
}

static const char *skip_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return text;
}

/* Keeps the name for whoever creates, removes or opens it. */
static void remember_last(struct walk *walk, struct resolved *result, const char *name,
	size_t length, struct path_entry *entry)
{
	result->last = PATH_LAST_NAME;
	result->parent = path_entry_acquire(walk->current);
	result->entry = entry ? path_entry_acquire(entry) : NULL;
	result->name_length = length;
	memcpy(result->name, name, length);
	result->name[length] = 0;
}

/* One component. *done is set when it was the last one and the result is filled in. */
static int step(struct walk *walk, struct resolved *result, bool *done)
{
	const char *name = walk->rest, *end = name;
	struct path_entry *entry = NULL;
	size_t length;
	bool is_last, is_link;
	int error;

	while (*end && *end != '/')
		end++;
	length = (size_t)(end - name);
	walk->rest = skip_slashes(end);
	is_last = walk->depth == 0 && !*walk->rest;
	if (is_last)
		walk->ends_in_slash |= *end == '/';
	if (result->file || !is_directory(walk->current))
		return -LINUX_ENOTDIR;
	if (length == 1 && name[0] == '.') {
		result->last = PATH_LAST_DOT;
		return 0;
	}
	if (length == 2 && name[0] == '.' && name[1] == '.') {
		result->last = PATH_LAST_DOTDOT;
		return move_up(walk);
	}
	if (is_last && walk->ends_in_slash && (walk->flags & PATH_CREATE))
		return -LINUX_EISDIR;
	error = lookup(walk, name, length, &entry);
	if (error)
		return error;
	is_link = entry && LINUX_S_ISTYPE(entry->vnode->mode, LINUX_S_IFLNK);
	if (is_last && (!is_link || (walk->flags & PATH_PARENT) ||
			       !(walk->flags & PATH_FOLLOW || walk->ends_in_slash))) {
		remember_last(walk, result, name, length, entry);
		*done = true;
		return 0;
	}
	if (!entry)
		return -LINUX_ENOENT;
	return is_link ? follow(walk, entry, result) : move_to(walk, entry);
}

static int walk_locked(struct walk *walk, struct resolved *result)
{
	bool done = false;
	int error = 0;

	if (*walk->rest == '/')
		error = move_to_root(walk);
	while (!error && !done) {
		walk->rest = skip_slashes(walk->rest);
		if (*walk->rest)
			error = step(walk, result, &done);
		else if (walk->depth > 0)
			walk->rest = walk->rests[--walk->depth];
		else
			break;
	}
	if (!error && !done && !result->file)
		result->entry = path_entry_acquire(walk->current);
	return error;
}

static int check(const struct walk *walk, const struct resolved *result)
{
	if (result->last == PATH_LAST_NAME && (walk->resolve & LINUX_RESOLVE_NO_XDEV) &&
		result->entry && !vnode_same_mount(result->entry->vnode, result->parent->vnode))
		return -LINUX_EXDEV;
	if (walk->flags & PATH_PARENT)
		return 0;
	if (result->file)
		return walk->ends_in_slash ? -LINUX_ENOTDIR : 0;
	if (!result->entry)
		return walk->flags & PATH_MAY_MISS ? 0 : -LINUX_ENOENT;
	if (walk->ends_in_slash && !is_directory(result->entry))
		return -LINUX_ENOTDIR;
	return 0;
}

/* Where the walk begins, with a reference. */
static int start_of(int directory_fd, const char *path, uint64_t resolve, struct path_entry **start)
{
	struct file *file;
	int error = 0;

	if (directory_fd == LINUX_AT_FDCWD ||
		(*path == '/' && !(resolve & LINUX_RESOLVE_IN_ROOT))) {
		spin_lock(&tree.spin);
		*start = path_entry_acquire(tree.current_directory);
		spin_unlock(&tree.spin);
		return 0;
	}
	file = fd_get(directory_fd);
	if (!file)
		return -LINUX_EBADF;
	if (file->entry && is_directory(file->entry))
		*start = path_entry_acquire(file->entry);
	else
		error = -LINUX_ENOTDIR;
	file_release(file);
	return error;
}

int path_resolve(int directory_fd, const char *path, uint32_t path_flags, uint64_t resolve,
	struct resolved *result)
{
	struct walk walk;
	struct path_entry *start = NULL;
	int error;

	result->parent = result->entry = NULL;
	result->file = NULL;
	result->last = PATH_LAST_ROOT;
	result->name_length = 0;
	if (!*path)
		return -LINUX_ENOENT;
	error = start_of(directory_fd, path, resolve, &start);
	if (error)
		return error;
	walk.current = start;
	walk.held = NULL;
	walk.root = resolve & (LINUX_RESOLVE_BENEATH | LINUX_RESOLVE_IN_ROOT) ? start : tree.root;
	walk.rest = path;
	walk.resolve = resolve;
	walk.flags = path_flags;
	walk.ends_in_slash = false;
	walk.link_count = walk.depth = 0;
	spin_lock(&tree.spin);
	error = walk_locked(&walk, result);
	spin_unlock(&tree.spin);
	if (!error)
		error = check(&walk, result);
	result->ends_in_slash = walk.ends_in_slash;
	if (error)
		resolved_release(result);
	while (walk.link_count > 0)
		vnode_release(walk.links[--walk.link_count]);
	hold(&walk, NULL);
	path_entry_release(start);
	if (tree_has_too_many())
		tree_forget_names(32);
	return error;
}

int path_resolve_at(int directory_fd, const char *path, uint32_t at_flags, uint32_t path_flags,
	struct resolved *result)
{
	struct file *file;

	if (*path || !(at_flags & LINUX_AT_EMPTY_PATH))
		return path_resolve(directory_fd, path, path_flags, 0, result);
	if (directory_fd == LINUX_AT_FDCWD)
		return path_resolve(directory_fd, ".", path_flags, 0, result);
	file = fd_get(directory_fd);
	if (!file)
		return -LINUX_EBADF;
	memset(result, 0, offsetof(struct resolved, name));
	result->last = PATH_LAST_JUMP;
	if (!file->entry) {
		result->file = file;
		return 0;
	}
	result->entry = path_entry_acquire(file->entry);
	file_release(file);
	return 0;
}

void resolved_release(struct resolved *result)
{
	if (result->parent)
		path_entry_release(result->parent);
	if (result->entry)
		path_entry_release(result->entry);
	if (result->file)
		file_release(result->file);
	result->parent = result->entry = NULL;
	result->file = NULL;
}
