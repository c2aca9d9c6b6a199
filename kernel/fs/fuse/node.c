/* Nodes of the server: names, attributes, and the session itself. See fuse.h. */
#include "kernel/fs/fuse/fuse.h"
#include "kernel/mm/heap.h"
#include "kernel/sched/clock.h"
#include "lib/string.h"

#define FUSE_SUPER_MAGIC 0x65735546
#define SECOND_NS        1000000000ll
#define NAME_VALID_NS    (1000000000ull)

static const struct vnode_ops vnode_ops;

/* ---- attributes --------------------------------------------------------------------- */

static int64_t time_of(uint64_t seconds, uint32_t ns)
{
	int64_t time;

	if (__builtin_mul_overflow((int64_t)seconds, SECOND_NS, &time) ||
		__builtin_add_overflow(time, (int64_t)ns, &time))
		return (int64_t)seconds < 0 ? INT64_MIN : INT64_MAX;
	return time;
}

static uint64_t until(uint64_t seconds, uint32_t ns)
{
	return seconds > UINT32_MAX ? UINT64_MAX : clock_monotonic_ns() + seconds * 1000000000 + ns;
}

/* Contents are what was last seen, or what was written here since. */
static void check_contents(struct fuse_node *node, const struct fuse_attributes *attributes)
{
	struct storage_node *storage = &node->storage;
	int64_t mtime_ns = time_of(attributes->mtime, attributes->mtime_ns);
	bool is_dirty = READ_ONCE(storage->dirty) + READ_ONCE(storage->writing) > 0;

	if (!node->has_written && !is_dirty &&
		(mtime_ns != node->host_mtime_ns || attributes->size != node->host_size))
		storage_invalidate(storage, 0, UINT64_MAX >> PAGE_SHIFT);
	if (!is_dirty)
		WRITE_ONCE(storage->vnode.size, attributes->size);
	node->has_written = is_dirty;
	node->host_mtime_ns = mtime_ns;
	node->host_size = attributes->size;
}

void fuse_take_attributes(struct vnode *vnode, const struct fuse_attributes *attributes,
	uint64_t valid_s, uint32_t valid_ns)
{
	struct fuse_node *node = fuse_node_of(vnode);

	node->host_inode = attributes->inode;
	node->blocks = attributes->blocks;
	vnode->mode = (vnode->mode & LINUX_S_IFMT) | (attributes->mode & 07777);
	if (vnode->nlink != 0) /* else what was unlinked here */
		vnode->nlink = attributes->nlink;
	vnode->uid = attributes->uid;
	vnode->gid = attributes->gid;
	vnode->atime_ns = time_of(attributes->atime, attributes->atime_ns);
	vnode->mtime_ns = time_of(attributes->mtime, attributes->mtime_ns);
	vnode->ctime_ns = time_of(attributes->ctime, attributes->ctime_ns);
	if (storage_node_of(vnode)->source.ops && LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG))
		check_contents(node, attributes);
	else
		WRITE_ONCE(vnode->size, attributes->size);
	node->attributes_until_ns = until(valid_s, valid_ns);
}

static void expire(struct vnode *vnode)
{
	fuse_node_of(vnode)->attributes_until_ns = 0;
}

static int ask_attributes(struct vnode *vnode)
{
	struct fuse_getattr get = {0};
	struct fuse_attributes_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_GETATTR,
		.node = vnode->inode,
		.structure = &get,
		.structure_bytes = sizeof(get),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fuse_of(vnode), &call);

	if (!error && call.reply_bytes < sizeof(reply))
		error = -LINUX_EIO;
	if (!error && (reply.attributes.mode & LINUX_S_IFMT) != (vnode->mode & LINUX_S_IFMT))
		error = -LINUX_ESTALE;
	if (!error)
		fuse_take_attributes(vnode, &reply.attributes, reply.valid, reply.valid_ns);
	return error;
}

static int refresh(struct vnode *vnode)
{
	if (clock_monotonic_ns() < fuse_node_of(vnode)->attributes_until_ns)
		return 0;
	return ask_attributes(vnode);
}

