/* See toy_storage.h. */
#include "arch/host/toy_storage.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/fs/mount.h"
#include "kernel/fs/reclaim.h"
#include "kernel/fs/xattr.h"
#include "kernel/mm/heap.h"

#define ROOT      2
#define NAME_COST 20
#define XATTRS    8

struct toy_entry {
	struct toy_entry *next;
	uint64_t inode, cookie;
	size_t length;
	char name[256];
};

struct toy_block {
	struct toy_block *next;
	uint64_t index;
	bool is_written;
	uint8_t data[PAGE_BYTES];
};

struct toy_xattr {
	char *name;
	void *value;
	size_t bytes;
};

struct toy_inode {
	struct toy_inode *next;
	uint64_t number, parent;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, size, last_cookie;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct toy_entry *entries;
	struct toy_block *blocks;
	uint64_t block_count, reserved;
	char *link;
	struct toy_xattr xattrs[XATTRS];
};

struct toy_node {
	struct storage_node node;
	struct toy_inode *inode;
};

struct toy_storage toy_storage;
static struct toy_inode *inodes;
static struct storage_io *pending[1024];
static unsigned pending_count;

/* Guards all of the above, below what the VFS holds; storage_io_done is called without. */
static struct spinlock lock = SPINLOCK_INIT;

static const struct vnode_ops toy_ops;

static struct toy_inode *inode_of(struct vnode *vnode)
{
	return ((struct toy_node *)storage_node_of(vnode))->inode;
}

/* ---- blocks ------------------------------------------------------------------------ */

static struct toy_block *find_block(struct toy_inode *inode, uint64_t index)
{
	struct toy_block *block = inode->blocks;

	while (block && block->index != index)
		block = block->next;
	return block;
}

static struct toy_block *add_block(struct toy_inode *inode, uint64_t index)
{
	struct toy_block *block;

	if (toy_storage.used_blocks == toy_storage.total_blocks)
		return NULL;
	block = calloc(1, sizeof(*block));
	block->index = index;
	block->next = inode->blocks;
	inode->blocks = block;
	inode->block_count++;
	toy_storage.used_blocks++;
	return block;
}

static void drop_blocks(struct toy_inode *inode, uint64_t first, uint64_t last)
{
	struct toy_block **link = &inode->blocks;

	while (*link) {
		struct toy_block *block = *link;

		if (block->index < first || block->index > last) {
			link = &block->next;
			continue;
		}
		*link = block->next;
		free(block);
		inode->block_count--;
		toy_storage.used_blocks--;
	}
}

/* ---- transfers ------------------------------------------------------------------------ */

static int transfer_page(struct storage_io *io, uint32_t i)
{
	struct toy_inode *inode = inode_of(&io->node->vnode);
	struct toy_block *block = find_block(inode, io->index + i);
	void *page = platform_phys_to_virt(io->pages[i]);

	if (!io->write) {
		if (block && block->is_written)
			memcpy(page, block->data, PAGE_BYTES);
		else
			memset(page, 0, PAGE_BYTES);
		return 0;
	}
	if (!block)
		block = add_block(inode, io->index + i);
	if (!block)
		abort(); /* space was set aside */
	memcpy(block->data, page, PAGE_BYTES);
	block->is_written = true;
	return 0;
}

static void complete(struct storage_io *io)
{
	uint32_t *failing = io->write ? &toy_storage.failing_writes : &toy_storage.failing_reads;
	int error = 0;

	if (*failing > 0) {
		--*failing;
		error = io->write ? toy_storage.write_error : toy_storage.read_error;
	}
	spin_lock(&lock);
	for (uint32_t i = 0; i < io->count && !error; i++)
		error = transfer_page(io, i);
	spin_unlock(&lock);
	storage_io_done(io, error);
}

static struct storage_io *take_pending(void)
{
	struct storage_io *io = NULL;

	spin_lock(&lock);
	/* The last first: order is not to be relied on. */
	if (pending_count > 0)
		io = pending[--pending_count];
	spin_unlock(&lock);
	return io;
}

unsigned toy_storage_complete(void)
{
	unsigned done = 0;

	for (struct storage_io *io; (io = take_pending()) != NULL; done++)
		complete(io);
	return done;
}

