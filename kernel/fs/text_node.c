/*
 * Files of generated text. See text_node.h. The text of one description is made at
 * its first read, and again when it is read from the start.
 */
#include "kernel/fs/text_node.h"
#include "kernel/fs/tree_fill.h"
#include "kernel/mm/heap.h"
#include "lib/format.h"
#include "lib/string.h"

#define FIRST_BYTES 2048u
#define MOST_BYTES  (8u << 20)
#define MOST_STORED 4096u

struct generated {
	char *text;
	size_t bytes;
};

void text_append(struct text_buffer *text, const char *format, ...)
{
	bool full = text->length >= text->capacity;
	va_list args;

	va_start(args, format);
	text->length += format_text_args(full ? NULL : text->buffer + text->length,
		full ? 0 : text->capacity - text->length, format, args);
	va_end(args);
}

static const struct text_node *node_of(const struct file *file)
{
	return file->vnode->data;
}

static long generate(struct file *file, struct generated *generated)
{
	const struct text_node *node = node_of(file);

	for (size_t capacity = FIRST_BYTES; capacity <= MOST_BYTES; capacity *= 2) {
		char *text = heap_alloc(capacity);
		long bytes = text ? node->generate(text, capacity, node->argument) : -LINUX_ENOMEM;

		if (bytes >= 0 && (size_t)bytes < capacity) {
			heap_free(generated->text);
			generated->text = text;
			generated->bytes = (size_t)bytes;
			return 0;
		}
		heap_free(text);
		if (bytes < 0)
			return bytes;
	}
	return -LINUX_ENOMEM;
}

static long read(struct file *file, struct uio *uio, uint64_t *offset)
{
	struct generated *generated = file->data;
	size_t bytes, moved;

	if (*offset == 0 || !generated->text) {
		long error = generate(file, generated);

		if (error)
			return error;
	}
	if (*offset >= generated->bytes || uio->bytes_left == 0)
		return 0;
	bytes = MIN(generated->bytes - *offset, uio->bytes_left);
	moved = uio_copy_some_to(uio, generated->text + *offset, bytes);
	*offset += moved;
	return moved > 0 ? (long)moved : -LINUX_EFAULT;
}

static long write(struct file *file, struct uio *uio, uint64_t *offset)
{
	const struct text_node *node = node_of(file);
	size_t bytes = MIN(uio->bytes_left, MOST_STORED);
	char *text;
	long moved;

	if (!node->store)
		return -LINUX_EACCES;
	text = heap_alloc(bytes + 1);
	if (!text)
		return -LINUX_ENOMEM;
	moved = uio_copy_from(uio, text, bytes);
	if (moved > 0) {
		int error;

		text[moved] = 0;
		error = node->store(text, (size_t)moved, node->argument);
		*offset += (uint64_t)moved;
		if (error)
			moved = error;
	}
	heap_free(text);
	return moved;
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

static void release(struct file *file)
{
	struct generated *generated = file->data;

	heap_free(generated->text);
	heap_free(generated);
}

static const struct file_ops text_file_ops = {
	.kind = "text",
	.read = read,
	.write = write,
	.seek = seek,
	.release = release,
};

static int open(struct vnode *vnode, struct file *file)
{
	(void)vnode;
	file->data = heap_zalloc(sizeof(struct generated));
	if (!file->data)
		return -LINUX_ENOMEM;
	file->ops = &text_file_ops;
	return 0;
}

static void free_node(struct vnode *vnode)
{
	heap_free(vnode);
}

/* Nodes of vfs_add_text bring their struct text_node along. */
static void free_owned_node(struct vnode *vnode)
{
	heap_free(vnode->data);
	heap_free(vnode);
}

static const struct vnode_ops text_ops = {.open = open, .release = free_node};
static const struct vnode_ops owned_text_ops = {.open = open, .release = free_owned_node};

struct vnode *text_node_create(struct file_system *fs, const struct text_node *node)
{
	uint32_t permissions = node->store ? 0644 : 0444;

	return memfs_new_special(
		fs, LINUX_S_IFREG | permissions, &text_ops, NULL, (void *)(uintptr_t)node);
}

static struct file_system *file_system_of(const char *path)
{
	if (strncmp(path, "/proc/", 6) == 0)
		return &memfs_proc;
	return strncmp(path, "/sys/", 5) == 0 ? &memfs_sys : &memfs_root;
}

int text_node_add(const char *path, const struct text_node *node)
{
	return tree_fill_put(path, text_node_create(file_system_of(path), node));
}

struct vnode *text_node_create_owned(
	struct file_system *fs, text_generator generator, void *argument)
{
	struct text_node *node = heap_alloc(sizeof(*node));
	struct vnode *vnode;

	if (!node)
		return NULL;
	*node = (struct text_node){.generate = generator, .argument = argument};
	vnode = text_node_create(fs, node);
	if (vnode)
		vnode->ops = &owned_text_ops;
	else
		heap_free(node);
	return vnode;
}

int vfs_add_text(const char *path, text_generator generator, void *argument)
{
	return tree_fill_put(
		path, text_node_create_owned(file_system_of(path), generator, argument));
}