static int get_attributes(struct vnode *vnode, struct linux_stat *stat)
{
	int error = refresh(vnode);

	if (error)
		return error;
	vnode_stat(vnode, stat);
	stat->ino = fuse_node_of(vnode)->host_inode;
	stat->blocks = (int64_t)fuse_node_of(vnode)->blocks;
	return 0;
}

static void put_time(const struct linux_timespec *time, uint64_t *seconds, uint32_t *ns)
{
	*seconds = (uint64_t)time->seconds;
	*ns = (uint32_t)time->nanoseconds;
}

static int set_attributes(struct vnode *vnode, uint32_t mask, const struct linux_stat *values)
{
	struct fuse_setattr set = {.mode = values->mode, .uid = values->uid, .gid = values->gid};
	struct fuse_attributes_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_SETATTR,
		.node = vnode->inode,
		.structure = &set,
		.structure_bytes = sizeof(set),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error;

	/* What is written later would move the times again. */
	if (mask & (VNODE_ATIME | VNODE_MTIME) && LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG)) {
		error = storage_write(storage_node_of(vnode), 0, UINT64_MAX >> PAGE_SHIFT);
		if (error)
			return error;
	}
	set.valid = (mask & VNODE_MODE ? FUSE_SET_MODE : 0u) |
		    (mask & VNODE_UID ? FUSE_SET_UID : 0u) |
		    (mask & VNODE_GID ? FUSE_SET_GID : 0u) |
		    (mask & VNODE_ATIME ? FUSE_SET_ATIME : 0u) |
		    (mask & VNODE_MTIME ? FUSE_SET_MTIME : 0u);
	put_time(&values->atime, &set.atime, &set.atime_ns);
	put_time(&values->mtime, &set.mtime, &set.mtime_ns);
	error = fuse_call(fuse_of(vnode), &call);
	if (error)
		return error;
	fuse_node_of(vnode)->has_written = true; /* a time that is set here is no news */
	expire(vnode);
	return 0;
}

/* ---- nodes ------------------------------------------------------------------------------ */

static int read_target(struct vnode *link, size_t capacity)
{
	char *text = heap_alloc(capacity + 1);
	struct fuse_call call = {.operation = FUSE_READLINK,
		.node = link->inode,
		.reply = text,
		.reply_capacity = (uint32_t)capacity};
	int error = text ? fuse_call(fuse_of(link), &call) : -LINUX_ENOMEM;

	if (error) {
		heap_free(text);
		return error;
	}
	text[call.reply_bytes] = 0;
	link->data = text;
	link->size = strlen(text);
	return 0;
}

static void drop_node(struct fuse_node *node, struct fuse *fuse)
{
	fuse_handles_close(node);
	fuse_forget(fuse, node->storage.vnode.inode, node->lookups);
	storage_node_destroy(&node->storage);
	heap_free(node);
}

static void release(struct vnode *vnode)
{
	drop_node(fuse_node_of(vnode), fuse_of(vnode));
}

/* The node of a reply, which the server has counted. */
static int get_node(struct fuse *fuse, const struct fuse_entry_reply *entry, struct vnode **result)
{
	struct storage_node *found = storage_find(&fuse->fs, entry->node);
	struct fuse_node *node;

	if (!found) {
		node = heap_zalloc(sizeof(*node));
		if (!node) {
			fuse_forget(fuse, entry->node, 1);
			return -LINUX_ENOMEM;
		}
		storage_node_init(
			&node->storage, &vnode_ops, &fuse->fs, entry->attributes.mode, entry->node);
		node->storage.vnode.rdev = entry->attributes.rdev;
		node->host_size = entry->attributes.size;
		node->host_mtime_ns = time_of(entry->attributes.mtime, entry->attributes.mtime_ns);
		if (LINUX_S_ISTYPE(entry->attributes.mode, LINUX_S_IFLNK)) {
			int error = read_target(&node->storage.vnode, LINUX_PATH_MAX);

			if (error) {
				node->lookups = 1;
				drop_node(node, fuse);
				return error;
			}
		}
		found = storage_enter(&node->storage);
		if (found != &node->storage)
			drop_node(node, fuse); /* nothing counted in it */
	}
	__atomic_add_fetch(&fuse_node_of(&found->vnode)->lookups, 1, __ATOMIC_RELAXED);
	*result = &found->vnode;
	fuse_take_attributes(
		*result, &entry->attributes, entry->attributes_valid, entry->attributes_valid_ns);
	return 0;
}

