/*
 * ext4 as the VFS uses it: vnode_ops and storage_ops (storage.h) over volume.h.
 *
 * The vnode has the attributes that programs see; the inode's are what the medium knows, taken
 * over by write_attributes. Names, links and what an operation of the volume does to times go
 * the other way. The inode's size is that of what write-back has reached.
 */
#include "kernel/fs/ext4/volume_type.h"
#include "kernel/fs/ext4/node.h"
#include "kernel/fs/ext4/volume.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"
#include "abi/linux/fcntl.h"
#include "lib/string.h"

#define EXT4_STATFS_MAGIC 0xef53
#define FIRST_INODE       11

static const struct vnode_ops ext4_vnode_ops;
static const struct storage_ops ext4_storage_ops;

static struct ext4_inode *inode_of(struct vnode *vnode)
{
	return &ext4_node_of(vnode)->inode;
}

/* ---- devices' numbers, as stat(2) has them ---------------------------------- */

static uint64_t join_device(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static void split_device(uint64_t device, uint32_t *major, uint32_t *minor)
{
	*major = device >> 8 & 0xfff;
	*minor = (device & 0xff) | (device >> 12 & 0xfff00);
}

/* ---- nodes ---------------------------------------------------------------------- */

static void fill_vnode(struct ext4_node *node)
{
	struct vnode *vnode = &node->node.vnode;
	const struct ext4_inode *inode = &node->inode;
	uint32_t major, minor;

	vnode->nlink = inode->links;
	vnode->uid = inode->uid;
	vnode->gid = inode->gid;
	vnode->size = inode->size;
	vnode->atime_ns = inode->atime_ns;
	vnode->mtime_ns = inode->mtime_ns;
	vnode->ctime_ns = inode->ctime_ns;
	vnode->btime_ns = inode->birth_ns;
	if (LINUX_S_ISTYPE(inode->mode, LINUX_S_IFCHR) ||
		LINUX_S_ISTYPE(inode->mode, LINUX_S_IFBLK)) {
		ext4_get_device(inode, &major, &minor);
		vnode->rdev = join_device(major, minor);
	}
}

static int read_target(struct ext4_node *node)
{
	char *text;
	long length;

	if (node->inode.size >= PAGE_BYTES)
		return EXT4_CORRUPT;
	text = heap_alloc(node->inode.size + 1);
	if (!text)
		return -LINUX_ENOMEM;
	length = ext4_read_link(&node->inode, text, node->inode.size + 1);
	if (length < 0) {
		heap_free(text);
		return (int)length;
	}
	text[length] = 0;
	node->node.vnode.data = text;
	return 0;
}

static void free_node(struct ext4_node *node)
{
	storage_node_destroy(&node->node);
	inode_unload(&node->inode);
	heap_free(node);
}

/* A node for the inode in it; *result may be one that another thread was faster with. */
static int enter_node(struct ext4_node *node, struct file_system *fs, struct vnode **result)
{
	struct storage_node *entered;
	int error = 0;

	storage_node_init(&node->node, &ext4_vnode_ops, fs, node->inode.mode, node->inode.number);
	node->set_aside = 0;
	fill_vnode(node);
	if (LINUX_S_ISTYPE(node->inode.mode, LINUX_S_IFLNK))
		error = read_target(node);
	if (error) {
		free_node(node);
		return error;
	}
	entered = storage_enter(&node->node);
	if (entered != &node->node)
		free_node(node);
	*result = &entered->vnode;
	return 0;
}

static int load_node(struct file_system *fs, uint32_t number, struct vnode **result)
{
	struct storage_node *found = storage_find(fs, number);
	struct ext4_node *node;
	int error;

	if (found) {
		*result = &found->vnode;
		return 0;
	}
	node = heap_alloc(sizeof(*node));
	if (!node)
		return -LINUX_ENOMEM;
	error = ext4_inode_open(fs->data, number, &node->inode);
	if (error) {
		heap_free(node);
		return error == -LINUX_ESTALE ? EXT4_CORRUPT : error;
	}
	return enter_node(node, fs, result);
}

static void release(struct vnode *vnode)
{
	struct ext4_node *node = ext4_node_of(vnode);

	storage_node_destroy(&node->node);
	if (vnode->nlink == 0 && !vnode->fs->is_closed && inode_delete(&node->inode))
		orphan_forget(&node->inode);
	inode_unload(&node->inode);
	heap_free(node);
}

/* ---- names ------------------------------------------------------------------------ */

static int lookup(struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	uint32_t number;
	int error = ext4_lookup(inode_of(directory), name, length, &number);

	if (!error && number < FIRST_INODE && number != EXT4_ROOT_INODE)
		error = EXT4_CORRUPT;
	return error ? error : load_node(directory->fs, number, found);
}

/* What an operation did to a directory. */
static void update_directory(struct vnode *directory)
{
	const struct ext4_inode *inode = inode_of(directory);

	directory->nlink = inode->links;
	directory->size = inode->size;
	directory->mtime_ns = inode->mtime_ns;
	directory->ctime_ns = inode->ctime_ns;
}

static void update_target(struct vnode *target)
{
	target->nlink = inode_of(target)->links;
	target->ctime_ns = inode_of(target)->ctime_ns;
}

static int create_new(struct vnode *directory, const char *name, size_t length,
	struct ext4_new *what, struct vnode **created)
{
	struct ext4_node *node = heap_alloc(sizeof(*node));
	int error;

	if (!node)
		return -LINUX_ENOMEM;
	if (directory->mode & LINUX_S_ISGID) {
		what->gid = directory->gid;
		if (LINUX_S_ISTYPE(what->mode, LINUX_S_IFDIR))
			what->mode |= LINUX_S_ISGID;
	}
	error = name ? ext4_create(inode_of(directory), name, length, what, &node->inode)
		     : ext4_create_nameless(inode_of(directory), what, &node->inode);
	if (error) {
		inode_unload(&node->inode);
		heap_free(node);
		return error;
	}
	update_directory(directory);
	return enter_node(node, directory->fs, created);
}

static int create(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	uint64_t device, struct vnode **created)
{
	struct ext4_new what = {.mode = (uint16_t)mode};

	split_device(device, &what.major, &what.minor);
	return create_new(directory, name, length, &what, created);
}

static int create_temporary(struct vnode *directory, uint32_t mode, struct vnode **created)
{
	struct ext4_new what = {.mode = (uint16_t)(LINUX_S_IFREG | (mode & 07777))};

	return create_new(directory, NULL, 0, &what, created);
}

static int make_directory(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	struct vnode **created)
{
	struct ext4_new what = {.mode = (uint16_t)(LINUX_S_IFDIR | (mode & 07777))};

	return create_new(directory, name, length, &what, created);
}

static int make_link(struct vnode *directory, const char *name, size_t length, const char *target,
	struct vnode **created)
{
	struct ext4_new what = {.mode = LINUX_S_IFLNK | 0777, .target = target};

	return create_new(directory, name, length, &what, created);
}

static int link_node(struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int error = ext4_link(inode_of(directory), name, length, inode_of(target));

	if (error)
		return error;
	update_directory(directory);
	update_target(target);
	return 0;
}

static int unlink_node(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int error = ext4_unlink(inode_of(directory), name, length, inode_of(target));

	if (error)
		return error;
	update_directory(directory);
	update_target(target);
	return 0;
}

static int move(struct vnode *from_directory, const char *from, size_t from_length,
	struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
	struct vnode *replaced, uint32_t flags)
{
	struct ext4_renaming renaming = {
		.from_directory = inode_of(from_directory),
		.to_directory = inode_of(to_directory),
		.from = from,
		.to = to,
		.from_length = from_length,
		.to_length = to_length,
		.moved = inode_of(moved),
		.replaced = replaced ? inode_of(replaced) : NULL,
		.exchange = (flags & LINUX_RENAME_EXCHANGE) != 0,
	};
	int error = ext4_rename(&renaming);

	if (error)
		return error;
	update_directory(from_directory);
	update_directory(to_directory);
	update_target(moved);
	if (replaced)
		update_target(replaced);
	return 0;
}

/* ---- attributes -------------------------------------------------------------------- */

static int get_attributes(struct vnode *vnode, struct linux_stat *stat)
{
	struct ext4_node *node = ext4_node_of(vnode);
	uint64_t set_aside = __atomic_load_n(&node->set_aside, __ATOMIC_RELAXED);

	stat->blocks = (int64_t)(READ_ONCE(node->inode.blocks_512) + set_aside);
	return 0;
}

static int write_attributes(struct storage_node *storage)
{
	struct vnode *vnode = &storage->vnode;
	struct ext4_inode *inode = inode_of(vnode);
	struct ext4 *fs = inode->fs;
	bool times_only =
		inode->mode == vnode->mode && inode->uid == vnode->uid && inode->gid == vnode->gid;
	int error;

	if (fs->read_only)
		return 0;
	error = ext4_begin(fs);
	if (error)
		return error;
	inode->mode = (uint16_t)vnode->mode;
	inode->uid = vnode->uid;
	inode->gid = vnode->gid;
	inode->atime_ns = vnode->atime_ns;
	inode->mtime_ns = vnode->mtime_ns;
	inode->ctime_ns = vnode->ctime_ns;
	return ext4_end(fs, inode_store(inode, times_only));
}

static int sync_node(struct storage_node *node, bool data_only)
{
	return ext4_sync_inode(inode_of(&node->vnode), data_only);
}

/* ---- extended attributes -------------------------------------------------------------- */

static bool may_have_user_xattrs(const struct vnode *vnode, const char *name)
{
	return strncmp(name, "user.", 5) != 0 || LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG) ||
	       LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR);
}

