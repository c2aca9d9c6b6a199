/*
 * Changes of names: create, link, unlink, rename.
 *
 * The caller (the VFS) has made sure of what tree.lock guards: that names exist or do not, that
 * a directory is not moved below itself. Each is one operation of one transaction.
 */
#include "kernel/fs/ext4/volume.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

int ext4_lookup(struct ext4_inode *directory, const char *name, size_t length, uint32_t *number)
{
	struct ext4_found found;
	int error;

	mutex_lock(&directory->fs->lock);
	error = directory_find(directory, name, length, &found);
	if (!error) {
		*number = found.entry->inode;
		buffer_release(found.buffer);
	}
	mutex_unlock(&directory->fs->lock);
	return error;
}

/* ---- links of directories: from 65000 on, 1 says "many" --------------------------- */

static void count_up(struct ext4_inode *directory)
{
	if (directory->links != 1 && ++directory->links >= EXT4_LINKS_MOST)
		directory->links = 1;
}

static void count_down(struct ext4_inode *directory)
{
	if (directory->links > 2)
		directory->links--;
}

static bool may_have_directory(const struct ext4_inode *directory)
{
	return directory->links + 1 < EXT4_LINKS_MOST ||
	       (directory->fs->read_only_compatible & EXT4_RO_DIR_NLINK) != 0;
}

static int store_directory(struct ext4_inode *directory, int error)
{
	int stored;

	inode_touch(directory);
	stored = inode_store(directory, false);
	return error ? error : stored;
}

/* ---- create -------------------------------------------------------------------------- */

static void set_device(struct ext4_inode *inode, const struct ext4_new *what)
{
	/* The old form has 8 bits each, in the first word; the new one is in the second. */
	if (what->major < 256 && what->minor < 256)
		inode->map_words[0] = what->major << 8 | what->minor;
	else
		inode->map_words[1] =
			(what->minor & 0xff) | what->major << 8 | (what->minor & ~0xffu) << 12;
}

void ext4_get_device(const struct ext4_inode *inode, uint32_t *major, uint32_t *minor)
{
	uint32_t old = inode->map_words[0], device = inode->map_words[1];

	if (old != 0) {
		*major = old >> 8 & 0xff;
		*minor = old & 0xff;
	} else {
		*major = device >> 8 & 0xfff;
		*minor = (device & 0xff) | (device >> 12 & 0xfff00);
	}
}

/* A link's text: in the map if it fits with a NUL, else in a block of its own. */
static int set_target(struct ext4_inode *inode, const char *target)
{
	struct ext4 *fs = inode->fs;
	size_t length = strlen(target);
	struct ext4_buffer *buffer = NULL;
	uint64_t block;
	uint32_t got;
	int error;

	if (length >= fs->block_bytes)
		return -LINUX_ENAMETOOLONG;
	inode->size = length;
	if (length < EXT4_MAP_BYTES) {
		memcpy(inode->map, target, length);
		return 0;
	}
	extents_init(inode);
	error = block_allocate(fs, extent_goal(inode, 0), 1, &block, &got);
	if (error)
		return error;
	inode->blocks_512 += fs->block_bytes / 512;
	error = extent_insert(inode, 0, block, 1, false);
	/* Through the journal, as a directory's blocks. */
	if (!error)
		error = buffer_make(fs, block, BUFFER_PLAIN, inode->seed, true, &buffer);
	if (error)
		return error;
	memcpy(buffer->data, target, length);
	buffer_dirty(fs, buffer);
	buffer_release(buffer);
	return 0;
}

static int fill_new(
	struct ext4_inode *directory, const struct ext4_new *what, struct ext4_inode *created)
{
	created->uid = what->uid;
	created->gid = what->gid;
	created->links = 1;
	switch (what->mode & LINUX_S_IFMT) {
	case LINUX_S_IFDIR:
		created->links = 2;
		return directory_make(created, directory->number);
	case LINUX_S_IFLNK:
		return set_target(created, what->target);
	case LINUX_S_IFCHR:
	case LINUX_S_IFBLK:
		set_device(created, what);
		return 0;
	default:
		return 0;
	}
}

/* What was made of an inode whose creation failed goes away again. */
static int undo_create(struct ext4_inode *created)
{
	bool again = inode_has_extents(created);
	int error = 0;

	while (again && !error)
		error = extent_remove_last(created, 0, EXT4_LOGICAL_MOST, &again);
	return error ? error : inode_free(created);
}