/* Calls that answer with a node. */
static int call_for_node(struct vnode *directory, struct fuse_call *call, const char *name,
	size_t length, struct vnode **result)
{
	struct fuse_entry_reply entry = {0};
	int error;

	call->node = directory->inode;
	call->names[0] = name;
	call->name_lengths[0] = length;
	call->reply = &entry;
	call->reply_capacity = sizeof(entry);
	error = fuse_call(fuse_of(directory), call);
	if (error)
		return error;
	if (call->reply_bytes < sizeof(entry) || entry.node == 0)
		return call->reply_bytes < sizeof(entry) ? -LINUX_EIO : -LINUX_ENOENT;
	return get_node(fuse_of(directory), &entry, result);
}

static int lookup(struct vnode *directory, const char *name, size_t length, struct vnode **found)
{
	struct fuse_call call = {.operation = FUSE_LOOKUP};

	return call_for_node(directory, &call, name, length, found);
}

/* ---- changing names ---------------------------------------------------------------------------
 */

static int create_file(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	struct vnode **created)
{
	struct fuse_create create = {
		.flags = LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_EXCL, .mode = mode};
	struct {
		struct fuse_entry_reply entry;
		struct fuse_open_reply open;
	} reply = {0};
	struct fuse_call call = {.operation = FUSE_CREATE,
		.node = directory->inode,
		.structure = &create,
		.structure_bytes = sizeof(create),
		.names = {name},
		.name_lengths = {length},
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fuse_of(directory), &call);

	if (!error && (call.reply_bytes < sizeof(reply) || reply.entry.node == 0))
		error = -LINUX_EIO;
	if (!error)
		error = get_node(fuse_of(directory), &reply.entry, created);
	if (!error)
		fuse_handle_adopt(fuse_node_of(*created), FUSE_WRITING, reply.open.handle);
	return error;
}

static int create(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	uint64_t device, struct vnode **created)
{
	struct fuse_mknod make = {.mode = mode, .rdev = (uint32_t)device};
	struct fuse_call call = {
		.operation = FUSE_MKNOD, .structure = &make, .structure_bytes = sizeof(make)};

	expire(directory);
	if (LINUX_S_ISTYPE(mode, LINUX_S_IFREG))
		return create_file(directory, name, length, mode, created);
	return call_for_node(directory, &call, name, length, created);
}

static int make_directory(struct vnode *directory, const char *name, size_t length, uint32_t mode,
	struct vnode **created)
{
	struct fuse_mkdir make = {.mode = mode};
	struct fuse_call call = {
		.operation = FUSE_MKDIR, .structure = &make, .structure_bytes = sizeof(make)};

	expire(directory);
	return call_for_node(directory, &call, name, length, created);
}

static int make_link(struct vnode *directory, const char *name, size_t length, const char *target,
	struct vnode **created)
{
	struct fuse_call call = {
		.operation = FUSE_SYMLINK, .value = target, .value_bytes = strlen(target) + 1};

	expire(directory);
	return call_for_node(directory, &call, name, length, created);
}

static int link_node(struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	struct fuse_link link = {.target = target->inode};
	struct fuse_call call = {
		.operation = FUSE_LINK, .structure = &link, .structure_bytes = sizeof(link)};
	struct vnode *same;
	int error = call_for_node(directory, &call, name, length, &same);

	expire(directory);
	if (error)
		return error;
	vnode_release(same);
	if (target->nlink == 0)
		target->nlink = 1;
	expire(target);
	return 0;
}

static int remove_name(struct vnode *directory, const char *name, size_t length, uint32_t operation)
{
	struct fuse_call call = {.operation = operation,
		.node = directory->inode,
		.names = {name},
		.name_lengths = {length}};

	expire(directory);
	return fuse_call(fuse_of(directory), &call);
}