static long get_xattr(struct vnode *vnode, const char *name, void *value, size_t capacity)
{
	if (!may_have_user_xattrs(vnode, name))
		return -LINUX_ENODATA;
	return ext4_get_xattr(inode_of(vnode), name, value, capacity);
}

static int set_xattr(
	struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags)
{
	int error;

	if (!may_have_user_xattrs(vnode, name))
		return -LINUX_EPERM;
	error = ext4_set_xattr(inode_of(vnode), name, value, bytes, flags);
	if (!error)
		vnode->ctime_ns = inode_of(vnode)->ctime_ns;
	return error;
}

static long list_xattr(struct vnode *vnode, char *names, size_t capacity)
{
	return ext4_list_xattrs(inode_of(vnode), names, capacity);
}

static int remove_xattr(struct vnode *vnode, const char *name)
{
	int error;

	if (!may_have_user_xattrs(vnode, name))
		return -LINUX_EPERM;
	error = ext4_remove_xattr(inode_of(vnode), name);
	if (!error)
		vnode->ctime_ns = inode_of(vnode)->ctime_ns;
	return error;
}

/* ---- listing ------------------------------------------------------------------------------ */

static uint32_t mode_of_type(uint8_t type)
{
	static const uint32_t modes[] = {0, LINUX_S_IFREG, LINUX_S_IFDIR, LINUX_S_IFCHR,
		LINUX_S_IFBLK, LINUX_S_IFIFO, LINUX_S_IFSOCK, LINUX_S_IFLNK};

	return type < ARRAY_SIZE(modes) ? modes[type] : 0;
}