static int create_locked(struct ext4_inode *directory, const char *name, size_t length,
	const struct ext4_new *what, struct ext4_inode *created)
{
	bool is_directory = (what->mode & LINUX_S_IFMT) == LINUX_S_IFDIR;
	int error, undone;

	if (is_directory && !may_have_directory(directory))
		return -LINUX_EMLINK;
	if (directory->links == 0)
		return -LINUX_ENOENT;
	error = inode_allocate(directory, what->mode, created);
	if (error)
		return error;
	error = fill_new(directory, what, created);
	if (!error)
		error = directory_add(directory, name, length, created->number, what->mode);
	if (error == -LINUX_ENOSPC || error == -LINUX_ENAMETOOLONG) {
		undone = undo_create(created);
		if (undone)
			error = undone;
	} else if (!error) {
		error = inode_store(created, false);
		if (is_directory)
			count_up(directory);
	}
	return store_directory(directory, error);
}

int ext4_create(struct ext4_inode *directory, const char *name, size_t length,
	const struct ext4_new *what, struct ext4_inode *created)
{
	int error = ext4_begin(directory->fs);

	memset(created, 0, sizeof(*created)); /* so that it can be unloaded after errors */
	if (error)
		return error;
	return ext4_end(directory->fs, create_locked(directory, name, length, what, created));
}

static int create_nameless_locked(
	struct ext4_inode *directory, const struct ext4_new *what, struct ext4_inode *created)
{
	int error = inode_allocate(directory, what->mode, created);

	if (error)
		return error;
	created->uid = what->uid;
	created->gid = what->gid;
	return orphan_add(created);
}

int ext4_create_nameless(
	struct ext4_inode *directory, const struct ext4_new *what, struct ext4_inode *created)
{
	int error = ext4_begin(directory->fs);

	memset(created, 0, sizeof(*created));
	if (error)
		return error;
	return ext4_end(directory->fs, create_nameless_locked(directory, what, created));
}

/* ---- link and unlink ---------------------------------------------------------------------- */

static int link_locked(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target)
{
	int error;

	if (target->links >= EXT4_LINKS_MOST)
		return -LINUX_EMLINK;
	error = directory_add(directory, name, length, target->number, target->mode);
	if (!error) {
		/* A nameless file (O_TMPFILE, or its last name just went) gets one. */
		if (target->links++ == 0)
			error = orphan_remove(target);
		target->ctime_ns = ext4_now_ns();
		if (!error)
			error = inode_store(target, false);
	}
	return store_directory(directory, error);
}

int ext4_link(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target)
{
	int error = ext4_begin(directory->fs);

	if (error)
		return error;
	return ext4_end(directory->fs, link_locked(directory, name, length, target));
}

/* One name less. */
static int drop_link(struct ext4_inode *parent, struct ext4_inode *target)
{
	if (inode_is_directory(target)) {
		target->links = 0;
		target->size = 0;
		count_down(parent);
	} else if (target->links > 0) {
		target->links--;
	}
	target->ctime_ns = ext4_now_ns();
	return target->links == 0 ? orphan_add(target) : inode_store(target, false);
}

static int check_empty(struct ext4_inode *directory)
{
	struct ext4_name_batch *batch = heap_alloc(sizeof(*batch));
	int error = batch ? directory_is_empty(directory, batch) : -LINUX_ENOMEM;

	heap_free(batch);
	return error;
}

static int unlink_locked(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target)
{
	struct ext4_found found;
	int error = inode_is_directory(target) ? check_empty(target) : 0;

	if (!error)
		error = directory_find(directory, name, length, &found);
	if (error)
		return error;
	if (found.entry->inode != target->number)
		error = -LINUX_ENOENT;
	else
		directory_remove(directory, &found);
	buffer_release(found.buffer);
	if (!error)
		error = drop_link(directory, target);
	return error ? error : store_directory(directory, 0);
}

int ext4_unlink(
	struct ext4_inode *directory, const char *name, size_t length, struct ext4_inode *target)
{
	int error = ext4_begin(directory->fs);

	if (error)
		return error;
	return ext4_end(directory->fs, unlink_locked(directory, name, length, target));
}

/* ---- rename ------------------------------------------------------------------------------- */

static int set_parent(struct ext4_inode *directory, uint32_t parent)
{
	struct ext4_found found;
	int error = directory_find_parent(directory, &found);

	if (error)
		return error;
	found.entry->inode = parent;
	buffer_dirty(directory->fs, found.buffer);
	buffer_release(found.buffer);
	return 0;
}

