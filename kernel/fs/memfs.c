/*
 * Nodes of the memory file system, and what changes in them when names change. The
 * names themselves are kept by the tree (tree.c); its lock is held here.
 */
#include "kernel/fs/memfs.h"
#include "kernel/fs/directory.h"
#include "kernel/fs/image_tree.h"
#include "kernel/fs/pipe.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define NAME_COST 20 /* what a name adds to the size of a directory, as tmpfs tells it */

struct file_system memfs_root = {.type = "tmpfs", .device = 0x17, .magic = 0x01021994};
struct file_system memfs_device = {.type = "devtmpfs", .device = 0x5, .magic = 0x01021994};
struct file_system memfs_proc = {
	.type = "proc", .device = 0x15, .magic = 0x9fa0, .read_only = true};
struct file_system memfs_sys = {
	.type = "sysfs", .device = 0x16, .magic = 0x62656572, .read_only = true};
struct file_system memfs_memfd = {.type = "tmpfs", .device = 0x1, .magic = 0x01021994};

bool memfs_count_node(struct file_system *fs)
{
	uint64_t used = __atomic_add_fetch(&fs->used_nodes, 1, __ATOMIC_RELAXED);

	if (fs->limit_nodes == 0 || used <= fs->limit_nodes)
		return true;
	memfs_uncount_node(fs);
	return false;
}

void memfs_uncount_node(struct file_system *fs)
{
	__atomic_fetch_sub(&fs->used_nodes, 1, __ATOMIC_RELAXED);
}

/* A node and its name take about half a kilobyte. */
void memfs_set_limit(uint64_t bytes)
{
	memfs_root.limit_pages = bytes >> PAGE_SHIFT;
	memfs_root.limit_nodes = bytes / 1024;
}

static void uncount(const struct vnode *vnode)
{
	if (vnode->is_counted)
		memfs_uncount_node(vnode->fs);
}

static void free_node(struct vnode *vnode)
{
	uncount(vnode);
	heap_free(vnode);
}

static void free_link(struct vnode *vnode)
{
	uncount(vnode);
	heap_free(vnode->data);
	heap_free(vnode);
}

static void free_directory(struct vnode *vnode)
{
	uncount(vnode);
	heap_free(vnode->data); /* the names of images behind it */
	heap_free(vnode);
}

static void free_file(struct vnode *vnode)
{
	uncount(vnode);
	memory_file_uncount_pages(memory_file_of(vnode), memory_file_of(vnode)->cache.page_count);
	page_cache_destroy(&memory_file_of(vnode)->cache);
	heap_free(memory_file_of(vnode));
}

static int file_get_attributes(struct vnode *vnode, struct linux_stat *stat)
{
	const struct page_cache *cache = &memory_file_of(vnode)->cache;
	uint64_t base_pages = ALIGN_UP(cache->base_bytes, PAGE_BYTES) >> PAGE_SHIFT;

	stat->blocks = (int64_t)((READ_ONCE(cache->page_count) + base_pages -
					 READ_ONCE(cache->hidden_count)) *
				 8);
	return 0;
}

static int file_set_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values)
{
	if (!(mask & VNODE_SIZE))
		return 0;
	return memory_file_set_size(memory_file_of(vnode), (uint64_t)values->size);
}

static const struct vnode_ops link_ops = {.release = free_link};
const struct vnode_ops memfs_special_ops = {.release = free_node};
static const struct vnode_ops fifo_ops = {.release = free_node, .open = pipe_open_fifo};

const struct vnode_ops memfs_file_ops = {
	.get_attributes = file_get_attributes,
	.set_attributes = file_set_attributes,
	.release = free_file,
};

struct vnode *memfs_new_file(struct file_system *fs, uint32_t permissions)
{
	struct memory_file *file = heap_alloc(sizeof(*file));

	if (!file)
		return NULL;
	vnode_init(&file->vnode, &memfs_file_ops, fs, LINUX_S_IFREG | permissions);
	file->vnode.file_ops = &memory_file_ops;
	file->source.ops = &memory_file_source_ops;
	list_init(&file->source.areas);
	page_cache_init(&file->cache);
	file->seals = LINUX_F_SEAL_SEAL;
	return &file->vnode;
}

struct vnode *memfs_new_special(struct file_system *fs, uint32_t mode, const struct vnode_ops *ops,
	const struct file_ops *file_ops, void *data)
{
	struct vnode *vnode = heap_alloc(sizeof(*vnode));

	if (!vnode)
		return NULL;
	if (!ops)
		ops = LINUX_S_ISTYPE(mode, LINUX_S_IFIFO) ? &fifo_ops : &memfs_special_ops;
	vnode_init(vnode, ops, fs, mode);
	vnode->file_ops = file_ops;
	vnode->data = data;
	return vnode;
}

