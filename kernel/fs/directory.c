/*
 * Open directories: getdents64 over the entries of the tree.
 *
 * A position is the cookie of the last name given; cookies of a directory only grow.
 * Names that appear after a listing began are not part of it, so that renaming while
 * listing ends. The entry given last is kept as a place to go on from.
 */
#include "kernel/fs/directory.h"
#include "kernel/fs/image_tree.h"
#include "kernel/mm/heap.h"
#include "lib/string.h"

struct listing {
	struct path_entry *last; /* with a reference; NULL: search by cookie */
	uint64_t limit;          /* names with greater cookies came later */
};

int directory_emit(struct uio *uio, uint64_t inode, uint64_t position, uint32_t mode,
	const char *name, size_t length)
{
	union {
		struct linux_dirent64 record;
		char bytes[sizeof(struct linux_dirent64) + LINUX_NAME_MAX + 9];
	} buffer;
	size_t header = offsetof(struct linux_dirent64, name);
	size_t bytes = ALIGN_UP(header + length + 1, 8);

	if (uio->bytes_left < bytes)
		return -LINUX_EINVAL;
	buffer.record.inode = inode;
	buffer.record.next = (int64_t)position;
	buffer.record.bytes = (uint16_t)bytes;
	buffer.record.type = (uint8_t)((mode & LINUX_S_IFMT) >> 12);
	memcpy(buffer.bytes + header, name, length);
	memset(buffer.bytes + header + length, 0, bytes - header - length);
	return uio_copy_to(uio, buffer.bytes, bytes) == (long)bytes ? 0 : -LINUX_EFAULT;
}

struct name_seen {
	uint64_t cookie;
	size_t length;
	char text[LINUX_NAME_MAX + 1];
};

/* The first entry after `position`, with a reference, and its name; NULL: the end. */
static struct path_entry *next_entry(struct path_entry *directory, struct listing *listing,
	uint64_t position, struct name_seen *seen)
{
	struct path_entry *entry = NULL;
	struct list *link;

	spin_lock(&tree.spin);
	if (listing->last && listing->last->linked && listing->last->parent == directory &&
		listing->last->cookie == position)
		link = listing->last->siblings.next;
	else
		link = directory->children.next;
	for (; link != &directory->children && !entry; link = link->next) {
		entry = LIST_ENTRY(link, struct path_entry, siblings);
		if (entry->cookie <= position)
			entry = NULL;
	}
	if (entry && entry->cookie > listing->limit)
		entry = NULL;
	if (entry) {
		path_entry_acquire(entry);
		seen->cookie = entry->cookie;
		seen->length = entry->name_length;
		memcpy(seen->text, entry->name, entry->name_length);
	}
	spin_unlock(&tree.spin);
	return entry;
}

static void remember(struct listing *listing, struct path_entry *entry)
{
	if (listing->last)
		path_entry_release(listing->last);
	listing->last = entry;
}

static int emit_dots(struct file *file, struct uio *uio, uint64_t *offset)
{
	const struct path_entry *parent = file->entry->parent;
	int error = 0;

	if (*offset == 0) {
		error = directory_emit(uio, file->vnode->inode, 1, LINUX_S_IFDIR, ".", 1);
		if (!error)
			*offset = 1;
	}
	if (!error && *offset == 1) {
		uint64_t inode = parent ? parent->vnode->inode : file->vnode->inode;

		error = directory_emit(uio, inode, 2, LINUX_S_IFDIR, "..", 2);
		if (!error)
			*offset = 2;
	}
	return error;
}

static int emit_names(struct file *file, struct listing *listing, struct uio *uio, uint64_t *offset)
{
	struct name_seen seen;

	for (;;) {
		struct path_entry *entry = next_entry(file->entry, listing, *offset, &seen);
		int error;

		if (!entry)
			return 0;
		error = directory_emit(uio, entry->vnode->inode, seen.cookie, entry->vnode->mode,
			seen.text, seen.length);
		if (error) {
			path_entry_release(entry);
			return error;
		}
		*offset = seen.cookie;
		remember(listing, entry);
	}
}

static long read_directory(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct listing *listing = file->data;
	size_t before = uio->bytes_left;
	int error;

	if (!listing) {
		listing = file->data = heap_zalloc(sizeof(*listing));
		if (!listing)
			return -LINUX_ENOMEM;
	}
	if (!file->entry->linked && file->entry != tree.root)
		return -LINUX_ENOENT;
	error = image_tree_fill(file->entry);
	if (error)
		return error;
	if (*offset <= 2 || listing->limit == 0)
		listing->limit = READ_ONCE(file->entry->last_cookie);
	error = emit_dots(file, uio, offset);
	if (!error)
		error = emit_names(file, listing, uio, offset);
	vnode_touch_access(file->vnode);
	return before != uio->bytes_left ? (long)(before - uio->bytes_left) : error;
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
	(void)file;
	(void)data_only;
	return 0;
}

static void release(struct file *file)
{
	struct listing *listing = file->data;

	if (listing)
		remember(listing, NULL);
	heap_free(listing);
}

const struct file_ops directory_file_ops = {
	.kind = "directory",
	.read = read,
	.seek = seek,
	.sync = sync,
	.read_directory = read_directory,
	.release = release,
};