static void begin(struct storage_node *node, struct storage_io *io)
{
	bool later;

	(void)node;
	if (io->count == 0 || io->bytes > io->count * PAGE_BYTES)
		abort();
	spin_lock(&lock);
	*(io->write ? &toy_storage.writes : &toy_storage.reads) += 1;
	*(io->write ? &toy_storage.written_pages : &toy_storage.read_pages) += io->count;
	later = toy_storage.defer && pending_count < ARRAY_SIZE(pending);
	if (later)
		pending[pending_count++] = io;
	spin_unlock(&lock);
	if (!later)
		complete(io);
}

static int reserve_locked(
	struct storage_node *node, uint64_t index, uint32_t count, uint64_t *taken)
{
	struct toy_inode *inode = inode_of(&node->vnode);
	uint64_t mask = 0, bits;

	if (count > 64)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		if (!find_block(inode, index + i))
			mask |= 1ull << i;
	}
	bits = (uint64_t)__builtin_popcountll(mask);
	if (toy_storage.used_blocks + toy_storage.reserved_blocks + bits > toy_storage.total_blocks)
		return -LINUX_ENOSPC;
	toy_storage.reserved_blocks += bits;
	inode->reserved += bits;
	*taken = mask;
	return 0;
}

static int reserve(struct storage_node *node, uint64_t index, uint32_t count, uint64_t *taken)
{
	int result;

	spin_lock(&lock);
	result = reserve_locked(node, index, count, taken);
	spin_unlock(&lock);
	return result;
}

static void unreserve(struct storage_node *node, uint32_t count)
{
	struct toy_inode *inode = inode_of(&node->vnode);

	spin_lock(&lock);
	if (inode->reserved < count)
		abort();
	inode->reserved -= count;
	toy_storage.reserved_blocks -= count;
	spin_unlock(&lock);
}