/* The server finds a node by its name until it has used it: before a name goes while something
 * else needs the node, it is used. */
static void keep_node(struct vnode *vnode)
{
	if (READ_ONCE(vnode->references) > 1)
		(void)ask_attributes(vnode);
}

/* One name less. */
static void drop_link(struct vnode *vnode)
{
	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFDIR))
		vnode->nlink = 0;
	else if (vnode->nlink > 0)
		vnode->nlink--;
	expire(vnode);
}

static int unlink_node(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int error;

	keep_node(target);
	error = remove_name(directory, name, length, FUSE_UNLINK);
	if (!error)
		drop_link(target);
	return error;
}

static int remove_directory(
	struct vnode *directory, const char *name, size_t length, struct vnode *target)
{
	int error;

	keep_node(target);
	error = remove_name(directory, name, length, FUSE_RMDIR);
	if (!error)
		drop_link(target);
	return error;
}

static int move(struct vnode *from_directory, const char *from, size_t from_length,
	struct vnode *moved, struct vnode *to_directory, const char *to, size_t to_length,
	struct vnode *replaced, uint32_t flags)
{
	struct fuse_rename2 rename = {.new_directory = to_directory->inode, .flags = flags};
	struct fuse_call call = {.operation = flags ? FUSE_RENAME2 : FUSE_RENAME,
		.node = from_directory->inode,
		.structure = &rename,
		.structure_bytes =
			flags ? (uint32_t)sizeof(rename) : (uint32_t)sizeof(struct fuse_rename),
		.names = {from, to},
		.name_lengths = {from_length, to_length}};
	int error;

	if (replaced)
		keep_node(replaced);
	error = fuse_call(fuse_of(from_directory), &call);
	expire(from_directory);
	expire(to_directory);
	if (error)
		return error;
	expire(moved);
	if (replaced && !(flags & LINUX_RENAME_EXCHANGE))
		drop_link(replaced);
	return 0;
}

/* Names that were removed on the host while open here keep their node. */
static int open_node(struct vnode *vnode, struct file *file)
{
	int error = 0;

	if (LINUX_S_ISTYPE(vnode->mode, LINUX_S_IFREG) && vnode->nlink != 0)
		error = refresh(vnode);
	return error ? error : storage_open(vnode, file);
}

/* ---- extended attributes -------------------------------------------------------------------- */

static long ask_xattr(
	struct vnode *vnode, uint32_t operation, const char *name, void *value, size_t capacity)
{
	struct fuse_getxattr get = {.bytes = (uint32_t)capacity}, size = {0};
	struct fuse_call call = {.operation = operation,
		.node = vnode->inode,
		.structure = &get,
		.structure_bytes = sizeof(get),
		.names = {name},
		.name_lengths = {name ? strlen(name) : 0},
		.reply = capacity > 0 ? value : &size,
		.reply_capacity = (uint32_t)(capacity > 0 ? capacity : sizeof(size))};
	int error = fuse_call(fuse_of(vnode), &call);

	if (error)
		return error;
	return capacity > 0 ? (long)call.reply_bytes : (long)size.bytes;
}

static long get_xattr(struct vnode *vnode, const char *name, void *value, size_t capacity)
{
	return ask_xattr(vnode, FUSE_GETXATTR, name, value, capacity);
}

static long list_xattr(struct vnode *vnode, char *names, size_t capacity)
{
	return ask_xattr(vnode, FUSE_LISTXATTR, NULL, names, capacity);
}

static int set_xattr(
	struct vnode *vnode, const char *name, const void *value, size_t bytes, int flags)
{
	struct fuse_setxattr set = {.bytes = (uint32_t)bytes, .flags = (uint32_t)flags};
	struct fuse_call call = {.operation = FUSE_SETXATTR,
		.node = vnode->inode,
		.structure = &set,
		.structure_bytes = sizeof(set),
		.names = {name},
		.name_lengths = {strlen(name)},
		.value = value,
		.value_bytes = bytes};

	expire(vnode);
	return fuse_call(fuse_of(vnode), &call);
}