struct vnode *memfs_new_directory(struct file_system *fs, uint32_t permissions)
{
	const struct vnode_ops *ops = fs->read_only ? &memfs_special_ops : &memfs_directory_ops;
	struct vnode *vnode =
		memfs_new_special(fs, LINUX_S_IFDIR | permissions, ops, &directory_file_ops, NULL);

	if (vnode) {
		vnode->nlink = 2;
		vnode->size = fs->read_only ? 0 : 2 * NAME_COST;
	}
	return vnode;
}

struct vnode *memfs_new_link(struct file_system *fs, const char *text)
{
	size_t length = strlen(text);
	char *copy = heap_alloc(length + 1);
	struct vnode *vnode;

	if (!copy)
		return NULL;
	memcpy(copy, text, length + 1);
	vnode = memfs_new_special(fs, LINUX_S_IFLNK | 0777, &link_ops, NULL, copy);
	if (vnode)
		vnode->size = length;
	else
		heap_free(copy);
	return vnode;
}

void memfs_inherit_group(const struct vnode *directory, struct vnode *vnode)
{
	if (directory->mode & LINUX_S_ISGID) {
		vnode->gid = directory->gid;
		if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR))
			vnode->mode |= LINUX_S_ISGID;
	}
}

static int created_node(struct vnode *directory, struct vnode *vnode, struct vnode **created)
{
	if (!vnode) {
		memfs_uncount_node(directory->fs);
		return -LINUX_ENOSPC;
	}
	vnode->is_counted = true;
	directory->size += NAME_COST;
	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR))
		directory->nlink++;
	memfs_inherit_group(directory, vnode);
	vnode_touch_contents(directory);
	*created = vnode;
	return 0;
}

static int create(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	uint64_t device, struct vnode **created)
{
	struct vnode *vnode;

	(void)name;
	(void)length;
	if (!memfs_count_node(directory->fs))
		return -LINUX_ENOSPC;
	if (LINUX_S_ISTYPE(mode, LINUX_S_IFREG)) {
		vnode = memfs_new_file(directory->fs, mode & 07777);
	} else {
		vnode = memfs_new_special(directory->fs, mode, NULL, NULL, NULL);
		if (vnode)
			vnode->rdev = device;
	}
	return created_node(directory, vnode, created);
}

static int make_directory(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	struct vnode **created)
{
	(void)name;
	(void)length;
	if (!memfs_count_node(directory->fs))
		return -LINUX_ENOSPC;
	return created_node(directory, memfs_new_directory(directory->fs, mode & 07777), created);
}

static int make_link(struct vnode *directory, const char *name, size_t length, const char *target,
	struct vnode **created)
{
	(void)name;
	(void)length;
	if (!memfs_count_node(directory->fs))
		return -LINUX_ENOSPC;
	return created_node(directory, memfs_new_link(directory->fs, target), created);
}

static int add_name(struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	(void)name;
	(void)length;
	target->nlink++;
	directory->size += NAME_COST;
	vnode_touch_attributes(target);
	vnode_touch_contents(directory);
	return 0;
}

static int remove_name(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	(void)name;
	(void)length;
	/* Directories of images have other sizes. */
	directory->size -= MIN(directory->size, NAME_COST);
	vnode_touch_attributes(target);
	vnode_touch_contents(directory);
	if (--target->nlink == 0)
		image_tree_forget(target);
	return 0;
}

static int remove_directory(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	directory->nlink--;
	target->nlink = 1; /* images need not count right */
	return remove_name(directory, name, length, target);
}

static bool is_directory(const struct vnode *vnode)
{
	return LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR);
}

static int rename_node(struct vnode *from_directory, const char *from, size_t from_length,
	struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
	struct vnode *replaced, uint32_t flags)
{
	int up = is_directory(moved), down = replaced && is_directory(replaced);

	(void)from;
	(void)from_length;
	if (flags & LINUX_RENAME_EXCHANGE) {
		from_directory->nlink += (uint32_t)(down - up);
		to_directory->nlink += (uint32_t)(up - down);
		vnode_touch_attributes(replaced);
	} else {
		if (replaced && down)
			remove_directory(to_directory, to, to_length, replaced);
		else if (replaced)
			remove_name(to_directory, to, to_length, replaced);
		from_directory->nlink -= (uint32_t)up;
		to_directory->nlink += (uint32_t)up;
		from_directory->size -= MIN(from_directory->size, NAME_COST);
		to_directory->size += NAME_COST;
	}
	vnode_touch_attributes(moved);
	vnode_touch_contents(from_directory);
	vnode_touch_contents(to_directory);
	return 0;
}

const struct vnode_ops memfs_directory_ops = {
	.create = create,
	.make_directory = make_directory,
	.symlink = make_link,
	.link = add_name,
	.unlink = remove_name,
	.remove_directory = remove_directory,
	.rename = rename_node,
	.release = free_directory,
};

int memfs_init(void)
{
	return memory_file_init();
}

void memfs_teardown(void)
{
	memory_file_teardown();
}
