/*
 * Mounting file systems on storage, syncing them, and leaving them clean at the end.
 *
 * There is no umount(2): what is mounted at boot stays until the program ends.
 */
#include "kernel/fs/mount.h"
#include "kernel/fs/storage_node.h"
#include "kernel/fs/write_back.h"
#include "kernel/log.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define FIRST_DEVICE 0x30

struct mount {
	struct list link;
	struct file_system *fs;
	struct path_entry *cover;   /* the root, with a reference */
	struct path_entry *covered; /* the directory below, with the tree's former reference */
	char *source;
	char path[]; /* as it was given */
};

/* Only added to; guarded by tree.lock, as read by who holds tree.spin or comes after. */
static struct list mounts = LIST_INIT(mounts);

/* Makes every missing directory of the path. */
static int make_directories(const char *path)
{
	size_t length = strlen(path);
	char *prefix = heap_alloc(length + 1);
	int error = 0;

	if (!prefix)
		return -LINUX_ENOMEM;
	memcpy(prefix, path, length + 1);
	for (size_t i = 1; i <= length && !error; i++) {
		if (path[i] != '/' && path[i])
			continue;
		prefix[i] = 0;
		error = vfs_mkdir(LINUX_AT_FDCWD, prefix, 0755);
		if (error == -LINUX_EEXIST)
			error = 0;
		prefix[i] = path[i];
	}
	heap_free(prefix);
	return error;
}

static int cover(struct mount *mount, struct vnode *root)
{
	struct resolved where;
	int error = path_resolve(LINUX_AT_FDCWD, mount->path, PATH_FOLLOW, 0, &where);

	if (error)
		return error;
	if (!where.entry || !path_entry_is_directory(where.entry))
		error = -LINUX_ENOTDIR;
	else if (path_entry_is_mount(where.entry))
		error = -LINUX_EBUSY;
	if (!error)
		error = tree_cover(where.entry, root, &mount->cover);
	if (!error)
		mount->covered = where.entry; /* the tree's reference; ours is dropped below */
	resolved_release(&where);
	return error;
}

static struct mount *mount_create(const char *path, const char *source, struct file_system *fs)
{
	size_t path_bytes = strlen(path) + 1, source_bytes = strlen(source) + 1;
	struct mount *mount = heap_zalloc(sizeof(*mount) + path_bytes + source_bytes);

	if (!mount)
		return NULL;
	mount->fs = fs;
	memcpy(mount->path, path, path_bytes);
	mount->source = mount->path + path_bytes;
	memcpy(mount->source, source, source_bytes);
	return mount;
}

int vfs_mount(const char *path, const char *source, struct file_system *fs, struct vnode *root)
{
	static uint64_t last_device = FIRST_DEVICE - 1;
	struct mount *mount = NULL;
	int error = *path == '/' ? make_directories(path) : -LINUX_EINVAL;

	if (!error) {
		mount = mount_create(path, source, fs);
		error = mount ? write_back_start() : -LINUX_ENOMEM;
	}
	if (!error) {
		if (fs->device == 0)
			fs->device = __atomic_add_fetch(&last_device, 1, __ATOMIC_RELAXED);
		mutex_lock(&tree.lock);
		error = cover(mount, root);
		if (!error)
			list_add_last(&mounts, &mount->link);
		mutex_unlock(&tree.lock);
	}
	vnode_release(root);
	if (error)
		heap_free(mount);
	return error;
}

int vfs_sync(struct file_system *fs, bool wait)
{
	int result = write_back_all(fs, wait);

	LIST_FOR_EACH (link, &mounts) {
		struct mount *mount = LIST_ENTRY(link, struct mount, link);
		int error = 0;

		if ((fs && mount->fs != fs) || mount->fs->is_closed)
			continue;
		if (mount->fs->storage->sync)
			error = mount->fs->storage->sync(mount->fs, wait);
		if (!result)
			result = error;
	}
	return result;
}

/* Files without names go with the last descriptor, as when a process ends. */
static void close_stored_files(void)
{
	for (int fd = -1; (fd = fd_next_open(fd + 1)) >= 0;) {
		struct file *file = fd_get(fd);
		bool stored = file && file->vnode && file->vnode->fs->storage;

		if (file)
			file_release(file);
		if (stored)
			fd_close(fd);
	}
}

void vfs_unmount_all(void)
{
	if (list_is_empty(&mounts))
		return;
	close_stored_files();
	for (struct list *link = mounts.prev; link != &mounts; link = link->prev) {
		struct mount *mount = LIST_ENTRY(link, struct mount, link);
		int error;

		if (mount->fs->is_closed)
			continue;
		error = vfs_sync(mount->fs, true);
		mount->fs->is_closed = true;
		if (mount->fs->storage->unmount) {
			int unmount_error = mount->fs->storage->unmount(mount->fs);

			if (!error)
				error = unmount_error;
		}
		if (error)
			log_notice("%s: not all could be written: error %d", mount->path, -error);
	}
}

bool mount_next(struct mount_info *info)
{
	struct list *link = info->cursor ? ((struct mount *)info->cursor)->link.next : mounts.next;
	struct mount *mount = LIST_ENTRY(link, struct mount, link);

	if (link == &mounts)
		return false;
	*info = (struct mount_info){mount, mount->path, mount->source, mount->fs};
	return true;
}

void mount_teardown(void)
{
	while (!list_is_empty(&mounts)) {
		struct mount *mount = LIST_ENTRY(mounts.prev, struct mount, link);

		mount->fs->is_closed = true;
		while (tree_forget_names(UINT32_MAX) > 0)
			;
		tree_uncover(mount->cover, mount->covered);
		path_entry_release(mount->cover);
		list_remove(&mount->link);
		heap_free(mount);
	}
}