static int find_parent(struct ext4_inode *directory, uint32_t *number)
{
	struct ext4_found found;
	int error;

	mutex_lock(&directory->fs->lock);
	error = directory_find_parent(directory, &found);
	if (!error) {
		*number = found.entry->inode;
		buffer_release(found.buffer);
	}
	mutex_unlock(&directory->fs->lock);
	return error;
}

static int emit_dots(struct ext4_inode *directory, uint64_t *position, struct directory_sink *sink)
{
	uint32_t parent;
	int error = 0;

	if (*position == 0) {
		error = sink->emit(sink, ".", 1, directory->number, LINUX_S_IFDIR, 1);
		*position = 1;
	}
	if (!error && *position == 1) {
		error = find_parent(directory, &parent);
		if (!error)
			error = sink->emit(sink, "..", 2, parent, LINUX_S_IFDIR, 2);
		*position = 2;
	}
	return error;
}

static int emit_batch(const struct ext4_name_batch *batch, struct directory_sink *sink)
{
	int error = 0;

	for (uint32_t i = 0; i < batch->count && !error; i++) {
		const struct ext4_directory_entry *entry = batch->names[i].entry;

		error = sink->emit(sink, entry->name, entry->name_length, entry->inode,
			mode_of_type(entry->type), batch->names[i].key + 3);
	}
	return error;
}