static int point_name(struct ext4_inode *directory, const char *name, size_t length,
	const struct ext4_inode *expected, const struct ext4_inode *target)
{
	struct ext4_found found;
	int error = directory_find(directory, name, length, &found);

	if (error)
		return error;
	if (found.entry->inode != expected->number)
		error = -LINUX_ENOENT;
	else if (target)
		directory_set(directory, &found, target->number, target->mode);
	else
		directory_remove(directory, &found);
	buffer_release(found.buffer);
	return error;
}

/* A directory that moves to another parent. */
static int move_directory(struct ext4_inode *moved, struct ext4_inode *from, struct ext4_inode *to)
{
	if (from == to || !inode_is_directory(moved))
		return 0;
	count_down(from);
	count_up(to);
	return set_parent(moved, to->number);
}

static int store_moved(struct ext4_inode *moved)
{
	moved->ctime_ns = ext4_now_ns();
	return inode_store(moved, false);
}

static int store_parents(const struct ext4_renaming *names, int error)
{
	error = store_directory(names->from_directory, error);
	if (names->to_directory != names->from_directory)
		error = store_directory(names->to_directory, error);
	return error;
}

static int exchange(const struct ext4_renaming *names)
{
	int error = point_name(
		names->to_directory, names->to, names->to_length, names->replaced, names->moved);

	if (!error)
		error = point_name(names->from_directory, names->from, names->from_length,
			names->moved, names->replaced);
	if (!error)
		error = move_directory(names->moved, names->from_directory, names->to_directory);
	if (!error)
		error = move_directory(names->replaced, names->to_directory, names->from_directory);
	if (!error)
		error = store_moved(names->moved);
	if (!error)
		error = store_moved(names->replaced);
	return error;
}

static int move(const struct ext4_renaming *names)
{
	struct ext4_inode *replaced = names->replaced;
	int error;

	if (replaced)
		error = point_name(
			names->to_directory, names->to, names->to_length, replaced, names->moved);
	else
		error = directory_add(names->to_directory, names->to, names->to_length,
			names->moved->number, names->moved->mode);
	if (!error)
		error = point_name(
			names->from_directory, names->from, names->from_length, names->moved, NULL);
	if (!error)
		error = move_directory(names->moved, names->from_directory, names->to_directory);
	if (!error && replaced)
		error = drop_link(names->to_directory, replaced);
	return error ? error : store_moved(names->moved);
}

static int check_rename(const struct ext4_renaming *names)
{
	bool new_child = inode_is_directory(names->moved) &&
			 names->from_directory != names->to_directory && !names->replaced;
	struct ext4_found found;
	int error;

	if (new_child && !may_have_directory(names->to_directory))
		return -LINUX_EMLINK;
	if (names->to_directory->links == 0)
		return -LINUX_ENOENT;
	if (!names->exchange && names->replaced && inode_is_directory(names->replaced)) {
		error = check_empty(names->replaced);
		if (error)
			return error;
	}
	/* Before anything is changed: the names are as the caller thinks. */
	error = directory_find(names->from_directory, names->from, names->from_length, &found);
	if (error)
		return error;
	if (found.entry->inode != names->moved->number)
		error = -LINUX_ENOENT;
	buffer_release(found.buffer);
	return error;
}

int ext4_rename(const struct ext4_renaming *names)
{
	struct ext4 *fs = names->moved->fs;
	int error = ext4_begin(fs);

	if (error)
		return error;
	error = check_rename(names);
	if (!error)
		error = store_parents(names, names->exchange ? exchange(names) : move(names));
	return ext4_end(fs, error);
}

/* ---- links' texts ---------------------------------------------------------------------------- */

static long read_slow_link(struct ext4_inode *inode, char *text)
{
	struct ext4_buffer *buffer = NULL;
	struct ext4_map map;
	int error = extent_map(inode, 0, &map);

	if (!error && (map.state != EXT4_MAP_WRITTEN || inode->size >= inode->fs->block_bytes))
		error = EXT4_CORRUPT;
	if (!error)
		error = buffer_read(inode->fs, map.block, BUFFER_PLAIN, inode->seed, &buffer);
	if (error)
		return error;
	memcpy(text, buffer->data, inode->size);
	buffer_release(buffer);
	return (long)inode->size;
}

long ext4_read_link(struct ext4_inode *inode, char *text, size_t capacity)
{
	long result;

	if (inode->size >= capacity)
		return -LINUX_ERANGE;
	mutex_lock(&inode->fs->lock);
	if (inode_has_extents(inode)) {
		result = read_slow_link(inode, text);
	} else if (inode->size < EXT4_MAP_BYTES) {
		memcpy(text, inode->map, inode->size);
		result = (long)inode->size;
	} else {
		result = -LINUX_EOPNOTSUPP;
	}
	mutex_unlock(&inode->fs->lock);
	return result;
}