static int set_size_locked(struct storage_node *node, uint64_t bytes)
{
	drop_blocks(inode_of(&node->vnode), (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT, UINT64_MAX);
	return 0;
}

static int set_size(struct storage_node *node, uint64_t bytes)
{
	int result;

	spin_lock(&lock);
	result = set_size_locked(node, bytes);
	spin_unlock(&lock);
	return result;
}

static int allocate_locked(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	struct toy_inode *inode = inode_of(&node->vnode);
	uint64_t first = offset >> PAGE_SHIFT,
		 end = (offset + bytes + PAGE_BYTES - 1) >> PAGE_SHIFT;

	if (mode & ~(LINUX_FALLOC_KEEP_SIZE | LINUX_FALLOC_PUNCH_HOLE))
		return -LINUX_EOPNOTSUPP;
	if (mode & LINUX_FALLOC_PUNCH_HOLE) {
		first = (offset + PAGE_BYTES - 1) >> PAGE_SHIFT;
		end = (offset + bytes) >> PAGE_SHIFT;
		if (first < end)
			drop_blocks(inode, first, end - 1);
		return 0;
	}
	for (uint64_t index = first; index < end; index++) {
		struct toy_block *block = find_block(inode, index);

		if (block)
			block->is_written = true; /* reserved twice counts as written */
		else if (!add_block(inode, index))
			return -LINUX_ENOSPC;
	}
	return 0;
}

static int allocate(struct storage_node *node, int mode, uint64_t offset, uint64_t bytes)
{
	int result;

	spin_lock(&lock);
	result = allocate_locked(node, mode, offset, bytes);
	spin_unlock(&lock);
	return result;
}

static int64_t seek_locked(struct storage_node *node, uint64_t offset, bool data)
{
	struct toy_inode *inode = inode_of(&node->vnode);
	uint64_t size = node->vnode.size;

	for (uint64_t index = offset >> PAGE_SHIFT; index << PAGE_SHIFT < size; index++) {
		struct toy_block *block = find_block(inode, index);

		if ((block && block->is_written) == data)
			return (int64_t)MAX(index << PAGE_SHIFT, offset);
	}
	return data ? -LINUX_ENXIO : (int64_t)size;
}

static int64_t seek(struct storage_node *node, uint64_t offset, bool data)
{
	int64_t result;

	spin_lock(&lock);
	result = seek_locked(node, offset, data);
	spin_unlock(&lock);
	return result;
}

/* ---- nodes -------------------------------------------------------------------------- */

static struct toy_inode *find_inode(uint64_t number)
{
	struct toy_inode *inode = inodes;

	while (inode && inode->number != number)
		inode = inode->next;
	return inode;
}

static void free_inode(struct toy_inode *inode)
{
	struct toy_inode **link = &inodes;

	while (*link != inode)
		link = &(*link)->next;
	*link = inode->next;
	drop_blocks(inode, 0, UINT64_MAX);
	for (int i = 0; i < XATTRS; i++) {
		free(inode->xattrs[i].name);
		free(inode->xattrs[i].value);
	}
	while (inode->entries) {
		struct toy_entry *entry = inode->entries;

		inode->entries = entry->next;
		free(entry);
	}
	free(inode->link);
	free(inode);
}

static void release(struct vnode *vnode)
{
	struct toy_node *node = (struct toy_node *)storage_node_of(vnode);

	storage_node_destroy(&node->node);
	if (vnode->nlink == 0) {
		if (node->inode->reserved)
			abort();
		spin_lock(&lock);
		free_inode(node->inode);
		spin_unlock(&lock);
	}
	heap_free(node);
}

static int load(uint64_t number, struct vnode **result)
{
	struct storage_node *found = storage_find(&toy_storage.fs, number);
	struct toy_inode *inode = find_inode(number);
	struct toy_node *node;

	if (found) {
		*result = &found->vnode;
		return 0;
	}
	node = heap_alloc(sizeof(*node));
	if (!node)
		return -LINUX_ENOMEM;
	storage_node_init(&node->node, &toy_ops, &toy_storage.fs, inode->mode, number);
	node->inode = inode;
	*result = &node->node.vnode;
	(*result)->nlink = inode->nlink;
	(*result)->uid = inode->uid;
	(*result)->gid = inode->gid;
	(*result)->rdev = inode->rdev;
	(*result)->size = inode->size;
	(*result)->atime_ns = inode->atime_ns;
	(*result)->mtime_ns = inode->mtime_ns;
	(*result)->ctime_ns = inode->ctime_ns;
	if (inode->link) {
		(*result)->data = heap_alloc(strlen(inode->link) + 1);
		strcpy((*result)->data, inode->link);
	}
	found = storage_enter(&node->node);
	if (found != &node->node)
		abort(); /* under the lock there is one thread */
	return 0;
}

static int write_attributes_locked(struct storage_node *node)
{
	struct toy_inode *inode = inode_of(&node->vnode);

	toy_storage.attribute_writes++;
	inode->mode = node->vnode.mode;
	inode->nlink = node->vnode.nlink;
	inode->uid = node->vnode.uid;
	inode->gid = node->vnode.gid;
	inode->size = node->vnode.size;
	inode->atime_ns = node->vnode.atime_ns;
	inode->mtime_ns = node->vnode.mtime_ns;
	inode->ctime_ns = node->vnode.ctime_ns;
	return 0;
}

static int write_attributes(struct storage_node *node)
{
	int result;

	spin_lock(&lock);
	result = write_attributes_locked(node);
	spin_unlock(&lock);
	return result;
}

static int get_attributes(struct vnode *vnode, struct linux_stat *stat)
{
	struct toy_inode *inode = inode_of(vnode);

	stat->blocks = (int64_t)(inode->block_count + inode->reserved) * 8;
	return 0;
}

static int add_inode(struct vnode *directory, uint32_t mode, struct vnode **created)
{
	static uint64_t last = ROOT;
	struct toy_inode *inode = calloc(1, sizeof(*inode));

	inode->number = ++last;
	inode->mode = mode;
	inode->next = inodes;
	inodes = inode;
	if (load(inode->number, created) != 0) {
		free_inode(inode);
		return -LINUX_ENOMEM;
	}
	(*created)->atime_ns = (*created)->mtime_ns = (*created)->ctime_ns = 0;
	vnode_touch_contents(*created);
	(*created)->atime_ns = (*created)->mtime_ns;
	if (directory->mode & LINUX_S_ISGID) {
		(*created)->gid = directory->gid;
		if (LINUX_S_ISTYPE(mode, LINUX_S_IFDIR))
			(*created)->mode |= LINUX_S_ISGID;
	}
	storage_mark_dirty(storage_node_of(*created), false);
	return 0;
}

/* ---- names -------------------------------------------------------------------------- */

static struct toy_entry **find_entry(struct vnode *directory, const char *name, size_t length)
{
	struct toy_entry **link = &inode_of(directory)->entries;

	while (*link && ((*link)->length != length || memcmp((*link)->name, name, length) != 0))
		link = &(*link)->next;
	return link;
}

static int lookup(struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	struct toy_entry *entry;
	int error = -LINUX_ENOENT;

	spin_lock(&lock);
	toy_storage.lookups++;
	entry = *find_entry(directory, name, length);
	if (entry)
		error = load(entry->inode, found);
	spin_unlock(&lock);
	return error;
}

static void changed(struct vnode *vnode)
{
	vnode_touch_attributes(vnode);
	storage_mark_dirty(storage_node_of(vnode), false);
}

static void resized(struct vnode *directory, int64_t by)
{
	directory->size += (uint64_t)by;
	vnode_touch_contents(directory);
	storage_mark_dirty(storage_node_of(directory), false);
}

static void add_name(struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	struct toy_entry *entry = calloc(1, sizeof(*entry)), **link = &inode_of(directory)->entries;

	if (*find_entry(directory, name, length))
		abort();
	while (*link)
		link = &(*link)->next;
	*link = entry;
	entry->inode = target->inode;
	entry->length = length;
	entry->cookie = ++inode_of(directory)->last_cookie + 2;
	memcpy(entry->name, name, length);
	resized(directory, NAME_COST);
}

static void remove_name(struct vnode *directory, const char *name, size_t length)
{
	struct toy_entry **link = find_entry(directory, name, length), *entry = *link;

	*link = entry->next;
	free(entry);
	resized(directory, -NAME_COST);
}

static int create_locked(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	uint64_t device, struct vnode **created)
{
	int error = add_inode(directory, mode, created);

	if (error)
		return error;
	(*created)->nlink = 1;
	(*created)->rdev = inode_of(*created)->rdev = device;
	add_name(directory, name, length, *created);
	return 0;
}

static int create(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	uint64_t device, struct vnode **created)
{
	int result;

	spin_lock(&lock);
	result = create_locked(directory, name, length, mode, device, created);
	spin_unlock(&lock);
	return result;
}

static int create_temporary_locked(struct vnode *directory, uint32_t mode, struct vnode **created)
{
	int error = add_inode(directory, LINUX_S_IFREG | mode, created);

	if (!error)
		(*created)->nlink = 0;
	return error;
}

static int create_temporary(struct vnode *directory, uint32_t mode, struct vnode **created)
{
	int result;

	spin_lock(&lock);
	result = create_temporary_locked(directory, mode, created);
	spin_unlock(&lock);
	return result;
}

static int make_directory_locked(struct vnode *directory, const char *name, size_t length,
	uint32_t mode, struct vnode **created)
{
	int error = add_inode(directory, LINUX_S_IFDIR | mode, created);

	if (error)
		return error;
	inode_of(*created)->parent = directory->inode;
	(*created)->nlink = 2;
	(*created)->size = 2 * NAME_COST;
	directory->nlink++;
	add_name(directory, name, length, *created);
	return 0;
}

static int make_directory(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	struct vnode **created)
{
	int result;

	spin_lock(&lock);
	result = make_directory_locked(directory, name, length, mode, created);
	spin_unlock(&lock);
	return result;
}

static int make_link_locked(struct vnode *directory, const char *name, size_t length,
	const char *target, struct vnode **created)
{
	int error = add_inode(directory, LINUX_S_IFLNK | 0777, created);

	if (error)
		return error;
	inode_of(*created)->link = strdup(target);
	(*created)->data = heap_alloc(strlen(target) + 1);
	strcpy((*created)->data, target);
	(*created)->size = strlen(target);
	(*created)->nlink = 1;
	add_name(directory, name, length, *created);
	return 0;
}

static int make_link(struct vnode *directory, const char *name, size_t length, const char *target,
	struct vnode **created)
{
	int result;

	spin_lock(&lock);
	result = make_link_locked(directory, name, length, target, created);
	spin_unlock(&lock);
	return result;
}

static int link_node_locked(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	target->nlink++;
	changed(target);
	add_name(directory, name, length, target);
	return 0;
}

static int link_node(struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int result;

	spin_lock(&lock);
	result = link_node_locked(directory, name, length, target);
	spin_unlock(&lock);
	return result;
}

static int unlink_node_locked(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	remove_name(directory, name, length);
	target->nlink--;
	changed(target);
	return 0;
}

static int unlink_node(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int result;

	spin_lock(&lock);
	result = unlink_node_locked(directory, name, length, target);
	spin_unlock(&lock);
	return result;
}

static int remove_directory_locked(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	if (inode_of(target)->entries)
		return -LINUX_ENOTEMPTY;
	remove_name(directory, name, length);
	directory->nlink--;
	target->nlink = 0;
	changed(target);
	return 0;
}

static int remove_directory(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int result;

	spin_lock(&lock);
	result = remove_directory_locked(directory, name, length, target);
	spin_unlock(&lock);
	return result;
}

static int move_locked(struct vnode *from_directory, const char *from, size_t from_length,
	struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
	struct vnode *replaced, uint32_t flags)
{
	uint32_t up = LINUX_S_ISTYPE(moved->mode, LINUX_S_IFDIR);
	uint32_t down = replaced && LINUX_S_ISTYPE(replaced->mode, LINUX_S_IFDIR);
	int error = 0;

	if (flags & LINUX_RENAME_EXCHANGE) {
		(*find_entry(from_directory, from, from_length))->inode = replaced->inode;
		(*find_entry(to_directory, to, to_length))->inode = moved->inode;
		if (down)
			inode_of(replaced)->parent = from_directory->inode;
		from_directory->nlink += down - up;
		to_directory->nlink += up - down;
		changed(replaced);
		resized(from_directory, 0);
		resized(to_directory, 0);
	} else {
		if (replaced)
			error = (down ? remove_directory_locked : unlink_node_locked)(
				to_directory, to, to_length, replaced);
		if (error)
			return error;
		remove_name(from_directory, from, from_length);
		from_directory->nlink -= up;
		to_directory->nlink += up;
		add_name(to_directory, to, to_length, moved);
	}
	if (up)
		inode_of(moved)->parent = to_directory->inode;
	changed(moved);
	return 0;
}

static int move(struct vnode *from_directory, const char *from, size_t from_length,
	struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
	struct vnode *replaced, uint32_t flags)
{
	int result;

	spin_lock(&lock);
	result = move_locked(from_directory, from, from_length, moved, to_directory, to, to_length,
		replaced, flags);
	spin_unlock(&lock);
	return result;
}

static int read_directory_locked(
	struct storage_node *directory, uint64_t position, struct directory_sink *sink)
{
	struct toy_inode *inode = inode_of(&directory->vnode);
	int error = 0;

	if (position < 1)
		error = sink->emit(sink, ".", 1, inode->number, LINUX_S_IFDIR, 1);
	if (!error && position < 2)
		error = sink->emit(sink, "..", 2, inode->parent, LINUX_S_IFDIR, 2);
	for (struct toy_entry *entry = inode->entries; entry && !error; entry = entry->next) {
		if (entry->cookie > position)
			error = sink->emit(sink, entry->name, entry->length, entry->inode,
				find_inode(entry->inode)->mode & LINUX_S_IFMT, entry->cookie);
	}
	return error;
}

static int read_directory(
	struct storage_node *directory, uint64_t position, struct directory_sink *sink)
{
	int result;

	spin_lock(&lock);
	result = read_directory_locked(directory, position, sink);
	spin_unlock(&lock);
	return result;
}

/* ---- extended attributes --------------------------------------------------------------- */

static struct toy_xattr *find_xattr(struct vnode *vnode, const char *name)
{
	for (int i = 0; i < XATTRS; i++) {
		struct toy_xattr *xattr = &inode_of(vnode)->xattrs[i];

		if (name ? xattr->name && strcmp(xattr->name, name) == 0 : !xattr->name)
			return xattr;
	}
	return NULL;
}

static long get_xattr(struct vnode *vnode, const char *name, void *value, size_t capacity)
{
	struct toy_xattr *xattr = find_xattr(vnode, name);

	if (!xattr)
		return -LINUX_ENODATA;
	if (capacity > 0 && capacity < xattr->bytes)
		return -LINUX_ERANGE;
	if (capacity > 0)
		memcpy(value, xattr->value, xattr->bytes);
	return (long)xattr->bytes;
}

static int set_xattr(
	struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags)
{
	struct toy_xattr *xattr = find_xattr(vnode, name);

	if (xattr && (flags & XATTR_CREATE))
		return -LINUX_EEXIST;
	if (!xattr && (flags & XATTR_REPLACE))
		return -LINUX_ENODATA;
	if (!xattr) {
		xattr = find_xattr(vnode, NULL);
		if (!xattr)
			return -LINUX_ENOSPC;
		xattr->name = strdup(name);
	}
	free(xattr->value);
	xattr->value = malloc(bytes + 1);
	if (bytes > 0)
		memcpy(xattr->value, value, bytes);
	xattr->bytes = bytes;
	changed(vnode);
	return 0;
}

static int remove_xattr(struct vnode *vnode, const char *name)
{
	struct toy_xattr *xattr = find_xattr(vnode, name);

	if (!xattr)
		return -LINUX_ENODATA;
	free(xattr->name);
	free(xattr->value);
	*xattr = (struct toy_xattr){0};
	changed(vnode);
	return 0;
}

/* ---- the file system --------------------------------------------------------------------- */

static const struct vnode_ops toy_ops = {
	.lookup = lookup,
	.create = create,
	.make_directory = make_directory,
	.symlink = make_link,
	.link = link_node,
	.unlink = unlink_node,
	.remove_directory = remove_directory,
	.rename = move,
	.create_temporary = create_temporary,
	.get_attributes = get_attributes,
	.open = storage_open,
	.get_xattr = get_xattr,
	.set_xattr = set_xattr,
	.remove_xattr = remove_xattr,
	.release = release,
};

static int sync_fs(struct file_system *fs, bool wait)
{
	(void)fs;
	(void)wait;
	toy_storage.syncs++;
	return 0;
}

static int sync_node(struct storage_node *node, bool data_only)
{
	(void)node;
	(void)data_only;
	toy_storage.syncs++;
	return 0;
}

static int usage(struct file_system *fs, struct file_system_usage *result)
{
	(void)fs;
	result->block_bytes = PAGE_BYTES;
	result->blocks = toy_storage.total_blocks;
	result->free_blocks = result->available_blocks =
		toy_storage.total_blocks - toy_storage.used_blocks - toy_storage.reserved_blocks;
	return 0;
}

static int unmount(struct file_system *fs)
{
	(void)fs;
	toy_storage.is_clean = true;
	return 0;
}

static const struct storage_ops toy_storage_ops = {
	.sync = sync_fs,
	.usage = usage,
	.unmount = unmount,
	.write_attributes = write_attributes,
	.sync_node = sync_node,
	.read_directory = read_directory,
	.read_pages = begin,
	.write_pages = begin,
	.reserve = reserve,
	.unreserve = unreserve,
	.set_size = set_size,
	.allocate = allocate,
	.seek = seek,
};

void toy_storage_start(const char *path, uint64_t blocks)
{
	struct toy_inode *root = calloc(1, sizeof(*root));
	struct vnode *vnode;

	toy_storage = (struct toy_storage){.total_blocks = blocks};
	toy_storage.fs = (struct file_system){.type = "toy",
		.magic = 0x70796f74,
		.storage = &toy_storage_ops,
		.entry_timeout_ns = UINT64_MAX,
		.negative_timeout_ns = UINT64_MAX};
	root->number = root->parent = ROOT;
	root->mode = LINUX_S_IFDIR | 0755;
	root->nlink = 2;
	root->size = 2 * NAME_COST;
	inodes = root;
	if (load(ROOT, &vnode) != 0 || vfs_mount(path, "toy0", &toy_storage.fs, vnode) != 0)
		abort();
}

void toy_storage_forget_cached(void)
{
	vfs_sync(NULL, true);
	while (tree_forget_names(1000000) > 0)
		;
	reclaim_pages(1000000);
}

void toy_storage_finish(void)
{
	vfs_unmount_all();
	if (!toy_storage.is_clean)
		abort();
	toy_storage_complete();
	reclaim_pages(0); /* what waited for somebody to leave */
	mount_teardown();
	if (toy_storage.reserved_blocks || pending_count)
		abort();
	while (inodes)
		free_inode(inodes);
	if (toy_storage.used_blocks)
		abort();
}
