/*
 * Open directories of file systems on storage: names come from the file system, gathered in
 * the kernel's memory so that no lock of its is held while the program's is touched.
 */
#include "kernel/fs/directory.h"
#include "kernel/fs/storage_node.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

#define MOST_BYTES (64u << 10) /* of one call */

struct gathering {
	struct directory_sink sink;
	struct uio into;   /* the kernel buffer */
	uint64_t position; /* after the last name that fitted */
};

static int emit(struct directory_sink *sink, const char *name, size_t length, uint64_t inode,
	uint32_t mode, uint64_t next)
{
	struct gathering *gathering = CONTAINER_OF(sink, struct gathering, sink);
	int error = directory_emit(&gathering->into, inode, next, mode, name, length);

	if (!error)
		gathering->position = next;
	return error;
}

static long read_directory(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct gathering gathering = {.sink.emit = emit, .position = *offset};
	struct storage_node *node = storage_node_of(file->vnode);
	size_t capacity = MIN(uio->bytes_left, MOST_BYTES), used;
	struct uio_part part;
	void *buffer;
	int error;

	if (!storage_ops_of(node)->read_directory)
		return -LINUX_ENOTDIR;
	if (file->vnode->nlink == 0)
		return -LINUX_ENOENT;
	buffer = heap_alloc(MAX(capacity, 16u));
	if (!buffer)
		return -LINUX_ENOMEM;
	uio_init_kernel(&gathering.into, &part, buffer, capacity);
	error = storage_ops_of(node)->read_directory(node, *offset, &gathering.sink);
	used = capacity - gathering.into.bytes_left;
	if (used > 0) {
		error = uio_copy_to(uio, buffer, used) == (long)used ? 0 : -LINUX_EFAULT;
		if (!error)
			*offset = gathering.position;
	}
	heap_free(buffer);
	if (!(file->flags & LINUX_O_NOATIME))
		vnode_touch_access(file->vnode);
	return error ? error : (long)used;
}

static int64_t seek(struct file *file, int64_t offset, int whence)
{
	if (whence == LINUX_SEEK_CUR)
		offset += (int64_t)file->offset;
	else if (whence != LINUX_SEEK_SET)
		return -LINUX_EINVAL;
	if (offset < 0)
		return -LINUX_EINVAL;
	file->offset = (uint64_t)offset;
	return offset;
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	(void)file;
	(void)uio;
	(void)offset;
	return -LINUX_EISDIR;
}

static int sync(struct file *file, bool data_only)
{
	return storage_sync_node(storage_node_of(file->vnode), data_only);
}

static void release(struct file *file)
{
	heap_free(file->data);
}

const struct file_ops storage_directory_ops = {
	.kind = "directory",
	.read = read,
	.seek = seek,
	.sync = sync,
	.read_directory = read_directory,
	.release = release,
};