static int read_directory(struct storage_node *node, uint64_t position, struct directory_sink *sink)
{
	struct ext4_inode *directory = inode_of(&node->vnode);
	struct ext4_name_batch *batch;
	int error = emit_dots(directory, &position, sink);

	if (error)
		return error;
	batch = heap_alloc(sizeof(*batch));
	if (!batch)
		return -LINUX_ENOMEM;
	batch->is_last = false;
	while (!error && !batch->is_last) {
		mutex_lock(&directory->fs->lock);
		error = directory_read_batch(directory, position, batch);
		mutex_unlock(&directory->fs->lock);
		if (!error)
			error = emit_batch(batch, sink);
		position = batch->next;
	}
	heap_free(batch);
	return error;
}

/* ---- the file system ------------------------------------------------------------------------- */

static int sync_all(struct file_system *fs, bool wait)
{
	struct ext4 *ext4 = fs->data;

	if (wait)
		return ext4_sync(ext4);
	if (!ext4->read_only)
		journal_wake_thread(ext4);
	return 0;
}

static int usage(struct file_system *fs, struct file_system_usage *usage)
{
	struct ext4 *ext4 = fs->data;
	struct ext4_usage now;

	ext4_usage(ext4, &now);
	*usage = (struct file_system_usage){
		.block_bytes = ext4->block_bytes,
		.blocks = now.blocks,
		.free_blocks = now.free_blocks,
		.available_blocks = now.available_blocks,
		.files = now.files,
		.free_files = now.free_files,
		.name_length = EXT4_NAME_MOST,
	};
	return 0;
}

static int unmount(struct file_system *fs)
{
	struct ext4 *ext4 = fs->data;

	/* Files without names that are still open: their vnodes stay, without the volume. */
	while (ext4->orphans && !ext4->read_only) {
		struct ext4_inode *orphan = ext4->orphans;

		if (inode_delete(orphan) || ext4->orphans == orphan)
			break;
	}
	fs->data = NULL;
	return ext4_unmount(ext4);
}

static int open_volume(struct block_device *device, bool read_only, struct file_system **result,
	struct vnode **root)
{
	struct file_system *fs = heap_zalloc(sizeof(*fs));
	struct ext4 *ext4;
	int error;

	if (!fs)
		return -LINUX_ENOMEM;
	error = ext4_mount(device, read_only, &ext4);
	if (error) {
		heap_free(fs);
		return error;
	}
	*fs = (struct file_system){
		.type = "ext4",
		.magic = EXT4_STATFS_MAGIC,
		.read_only = ext4->read_only,
		.storage = &ext4_storage_ops,
		.data = ext4,
		.entry_timeout_ns = UINT64_MAX,
		.negative_timeout_ns = UINT64_MAX,
	};
	error = load_node(fs, EXT4_ROOT_INODE, root);
	if (!error && !LINUX_S_ISTYPE((*root)->mode, LINUX_S_IFDIR)) {
		vnode_release(*root);
		error = EXT4_CORRUPT;
	}
	if (error) {
		(void)ext4_unmount(ext4);
		heap_free(fs);
		return error;
	}
	*result = fs;
	return 0;
}

static const struct vnode_ops ext4_vnode_ops = {
	.lookup = lookup,
	.create = create,
	.create_temporary = create_temporary,
	.make_directory = make_directory,
	.symlink = make_link,
	.link = link_node,
	.unlink = unlink_node,
	.remove_directory = unlink_node,
	.rename = move,
	.get_attributes = get_attributes,
	.open = storage_open,
	.get_xattr = get_xattr,
	.set_xattr = set_xattr,
	.list_xattr = list_xattr,
	.remove_xattr = remove_xattr,
	.release = release,
};

static const struct storage_ops ext4_storage_ops = {
	.sync = sync_all,
	.usage = usage,
	.unmount = unmount,
	.write_attributes = write_attributes,
	.sync_node = sync_node,
	.read_directory = read_directory,
	.read_pages = ext4_read_pages,
	.write_pages = ext4_write_pages,
	.submit_pages = ext4_submit_pages,
	.reserve = ext4_reserve_pages,
	.unreserve = ext4_unreserve_pages,
	.set_size = ext4_set_node_size,
	.allocate = ext4_allocate_space,
	.allocate_modes = LINUX_FALLOC_ZERO_RANGE,
	.seek = ext4_seek_data,
};

const struct volume_type ext4_volume_type = {.name = "ext4", .open = open_volume};