static int remove_xattr(struct vnode *vnode, const char *name)
{
	expire(vnode);
	return remove_name(vnode, name, strlen(name), FUSE_REMOVEXATTR);
}

static const struct vnode_ops vnode_ops = {
	.lookup = lookup,
	.create = create,
	.make_directory = make_directory,
	.symlink = make_link,
	.link = link_node,
	.unlink = unlink_node,
	.remove_directory = remove_directory,
	.rename = move,
	.set_attributes = set_attributes,
	.get_attributes = get_attributes,
	.open = open_node,
	.get_xattr = get_xattr,
	.set_xattr = set_xattr,
	.list_xattr = list_xattr,
	.remove_xattr = remove_xattr,
	.release = release,
};

/* ---- the session --------------------------------------------------------------------------------
 */

static int tell_usage(struct file_system *fs, struct file_system_usage *usage)
{
	struct fuse_statfs_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_STATFS,
		.node = FUSE_ROOT,
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fs->data, &call);

	if (error)
		return error;
	*usage = (struct file_system_usage){
		reply.fragment_bytes ? reply.fragment_bytes : reply.block_bytes, reply.blocks,
		reply.free_blocks, reply.available_blocks, reply.files, reply.free_files,
		reply.name_bytes};
	return 0;
}

static const struct storage_ops storage_ops = {
	.usage = tell_usage,
	.sync_node = fuse_sync_node,
	.read_directory = fuse_read_directory,
	.read_pages = fuse_read_pages,
	.write_pages = fuse_write_pages,
	.set_size = fuse_set_size,
	.allocate = fuse_allocate,
	.seek = fuse_seek,
};

static int greet(struct fuse *fuse)
{
	struct fuse_init init = {.major = FUSE_VERSION_MAJOR,
		.minor = FUSE_VERSION_MINOR,
		.max_readahead = 1u << 20,
		.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_MAX_PAGES |
			 FUSE_PARALLEL_DIROPS};
	struct fuse_init_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_INIT,
		.structure = &init,
		.structure_bytes = sizeof(init),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fuse, &call);

	if (error)
		return error;
	if (reply.major != FUSE_VERSION_MAJOR)
		return -LINUX_EPROTO;
	fuse->most_transfer = MIN(MAX(reply.max_write, (uint32_t)PAGE_BYTES), 1u << 20);
	return 0;
}

static int get_root(struct fuse *fuse, struct vnode **root)
{
	struct fuse_entry_reply entry = {.node = FUSE_ROOT};
	struct fuse_getattr get = {0};
	struct fuse_attributes_reply reply = {0};
	struct fuse_call call = {.operation = FUSE_GETATTR,
		.node = FUSE_ROOT,
		.structure = &get,
		.structure_bytes = sizeof(get),
		.reply = &reply,
		.reply_capacity = sizeof(reply)};
	int error = fuse_call(fuse, &call);

	if (!error && (call.reply_bytes < sizeof(reply) ||
			      !LINUX_S_ISTYPE(reply.attributes.mode, LINUX_S_IFDIR)))
		error = -LINUX_EIO;
	if (error)
		return error;
	entry.attributes = reply.attributes;
	entry.attributes_valid = reply.valid;
	entry.attributes_valid_ns = reply.valid_ns;
	return get_node(fuse, &entry, root);
}

int fuse_open(struct fuse_transport *transport, bool read_only, struct file_system **fs,
	struct vnode **root)
{
	struct fuse *fuse = heap_zalloc(sizeof(*fuse));
	int error;

	if (!fuse)
		return -LINUX_ENOMEM;
	fuse->transport = transport;
	mutex_init(&fuse->handle_lock);
	list_init(&fuse->handles);
	fuse->fs = (struct file_system){
		.type = "virtiofs",
		.magic = FUSE_SUPER_MAGIC,
		.read_only = read_only,
		.storage = &storage_ops,
		.data = fuse,
		.entry_timeout_ns = NAME_VALID_NS,
		.writes_on_close = true,
	};
	error = greet(fuse);
	if (!error)
		error = get_root(fuse, root);
	if (error) {
		heap_free(fuse);
		return error;
	}
	*fs = &fuse->fs;
	return 0;
}
